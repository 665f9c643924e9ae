import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../../testing/app";
import { createAdmin, ensureFirstAdmin, listAdmins, upsertAdmin } from "./admin";
import { createOneTimes } from "./one-time";
import { createPasswordPolicy } from "./password-policy";
import { removeExpiredSessions } from "./sessions";

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: { code?: unknown }) => error.code,
  );

test("makes an administrator who can sign in, once per address", async () => {
  const input = { email: "Second@Example.com", password: "another good one" };
  const { id } = await createAdmin(app.data, input);
  expect(await codeOf(createAdmin(app.data, input))).toBe("CONFLICT");
  const token = await app.login(input.email, input.password);
  expect((await app.call("GET", "/permissions", { token })).status).toBe(200);
  expect(await listAdmins(app.data)).toContainEqual({ id, email: "second@example.com" });
});

test.each([
  [{ email: "nobody", password: "a good password" }],
  [{ email: "a@example.com", password: "short" }],
])("refuses %j", async (input) => {
  expect(await codeOf(createAdmin(app.data, input))).toBe("VALIDATION_ERROR");
  expect(await codeOf(upsertAdmin(app.data, input))).toBe("VALIDATION_ERROR");
  const strict = createPasswordPolicy({ PASSWORD_POLICY: "strict" });
  const common = { email: "common@example.com", password: "password123" };
  expect(await codeOf(createAdmin(app.data, common, strict))).toBe("VALIDATION_ERROR");
  expect(await codeOf(upsertAdmin(app.data, common, strict))).toBe("VALIDATION_ERROR");
});

test("upsert makes one, and then gives it another password and ends its sessions", async () => {
  const email = "third@example.com";
  const first = await upsertAdmin(app.data, { email, password: "the first password" });
  const token = await app.login(email, "the first password");
  const second = await upsertAdmin(app.data, { email, password: "the second password" });
  expect([first.created, second.created, second.id]).toEqual([true, false, first.id]);
  expect((await app.call("GET", "/auth/me", { token })).status).toBe(401);
  expect(
    (await app.call("POST", "/auth/login", { body: { email, password: "the first password" } })).status,
  ).toBe(400);
  await app.login(email, "the second password");
});

test("upsert ends the API tokens of the account", async () => {
  const person = await app.signUp("sixth@example.com");
  const role = await app.roleId("user");
  const body = { name: "left behind", role_Id: role, user_Id: person.id };
  const made = await app.call("POST", "/auth/tokens", { token: app.admin, body });
  const { token } = (made.body as { data: { token: string } }).data;
  expect((await app.call("GET", "/auth/check", { token })).status).toBe(200);
  await upsertAdmin(app.data, { email: "sixth@example.com", password: "a new password" });
  expect((await app.call("GET", "/auth/check", { token })).status).toBe(401);
  const tokens = await app.call("GET", "/auth/tokens", { token: app.admin });
  expect(tokens.body).toEqual({ data: [] });
});

test("upsert ends what was mailed to come in", async () => {
  const email = "seventh@example.com";
  await app.signUp(email);
  const subject = { kind: "password-reset", subject: email } as const;
  const oneTimes = createOneTimes({ codeKey: new Uint8Array(32), clock: Date.now });
  const { text } = await oneTimes.create(app.data, subject);
  expect(await oneTimes.find(app.data, subject.kind, text)).not.toBeNull();
  await upsertAdmin(app.data, { email, password: "a new password" });
  expect(await oneTimes.find(app.data, subject.kind, text)).toBeNull();
});

test("upsert turns a suspended account into an active administrator", async () => {
  const person = await app.signUp("fourth@example.com");
  await app.call("PATCH", `/items/baasix_User/${person.id}`, {
    token: app.admin,
    body: { status: "suspended" },
  });
  expect(await upsertAdmin(app.data, { email: "fourth@example.com", password: "a new password" })).toEqual({
    id: person.id,
    created: false,
  });
  const token = await app.login("fourth@example.com", "a new password");
  expect((await app.call("GET", "/permissions", { token })).status).toBe(200);
});

test("the settings make the first administrator only", async () => {
  const settings = { ADMIN_EMAIL: "settings@example.com", ADMIN_PASSWORD: "from the settings" };
  expect(await ensureFirstAdmin(app.data, settings)).toBe(true);
  const emails = (await listAdmins(app.data)).map(({ email }) => email);
  expect(emails).toContain(testAdmin.email);
  expect(emails).not.toContain(settings.ADMIN_EMAIL);
});

test("sessions that have ended are removed, others stay", async () => {
  const { token } = await app.signUp("fifth@example.com");
  expect(await removeExpiredSessions(app.data, Date.now())).toBe(0);
  expect((await app.call("GET", "/auth/me", { token })).status).toBe(200);
  expect(await removeExpiredSessions(app.data, Date.now() + 2_592_001_000)).toBeGreaterThan(1);
  expect((await app.call("GET", "/auth/me", { token })).status).toBe(401);
});
