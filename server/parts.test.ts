/** What the command line does with accounts, beside a server that runs on the same database. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Parts, partsOn } from "./parts";
import { type TestApp, testApp } from "./testing/app";

setDefaultTimeout(30_000);

const link = "https://app.example.com";
const password = "a good password";
let app: TestApp;
let parts: Parts;
let people = 0;

beforeAll(async () => {
  app = await testApp({ env: { AUTH_APP_URL: link, MULTI_TENANT: "true" } });
  for (const name of ["auditor", "member"]) {
    const body = { name, isTenantSpecific: name === "member" };
    await app.call("POST", "/items/baasix_Role", { token: app.admin, body });
  }
  await app.call("POST", "/items/baasix_Tenant", { token: app.admin, body: { name: "Home Ltd" } });
  parts = await partsOn(app.address, app.config, async () => {});
});
afterAll(async () => {
  await parts.close();
  await app.close();
});

const post = (path: string, body: object) => app.call("POST", path, { body });
const login = (email: string, given = password) => post("/auth/login", { email, password: given });
const me = (token: string) => app.call("GET", "/auth/me", { token });
const person = async () => {
  const email = `person${++people}@example.com`;
  const body = { email, password, firstName: "Ada", tenant: { name: `Tenant ${people}` } };
  const { token, user } = (await post("/auth/register", body)).body as {
    token: string;
    user: { id: string };
  };
  return { email, token, id: user.id };
};
/** The server hears of what another process did by the log of the database, a moment later. */
const untilRefused = async (token: string): Promise<void> => {
  for (const end = Date.now() + 5_000; Date.now() < end;) {
    // oxlint-disable-next-line no-await-in-loop
    if ((await me(token)).status === 401) return;
  }
  throw new Error("the session still stands");
};

test("accounts are listed with their roles, and by their state", async () => {
  const ann = await person();
  const all = [];
  for await (const batch of parts.users.list()) all.push(...batch);
  expect(all.map(({ email }) => email).slice(0, 1)).toEqual(["admin@example.com"]);
  expect(all.find(({ id }) => id === ann.id)).toMatchObject({
    email: ann.email,
    status: "active",
    roles: [{ name: "user", tenant: `Tenant ${people}` }],
  });
  await parts.users.suspend(ann.email);
  const suspended = [];
  for await (const batch of parts.users.list("suspended")) suspended.push(...batch);
  expect(suspended.map(({ id }) => id)).toEqual([ann.id]);
});

test("who is suspended is out, also in sessions that were open, and may come in again", async () => {
  const ann = await person();
  expect(await parts.users.suspend(` ${ann.email.toUpperCase()}`)).toBe(ann.id);
  await untilRefused(ann.token);
  expect((await login(ann.email)).status).toBe(403);
  await parts.users.activate(ann.email);
  expect((await me(ann.token)).status).toBe(401);
  expect((await login(ann.email)).status).toBe(200);
});

test("another password ends the sessions", async () => {
  const ann = await person();
  await parts.users.setPassword(ann.email, "another password");
  await untilRefused(ann.token);
  expect([(await login(ann.email)).status, (await login(ann.email, "another password")).status]).toEqual([
    400, 200,
  ]);
  await expect(parts.users.setPassword(ann.email, "short")).rejects.toThrow("at least 8 characters");
});

test("an address is confirmed, and an account removed", async () => {
  const ann = await person();
  await parts.users.confirm(ann.email);
  const user = await app.call("GET", `/items/baasix_User/${ann.id}`, { token: app.admin });
  expect(user.body).toMatchObject({ data: { emailVerified: true } });
  await parts.users.remove(ann.email);
  await untilRefused(ann.token);
  expect((await app.call("GET", `/items/baasix_User/${ann.id}`, { token: app.admin })).status).toBe(404);
});

describe("a link", () => {
  test("signs in", async () => {
    const ann = await person();
    const made = await parts.users.link({ type: "magic-link", email: ann.email });
    expect(made.url).toBe(`${link}/auth/magiclink/${made.token}`);
    expect((await post("/auth/magiclink/verify", { token: made.token })).status).toBe(200);
  });

  test.each([
    ["member", "Home Ltd", { name: "Home Ltd" }],
    ["auditor", undefined, null],
    ["administrator", undefined, null],
  ])("invites as %s", async (role, tenant, expected) => {
    const email = `invited${++people}@example.com`;
    const { token, url } = await parts.users.link({ type: "invite", email, role, tenant });
    expect(url).toBe(`${link}/accept-invite?token=${token}`);
    const made = await post("/auth/register", { email, password, firstName: "New", inviteToken: token });
    expect(made.body).toMatchObject({ role: { name: role }, tenant: expected });
  });

  test.each([
    [{ type: "invite", email: "a@example.com" }, "role_Id: an invitation gives a role"],
    [{ type: "invite", email: "a@example.com", role: "nobody" }, "There is no role 'nobody'"],
    [{ type: "invite", email: "a@example.com", role: "member", tenant: "None" }, "There is no tenant 'None'"],
    [{ type: "invite", email: "a@example.com", role: "member" }, "tenant_Id: Tenant ID is required"],
    [{ type: "magic-link", email: "nobody@example.com" }, "User not found"],
    [{ type: "magic-link", email: "nobody@example.com", link: "https://evil.example.com" }, "Invalid link"],
  ] as const)("is refused: %p", async (input, message) => {
    await expect(parts.users.link(input)).rejects.toThrow(message);
  });
});

test("what is no account's address is told so", async () => {
  for (const work of [parts.users.suspend, parts.users.activate, parts.users.confirm, parts.users.remove]) {
    // oxlint-disable-next-line no-await-in-loop
    await expect(work("nobody@example.com")).rejects.toThrow("There is no account 'nobody@example.com'");
  }
});
