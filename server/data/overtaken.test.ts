/** Requests and changes at the same time: nothing that reads or writes fails because the schema changed meanwhile. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { FieldDefinition, SchemaRecord } from "@baasix/types";
import { type Actor, system } from "../core/access/actor";
import { AppError } from "../core/errors";
import { type Database, type DatabaseAddress, openDatabase } from "../platform/postgres";
import { testDatabase } from "../testing/postgres";
import { createData } from "./data";
import type { Data, RawQuery } from "./door";
import { openSnapshot, type SnapshotStore } from "./snapshot";
import { createTotals } from "./totals";

setDefaultTimeout(60_000);

/** One server: it hears of the changes of others by stumbling over them alone, as there is no feed in these tests. */
type Instance = { readonly database: Database; readonly store: SnapshotStore; readonly data: Data };

let address: DatabaseAddress;
let drop: () => Promise<void>;
let here: Instance;
let there: Instance;

async function start(): Promise<Instance> {
  const database = await openDatabase(address, { shortPool: 3, slowPool: 3 });
  const store = await openSnapshot(database, { tableTimeout: 30_000 });
  const data = createData({
    database,
    snapshot: store.current,
    reloadSchema: store.reloadSchema,
    now: Date.now,
    totals: createTotals({ schema: () => store.current().schema, live: () => false }),
  });
  return { database, store, data };
}

beforeAll(async () => {
  ({ address, drop } = await testDatabase());
  here = await start();
  there = await start();
});
afterAll(async () => {
  for (const { database } of [here, there]) await database.close();
  await drop();
});

const actor: Actor = system("test");
const key = { id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } } as const;
type Fields = { readonly [name: string]: FieldDefinition };
const record = (fields: Fields): SchemaRecord => ({
  collectionName: "things",
  schema: { name: "Thing", timestamps: false, fields: { ...key, ...fields } },
});
const put = ({ store }: Instance, fields: Fields) =>
  store.changeSchema(() => ({ put: [record(fields)], remove: [] }), { force: true });
const rename = ({ store }: Instance, field: string | null, to: string, collection = "things") =>
  store.changeSchema(() => ({ put: [], remove: [], renames: [{ collection, field, to }] }));
const sql = async (text: string) => (await here.database.run({ text, params: [] })).map((row) => row[0]);

beforeEach(async () => {
  await here.store.reloadSchema();
  await here.store.changeSchema(
    ({ collections }) => ({
      put: [],
      remove: [...collections.values()].flatMap(({ name, system: isOurs }) => (isOurs ? [] : [name])),
    }),
    { force: true },
  );
  await put(here, { a: { type: "Integer" }, b: { type: "Text" } });
  await there.store.reloadSchema();
});

test("reads, writes, aggregates and walks are planned again after a change of another instance", async () => {
  const [id] = await here.data.create(actor, "things", [{ a: 1, b: "x" }]);
  await put(there, { b: { type: "Text" }, c: { type: "Integer" } });
  expect(JSON.parse((await here.data.read(actor, "things", {})).json)).toEqual([{ id: 1, b: "x", c: null }]);
  await put(there, { b: { type: "JSON" } });
  expect(JSON.parse((await here.data.readOne(actor, "things", id ?? 0)).json)).toEqual({ id: 1, b: "x" });
  await rename(there, "b", "text");
  const { json } = await here.data.read(actor, "things", {});
  expect(JSON.parse(json)).toEqual([{ id: 1, text: "x" }]);
  await rename(there, "text", "b");
  await put(there, { b: { type: "Text" }, n: { type: "Integer" } });
  await here.store.reloadSchema();
  await put(there, { b: { type: "Text" } });
  await here.data.create(actor, "things", [{ b: "z" }]);
  await put(there, { b: { type: "Text" }, d: { type: "Integer" } });
  const walked: unknown[] = [];
  for await (const batch of here.data.stream(actor, "things", { sort: ["id"] })) walked.push(...batch);
  expect(walked).toHaveLength(2);
  await put(there, { b: { type: "Text" }, e: { type: "Integer" } });
  const aggregate = { aggregate: { most: { function: "max", field: "id" } }, groupBy: ["b"] };
  const grouped = await here.data.read(actor, "things", aggregate as RawQuery);
  expect(JSON.parse(grouped.json)).toHaveLength(2);
});

test("what is gone is not found, and no fault of the server", async () => {
  await here.data.read(actor, "things", {});
  await rename(there, null, "objects");
  const refused = await here.data.read(actor, "things", {}).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AppError);
  expect((refused as AppError).code).toBe("UNKNOWN_COLLECTION");
  expect(here.store.current().schema.collections.has("objects")).toBe(true);
});

