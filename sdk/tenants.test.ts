/** What the SDK document says of organisations and invitations, call by call, against the real server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestApp, testAdmin, testApp } from "../server/testing/app";
import type { Baasix, BaasixOptions } from ".";
import { openClients } from "./testing/clients";

const password = "password123";
let app: TestApp;
let url: string;
let role: string;
const mails: string[] = [];
const clients = openClients();

beforeAll(async () => {
  app = await testApp({
    env: { MULTI_TENANT: "true", AUTH_APP_URL: "https://myapp.com/accept-invite" },
    sendMail: ({ text }) => Promise.resolve(void mails.push(text)),
  });
  url = app.listen();
  const { baasix: admin } = client();
  await admin.auth.login(testAdmin);
  await admin.schemas.create("notes", {
    name: "Note",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      text: { type: "String" },
    },
  });
  role = (await admin.roles.findByName("user"))?.id ?? "";
  await admin.roles.update(role, { canInviteRoleIds: [role] });
  await admin.permissions.createCrudPermissions(role, "notes", { read: {}, create: {} });
});
afterAll(() => app.close());

function client(more: Partial<BaasixOptions> = {}) {
  const events: string[] = [];
  const baasix = clients.open({
    url,
    onAuthStateChange: (event, user) => events.push(`${event} ${user?.firstName ?? "-"}`),
    ...more,
  });
  return { baasix, events };
}

let people = 0;
/** Someone who has founded an organisation, with a note in it. */
async function founder(name: string, more?: Partial<BaasixOptions>) {
  const made = client(more);
  const email = `user${++people}@example.com`;
  const account = { email, password, firstName: name, tenant: { name } };
  const { tenant } = await made.baasix.auth.register(account);
  await made.baasix.items("notes").create({ text: name });
  return { ...made, email, tenant: tenant?.id ?? "" };
}

/** The token of the invitation that was mailed last. */
async function mailedToken(): Promise<string> {
  await app.errands.idle();
  await app.mail.run();
  return /[?&]token=(\w+)/.exec(mails.at(-1) ?? "")?.[1] ?? "";
}

const texts = async (baasix: Baasix) =>
  (await baasix.items<{ text: string }>("notes").find({ sort: "text" })).data.map(({ text }) => text);

test("multi-tenant: sign-in into one, list, found, switch", async () => {
  const { baasix, events, email, tenant } = await founder("Acme");
  expect(baasix.auth.state).toMatchObject({ tenant: { id: tenant, name: "Acme" } });
  const made = await baasix.auth.createTenant({ name: "Second" });
  expect(made).toMatchObject({ name: "Second", role: { name: "user" } });
  const tenants = await baasix.auth.getTenants();
  expect(tenants.map(({ name }) => name)).toEqual(["Acme", "Second"]);

  const before = baasix.auth.state.identity;
  const { user, token } = await baasix.auth.switchTenant(made.id);
  expect([user?.email, await baasix.auth.getToken()]).toEqual([email, token ?? ""]);
  expect(baasix.auth.state.identity).not.toBe(before);
  expect(events.at(-1)).toBe("TENANT_SWITCHED Acme");
  expect((await baasix.auth.getSession())?.tenant).toEqual({ id: made.id, name: "Second" });
  expect(await texts(baasix)).toEqual([]);
  await expect(baasix.auth.switchTenant(crypto.randomUUID())).rejects.toMatchObject({ status: 403 });
  expect(baasix.auth.state.tenant?.id).toBe(made.id);
  await baasix.auth.refreshToken();
  expect((await baasix.auth.getSession())?.tenant?.name).toBe("Second");

  const { baasix: other } = client();
  const result = await other.auth.login({ email, password, tenantId: made.id, authType: "mobile" });
  expect([result.mfaRequired, other.auth.state.tenant?.name]).toEqual([undefined, "Second"]);
  expect((await other.auth.sessions.list()).find(({ current }) => current)).toMatchObject({
    type: "mobile",
    tenant_Id: made.id,
  });
  const foreign = await founder("Foreign");
  const refused = other.auth.login({ email, password, tenantId: foreign.tenant });
  await expect(refused).rejects.toMatchObject({ status: 403 });
});

