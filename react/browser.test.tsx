/** What only browsers have: pages that share a session, and pages that a server rendered. In real Chromium. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { AuthMode, Baasix, MeResult } from "@baasix/sdk";
import { createBaasix } from "@baasix/sdk";
import { dehydrate, QueryClient } from "@tanstack/react-query";
import type { BrowserContext, Page } from "playwright-core";
import { renderToString } from "react-dom/server";
import { startBrowser, type TestBrowser } from "../examples/flights/e2e/browser";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import { BaasixProvider, itemsQuery, rightsQuery, sessionQuery, tenantsQuery } from ".";
import { type Note, NotesPage } from "./testing/notes";

/** What the page's script puts on the window. */
type Bench = {
  readonly baasix: Baasix;
  /** Everything that the page could still show or read, as text. */
  readable(): string;
  /** What the page has read, at each change of it. */
  readonly shown: string[];
};
declare const bench: Bench;

setDefaultTimeout(30_000);

const password = "password123";
let app: TestApp;
let admin: Baasix;
let browser: TestBrowser;
/** Two applications on one server: their pages share its cookies, and nothing else. */
let site: Bun.Server<undefined>;
let otherSite: Bun.Server<undefined>;
let bundle = "";
/** A page that the server has kept, and should not have. */
let stale: string | null = null;
const tenants = new Map<string, string>();

const script = (url: string) => `
import { createBaasix } from "@baasix/sdk";
import { hydrate, QueryClient } from "@tanstack/react-query";
import { createRoot, hydrateRoot } from "react-dom/client";
import { BaasixProvider } from ${JSON.stringify(join(import.meta.dir, "index.ts"))};
import { NotesPage } from ${JSON.stringify(join(import.meta.dir, "testing/notes.tsx"))};
const { authMode, session, state } = JSON.parse(document.getElementById("given").textContent);
const baasix = createBaasix({ url: ${JSON.stringify(url)}, authMode, session });
const cache = new QueryClient();
if (state) hydrate(cache, state);
const page = <BaasixProvider client={baasix} queryClient={cache}><NotesPage /></BaasixProvider>;
const root = document.getElementById("root");
const shown = [];
new MutationObserver(() => shown.push(root.textContent)).observe(root, { childList: true, subtree: true, characterData: true });
if (session) hydrateRoot(root, page, { onRecoverableError: (error) => shown.push("MISMATCH " + error) });
else createRoot(root).render(page);
const readable = () => JSON.stringify([
  root.textContent,
  cache.getQueryCache().getAll().map(({ queryKey, state }) => [queryKey, state]),
  cache.getMutationCache().getAll().map(({ state }) => state),
  baasix.auth.state,
  { ...localStorage, ...sessionStorage },
]);
globalThis.bench = { baasix, readable, shown };
`;

const html = (root: string, given: object) =>
  `<!doctype html><div id="root">${root}</div><script id="given" type="application/json">${JSON.stringify(given).replaceAll("<", "\\u003c")}</script><script type="module" src="/bench.js"></script>`;

/** As a server would do it: for who sends the cookies. */
async function rendered(url: string, cookie: string): Promise<string> {
  const options = { url, authMode: "cookie", autoRefresh: false, headers: { cookie } } as const;
  const session = await createBaasix(options).auth.getSession();
  if (!session) return html("", { authMode: "cookie" });
  const client = createBaasix({ ...options, session });
  const cache = new QueryClient();
  await Promise.all([
    cache.prefetchQuery(itemsQuery<Note>(client, "notes", { sort: "createdAt" })),
    cache.prefetchQuery(sessionQuery(client)),
    cache.prefetchQuery(rightsQuery(client)),
    cache.prefetchQuery(tenantsQuery(client)),
  ]);
  const page = renderToString(
    <BaasixProvider client={client} queryClient={cache}>
      <NotesPage />
    </BaasixProvider>,
  );
  const { user, tenant }: Pick<MeResult, "user" | "tenant"> = session;
  return html(page, { authMode: "cookie", session: { user, tenant }, state: dehydrate(cache) });
}

