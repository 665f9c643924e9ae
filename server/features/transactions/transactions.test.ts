import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { lockWaits, untilLocked } from "../../testing/locks";

type Json = Record<string, unknown>;
type Operation = Json | unknown;

let app: TestApp;
let ann: { token: string; id: string };

const [boot, hat] = [901, 902];
const bootMeta = { gt: 0, tags: ["a", "b"], rows: [{ label: "x" }] };
const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const schemas: Record<string, unknown> = {
  products: {
    name: "Product",
    paranoid: true,
    timestamps: false,
    fields: {
      id: key,
      sku: { type: "String", unique: true },
      name: { type: "String", allowNull: false },
      stock: { type: "Integer", defaultValue: 0 },
      meta: { type: "JSONB" },
    },
  },
  orders: {
    name: "Order",
    timestamps: false,
    fields: {
      id: key,
      note: { type: "Text" },
      total: { type: "Integer" },
      owner: { type: "UUID" },
      meta: { type: "JSONB" },
    },
  },
  steps: {
    name: "Step",
    timestamps: false,
    sortEnabled: true,
    fields: { id: key, title: { type: "String" }, done: { type: "Boolean", defaultValue: false } },
  },
  lines: {
    name: "Line",
    timestamps: false,
    fields: { id: key, order_Id: { type: "Integer", allowNull: false }, text: { type: "String" } },
  },
  boxes: {
    name: "Box",
    timestamps: false,
    fields: {
      id: key,
      label: { type: "String" },
      product: { relType: "BelongsTo", target: "products" },
    },
  },
};

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, schema] of Object.entries(schemas)) {
    const made = await app.call("POST", "/schemas", { token: app.admin, body: { collectionName, schema } });
    expect(made.text).toContain("created");
  }
  const body = { type: "M2O", name: "parent", target: "orders", alias: "boxes" };
  const related = await app.call("POST", "/schemas/boxes/relationships", { token: app.admin, body });
  expect(related.text).toContain("created");
  ann = await app.signUp("ann@example.com");
  const role = await app.roleId("user");
  const own = { owner: { eq: "$CURRENT_USER" } };
  const rights: [string, string, Json][] = [
    ["products", "read", { fields: ["id", "name", "stock"] }],
    ["orders", "create", { fields: ["note", "total"], defaultValues: { owner: "$CURRENT_USER" } }],
    ["orders", "read", { fields: ["id", "note", "total"], conditions: own }],
    ["orders", "update", { fields: ["note", "total"], conditions: own }],
    ["steps", "read", { fields: ["*"] }],
    ["steps", "update", { fields: ["*"], conditions: { done: false } }],
    ["lines", "create", { fields: ["order_Id", "text"] }],
    ["lines", "read", { fields: ["*"] }],
  ];
  for (const [collection, action, rest] of rights) {
    const body = { role_Id: role, collection, action, ...rest };
    expect((await app.call("POST", "/permissions", { token: app.admin, body })).status).toBe(201);
  }
});
afterAll(() => app.close());

beforeEach(async () => {
  const { data } = app;
  const root = { kind: "system", reason: "empties the collections of the test" } as const;
  for (const collection of ["lines", "orders", "products", "steps"])
    await data.removeWhere(root, collection, { id: { gt: 0 } }, { permanent: true });
  await data.create(root, "products", [
    { id: boot, sku: "boot", name: "Boot", stock: 3, meta: bootMeta },
    { id: hat, sku: "hat", name: "$NOW", stock: 5 },
  ]);
});

async function run(operations: readonly Operation[], token = app.admin, headers = {}) {
  const answer = await app.call("POST", "/transaction", { token, headers, body: { operations } });
  return { ...answer, ...(answer.body as { data?: unknown[]; error?: Json }) };
}

async function rowsOf(collection: string, fields = "*"): Promise<Json[]> {
  const answer = await app.call("GET", `/items/${collection}?sort=id&fields=${fields}`, { token: app.admin });
  return (answer.body as { data: Json[] }).data;
}

