/** Permissions over HTTP, in both shapes that clients know, and their way from one server to another. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type {
  PermissionImportPreview,
  PermissionImportResult,
  PermissionExport,
  PortableRole,
} from "@baasix/types";
import { type Answer, testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

type Row = Record<string, unknown>;

let app: TestApp;
let user: string;
let ann: { token: string };

const posts = {
  collectionName: "posts",
  schema: { name: "Post", fields: { title: { type: "String" }, state: { type: "String" } } },
};

beforeAll(async () => {
  app = await testApp();
  await app.ok("POST", "/schemas", posts);
  ann = await app.signUp("ann@example.com");
  user = await app.roleId("user");
});
afterAll(() => app.close());

const messageOf = (answer: Answer) => (answer.body as { error: { message: string } }).error.message;

function form(document: unknown, more: Record<string, string> = {}): FormData {
  const data = new FormData();
  const text = typeof document === "string" ? document : JSON.stringify(document);
  data.append("rolesPermissions", new Blob([text], { type: "application/json" }), "rights.json");
  for (const [name, value] of Object.entries(more)) data.append(name, value);
  return data;
}

async function exported(on = app): Promise<PermissionExport> {
  return (await on.ok("GET", "/permissions-export")).body as PermissionExport;
}

async function roleOf(name: string, on = app): Promise<PortableRole | undefined> {
  return (await exported(on)).roles.find((role) => role.name === name);
}

describe("one permission", () => {
  const permission = {
    collection: "posts",
    action: "read",
    fields: ["title"],
    conditions: { state: "public" },
  };
  test.each([
    ["bare", (body: Row) => body],
    ["below data", (body: Row) => ({ data: body })],
  ])("is written %s, and answered bare and below data", async (_, wrap) => {
    const made = await app.ok("POST", "/permissions", wrap({ role_Id: user, ...permission }));
    const { data, ...bare } = made.body as Row & { data: Row };
    expect(made.status).toBe(201);
    expect(bare).toEqual(data);
    expect(bare).toMatchObject({ role_Id: user, ...permission, relConditions: null });
    const changed = await app.ok(
      "PATCH",
      `/permissions/${String(bare.id)}`,
      wrap({ fields: ["*"], conditions: null }),
    );
    expect(changed.body).toMatchObject({
      id: bare.id,
      fields: ["*"],
      conditions: null,
      data: { fields: ["*"] },
    });
    expect((await app.ok("GET", `/permissions/${String(bare.id)}`)).body).toMatchObject({
      data: { fields: ["*"] },
    });
    const removed = await app.ok("DELETE", `/permissions/${String(bare.id)}`);
    expect([removed.status, removed.text]).toEqual([204, ""]);
  });

  test("lists keep to filter, fields, sort and limit", async () => {
    const make = (action: string) => app.ok("POST", "/permissions", { role_Id: user, ...permission, action });
    const made = [];
    for (const action of ["read", "update", "delete"])
      made.push(((await make(action)).body as { id: string }).id);
    const list = async (query: string) =>
      (await app.ok("GET", `/permissions?${query}`)).body as { data: Row[]; totalCount: number };
    expect(
      await list(
        `filter[role_Id]=${user}&filter[action][in][]=read&filter[action][in][]=update&fields=action&sort=-action`,
      ),
    ).toEqual({
      data: [{ action: "update" }, { action: "read" }],
      totalCount: 2,
    });
    expect((await list(`filter[collection]=posts&limit=1`)).data).toHaveLength(1);
    expect((await list("filter[collection]=nothing")).totalCount).toBe(0);
    for (const id of made) await app.ok("DELETE", `/permissions/${id}`);
  });

  const refused: [string, Row, RegExp][] = [
    ["an unknown collection", { collection: "post" }, /collection: 'post' does not exist/],
    ["an unknown action", { action: "publish" }, /action/],
    ["an unknown key", { condition: {} }, /condition/],
    [
      "an unknown field in a condition",
      { conditions: { titel: "x" } },
      /conditions\.titel.*did you mean 'title'/,
    ],
    ["an unknown field", { fields: ["id", "titel"] }, /fields 'titel': .*did you mean 'title'/],
    ["one in a comma text", { fields: "id, titel" }, /fields 'titel'/],
    [
      "an unknown field behind a relation",
      { collection: "baasix_UserRole", conditions: null, fields: ["role.*", "role.nam"] },
      /fields 'role\.nam': 'baasix_Role' has no field 'nam'; did you mean 'name'/,
    ],
    ["an unknown relation", { fields: ["comments.*"] }, /fields 'comments\.\*'/],
    ["an unknown operator", { conditions: { title: { eqq: "x" } } }, /conditions\.title.*eqq/],
    [
      "a hidden field in a condition",
      { collection: "baasix_Account", conditions: { password: { startsWith: "$argon" } } },
      /'password' is hidden/,
    ],
    [
      "one behind a relation",
      { collection: "baasix_Sessions", conditions: { "user.userRoles.id": { ne: null }, token: "x" } },
      /'token' is hidden/,
    ],
    ["an unknown default", { action: "create", defaultValues: { titel: 1 } }, /defaultValues\.titel/],
    ["relConditions of no relation", { relConditions: { comments: {} } }, /relConditions\.comments/],
    ["a role that is no id", { role_Id: "user" }, /role_Id/],
  ];
  test.each(refused)("%s is refused with its place", async (_, change, message) => {
    const body = { role_Id: user, ...permission, ...change };
    const answer = await app.call("POST", "/permissions", { token: app.admin, body });
    expect([400, 404]).toContain(answer.status);
    expect(messageOf(answer)).toMatch(message);
  });

  test("a change is judged together with what stays", async () => {
    const made = await app.ok("POST", "/permissions", { role_Id: user, ...permission });
    const { id } = made.body as { id: string };
    const answer = await app.call("PATCH", `/permissions/${id}`, {
      token: app.admin,
      body: { collection: "baasix_Role" },
    });
    expect([answer.status, messageOf(answer)]).toEqual([400, expect.stringMatching(/conditions\.state/)]);
    await app.ok("DELETE", `/permissions/${id}`);
  });

  test("nobody but administrators comes near", async () => {
    const calls: [string, string, unknown?][] = [
      ["GET", "/permissions"],
      ["POST", "/permissions", { role_Id: user, ...permission }],
      ["POST", "/permissions", { nonsense: true }],
      ["PATCH", `/permissions/${crypto.randomUUID()}`, {}],
      ["DELETE", `/permissions/${crypto.randomUUID()}`],
      ["POST", "/permissions/reload"],
      ["GET", "/permissions-export"],
      ["POST", "/permissions-export"],
      ["POST", "/permissions-preview-import", { roles: [] }],
      ["POST", "/permissions-import", { roles: [] }],
      ["POST", "/permissions-import", form({ roles: [] })],
    ];
    for (const [method, path, body] of calls) {
      for (const token of [ann.token, undefined]) {
        const answer = await app.call(method, path, {
          ...(token && { token }),
          ...(body !== undefined && { body }),
        });
        expect([path, answer.status]).toEqual([path, 403]);
      }
    }
  });
});

describe("export and import", () => {
  const editor: PortableRole = {
    name: "editor",
    description: "Content editors",
    icon: "pen",
    appAccess: false,
    ipWhitelist: ["10.0.0.0/8"],
    isTenantSpecific: true,
    canInviteRoles: ["writer"],
    permissions: [
      {
        collection: "posts",
        action: "create",
        fields: ["title"],
        conditions: null,
        defaultValues: { state: "draft" },
        relConditions: null,
      },
      {
        collection: "posts",
        action: "read",
        fields: ["*"],
        conditions: { OR: [{ state: "public" }, { state: { isNull: true } }] },
        defaultValues: null,
        relConditions: null,
      },
    ],
  };
  const writer: PortableRole = {
    name: "writer",
    description: null,
    icon: null,
    appAccess: true,
    ipWhitelist: null,
    isTenantSpecific: false,
    canInviteRoles: null,
    permissions: [],
  };

  test("a round trip to another server changes nothing, and repeats do nothing", async () => {
    const result = (await app.ok("POST", "/permissions-import", { roles: [editor, writer] }))
      .body as PermissionImportResult;
    expect(result).toEqual({
      message: "Roles and permissions import completed",
      changes: {
        created: ["Role 'editor' with 2 permissions", "Role 'writer' with 0 permissions"],
        updated: [],
        deleted: [],
        errors: [],
      },
      imported: 2,
      skipped: 0,
      errors: [],
    });
    const document = await exported();
    expect([document.version, typeof document.timestamp]).toEqual(["1.0", "string"]);
    expect(document.roles.map(({ name }) => name)).toEqual([
      "administrator",
      "editor",
      "public",
      "user",
      "writer",
    ]);
    expect(document.roles[1]).toEqual(editor);
    const other = await testApp();
    try {
      await other.ok("POST", "/schemas", posts);
      const preview = (await other.ok("POST", "/permissions-preview-import", form(document)))
        .body as PermissionImportPreview;
      expect(preview.changes.new.map(({ name }) => name)).toEqual(["editor", "writer"]);
      expect(preview.changes.unchanged).toEqual(["administrator", "public", "user"]);
      expect((await other.ok("POST", "/permissions-import", form(document))).body).toMatchObject({
        imported: 2,
      });
      expect((await exported(other)).roles).toEqual(document.roles);
      const again = (await other.ok("POST", "/permissions-import", { data: document })).body;
      expect(again).toMatchObject({ imported: 0, skipped: 2, changes: { created: [], updated: [] } });
    } finally {
      await other.close();
    }
  });

  test("is an attachment, for both ways to ask", async () => {
    for (const method of ["GET", "POST"]) {
      const answer = await app.ok(method, "/permissions-export");
      expect(answer.headers.get("content-disposition")).toMatch(
        /^attachment; filename="roles-permissions-export-\d+\.json"$/,
      );
    }
  });

  test("a preview tells what an import would do, and an import does it", async () => {
    const [create, read] = editor.permissions as [
      PortableRole["permissions"][0],
      PortableRole["permissions"][0],
    ];
    const changed: PortableRole = {
      name: "editor",
      description: "Others",
      permissions: [
        { ...read, fields: ["title"], conditions: null },
        { ...create, action: "delete", fields: null, defaultValues: null },
      ],
    };
    const document = { version: "1.0", timestamp: "2026-11-20T00:00:00Z", roles: [changed, writer] };
    const preview = (await app.ok("POST", "/permissions-preview-import", document))
      .body as PermissionImportPreview;
    expect(preview).toEqual({
      importVersion: "1.0",
      importTimestamp: "2026-11-20T00:00:00Z",
      changes: {
        new: [],
        modified: [
          {
            name: "editor",
            type: "role",
            differences: {
              description: { type: "changed", from: "Content editors", to: "Others" },
              permissions: {
                added: ["posts:delete"],
                modified: [
                  {
                    permission: "posts:read",
                    changes: {
                      fields: { type: "changed", from: ["*"], to: ["title"] },
                      conditions: { type: "changed", from: read.conditions, to: null },
                    },
                  },
                ],
                removed: ["posts:create"],
              },
            },
          },
        ],
        deleted: [],
        unchanged: ["writer"],
      },
    });
    expect(await roleOf("editor")).toEqual(editor);
    const before = (await app.ok("GET", "/permissions?filter[role.name]=editor&filter[action]=read"))
      .body as {
      data: Row[];
    };
    const kept = (await app.ok("POST", "/permissions-import", { ...document, overwrite: false }))
      .body as PermissionImportResult;
    expect(kept).toMatchObject({ imported: 1, skipped: 1 });
    expect(await roleOf("editor")).toMatchObject({
      description: "Content editors",
      permissions: { length: 3 },
    });
    const done = (await app.ok("POST", "/permissions-import", form(document, { overwrite: "true" })))
      .body as PermissionImportResult;
    expect(done).toMatchObject({
      imported: 1,
      skipped: 1,
      changes: {
        updated: ["Role 'editor': description changed, 1 permission changed, 1 permission removed"],
      },
    });
    expect(await roleOf("editor")).toEqual({
      ...editor,
      ...changed,
      permissions: changed.permissions.toReversed(),
    });
    const after = (await app.ok("GET", "/permissions?filter[role.name]=editor&filter[action]=read")).body as {
      data: Row[];
    };
    expect(after.data[0]?.id).toBe(before.data[0]?.id as string);
    await app.ok("POST", "/permissions-import", { rolesPermissions: JSON.stringify({ roles: [editor] }) });
    expect(await roleOf("editor")).toEqual(editor);
  });

  test("what is imported counts with the answer", async () => {
    expect((await app.call("GET", "/items/posts", { token: ann.token })).status).toBe(403);
    const [, read] = editor.permissions;
    await app.ok("POST", "/permissions-import", { roles: [{ name: "user", permissions: [read] }] });
    expect((await app.call("GET", "/items/posts", { token: ann.token })).status).toBe(200);
    await app.ok("POST", "/permissions-import", { roles: [{ name: "user", permissions: [] }] });
    expect((await app.call("GET", "/items/posts", { token: ann.token })).status).toBe(403);
  });

  const good = { name: "fresh", permissions: [{ collection: "posts", action: "read", fields: ["*"] }] };
  const bad: [string, unknown, RegExp][] = [
    ["no JSON", form("{"), /not valid JSON/],
    ["a list", [good], /part 'rolesPermissions'|multipart/],
    ["no roles", { version: "1.0" }, /roles/],
    ["another version", { version: "2.0", roles: [] }, /version/],
    ["an unknown key", { roles: [{ ...good, isAdmin: true }] }, /roles\[0\]\.isAdmin: is not known here/],
    ["a prototype", form('{"roles":[{"name":"x","__proto__":{}}]}'), /__proto__/],
    [
      "a wrong action",
      { roles: [good, { name: "b", permissions: [{ collection: "posts", action: "see" }] }] },
      /roles\[1\]\.permissions\[0\]\.action/,
    ],
    [
      "an unknown collection",
      { roles: [good, { name: "b", permissions: [{ collection: "nope", action: "read" }] }] },
      /Role 'b': permissions\[0\] \(nope:read\)/,
    ],
    [
      "a condition on nothing",
      {
        roles: [
          good,
          { name: "b", permissions: [{ collection: "posts", action: "read", conditions: { x: 1 } }] },
        ],
      },
      /Role 'b'.*conditions\.x/,
    ],
    [
      "a permission twice",
      { roles: [{ ...good, permissions: [...good.permissions, ...good.permissions] }] },
      /'posts:read' is there twice/,
    ],
    ["a role twice", { roles: [good, good] }, /Role 'fresh': is in the document twice/],
    ["nobody to invite", { roles: [{ ...good, canInviteRoles: ["nobody"] }] }, /there is no role 'nobody'/],
    ["no address", { roles: [{ ...good, ipWhitelist: ["here"] }] }, /Role 'fresh': ipWhitelist/],
    ["a name with NUL", { roles: [good, { name: "a\0b", permissions: [] }] }, /name/],
    ["a dry run in a part of the form", form({ roles: [good] }, { dryRun: "true" }), /dryRun/],
    ["a dry run in the body", { roles: [good], dryRun: true }, /dryRun/],
    ["a wrong overwrite", form({ roles: [] }, { overwrite: "maybe" }), /overwrite/],
    ["a form without the part", form({ roles: [] }, {}), /./],
  ];
  test.each(bad.slice(0, -1))("%s is refused, and nothing is changed", async (_, body, message) => {
    const before = (await exported()).roles;
    const answer = await app.call("POST", "/permissions-import", { token: app.admin, body });
    expect([400, 415]).toContain(answer.status);
    expect(messageOf(answer)).toMatch(message);
    expect((await exported()).roles).toEqual(before);
  });
  test.each([
    ["/permissions-import?dryRun", /dryRun: expected true or false/],
    ["/permissions-import?dryRun=yes", /dryRun: expected true or false/],
    ["/permissions-import?dryrun=true", /unknown parameter 'dryrun'; did you mean 'dryRun'/],
    ["/permissions-import?overwrite=false", /unknown parameter 'overwrite'/],
    ["/permissions-preview-import?dryRun=true", /unknown parameter 'dryRun'/],
  ])("%s is refused, and nothing is changed", async (path, message) => {
    const before = (await exported()).roles;
    const answer = await app.call("POST", path, { token: app.admin, body: { roles: [good] } });
    expect([answer.status, messageOf(answer)]).toEqual([400, expect.stringMatching(message)]);
    expect((await exported()).roles).toEqual(before);
  });
  test("a dry run answers the preview, and changes nothing", async () => {
    const before = (await exported()).roles;
    const body = { roles: [good] };
    const dry = await app.ok("POST", "/permissions-import?dryRun=true", body);
    expect(dry.body).toEqual((await app.ok("POST", "/permissions-preview-import", body)).body);
    expect((dry.body as PermissionImportPreview).changes.new).toMatchObject([{ name: "fresh" }]);
    expect((await exported()).roles).toEqual(before);
  });
  test("fields that only the other server has come along, and open nothing", async () => {
    const fields = ["title", "tenant.name"];
    const roles = [{ name: "afar", permissions: [{ collection: "posts", action: "read", fields }] }];
    await app.ok("POST", "/permissions-import", { roles });
    expect((await roleOf("afar"))?.permissions).toMatchObject([{ fields }]);
    const found = (await app.ok("GET", "/permissions?filter[role.name]=afar")).body as { data: Row[] };
    // Who changes something else of such a permission need not care.
    const path = `/permissions/${String(found.data[0]?.id)}`;
    await app.ok("PATCH", path, { conditions: { state: "public" } });
    const again = await app.call("PATCH", path, { token: app.admin, body: { fields } });
    expect([again.status, messageOf(again)]).toEqual([400, expect.stringContaining("fields 'tenant.name'")]);
  });
  test("more new roles than one request may write are imported as a preview says", async () => {
    const body = { roles: Array.from({ length: 1001 }, (_, i) => ({ name: `many ${i}` })) };
    await app.ok("POST", "/permissions-preview-import", body);
    await app.ok("POST", "/permissions-import", body);
    expect((await exported()).roles.filter(({ name }) => name.startsWith("many "))).toHaveLength(1001);
  });
  test("a form without the part is told what to send", async () => {
    const body = new FormData();
    body.append("other", "x");
    const answer = await app.call("POST", "/permissions-import", { token: app.admin, body });
    expect([answer.status, messageOf(answer)]).toEqual([
      400,
      expect.stringMatching(/part 'rolesPermissions'/),
    ]);
  });
  test("every mistake is named", async () => {
    const permissions = ["a", "b", "c"].map((collection) => ({ collection, action: "read" }));
    const body = { roles: [{ name: "x", permissions }] };
    const answer = await app.call("POST", "/permissions-preview-import", { token: app.admin, body });
    const { details } = (answer.body as { error: { details: { errors: unknown[] } } }).error;
    expect(details.errors).toHaveLength(3);
  });
});
