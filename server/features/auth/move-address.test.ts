/** An account that goes to another mail address: who is told, and who may take it back. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { NewMfaFactor } from "@baasix/types";
import { Secret, TOTP } from "otpauth";
import { system } from "../../core/access/actor";
import { type Answer, type TestApp, testAdmin, testApp } from "../../testing/app";
import { untilLocked } from "../../testing/locks";

setDefaultTimeout(30_000);

const root = system("the test prepares accounts and looks at them");
const password = "a good password";
const minute = 60_000;
let app: TestApp;
let time = Date.now();
let people = 0;
const mails: { readonly to: string; readonly type: string; readonly text: string }[] = [];

beforeAll(async () => {
  app = await testApp({
    now: () => time,
    env: { AUTH_APP_URL: "https://app.example.com" },
    sendMail: ({ to, type, text }) => Promise.resolve(void mails.push({ to: to.address, type, text })),
  });
  const [role] = await app.data.find<{ id: string }>(root, "baasix_Role", {
    filter: { name: { eq: "user" } },
    fields: ["id"],
  });
  const own = { action: "update", fields: ["email"], conditions: { id: { eq: "$CURRENT_USER" } } };
  await app.data.create(root, "baasix_Permission", [
    { role_Id: role?.id, collection: "baasix_User", ...own },
  ]);
});
afterAll(() => app.close());
beforeEach(() => {
  time += 24 * 60 * minute;
  mails.length = 0;
});

const newMail = () => `mover${++people}@example.com`;
const post = (path: string, body: unknown, token?: string) =>
  app.call("POST", path, { body, ...(token !== undefined && { token }) });
const told = ({ status, body }: Answer) => [status, (body as { message?: string } | null)?.message];
const login = (email: string, given = password) => post("/auth/login", { email, password: given });
const admin = () => app.login(testAdmin.email, testAdmin.password);
/** Somebody who has confirmed the address and signed in a moment ago. */
const newPerson = async (isVerified = true) => {
  const email = newMail();
  const { id } = await app.signUp(email, password);
  await app.data.update(root, "baasix_User", [{ id, data: { emailVerified: isVerified } }]);
  return { email, id, token: await app.login(email, password) };
};
const move = (id: string, email: string, token: string) =>
  app.call("PATCH", `/items/baasix_User/${id}`, { token, body: { email } });
/** What was mailed about the change: to whom, and the token of the way back. */
const toldOf = async () => {
  await app.errands.idle();
  await app.mail.run();
  return mails
    .filter(({ type }) => type === "emailChanged")
    .map(({ to, text }) => ({ to, token: /\/auth\/undo-email\/([0-9a-f]{64})\b/.exec(text)?.[1] ?? null }));
};
const wayBack = async () => (await toldOf()).at(-1)?.token ?? "";
const undo = (token: string) => post(`/auth/email/undo/${token}`, {});
const accountOf = async (id: string) => {
  const [found] = await app.data.find<{ email: string; emailVerified: boolean }>(root, "baasix_User", {
    filter: { id: { eq: id } },
    fields: ["email", "emailVerified"],
  });
  return [found?.email, found?.emailVerified];
};
const invalid = [400, "Invalid or expired token"];

const changes: readonly (readonly [
  string,
  "way back" | "told" | "nothing",
  (by: { readonly email: string; readonly id: string; readonly token: string }) => Promise<Answer>,
])[] = [
  ["its owner, at the door to items", "way back", ({ id, token }) => move(id, newMail(), token)],
  [
    "its owner, in a transaction",
    "way back",
    ({ id, token }) =>
      post(
        "/transaction",
        { operations: [{ action: "update", collection: "baasix_User", id, data: { email: newMail() } }] },
        token,
      ),
  ],
  ["an administrator", "told", async ({ id }) => move(id, newMail(), await admin())],
  [
    "an administrator, who vouches for the new one",
    "told",
    async ({ id }) =>
      app.call("PATCH", `/items/baasix_User/${id}`, {
        token: await admin(),
        body: { email: newMail(), emailVerified: true },
      }),
  ],
  [
    "nobody: the same one in capitals",
    "nothing",
    ({ id, email, token }) => move(id, email.toUpperCase(), token),
  ],
];
test.each(changes)("an address that is changed by %s: %s", async (_, outcome, change) => {
  const person = await newPerson();
  expect((await change(person)).status).toBe(200);
  const letters = await toldOf();
  expect(letters.map(({ to }) => to)).toEqual(outcome === "nothing" ? [] : [person.email]);
  expect(letters.every(({ token }) => (token !== null) === (outcome === "way back"))).toBe(true);
});

test("an address that nobody had confirmed is told nothing: it may be anybody's", async () => {
  const { id, token } = await newPerson(false);
  expect((await move(id, newMail(), token)).status).toBe(200);
  expect(await toldOf()).toEqual([]);
});

test("a change that is refused tells nobody", async () => {
  const [person, other] = [await newPerson(), await newPerson()];
  expect((await move(person.id, other.email, person.token)).status).toBe(409);
  expect(await toldOf()).toEqual([]);
});

