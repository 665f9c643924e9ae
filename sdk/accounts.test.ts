/** Users and roles through the client, against a real server: the calls of an administration page. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import type { Baasix } from ".";
import { failure, openClients } from "./testing/clients";

const password = "password123";
const clients = openClients();
const mails: string[] = [];
let time = Date.now();
let app: TestApp;
let boss: Baasix;

beforeAll(async () => {
  app = await testApp({
    now: () => time,
    env: { AUTH_APP_URL: "https://myapp.com,https://other.com", PUBLIC_REGISTRATION: "false" },
    sendMail: async ({ text }) => void mails.push(text),
  });
  boss = client();
  await boss.auth.login(testAdmin);
});
afterAll(() => app.close());

const client = (): Baasix => clients.open({ url: app.listen() });
const mailed = async () => {
  await app.mail.run();
  return /token=([0-9a-f]{64})/.exec(mails.at(-1) ?? "")?.[1] ?? "";
};

test("a user is made, found, changed, suspended, activated, confirmed and deleted", async () => {
  const role_Id = (await boss.roles.findByName("user"))?.id ?? "";
  const email = "john@example.com";
  const appMetadata = { plan: "gold" };
  const id = String(await boss.users.create({ email, password, firstName: "John", role_Id, appMetadata }));
  const { data: active } = await boss.users.find({ filter: { status: { eq: "active" } }, limit: 10 });
  expect(active.map((user) => user.email).toSorted()).toEqual(["admin@example.com", email]);
  expect(await boss.users.findByEmail(email)).toMatchObject({ id, appMetadata, userMetadata: null });

  const john = client();
  await john.auth.login({ email, password });
  expect(await failure(john.users.find())).toBe("FORBIDDEN");
  await john.auth.updateProfile({ lastName: "Doe", userMetadata: { theme: "dark" } });
  expect(await failure(john.users.update(id, { appMetadata: { plan: "platinum" } }))).toBe("FORBIDDEN");
  expect(await boss.users.findOne(id)).toMatchObject({
    lastName: "Doe",
    userMetadata: { theme: "dark" },
    appMetadata,
  });

  await boss.users.update(id, { appMetadata: { plan: "silver" } });
  await boss.users.confirmEmail(id);
  expect(await boss.users.findOne(id)).toMatchObject({
    emailVerified: true,
    appMetadata: { plan: "silver" },
  });
  await boss.users.suspend(id);
  expect(await john.auth.checkSession()).toBe(false);
  expect(await failure(client().auth.login({ email, password }))).toBe("FORBIDDEN");
  await boss.users.activate(id);
  await boss.users.changePassword(id, "newPassword");
  await client().auth.login({ email, password: "newPassword" });
  await boss.users.delete(id);
  expect(await failure(boss.users.findOne(id))).toBe("NOT_FOUND");
});

test("roles say who may invite whom; users are invited by mail, again, and not at all", async () => {
  const member = String(await boss.roles.create({ name: "member", isTenantSpecific: true }));
  const manager = String(
    await boss.roles.create({ name: "manager", isTenantSpecific: true, canInviteRoleIds: [member] }),
  );
  expect(await boss.roles.findOne(manager)).toMatchObject({
    isTenantSpecific: true,
    canInviteRoleIds: [member],
  });
  const eve = { email: "eve@example.com", password };
  await boss.users.create({ ...eve, firstName: "Eve", role_Id: manager });
  const boss2 = client();
  await boss2.auth.login(eve);
  const invite = await boss2.users.invite({
    email: "new@example.com",
    roleId: member,
    redirectUrl: "https://other.com",
  });
  expect(invite).toMatchObject({ email: "new@example.com", status: "pending" });
  expect(await failure(boss2.users.invite({ email: "x@example.com", roleId: manager }))).toBe("FORBIDDEN");
  const first = await mailed();
  time += 60_000;
  expect(await boss2.users.invites.resend(invite.id)).toMatchObject({ id: invite.id, status: "pending" });
  const second = await mailed();
  expect(mails.at(-1)).toContain("https://other.com/accept-invite");
  const anybody = client();
  expect(await anybody.auth.verifyInvite(first)).toMatchObject({ valid: false });
  expect(await anybody.auth.verifyInvite(second)).toMatchObject({ valid: true, role: { name: "member" } });
  expect(await boss2.users.invites.find("pending")).toMatchObject([
    { id: invite.id, role: { name: "member" } },
  ]);
  await boss2.users.invites.revoke(invite.id);
  expect(await boss2.users.invites.find("pending")).toEqual([]);
  expect(await failure(boss2.users.invites.resend(invite.id))).toBe("CONFLICT");
  expect(await anybody.auth.verifyInvite(second)).toMatchObject({ valid: false });

  await boss.roles.update(manager, { canInviteRoleIds: [] });
  expect(await failure(boss2.users.invite({ email: "y@example.com", roleId: member }))).toBe("FORBIDDEN");
  expect(await failure(boss.roles.delete(manager))).toBe("FOREIGN_KEY_VIOLATION");
  await boss.roles.delete(member);
  expect(await boss.roles.findByName("member")).toBeNull();
});

test("links are handed over", async () => {
  const role_Id = (await boss.roles.findByName("user"))?.id ?? "";
  const email = "link@example.com";
  await boss.users.create({ email, firstName: "Link", role_Id });
  const { url, token } = await boss.users.generateLink({ type: "password-reset", email });
  expect(url).toBe(`https://myapp.com/auth/reset-password/${token}`);
  await client().auth.resetPassword(token, password);
  await client().auth.login({ email, password });
  const invited = await boss.users.generateLink({ type: "invite", email: "guest@example.com", role_Id });
  const guest = client();
  await guest.auth.registerWithInvite({
    email: "guest@example.com",
    password,
    firstName: "Guest",
    inviteToken: invited.token,
  });
  expect((await guest.auth.getUser())?.email).toBe("guest@example.com");
  expect(await failure(guest.users.generateLink({ type: "magic-link", email }))).toBe("FORBIDDEN");
});
