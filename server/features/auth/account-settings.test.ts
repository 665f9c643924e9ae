/** What is kept of accounts, and that who may not come in has no session left: at every door that writes accounts. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type TestApp, testApp } from "../../testing/app";
import { mostMetadata } from "./metadata";

setDefaultTimeout(30_000);

let app: TestApp;
let people = 0;
let adminId = "";
let userRole = "";

beforeAll(async () => {
  app = await testApp();
  adminId = ((await get("/auth/me")).body as { user: { id: string } }).user.id;
  const roles = (await get("/items/baasix_Role?filter[name]=user")).body as { data: { id: string }[] };
  userRole = roles.data[0]?.id ?? "";
  for (const action of ["create", "read", "update"]) {
    for (const collection of ["baasix_User", "baasix_UserRole"]) {
      const body = { role_Id: userRole, collection, action, fields: ["*"] };
      expect((await send("POST", "/permissions", body)).status).toBe(201);
    }
  }
});
afterAll(() => app.close());

const get = (path: string, token = app.admin) => app.call("GET", path, { token });
const send = (method: string, path: string, body: unknown, token = app.admin) =>
  app.call(method, path, { body, ...(token !== "" && { token }) });
const newMail = () => `person${++people}@example.com`;
const signUp = () => app.signUp(newMail());
const userOf = async (id: string) =>
  ((await get(`/items/baasix_User/${id}`)).body as { data: Record<string, unknown> }).data;

type Door = (id: string, data: object, token?: string) => ReturnType<typeof send>;

/** Every door that changes an item. */
const doors: readonly (readonly [string, Door])[] = [
  ["one item", (id, data, token) => send("PATCH", `/items/baasix_User/${id}`, data, token)],
  ["a bulk", (id, data, token) => send("PATCH", "/items/baasix_User/bulk", [{ id, data }], token)],
  [
    "a filter",
    (id, data, token) => send("PATCH", "/items/baasix_User", { filter: { id: { eq: id } }, data }, token),
  ],
  [
    "an upsert",
    async (id, data, token) => {
      const { email } = await userOf(id);
      return send("PUT", "/items/baasix_User", { on: "email", data: { email, ...data } }, token);
    },
  ],
  [
    "its membership",
    async (id, data, token) => {
      const found = await get(`/items/baasix_UserRole?filter[user_Id]=${id}`);
      const [row] = (found.body as { data: { id: string }[] }).data;
      return send("PATCH", `/items/baasix_UserRole/${row?.id}`, { user: { id, ...data } }, token);
    },
  ],
  [
    "a transaction",
    (id, data, token) =>
      send(
        "POST",
        "/transaction",
        { operations: [{ action: "update", collection: "baasix_User", id, data }] },
        token,
      ),
  ],
];

describe.each(doors)("through %s", (_, write) => {
  test.each(["suspended", "inactive", "deleted", "pending"])(
    "an account that becomes %s has no session left, also when it is active again",
    async (status) => {
      const { id, token } = await signUp();
      expect((await write(id, { status })).status).toBeLessThan(300);
      expect((await get("/auth/me", token)).status).toBe(401);
      expect((await write(id, { status: "active" })).status).toBeLessThan(300);
      expect((await get("/auth/me", token)).status).toBe(401);
      expect((await get(`/auth/admin/users/${id}/sessions`)).body).toEqual({ data: [] });
    },
  );

  test("an administrator cannot suspend the own account", async () => {
    const answer = await write(adminId, { status: "suspended" });
    expect([answer.status, answer.text.includes("own account")]).toEqual([403, true]);
    expect((await get("/auth/me")).status).toBe(200);
  });

  test.each<readonly [who: string, data: object, status: number, admin: boolean]>([
    ["userMetadata of a user", { userMetadata: { theme: "dark", __proto__: null } }, 200, false],
    ["appMetadata of an administrator", { appMetadata: { plan: "gold", seats: [1, 2] } }, 200, true],
    ["appMetadata of a user", { appMetadata: { plan: "gold" } }, 403, false],
    ["appMetadata taken away by a user", { appMetadata: null }, 403, false],
    ["a list", { userMetadata: [] }, 400, true],
    ["a text", { appMetadata: "gold" }, 400, true],
    ["too much", { userMetadata: { text: "x".repeat(mostMetadata) } }, 400, false],
  ])("%s", async (_name, data, status, asAdmin) => {
    const { id, token } = await signUp();
    const before = await userOf(id);
    const answer = await write(id, data, asAdmin ? app.admin : token);
    expect([answer.status < 300 ? 200 : answer.status, answer.text]).toEqual([status, expect.any(String)]);
    const after = await userOf(id);
    if (status === 200) expect(after).toMatchObject(data);
    else expect([after.userMetadata, after.appMetadata]).toEqual([before.userMetadata, before.appMetadata]);
  });
});