test("a transaction is run again as a whole, and what it wrote is there once", async () => {
  let runs = 0;
  await here.data.transaction(async (rows) => {
    runs++;
    await rows.create(actor, "things", [{ b: "first" }]);
    if (runs === 1) {
      // Not yet written by anyone: the change need not wait for the transaction.
      await there.store.changeSchema(() => ({
        put: [
          {
            collectionName: "others",
            schema: { name: "Other", timestamps: false, fields: { ...key, x: { type: "Integer" } } },
          },
        ],
        remove: [],
      }));
      await here.store.reloadSchema();
      await there.store.changeSchema(() => ({
        put: [
          {
            collectionName: "others",
            schema: { name: "Other", timestamps: false, fields: { ...key, y: { type: "Integer" } } },
          },
        ],
        remove: [],
      }));
    }
    await rows.read(actor, "others", {});
  });
  expect(runs).toBeGreaterThan(1);
  expect(await sql("select count(*)::int from things")).toEqual([1]);
});

test("what fails after the commit is not done again", async () => {
  const { database, store } = here;
  const data = createData({
    database,
    snapshot: store.current,
    reloadSchema: store.reloadSchema,
    now: Date.now,
    totals: createTotals({ schema: () => store.current().schema, live: () => false }),
  });
  data.onWrite(async () => {
    await put(there, { b: { type: "Text" }, e: { type: "Integer" } });
    await database.run({ text: "select 1 from nowhere", params: [] });
  });
  const failed = await data.create(actor, "things", [{ b: "once" }]).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(AppError);
  expect(await sql("select count(*)::int from things")).toEqual([1]);
});

test("readers and writers go on while the schema changes again and again", async () => {
  await here.data.create(actor, "things", [{ a: 1, b: "x" }]);
  const traffic = { goes: true };
  const answers: string[] = [];
  const reader = async ({ data }: Instance): Promise<void> => {
    while (traffic.goes) {
      const { json } = await data.read(actor, "things", { fields: ["*"], sort: ["id"], limit: 3 });
      answers.push(Object.keys((JSON.parse(json) as object[])[0] ?? {}).join());
    }
  };
  let written = 0;
  const writer = async ({ data }: Instance): Promise<void> => {
    while (traffic.goes) {
      await data.create(actor, "things", [{ b: "y" }]);
      written++;
    }
  };
  const work = [reader(here), reader(there), reader(here), writer(here), writer(there)];
  const shapes: Fields[] = [
    { b: { type: "Text" }, a: { type: "BigInt" } },
    { b: { type: "String", values: { length: 50 } }, c: { type: "Integer", defaultValue: 3 } },
    { b: { type: "Text", unique: false }, c: { type: "Text" } },
    { b: { type: "Text" } },
  ];
  try {
    for (let round = 0; round < 3; round++) {
      for (const [i, fields] of shapes.entries()) await put(i % 2 === 0 ? here : there, fields);
    }
  } finally {
    traffic.goes = false;
    await Promise.all(work);
  }
  expect(new Set(answers).size).toBeGreaterThan(1);
  expect(await sql("select count(*)::int from things")).toEqual([written + 1]);
});

test("a change waits for a long reader without keeping the others waiting", async () => {
  await here.data.create(actor, "things", [{ a: 1 }]);
  const events: string[] = [];
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const long = there.database.transaction(async (runner) => {
    await runner.run({ text: "select * from things", params: [] });
    hold();
    await released;
  });
  await held;
  const change = put(here, { a: { type: "Integer" }, b: { type: "Text" }, c: { type: "Integer" } }).then(() =>
    events.push("changed"),
  );
  // Until it stands in line for the table.
  while (
    (await sql("select 1 from pg_locks where not granted and mode = 'AccessExclusiveLock'")).length === 0
  );
  for (let i = 0; i < 8; i++) {
    await here.data.read(actor, "things", {});
    await here.data.create(actor, "things", [{ a: i }]);
    events.push("answered");
  }
  events.push("released");
  release();
  await Promise.all([long, change]);
  expect(events).toEqual([...Array.from({ length: 8 }, () => "answered"), "released", "changed"]);
  expect(JSON.parse((await here.data.read(actor, "things", { limit: 1 })).json)).toMatchObject([{ c: null }]);
});

test("changes of two instances at once are made one after the other, none is lost", async () => {
  const add = ({ store }: Instance, name: string) =>
    store.changeSchema(({ collections }) => {
      const fields = collections.get("things")?.definition.fields ?? {};
      return { put: [record({ ...fields, [name]: { type: "Integer" } })], remove: [] };
    });
  const names = ["p", "q", "r", "s", "t", "u"];
  await Promise.all(names.map((name, i) => add(i % 2 === 0 ? here : there, name)));
  await here.store.reloadSchema();
  const { fields } = here.store.current().schema.collections.get("things") ?? { fields: new Map() };
  expect([...fields.keys()].toSorted()).toEqual(["a", "b", "id", ...names]);
});
