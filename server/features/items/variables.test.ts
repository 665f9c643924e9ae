/** Dynamic variables and column references, in rules, filters and default values; what has no value denies, wherever it stands. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type Actor, anonymous, system, unproven } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { testApp, type TestApp } from "../../testing/app";

const server = system("tests of variables");
const other = "00000000-0000-4000-8000-000000000009";

let app: TestApp;
let ann: Actor & { kind: "user" };
let bob: Actor & { kind: "user" };
let roleId: string;
let publicId: string;

beforeAll(async () => {
  app = await testApp();
  await app.snapshot.changeSchema(() => ({
    put: [
      {
        collectionName: "docs",
        schema: {
          name: "Document",
          timestamps: false,
          fields: {
            id: { type: "Integer", primaryKey: true },
            owner: { relType: "BelongsTo", target: "baasix_User" },
            parent: { relType: "BelongsTo", target: "docs" },
            children: { relType: "HasMany", target: "docs", foreignKey: "parent_Id" },
            mail: { type: "String" },
            title: { type: "String" },
            role: { type: "UUID" },
            shared: { type: "Array_UUID" },
            meta: { type: "JSONB" },
            at: { type: "DateTime" },
            least: { type: "Integer" },
            most: { type: "Integer" },
            secret: { type: "Integer" },
          },
        },
      },
    ],
    remove: [],
  }));
  const [first, second] = [await app.signUp("ann@example.com"), await app.signUp("bob@example.com")];
  const roles = await app.data.find<{ id: string; name: string }>(server, "baasix_Role", {});
  roleId = roles.find(({ name }) => name === "user")?.id ?? "";
  publicId = roles.find(({ name }) => name === "public")?.id ?? "";
  const actorOf = (id: string) =>
    ({ kind: "user", id, role: roleId, roles: [roleId], admin: false, ...unproven }) as const;
  ann = actorOf(first.id);
  bob = actorOf(second.id);
  await app.data.updateWhere(server, "baasix_User", { id: ann.id }, { firstName: "50%_\\", lastName: "Ann" });
  const day = 86_400_000;
  const doc = (id: number, owner: string | null, more: object) => ({ id, owner_Id: owner, ...more });
  await app.data.create(server, "docs", [
    doc(1, ann.id, {
      mail: "ann@example.com",
      title: "50%_\\ off",
      role: roleId,
      shared: [ann.id],
      meta: { by: ann.id, mail: "ann@example.com", list: [ann.id], [ann.id]: true, n: 1 },
      at: new Date(Date.now() - day).toISOString(),
      least: 1,
      most: 5,
      secret: 3,
    }),
    doc(2, bob.id, {
      mail: "bob@example.com",
      title: "500 off",
      role: publicId,
      shared: [ann.id, bob.id],
      meta: { by: bob.id, mail: "bob@example.com", list: [], n: 2 },
      at: new Date(Date.now() + day).toISOString(),
      least: 6,
      most: 5,
      secret: 5,
      parent_Id: 1,
    }),
    doc(3, null, { meta: {}, shared: [], parent_Id: 2 }),
  ]);
});
afterAll(() => app.close());

type Permission = { readonly collection: string; readonly [part: string]: unknown };

/** Replaces all permissions of the two roles. */
async function allow(...permissions: readonly Permission[]): Promise<void> {
  const rows = await app.data.find<{ id: string }>(server, "baasix_Permission", { limit: -1 });
  await app.data.remove(
    server,
    "baasix_Permission",
    rows.map(({ id }) => id),
  );
  const all = permissions.flatMap((one) =>
    [roleId, publicId].map((role_Id) => ({ role_Id, action: "read", fields: ["*"], ...one })),
  );
  await app.data.create(server, "baasix_Permission", all);
}

async function ids(actor: Actor, filter?: unknown): Promise<readonly number[]> {
  const rows = await app.data.find<{ id: number }>(actor, "docs", { filter, fields: "id", sort: "id" });
  return rows.map(({ id }) => id);
}