const product = (name: string, rest: Json = {}) => ({
  action: "create",
  collection: "products",
  data: { name, ...rest },
});

describe("what each action gives, and how later ones refer to it", () => {
  const id = expect.any(Number);
  const cases: [string, Operation[], unknown[]][] = [
    [
      "an order and its lines, by place, by name and inside a text",
      [
        { action: "create", collection: "orders", name: "order", data: { note: "first", total: 7 } },
        { action: "create", collection: "lines", data: { order_Id: "{{0.id}}", text: "of {{order.id}}!" } },
        {
          action: "read",
          collection: "lines",
          query: { filter: { order_Id: "{{order.id}}" }, fields: ["order_Id", "text"] },
        },
      ],
      [{ id }, { id }, { data: [{ order_Id: id, text: expect.stringMatching(/^of \d+!$/) }], totalCount: 1 }],
    ],
    [
      "items inside items: keys of the results before, one and several",
      [
        { action: "create", collection: "boxes", data: [{ label: "a" }, { label: "b" }, { label: "c" }] },
        { action: "create", collection: "orders", data: { boxes: "{{0.ids}}" } },
        {
          action: "update",
          collection: "orders",
          data: [
            { id: "{{1.id}}", data: { boxes: { detach: ["{{0.ids.0}}"], create: [{ product: boot }] } } },
          ],
        },
        {
          action: "update",
          collection: "boxes",
          id: "{{0.ids.0}}",
          data: {
            label: "of {{1.id}}",
            parent: { id: "{{1.id}}", meta: "{{0.ids}}", note: "{{0.count}} boxes" },
          },
          query: { fields: ["parent.note", "parent.meta", "parent.boxes.label"] },
        },
      ],
      [
        { count: 3, ids: [id, id, id] },
        { id },
        { count: 1, ids: [id] },
        {
          id,
          data: {
            parent: {
              id,
              note: "3 boxes",
              meta: [id, id, id],
              boxes: ["of", "b", "c", null].map((label) => ({
                id,
                label: label === "of" ? expect.stringMatching(/^of \d+$/) : label,
              })),
            },
          },
        },
      ],
    ],
    [
      "lists: ids in order, each of them referred to",
      [
        { action: "create", collection: "orders", data: [{ note: "a" }, { note: "b" }] },
        {
          action: "update",
          collection: "orders",
          id: "{{0.ids.1}}",
          data: { total: 2 },
          query: { fields: ["note", "total"] },
        },
        { action: "update", collection: "orders", data: [{ id: "{{0.ids.0}}", data: { total: 1 } }] },
        { action: "delete", collection: "orders", id: "{{0.ids}}" },
        { action: "read", collection: "orders" },
      ],
      [
        { count: 2, ids: [id, id] },
        { id, data: { note: "b", total: 2 } },
        { count: 1, ids: [id] },
        { count: 2, ids: [id, id] },
        { data: [], totalCount: 0 },
      ],
    ],
    [
      "a value keeps its type, whatever it is",
      [
        { action: "read", collection: "products", id: boot },
        {
          action: "create",
          collection: "orders",
          data: {
            note: "{{0.data.name}}",
            total: "{{0.data.stock}}",
            meta: "{{0.data.meta}}",
            owner: "{{0.data.deletedAt}}",
          },
          query: { fields: ["note", "total", "meta", "owner"] },
        },
        {
          action: "create",
          collection: "orders",
          data: { note: "{{0.data.meta.tags.1}} \\{{0.id}}" },
          query: { fields: "note" },
        },
      ],
      [
        { data: expect.objectContaining({ name: "Boot" }), version: expect.stringMatching(/^\d+$/) },
        { id, data: { note: "Boot", total: 3, meta: bootMeta, owner: null } },
        { id, data: { note: "b {{0.id}}" } },
      ],
    ],
    [
      "upsert tells what happened, one by one and in a list",
      [
        {
          action: "upsert",
          collection: "products",
          on: "sku",
          data: { sku: "boot", name: "Boots" },
          query: { fields: ["name", "stock"] },
        },
        {
          action: "upsert",
          collection: "products",
          on: ["sku"],
          data: [
            { sku: "hat", name: "Hut" },
            { sku: "cap", name: "Cap" },
          ],
        },
        { action: "upsert", collection: "products", filter: { sku: "scarf" }, data: { name: "Scarf" } },
      ],
      [
        { id: boot, created: false, data: { name: "Boots", stock: 3 } },
        { count: 2, ids: [hat, id], created: [false, true] },
        { id, created: true },
      ],
    ],
    [
      "by filter; deleted, restored, deleted for good",
      [
        { action: "update", collection: "products", filter: { stock: { gte: 3 } }, data: { stock: 9 } },
        { action: "delete", collection: "products", id: boot },
        { action: "delete", collection: "products", filter: { sku: "hat" }, permanent: true },
        { action: "read", collection: "products", query: { fields: ["id"] } },
        { action: "restore", collection: "products", id: boot, query: { fields: ["stock"] } },
        {
          action: "update",
          collection: "products",
          id: boot,
          data: { deletedAt: "2026-01-01" },
          query: { fields: "id" },
        },
        { action: "restore", collection: "products", id: [boot] },
      ],
      [
        { count: 2, ids: [boot, hat] },
        { id: boot },
        { count: 1, ids: [hat] },
        { data: [], totalCount: 0 },
        { id: boot, data: { stock: 9 } },
        { id: boot, data: { id: boot } },
        { count: 1, ids: [boot] },
      ],
    ],
    [
      "a version that was read, asked for by the write",
      [
        { action: "read", collection: "products", id: boot, query: { fields: "stock" } },
        {
          action: "update",
          collection: "products",
          id: boot,
          version: "{{0.version}}",
          data: { stock: 4 },
        },
      ],
      [{ data: { stock: 3 }, version: expect.any(String) }, { id: boot }],
    ],
    [
      "the words of other clients",
      [
        { table: "orders", operation: "insert", data: { note: "x" } },
        { table: "lines", operation: "insert", data: { order_Id: "{{0.id}}", text: "Item 1" } },
        { table: "products", operation: "update", conditions: { id: boot }, data: { stock: 2 } },
        { table: "products", operation: "update", conditions: { sku: "hat" }, data: { stock: 1 } },
        { table: "products", operation: "delete", conditions: { stock: 2 } },
      ],
      [{ id }, { id }, { id: boot }, { count: 1, ids: [hat] }, { count: 1, ids: [boot] }],
    ],
    [
      "a read with groups, and choices by lists",
      [
        {
          action: "read",
          collection: "products",
          query: { aggregate: { n: { function: "count", field: "*" } } },
        },
        { action: "read", collection: "products", query: { fields: ["id"], sort: "-id" } },
        {
          action: "read",
          collection: "products",
          query: {
            filter: { id: { in: ["{{1.data.0.id}}", "{{1.data.1.id}}"] } },
            fields: ["id"],
            count: "none",
          },
        },
      ],
      [
        expect.objectContaining({ data: [{ n: 2 }] }),
        { data: [{ id: hat }, { id: boot }], totalCount: 2 },
        { data: [{ id: boot }, { id: hat }] },
      ],
    ],
  ];
  test.each(cases)("%s", async (_, operations, results) => {
    const { status, data, text } = await run(operations);
    expect([status, status === 200 ? "" : text]).toEqual([200, ""]);
    expect(data).toEqual(results);
  });

  test("the list alone is a body, too", async () => {
    const answer = await app.call("POST", "/transaction", { token: app.admin, body: [product("Cap")] });
    expect(answer.body).toEqual({ data: [{ id: expect.any(Number) }] });
  });
});

