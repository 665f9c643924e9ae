/** Entries for what foreign keys do by themselves: which rows, who did it, and after the tables were changed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SchemaDefinition } from "@baasix/types";
import { unproven } from "../../core/access/actor";
import { openSnapshot } from "../../data";
import { testApp, type TestApp } from "../../testing/app";
import type { AuditEntry } from "../../testing/audit";

let app: TestApp;
let adminId: string;

const key = { type: "Integer", primaryKey: true } as const;
const belongsTo = (target: string, foreignKey: string, onDelete: string) => ({
  relType: "BelongsTo",
  target,
  foreignKey,
  onDelete,
});

beforeAll(async () => {
  app = await testApp();
  const me = await app.call("GET", "/auth/me", { token: app.admin });
  adminId = (me.body as { user: { id: string } }).user.id;
  for (const [collectionName, fields, rest] of [
    ["authors", { id: key, name: { type: "String" } }, {}],
    [
      "books",
      {
        id: key,
        price: { type: "Decimal", values: { precision: 20, scale: 2 } },
        sold: { type: "BigInt" },
        years: { type: "Range", values: { type: "Integer" } },
        author: belongsTo("authors", "author_Id", "CASCADE"),
      },
      {},
    ],
    [
      "reviews",
      { id: key, text: { type: "Text" }, book: belongsTo("books", "book_Id", "SET NULL") },
      { timestamps: false },
    ],
    ["quiet", { id: key, author: belongsTo("authors", "author_Id", "CASCADE") }, { audit: false }],
  ] as const) {
    await done(
      "POST",
      "/schemas",
      { collectionName, schema: { name: collectionName, fields, ...rest } },
      201,
    );
  }
});
afterAll(() => app.close());

async function done(method: string, path: string, body?: unknown, status = 200): Promise<unknown> {
  const answer = await app.call(method, path, { token: app.admin, body });
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.body;
}

let seen = "0";

/** The entries since the last call. */
async function entries(): Promise<readonly AuditEntry[]> {
  const query = new URLSearchParams({
    filter: JSON.stringify({ id: { gt: seen } }),
    sort: "id",
    limit: "-1",
  });
  const { data } = (await done("GET", `/items/baasix_AuditLog?${query.toString()}`)) as {
    data: readonly AuditEntry[];
  };
  seen = data.at(-1)?.id ?? seen;
  return data;
}

const told = (all: readonly AuditEntry[]): readonly string[] =>
  all.map(({ action, entity, entityId }) => `${action} ${entity} ${entityId}`).toSorted();

async function fill(author: number): Promise<void> {
  await done("POST", "/items/authors", { id: author, name: "Ann" }, 201);
  await done(
    "POST",
    "/items/books/bulk",
    [1, 2].map((n) => ({
      id: author * 10 + n,
      price: "12345678901234567.25",
      sold: "9007199254740993",
      years: { lower: 1, upper: 4 },
      author_Id: author,
    })),
    201,
  );
  await done("POST", "/items/reviews", { id: author, text: "Good", book_Id: author * 10 + 1 }, 201);
  await done("POST", "/items/quiet", { id: author, author_Id: author }, 201);
  await entries();
}

