/** `/schemas` over HTTP on a real database: shapes, texts, mistakes, and who may. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SchemaRecord } from "@baasix/types";
import { type Answer, type Call, testApp, type TestApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";

let app: TestApp;
let user: { token: string; id: string };
beforeAll(async () => {
  app = await testApp();
  user = await app.signUp("user@example.com");
});
afterAll(() => app.close());

const admin = (method: string, path: string, body?: unknown): Promise<Answer> =>
  app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });
const define = (collectionName: string, schema: object): Promise<Answer> =>
  admin("POST", "/schemas", { collectionName, schema });
const read = async (name: string): Promise<SchemaRecord["schema"]> =>
  ((await admin("GET", `/schemas/${name}`)).body as { data: SchemaRecord }).data.schema;
const errorOf = (answer: Answer): { message: string; code: string; details: unknown } =>
  (answer.body as { error: { message: string; code: string; details: unknown } }).error;

const testModel = {
  name: "TestModel",
  fields: {
    id: { type: "SUID", primaryKey: true, defaultValue: { type: "SUID" } },
    name: { type: "String" },
    email: { type: "String", unique: true },
  },
};

describe("the documented life of a schema", () => {
  test("create, read, change, delete", async () => {
    const created = await define("TestModel", testModel);
    expect([created.status, created.body]).toEqual([201, { message: "Schema created successfully" }]);

    const one = await admin("GET", "/schemas/TestModel");
    expect(one.status).toBe(200);
    expect(one.body).toMatchObject({ data: { collectionName: "TestModel", schema: testModel } });

    const item = await admin("POST", "/items/TestModel", { name: "a", email: "a@example.com" });
    expect(item.status).toBe(201);
    expect((item.body as { data: { id: string } }).data.id).toMatch(/^[\w-]{22}$/);

    const changed = await admin("PATCH", "/schemas/TestModel", {
      schema: { ...testModel, fields: { ...testModel.fields, phone: { type: "String" } } },
    });
    expect([changed.status, changed.body]).toEqual([200, { message: "Schema updated successfully" }]);
    expect((await admin("POST", "/items/TestModel", { phone: "1" })).status).toBe(201);

    const removed = await admin("DELETE", "/schemas/TestModel");
    expect([removed.status, removed.body]).toEqual([200, { message: "Schema deleted successfully" }]);
    expect((await admin("GET", "/schemas/TestModel")).status).toBe(404);
    expect((await admin("GET", "/items/TestModel")).status).toBe(404);
  });

  test("the blog of the document: AUTOINCREMENT, default, now(), usertrack, paranoid", async () => {
    const posts = {
      name: "Post",
      fields: {
        id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
        title: { type: "String", allowNull: false },
        published: { type: "Boolean", default: false },
        authorId: { type: "String", allowNull: false },
        createdAt: { type: "DateTime", default: "now()" },
      },
      usertrack: true,
      paranoid: true,
    };
    expect((await define("posts", posts)).status).toBe(201);
    const made = await admin("POST", "/items/posts?fields=*", { title: "First", authorId: "user-123" });
    expect(made.body).toMatchObject({
      data: { id: 1, title: "First", published: false, createdAt: expect.any(String), deletedAt: null },
    });
    const tagged = { ...posts, fields: { ...posts.fields, tags: { type: "JSON" } } };
    expect((await admin("PATCH", "/schemas/posts", { schema: tagged })).status).toBe(200);
    const second = await admin("POST", "/items/posts?fields=*", {
      title: "My First Post",
      authorId: "user-123",
      published: true,
      tags: ["tech", "tutorial"],
    });
    expect(second.body).toMatchObject({ data: { id: 2, tags: ["tech", "tutorial"], published: true } });
    expect((await admin("DELETE", "/items/posts/1")).status).toBe(200);
    expect((await admin("GET", "/items/posts")).body).toMatchObject({ totalCount: 1 });
  });

  test("the product of the SDK document, with validation", async () => {
    const created = await define("products", {
      name: "Product",
      timestamps: true,
      fields: {
        id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
        sku: { type: "SUID", unique: true, defaultValue: { type: "SUID" } },
        name: {
          type: "String",
          allowNull: false,
          values: { length: 255 },
          validate: { notEmpty: true, len: [3, 255] },
        },
        price: { type: "Decimal", values: { precision: 10, scale: 2 }, validate: { min: 0, max: 999999.99 } },
        quantity: { type: "Integer", defaultValue: 0, validate: { isInt: true, min: 0 } },
        email: { type: "String", validate: { isEmail: true } },
        website: { type: "String", validate: { isUrl: true } },
        status: { type: "String", defaultValue: "draft" },
        isActive: { type: "Boolean", defaultValue: true },
        sortOrder: {
          type: "Integer",
          defaultValue: { type: "SQL", value: '(SELECT COALESCE(MAX("sortOrder"), 0) + 1 FROM products)' },
        },
      },
    });
    expect([created.status, created.text]).toEqual([201, expect.any(String)]);
    const made = await admin("POST", "/items/products?fields=*", { name: "Chair", price: 29.99 });
    expect(made.body).toMatchObject({
      data: { price: "29.99", quantity: 0, status: "draft", isActive: true, sortOrder: 1 },
    });
    const bad = await admin("POST", "/items/products", {
      name: "  ",
      price: "-0.01",
      email: "x",
      website: "javascript:1",
    });
    expect(bad.status).toBe(400);
    expect(errorOf(bad).message).toBe(
      "Validation failed: name: Field cannot be empty; name: Value must be at least 3 characters long; " +
        "price: Value -0.01 is less than minimum 0; email: Invalid email format; website: Invalid URL format",
    );
  });
});

describe("every type with every default it can have", () => {
  const uuid = /^[0-9a-f-]{36}$/;
  const instant = /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/;
  const sqlOf = (value: string) => ({ type: "SQL", value });
  const rows: readonly (readonly [type: string, values: unknown, defaultValue: unknown, result: unknown])[] =
    [
      ["UUID", null, { type: "UUIDV4" }, expect.stringMatching(uuid)],
      ["UUID", null, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
      ["UUID", null, sqlOf("gen_random_uuid()"), expect.stringMatching(uuid)],
      ["SUID", null, { type: "SUID" }, expect.stringMatching(/^[\w-]{22}$/)],
      ["SUID", null, "fixed", "fixed"],
      ["String", { length: 36 }, { type: "UUIDV4" }, expect.stringMatching(uuid)],
      ["String", null, { type: "SUID" }, expect.stringMatching(/^[\w-]{22}$/)],
      ["String", null, 'it\'s \\ "q"', 'it\'s \\ "q"'],
      ["String", null, sqlOf("upper('a') || '-' || lpad('7', 3, '0')"), "A-007"],
      ["Text", null, "now()", "now()"],
      ["Integer", null, { type: "AUTOINCREMENT" }, 1],
      ["Integer", null, -5, -5],
      ["Integer", null, sqlOf("(select count(*) from everything)"), 0],
      ["BigInt", null, { type: "AUTOINCREMENT" }, "1"],
      ["BigInt", null, "9223372036854775807", "9223372036854775807"],
      ["Boolean", null, false, false],
      ["DateTime", null, { type: "NOW" }, expect.stringMatching(instant)],
      ["DateTime", null, "now", expect.stringMatching(instant)],
      ["DateTime", null, "2026-11-20T11:00:00+02:00", "2026-11-20T09:00:00+00:00"],
      [
        "DateTime",
        null,
        sqlOf("date_trunc('day', now()) + interval '7 days'"),
        expect.stringMatching(instant),
      ],
      ["Date", null, { type: "NOW" }, expect.stringMatching(/^\d{4}-\d\d-\d\d$/)],
      ["Date", null, "2024-02-29", "2024-02-29"],
      ["Time", null, { type: "NOW" }, expect.stringMatching(/^\d\d:\d\d:\d\d/)],
      ["Time", null, "09:13", "09:13:00"],
      ["Decimal", { precision: 10, scale: 2 }, 1.5, "1.50"],
      ["Decimal", null, "123456789012345678901234567890.5", "123456789012345678901234567890.5"],
      ["Double", null, 0.1, 0.1],
      ["Float", null, 0.1, 0.1],
      ["Real", null, 1e-3, 0.001],
      ["JSON", null, { value: { a: [1, "'"] } }, { a: [1, "'"] }],
      ["JSON", null, { a: 1 }, { a: 1 }],
      ["JSONB", null, [], []],
      ["JSONB", null, sqlOf("jsonb_build_object('a', 1)"), { a: 1 }],
      ["Enum", ["a", "it's"], "it's", "it's"],
      ["Array", { type: "String" }, ["a,b", 'c"d'], ["a,b", 'c"d']],
      ["Array", { type: "BigInt" }, [], []],
      ["Array_DateTime", null, ["2026-11-20T09:00:00Z"], ["2026-11-20T09:00:00+00:00"]],
      ["Array", { type: "Integer" }, sqlOf("array[1, 2]"), [1, 2]],
    ];

  test("by the API and by other programs", async () => {
    const fields = rows.map(
      ([type, values, defaultValue], index) => [`f${index}`, { type, values, defaultValue }] as const,
    );
    const made = await define("everything", { name: "E", fields: Object.fromEntries(fields) });
    expect([made.status, made.text]).toEqual([201, expect.any(String)]);
    const created = await admin("POST", "/items/everything?fields=*", {});
    expect(created.body).toMatchObject({
      data: Object.fromEntries(rows.map(([, , , result], index) => [`f${index}`, result])),
    });
    await outsider(app.address, "insert into everything default values");
    const all = (await admin("GET", "/items/everything?sort=f10")).body as {
      data: Record<string, unknown>[];
    };
    expect(all.data).toHaveLength(2);
    for (const [index, [type, , , result]] of rows.entries()) {
      // A counter goes on, and a sub-select is evaluated by our own INSERT alone.
      if (type === "Integer" || (type === "BigInt" && result === "1")) continue;
      expect(all.data[1]?.[`f${index}`]).toEqual(result);
    }
  });

  test("rows of one request that set different fields get the defaults of the others", async () => {
    await define("mixed", {
      name: "M",
      fields: {
        a: { type: "Integer", defaultValue: 7 },
        b: { type: "Text", defaultValue: "x" },
        sort: { type: "Integer", defaultValue: sqlOf("(SELECT COUNT(*) + 1 FROM mixed)") },
      },
    });
    const sent = await admin("POST", "/items/mixed/bulk", [{ a: 1 }, { b: "y" }, { a: null, sort: 9 }]);
    expect(sent.status).toBe(201);
    const read = await admin("GET", "/items/mixed?fields=a,b,sort&sort=sort,a");
    expect(read.body).toMatchObject({
      data: [
        { a: 1, b: "x", sort: 1 },
        { a: 7, b: "y", sort: 2 },
        { a: null, b: "x", sort: 9 },
      ],
    });
  });
});

describe("reading", () => {
  test("search, sort and pages", async () => {
    for (const name of ["zebra_a", "zebra_b", "zebra_c"]) await define(name, { name, fields: {} });
    const names = (answer: Answer) =>
      (answer.body as { data: SchemaRecord[] }).data.map((one) => one.collectionName);
    const all = await admin("GET", "/schemas?search=ZEBRA&sort=collectionName:desc");
    expect(names(all)).toEqual(["zebra_c", "zebra_b", "zebra_a"]);
    expect(all.body).not.toHaveProperty("pagination");
    expect((await admin("GET", "/schemas?search=ZEBRA&sort=collectionName:desc&limit=-1")).body).toEqual(
      all.body,
    );
    const page = await admin("GET", "/schemas?search=zebra&page=2&limit=2");
    expect(names(page)).toEqual(["zebra_c"]);
    expect(page.body).toMatchObject({
      totalCount: 3,
      pagination: {
        currentPage: 2,
        totalPages: 2,
        limit: 2,
        hasNextPage: false,
        hasPrevPage: true,
        nextPage: null,
        prevPage: 1,
      },
    });
    expect((await admin("GET", "/schemas?limit=0")).status).toBe(400);
    expect((await admin("GET", "/schemas?sort=createdAt:asc")).status).toBe(400);
  });

  test("credentials are in no definition", async () => {
    for (const path of ["/schemas", "/schemas-export", "/items/baasix_SchemaDefinition?limit=-1"]) {
      const everything = (await admin("GET", path)).text;
      expect(everything).toContain("baasix_User");
      expect(everything).not.toContain("previousToken");
    }
    expect((await read("baasix_Account")).fields).not.toHaveProperty("password");
  });

  test("what the server added is shown, and may be sent back", async () => {
    await define("echo", {
      name: "Echo",
      fields: { text: { type: "Text" } },
      usertrack: true,
      paranoid: true,
    });
    const shown = await read("echo");
    expect(Object.keys(shown.fields)).toEqual([
      "id",
      "text",
      "createdAt",
      "updatedAt",
      "deletedAt",
      "userCreated_Id",
      "userUpdated_Id",
      "userCreated",
      "userUpdated",
    ]);
    expect(shown.fields.deletedAt).toEqual({ type: "DateTime", SystemGenerated: true });
    const dry = await admin("PATCH", "/schemas/echo?dryRun=true", { schema: shown });
    expect(dry.body).toEqual({
      message: "Dry run: nothing was changed",
      changes: [{ kind: "changeDefinition", collection: "echo" }],
    });
    expect((await admin("PATCH", "/schemas/echo", { schema: shown })).status).toBe(200);
    expect(await read("echo")).toEqual({ ...shown, fields: { ...shown.fields } });
  });
});

describe("who may", () => {
  const schema = { name: "x", fields: {} };
  const cases: readonly (readonly [string, string, unknown])[] = [
    ["POST", "/schemas", { collectionName: "x", schema }],
    ["PATCH", "/schemas/baasix_User", { schema }],
    ["DELETE", "/schemas/baasix_User", undefined],
    ["POST", "/schemas/baasix_User/relationships", { type: "M2O", name: "x", target: "baasix_Role" }],
    ["DELETE", "/schemas/baasix_User/relationships/x", undefined],
  ];
  for (const [method, path, body] of cases) {
    test(`${method} ${path} is for administrators`, async () => {
      const call: Call = body === undefined ? {} : { body };
      const denied = await app.call(method, path, { ...call, token: user.token });
      expect([denied.status, errorOf(denied).message]).toEqual([403, "Access denied. Administrators only."]);
      expect((await app.call(method, path, call)).status).toBe(401);
    });
  }

  test("signed-in users read, nobody else does", async () => {
    expect((await app.call("GET", "/schemas", { token: user.token })).status).toBe(200);
    expect((await app.call("GET", "/schemas")).status).toBe(401);
    expect((await app.call("GET", "/schemas/baasix_User")).status).toBe(401);
  });

  test("SCHEMAS_PUBLIC=false asks for the permission, and obeys its conditions", async () => {
    const strict = await testApp({ env: { SCHEMAS_PUBLIC: "false" } });
    try {
      const reader = await strict.signUp("reader@example.com");
      const call = (path: string) => strict.call("GET", path, { token: reader.token });
      expect((await call("/schemas")).status).toBe(403);
      const role = [...strict.snapshot.current().rules.roles.values()].find(
        ({ role: one }) => one.name === "user",
      );
      const granted = await strict.call("POST", "/permissions", {
        token: strict.admin,
        body: {
          role_Id: role?.role.id,
          collection: "baasix_SchemaDefinition",
          action: "read",
          fields: ["*"],
          conditions: { collectionName: { in: ["baasix_File"] } },
        },
      });
      expect(granted.status).toBe(201);
      expect((await call("/schemas")).body).toMatchObject({
        totalCount: 1,
        data: [{ collectionName: "baasix_File" }],
      });
      expect((await call("/schemas/baasix_File")).status).toBe(200);
      expect((await call("/schemas/baasix_User")).status).toBe(404);
      const everyone = strict.snapshot.current().rules.public?.role.id;
      const body = {
        role_Id: everyone,
        collection: "baasix_SchemaDefinition",
        action: "read",
        fields: ["*"],
      };
      expect((await strict.call("POST", "/permissions", { token: strict.admin, body })).status).toBe(201);
      for (const path of ["/schemas", "/schemas/baasix_File"])
        expect((await strict.call("GET", path)).status).toBe(401);
      expect((await strict.call("GET", "/items/baasix_SchemaDefinition")).status).toBe(403);
      expect((await call("/items/baasix_SchemaDefinition?fields=collectionName")).body).toMatchObject({
        data: [{ collectionName: "baasix_File" }],
      });
    } finally {
      await strict.close();
    }
  });
});

describe("mistakes", () => {
  const rows: readonly (readonly [string, string, unknown, number, string, string])[] = [
    [
      "POST",
      "/schemas",
      { collectionName: "baasix_Mine", schema: { fields: {} } },
      400,
      "INVALID_SCHEMA",
      "collectionName: 'baasix_Mine': names that begin with",
    ],
    [
      "POST",
      "/schemas",
      { collectionName: "PG_x", schema: { fields: {} } },
      400,
      "INVALID_SCHEMA",
      "reserved",
    ],
    [
      "POST",
      "/schemas",
      { collectionName: "a b", schema: { fields: {} } },
      400,
      "INVALID_SCHEMA",
      "expected a name of letters",
    ],
    [
      "POST",
      "/schemas",
      { collectionName: "baasix_User", schema: { fields: {} } },
      409,
      "SCHEMA_EXISTS",
      "Schema already exists",
    ],
    ["POST", "/schemas", { schema: { fields: {} } }, 400, "VALIDATION_ERROR", "collectionName"],
    [
      "POST",
      "/schemas",
      { collectionName: "ok", schema: { fields: { price: { type: "Decmal" } } } },
      400,
      "INVALID_SCHEMA",
      "schema.fields.price.type: unknown type 'Decmal'; did you mean 'Decimal'?",
    ],
    [
      "POST",
      "/schemas",
      {
        collectionName: "ok",
        schema: { fields: { n: { type: "Integer", defaultValue: { type: "SQL", value: "'x'" } } } },
      },
      400,
      "INVALID_SCHEMA",
      "ok: the default cannot be used: ",
    ],
    ["PATCH", "/schemas/nothing", { schema: { fields: {} } }, 404, "NOT_FOUND", "Schema not found"],
    ["PATCH", "/schemas/baasix_User", { schema: { fields: {} } }, 400, "INVALID_SCHEMA", "built in"],
    ["PATCH", "/schemas/zebra_a", {}, 400, "BAD_REQUEST", "either schema"],
    [
      "PATCH",
      "/schemas/zebra_a",
      { schema: { fields: {} }, fields: {} },
      400,
      "BAD_REQUEST",
      "either schema",
    ],
    ["PATCH", "/schemas/zebra_a", { fields: { n: { type: "Intger" } } }, 400, "INVALID_SCHEMA", "Integer"],
    ["DELETE", "/schemas/nothing", undefined, 404, "NOT_FOUND", "Schema not found"],
    ["DELETE", "/schemas/baasix_User", undefined, 400, "INVALID_SCHEMA", "built in"],
    ["DELETE", "/schemas/zebra_a?force=maybe", undefined, 400, "VALIDATION_ERROR", "force"],
    ["DELETE", "/schemas/zebra_a?dryrun=true", undefined, 400, "VALIDATION_ERROR", "did you mean 'dryRun'?"],
    ["POST", "/schemas/indexes/migrate?dryRun=true", undefined, 400, "VALIDATION_ERROR", "unknown parameter"],
    ["POST", "/schemas-import?dry=true", { schemas: [] }, 400, "VALIDATION_ERROR", "unknown parameter"],
    ["GET", "/schemas?filter={}", undefined, 400, "VALIDATION_ERROR", "query.filter: unknown parameter"],
    ["DELETE", "/schemas/nothing?access_token=x", undefined, 404, "NOT_FOUND", "Schema not found"],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2M", name: "tags", target: "zebra_b", foreignKey: "x" },
      400,
      "INVALID_SCHEMA",
      "foreignKey: a relation of type M2M has none (it takes target, through); remove it",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2X", name: "tags", target: "zebra_b" },
      400,
      "INVALID_SCHEMA",
      "type: expected M2O, O2O, O2M, M2M, M2A, got 'M2X'",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2O", name: "order", target: "zebra_b" },
      400,
      "INVALID_SCHEMA",
      "name: 'order' is reserved",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2O", name: "zebra_a", target: "zebra_b" },
      400,
      "INVALID_SCHEMA",
      "name of the collection itself",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2O", name: "next", target: "zebra" },
      400,
      "INVALID_SCHEMA",
      "target: unknown collection 'zebra'",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2O", name: "next", target: "baasix_Account" },
      400,
      "INVALID_SCHEMA",
      "target: unknown collection 'baasix_Account'",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2O", name: "id", target: "zebra_b" },
      409,
      "CONFLICT",
      "already has a field 'id'",
    ],
    [
      "POST",
      "/schemas/zebra_a/relationships",
      { type: "M2O", name: "next", target: "zebra_b", onDelete: "SET NULL", allowNull: false },
      400,
      "INVALID_SCHEMA",
      "SET NULL needs a key that may be null",
    ],
    [
      "POST",
      "/schemas/nothing/relationships",
      { type: "M2O", name: "next", target: "zebra_b" },
      404,
      "NOT_FOUND",
      "Schema not found",
    ],
    [
      "DELETE",
      "/schemas/zebra_a/relationships/nxt",
      undefined,
      404,
      "NOT_FOUND",
      "'zebra_a' has no relation 'nxt'",
    ],
  ];
  for (const [method, path, body, status, code, message] of rows) {
    test(`${method} ${path} ${JSON.stringify(body ?? "").slice(0, 70)} is ${status}`, async () => {
      const answer = await admin(method, path, body);
      expect([answer.status, errorOf(answer).code]).toEqual([status, code]);
      expect(errorOf(answer).message).toContain(message);
    });
  }
});

describe("relations", () => {
  beforeAll(async () => {
    await define("countries", {
      name: "Country",
      fields: { code: { type: "String", values: { length: 2 }, primaryKey: true }, name: { type: "String" } },
    });
    await define("cities", { name: "City", fields: { name: { type: "String" } } });
  });

  test("M2O with its reverse alias", async () => {
    const body = { type: "M2O", name: "country", target: "countries", alias: "cities" };
    const made = await admin("POST", "/schemas/cities/relationships", body);
    expect([made.status, made.body]).toEqual([201, { message: "Relationship created successfully" }]);
    expect((await read("cities")).fields).toMatchObject({
      country: { relType: "BelongsTo", target: "countries", foreignKey: "country_Id" },
      country_Id: { type: "String", values: { length: 2 }, SystemGenerated: true },
    });
    expect((await read("countries")).fields.cities).toMatchObject({
      relType: "HasMany",
      target: "cities",
      foreignKey: "country_Id",
    });

    await admin("POST", "/items/countries", { code: "NO", name: "Norway" });
    await admin("POST", "/items/cities", { name: "Bergen", country_Id: "NO" });
    expect((await admin("GET", "/items/countries?fields=name,cities.name")).body).toMatchObject({
      data: [{ name: "Norway", cities: [{ name: "Bergen" }] }],
    });
    const orphan = await admin("POST", "/items/cities", { name: "X", country_Id: "XX" });
    expect([orphan.status, errorOf(orphan).code]).toEqual([409, "FOREIGN_KEY_VIOLATION"]);
  });

  test("a whole definition that does not know the relation keeps it", async () => {
    const schema = { name: "City", fields: { name: { type: "String" }, people: { type: "Integer" } } };
    expect((await admin("PATCH", "/schemas/cities", { schema })).status).toBe(200);
    expect((await read("cities")).fields).toHaveProperty("country");
    expect((await admin("GET", "/items/cities?fields=name,country.name")).body).toMatchObject({
      data: [{ name: "Bergen", country: { name: "Norway" } }],
    });
  });

  test("a collection that others lead to is not deleted", async () => {
    const answer = await admin("DELETE", "/schemas/countries");
    expect([answer.status, errorOf(answer).code]).toEqual([409, "CONFLICT"]);
    expect(errorOf(answer).message).toBe(
      "countries: 'cities.country' leads to it; delete that relation first",
    );
  });

  test("deleting the relation takes its key and its alias, and asks first", async () => {
    const refused = await admin("DELETE", "/schemas/cities/relationships/country");
    expect([refused.status, errorOf(refused).code]).toEqual([409, "DATA_LOSS"]);
    expect(errorOf(refused).message).toContain("cities.country_Id: the values of 'country_Id'");
    const done = await admin("DELETE", "/schemas/cities/relationships/country?force=true");
    expect([done.status, done.body]).toEqual([200, { message: "Relationship deleted successfully" }]);
    expect((await read("countries")).fields).not.toHaveProperty("cities");
    expect((await read("cities")).fields).not.toHaveProperty("country_Id");
    expect((await admin("DELETE", "/schemas/countries")).status).toBe(200);
  });

  test("to itself, and to users with an alias there", async () => {
    await define("pages", { name: "Page", fields: { title: { type: "String" } } });
    const parent = { type: "M2O", name: "parent", target: "pages", alias: "children", onDelete: "CASCADE" };
    expect((await admin("POST", "/schemas/pages/relationships", parent)).status).toBe(201);
    const editor = { type: "M2O", name: "editor", target: "baasix_User", alias: "pages" };
    expect((await admin("POST", "/schemas/pages/relationships", editor)).status).toBe(201);
    expect((await read("baasix_User")).fields.pages).toMatchObject({ relType: "HasMany", target: "pages" });
    expect((await read("pages")).fields.editor_Id).toMatchObject({ type: "UUID" });
    await app.snapshot.reloadSchema();
    expect((await read("baasix_User")).fields.pages).toMatchObject({ relType: "HasMany" });
    expect((await admin("DELETE", "/schemas/pages")).status).toBe(200);
    expect((await read("baasix_User")).fields).not.toHaveProperty("pages");
  });
});

describe("changes that lose data", () => {
  test("are listed, refused, and made when forced", async () => {
    await define("notes", { name: "Note", fields: { text: { type: "Text" }, extra: { type: "Text" } } });
    const less = { schema: { name: "Note", fields: { text: { type: "Text" } } } };
    const free = await admin("PATCH", "/schemas/notes?dryRun=true", less);
    expect(free.body).toMatchObject({
      changes: [{ kind: "dropField", collection: "notes", field: "extra" }],
    });
    expect(free.text).not.toContain("loses");

    await admin("POST", "/items/notes", { text: "a", extra: "b" });
    const dry = await admin("PATCH", "/schemas/notes?dryRun=true", less);
    expect(dry.body).toMatchObject({ changes: [{ field: "extra", loses: "the values of 'extra'" }] });
    const refused = await admin("PATCH", "/schemas/notes", less);
    expect([refused.status, errorOf(refused).code]).toEqual([409, "DATA_LOSS"]);
    expect(errorOf(refused).message).toContain("Repeat it with ?force=true");
    expect((await admin("GET", "/items/notes")).text).toContain('"extra":"b"');
    expect((await admin("PATCH", "/schemas/notes?force=true", less)).status).toBe(200);
    expect((await admin("GET", "/items/notes")).text).not.toContain("extra");
  });
});