test("a new account may have userMetadata from everyone, appMetadata from administrators", async () => {
  const { token } = await signUp();
  const make = (more: object, as?: string) =>
    send("POST", "/items/baasix_User", { email: newMail(), firstName: "New", ...more }, as);
  expect((await make({ userMetadata: { a: 1 } }, token)).status).toBe(201);
  expect((await make({ appMetadata: { a: 1 } }, token)).status).toBe(403);
  expect((await make({ appMetadata: { a: 1 } })).status).toBe(201);
});

test("neither register nor a profile takes appMetadata, a status or a role", async () => {
  const { token } = await signUp();
  for (const extra of ["appMetadata", "status", "role", "roleName", "role_Id", "emailVerified"]) {
    const body = { firstName: "A", [extra]: extra === "appMetadata" ? {} : "administrator" };
    const registered = await send(
      "POST",
      "/auth/register",
      { ...body, email: newMail(), password: "a good password" },
      "",
    );
    expect([extra, registered.status]).toEqual([extra, 400]);
    const changed = await send("PATCH", "/auth/me", body, token);
    expect([extra, changed.status]).toEqual([extra, 400]);
  }
});

test("an administrator cannot delete the own account, by id, bulk or filter; others are deleted with all they had", async () => {
  const other = await signUp();
  for (const answer of [
    await app.call("DELETE", `/items/baasix_User/${adminId}`, { token: app.admin }),
    await send("DELETE", "/items/baasix_User/bulk", [other.id, adminId]),
    await send("DELETE", "/items/baasix_User", { filter: { id: { in: [other.id, adminId] } } }),
  ]) {
    expect([answer.status, answer.text.includes("own account")]).toEqual([403, true]);
  }
  expect((await get("/auth/me", other.token)).status).toBe(200);
  expect((await app.call("DELETE", `/items/baasix_User/${other.id}`, { token: app.admin })).status).toBe(200);
  expect((await get("/auth/me", other.token)).status).toBe(401);
});

test("everyone changes the own names and userMetadata, whatever the role may write", async () => {
  const { id, token } = await signUp();
  const change = { firstName: " Ann ", lastName: "Lee", phone: "123", userMetadata: { theme: "dark" } };
  const answer = await send("PATCH", "/auth/me", change, token);
  expect(answer.body).toMatchObject({ user: { id, ...change, firstName: "Ann" }, role: { name: "user" } });
  expect((await send("PATCH", "/auth/me", { lastName: null, userMetadata: null }, token)).body).toMatchObject(
    {
      user: { id, firstName: "Ann", lastName: null, phone: "123", userMetadata: null },
    },
  );
  expect((await send("PATCH", "/auth/me", {}, token)).status).toBe(200);
  const entries = await get(`/items/baasix_AuditLog?filter[entityId]=${id}&filter[type]=auth&sort=id`);
  expect((entries.body as { data: object[] }).data).toMatchObject([
    { entity: "baasix_User", action: "update", userId: id, changes: { after: { lastName: "Lee" } } },
    { entity: "baasix_User", action: "update", userId: id, changes: { after: { lastName: null } } },
  ]);
  for (const [body, as, status] of [
    [{ firstName: "" }, token, 400],
    [{ email: "other@example.com" }, token, 400],
    [{ userMetadata: { text: "x".repeat(mostMetadata) } }, token, 400],
    [{ firstName: "Ann" }, "", 401],
  ] as const) {
    expect((await app.call("PATCH", "/auth/me", { body, ...(as && { token: as }) })).status).toBe(status);
  }
});
