/** Writes that meet: on a real PostgreSQL, many at once, none lost, none doubled, and none refused for another's sake. */
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { type Actor, system, unproven } from "../core/access/actor";
import type { AppError } from "../core/errors";
import { testApp, type TestApp } from "../testing/app";
import { testServer } from "../testing/postgres";
import type { Data } from "./door";

type Row = Readonly<Record<string, unknown>>;

/** The folder of the embedded server's socket, and its superuser. */
async function superuser(): Promise<{
  readonly directory: string;
  readonly user: string;
  readonly database: string;
}> {
  const { maintenance } = await testServer();
  if (maintenance.kind !== "socket") throw new Error("the embedded server is reached through a socket");
  return maintenance;
}

/** How often the server told of a deadlock, which it does at once and in its log. */
async function deadlocksSoFar(): Promise<number> {
  const { directory } = await superuser();
  const log = await Bun.file(join(directory, "../postgres.log")).text();
  return log.split("deadlock detected").length - 1;
}

/** Lets the server write what it refuses into its log, for connections that are made from now on. */
async function logRefusals(): Promise<void> {
  const { directory, user, database } = await superuser();
  await using sql = new Bun.SQL({ adapter: "postgres", path: directory, username: user, database, max: 1 });
  await sql.unsafe("alter role baasix set log_min_messages = error");
}

let app: TestApp;
let data: Data;
let admin: Actor;
const server = system("test of writes");

const id = { type: "Integer", primaryKey: true };
const schemas: Readonly<Record<string, object>> = {
  things: {
    name: "Thing",
    paranoid: true,
    fields: { id, sku: { type: "String", unique: true }, title: { type: "String" } },
  },
  plain: {
    name: "Plain",
    fields: {
      id,
      a: { type: "Integer" },
      b: { type: "Integer" },
      count: { type: "Integer", defaultValue: 0 },
      state: { type: "String" },
    },
    indexes: [{ fields: ["a", "b"], unique: true }],
  },
  notes: {
    name: "Note",
    fields: { text: { type: "String" }, kind: { type: "String" }, turn: { type: "Integer" } },
  },
};

beforeAll(async () => {
  await logRefusals();
  app = await testApp({ env: { DATABASE_POOL_MAX: "10" } });
  data = app.data;
  for (const [collectionName, schema] of Object.entries(schemas)) {
    const answer = await app.call("POST", "/schemas", { token: app.admin, body: { collectionName, schema } });
    expect(answer.text).toBe('{"message":"Schema created successfully"}');
  }
  const [role] = await data.find<{ id: string }>(server, "baasix_Role", {
    filter: { name: "administrator" },
  });
  const own = role?.id ?? "";
  admin = { kind: "user", id: crypto.randomUUID(), role: own, roles: [own], admin: true, ...unproven };
});
afterAll(() => app.close());

beforeEach(async () => {
  for (const name of Object.keys(schemas))
    await data.removeWhere(server, name, { id: { isNotNull: true } }, { permanent: true });
});

const many = <T>(count: number, call: (i: number) => Promise<T>) =>
  Array.from({ length: count }, (_, i) => () => call(i));

/** Runs calls at once, and gives the codes of those that were refused. */
async function refusals(calls: readonly (() => Promise<unknown>)[]): Promise<readonly unknown[]> {
  const codes = await Promise.all(
    calls.map((call) =>
      call().then(
        () => null,
        (error: AppError) => error.code,
      ),
    ),
  );
  return codes.filter((code) => code !== null);
}

test("64 upserts of one key make one item", async () => {
  const told: boolean[] = [];
  const calls = many(64, async (i) => {
    const [one] = await data.upsert(admin, "things", { on: ["sku"] }, [{ id: 1, sku: "x", title: `t${i}` }]);
    told.push(one?.created === true);
  });
  expect(await refusals(calls)).toEqual([]);
  expect(told.filter(Boolean)).toHaveLength(1);
  expect(await data.find(server, "things", {})).toHaveLength(1);
});

test("64 upserts by one filter make one item, however it is spelled", async () => {
  const filters = [
    { text: "x", kind: "y" },
    { kind: { eq: "y" }, text: "x" },
    { AND: [{ text: "x" }, { kind: "y" }] },
  ];
  const calls = many(64, (i) => data.upsert(admin, "notes", { filter: filters[i % 3] }, [{ turn: i }]));
  expect(await refusals(calls)).toEqual([]);
  expect(await data.find(server, "notes", {})).toHaveLength(1);
});