describe("an item that others belong to", () => {
  test("takes them with it, and the log says who did it, from where, and what was there", async () => {
    await fill(1);
    await done("DELETE", "/items/authors/1");
    const all = await entries();
    expect(told(all)).toEqual(["delete authors 1", "delete books 11", "delete books 12", "update reviews 1"]);
    const [first] = all;
    for (const entry of all) {
      expect([entry.userId, entry.ipaddress, entry.requestId]).toEqual([
        adminId,
        "127.0.0.1",
        first?.requestId ?? null,
      ]);
      expect(entry.transactionId).toBe(first?.transactionId ?? "");
    }
    expect(first?.requestId).toMatch(/-/);
    const book = all.find(({ entityId }) => entityId === "11");
    expect(book?.changes.before).toMatchObject({
      id: 11,
      price: "12345678901234567.25",
      sold: "9007199254740993",
      years: { lower: 1, upper: 4 },
      author_Id: 1,
    });
    expect(book?.changes.after).toBeNull();
    expect(all.find(({ entity }) => entity === "reviews")?.changes).toEqual({
      before: { book_Id: 11 },
      after: { book_Id: null },
    });
  });

  test("deleted in one transaction by several, each under the own name", async () => {
    await fill(2);
    await fill(3);
    await app.data.transaction(async (rows) => {
      const actor = { kind: "user", id: adminId, role: "", roles: [], admin: true, ...unproven } as const;
      const role = app.snapshot.current().rules;
      const [administrator] = [...role.roles.values()].filter(({ admin }) => admin);
      const id = administrator?.role.id ?? "";
      await rows.remove({ ...actor, role: id, roles: [id] }, "authors", [2]);
      await rows.remove({ kind: "system", reason: "a test" }, "authors", [3]);
    });
    const all = await entries();
    expect(all.map(({ entityId, userId }) => [Number(entityId.slice(0, 1)), userId]).toSorted()).toEqual([
      ...Array.from({ length: 4 }, () => [2, adminId]),
      ...Array.from({ length: 4 }, () => [3, null]),
    ]);
  });
});

describe("the trigger follows", () => {
  test("a start on tables that have none", async () => {
    await fill(9);
    for (const text of [
      `drop function "baasix_audit_books" cascade`,
      `create or replace function "baasix_audit_reviews"() returns trigger language plpgsql as 'begin return null; end'`,
    ])
      await app.database.run({ text, params: [] });
    await openSnapshot(app.database);
    await done("DELETE", "/items/authors/9");
    expect(told(await entries())).toEqual([
      "delete authors 9",
      "delete books 91",
      "delete books 92",
      "update reviews 9",
    ]);
  });

  test("new fields, other names and the flag", async () => {
    await app.snapshot.changeSchema(() => ({
      put: [],
      remove: [],
      renames: [
        { collection: "books", field: null, to: "volumes" },
        { collection: "volumes", field: "sold", to: "copies" },
      ],
    }));
    await flag("quiet", true);
    await write(4);
    await done("DELETE", "/items/authors/4");
    const all = await entries();
    expect(told(all)).toEqual([
      "delete authors 4",
      "delete quiet 4",
      "delete volumes 41",
      "update reviews 4",
    ]);
    expect(all.find(({ entity }) => entity === "volumes")?.changes.before).toMatchObject({ copies: "7" });

    await flag("volumes", false);
    await write(5);
    await done("DELETE", "/items/authors/5");
    expect(told(await entries())).toEqual(["delete authors 5", "delete quiet 5", "update reviews 5"]);
    await done("DELETE", "/schemas/quiet?force=true");
    const { database } = app;
    const left = await database.run({
      text: "select count(*)::int from pg_proc where proname like 'baasix_audit_%' and not exists (select 1 from pg_trigger where tgfoid = pg_proc.oid)",
      params: [],
    });
    expect(left).toEqual([[0]]);
  });

  /** The body of a change is the whole definition. */
  async function flag(collection: string, audit: boolean): Promise<void> {
    const { data } = (await done("GET", `/schemas/${collection}`)) as { data: { schema: object } };
    await done("PATCH", `/schemas/${collection}`, { schema: { ...data.schema, audit } });
  }

  async function write(author: number): Promise<void> {
    await done("POST", "/items/authors", { id: author, name: "Ann" }, 201);
    await done("POST", "/items/volumes", { id: author * 10 + 1, copies: "7", author_Id: author }, 201);
    await done("POST", "/items/reviews", { id: author, text: "Good", book_Id: author * 10 + 1 }, 201);
    await done("POST", "/items/quiet", { id: author, author_Id: author }, 201);
    await entries();
  }
});

