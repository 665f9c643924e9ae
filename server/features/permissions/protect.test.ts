/** Rights that no permission can give: tried by a role that may write everything that a permission can open. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";

let app: TestApp;
let ann: { token: string; id: string };
let administrator: string;
let user: string;

beforeAll(async () => {
  app = await testApp();
  ann = await app.signUp("ann@example.com");
  const answer = await app.call("GET", "/items/baasix_Role", { token: app.admin });
  const roles = (answer.body as { data: { id: string; name: string }[] }).data;
  const idOf = (name: string) => String(roles.find((role) => role.name === name)?.id);
  [administrator, user] = [idOf("administrator"), idOf("user")];
  for (const collection of ["baasix_UserRole", "baasix_Role", "baasix_Permission", "baasix_User"]) {
    for (const action of ["create", "read", "update", "delete"]) {
      const body = { role_Id: user, collection, action, fields: ["*"] };
      expect((await app.call("POST", "/permissions", { token: app.admin, body })).status).toBe(201);
    }
  }
});
afterAll(() => app.close());

async function memberships(role: string): Promise<{ id: string; user_Id: string }[]> {
  const answer = await app.call("GET", `/items/baasix_UserRole?filter[role_Id]=${role}`, {
    token: app.admin,
  });
  return (answer.body as { data: { id: string; user_Id: string }[] }).data;
}

test("nobody else makes an administrator, however the role is spelled", async () => {
  for (const role of [
    { role_Id: administrator },
    { role_Id: administrator.toUpperCase() },
    { role: administrator },
    { role_Id: user, role: administrator },
    { role: user, role_Id: administrator },
    { role_Id: null, role: administrator },
  ]) {
    for (const [method, path, body] of [
      ["POST", "", { user_Id: ann.id, ...role }],
      ["POST", "/bulk", [{ user_Id: ann.id, ...role }]],
      ["PATCH", `/${(await memberships(user))[0]?.id}`, role],
    ] as const) {
      const answer = await app.call(method, `/items/baasix_UserRole${path}`, { token: ann.token, body });
      // 400 where the role is missing by its own name.
      expect([400, 403]).toContain(answer.status);
    }
    expect((await memberships(administrator)).map(({ user_Id }) => user_Id)).not.toContain(ann.id);
  }
});

test("nobody else takes or ends the membership of an administrator", async () => {
  const [membership] = await memberships(administrator);
  const path = `/items/baasix_UserRole/${membership?.id}`;
  for (const body of [{ user_Id: ann.id }, { user: ann.id }, { role_Id: user }]) {
    expect((await app.call("PATCH", path, { token: ann.token, body })).status).toBe(404);
  }
  expect((await app.call("DELETE", path, { token: ann.token })).status).toBe(404);
  expect(await memberships(administrator)).toEqual([membership as { id: string; user_Id: string }]);
});

test("other memberships are given as the permission says", async () => {
  const made = await app.call("POST", "/items/baasix_Role", { token: app.admin, body: { name: "editor" } });
  const editor = (made.body as { data: { id: string } }).data.id;
  const body = { user_Id: ann.id, role_Id: editor };
  expect((await app.call("POST", "/items/baasix_UserRole", { token: ann.token, body })).status).toBe(201);
});

test("roles and permissions are written by administrators alone", async () => {
  const permission = { role_Id: user, collection: "baasix_User", action: "read", fields: ["*"] };
  for (const [path, body] of [
    ["/items/baasix_Role", { name: "mine" }],
    ["/items/baasix_Permission", permission],
    ["/permissions", permission],
  ] as const) {
    expect((await app.call("POST", path, { token: ann.token, body })).status).toBe(403);
  }
});

test("nobody else writes the account of an administrator", async () => {
  const [membership] = await memberships(administrator);
  const path = `/items/baasix_User/${membership?.user_Id}`;
  const before = await app.call("GET", path, { token: app.admin });
  const calls = [
    ["PATCH", path, { email: "ann+admin@example.com" }],
    ["PATCH", "/items/baasix_User/bulk", [{ id: membership?.user_Id, data: { status: "suspended" } }]],
    ["DELETE", path],
    ["DELETE", "/items/baasix_User/bulk", [membership?.user_Id]],
  ] as const;
  for (const [method, url, body] of calls) {
    expect((await app.call(method, url, { token: ann.token, body })).status).toBe(404);
  }
  expect((await app.call("GET", path, { token: app.admin })).body).toEqual(before.body);
  const other = await app.signUp("other@example.com");
  const change = { token: ann.token, body: { firstName: "Other" } };
  expect((await app.call("PATCH", `/items/baasix_User/${other.id}`, change)).status).toBe(200);
});

test("no list of addresses locks the administrators out", async () => {
  const body = { ipWhitelist: ["10.0.0.1"] };
  const changed = await app.call("PATCH", `/items/baasix_Role/${administrator}`, { token: app.admin, body });
  expect([changed.status, changed.text.includes("lock every administrator out")]).toEqual([400, true]);
  const roles = { roles: [{ name: "administrator", ...body, permissions: [] }] };
  const imported = await app.call("POST", "/permissions-import", { token: app.admin, body: roles });
  expect([imported.status, imported.text.includes("lock every administrator out")]).toEqual([400, true]);
  expect((await app.call("GET", "/items/baasix_Role", { token: app.admin })).status).toBe(200);
});

test("no administrator gives up being one: another one can do it", async () => {
  const own = await memberships(administrator);
  const [membership] = own;
  const account = membership?.user_Id;
  const one = `/items/baasix_UserRole/${membership?.id}`;
  const filter = { "role.name": "administrator", user_Id: account };
  const operations = [{ action: "delete", collection: "baasix_UserRole", id: membership?.id }];
  for (const [method, path, body] of [
    ["DELETE", one],
    ["DELETE", "/items/baasix_UserRole/bulk", [membership?.id]],
    ["DELETE", "/items/baasix_UserRole", { filter }],
    ["PATCH", one, { role_Id: user }],
    ["PATCH", one, { role: { name: "nobody" } }],
    ["PATCH", one, { user_Id: ann.id }],
    ["PATCH", one, { tenant: { name: "Theirs" } }],
    ["PATCH", "/items/baasix_UserRole/bulk", [{ id: membership?.id, data: { role: user } }]],
    ["PATCH", "/items/baasix_UserRole", { filter, data: { role_Id: user } }],
    ["PUT", "/items/baasix_UserRole", { filter, data: { role_Id: user } }],
    ["PATCH", `/items/baasix_User/${account}`, { userRoles: [] }],
    ["PATCH", `/items/baasix_User/${account}`, { userRoles: { delete: [membership?.id] } }],
    ["POST", "/transaction", { operations }],
  ] as const) {
    const answer = await app.call(method, path, { token: app.admin, ...(body && { body }) });
    expect([answer.status, answer.text]).toEqual([
      403,
      expect.stringContaining(
        "An administrator cannot give up being one; another one can take the role away",
      ),
    ]);
  }
  expect(await memberships(administrator)).toEqual(own);

  const other = await app.signUp("second@example.com");
  const body = { user_Id: other.id, role_Id: administrator };
  const given = await app.call("POST", "/items/baasix_UserRole", { token: app.admin, body });
  const { id } = (given.body as { data: { id: string } }).data;
  expect((await app.call("DELETE", `/items/baasix_UserRole/${id}`, { token: other.token })).status).toBe(403);
  expect((await app.call("DELETE", `/items/baasix_UserRole/${id}`, { token: app.admin })).status).toBe(200);
  expect(await memberships(administrator)).toEqual(own);
});

test("the roles that the server relies on keep their names, whatever else changes with them", async () => {
  const made = await app.call("POST", "/items/baasix_Role", { token: app.admin, body: { name: "clerk" } });
  const { id } = (made.body as { data: { id: string } }).data;
  const bulk = (name: string, own: object) =>
    app.call("PATCH", "/items/baasix_Role/bulk", {
      token: app.admin,
      body: [
        { id, data: { name } },
        { id: administrator, data: own },
      ],
    });
  for (const name of ["clerk", "boss", null]) expect((await bulk("boss", { name })).status).toBe(403);
  const changed = await bulk("boss", { name: "administrator", description: "All of it" });
  expect([changed.status, changed.text]).toEqual([200, changed.text]);
});

test("no role lets its holders invite administrators or strangers, and these two belong to no tenant", async () => {
  const strangers = await app.roleId("public");
  const write = (path: string, body: object) =>
    app.call(path === "" ? "POST" : "PATCH", `/items/baasix_Role${path}`, { token: app.admin, body });
  for (const [path, body, told] of [
    [`/${user}`, { canInviteRoleIds: [user, administrator] }, "'administrator' is for nobody to invite with"],
    [
      "",
      { name: "inviter", canInviteRoleIds: [administrator.toUpperCase()] },
      "'administrator' is for nobody",
    ],
    [`/${user}`, { canInviteRoleIds: [strangers] }, "'public' is for nobody to invite with"],
    [`/${administrator}`, { isTenantSpecific: true }, "'administrator' belongs to no tenant"],
    [`/${strangers}`, { isTenantSpecific: true }, "'public' belongs to no tenant"],
  ] as const) {
    const refused = await write(path, body);
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining(told)]);
  }
  expect((await write(`/${user}`, { canInviteRoleIds: [user] })).status).toBe(200);
  expect((await write(`/${user}`, { canInviteRoleIds: null })).status).toBe(200);
});
