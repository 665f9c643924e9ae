import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { type Answer, testApp, type TestApp } from "../../testing/app";

type Json = Record<string, unknown>;

const root = system("sets the scene of the test");
const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };

let app: TestApp;
let ann: string;
/** A role that may write and not read. */
let blind: string;

beforeAll(async () => {
  app = await testApp();
  const schemas: Json = {
    products: {
      name: "Product",
      paranoid: true,
      timestamps: false,
      fields: {
        id: key,
        sku: { type: "String", unique: true },
        name: { type: "String", allowNull: false },
        stock: { type: "Integer", defaultValue: 0 },
        secret: { type: "String" },
      },
    },
    // Not paranoid: `deletedAt` is a column like any other.
    logs: {
      name: "Log",
      timestamps: false,
      fields: { id: key, deletedAt: { type: "DateTime" }, text: { type: "Text" } },
    },
    reviews: { name: "Review", timestamps: false, fields: { id: key, text: { type: "Text" } } },
  };
  for (const [collectionName, schema] of Object.entries(schemas)) {
    await app.call("POST", "/schemas", { token: app.admin, body: { collectionName, schema } });
  }
  const relation = { type: "M2O", name: "product", target: "products", alias: "reviews" };
  await app.call("POST", "/schemas/reviews/relationships", { token: app.admin, body: relation });
  const made = await app.call("POST", "/items/baasix_Role", { token: app.admin, body: { name: "blind" } });
  const roles = await app.call("GET", "/items/baasix_Role", { token: app.admin });
  const list = (roles.body as { data: { id: string; name: string }[] }).data;
  const user = list.find(({ name }) => name === "user")?.id;
  const writer = (made.body as { data: { id: string } }).data.id;
  const inStock = { stock: { gt: 0 } };
  const rights: [unknown, string, Json][] = [
    [user, "read", { fields: ["id", "sku", "name", "stock"] }],
    [user, "create", { fields: ["sku", "name", "stock"] }],
    [user, "update", { fields: ["sku", "name", "stock", "deletedAt"], conditions: inStock }],
    [user, "delete", { conditions: inStock }],
    [writer, "update", { fields: ["name"] }],
    [writer, "delete", {}],
  ];
  for (const [role_Id, action, rest] of rights) {
    const body = { role_Id, collection: "products", action, ...rest };
    expect((await app.call("POST", "/permissions", { token: app.admin, body })).status).toBe(201);
  }
  ann = (await app.signUp("ann@example.com")).token;
  const account = await app.signUp("blind@example.com");
  const [membership] = await app.data.find<{ id: string }>(root, "baasix_UserRole", {
    filter: { user_Id: account.id },
  });
  await app.data.update(root, "baasix_UserRole", [{ id: membership?.id ?? "", data: { role_Id: writer } }]);
  blind = await app.login("blind@example.com", "a good password");
});
afterAll(() => app.close());

beforeEach(async () => {
  for (const collection of ["reviews", "logs", "products"])
    await app.data.removeWhere(root, collection, { id: { gt: 0 } }, { permanent: true });
  await app.data.create(root, "products", [
    { id: 901, sku: "boot", name: "Boot", stock: 3, secret: "s" },
    { id: 902, sku: "hat", name: "Hat", stock: 5 },
    { id: 903, sku: "cap", name: "Cap", stock: 0 },
  ]);
});

type Sent = { token?: string; body?: unknown; headers?: Record<string, string> };
const send = (request: string, { token = app.admin, ...rest }: Sent = {}): Promise<Answer> => {
  const [method = "", path = ""] = request.split(" ");
  return app.call(method, `/items/${path}`, { token, ...rest });
};
const dataOf = ({ body }: Answer) => (body as { data?: unknown }).data;
const errorOf = ({ body }: Answer) => (body as { error?: { code: string; message: string } } | null)?.error;
const everything = async () =>
  JSON.stringify([
    await app.data.find(root, "products", { sort: "id", paranoid: false }),
    await app.data.find(root, "logs", { sort: "id" }),
  ]);
