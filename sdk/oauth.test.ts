/** Signing in with providers as applications do it: in Chromium through the provider's own pages, and by ID tokens. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { startBrowser, type TestBrowser } from "../examples/flights/e2e/browser";
import { openOAuthScene, type OAuthScene } from "../server/testing/oauth";
import { type Baasix, type BaasixOptions, createBaasix } from ".";
import { openSite, type TestSite } from "./testing/site";

setDefaultTimeout(60_000);

/** What the page's script puts on the window. */
type Bench = { readonly make: (options?: Partial<BaasixOptions>) => Baasix; baasix: Baasix };
declare const bench: Bench;

let scene: OAuthScene;
let browser: TestBrowser;
let site: TestSite;
const clients: Baasix[] = [];

beforeAll(async () => {
  site = openSite();
  const { origin } = site.url;
  scene = await openOAuthScene({ env: { AUTH_APP_URL: origin, AUTH_CORS_ALLOWED_ORIGINS: origin } });
  scene.oidc.people.set("ann", { email: "ann@example.com", email_verified: true, given_name: "Ann" });
  scene.oidc.people.set("ann at work", {
    email: "ann@work.example",
    email_verified: true,
    given_name: "Ann",
  });
  await site.run(`
import { createBaasix } from "./index.ts";
const url = new URLSearchParams(location.search).get("server") ?? ${JSON.stringify(scene.url)};
const make = (options) => createBaasix({ url, ...options });
globalThis.bench = { make, baasix: make() };
`);
  browser = await startBrowser();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await browser.close();
  await scene.close();
  await site.stop();
});

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(site.url.href);
  await ready(page);
  return page;
}
const ready = (page: Page) => page.waitForFunction(() => "bench" in globalThis);

/** Goes through the provider's pages, back to the application. */
async function pass(page: Page, subject: string): Promise<void> {
  await page.waitForURL(`${scene.oidc.issuer}/interaction/**`);
  if ((await page.locator('input[name="login"]').count()) > 0) {
    await page.fill('input[name="login"]', subject);
    await page.fill('input[name="password"]', "any");
    await page.click('button[type="submit"]');
  }
  await page.locator('input[name="prompt"][value="consent"]').waitFor({ state: "attached" });
  await page.click('button[type="submit"]');
  await page.waitForURL(`${site.url.origin}/**`);
  await ready(page);
}

/** What the application's page does when the browser comes back, as the SDK's document writes it. */
const finish = (page: Page, options: Partial<Pick<BaasixOptions, "url" | "authMode">> = {}) =>
  page.evaluate(async (given) => {
    const baasix = bench.make(given);
    const params = new URLSearchParams(window.location.search);
    const token = params.get("token");
    if (!token) return { error: params.get("error"), description: params.get("error_description") };
    try {
      const { user } = await baasix.auth.handleOAuthCallback(token);
      return { email: user?.email, state: params.get("state"), me: (await baasix.auth.getUser())?.email };
    } catch (error) {
      return { error: (error as { code: string }).code };
    }
  }, options);

for (const authMode of ["jwt", "cookie"] as const) {
  for (const provider of ["acme", "posted"]) {
    test(`a browser signs in with ${provider} and stays signed in (${authMode})`, async () => {
      const context = await browser.browser.newContext();
      try {
        const page = await openPage(context);
        // The site of a name and that of an address are two: so cookies between them are foreign ones.
        const server = provider === "posted" ? scene.url.replace("127.0.0.1", "localhost") : scene.url;
        const kept = authMode === "cookie" ? scene.url : server;
        await page.evaluate(
          ({ provider, server }) => {
            const url = bench
              .make({ url: server })
              .auth.getOAuthUrl({ provider, redirectUrl: `${location.origin}/back?page=2`, state: "mine" });
            window.location.href = url;
          },
          { provider, server },
        );
        await pass(page, "ann");
        const away = "ann@example.com";
        expect(await finish(page, { authMode, url: kept })).toEqual({ email: away, state: "mine", me: away });
        expect(await finish(page, { authMode, url: kept })).toEqual({ error: "NOT_BEGUN_HERE" });
        const cookies = (await context.cookies()).filter(({ name }) => name.startsWith("baasix-oauth"));
        expect(cookies).toEqual([]);
        await page.reload();
        await ready(page);
        const options = { authMode, url: kept };
        expect(
          await page.evaluate(async (given) => (await bench.make(given).auth.getUser())?.email, options),
        ).toBe(away);
      } finally {
        await context.close();
      }
    });
  }
}

