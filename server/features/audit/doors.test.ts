/**
 * Every door to a write leaves its entries, under the name and the request of the caller; and the log is the whole story:
 * played back from the beginning, it gives what the tables hold.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";
import { type AuditEntry, playBack } from "../../testing/audit";

let app: TestApp;
let user: { token: string; id: string };

const key = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;
const collections = ["shelves", "books", "loans", "shelves_tags_labels_junction", "tags"] as const;

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, schema] of [
    ["shelves", { sortEnabled: true, fields: { id: key, name: { type: "String", unique: true } } }],
    [
      "books",
      {
        paranoid: true,
        usertrack: true,
        fields: {
          id: key,
          title: { type: "String" },
          price: { type: "Decimal", values: { precision: 20, scale: 2 } },
          pages: { type: "BigInt" },
          marks: { type: "JSONB" },
          span: { type: "Range", values: { type: "Date" } },
          words: { type: "Array", values: { type: "String" } },
        },
      },
    ],
    ["loans", { fields: { id: key, to: { type: "String" } } }],
    ["tags", { timestamps: false, fields: { id: key, name: { type: "String" } } }],
  ] as const) {
    await admin("POST", "/schemas", { collectionName, schema: { name: collectionName, ...schema } });
  }
  const relate = (source: string, relation: object) =>
    admin("POST", `/schemas/${source}/relationships`, relation);
  await relate("books", {
    type: "M2O",
    name: "shelf",
    target: "shelves",
    alias: "books",
    onDelete: "SET NULL",
  });
  await relate("loans", { type: "M2O", name: "book", target: "books", alias: "loans", onDelete: "CASCADE" });
  await relate("shelves", {
    type: "M2M",
    name: "labels",
    target: "tags",
    alias: "shelves",
    through: "shelves_tags_labels_junction",
  });
  user = await app.signUp("ann@example.com");
  const role = await app.roleId("user");
  for (const collection of collections) {
    for (const action of ["create", "read", "update", "delete"]) {
      await admin("POST", "/permissions", {
        role_Id: role,
        collection,
        action,
        fields: ["*", "*.*"],
      });
    }
  }
});
afterAll(() => app.close());

const admin = async (method: string, path: string, body?: unknown): Promise<unknown> =>
  ((await app.ok(method, path, body)).body as { data?: unknown } | null)?.data;

let seen = "0";
async function entries(after: string): Promise<readonly AuditEntry[]> {
  const filter = JSON.stringify({ id: { gt: after }, entity: { in: collections } });
  const found = await admin(
    "GET",
    `/items/baasix_AuditLog?filter=${encodeURIComponent(filter)}&sort=id&limit=-1`,
  );
  return found as readonly AuditEntry[];
}

const boot = {
  title: "Boots",
  price: "12345678901234567.25",
  pages: "9007199254740993",
  marks: { a: [1, null] },
};

// Each begins where the one before ended; ids count from 1.
const doors: readonly (readonly [
  door: string,
  method: string,
  path: string,
  body: unknown,
  told: readonly string[],
])[] = [
  ["one", "POST", "/items/shelves", { name: "Top" }, ["create shelves 1"]],
  [
    "nested",
    "POST",
    "/items/shelves",
    {
      name: "Low",
      books: [
        { ...boot, loans: [{ to: "Bea" }] },
        { title: "Hats", span: { lower: "2026-01-01", upper: "2026-02-01" } },
      ],
      labels: [{ tags: { name: "old" } }],
    },
    [
      "create books 1",
      "create books 2",
      "create loans 1",
      "create shelves 2",
      "create shelves_tags_labels_junction 1",
      "create tags 1",
    ],
  ],
  [
    "bulk",
    "POST",
    "/items/books/bulk",
    [{ title: "A", words: ["x", 'y"'] }, { title: "B" }],
    ["create books 3", "create books 4"],
  ],
  ["change", "PATCH", "/items/books/3", { price: "0.10", marks: [] }, ["update books 3"]],
  [
    "bulk change",
    "PATCH",
    "/items/books/bulk",
    [
      { id: 3, title: "C" },
      { id: 4, pages: "1" },
    ],
    ["update books 3", "update books 4"],
  ],
  [
    "change by filter",
    "PATCH",
    "/items/books",
    { filter: { id: { gte: 3 } }, data: { price: "7" } },
    ["update books 3", "update books 4"],
  ],
  [
    "nested change",
    "PATCH",
    "/items/shelves/2",
    { books: { connect: [3], detach: [2] }, labels: [] },
    ["delete shelves_tags_labels_junction 1", "update books 2", "update books 3", "update shelves 2"],
  ],
  [
    "upsert, there",
    "PUT",
    "/items/shelves",
    { on: "name", data: { name: "Top", sort: 9 } },
    ["update shelves 1"],
  ],
  [
    "upsert by filter, not there",
    "PUT",
    "/items/tags",
    { filter: { name: "new" }, data: {} },
    ["create tags 2"],
  ],
  ["sort", "POST", "/utils/sort/shelves", { item: 1, to: 2 }, ["update shelves 1", "update shelves 2"]],
  ["reorder", "POST", "/items/shelves/reorder", { ids: [2, 1] }, ["update shelves 1", "update shelves 2"]],
  ["soft delete", "DELETE", "/items/books/4", undefined, ["delete books 4"]],
  ["restore", "POST", "/items/books/4/restore", undefined, ["restore books 4"]],
  ["soft delete by filter", "DELETE", "/items/books", { filter: { title: "C" } }, ["delete books 3"]],
  [
    "delete for good",
    "DELETE",
    "/items/books/1?permanent=true",
    undefined,
    ["delete books 1", "delete loans 1"],
  ],
  ["bulk delete", "DELETE", "/items/tags/bulk", [1, 2], ["delete tags 1", "delete tags 2"]],
  [
    "import",
    "POST",
    "/items/tags/import-json",
    [{ name: "i" }, { name: "j" }],
    ["create tags 3", "create tags 4"],
  ],
  [
    "transaction",
    "POST",
    "/transaction",
    {
      operations: [
        { action: "create", collection: "tags", name: "t", data: { name: "k" } },
        { action: "update", collection: "tags", id: "{{t.id}}", data: { name: "l" } },
        { action: "delete", collection: "tags", id: 3 },
      ],
    },
    ["create tags 5", "delete tags 3", "update tags 5"],
  ],
  [
    "delete of what others belong to",
    "DELETE",
    "/items/shelves/2",
    undefined,
    ["delete shelves 2", "update books 3"],
  ],
  ["a refusal halfway", "POST", "/items/shelves/bulk", [{ name: "New" }, { name: "Top" }], []],
  ["a dry run", "POST", "/items/tags/import-json?dryRun=true", [{ name: "x" }], []],
];

test.each(doors)("%s", async (door, method, path, body, told) => {
  const answer = await app.call(method, path, { token: user.token, ...(body !== undefined && { body }) });
  expect([door, answer.status < 300 || told.length === 0 ? "" : answer.text]).toEqual([door, ""]);
  const all = await entries(seen);
  seen = all.at(-1)?.id ?? seen;
  expect(all.map(({ action, entity, entityId }) => `${action} ${entity} ${entityId}`).toSorted()).toEqual([
    ...told,
  ]);
  for (const { userId, ipaddress, requestId } of all) {
    expect([userId, ipaddress, requestId]).toEqual([
      user.id,
      "127.0.0.1",
      answer.headers.get("x-request-id") ?? "",
    ]);
  }
});

test("the log, played back, gives what there is", async () => {
  expect(await playBack(app, ...collections)).toBeGreaterThan(3);
});