/** `id name stock`, deleted ones in brackets. */
const products = async () =>
  (
    await app.data.find<{ id: number; name: string; stock: number; deletedAt: string | null }>(
      root,
      "products",
      { sort: "id", paranoid: false },
    )
  ).map(({ id, name, stock, deletedAt }) =>
    deletedAt === null ? `${id} ${name} ${stock}` : `(${id} ${name} ${stock})`,
  );

const [boot, hat, cap] = ["901 Boot 3", "902 Hat 5", "903 Cap 0"];
const anyId = expect.any(Number);

describe("what a write answers, and what it leaves", () => {
  const cases: [string, Sent, number, unknown, (string | object)[]][] = [
    // By filter.
    [
      "PATCH products",
      { body: { filter: { stock: { gt: 0 } }, data: { stock: 9 } } },
      200,
      { count: 2, ids: [901, 902] },
      ["901 Boot 9", "902 Hat 9", cap],
    ],
    [
      "PATCH products",
      { body: { filter: { name: "x" }, data: { stock: 9 } } },
      200,
      { count: 0, ids: [] },
      [boot, hat, cap],
    ],
    [
      "PATCH products",
      { token: "ann", body: { filter: { id: { gt: 0 } }, data: { stock: 9 } } },
      200,
      { count: 2, ids: [901, 902] },
      ["901 Boot 9", "902 Hat 9", cap],
    ],
    [
      "DELETE products",
      { body: { filter: { sku: "boot" } } },
      200,
      { count: 1, ids: [901] },
      ["(901 Boot 3)", hat, cap],
    ],
    ['DELETE products?filter={"sku":"boot"}', {}, 200, { count: 1, ids: [901] }, ["(901 Boot 3)", hat, cap]],
    [
      "DELETE products?filter[stock][gt]=3",
      { token: "ann" },
      200,
      { count: 1, ids: [902] },
      [boot, "(902 Hat 5)", cap],
    ],
    [
      "DELETE products?permanent=true",
      { body: { filter: { id: { lt: 903 } } } },
      200,
      { count: 2, ids: [901, 902] },
      [cap],
    ],
    [
      "DELETE products",
      { token: "ann", body: { filter: { id: { gt: 0 } } } },
      200,
      { count: 2, ids: [901, 902] },
      ["(901 Boot 3)", "(902 Hat 5)", cap],
    ],
    ["DELETE products", { body: { filter: { OR: [] } } }, 200, { count: 0, ids: [] }, [boot, hat, cap]],
    // Upsert.
    [
      "PUT products",
      { body: { on: "sku", data: { sku: "boot", stock: 1 } } },
      200,
      { id: 901, created: false },
      ["901 Boot 1", hat, cap],
    ],
    [
      "PUT products",
      { body: { on: ["sku"], data: { sku: "tie", name: "Tie" } } },
      201,
      { id: anyId, created: true },
      [expect.stringMatching(/^\d+ Tie 0$/), boot, hat, cap],
    ],
    [
      "PUT products?fields=name,stock",
      { body: { on: "sku", data: { sku: "boot", stock: 1 } } },
      200,
      { name: "Boot", stock: 1 },
      ["901 Boot 1", hat, cap],
    ],
    [
      "PUT products?fields=name,stock",
      { token: "ann", body: { on: "sku", data: { sku: "tie", name: "Tie" } } },
      201,
      { name: "Tie", stock: 0 },
      [expect.stringMatching(/^\d+ Tie 0$/), boot, hat, cap],
    ],
    [
      "PUT products",
      {
        body: {
          on: "sku",
          data: [
            { sku: "boot", stock: 1 },
            { sku: "tie", name: "Tie" },
          ],
        },
      },
      200,
      [
        { id: 901, created: false },
        { id: anyId, created: true },
      ],
      [expect.stringMatching(/Tie/), "901 Boot 1", hat, cap],
    ],
    [
      "PUT products",
      { body: { on: "sku", data: [{ sku: "tie", name: "Tie" }] } },
      201,
      [{ id: anyId, created: true }],
      [expect.stringMatching(/Tie/), boot, hat, cap],
    ],
    [
      "PUT products",
      { body: { on: "id", data: { id: 902, stock: 1 } } },
      200,
      { id: 902, created: false },
      [boot, "902 Hat 1", cap],
    ],
    [
      "PUT products",
      { body: { filter: { sku: "hat" }, data: { stock: 1 } } },
      200,
      { id: 902, created: false },
      [boot, "902 Hat 1", cap],
    ],
    [
      "PUT products",
      { body: { filter: { sku: "tie" }, data: { name: "Tie" } } },
      201,
      { id: anyId, created: true },
      [expect.stringMatching(/Tie/), boot, hat, cap],
    ],
    ["PUT products", { body: { on: "sku", data: [] } }, 200, [], [boot, hat, cap]],
    // Deleting and restoring, also as clients of the reference spell it.
    ["DELETE products/901?permanent=true", {}, 200, { id: 901 }, [hat, cap]],
    ["DELETE products/901?permanent=false", {}, 200, { id: 901 }, ["(901 Boot 3)", hat, cap]],
    ["DELETE products/bulk?permanent=true", { body: [901, 902] }, 204, undefined, [cap]],
    [
      "PATCH products/901",
      { body: { deletedAt: "2026-01-01T00:00:00Z" } },
      200,
      { id: 901 },
      ["(901 Boot 3)", hat, cap],
    ],
    [
      "PATCH products/901?fields=name",
      { body: { deletedAt: "2026-01-01T00:00:00Z" } },
      200,
      { name: "Boot" },
      ["(901 Boot 3)", hat, cap],
    ],
    [
      "PATCH products/bulk",
      {
        body: [
          { id: 901, deletedAt: "2026-01-01" },
          { id: 902, data: { deletedAt: "2026-01-01" } },
        ],
      },
      200,
      [901, 902],
      ["(901 Boot 3)", "(902 Hat 5)", cap],
    ],
    ["PATCH products/901", { body: { deletedAt: null } }, 200, { id: 901 }, [boot, hat, cap]],
    // With fields, each write of one item answers it.
    [
      "POST products?fields=name,stock",
      { body: { name: "Tie" } },
      201,
      { name: "Tie", stock: 0 },
      [expect.stringMatching(/Tie/), boot, hat, cap],
    ],
    [
      "PATCH products/901?fields=name,stock",
      { body: { stock: 4 } },
      200,
      { name: "Boot", stock: 4 },
      ["901 Boot 4", hat, cap],
    ],
    ["POST products/901/restore?fields=name", {}, 200, { name: "Boot" }, [boot, hat, cap]],
    ["POST products/901/restore", { token: "ann" }, 200, { id: 901 }, [boot, hat, cap]],
    ["POST products/restore", { body: [901, 902] }, 200, [901, 902], [boot, hat, cap]],
  ];
  test.each(cases)("%s %j", async (request, { token, ...sent }, status, data, left) => {
    const answer = await send(request, { ...sent, ...(token && { token: ann }) });
    expect([answer.status, errorOf(answer)]).toEqual([status, undefined]);
    expect(status === 204 ? answer.text || undefined : dataOf(answer)).toEqual(data);
    expect(await products()).toEqual(left as string[]);
  });

  test("what was deleted comes back, one by one, as a list, or by its time taken away", async () => {
    const ids = [901, 902, 903];
    const restore: [string, Sent][] = [
      ["POST products/901/restore", { token: ann }],
      ["POST products/restore", { body: [901, 902] }],
      ["PATCH products/901", { body: { deletedAt: null } }],
      ["PATCH products/bulk", { body: [{ id: 901, deletedAt: null }] }],
    ];
    for (const [request, sent] of restore) {
      await app.data.remove(root, "products", ids);
      const answer = await send(request, sent);
      expect([request, answer.status, (await products())[0]]).toEqual([request, 200, boot]);
      await app.data.restore(root, "products", ids);
    }
  });

  test("a collection that keeps no deleted items has its own `deletedAt`", async () => {
    const created = await send("POST logs", { body: { text: "a" } });
    const { id } = dataOf(created) as { id: number };
    const at = "2026-01-01T00:00:00+00:00";
    expect(dataOf(await send(`PATCH logs/${id}?fields=deletedAt`, { body: { deletedAt: at } }))).toEqual({
      deletedAt: at,
    });
    expect(dataOf(await send(`PATCH logs/${id}?fields=deletedAt`, { body: { deletedAt: null } }))).toEqual({
      deletedAt: null,
    });
    expect((await send(`POST logs/${id}/restore`)).status).toBe(400);
  });

  test("more than 1,000 items are counted, not listed", async () => {
    const some = (from: number) => Array.from({ length: 1000 }, (_, i) => ({ text: `${from + i}` }));
    for (const bodies of [some(0), some(1000).slice(0, 1)]) await app.data.create(root, "logs", bodies);
    const answer = await send("PATCH logs", { body: { filter: { id: { gt: 0 } }, data: { text: "x" } } });
    expect(dataOf(answer)).toEqual({ count: 1001 });
    expect(dataOf(await send("DELETE logs", { body: { filter: { text: "x" } } }))).toEqual({ count: 1001 });
  });
});

