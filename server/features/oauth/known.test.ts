/** What is known of the providers with names. */
import { expect, test } from "bun:test";
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import { readConfig } from "../../config";
import { providersOf } from "../../oauth";
import { apple, facebook, github, google, openIdConnect } from "./known";
import type { Ask } from "./provider";

const credentials = { clientIds: ["id"], secret: "secret" } as const;

test("Apple gets a secret of five minutes, signed with the app's key", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { teamId: "TEAM", keyId: "KEY", privateKey: await exportPKCS8(privateKey) };
  const provider = apple({ clientIds: ["com.example.web", "com.example.app"], key });
  expect(provider).toMatchObject({ responseMode: "form_post", scopes: ["openid", "name", "email"] });
  const now = 1_700_000_000_500;
  const secret = await provider.secret(now);
  const { payload, protectedHeader } = await jwtVerify(secret ?? "", publicKey, {
    currentDate: new Date(now),
  });
  expect(protectedHeader).toEqual({ alg: "ES256", kid: "KEY" });
  expect(payload).toEqual({
    iss: "TEAM",
    sub: "com.example.web",
    aud: "https://appleid.apple.com",
    iat: 1_700_000_000,
    exp: 1_700_000_300,
  });
});

const answering =
  (answers: Readonly<Record<string, unknown>>): Ask =>
  (address) =>
    address in answers
      ? Promise.resolve(answers[address])
      : Promise.reject(new Error(`not asked for: ${address}`));
const mail = (email: string, primary: boolean, verified: boolean) => ({ email, primary, verified });

test.each([
  [[mail("a@x.io", true, true), mail("b@x.io", false, true)], "a@x.io", true],
  [[mail("a@x.io", true, false), mail("b@x.io", false, true)], "b@x.io", true],
  [[mail("a@x.io", true, false), mail("b@x.io", false, false)], "a@x.io", false],
  [[], null, false],
])("GitHub's mail addresses %j: %s, confirmed: %s", async (mails, email, emailVerified) => {
  const ask = answering({
    "https://api.github.com/user": { id: 1, login: "octo", name: null, email: "public@x.io" },
    "https://api.github.com/user/emails": mails,
  });
  const profile = await github({ ...credentials, site: null }).profile?.(ask);
  expect(profile).toEqual({ subject: "1", email, emailVerified, firstName: "octo", lastName: null });
});

test("Facebook's mail addresses never count as confirmed", async () => {
  const ask = answering({
    "https://graph.facebook.com/v23.0/me?fields=id,email,first_name,last_name": {
      id: "9",
      email: "f@x.io",
      first_name: "Fay",
    },
  });
  expect(await facebook(credentials).profile?.(ask)).toEqual({
    subject: "9",
    email: "f@x.io",
    emailVerified: false,
    firstName: "Fay",
    lastName: null,
  });
});

test("an answer of an API that is not as it should be is no profile", async () => {
  const ask = answering({ "https://api.github.com/user": { id: "1; drop", login: "x" } });
  expect(github({ ...credentials, site: null }).profile?.(ask)).rejects.toThrow();
});

test.each([
  google(credentials),
  openIdConnect({
    name: "a",
    issuer: "https://a.example",
    clientId: "id",
    scopes: ["openid"],
    responseMode: "query",
  }),
])("$name is known by its own description", ({ metadata }) => expect(metadata).toHaveProperty("issuer"));

test.each<[env: Record<string, string>, result: string | readonly string[]]>([
  [{}, []],
  [{ AUTH_SERVICES_ENABLED: "local" }, []],
  [{ AUTH_SERVICES_ENABLED: "GOOGLE", GOOGLE_CLIENT_ID: "a, b", GOOGLE_CLIENT_SECRET: "s" }, ["google"]],
  [{ GOOGLE_CLIENT_ID: "a", GOOGLE_CLIENT_SECRET: "s" }, []],
  [{ OIDC_MY_CORP_ISSUER: "https://id.example", OIDC_MY_CORP_CLIENT_ID: "a" }, ["my-corp"]],
  [{ OIDC_PROVIDERS: '[{"name": "one", "issuer": "https://id.example", "clientId": "a"}]' }, ["one"]],
  [
    { AUTH_SERVICES_ENABLED: "LOCAL,GOOGLE" },
    "GOOGLE_CLIENT_ID: is needed beside GOOGLE in AUTH_SERVICES_ENABLED",
  ],
  [
    { AUTH_SERVICES_ENABLED: "GOOGLE", GOOGLE_CLIENT_ID: "a" },
    "GOOGLE_CLIENT_SECRET: is needed beside GOOGLE in AUTH_SERVICES_ENABLED",
  ],
  [
    { AUTH_SERVICES_ENABLED: "APPLE", APPLE_CLIENT_ID: "a" },
    "APPLE_TEAM_ID: is needed beside APPLE in AUTH_SERVICES_ENABLED",
  ],
  [{ AUTH_SERVICES_ENABLED: "APPLE", APPLE_CLIENT_ID: "a", APPLE_CLIENT_SECRET: "s" }, ["apple"]],
  [
    { AUTH_SERVICES_ENABLED: "LOCAL,MYSPACE" },
    "AUTH_SERVICES_ENABLED.1: must list some of LOCAL, GOOGLE, FACEBOOK, APPLE, GITHUB",
  ],
  [{ OIDC_PROVIDERS: "[{]" }, "OIDC_PROVIDERS: must be a JSON list of providers"],
  [
    { OIDC_PROVIDERS: '[{"name": "google", "issuer": "https://id.example", "clientId": "a"}]' },
    "OIDC_PROVIDERS[0].name: is the name of something else here",
  ],
  [
    { OIDC_PROVIDERS: '[{"name": "service", "issuer": "https://id.example", "clientId": "a"}]' },
    "OIDC_PROVIDERS[0].name: is the name of something else here",
  ],
  [
    { OIDC_X_ISSUER: "https://id.example" },
    "OIDC_X_CLIENT_ID: Invalid input: expected string, received undefined",
  ],
  [
    { OIDC_X_ISSUER: "https://id.example?a=1", OIDC_X_CLIENT_ID: "a" },
    "OIDC_X_ISSUER: must be the issuer's address, without a query",
  ],
  [
    { OIDC_X_ISSUER: "https://id.example", OIDC_X_CLIENT_ID: "a", OIDC_X_SCOPES: "email" },
    "OIDC_X_SCOPES: must hold openid",
  ],
  [
    {
      OIDC_PROVIDERS: '[{"name": "x", "issuer": "https://id.example", "clientId": "a"}]',
      OIDC_X_ISSUER: "https://id.example",
      OIDC_X_CLIENT_ID: "a",
    },
    "OIDC_X_ISSUER: there is another provider of that name",
  ],
  [
    { NODE_ENV: "production", OIDC_X_ISSUER: "https://id.example", OIDC_X_CLIENT_ID: "a" },
    "BASE_URL: is needed to sign in with providers",
  ],
  [
    {
      NODE_ENV: "production",
      BASE_URL: "https://api.example",
      OIDC_X_ISSUER: "http://id.example",
      OIDC_X_CLIENT_ID: "a",
    },
    "OIDC_PROVIDERS: the issuer of x must be https in production",
  ],
])("settings %j: %j", (env, result) => {
  const read = () => [...providersOf(readConfig(env)).keys()];
  if (typeof result === "string") expect(read).toThrow(result);
  else expect(read()).toEqual([...result]);
});
