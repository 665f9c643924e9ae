/** A fresh proof of who one is, with what an account has: a password, its mail, a provider, or a second factor. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { NewMfaFactor } from "@baasix/types";
import { Secret, TOTP } from "otpauth";
import type { Answer, TestApp } from "../../testing/app";
import { openOAuthScene, type OAuthScene } from "../../testing/oauth";

setDefaultTimeout(30_000);

const password = "a good password";
const minute = 60_000;
const mails: { readonly to: string; readonly type: string; readonly text: string }[] = [];
let time = Date.now();
let people = 0;
let scene: OAuthScene;
let app: TestApp;

beforeAll(async () => {
  scene = await openOAuthScene({
    now: () => time,
    sendMail: ({ to, type, text }) => Promise.resolve(void mails.push({ to: to.address, type, text })),
  });
  app = scene.app;
});
afterAll(() => scene.close());
beforeEach(() => {
  // The clock of the provider is the real one: the present comes once the proof of the session is too old.
  time = Date.now() - 16 * minute;
  mails.length = 0;
});

type Session = {
  readonly token: string;
  readonly refreshToken: string;
  readonly user: { id: string; email: string };
};
type Person = Session & { readonly sub: string };

const post = (path: string, body: unknown, token?: string) =>
  app.call("POST", path, { body, ...(token !== undefined && { token }) });
const told = ({ status, body }: Answer) => [status, (body as { message?: string } | null)?.message];
const codeOf = ({ status, body }: Answer) => [
  status,
  (body as { error?: { code: string } } | null)?.error?.code,
];
const idToken = (sub: string, more: object = {}) =>
  scene.oidc.sign({
    iss: scene.oidc.issuer,
    aud: "baasix",
    iat: Math.floor(time / 1000),
    exp: Math.floor(time / 1000) + 300,
    jti: crypto.randomUUID(),
    sub,
    ...more,
  });
const withProvider = async (sub: string, more: object = {}) =>
  (
    await post("/auth/social/signin", {
      provider: "acme",
      idToken: { token: await idToken(sub, more) },
    })
  ).body as Session;
/** Somebody without a password, in a session whose proof is too old. */
const newPerson = async (): Promise<Person> => {
  const [sub, email] = [crypto.randomUUID(), `person${++people}@example.com`];
  return { ...(await renewed(await withProvider(sub, { email, email_verified: true }))), sub };
};
/** The same session after a while. */
async function renewed(session: Session): Promise<Session> {
  time += 16 * minute;
  const answer = await post("/auth/refresh", { refreshToken: session.refreshToken });
  return { ...session, ...(answer.body as { token: string; refreshToken: string }) };
}
/** Something that asks for a fresh proof. */
const guarded = (token: string) => post("/auth/mfa/factors", { friendlyName: "phone" }, token);
const mailedCode = async (to: string) => {
  await app.mail.run();
  const mail = mails.findLast((each) => each.to === to && each.type === "confirmCode");
  return /^\s*(\d{6})\s*$/m.exec(mail?.text ?? "")?.[1] ?? "";
};
const byMail = async ({ token, user }: Session) => {
  expect(told(await post("/auth/reauthenticate/code", {}, token))).toEqual([
    200,
    "Instruction sent to your email",
  ]);
  return post("/auth/reauthenticate", { code: await mailedCode(user.email) }, token);
};
const provenIs = (answer: Answer) =>
  expect([answer.status, answer.body]).toEqual([
    200,
    { message: "Authentication confirmed", authenticatedAt: new Date(time).toISOString() },
  ] as never);

const ways: readonly (readonly [string, (by: Person) => Promise<Answer>])[] = [
  ["a code that is mailed", byMail],
  [
    "the provider's ID token",
    async ({ token, sub }) =>
      post(
        "/auth/social/reauthenticate",
        { provider: "acme", idToken: { token: await idToken(sub) } },
        token,
      ),
  ],
  [
    "what a browser brings back from the provider",
    async ({ token, sub }) => {
      scene.oidc.people.set(sub, { email: `${sub}@example.com`, email_verified: true });
      const back = await scene.signIn(sub);
      return post("/auth/social/reauthenticate", { token: back.url.searchParams.get("token") }, token);
    },
  ],
];
test.each(ways)("an account without a password proves itself with %s", async (_, prove) => {
  const person = await newPerson();
  expect(codeOf(await guarded(person.token))).toEqual([403, "REAUTHENTICATION_REQUIRED"]);
  expect(codeOf(await post("/auth/reauthenticate", { password }, person.token))).toEqual([
    400,
    "INVALID_CREDENTIALS",
  ]);
  provenIs(await prove(person));
  expect((await guarded(person.token)).status).toBe(201);
  // For this session and for a quarter of an hour.
  const other = await renewed(await withProvider(person.sub));
  expect((await guarded(other.token)).status).toBe(403);
});

test("a second factor that is proven again opens a fresh session", async () => {
  const person = await newPerson();
  await byMail(person);
  const { id, secret } = ((await guarded(person.token)).body as { data: NewMfaFactor }).data;
  const totp = () => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: time });
  const verify = (token: string) => post(`/auth/mfa/factors/${id}/verify`, { code: totp() }, token);
  const first = await renewed({ ...person, ...((await verify(person.token)).body as Session) });
  expect(codeOf(await guarded(first.token))).toEqual([403, "REAUTHENTICATION_REQUIRED"]);
  const again = (await verify(first.token)).body as Session;
  expect((await guarded(again.token)).status).toBe(201);
});