test("a sign-in that somebody else began is refused by the page it is led to", async () => {
  const back = await scene.signIn("ann", { query: { redirect_url: `${site.url.origin}/back` } });
  const context = await browser.browser.newContext();
  try {
    const page = await openPage(context);
    await page.goto(back.url.href);
    await ready(page);
    expect(await finish(page)).toEqual({ error: "NOT_BEGUN_HERE" });
    // Also while a sign-in of its own is under way.
    await page.evaluate(() =>
      bench.make().auth.getOAuthUrl({ provider: "acme", redirectUrl: location.href }),
    );
    expect(await finish(page)).toEqual({ error: "INVALID_CREDENTIALS" });
  } finally {
    await context.close();
  }
});

test("who says no at the provider comes back with that", async () => {
  scene.github.person = null;
  const context = await browser.browser.newContext();
  try {
    const page = await openPage(context);
    await page.evaluate(() => {
      const redirectUrl = `${location.origin}/back`;
      window.location.href = bench.baasix.auth.getOAuthUrl({ provider: "github", redirectUrl });
    });
    await page.waitForURL(`${site.url.origin}/back**`);
    await ready(page);
    expect(await finish(page)).toEqual({
      error: "access_denied",
      description: "GitHub: the sign-in was cancelled",
    });
  } finally {
    await context.close();
  }
});

test("a signed-in user links a provider, lists and unlinks it", async () => {
  const context = await browser.browser.newContext();
  try {
    const page = await openPage(context);
    await page.evaluate(async () => {
      const { auth } = bench.baasix;
      await auth.register({ email: "lea@example.com", password: "a good password", firstName: "Lea" });
      window.location.href = await auth.linkProvider({
        provider: "acme",
        redirectUrl: `${location.origin}/linked`,
      });
    });
    await pass(page, "ann at work");
    const linked = await page.evaluate(async () => {
      const { auth } = bench.baasix;
      const result = await auth.handleLinkCallback(new URLSearchParams(location.search).get("token") ?? "");
      const before = (await auth.linkedProviders()).map(({ provider }) => provider);
      await auth.unlinkProvider("acme");
      return [result, before, await auth.linkedProviders()];
    });
    expect(linked).toEqual([{ linked: "acme" }, ["acme"], []]);
  } finally {
    await context.close();
  }
});

test("ID tokens sign in and link, and providers are listed", async () => {
  const baasix = createBaasix({ url: scene.url });
  clients.push(baasix);
  const idToken = (claims: object) => {
    const now = Math.floor(Date.now() / 1000);
    return scene.oidc.sign({ iss: scene.oidc.issuer, aud: "baasix", iat: now, exp: now + 300, ...claims });
  };
  const names = (await baasix.auth.listProviders()).map(({ name }) => name);
  expect(names).toEqual(["github", "posted", "away", "acme"]);
  const claims = { sub: "ida", email: "ida@example.com", email_verified: true, nonce: "n" };
  const { user } = await baasix.auth.signInWithIdToken({
    provider: "acme",
    token: await idToken(claims),
    nonce: "n",
  });
  expect(user?.email).toBe("ida@example.com");
  expect((await baasix.auth.getUser())?.email).toBe("ida@example.com");
  const posted = await idToken({ sub: "ida at posted" });
  expect(await baasix.auth.linkIdToken({ provider: "posted", token: posted })).toEqual({ linked: "posted" });
  await baasix.auth.unlinkProvider("acme");
  expect(baasix.auth.unlinkProvider("posted")).rejects.toMatchObject({ code: "CONFLICT" });
  expect((await baasix.auth.linkedProviders()).map(({ provider }) => provider)).toEqual(["posted"]);
});