describe("what is refused changes nothing", () => {
  const bad = (
    request: string,
    body: unknown,
    message: string,
    code = "BAD_REQUEST",
    status = 400,
    sent: Sent = {},
  ) =>
    [request, { ...sent, ...(body !== undefined && { body }) }, status, code, message] as [
      string,
      Sent,
      number,
      string,
      string,
    ];
  const cases: [string, Sent, number, string, string][] = [
    bad(
      "PATCH products",
      { data: { stock: 1 } },
      'Request body must be {"filter": {…}, "data": {…}} (at filter)',
    ),
    bad("PATCH products", { filter: { id: 1 } }, "(at data)"),
    bad("PATCH products", { filter: { id: 1 }, data: {}, extra: 1 }, "Request body must be"),
    bad("PATCH products", [], "Request body must be"),
    bad("PATCH products", { filter: {}, data: { stock: 1 } }, "filter", "INVALID_QUERY"),
    bad("PATCH products", { filter: { AND: [] }, data: { stock: 1 } }, "filter", "INVALID_QUERY"),
    bad(
      "PATCH products",
      { filter: { nme: "x" }, data: { stock: 1 } },
      "did you mean 'name'?",
      "UNKNOWN_FIELD",
    ),
    bad("DELETE products", undefined, 'Request body must be {"filter": {…}}, or give ?filter='),
    bad("DELETE products", {}, "(at filter)"),
    bad("DELETE products", { filter: {} }, "filter", "INVALID_QUERY"),
    bad('DELETE products?filter={"id":901}', { filter: { id: 901 } }, "in the body or in the query string"),
    bad("DELETE products?filter={", undefined, "filter: not valid JSON", "INVALID_QUERY"),
    bad(
      "DELETE products?filtr[id]=901",
      undefined,
      "unknown parameter 'filtr'; did you mean 'filter'?",
      "INVALID_QUERY",
    ),
    bad(
      "DELETE products?permanent=yes",
      { filter: { id: 901 } },
      "permanent: expected true or false",
      "INVALID_QUERY",
    ),
    bad("DELETE products/901?permanant=true", undefined, "did you mean 'permanent'?", "INVALID_QUERY"),
    bad("PATCH products/901?filter[id]=1", { stock: 1 }, "unknown parameter 'filter'", "INVALID_QUERY"),
    bad("PUT products", { data: { sku: "boot" } }, 'Request body must be {"on": field or fields, "data"'),
    bad(
      "PUT products",
      { on: "sku", filter: { sku: "boot" }, data: { sku: "boot" } },
      "Request body must be",
    ),
    bad("PUT products", { on: "sku", data: { stock: 1 } }, "sku", "VALIDATION_ERROR"),
    bad("PUT products", { on: "stock", data: { stock: 3, name: "x" } }, "stock", "INVALID_QUERY"),
    bad("PUT products", { on: "skuu", data: { skuu: "x" } }, "skuu", "UNKNOWN_FIELD"),
    bad("PUT products", { filter: { stock: { gte: 3 } }, data: { name: "x" } }, "", "CONFLICT", 409),
    bad(
      "PUT products?fields=name",
      { on: "sku", data: [{ sku: "boot", stock: 1 }] },
      "fields: only a write of one item",
      "INVALID_QUERY",
    ),
    bad(
      "PUT products?fields=nme",
      { on: "sku", data: { sku: "boot", stock: 1 } },
      "did you mean 'name'?",
      "UNKNOWN_FIELD",
    ),
    bad("POST products?fields=nme", { name: "x" }, "did you mean 'name'?", "UNKNOWN_FIELD"),
    bad("POST products/999/restore", undefined, "Item not found", "NOT_FOUND", 404),
    bad("POST products/restore", { ids: [901] }, "Request body must be an array of IDs"),
    bad("POST products/restore", [901, 999], "Item not found", "NOT_FOUND", 404),
    bad("POST products/901/restore?fields=nme", undefined, "did you mean 'name'?", "UNKNOWN_FIELD"),
    bad("PATCH products/901", { deletedAt: "soon" }, "deletedAt: expected a time", "INVALID_VALUE"),
    bad("PATCH products/901", { deletedAt: 7 }, "deletedAt: expected a time", "INVALID_VALUE"),
    bad("PATCH products/901", { deletedAt: null, stock: 1 }, "deletedAt", "INVALID_VALUE"),
    bad(
      "PATCH products/bulk",
      [
        { id: 901, deletedAt: null },
        { id: 902, deletedAt: "2026-01-01" },
      ],
      "deletedAt",
      "INVALID_VALUE",
    ),
    bad(
      "PATCH products/bulk",
      [{ id: 901, data: { stock: 1 }, version: "x" }],
      "[0].version: expected an item's ETag",
    ),
    bad(
      "PATCH products/bulk",
      [
        { id: 902, data: { stock: 1 } },
        { id: 901, data: { stock: 1 }, version: "1" },
      ],
      "",
      "PRECONDITION_FAILED",
      412,
    ),
    // Rights.
    bad("PATCH products", { filter: { id: 903 }, data: { secret: "x" } }, "secret", "FORBIDDEN", 403, {
      token: "ann",
    }),
    bad("PATCH products", { filter: { secret: "s" }, data: { stock: 1 } }, "secret", "FORBIDDEN", 403, {
      token: "ann",
    }),
    bad("PATCH products", { filter: { id: { gt: 0 } }, data: { stock: 0 } }, "", "FORBIDDEN", 403, {
      token: "ann",
    }),
    bad("DELETE products", { filter: { secret: "s" } }, "secret", "FORBIDDEN", 403, { token: "ann" }),
    bad("PUT products", { on: "sku", data: { sku: "cap", stock: 1 } }, "", "NOT_FOUND", 404, {
      token: "ann",
    }),
    bad("PUT products", { on: "sku", data: { sku: "boot", secret: "x" } }, "secret", "FORBIDDEN", 403, {
      token: "ann",
    }),
    bad("PUT products", { filter: { secret: "s" }, data: { name: "x" } }, "secret", "FORBIDDEN", 403, {
      token: "ann",
    }),
    bad("POST products/903/restore", undefined, "", "NOT_FOUND", 404, { token: "ann" }),
    bad("PATCH products/903", { deletedAt: "2026-01-01" }, "", "NOT_FOUND", 404, { token: "ann" }),
    bad("POST products/901/restore", undefined, "", "FORBIDDEN", 403, { token: "blind" }),
    bad("PATCH products/901?fields=name", { name: "x" }, "", "FORBIDDEN", 403, { token: "blind" }),
    ...["PATCH", "DELETE"].map((method) =>
      bad(
        `${method} nowhere`,
        { filter: { id: 1 }, ...(method === "PATCH" && { data: {} }) },
        "nowhere",
        "UNKNOWN_COLLECTION",
        404,
      ),
    ),
    bad("PATCH baasix_AuditLog", { filter: { id: { gt: 0 } }, data: { action: "x" } }, "", "FORBIDDEN", 403),
    bad("PUT baasix_Sessions", { on: "id", data: { id: "x" } }, "", "FORBIDDEN", 403),
  ];
  test.each(cases)("%s %j", async (request, { token, ...sent }, status, code, message) => {
    const before = await everything();
    const answer = await send(request, {
      ...sent,
      ...(token !== undefined && { token: token === "ann" ? ann : blind }),
    });
    expect([answer.status, errorOf(answer)?.code, errorOf(answer)?.message]).toEqual([
      status,
      code,
      expect.stringContaining(message),
    ]);
    expect(await everything()).toBe(before);
  });
});