test("the way back gives address and account to the owner, and leaves nothing to who took them", async () => {
  const owner = await newPerson();
  const thief = newMail();
  expect((await move(owner.id, thief, owner.token)).status).toBe(200);
  const token = await wayBack();
  // What a thief does with an account.
  await post("/auth/email/verify", {}, owner.token);
  await app.mail.run();
  const confirm = /\/verify-email\/([0-9a-f]{64})/.exec(mails.at(-1)?.text ?? "")?.[1];
  const confirmed = await app.call("GET", `/auth/email/verify/${confirm}`, { token: owner.token });
  expect(confirmed.status).toBe(200);
  time += minute;
  await post("/auth/otp", { email: thief });
  await app.errands.idle();
  await app.mail.run();
  const code = /^\s*(\d{6})\s*$/m.exec(mails.at(-1)?.text ?? "")?.[1];
  const inside = ((await post("/auth/otp/verify", { email: thief, code })).body as { token: string }).token;
  const begun = await post("/auth/mfa/factors", { friendlyName: "a thief's" }, inside);
  const factor = (begun.body as { data: NewMfaFactor }).data;
  const totp = new TOTP({ secret: Secret.fromBase32(factor.secret) }).generate({ timestamp: time });
  const proven = await post(`/auth/mfa/factors/${factor.id}/verify`, { code: totp }, inside);
  const { token: second } = proven.body as { token: string };
  expect((await app.call("GET", "/auth/me", { token: second })).status).toBe(200);

  const done = await undo(token);
  expect(done.body).toMatchObject({
    message: "Email restored. Choose a new password.",
    user: { id: owner.id, email: owner.email },
  });
  expect(await accountOf(owner.id)).toEqual([owner.email, true]);
  for (const dead of [owner.token, inside, second]) {
    expect((await app.call("GET", "/auth/me", { token: dead })).status).toBe(401);
  }
  for (const email of [thief, owner.email]) {
    expect(told(await login(email))).toEqual([400, "Incorrect password."]);
  }
  expect(told(await undo(token))).toEqual(invalid);
  // And the owner comes in again, asked for no factor of the thief's.
  time += 60 * minute;
  await post("/auth/password/reset", { email: owner.email });
  await app.errands.idle();
  await app.mail.run();
  const reset = /\/reset-password\/([0-9a-f]{64})/.exec(mails.at(-1)?.text ?? "")?.[1];
  expect((await post(`/auth/password/reset/${reset}`, { password: "the owner's own" })).status).toBe(200);
  expect((await login(owner.email, "the owner's own")).body).toMatchObject({
    user: { id: owner.id },
    aal: 1,
  });
});

test("going on to a third address ends no way back", async () => {
  const owner = await newPerson();
  const [second, third] = [newMail(), newMail()];
  await move(owner.id, second, owner.token);
  const token = await wayBack();
  await app.data.update(root, "baasix_User", [{ id: owner.id, data: { emailVerified: true } }]);
  await move(owner.id, third, owner.token);
  expect((await toldOf()).map(({ to }) => to)).toEqual([owner.email, second]);
  expect((await undo(token)).status).toBe(200);
  expect(await accountOf(owner.id)).toEqual([owner.email, true]);
});

test("an account that was put in the way makes room, one whose owner reads the address does not", async () => {
  const owner = await newPerson();
  await move(owner.id, newMail(), owner.token);
  const token = await wayBack();
  const squatter = await app.signUp(owner.email, password);
  expect((await undo(token)).status).toBe(200);
  expect(await accountOf(owner.id)).toEqual([owner.email, true]);
  expect(await accountOf(squatter.id)).toEqual([`${squatter.id}@released.invalid`, false]);
  expect((await app.call("GET", "/auth/me", { token: squatter.token })).status).toBe(401);

  const gone = await newPerson();
  await move(gone.id, newMail(), gone.token);
  const late = await wayBack();
  const { id } = await app.signUp(gone.email, password);
  await app.data.update(root, "baasix_User", [{ id, data: { emailVerified: true } }]);
  expect(told(await undo(late))).toEqual([409, "Another account has this mail address now"]);
  expect(await accountOf(id)).toEqual([gone.email, true]);
});

test("of fifty uses at once one counts, and none after three days", async () => {
  const owner = await newPerson();
  await move(owner.id, newMail(), owner.token);
  const token = await wayBack();
  const answers = await Promise.all(Array.from({ length: 50 }, () => undo(token)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([
    200,
    ...Array.from({ length: 49 }, () => 400),
  ]);
  const late = await newPerson();
  await move(late.id, newMail(), late.token);
  const old = await wayBack();
  time += 72 * 60 * minute + 1000;
  expect(told(await undo(old))).toEqual(invalid);
  expect(told(await undo("x".repeat(64)))).toEqual(invalid);
});

test("an address takes a fresh proof, and a session that is still open when it changes", async () => {
  const { id, email, token } = await newPerson();
  const { refreshToken } = (await login(email)).body as { refreshToken: string };
  time += 15 * minute;
  const { token: renewed } = (await post("/auth/refresh", { refreshToken })).body as { token: string };
  const { email: taken } = await newPerson();
  for (const wanted of [newMail(), taken]) {
    // Before anything is written, and so whether somebody has the address or not.
    const stale = await move(id, wanted, renewed);
    expect([stale.status, stale.body]).toMatchObject([403, { error: { code: "REAUTHENTICATION_REQUIRED" } }]);
  }
  expect((await login(testAdmin.email, testAdmin.password)).status).toBe(200);
  const open = await app.login(email, password);
  let answer: Promise<Answer> | null = null;
  await app.data.transaction(async (rows) => {
    await rows.update(root, "baasix_User", [{ id, data: { lastName: "L" } }]);
    answer = move(id, newMail(), open);
    await untilLocked(app.database);
    await rows.removeWhere(root, "baasix_Sessions", { user_Id: { eq: id } });
  });
  expect(((await answer) as unknown as Answer).status).toBe(401);
  expect(await accountOf(id)).toEqual([email, true]);
  expect(token).not.toBe("");
});