async function outcome(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.message}`;
    throw error;
  }
}

describe("a rule with", () => {
  type Row = readonly [condition: Record<string, unknown>, ann: readonly number[], bob: readonly number[]];
  const rows: readonly Row[] = [
    [{ owner_Id: "$CURRENT_USER" }, [1], [2]],
    [{ owner: { eq: "$CURRENT_USER.id" } }, [1], [2]],
    [{ "owner.id": "$CURRENT_USER" }, [1], [2]],
    [{ owner_Id: { ne: "$CURRENT_USER" } }, [2], [1]],
    [{ owner_Id: { in: ["$CURRENT_USER", other] } }, [1], [2]],
    [{ owner_Id: { notIn: ["$CURRENT_USER", other] } }, [2], [1]],
    [{ mail: "$CURRENT_USER.email" }, [1], [2]],
    [{ mail: { ne: "$CURRENT_USER.email" } }, [2], [1]],
    [{ mail: { startsWith: "$CURRENT_USER.email" } }, [1], [2]],
    [{ mail: { nendsWith: "$CURRENT_USER.email" } }, [2], [1]],
    [{ mail: { like: "$CURRENT_USER.email" } }, [1], [2]],
    [{ mail: { in: ["$CURRENT_USER.email", "x"] } }, [1], [2]],
    [{ mail: { between: ["$CURRENT_USER.email", "$CURRENT_USER.email"] } }, [1], [2]],
    [{ "owner.email": "$CURRENT_USER.email" }, [1], [2]],
    [{ "children.mail": "$CURRENT_USER.email" }, [], [1]],
    [{ children: { owner_Id: { ne: "$CURRENT_USER" } } }, [1], []],
    [{ role: "$CURRENT_ROLE" }, [1], [1]],
    [{ role: { in: "$CURRENT_USER.userRoles.role_Id" } }, [1], [1]],
    [{ role: { in: ["$CURRENT_USER.userRoles.role.id", other] } }, [1], [1]],
    [{ role: { notIn: "$CURRENT_USER.userRoles.role_Id" } }, [2], [2]],
    [{ role: { notIn: [other, "$CURRENT_USER.userRoles.role_Id"] } }, [2], [2]],
    [{ shared: { arraycontains: "$CURRENT_USER" } }, [1, 2], [2]],
    [{ shared: { arraycontains: ["$CURRENT_USER", "$CURRENT_USER.id"] } }, [1, 2], [2]],
    [{ shared: { arraycontained: ["$CURRENT_USER"] } }, [1, 3], [3]],
    [{ shared: { arrayoverlaps: [other, "$CURRENT_USER"] } }, [1, 2], [2]],
    [{ meta: { jsonbContains: { by: "$CURRENT_USER" } } }, [1], [2]],
    [{ meta: { jsonbContains: { list: ["$CURRENT_USER"] } } }, [1], []],
    [{ meta: { jsonbContains: { $CURRENT_USER: true } } }, [1], []],
    [{ meta: { jsonbContains: { mail: "$CURRENT_USER.email", by: "$CURRENT_USER" } } }, [1], [2]],
    [{ meta: { jsonbNotContains: { by: "$CURRENT_USER" } } }, [2, 3], [1, 3]],
    [{ meta: { jsonbHasKey: "$CURRENT_USER" } }, [1], []],
    [{ meta: { jsonbHasAnyKeys: ["nothing", "$CURRENT_USER"] } }, [1], []],
    [{ meta: { jsonbHasAllKeys: ["by", "$CURRENT_USER"] } }, [1], []],
    [{ meta: { jsonbKeyEquals: { key: "by", value: "$CURRENT_USER" } } }, [1], [2]],
    [{ meta: { jsonbKeyEquals: { key: "mail", value: "$CURRENT_USER.email" } } }, [1], [2]],
    [{ meta: { jsonbKeyEquals: { key: "$CURRENT_USER", value: true } } }, [1], []],
    [{ meta: { jsonbKeyNotEquals: { key: "by", value: "$CURRENT_USER" } } }, [2, 3], [1, 3]],
    [{ meta: { jsonbKeyIn: { key: "by", values: ["$CURRENT_USER", "x"] } } }, [1], [2]],
    [{ meta: { jsonbKeyNotIn: { key: "by", values: ["$CURRENT_USER", "x"] } } }, [2], [1]],
    [{ meta: { jsonbKeyIsNull: "$CURRENT_USER" } }, [2, 3], [1, 2, 3]],
    [{ meta: { jsonbKeyIsNotNull: "$CURRENT_USER" } }, [1], []],
    [{ meta: { jsonbKeyLike: { key: "mail", pattern: "$CURRENT_USER.email" } } }, [1], [2]],
    [{ meta: { jsonbTypeOf: { path: "$CURRENT_USER", type: "boolean" } } }, [1], []],
    [{ meta: { jsonbDeepValue: { path: ["by"], value: "$CURRENT_USER" } } }, [1], [2]],
    [{ meta: { jsonbDeepValue: { path: ["by"], value: "$CURRENT_USER", op: "ne" } } }, [2, 3], [1, 3]],
    [{ meta: { jsonbPathMatch: { path: "$.by == $me", vars: { me: "$CURRENT_USER" } } } }, [1], [2]],
    [{ title: { contains: "$CURRENT_USER.firstName" } }, [1], []],
    [{ title: { startsWiths: "$CURRENT_USER.firstName" } }, [1], []],
    [{ owner_Id: { cast: "text", eq: "$CURRENT_USER" } }, [1], [2]],
    [{ "parent.owner_Id": "$CURRENT_USER" }, [2], [3]],
    [{ NOT: { "parent.owner_Id": "$CURRENT_USER" } }, [3], [2]],
    [{ NOT: { children: { owner_Id: "$CURRENT_USER" } } }, [1, 2, 3], [2, 3]],
    [{ OR: [{ owner_Id: "$CURRENT_USER" }, { NOT: { "parent.mail": "$CURRENT_USER.email" } }] }, [1, 3], [2]],
  ];
  const nobody: readonly Record<string, unknown>[] = [
    { mail: { notBetween: ["$CURRENT_USER.email", "a"] } },
    { mail: { between: ["z", "$CURRENT_USER.email"] } },
    { role: "$CURRENT_TENANT" },
    { role: { ne: "$CURRENT_TENANT.id" } },
    { role: { notIn: ["$CURRENT_TENANT"] } },
    { meta: { jsonbNotContains: { tenant: ["$CURRENT_TENANT"] } } },
    { meta: { jsonbKeyNotEquals: { key: "tenant", value: "$CURRENT_TENANT" } } },
    { children: { meta: { jsonbKeyNotEquals: { key: "tenant", value: "$CURRENT_TENANT" } } } },
    { "parent.meta": { jsonbKeyNotEquals: { key: "tenant", value: "$CURRENT_TENANT" } } },
    { children: { role: "$CURRENT_TENANT" } },
    { children: { children: { role: { in: ["$CURRENT_TENANT"] } } } },
    { parent: { children: { role: "$CURRENT_TENANT" } } },
    { parent: { NOT: { children: { role: "$CURRENT_TENANT" } } } },
    { children: { NOT: { shared: { arraycontains: "$CURRENT_TENANT" } } } },
  ];

  test.each(rows)("%j", async (conditions, forAnn, forBob) => {
    await allow({ collection: "docs", conditions });
    expect(app.snapshot.current().rules.problems).toEqual([]);
    expect(await ids(ann)).toEqual([...forAnn]);
    expect(await ids(bob)).toEqual([...forBob]);
    const denies = !("OR" in conditions) && !("NOT" in conditions);
    expect(await ids(anonymous)).toEqual([]);
    await allow({ collection: "docs", conditions: { NOT: conditions } });
    if (denies) expect(await ids(anonymous)).toEqual([]);
    await allow({ collection: "docs", conditions: { NOT: { NOT: conditions } } });
    expect(await ids(ann)).toEqual([...forAnn]);
    expect(await ids(anonymous)).toEqual([]);
  });

  test.each(nobody)("nothing in %j opens nothing, nor its opposite", async (conditions) => {
    for (const rule of [
      conditions,
      { NOT: conditions },
      { NOT: { NOT: conditions } },
      { AND: [conditions] },
    ]) {
      await allow({ collection: "docs", conditions: rule });
      expect(app.snapshot.current().rules.problems).toEqual([]);
      const tenant = JSON.stringify(conditions).includes("TENANT");
      expect(await ids(anonymous)).toEqual([]);
      if (tenant) expect(await ids(ann)).toEqual([]);
    }
  });

  test("an unknown path allows nothing and is told when it is written", async () => {
    const wrong: readonly (readonly [unknown, string])[] = [
      [
        { mail: "$CURRENT_USER.emial" },
        "UNKNOWN_FIELD conditions.mail: 'baasix_User' has no field 'emial'; did you mean 'email'?",
      ],
      [
        { role: "$CURRENT_USER.userRoles.role_Id" },
        "INVALID_VALUE conditions.role: '$CURRENT_USER.userRoles.role_Id' is a list; use 'in' or 'notIn'",
      ],
      [
        { least: "$CURRENT_USER.email" },
        "INVALID_QUERY conditions.least: a value of type Integer cannot be compared with '$CURRENT_USER.email' of type String",
      ],
      [
        { role: "$CURRENT_TENANT.name" },
        "INVALID_VALUE conditions.role: unknown variable '$CURRENT_TENANT.name'",
      ],
      [
        { meta: { jsonbContains: { "$CURRENT_USER.email": 1 } } },
        "INVALID_VALUE conditions.meta.jsonbContains: only a variable without a path may be a key",
      ],
    ];
    for (const [conditions, message] of wrong) {
      const body = { role_Id: roleId, collection: "docs", action: "read", fields: ["*"], conditions };
      await allow();
      const answer = await app.call("POST", "/permissions", { token: app.admin, body });
      expect(answer.status).toBe(400);
      const { error } = answer.body as { error: { code: string; message: string } };
      expect(`${error.code} ${error.message}`).toStartWith(message);
    }
  });
});

describe("a client's filter reads paths as it reads anything", () => {
  const user = { collection: "baasix_User" } as const;
  type Row = readonly [permissions: readonly Permission[], filter: unknown, outcome: unknown];
  const docs = { collection: "docs" } as const;
  const forbidden = (field: string, collection = "baasix_User") =>
    `FORBIDDEN filter.mail: You don't have permission to read field '${field}' of '${collection}'`;
  const rows: readonly Row[] = [
    [[docs], { owner_Id: "$CURRENT_USER" }, [1]],
    [[docs], { owner_Id: { in: ["$CURRENT_USER.id"] } }, [1]],
    [[docs], { mail: "$CURRENT_USER.email" }, forbidden("email")],
    [[docs, { ...user, fields: ["id"] }], { mail: "$CURRENT_USER.email" }, forbidden("email")],
    [[docs, { ...user, fields: ["id", "email"] }], { mail: "$CURRENT_USER.email" }, [1]],
    [[docs, { ...user, conditions: { id: "$CURRENT_USER" } }], { mail: "$CURRENT_USER.email" }, [1]],
    [[docs, { ...user, conditions: { id: other } }], { mail: "$CURRENT_USER.email" }, []],
    [[docs, { ...user, conditions: { id: other } }], { NOT: { mail: "$CURRENT_USER.email" } }, []],
    [[docs, user], { mail: "$CURRENT_ROLE.name" }, forbidden("name", "baasix_Role")],
    [[docs, user], { mail: { in: ["$CURRENT_USER.userRoles.role.name"] } }, "FORBIDDEN filter.mail.in[0]"],
    [[docs, user], { mail: "$CURRENT_USER.phon" }, "UNKNOWN_FIELD filter.mail"],
    [
      [docs],
      { meta: { jsonbContains: { a: ["$CURRENT_USER.email"] } } },
      "FORBIDDEN filter.meta.jsonbContains.a[0]",
    ],
    [[docs], { mail: { like: "$CURRENT_USER.email" } }, "FORBIDDEN filter.mail.like"],
    [
      [docs],
      { shared: { arraycontains: ["$CURRENT_USER.avatar_Id"] } },
      "FORBIDDEN filter.shared.arraycontains[0]",
    ],
  ];
  test.each(rows.map((row) => [...row] as const))("%j %j", async (permissions, filter, expected) => {
    await allow(...permissions);
    const got = await outcome(ids(ann, filter));
    if (typeof expected === "string") expect(got).toStartWith(expected);
    else expect(got).toEqual(expected as number[]);
  });
});