describe("entity tags (RFC 9110)", () => {
  const tagOf = async (path = "products/901", token = app.admin) =>
    (await send(`GET ${path}`, { token })).headers.get("etag") ?? "";

  test("a read tells one, and is not repeated to who has it", async () => {
    const first = await send("GET products/901");
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"\d+-[0-9a-z]+"$/);
    expect(first.headers.get("cache-control")).toBe("private, no-cache");
    for (const header of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const again = await send("GET products/901", { headers: { "if-none-match": header } });
      expect([again.status, again.text, again.headers.get("etag")]).toEqual([304, "", etag]);
    }
    for (const header of ['"x"', etag.slice(1, -1), etag.replace("-", "-0")]) {
      expect((await send("GET products/901", { headers: { "if-none-match": header } })).status).toBe(200);
    }
    expect((await send("GET products/999", { headers: { "if-none-match": "*" } })).status).toBe(404);
  });

  test("it follows the row, the fields, and what relations show", async () => {
    const path = "products/901?fields=name,reviews.text";
    const [whole, some] = [await tagOf(), await tagOf(path)];
    expect(whole).not.toBe(some);
    expect(whole.split("-")[0]).toBe(some.split("-")[0]);
    await app.data.create(root, "reviews", [{ text: "good", product_Id: 901 }]);
    expect(await tagOf()).toBe(whole);
    expect(await tagOf(path)).not.toBe(some);
    await send("PATCH products/901", { body: { stock: 4 } });
    expect((await tagOf()).split("-")[0]).not.toBe(whole.split("-")[0]);
  });

  type Condition = [string, (tag: string) => string, number, string | null];
  const conditions: Condition[] = [
    ["the tag of the item", (tag) => tag, 200, null],
    ["one among others", (tag) => `"x", W/"y", ${tag}, "1-a"`, 200, null],
    ["its part before the dash", (tag) => `${tag.split("-")[0]}"`, 200, null],
    ["any state", () => "*", 200, null],
    ["an older tag", () => '"5-abc"', 412, "PRECONDITION_FAILED"],
    ["two older tags", () => '"5-abc", "6"', 412, "PRECONDITION_FAILED"],
    ["a weak tag", (tag) => `W/${tag}`, 412, "PRECONDITION_FAILED"],
    ["a tag of another server", () => '"abc"', 412, "PRECONDITION_FAILED"],
    ["a number that is no version", () => '"99999999999"', 412, "PRECONDITION_FAILED"],
    ["no quotes", (tag) => tag.slice(1, -1), 400, "BAD_REQUEST"],
    ["an empty list", () => ",", 400, "BAD_REQUEST"],
    ["too many", () => Array.from({ length: 11 }, (_, i) => `"${i + 1}"`).join(), 400, "BAD_REQUEST"],
  ];
  for (const [method, body] of [
    ["PATCH", { stock: 8 }],
    ["DELETE", undefined],
    ["PATCH", { deletedAt: "2026-01-01" }],
  ] as const) {
    test.each(conditions)(`${method} ${JSON.stringify(body)} under %s`, async (_, header, status, code) => {
      const headers = { "if-match": header(await tagOf()) };
      const before = await everything();
      const answer = await send(`${method} products/901`, { headers, body });
      expect([answer.status, errorOf(answer)?.code ?? null]).toEqual([status, code]);
      expect((await everything()) === before).toBe(status !== 200);
    });
  }

  test("a missing or hidden item is not found, whatever the condition", async () => {
    for (const header of ["*", '"5"', '"abc"', 'W/"5"']) {
      for (const [path, token] of [
        ["products/999", app.admin],
        ["products/903", ann],
      ] as const) {
        const answer = await send(`PATCH ${path}`, {
          token,
          headers: { "if-match": header },
          body: { stock: 1 },
        });
        expect([path, header, answer.status]).toEqual([path, header, 404]);
      }
    }
  });

  test("the answer to a conditional write carries the new tag, where the actor may read", async () => {
    const answer = await send("PATCH products/901", {
      headers: { "if-match": await tagOf() },
      body: { stock: 4 },
    });
    expect([dataOf(answer), answer.headers.get("etag")]).toEqual([{ id: 901 }, await tagOf()]);
    const own = await send("PATCH products/901", {
      token: ann,
      headers: { "if-match": "*" },
      body: { stock: 5 },
    });
    expect(own.headers.get("etag")).toBe(await tagOf("products/901", ann));
    const shown = await send("PATCH products/901?fields=stock", { body: { stock: 6 } });
    expect(shown.headers.get("etag")).toBe(await tagOf("products/901?fields=stock"));
    const unseen = await send("PATCH products/901", {
      token: blind,
      headers: { "if-match": "*" },
      body: { name: "x" },
    });
    expect([unseen.status, unseen.headers.get("etag")]).toEqual([200, null]);
  });

  test("related items in the same write are under the same condition", async () => {
    const old = await tagOf();
    const body = { stock: 4, reviews: [{ text: "good" }] };
    const write = (tag: string) => send("PATCH products/901", { headers: { "if-match": tag }, body });
    expect((await write(old)).status).toBe(200);
    const refused = await write(old);
    expect([refused.status, errorOf(refused)?.code]).toEqual([412, "PRECONDITION_FAILED"]);
    expect(await app.data.find(root, "reviews", { fields: ["text"] })).toEqual([{ text: "good" }]);
    const only = { headers: { "if-match": old }, body: { reviews: [] } };
    expect((await send("PATCH products/901", only)).status).toBe(412);
    expect(await app.data.find(root, "reviews", {})).toHaveLength(1);
  });

  test("of many that hold one version, one writes", async () => {
    const headers = { "if-match": await tagOf() };
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => send("PATCH products/901", { headers, body: { stock: i } })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 15 }, () => 412),
    ]);
  });

  test("counting under versions loses nothing", async () => {
    const add = async (): Promise<void> => {
      for (;;) {
        const { body, headers } = await send("GET products/903");
        const { stock } = (body as { data: { stock: number } }).data;
        const wish = { headers: { "if-match": headers.get("etag") ?? "" }, body: { stock: stock + 1 } };
        if ((await send("PATCH products/903", wish)).status === 200) return;
      }
    };
    await Promise.all(Array.from({ length: 8 }, add));
    expect((await products())[2]).toBe("903 Cap 8");
  });

  test("a bulk names versions beside its entries", async () => {
    const version = await tagOf();
    const body = [
      { id: 901, data: { stock: 7 }, version },
      { id: 902, data: { stock: 7 } },
    ];
    expect((await send("PATCH products/bulk", { body })).status).toBe(200);
    expect((await send("PATCH products/bulk", { body })).status).toBe(412);
  });

  test.each([
    "POST products",
    "PUT products",
    "PATCH products",
    "DELETE products",
    "POST products/bulk",
    "PATCH products/bulk",
    "DELETE products/bulk",
    "POST products/restore",
    "POST products/901/restore",
  ])("%s takes no conditions", async (request) => {
    const answer = await send(request, { headers: { "if-match": "*" }, body: {} });
    expect([answer.status, errorOf(answer)?.message]).toEqual([
      400,
      "If-Match: this request takes no such condition",
    ]);
  });
});