test("upserts by filter and creates of the same unique value", async () => {
  const calls = [
    ...many(16, (i) => data.upsert(admin, "things", { filter: { sku: "x" } }, [{ id: 1, title: `t${i}` }])),
    ...many(16, (i) => data.upsert(admin, "things", { on: ["sku"] }, [{ id: 1, sku: "x", title: `u${i}` }])),
  ];
  expect(await refusals(calls)).toEqual([]);
  expect(await data.find(server, "things", {})).toHaveLength(1);
});

test("bulks of upserts in opposite orders, and creates between them", async () => {
  const bodies = (from: number) =>
    Array.from({ length: 40 }, (_, i) => ({ id: from + i, a: from + i, b: 1, state: "s" }));
  const calls = [
    ...many(8, (i) =>
      data.upsert(admin, "plain", { on: ["a", "b"] }, i % 2 === 0 ? bodies(i) : bodies(i).toReversed()),
    ),
    ...many(8, (i) => data.upsert(admin, "plain", { on: ["b", "a"] }, [{ id: 20 + i, a: 20 + i, b: 1 }])),
  ];
  const deadlocks = await deadlocksSoFar();
  expect(await refusals(calls)).toEqual([]);
  const rows = await data.find<Row>(server, "plain", { fields: ["id"], sort: "id", limit: -1 });
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 47 }, (_, i) => i));
  // One that is found out and tried again takes a second of all.
  expect(await deadlocksSoFar()).toBe(deadlocks);
});

test("a body that an upsert refuses is named by its place in the request", async () => {
  await data.create(server, "plain", [{ id: 1, a: 1, b: 1 }]);
  const bodies = [
    { id: 1, a: 1, b: 1 },
    { id: 3, a: 3, b: 1 },
    { id: 2, a: 2, b: 1, count: "many" },
  ];
  const refused = data.upsert(admin, "plain", { on: ["a", "b"] }, bodies);
  expect(await refused.catch((error: AppError) => error.message)).toContain("[2].count");
});

test("bulks of updates in opposite orders", async () => {
  const ids = Array.from({ length: 60 }, (_, i) => i + 1);
  await data.create(
    server,
    "plain",
    ids.map((id) => ({ id })),
  );
  const calls = many(16, (i) => {
    const order = i % 2 === 0 ? ids : ids.toReversed();
    if (i % 4 === 3) return data.updateWhere(admin, "plain", { id: { gt: 0 } }, { state: `w${i}` });
    return data.update(
      admin,
      "plain",
      order.map((id) => ({ id, data: { state: `s${i}` } })),
    );
  });
  expect(await refusals(calls)).toEqual([]);
  const rows = await data.find<Row>(server, "plain", { fields: ["state"], limit: -1 });
  expect(new Set(rows.map(({ state }) => state)).size).toBe(1);
});

test("increments under versions are all counted", async () => {
  await data.create(server, "plain", [{ id: 1 }]);
  const increment = async (): Promise<void> => {
    for (;;) {
      const { json, version: seen } = await data.readOne(admin, "plain", 1, { fields: ["count"] });
      const { count } = JSON.parse(json) as { count: number };
      const entry = { id: 1, data: { count: count + 1 }, version: seen };
      const [code] = await refusals([() => data.update(admin, "plain", [entry])]);
      if (code === undefined) return;
      expect(code).toBe("PRECONDITION_FAILED");
    }
  };
  expect(await refusals(many(24, increment))).toEqual([]);
  expect(await data.find<Row>(server, "plain", { fields: ["count"] })).toEqual([{ count: 24 }]);
});

test("a delete and updates of the same items: each whole, or not at all", async () => {
  const ids = [1, 2, 3];
  await data.create(
    server,
    "things",
    ids.map((id) => ({ id })),
  );
  const rename = (i: number) =>
    data.update(
      admin,
      "things",
      ids.map((id) => ({ id, data: { title: `t${i}` } })),
    );
  const codes = await refusals([
    ...many(6, rename),
    () => data.remove(admin, "things", ids.toReversed()),
    ...many(6, rename),
  ]);
  expect(codes.every((code) => code === "NOT_FOUND")).toBe(true);
  const rows = await data.find<Row>(server, "things", { paranoid: false });
  expect(rows.map(({ deletedAt }) => deletedAt === null)).toEqual([false, false, false]);
  expect(new Set(rows.map(({ title }) => title)).size).toBe(1);
});
