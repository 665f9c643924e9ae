/** Signing in with a provider on the executable: the libraries that it carries, and what it refuses to start with. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { openOidcServer, openVisitor, type OidcServer } from "../../server/testing/sign-in-provider";
import { baasix, emptyFolder, serve } from "./executable";

const folder = emptyFolder();
const cwd = folder.path;
const client = { clientId: "baasix", clientSecret: "the secret of the app at the provider" };
let oidc: OidcServer;
let env: Record<string, string>;
beforeAll(async () => {
  oidc = await openOidcServer(client);
  env = {
    AUTH_APP_URL: "https://app.example.com",
    OIDC_ACME_ISSUER: oidc.issuer,
    OIDC_ACME_CLIENT_ID: client.clientId,
    OIDC_ACME_CLIENT_SECRET: client.clientSecret,
  };
});
afterAll(async () => {
  await oidc.close();
  folder.remove();
});

test("an account comes in by a provider", async () => {
  const { url, end } = await serve({ cwd, env });
  oidc.register([`${url}/auth/callback/acme`]);
  oidc.people.set("ann", { email: "ann@example.com", email_verified: true, given_name: "Ann" });
  const visitor = openVisitor([new URL(url).origin, oidc.issuer]);
  const page = await visitor.visit(`${url}/auth/signin/acme?redirect_url=https://app.example.com/back`);
  const back = await visitor.signInAt(page, "ann");
  expect(back.url.href).toStartWith("https://app.example.com/back?token=");
  const answer = await fetch(`${url}/auth/social/exchange`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: back.url.searchParams.get("token") }),
  });
  expect(await answer.json()).toMatchObject({ user: { email: "ann@example.com", firstName: "Ann" } });
  expect((await end("SIGTERM")).code).toBe(0);
});

test("production takes no provider and no address of its own without https, and tells no secret", async () => {
  const production = { ...env, NODE_ENV: "production" };
  const settings: Record<string, string>[] = [
    {},
    { BASE_URL: "https://api.example.com" },
    { BASE_URL: "http://api.example.com" },
  ];
  const answers = await Promise.all(
    settings.map((more) => baasix(["serve", "--port", "0"], { cwd, env: { ...production, ...more } })),
  );
  expect(answers.map(({ code }) => code === 0)).toEqual([false, false, false]);
  expect(answers.map(({ err }) => err.trim())).toEqual([
    expect.stringContaining("BASE_URL: is needed to sign in with providers"),
    expect.stringContaining("OIDC_PROVIDERS: the issuer of acme must be https in production"),
    expect.stringContaining("BASE_URL: must be https in production"),
  ]);
});