beforeAll(async () => {
  let url = "";
  const serve = async (request: Request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/bench.js")
      return new Response(bundle, { headers: { "content-type": "text/javascript" } });
    const page =
      pathname === "/rendered"
        ? (stale ?? (await rendered(url, request.headers.get("cookie") ?? "")))
        : html("", { authMode: searchParams.get("mode") ?? "jwt" });
    return new Response(page, { headers: { "content-type": "text/html" } });
  };
  [site, otherSite] = [0, 0].map((port) => Bun.serve({ port, hostname: "127.0.0.1", fetch: serve })) as [
    Bun.Server<undefined>,
    Bun.Server<undefined>,
  ];
  const origins = [site.url.origin, otherSite.url.origin].join(",");
  app = await testApp({ env: { MULTI_TENANT: "true", AUTH_CORS_ALLOWED_ORIGINS: origins } });
  url = app.listen();
  const entry = join(import.meta.dir, "bench-entry.tsx");
  const built = await Bun.build({
    entrypoints: [entry],
    files: { [entry]: script(url) },
    target: "browser",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  bundle = (await built.outputs[0]?.text()) ?? "";
  await furnish(url);
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
  await Promise.all([site.stop(true), otherSite.stop(true)]);
  admin.close();
  await app.close();
});

/** Ann is a member of Alpha and Beta, Bob of Gamma; in each there is a note. */
async function furnish(url: string): Promise<void> {
  admin = createBaasix({ url });
  await admin.auth.login(testAdmin);
  await admin.schemas.create("notes", {
    name: "Note",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      text: { type: "String" },
    },
  });
  const role = (await admin.roles.findByName("user"))?.id ?? "";
  await admin.permissions.createCrudPermissions(role, "notes", { read: {}, create: {} });
  const baasix = createBaasix({ url });
  const note = async (tenant: string) => {
    await baasix.items("notes").create({ text: `secret of ${tenant}` });
    tenants.set(tenant, baasix.auth.state.tenant?.id ?? "");
  };
  for (const [firstName, tenant] of [
    ["Bob", "Gamma"],
    ["Ann", "Alpha"],
  ] as const) {
    const email = `${firstName}@example.com`;
    // oxlint-disable-next-line no-await-in-loop
    await baasix.auth.register({ email, password, firstName, tenant: { name: tenant } });
    // oxlint-disable-next-line no-await-in-loop
    await note(tenant);
  }
  const beta = await baasix.auth.createTenant({ name: "Beta" });
  await baasix.auth.switchTenant(beta.id);
  await note("Beta");
  baasix.close();
}

async function openPage(context: BrowserContext, path: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(new URL(path, site.url).href);
  await page.waitForFunction(() => "bench" in globalThis);
  return page;
}

const login = (page: Page, firstName: string) =>
  page.evaluate((account) => bench.baasix.auth.login(account).then(() => undefined), {
    email: `${firstName}@example.com`,
    password,
  });
const enter = (page: Page, tenant: string) =>
  page.evaluate((id) => bench.baasix.auth.switchTenant(id).then(() => undefined), tenants.get(tenant) ?? "");
const text = (page: Page) => page.evaluate(() => document.getElementById("root")?.textContent ?? "");
const shows = (page: Page, wanted: string) =>
  page.waitForFunction((text) => document.getElementById("root")?.textContent === text, wanted, {
    polling: 20,
    timeout: 20_000,
  });

const ofAlpha = "Ann in Alphasecret of Alphaof 2may write";

test.each<[AuthMode, string, string]>([
  ["jwt", "Bob", "Gamma"],
  ["cookie", "Bob", "Gamma"],
  ["jwt", "Ann", "Beta"],
  ["cookie", "Ann", "Beta"],
])("%s: nothing of before is readable on any page when %s acts in %s", async (mode, user, tenant) => {
  const context = await browser.browser.newContext();
  const [first, second] = [
    await openPage(context, `/?mode=${mode}`),
    await openPage(context, `/?mode=${mode}`),
  ];
  await shows(first, "nobody");
  await login(first, "Ann");
  await Promise.all([first, second].map((page) => shows(page, ofAlpha)));

  if (user === "Ann") await enter(first, tenant);
  else await login(first, user);
  const after = `${user} in ${tenant}secret of ${tenant}of ${user === "Ann" ? 2 : 1}may write`;
  await Promise.all([first, second].map((page) => shows(page, after)));
  for (const page of [first, second]) {
    // oxlint-disable-next-line no-await-in-loop
    const { readable, shown } = await page.evaluate(() => ({
      readable: bench.readable(),
      shown: bench.shown,
    }));
    expect(readable).toContain(`secret of ${tenant}`);
    expect(readable).not.toContain("secret of Alpha");
    if (user !== "Ann") expect(readable.toLowerCase()).not.toMatch(/ann@|"ann"|alpha/);
    const mixed = shown.filter((text) => text.includes(`in ${tenant}`) && text.includes("of Alpha"));
    expect(mixed).toEqual([]);
  }
  // Each page acts where it says: what it writes goes there, and what it hears comes from there.
  const unheard = await admin.items("notes").create({ text: " unheard", tenant_Id: tenants.get("Alpha") });
  const id = await second.evaluate(() => bench.baasix.items("notes").create({ text: " of mine" }));
  const heard = after.replace(`secret of ${tenant}`, `secret of ${tenant} of mine`);
  await Promise.all([first, second].map((page) => shows(page, heard)));
  expect(await admin.items("notes").findOne(id)).toMatchObject({ tenant_Id: tenants.get(tenant) ?? "" });
  await admin.items("notes").deleteMany([unheard, id]);
  await Promise.all([first, second].map((page) => shows(page, after)));

  await second.evaluate(() => bench.baasix.auth.logout());
  await Promise.all([first, second].map((page) => shows(page, "nobody")));
  for (const page of [first, second])
    // oxlint-disable-next-line no-await-in-loop
    expect(await page.evaluate(() => bench.readable())).not.toMatch(/secret|@example.com/i);
  await context.close();
});

test("a page that a server rendered is taken over as it is, and follows changes on other pages", async () => {
  const context = await browser.browser.newContext();
  const other = await openPage(context, "/?mode=cookie");
  await login(other, "Ann");
  const page = await openPage(context, "/rendered");
  const source = await page.evaluate(async () => (await fetch(location.href)).text());
  expect(source.replaceAll("<!-- -->", "")).toContain("Ann in Alpha<ul><li>secret of Alpha</li></ul>");
  for (const { value } of await context.cookies()) expect(source).not.toContain(value);
  await shows(page, ofAlpha);
  expect(await page.evaluate(() => bench.shown)).toEqual([]);

  await enter(other, "Beta");
  await shows(page, "Ann in Betasecret of Betaof 2may write");
  expect(await page.evaluate(() => bench.readable())).not.toContain("secret of Alpha");

  // What the server tells is old by now, and what pages have kept is gone.
  stale = source;
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await page.waitForFunction(() => "bench" in globalThis);
  await shows(page, "Ann in Betasecret of Betaof 2may write");
  expect(await page.evaluate(() => bench.readable())).not.toContain("secret of Alpha");
  await shows(other, await text(page));
  await context.close();
});

test("cookies that another application has changed answer nobody in a wrong name", async () => {
  const context = await browser.browser.newContext();
  const page = await openPage(context, "/?mode=cookie");
  const other = await openPage(context, new URL("/?mode=cookie", otherSite.url).href);
  await login(page, "Ann");
  await shows(page, ofAlpha);
  const write = () =>
    page.evaluate(() =>
      bench.baasix
        .items("notes")
        .create({ text: "of Ann" })
        .then(
          () => "written",
          (error: { code: string }) => error.code,
        ),
    );
  await login(other, "Bob");
  expect(await write()).toBe("SESSION_CHANGED");
  await shows(page, "Bob in Gammasecret of Gammaof 1may write");
  expect(await page.evaluate(() => bench.readable())).not.toContain("Alpha");
  await other.evaluate(() => bench.baasix.auth.logout());
  expect(await write()).toBe("UNAUTHORIZED");
  await shows(page, "nobody");
  expect(await page.evaluate(() => bench.readable())).not.toMatch(/secret|@example.com/i);

  // The server could not be told of the sign-out, and the cookie is still there.
  await login(page, "Ann");
  await shows(page, ofAlpha);
  await page.route("**/auth/logout", (route) => route.abort());
  await page.evaluate(() => bench.baasix.auth.logout());
  expect(await write()).toBe("FORBIDDEN");
  await page.reload();
  await shows(page, "nobody");
  expect(await write()).toBe("FORBIDDEN");
  await page.unroute("**/auth/logout");

  // A socket is let in by the cookie alone.
  await login(page, "Ann");
  await shows(page, ofAlpha);
  await login(other, "Bob");
  await page.evaluate(() => {
    bench.baasix.realtime.disconnect();
    void bench.baasix.realtime.connect();
  });
  await shows(page, "Bob in Gammasecret of Gammaof 1may write");
  await context.close();
});