describe("rows of a junction that lead to one of several collections", () => {
  const rows = async () => {
    const { data } = (await done("GET", "/items/shelved?fields=collection,item_id&sort=id")) as {
      data: readonly { collection: string; item_id: number }[];
    };
    return data.map(({ collection, item_id: item }) => `${collection} ${item}`);
  };
  const leads = (...keys: readonly (readonly [collection: string, item: number])[]) => ({
    holds: keys.map(([collection, item]) => ({ collection, item_id: item })),
  });
  const change = (body: object, query = "") =>
    done("PATCH", `/schemas/shelves/relationships/holds${query}`, body);

  beforeAll(async () => {
    const press = belongsTo("presses", "press_Id", "CASCADE");
    for (const [collectionName, fields] of [
      ["presses", { id: key }],
      ["papers", { id: key, press }],
      ["maps", { id: key }],
      ["shelves", { id: key }],
    ] as const)
      await done("POST", "/schemas", { collectionName, schema: { name: collectionName, fields } }, 201);
    const relation = { type: "M2A", name: "holds", tables: ["papers", "maps"], through: "shelved" };
    await done("POST", "/schemas/shelves/relationships", relation, 201);
    await done("POST", "/items/presses", { id: 1 }, 201);
    const papers = [{ id: 1 }, { id: 2, press_Id: 1 }, { id: 3 }, { id: 5 }];
    await done("POST", "/items/papers/bulk", papers, 201);
    await done("POST", "/items/maps/bulk", [{ id: 1 }, { id: 2 }], 201);
    const all = leads(["papers", 1], ["papers", 2], ["papers", 3], ["maps", 1], ["maps", 2]);
    await done("POST", "/items/shelves", { id: 1, ...all }, 201);
    await entries();
  });

  test("go with the row to which they lead, whatever takes it along, and the log tells it", async () => {
    await done("DELETE", "/items/papers/1");
    const all = await entries();
    expect(told(all)).toEqual(["delete papers 1", "delete shelved 1"]);
    expect(all.map(({ userId }) => userId)).toEqual([adminId, adminId]);
    expect(await rows()).toEqual(["papers 2", "papers 3", "maps 1", "maps 2"]);
    await done("DELETE", "/items/presses/1");
    expect(told(await entries())).toEqual(["delete papers 2", "delete presses 1", "delete shelved 2"]);
    expect(await rows()).toEqual(["papers 3", "maps 1", "maps 2"]);
  });

  test("lead to a row that is there, however they are written", async () => {
    const pair = { shelves_id: 1, collection: "maps", item_id: 9 };
    for (const [method, path, body] of [
      ["POST", "/items/shelved", pair],
      ["POST", "/items/shelved/bulk", [{ ...pair, item_id: 5, collection: "papers" }, pair]],
      ["PATCH", "/items/shelved/4", { item_id: 9 }],
      // Which collection the row leads to is not said here, so nobody looks for the item before.
      ["PATCH", "/items/shelves/1", { holds: { update: [{ id: 4, item_id: 9 }] } }],
    ] as const) {
      const { error } = (await done(method, path, body, 409)) as { error: object };
      expect(error).toMatchObject({
        code: "FOREIGN_KEY_VIOLATION",
        message: "shelved.item_id: the row it refers to does not exist.",
      });
    }
    expect(await rows()).toEqual(["papers 3", "maps 1", "maps 2"]);
    // One is connected while it goes.
    const [connected, gone] = await Promise.all([
      app.call("POST", "/items/shelved", {
        token: app.admin,
        body: { ...pair, item_id: 4, collection: "papers" },
      }),
      done("POST", "/items/papers", { id: 4 }, 201).then(() =>
        app.call("DELETE", "/items/papers/4", { token: app.admin }),
      ),
    ]);
    expect([[201, 409].includes(connected.status), gone.status]).toEqual([true, 200]);
    expect(await rows()).toEqual(["papers 3", "maps 1", "maps 2"]);
  });

  test("or keep it, where the relation says so; under other names, and no longer than they lead there", async () => {
    await change({ onDelete: "RESTRICT" });
    for (const path of ["/items/papers/3", "/items/shelves/1"]) {
      const refused = (await done("DELETE", path, undefined, 409)) as { error: object };
      expect(refused.error).toMatchObject({
        code: "FOREIGN_KEY_VIOLATION",
        details: { collection: "shelved" },
      });
    }
    await change({ onDelete: "CASCADE" });
    const renames = [{ collection: "papers", field: null, to: "sheets" }];
    await app.snapshot.changeSchema(() => ({ put: [], remove: [], renames }));
    await done("DELETE", "/items/sheets/3");
    expect(await rows()).toEqual(["maps 1", "maps 2"]);
    await app.database.run({ text: 'drop function "baasix_follow_maps" cascade', params: [] });
    await openSnapshot(app.database);
    await done("DELETE", "/items/maps/1");
    expect(await rows()).toEqual(["maps 2"]);
    await change({ tables: ["sheets"] }, "?force=true");
    await done("DELETE", "/items/maps/2");
    const left = await app.database.run({
      text: "select proname, prosrc like '%maps%' from pg_proc where proname ~ '^baasix_(follow|lead)_' order by 1",
      params: [],
    });
    expect(left).toEqual([
      ["baasix_follow_sheets", false],
      ["baasix_lead_shelved", false],
    ]);
  });
});