describe("$COL", () => {
  const open = { collection: "docs", fields: ["*"] } as const;
  const bare = { collection: "docs", fields: ["id", "least", "parent_Id", "parent.least"] } as const;
  const some = { ...open, conditions: { id: { ne: 1 } } } as const;
  type Row = readonly [permission: Permission, filter: unknown, outcome: unknown];
  const rows: readonly Row[] = [
    [open, { least: { lte: "$COL(most)" } }, [1]],
    [open, { least: { gt: "$COL(docs.most)" } }, [2]],
    [open, { "parent.least": { lt: "$COL(least)" } }, [2]],
    [open, { least: { gt: "$COL(parent.least)" } }, [2]],
    [open, { "parent.least": { lt: "$COL(parent.most)" } }, [2]],
    [open, { NOT: { "parent.least": { lt: "$COL(parent.most)" } } }, [3]],
    [open, { NOT: { "parent.least": { lt: "$COL(most)" } } }, []],
    [open, { "children.least": { gt: "$COL(children.most)" } }, [1]],
    [open, { "children.least": { gt: "$COL(most)" } }, [1]],
    [open, { NOT: { "children.least": { gt: "$COL(children.most)" } } }, [2, 3]],
    [open, { children: { "children.id": { gt: "$COL(children.id)" } } }, [1]],
    [open, { at: { cast: "date", lt: "$COL(at)" } }, [1, 2]],
    [open, { "parent.parent.least": { ne: "$COL(parent.least)" } }, [3]],
    [
      bare,
      { least: { gt: "$COL(secret)" } },
      "FORBIDDEN filter.least.gt: You don't have permission to read field 'secret' of 'docs'",
    ],
    [bare, { least: { gt: "$COL(secret::text)" } }, "INVALID_QUERY filter.least.gt"],
    [bare, { least: { gt: "$COL(parent.secret)" } }, "FORBIDDEN filter.least.gt"],
    [bare, { least: { gt: "$COL(parent.least)" } }, [2]],
    [bare, { NOT: { least: { gt: "$COL(docs.secret)" } } }, "FORBIDDEN"],
    [bare, { least: { gt: "$COL(owner.email)" } }, "INVALID_QUERY filter.least.gt"],
    [some, { least: { gt: "$COL(parent.least)" } }, []],
    [some, { NOT: { least: { gt: "$COL(parent.least)" } } }, []],
    [open, { least: { gt: "$COL(children.least)" } }, "INVALID_QUERY filter.least.gt: 'children' is a list"],
    [open, { owner: "$COL(owner.id)" }, "FORBIDDEN"],
  ];
  test.each(rows.map((row) => [...row] as const))("%j %j", async (permission, filter, expected) => {
    await allow(permission);
    const got = await outcome(ids(ann, filter));
    if (typeof expected === "string") expect(got).toStartWith(expected);
    else expect(got).toEqual(expected as number[]);
  });

  test("in a rule compares columns that the role may not read", async () => {
    await allow({
      ...bare,
      conditions: { secret: { lt: "$COL(most)" }, "children.secret": { gt: "$COL(secret)" } },
    });
    expect(await ids(ann)).toEqual([1]);
  });
});