describe("what is refused names its operation, and nothing is written", () => {
  const cap = product("Cap");
  const order = (data: Json, rest: Json = {}) => ({ action: "create", collection: "orders", data, ...rest });
  const bad = (operation: Operation, place: string, ...rest: string[]): [Operation[], string, string] => [
    [cap, operation],
    "BAD_REQUEST",
    [place, ...rest].join(": "),
  ];
  const cases: [Operation[], string, string][] = [
    [[], "BAD_REQUEST", "at least one operation"],
    [Array.from({ length: 101 }, () => cap), "QUERY_TOO_COMPLEX", "at most 100"],
    // References.
    bad(order({ note: "{{2.id}}" }), "operations[1].data.note: {{2.id}}: there is no operation '2'"),
    bad(
      order({ note: "{{1.id}}" }),
      "operations[1].data.note: {{1.id}}: a reference leads to an earlier operation",
    ),
    bad(
      order({ note: "{{oder.id}}" }, { name: "order" }),
      "there is no operation 'oder'; did you mean 'order'?",
    ),
    bad(order({ note: "{{0}}" }), "operations[1].data.note: {{0}} is no reference"),
    bad(order({ note: "{{}}" }), "is no reference"),
    bad(order({ note: "{{0..id}}" }), "is no reference"),
    bad(order({ note: "{{0.idd}}" }), "operations[1].data.note: {{0.idd}} leads nowhere: there is only id"),
    bad(order({ note: "{{0.id.x}}" }), "leads nowhere: there is a single value"),
    bad(order({ note: "{{0.constructor}}" }), "leads nowhere"),
    bad(order({ note: "{{0.__proto__.x}}" }), "leads nowhere"),
    bad(
      order({ meta: { deep: [1, "{{0.name}}"] } }),
      "operations[1].data.meta.deep[1]: {{0.name}} leads nowhere",
    ),
    bad(order({ "{{0.id}}": 1 }), "operations[1].data: references may stand in values only"),
    bad({ ...cap, collection: "{{0.id}}" }, "operations[1].collection: references may stand in values only"),
    bad(
      { action: "upsert", collection: "products", on: "{{0.id}}", data: {} },
      "operations[1].on: references",
    ),
    bad(
      { action: "read", collection: "products", query: { fields: "{{0.id}}" } },
      "query.fields: references",
    ),
    bad(
      { action: "read", collection: "products", query: { filter: '{"id":{{0.id}}}' } },
      "query.filter: references",
    ),
    bad(
      { action: "read", collection: "products", query: { filter: { "{{0.id}}": 1 } } },
      "query.filter: references",
    ),
    // What is stored decides neither how items are chosen nor which.
    [
      [
        { action: "read", collection: "products", id: boot },
        { action: "delete", collection: "products", filter: { id: "{{0.data.meta}}" } },
      ],
      "BAD_REQUEST",
      "operations[1].filter.id: '0.data.meta' leads to more than one value",
    ],
    [
      [
        { action: "read", collection: "products", id: boot },
        { action: "delete", collection: "products", filter: { sku: "{{0.data.deletedAt}}" } },
      ],
      "BAD_REQUEST",
      "leads to null",
    ],
    [
      [
        { action: "read", collection: "products", id: hat },
        { action: "delete", collection: "products", filter: { name: { lt: "{{0.data.name}}" } } },
      ],
      "BAD_REQUEST",
      "taken for a variable",
    ],
    [
      [
        { action: "read", collection: "products", id: hat },
        { action: "update", collection: "products", id: "{{0.data.meta}}", data: {} },
      ],
      "BAD_REQUEST",
      "leads to null",
    ],
    [
      [
        { action: "read", collection: "products", id: boot },
        { action: "update", collection: "products", id: "{{0.data.meta.tags}}", data: {} },
      ],
      "BAD_REQUEST",
      "operations[1].id: the reference leads to what is no key",
    ],
    // Nor what is written to related items.
    ...(
      [
        [{ product: "{{0.data.meta}}" }, "product: '0.data.meta' leads to more than one value"],
        [{ product: "{{0.data.deletedAt}}" }, "product: '0.data.deletedAt' leads to null"],
        [
          { product: { id: "{{0.data.deletedAt}}", name: "x" } },
          "product.id: '0.data.deletedAt' leads to null",
        ],
        [
          { parent: { boxes: "{{0.data.meta.rows}}" } },
          "parent.boxes: '0.data.meta.rows' leads to more than one value",
        ],
        [{ parent: { boxes: ["{{0.data.meta}}"] } }, "parent.boxes[0]: '0.data.meta' leads to more"],
        [{ parent: { boxes: { delete: ["{{0.data.meta}}"] } } }, "parent.boxes.delete[0]: '0.data.meta'"],
        [
          { parent: { boxes: { delete: "{{0.data.meta.rows}}" } } },
          "parent.boxes.delete: '0.data.meta.rows' leads to",
        ],
      ] as const
    ).map(([data, message]): [Operation[], string, string] => [
      [
        { action: "read", collection: "products", id: boot },
        { action: "create", collection: "boxes", data },
      ],
      "BAD_REQUEST",
      `operations[1].data.${message}`,
    ]),
    // Shapes.
    bad(7, "operations[1]: expected an object"),
    bad(
      { action: "creat", collection: "orders", data: {} },
      "operations[1].action: expected create, update",
      "",
    ).map((part) => (typeof part === "string" ? part.replace(/: $/, "") : part)) as [
      Operation[],
      string,
      string,
    ],
    bad({ action: "create", data: {} }, "operations[1].collection"),
    bad(
      { action: "create", collection: "orders", dta: {}, data: {} },
      "operations[1].dta: unknown here; did you mean 'data'?",
    ),
    bad({ action: "create", collection: "orders", data: "x" }, "operations[1].data"),
    bad({ action: "create", collection: "orders", data: [{}, 1] }, "operations[1].data"),
    bad({ ...cap, name: "0x" }, "operations[1].name"),
    bad({ action: "update", collection: "orders", data: {} }, "operations[1]: give either id or filter"),
    bad(
      { action: "update", collection: "orders", id: boot, filter: {}, data: {} },
      "give either id or filter",
    ),
    bad(
      { action: "update", collection: "orders", data: [{ note: "x" }] },
      "operations[1].data[0].id: expected the key",
    ),
    bad({ action: "delete", collection: "orders" }, "give either id or filter"),
    bad({ action: "upsert", collection: "orders", data: {} }, "give either on or filter"),
    bad({ action: "sort", collection: "steps", id: 1 }, "operations[1]: one item goes next to another one"),
    bad({ action: "sort", collection: "steps", id: [1], to: 2 }, "operations[1]: a list takes neither"),
    bad({ action: "sort", collection: "steps", id: 1, to: 2, mode: "in" }, "operations[1].mode"),
    bad({ action: "sort", collection: "steps", id: 1, to: "{{9.id}}" }, "operations[1].to: "),
    bad({ action: "sort", collection: "products", id: 1, to: 2 }, "does not have a sort field"),
    bad({ ...cap, data: [{ name: "x" }], query: { fields: "id" } }, "query.fields: only a write of one item"),
    bad(
      { action: "update", collection: "products", id: boot, data: {}, version: "x" },
      "operations[1].version",
    ),
    [
      [
        { ...cap, name: "a" },
        { ...cap, name: "a" },
      ],
      "BAD_REQUEST",
      "operations[1].name: 'a' is the name of another",
    ],
    // The door's own refusals keep their code.
    [[cap, { action: "delete", collection: "orders", filter: {} }], "INVALID_QUERY", "operations[1]: "],
    [[cap, { action: "read", collection: "nowhere" }], "UNKNOWN_COLLECTION", "operations[1]: "],
    [
      [cap, { action: "read", collection: "orders", query: { fields: "nte" } }],
      "UNKNOWN_FIELD",
      "did you mean 'note'",
    ],
    [[cap, { action: "read", collection: "orders", id: 99 }], "NOT_FOUND", "operations[1]: Item not found"],
    [
      [cap, { action: "update", collection: "orders", id: 99, data: { note: "x" } }],
      "NOT_FOUND",
      "operations[1]: ",
    ],
    [[cap, product("Boot", { sku: "boot" })], "UNIQUE_VIOLATION", "operations[1]: products.sku"],
    [[cap, product("Boot", { stock: "many" })], "VALIDATION_ERROR", "operations[1]: "],
    [
      [cap, { action: "update", collection: "products", id: boot, data: { stock: 1 }, version: "1" }],
      "PRECONDITION_FAILED",
      "operations[1]: ",
    ],
  ];
  test.each(cases.map(([operations, code, message]) => ({ message, code, operations })))(
    "$code $message",
    async ({ operations, code, message }) => {
      const before = [await rowsOf("products"), await rowsOf("orders")];
      const { status, error } = await run(operations);
      expect([status >= 400 && status < 500, error?.code, error?.message]).toEqual([
        true,
        code,
        expect.stringContaining(message),
      ]);
      if (operations.length === 2) expect(error?.details).toMatchObject({ operation: 1 });
      expect([await rowsOf("products"), await rowsOf("orders")]).toEqual(before);
    },
  );
});