test("what is asked while the tenant is switched is answered from one of them, or not at all", async () => {
  const { baasix, tenant } = await founder("Busy");
  const { id } = await baasix.auth.createTenant({ name: "Busier" });
  for (const target of [id, tenant, id]) {
    const find = () => texts(baasix).catch((error: { code?: string }) => error.code ?? String(error));
    const asked = [find(), find(), find()];
    const switched = baasix.auth.switchTenant(target);
    asked.push(find(), find());
    // oxlint-disable-next-line no-await-in-loop
    await switched;
    const now = target === id ? [] : ["Busy"];
    const before = target === id ? ["Busy"] : [];
    // oxlint-disable-next-line no-await-in-loop
    for (const answer of await Promise.all(asked)) expect([before, "SESSION_CHANGED"]).toContainEqual(answer);
    // oxlint-disable-next-line no-await-in-loop
    expect(await texts(baasix)).toEqual(now);
  }
  expect(baasix.auth.state.isAuthenticated).toBe(true);
});

test("invitations: sent, looked at, accepted by who has an account, and by who makes one", async () => {
  const { baasix, tenant } = await founder("Inviting");
  const redirectUrl = "https://myapp.com/accept-invite";
  const sent = await baasix.auth.sendInvite({
    email: "newuser@example.com",
    roleId: role,
    tenantId: tenant,
    redirectUrl,
  });
  expect(sent).toMatchObject({ email: "newuser@example.com", status: "pending" });
  const token = await mailedToken();
  const visitor = client();
  const inviteInfo = await visitor.baasix.auth.verifyInvite(token, redirectUrl);
  if (!inviteInfo.valid) throw new Error(inviteInfo.message);
  expect([inviteInfo.tenant?.name, inviteInfo.role.name, inviteInfo.userExists]).toEqual([
    "Inviting",
    "user",
    false,
  ]);
  expect(inviteInfo.acceptUrl).toStartWith(redirectUrl);
  const foreign = visitor.baasix.auth.verifyInvite(token, "https://evil.example");
  await expect(foreign).rejects.toMatchObject({ status: 400 });
  const joined = await visitor.baasix.auth.registerWithInvite({
    email: "newuser@example.com",
    password,
    firstName: "John",
    lastName: "Doe",
    inviteToken: token,
  });
  expect([joined.tenant?.id, visitor.events.at(-1)]).toEqual([tenant, "SIGNED_IN John"]);
  expect(await texts(visitor.baasix)).toEqual(["Inviting"]);
  expect(await visitor.baasix.auth.verifyInvite(token)).toEqual({
    valid: false,
    message: "Invalid or expired invitation",
  });

  const elsewhere = await founder("Elsewhere");
  await baasix.auth.sendInvite({ email: elsewhere.email, roleId: role });
  const next = await mailedToken();
  await expect(visitor.baasix.auth.acceptInvite(next)).rejects.toMatchObject({ status: 403 });
  const { user } = await elsewhere.baasix.auth.acceptInvite(next);
  expect([user?.email, elsewhere.baasix.auth.state.tenant?.id, elsewhere.events.at(-1)]).toEqual([
    elsewhere.email,
    tenant,
    "TENANT_SWITCHED Elsewhere",
  ]);
  expect(await texts(elsewhere.baasix)).toEqual(["Inviting"]);
  expect((await elsewhere.baasix.auth.getTenants()).map(({ name }) => name)).toEqual([
    "Elsewhere",
    "Inviting",
  ]);
});

test("the own account is changed, and the tenant lost with the last membership there", async () => {
  const { baasix, events, tenant } = await founder("Own");
  const user = await baasix.auth.updateProfile({ firstName: "Owen", userMetadata: { theme: "dark" } });
  expect(user).toMatchObject({ firstName: "Owen", userMetadata: { theme: "dark" } });
  expect([baasix.auth.state.user?.firstName, events.at(-1)]).toEqual(["Owen", "USER_UPDATED Owen"]);

  const { baasix: admin } = client();
  await admin.auth.login(testAdmin);
  const memberships = { filter: { user_Id: user.id, tenant_Id: tenant } };
  const [row] = (await admin.items<{ id: string }>("baasix_UserRole").find(memberships)).data;
  await admin.items("baasix_UserRole").delete(row?.id ?? "");
  await expect(texts(baasix)).rejects.toMatchObject({ status: 401 });
  expect([baasix.auth.state.identity, events.at(-1)]).toEqual([null, "SIGNED_OUT -"]);
});

test("an application that names no tenants sees none", async () => {
  const { baasix } = client();
  await baasix.auth.login(testAdmin);
  expect([baasix.auth.state.tenant, baasix.auth.state.identity]).toEqual([
    null,
    baasix.auth.state.user?.id ?? "",
  ]);
  expect(await baasix.auth.getTenants()).toEqual([]);
  expect(await texts(baasix)).toContain("Acme");
});