const refused: readonly (readonly [string, (by: Person, other: Person) => Promise<Answer>])[] = [
  ["a wrong code", ({ token }) => post("/auth/reauthenticate", { code: "000000" }, token)],
  [
    "a code of another account",
    async ({ token }, other) => {
      await post("/auth/reauthenticate/code", {}, other.token);
      return post("/auth/reauthenticate", { code: await mailedCode(other.user.email) }, token);
    },
  ],
  [
    "a code that another session of the account asked for",
    async ({ token, sub, user }) => {
      const second = await withProvider(sub);
      await post("/auth/reauthenticate/code", {}, second.token);
      return post("/auth/reauthenticate", { code: await mailedCode(user.email) }, token);
    },
  ],
  [
    "a code that is used twice",
    async (person) => {
      await byMail(person);
      return post("/auth/reauthenticate", { code: await mailedCode(person.user.email) }, person.token);
    },
  ],
  [
    "a code of six minutes ago",
    async ({ token, user }) => {
      await post("/auth/reauthenticate/code", {}, token);
      const code = await mailedCode(user.email);
      time += 6 * minute;
      return post("/auth/reauthenticate", { code }, token);
    },
  ],
  [
    "a code that was mailed to an address which is another one now",
    async ({ token, user }) => {
      await post("/auth/reauthenticate/code", {}, token);
      const code = await mailedCode(user.email);
      await app.data.update({ kind: "system", reason: "a test" }, "baasix_User", [
        { id: user.id, data: { email: `moved${++people}@example.com` } },
      ]);
      return post("/auth/reauthenticate", { code }, token);
    },
  ],
  [
    "a code to sign in with",
    async ({ token, user }) => {
      await post("/auth/otp", { email: user.email });
      await app.errands.idle();
      await app.mail.run();
      const code = /^\s*(\d{6})\s*$/m.exec(mails.at(-1)?.text ?? "")?.[1];
      return post("/auth/reauthenticate", { code }, token);
    },
  ],
  [
    "somebody else's provider",
    async ({ token }, { sub }) =>
      post(
        "/auth/social/reauthenticate",
        { provider: "acme", idToken: { token: await idToken(sub) } },
        token,
      ),
  ],
  [
    "a provider that is linked to nobody",
    async ({ token }) => {
      const unknown = { token: await idToken(crypto.randomUUID()) };
      return post("/auth/social/reauthenticate", { provider: "acme", idToken: unknown }, token);
    },
  ],
  [
    "a token that nobody gave",
    ({ token }) => post("/auth/social/reauthenticate", { token: "x".repeat(64) }, token),
  ],
];
test.each(refused)("%s proves nothing", async (_, prove) => {
  const person = await newPerson();
  const [sub, email] = [crypto.randomUUID(), `person${++people}@example.com`];
  const other = { ...(await withProvider(sub, { email, email_verified: true })), sub };
  expect(codeOf(await prove(person, other))).toEqual([400, "INVALID_CREDENTIALS"]);
});

test("five tries, one mail a minute, and one of fifty uses at once", async () => {
  const person = await newPerson();
  const ask = () => post("/auth/reauthenticate/code", {}, person.token);
  const use = (code: string) => post("/auth/reauthenticate", { code }, person.token);
  await ask();
  expect(codeOf(await ask())).toEqual([429, "RATE_LIMITED"]);
  const first = await mailedCode(person.user.email);
  for (let i = 0; i < 5; i++) expect((await use(first === "000000" ? "111111" : "000000")).status).toBe(400);
  expect((await use(first)).status).toBe(400);
  time += minute;
  await ask();
  const second = await mailedCode(person.user.email);
  const answers = await Promise.all(Array.from({ length: 50 }, () => use(second)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

test("it is for sessions: neither for nobody nor for a program", async () => {
  for (const path of ["/auth/reauthenticate", "/auth/reauthenticate/code", "/auth/social/reauthenticate"]) {
    expect((await post(path, { password, code: "000000", token: "x" })).status).toBe(401);
  }
  const person = await newPerson();
  expect(told(await post("/auth/reauthenticate", {}, person.token))).toEqual([400, "Password is required"]);
  expect((await post("/auth/reauthenticate", { password, code: "000000" }, person.token)).status).toBe(400);
});

test("an account without a password chooses its first one with a fresh proof, and no second one so", async () => {
  const person = await newPerson();
  const choose = (newPassword: string) => post("/auth/password/change", { newPassword }, person.token);
  expect(codeOf(await choose(password))).toEqual([403, "REAUTHENTICATION_REQUIRED"]);
  const other = await withProvider(person.sub);
  provenIs(await byMail(person));
  expect(told(await choose("short"))).toEqual([400, "Password must be at least 8 characters"]);
  const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => choose(`${password} ${i}`)));
  expect(answers.map(told).toSorted()).toEqual([
    [200, "Password changed successfully"],
    ...Array.from({ length: 4 }, () => [400, "Current and new password are required"]),
  ] as never);
  const chosen = `${password} ${answers.findIndex(({ status }) => status === 200)}`;
  expect((await post("/auth/login", { email: person.user.email, password: chosen })).status).toBe(200);
  expect((await app.call("GET", "/auth/me", { token: person.token })).status).toBe(200);
  expect((await app.call("GET", "/auth/me", { token: other.token })).status).toBe(401);
  expect(told(await choose("another password"))).toEqual([400, "Current and new password are required"]);
});
