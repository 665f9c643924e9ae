import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { testApp, type TestApp } from "../../testing/app";
import { boot, cap, dataOf, errorOf, hat, openStock, type Sent } from "../../testing/stock";

const root = system("looks behind the door for the test");

let app: TestApp;
let shop: Awaited<ReturnType<typeof openStock>>;

beforeAll(async () => {
  app = await testApp();
  shop = await openStock(app);
});
afterAll(() => app.close());
beforeEach(() => shop.refill());

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
    // Of an item that was read and is sent back.
    [
      "PATCH products/901",
      { body: { deletedAt: null, stock: 4 } },
      200,
      { id: 901 },
      ["901 Boot 4", hat, cap],
    ],
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
    const answer = await shop.send(request, { ...sent, ...(token && { token: shop.ann }) });
    expect([answer.status, errorOf(answer)]).toEqual([status, undefined]);
    expect(status === 204 ? answer.text || undefined : dataOf(answer)).toEqual(data);
    expect(await shop.products()).toEqual(left as string[]);
  });

  test("what was deleted comes back, one by one, as a list, or by its time taken away", async () => {
    const ids = [901, 902, 903];
    const restore: [string, Sent][] = [
      ["POST products/901/restore", { token: shop.ann }],
      ["POST products/restore", { body: [901, 902] }],
      ["PATCH products/901", { body: { deletedAt: null } }],
      ["PATCH products/bulk", { body: [{ id: 901, deletedAt: null }] }],
    ];
    for (const [request, sent] of restore) {
      await app.data.remove(root, "products", ids);
      const answer = await shop.send(request, sent);
      expect([request, answer.status, (await shop.products())[0]]).toEqual([request, 200, boot]);
      await app.data.restore(root, "products", ids);
    }
  });

  test("a collection that keeps no deleted items has its own `deletedAt`", async () => {
    const created = await shop.send("POST logs", { body: { text: "a" } });
    const { id } = dataOf(created) as { id: number };
    const at = "2026-01-01T00:00:00+00:00";
    expect(dataOf(await shop.send(`PATCH logs/${id}?fields=deletedAt`, { body: { deletedAt: at } }))).toEqual(
      {
        deletedAt: at,
      },
    );
    expect(
      dataOf(await shop.send(`PATCH logs/${id}?fields=deletedAt`, { body: { deletedAt: null } })),
    ).toEqual({
      deletedAt: null,
    });
    expect((await shop.send(`POST logs/${id}/restore`)).status).toBe(400);
  });

  test("more than 1,000 items are counted, not listed", async () => {
    const some = (from: number) => Array.from({ length: 1000 }, (_, i) => ({ text: `${from + i}` }));
    for (const bodies of [some(0), some(1000).slice(0, 1)]) await app.data.create(root, "logs", bodies);
    const answer = await shop.send("PATCH logs", {
      body: { filter: { id: { gt: 0 } }, data: { text: "x" } },
    });
    expect(dataOf(answer)).toEqual({ count: 1001 });
    expect(dataOf(await shop.send("DELETE logs", { body: { filter: { text: "x" } } }))).toEqual({
      count: 1001,
    });
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
    bad("PATCH products/901", { deletedAt: "2026-01-01", stock: 1 }, "deletedAt", "INVALID_VALUE"),
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
    const before = await shop.everything();
    const answer = await shop.send(request, {
      ...sent,
      ...(token !== undefined && { token: token === "ann" ? shop.ann : shop.blind }),
    });
    expect([answer.status, errorOf(answer)?.code, errorOf(answer)?.message]).toEqual([
      status,
      code,
      expect.stringContaining(message),
    ]);
    expect(await shop.everything()).toBe(before);
  });
});

test("what forbids a delete is named only to who may read it", async () => {
  const call = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await app.call("POST", path, { token: app.admin, body });
    expect([path, answer.status]).toEqual([path, 201]);
    return dataOf(answer);
  };
  const id = { type: "Integer", primaryKey: true };
  for (const collectionName of ["shelves", "dossiers"])
    await call("/schemas", { collectionName, schema: { name: collectionName, fields: { id } } });
  const relation = { type: "M2O", name: "shelf", target: "shelves", onDelete: "RESTRICT" };
  await call("/schemas/dossiers/relationships", relation);
  const [user] = await app.data.find<{ id: string }>(root, "baasix_Role", { filter: { name: "user" } });
  await call("/permissions", { role_Id: user?.id, collection: "shelves", action: "delete" });
  await call("/items/shelves", { id: 1 });
  await call("/items/dossiers", { id: 1, shelf_Id: 1 });
  const remove = (token: string) => shop.send("DELETE shelves/1", { token });
  const told = await remove(app.admin);
  expect([told.status, errorOf(told)?.message]).toEqual([409, expect.stringContaining("dossiers")]);
  const untold = await remove(shop.ann);
  expect([untold.status, errorOf(untold)?.code]).toEqual([409, "FOREIGN_KEY_VIOLATION"]);
  expect(untold.text).not.toContain("dossiers");
});
