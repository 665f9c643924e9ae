/** Every kind of read and write, without pause, while the schema of what they read and write changes: none of them fails. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { SchemaDefinition, SchemaRecord } from "@baasix/types";
import { type Answer, testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(120_000);

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ env: { DATABASE_POOL_MAX: "6", DATABASE_SLOW_POOL_MAX: "4" } });
});
afterAll(() => app.close());

const send = (method: string, path: string, body?: unknown): Promise<Answer> =>
  app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });

const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const define = (collectionName: string, fields: object) =>
  app.ok("POST", "/schemas", {
    collectionName,
    schema: { name: collectionName, paranoid: true, fields: { id, ...fields } },
  });

/** Reads and writes of what stays. `serial` makes keys. */
const requests: readonly (readonly [method: string, path: string, body?: (serial: number) => unknown])[] = [
  ["GET", "/items/things?limit=20&sort=-id"],
  ["GET", `/items/things?fields=*,kind.*,tags.kinds.name&filter={"kind.name":"a"}&limit=5`],
  ["GET", "/items/things/3?fields=*,kind.name"],
  ["GET", `/items/things?aggregate={"sum":{"function":"sum","field":"n"}}&groupBy=kind.name`],
  ["GET", "/items/things?search=x1&limit=3"],
  ["GET", "/items/things?export=ndjson"],
  ["POST", "/items/things", () => ({ name: "new", n: 1, kind: 1 })],
  ["POST", "/items/things", () => ({ name: "nested", tags: [{ kinds_id: 1 }] })],
  [
    "PATCH",
    "/items/things/bulk",
    () => [
      { id: 1, n: 5 },
      { id: 2, n: 6 },
    ],
  ],
  ["PATCH", "/items/things", () => ({ filter: { id: { in: [4, 5] } }, data: { n: 3 } })],
  ["PUT", "/items/things", (serial) => ({ on: "sku", data: { sku: `k${serial % 3}`, name: "u" } })],
  [
    "POST",
    "/transaction",
    () => ({
      operations: [
        { action: "create", collection: "things", name: "made", data: { name: "t" } },
        { action: "update", collection: "things", id: "{{made.id}}", data: { n: 9 } },
      ],
    }),
  ],
];

async function change(
  edit: (fields: SchemaDefinition["fields"]) => object,
  more: object = {},
): Promise<void> {
  const { data } = (await app.ok("GET", "/schemas/things")).body as { data: SchemaRecord };
  const fields = edit(data.schema.fields);
  await app.ok("PATCH", "/schemas/things?force=true", { schema: { ...data.schema, ...more, fields } });
}

test("a life of a collection under way", async () => {
  await define("kinds", { name: { type: "String", unique: true } });
  await define("things", {
    name: { type: "String" },
    n: { type: "Integer" },
    sku: { type: "String", unique: true },
  });
  await app.ok("POST", "/schemas/things/relationships", {
    type: "M2O",
    name: "kind",
    target: "kinds",
    alias: "things",
  });
  await app.ok("POST", "/schemas/things/relationships", {
    type: "M2M",
    name: "tags",
    target: "kinds",
    alias: "tagged",
  });
  await app.ok("POST", "/items/kinds", { name: "a" });
  await app.ok(
    "POST",
    "/items/things/bulk",
    Array.from({ length: 30 }, (_, i) => ({ name: `x${i}`, n: i, kind: 1 })),
  );

  const traffic = { goes: true };
  const refused: string[] = [];
  const answered = requests.map(() => 0);
  const callers = requests.map(async ([method, path, body], caller) => {
    for (let serial = 0; traffic.goes; serial++) {
      // oxlint-disable-next-line no-await-in-loop -- one caller, one request at a time
      const { status, text } = await send(method, path, body?.(serial));
      if (status >= 300) refused.push(`${method} ${path}: ${status} ${text.slice(0, 200)}`);
      answered[caller] = (answered[caller] ?? 0) + 1;
      // What is answered from memory would keep everything else from its turn.
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  try {
    await change((fields) => ({ ...fields, extra: { type: "Integer", defaultValue: 4 } }));
    await app.ok("POST", "/schemas/things/fields/extra/rename", { to: "more" });
    await app.ok("POST", "/schemas/things/indexes", { fields: ["n"] });
    await change((fields) => ({ ...fields, more: { type: "Text" }, n: { type: "BigInt" } }));
    await app.ok("POST", "/schemas/things/relationships", {
      type: "M2O",
      name: "owner",
      target: "baasix_User",
    });
    await app.ok("PATCH", "/schemas/things/relationships/owner", { onDelete: "CASCADE", alias: "things" });
    await app.ok("DELETE", "/schemas/things/relationships/owner?force=true");
    await change(({ more: _dropped, ...fields }) => fields, { searchable: ["name"] });
    await app.ok("DELETE", "/schemas/things/indexes/things_n_idx");
    await app.ok("POST", "/schemas/kinds/fields/tagged/rename", { to: "labelled" });
    await change((fields) => ({
      ...fields,
      n: { type: "Integer" },
      double: { type: "Integer", calculated: "n * 2" },
    }));
  } finally {
    traffic.goes = false;
    await Promise.all(callers);
  }
  expect(refused).toEqual([]);
  expect(answered.every((count) => count > 0)).toBe(true);
});