describe("each operation has the rights of the caller", () => {
  test("own orders only, seen as far as the role sees", async () => {
    const { status, data } = await run(
      [
        {
          action: "create",
          collection: "orders",
          name: "mine",
          data: { note: "n", total: 1 },
          query: { fields: "*" },
        },
        { action: "update", collection: "orders", id: "{{mine.id}}", data: { total: 2 } },
        { action: "read", collection: "products", id: boot },
        { action: "create", collection: "lines", data: { order_Id: "{{mine.id}}", text: "{{2.data.name}}" } },
      ],
      ann.token,
    );
    const id = expect.any(Number);
    expect([status, data]).toEqual([
      200,
      [
        { id, data: { id, note: "n", total: 1 } },
        { id },
        { data: { id: boot, name: "Boot", stock: 3 }, version: expect.any(String) },
        { id },
      ],
    ]);
    expect(await rowsOf("orders", "total,owner")).toEqual([{ total: 2, owner: ann.id }]);
  });

  const root = () => run([{ action: "create", collection: "orders", data: { note: "the administrator's" } }]);
  const mine = { action: "create", collection: "orders", data: { note: "mine" } };
  const refused: [string, Operation, number, string][] = [
    [
      "another's order",
      { action: "update", collection: "orders", filter: { id: { gt: 0 } }, data: { owner: null } },
      403,
      "FORBIDDEN",
    ],
    ["a deletion", { action: "delete", collection: "orders", id: "{{0.id}}" }, 403, "FORBIDDEN"],
    [
      "a deletion by filter",
      { action: "delete", collection: "orders", filter: { id: { gt: 0 } } },
      403,
      "FORBIDDEN",
    ],
    ["a product", product("Cap"), 403, "FORBIDDEN"],
    [
      "an upsert that would change",
      { action: "upsert", collection: "products", on: "sku", data: { sku: "boot", name: "x" } },
      403,
      "FORBIDDEN",
    ],
    ["a restore", { action: "restore", collection: "products", id: boot }, 403, "FORBIDDEN"],
    [
      "a field that may not be read",
      { action: "read", collection: "products", query: { fields: "sku" } },
      403,
      "FORBIDDEN",
    ],
    [
      "a reference to a field that is not shown",
      { action: "create", collection: "lines", data: { order_Id: "{{0.id}}", text: "{{0.data.owner}}" } },
      400,
      "BAD_REQUEST",
    ],
    [
      "a row of the server's own",
      { action: "create", collection: "baasix_IdempotencyKey", data: {} },
      403,
      "FORBIDDEN",
    ],
  ];
  test.each(refused)("%s", async (_, operation, status, code) => {
    await root();
    const before = [await rowsOf("orders"), await rowsOf("products")];
    const answer = await run([mine, operation], ann.token);
    expect([answer.status, answer.error?.code, answer.error?.details]).toEqual([
      status,
      code,
      expect.objectContaining({ operation: 1 }),
    ]);
    expect([await rowsOf("orders"), await rowsOf("products")]).toEqual(before);
  });

  test("an update by filter reaches the own rows alone", async () => {
    await root();
    const update = { action: "update", collection: "orders", filter: { id: { gt: 0 } }, data: { total: 5 } };
    expect(await run([mine, update], ann.token)).toMatchObject({ status: 200, data: [{}, { count: 1 }] });
    expect(await rowsOf("orders", "total")).toEqual([{ total: null }, { total: 5 }]);
  });

  test("nobody without an account, unless the role public may", async () => {
    const answer = await app.call("POST", "/transaction", { body: { operations: [mine] } });
    expect([answer.status, (answer.body as { error: Json }).error.code]).toEqual([403, "FORBIDDEN"]);
  });
});