test("a change that calls the columns of a junction by other names writes its rows, too", async () => {
  for (const collectionName of ["coins", "tins"])
    await done(
      "POST",
      "/schemas",
      { collectionName, schema: { name: collectionName, fields: { id: key } } },
      201,
    );
  const relation = { type: "M2A", name: "holds", tables: ["coins"], through: "tinned" };
  await done("POST", "/schemas/tins/relationships", relation, 201);
  await done("POST", "/items/coins/bulk", [{ id: 1 }, { id: 2 }], 201);
  await done("POST", "/items/tins", { id: 1, holds: [{ collection: "coins", item_id: 1 }] }, 201);
  await app.snapshot.changeSchema(() => ({
    put: [],
    remove: [],
    renames: [
      { collection: "tinned", field: "item_id", to: "thing" },
      { collection: "tinned", field: "collection", to: "kind" },
      { collection: "coins", field: null, to: "pennies" },
      { collection: "tinned", field: null, to: "in_tins" },
    ],
  }));
  await done("POST", "/items/in_tins", { tins_id: 1, kind: "pennies", thing: 3 }, 409);
  await done("POST", "/items/in_tins", { tins_id: 1, kind: "pennies", thing: 2 }, 201);
  await done("DELETE", "/items/pennies/1");
  expect(await done("GET", "/items/in_tins?fields=kind,thing")).toMatchObject({
    data: [{ kind: "pennies", thing: 2 }],
  });
  await entries();
});

test("types of columns change, and those of keys, between two writes of one session", async () => {
  for (const [collectionName, fields] of [
    ["makers", { id: key }],
    ["goods", { id: key, text: { type: "String" }, maker: belongsTo("makers", "maker_Id", "CASCADE") }],
    ["bags", { id: key }],
  ] as const)
    await done("POST", "/schemas", { collectionName, schema: { name: collectionName, fields } }, 201);
  const relation = { type: "M2A", name: "holds", tables: ["makers"], through: "bagged" };
  await done("POST", "/schemas/bags/relationships", relation, 201);
  // PostgreSQL keeps the plan of what a trigger does once it was done five times.
  const write = async (first: number): Promise<void> => {
    const ids = Array.from({ length: 8 }, (_, i) => first + i);
    await done(
      "POST",
      "/items/makers/bulk",
      ids.map((id) => ({ id })),
      201,
    );
    await done(
      "POST",
      "/items/goods/bulk",
      ids.map((id) => ({ id, text: "good", maker_Id: id })),
      201,
    );
    for (const id of ids)
      await done("POST", "/items/bagged", { bags_id: 1, collection: "makers", item_id: id }, 201);
    await entries();
    for (const id of ids) await done("DELETE", `/items/makers/${id}`);
    expect((await entries()).length).toBe(24);
  };
  const change = (types: Readonly<Record<string, readonly [field: string, type: string]>>) =>
    app.snapshot.changeSchema(({ collections }) => ({
      put: Object.entries(types).map(([collectionName, [name, type]]) => {
        const definition = collections.get(collectionName)?.definition;
        const fields = { ...definition?.fields, [name]: { ...definition?.fields[name], type } };
        return { collectionName, schema: { ...definition, fields } as SchemaDefinition };
      }),
      remove: [],
    }));
  await done("POST", "/items/bags", { id: 1 }, 201);
  await write(1);
  await change({ goods: ["text", "Text"] });
  await write(11);
  await change({ makers: ["id", "BigInt"], goods: ["maker_Id", "BigInt"], bagged: ["item_id", "BigInt"] });
  await write(21);
});
