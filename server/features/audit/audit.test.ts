/** Who reads the audit log, who cannot, and how long its entries are kept. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readConfig } from "../../config";
import { testApp, type TestApp } from "../../testing/app";
import { removeOldEntries } from "./retention";

let app: TestApp;
let ann: { token: string; id: string };
let user: string;

const log = "baasix_AuditLog";
const day = 86_400_000;

beforeAll(async () => {
  app = await testApp();
  ann = await app.signUp("ann@example.com");
  user = await app.roleId("user");
  const schema = { name: "Notes", fields: { text: { type: "Text" } } };
  await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "notes", schema } });
  for (const text of ["one", "two", "three"]) {
    await app.call("POST", "/items/notes", { token: app.admin, body: { text } });
  }
});
afterAll(() => app.close());

describe("administrators read it with every word of a query", () => {
  test.each<[query: string, path: string, expected: unknown]>([
    [
      "filter, fields, sort",
      "?filter[entity]=notes&fields=action,changes&sort=-id&limit=1",
      [{ action: "create", changes: { before: null, after: expect.objectContaining({ text: "three" }) } }],
    ],
    [
      "a path into changes",
      '?filter={"changes":{"jsonbPathMatch":"$.after.text == \\"two\\""}}&fields=entity',
      [{ entity: "notes" }],
    ],
    [
      "groups",
      '?filter[entity]=notes&aggregate={"n":{"function":"count","field":"*"}}&groupBy=action',
      [{ action: "create", n: 3 }],
    ],
  ])("%s", async (_query, path, expected) => {
    const answer = await app.call("GET", `/items/${log}${path}`, { token: app.admin });
    expect(answer.body).toMatchObject({ data: expected as object });
  });

  test("one entry by its id: who, from where, in which request", async () => {
    const made = await app.call("POST", "/items/notes", { token: app.admin, body: { text: "four" } });
    const { id } = (made.body as { data: { id: string } }).data;
    const list = await app.call("GET", `/items/${log}?filter[entityId]=${id}`, { token: app.admin });
    const [entry] = (list.body as { data: { id: string }[] }).data;
    const one = await app.call("GET", `/items/${log}/${entry?.id}`, { token: app.admin });
    expect(one.body).toMatchObject({
      data: {
        type: "data",
        entity: "notes",
        entityId: id,
        action: "create",
        userId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ipaddress: "127.0.0.1",
        requestId: made.headers.get("x-request-id"),
      },
    });
  });
});

describe("schemas that change are told, too", () => {
  test("the definition before and after, and the permissions that follow", async () => {
    const admin = async (method: string, path: string, body?: unknown) => {
      const answer = await app.call(method, path, { token: app.admin, body });
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      return answer;
    };
    const fields = { id: { type: "Integer", primaryKey: true }, text: { type: "Text" } };
    const made = await admin("POST", "/schemas", {
      collectionName: "leaves",
      schema: { name: "Leaf", fields },
    });
    const right = { role_Id: user, collection: "leaves", action: "read", fields: ["id", "text"] };
    const permission = ((await admin("POST", "/permissions", right)).body as { id: string }).id;
    await admin("PATCH", "/schemas/leaves?dryRun=true", { schema: { name: "None", fields } });
    await admin("PATCH", "/schemas/leaves", { schema: { name: "Leaf", fields: { id: fields.id } } });
    await admin("POST", "/schemas/leaves/rename", { to: "petals" });
    await admin("DELETE", "/schemas/petals");

    const told = async (filter: object) => {
      const query = `filter=${encodeURIComponent(JSON.stringify(filter))}&sort=id`;
      return ((await admin("GET", `/items/${log}?${query}`)).body as { data: Record<string, unknown>[] })
        .data;
    };
    const definitions = await told({
      entity: "baasix_SchemaDefinition",
      entityId: { in: ["leaves", "petals"] },
    });
    const leaf = (names: readonly string[], collectionName = "leaves") => ({
      collectionName,
      schema: { name: "Leaf", fields: Object.fromEntries(names.map((name) => [name, expect.anything()])) },
    });
    expect(
      definitions.map(({ type, action, entityId, changes }) => [type, action, entityId, changes]),
    ).toEqual([
      ["schema", "create", "leaves", { before: null, after: leaf(["id", "text"]) }],
      ["schema", "update", "leaves", { before: leaf(["id", "text"]), after: leaf(["id"]) }],
      ["schema", "update", "petals", { before: leaf(["id"]), after: leaf(["id"], "petals") }],
      ["schema", "delete", "petals", { before: leaf(["id"], "petals"), after: null }],
    ]);
    expect(definitions[0]?.requestId).toBe(made.headers.get("x-request-id"));
    expect(definitions[0]?.userId).toMatch(/^[0-9a-f-]{36}$/);
    const permissions = await told({
      entity: "baasix_Permission",
      entityId: permission,
      action: { ne: "create" },
    });
    expect(permissions.map(({ action, changes }) => [action, changes])).toMatchObject([
      ["update", { before: { fields: ["id", "text"] }, after: { fields: ["id"] } }],
      ["update", { before: { collection: "leaves" }, after: { collection: "petals" } }],
      ["delete", { before: { collection: "petals" }, after: null }],
    ]);
  });
});

describe("nobody else reads it, and nobody writes it", () => {
  beforeAll(async () => {
    // By hand in the database, since no door takes such a permission.
    await app.database.run({
      text: `insert into "baasix_Permission" ("role_Id", "collection", "action", "fields") select $1::uuid, '${log}', a, '["*"]' from unnest(array['create', 'read', 'update', 'delete']) a`,
      params: [user],
    });
    await app.snapshot.reloadRules();
  });

  const entry = { entity: "x", entityId: "1", action: "create", changes: {} };
  test.each<
    readonly [who: string, token: () => string | undefined, method: string, path: string, body: unknown]
  >([
    ["a user with a permission", () => ann.token, "GET", "", undefined],
    ["a user with a permission", () => ann.token, "GET", "/1", undefined],
    [
      "a user with a permission",
      () => ann.token,
      "GET",
      '?aggregate={"n":{"function":"count","field":"*"}}',
      undefined,
    ],
    ["a user with a permission", () => ann.token, "GET", "?export=csv", undefined],
    ["a user with a permission", () => ann.token, "DELETE", "/1", undefined],
    ["anybody", () => undefined, "GET", "", undefined],
    ["an administrator", () => app.admin, "POST", "", entry],
    ["an administrator", () => app.admin, "PATCH", "/1", { entity: "x" }],
    ["an administrator", () => app.admin, "DELETE", "/1", undefined],
    ["an administrator", () => app.admin, "DELETE", "", { filter: { entity: "notes" } }],
  ])("%s: %p %s %s", async (_who, token, method, path, body) => {
    const given = token();
    const answer = await app.call(method, `/items/${log}${path}`, {
      ...(given !== undefined && { token: given }),
      ...(body !== undefined && { body }),
    });
    expect([answer.status, (answer.body as { error: { code: string } }).error.code]).toEqual([
      403,
      "FORBIDDEN",
    ]);
  });

  test("such a permission counts for nothing and is told", () => {
    const problems = app.snapshot.current().rules.problems.filter((problem) => problem.includes(log));
    expect(problems).toHaveLength(4);
  });

  test.each<[door: string, path: string, body: (permission: object) => unknown]>([
    ["permissions", "/permissions", (permission) => permission],
    ["items", "/items/baasix_Permission", (permission) => permission],
    ["bulk", "/items/baasix_Permission/bulk", (permission) => [permission]],
  ])("no permission for it is written at the door of %s", async (_door, path, body) => {
    const permission = { role_Id: user, collection: log, action: "read", fields: ["*"] };
    const answer = await app.call("POST", path, { token: app.admin, body: body(permission) });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("for administrators alone")]);
  });

  test("nor at that of changes", async () => {
    const permission = { role_Id: user, collection: "notes", action: "read", fields: ["*"] };
    const made = await app.call("POST", "/items/baasix_Permission", { token: app.admin, body: permission });
    const { id } = (made.body as { data: { id: string } }).data;
    for (const [path, body] of [
      [`/items/baasix_Permission/${id}`, { collection: log }],
      ["/items/baasix_Permission", { filter: { id }, data: { collection: log } }],
    ] as const) {
      const answer = await app.call("PATCH", path, { token: app.admin, body });
      expect([answer.status, answer.text]).toEqual([
        400,
        expect.stringContaining("for administrators alone"),
      ]);
    }
  });
});

describe("entries end", () => {
  const count = async (): Promise<number> => {
    const [row] = await app.database.run({ text: `select count(*)::int from "${log}"`, params: [] });
    return Number(row?.[0]);
  };

  test("after so many days, whoever else sweeps at the same time; younger ones stay", async () => {
    const before = await count();
    await app.database.run({
      text: `insert into "${log}" ("createdAt", "entity", "entityId", "action", "changes") select now() - interval '30 days', 'old', n::text, 'update', '{}' from generate_series(1, 2500) n`,
      params: [],
    });
    const now = Date.now();
    expect(await removeOldEntries(app.data, now, "forever")).toBe(0);
    expect(await removeOldEntries(app.data, now, 31)).toBe(0);
    const removed = await Promise.all([
      removeOldEntries(app.data, now + 2 * day, 31),
      removeOldEntries(app.data, now + 2 * day, 31),
    ]);
    expect(removed[0] + removed[1]).toBe(2500);
    expect(await count()).toBe(before);
    await removeOldEntries(app.data, now + 32 * day, 31);
    expect(await count()).toBe(0);
  });

  test.each<[value: string | undefined, days: number | "forever" | null]>([
    [undefined, 90],
    ["1", 1],
    ["forever", "forever"],
    ["0", null],
    ["-1", null],
    ["1.5", null],
    ["unlimited", null],
    ["999999", null],
  ])("AUDIT_RETENTION_DAYS=%p", (value, days) => {
    const read = () => readConfig({ AUDIT_RETENTION_DAYS: value }).AUDIT_RETENTION_DAYS;
    if (days === null) expect(read).toThrow(/^AUDIT_RETENTION_DAYS: must be a whole number of days/);
    else expect(read()).toBe(days);
  });
});