describe("default values", () => {
  const defaultValues = {
    owner_Id: "$CURRENT_USER",
    mail: "$CURRENT_USER.email",
    title: "$CURRENT_ROLE.name",
    shared: ["$CURRENT_USER", other],
    meta: { by: "$CURRENT_USER.lastName", at: "$NOW", list: ["$CURRENT_ROLE"], fixed: 1 },
    at: "$NOW",
  };
  beforeEach(() =>
    allow(
      { collection: "docs", action: "create", fields: ["id", "mail"], defaultValues },
      {
        collection: "docs",
        action: "update",
        fields: ["id", "mail"],
        defaultValues: { title: "$CURRENT_USER.email" },
      },
    ),
  );
  const read = (ids: readonly unknown[]) =>
    app.data.find<Record<string, unknown>>(server, "docs", { filter: { id: { in: ids } }, sort: "id" });

  test("are read when the row is written", async () => {
    await app.data.create(ann, "docs", [{ id: 10 }, { id: 11, mail: "own" }]);
    const meta = { by: "Ann", at: expect.stringContaining("T"), list: [roleId], fixed: 1 };
    const filled = { owner_Id: ann.id, title: "user", shared: [ann.id, other], meta };
    expect(await read([10, 11])).toMatchObject([
      { ...filled, mail: "ann@example.com" },
      { ...filled, mail: "own" },
    ]);
    await app.data.create(bob, "docs", [{ id: 12 }]);
    expect(await read([12])).toMatchObject([{ owner_Id: bob.id, mail: "bob@example.com", meta: null }]);
    await app.data.update(bob, "docs", [
      { id: 10, data: { mail: "x" } },
      { id: 11, data: {} },
    ]);
    expect(await read([10, 11])).toMatchObject([
      { title: "bob@example.com", mail: "x" },
      { title: "bob@example.com", mail: "own" },
    ]);
  });

  test("without an account are empty", async () => {
    await app.data.create(anonymous, "docs", [{ id: 13 }]);
    expect(await read([13])).toMatchObject([{ owner_Id: null, mail: null, title: null, meta: null }]);
  });
});