test("a long value cannot be multiplied without end", async () => {
  const long = {
    action: "create",
    collection: "orders",
    data: { note: "x".repeat(200_000) },
    query: { fields: "note" },
  };
  const note = "{{0.data.note}}".repeat(200);
  const list = Array.from({ length: 1000 }, () => ({ note: "{{0.data.note}}" }));
  for (const data of [{ note }, list]) {
    const { status, error } = await run([long, { action: "create", collection: "orders", data }]);
    expect([status, error?.code, error?.details]).toEqual([400, "QUERY_TOO_COMPLEX", { operation: 1 }]);
  }
  expect(await rowsOf("orders")).toEqual([]);
});

test("two that take the same rows in opposite order both come to an end", async () => {
  const stock = (id: number) => ({ action: "update", collection: "products", id, data: { stock: 7 } });
  const pairs = Array.from({ length: 2 }, (_, i) =>
    i % 2 === 0 ? [stock(boot), stock(hat)] : [stock(hat), stock(boot)],
  );
  const answers = await Promise.all(pairs.map((pair) => run(pair)));
  expect(answers.map(({ status }) => status)).toEqual(pairs.map(() => 200));
});

test("a client that goes away ends its transaction, also where it waits for a row", async () => {
  const root = { kind: "system", reason: "holds a row" } as const;
  const gone = new AbortController();
  const operations = [
    { action: "create", collection: "orders", data: { note: "n" } },
    { action: "update", collection: "products", id: boot, data: { stock: 7 } },
  ];
  await app.data.transaction(async (rows) => {
    await rows.update(root, "products", [{ id: boot, data: { stock: 4 } }]);
    const sent = fetch(`${app.listen()}/transaction`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${app.admin}` },
      body: JSON.stringify({ operations }),
      signal: gone.signal,
    });
    await untilLocked(app.database);
    gone.abort();
    await expect(sent).rejects.toThrow();
    while ((await lockWaits(app.database)) > 0) await Bun.sleep(5);
  });
  expect(await rowsOf("orders")).toEqual([]);
  expect(await app.data.readOne(root, "products", boot, { fields: ["stock"] })).toMatchObject({
    json: expect.stringContaining("4"),
  });
  // Sooner than the statement would end by itself.
}, 12_000);

test("conditions are no part of a transaction's request", async () => {
  const { status, error } = await run([product("Cap")], app.admin, { "if-match": '"1"' });
  expect([status, error?.message]).toEqual([400, "If-Match: this request takes no such condition"]);
});

test("a transaction takes no parameters: who asks for a dry run would get a change", async () => {
  const before = await rowsOf("products");
  const body = { operations: [product("Cap")] };
  const answer = await app.call("POST", "/transaction?dryRun=true", { token: app.admin, body });
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("unknown parameter 'dryRun'")]);
  expect(await rowsOf("products")).toEqual(before);
});

describe("sorting among other operations", () => {
  const made = ["a", "b", "c"].map((title) => ({ title }));
  const titles = async (): Promise<unknown[]> => {
    const { body } = await app.call("GET", "/items/steps?sort=sort", { token: app.admin });
    return (body as { data: { title: string }[] }).data.map(({ title }) => title);
  };
  const idsOf = (data: unknown[] | undefined) => (data as [{ ids: number[] }])[0].ids;
  const make = async (): Promise<number[]> =>
    idsOf((await run([{ action: "create", collection: "steps", data: made }])).data);

  test("an item that is made, moved and changed; and a list that is put in order", async () => {
    const { data, status } = await run([
      { action: "create", collection: "steps", data: made },
      { action: "create", collection: "steps", name: "new", data: { title: "new" } },
      { action: "sort", collection: "steps", id: "{{new.id}}", to: "{{0.ids.1}}" },
      { action: "update", collection: "steps", id: "{{new.id}}", data: { title: "n" } },
    ]);
    expect([status, data?.[2]]).toEqual([200, { id: expect.any(Number), newSort: expect.any(Number) }]);
    expect(await titles()).toEqual(["a", "n", "b", "c"]);
    const [first, ...others] = idsOf(data);
    const { data: sorted } = await run([
      { action: "sort", collection: "steps", id: [...others, first] },
      { action: "sort", collection: "steps", id: others[0], to: first, mode: "after" },
    ]);
    expect(sorted?.[0]).toEqual({ count: 3, ids: [...others, first] });
    expect(await titles()).toEqual(["n", "c", "a", "b"]);
  });

  test("a later refusal takes the move back, and rights hold as when it is sent alone", async () => {
    const [a, b, c] = await make();
    const close = { action: "update", collection: "steps", id: c, data: { done: true } };
    const move = { action: "sort", collection: "steps", id: a, to: c, mode: "after" };
    expect(await run([move, { action: "delete", collection: "steps", id: b }], ann.token)).toMatchObject({
      status: 403,
      error: { details: { operation: 1 } },
    });
    expect(await titles()).toEqual(["a", "b", "c"]);
    expect((await run([close])).status).toBe(200);
    // What may not be updated does not move.
    const closed = { action: "sort", collection: "steps", id: c, to: a };
    expect(await run([closed], ann.token)).toMatchObject({
      status: 404,
      error: { details: { operation: 0 } },
    });
    expect(await run([{ action: "sort", collection: "steps", id: b, to: a }], ann.token)).toMatchObject({
      status: 200,
    });
    expect(await titles()).toEqual(["b", "a", "c"]);
    const nobody = await app.call("POST", "/transaction", { body: { operations: [move] } });
    expect(nobody).toMatchObject({ status: 401, body: { error: { details: { operation: 0 } } } });
  });

  test("a move that comes last has its turn first: nobody who waits for it holds items, and none is run again", async () => {
    const ids = await make();
    let runs = 0;
    app.data.beforeWrite(({ collection, bodies }) => {
      if (collection === "steps" && bodies.some(({ title }) => title === "late")) runs++;
    });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => {
        const [id, to] = [ids[n % 3], ids[(n + 1) % 3]];
        return run([
          { action: "update", collection: "steps", id, data: { title: "late" } },
          { action: "sort", collection: "steps", id: to, to: id, mode: n % 2 ? "before" : "after" },
        ]);
      }),
    );
    expect([new Set(answers.map(({ status }) => status)), runs]).toEqual([new Set([200]), 12]);
    // What may not be sorted is refused in its place, after what comes before it.
    const moves = { action: "sort", collection: "products", id: boot, to: hat };
    expect(await run([product("Cap"), moves])).toMatchObject({
      status: 400,
      error: { details: { operation: 1 } },
    });
  });

  test("moves by many at once, beside updates of the same items, all take effect", async () => {
    const ids = await make();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => {
        const [id, to] = [ids[n % 3], ids[(n + 1) % 3]];
        const sort = { action: "sort", collection: "steps", id, to, mode: n % 2 ? "before" : "after" };
        return run([sort, { action: "update", collection: "steps", id, data: { title: `t${n}` } }]);
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
    const places = (await rowsOf("steps")).map(({ sort }) => sort);
    expect(new Set(places).size).toBe(3);
  });
});
