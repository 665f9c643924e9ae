/** Realtime on a database whose log may not be read: two instances, told by triggers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openInstance, type TestApp, testApp, type TestInstance } from "../../testing/app";
import { chance, seedOfRun } from "../../testing/chance";
import { externalServer, type ExternalServer, outsider } from "../../testing/postgres";
import { openSocket, type TestSocket } from "../../testing/socket";

let server: ExternalServer;
let app: TestApp;
let other: TestInstance;
/** Of the second instance; writes go to the first. */
let url: string;

beforeAll(async () => {
  server = await externalServer({ walLevel: "replica" });
  app = await testApp({ address: server.address });
  other = await openInstance(app.config, server.address);
  for (const { feed } of [app, other]) while (feed.status().source !== "triggers") await Bun.sleep(5);
  url = other.listen();
  const id = { type: "Integer", primaryKey: true };
  const text = { type: "String" };
  await define("lists", { id, name: text });
  await define("cards", {
    id,
    title: text,
    done: { type: "Boolean", defaultValue: false },
    list: { relType: "BelongsTo", target: "lists", foreignKey: "list_Id", onDelete: "CASCADE" },
  });
  for (const name of ["before", "quiet", "behind"]) await define(name, { id });
  while (!other.snapshot.current().schema.collections.has("behind")) await Bun.sleep(5);
}, 60_000);
afterAll(async () => {
  await other.close();
  await app.close();
  await server.stop();
});

async function define(name: string, fields: object): Promise<void> {
  await app.ok("POST", "/schemas", { collectionName: name, schema: { name, timestamps: false, fields } });
}

const send = (method: string, path: string, body?: unknown) =>
  app.call(method, `/items/${path}`, { token: app.admin, ...(body !== undefined && { body }) });
const psql = (...statements: string[]) => outsider(server.address, ...statements);
const triggersOn = async (table: string): Promise<number> =>
  (
    await psql(
      `select from pg_trigger where tgrelid = 'public."${table}"'::regclass and tgname like 'baasix_tell%'`,
    )
  ).length;

/** A subscription that is being told: the first one to watch a table hears a resync when that begins. */
async function watch(socket: TestSocket, collection: string, options: object = {}): Promise<string> {
  const isNew = (await triggersOn(collection)) === 0;
  const name = await socket.subscribe(collection, options);
  if (isNew) await socket.take((frame) => frame.type === "resync" && frame.subscription === name);
  return name;
}

const told = async (socket: TestSocket) => {
  const { action, data, _old } = await socket.expect("change");
  return [action, data, ...(_old ? [_old] : [])];
};

test("the start and administrators are told why, and what is not told", async () => {
  const { body } = await app.call("GET", "/realtime/status", { token: app.admin });
  expect(body).toMatchObject({
    data: {
      connected: true,
      walAvailable: false,
      isWalLeader: false,
      source: "triggers",
      slotName: null,
      reason: expect.stringContaining("wal_level of the server is replica"),
      blind: [expect.stringContaining("triggers are off")],
      replicationConfig: {
        walLevel: "replica",
        isConfigured: false,
        issues: [expect.stringContaining("wal_level")],
      },
    },
  });
  const health = await app.call("GET", "/health");
  expect(JSON.stringify(health.body)).toContain(`"realtime"`);
});

test("what nobody watches costs nothing, also where totals of lists are asked for", async () => {
  await send("GET", "quiet?meta=totalCount");
  // The instance goes over the tables in turn: it has passed that one when those on both sides are told of.
  const socket = await openSocket(app.listen(), app.admin);
  for (const name of ["before", "behind"]) await watch(socket, name);
  expect(await triggersOn("quiet")).toBe(0);
  socket.close();
});

describe("subscribers hear of", () => {
  let socket: TestSocket;
  beforeAll(async () => {
    socket = await openSocket(url, app.admin);
    await watch(socket, "cards", { filter: { done: false }, fields: ["id", "title"] });
  });
  afterAll(() => socket.close());

  test("writes of another instance, rows that enter and leave their view, and how they were", async () => {
    await send("POST", "lists", { id: 1, name: "todo" });
    await send("POST", "cards", { id: 1, title: "a", list: 1 });
    expect(await told(socket)).toEqual(["create", { id: 1, title: "a" }]);
    await send("PATCH", "cards/1", { title: "b" });
    expect(await told(socket)).toEqual(["update", { id: 1, title: "b" }, { id: 1, title: "a" }]);
    await send("PATCH", "cards/1", { done: true });
    expect(await told(socket)).toEqual(["delete", { id: 1 }]);
    await send("PATCH", "cards/1", { title: "outside" });
    await send("PATCH", "cards/1", { done: false });
    expect(await told(socket)).toEqual(["create", { id: 1, title: "outside" }]);
  });

  test("rows that go with others, and hands in the database", async () => {
    await send("DELETE", "lists/1");
    expect(await told(socket)).toEqual(["delete", { id: 1 }]);
    await psql(`begin; insert into cards (id, title) values (2, 'gone'); rollback`);
    await psql(
      `insert into cards (id, title) values (3, 'x')`,
      `begin; update cards set title = 'unseen' where id = 3; update cards set title = 'y' where id = 3; commit`,
    );
    expect(await told(socket)).toEqual(["create", { id: 3, title: "x" }]);
    expect(await told(socket)).toEqual(["update", { id: 3, title: "y" }, { id: 3, title: "x" }]);
  });

  test("what cannot be told row by row, as a resync", async () => {
    await psql(`insert into cards (id, title) select i, 'bulk' from generate_series(100, 10200) i`);
    expect(await socket.expect("resync")).toMatchObject({ reason: expect.stringContaining("too much") });
    await psql(`truncate cards`);
    expect(await socket.expect("resync")).toMatchObject({ reason: expect.stringContaining("emptied") });
  });
});

test("live queries are what a fresh read gives", async () => {
  const socket = await openSocket(url, app.admin);
  const query = { sort: ["id"], fields: ["id", "list.name"], filter: { done: false } };
  await socket.ask({ type: "query", collection: "cards", query });
  await psql(
    `insert into lists (id, name) values (5, 'five')`,
    `insert into cards (id, title, "list_Id") values (50, 't', 5)`,
  );
  await socket.take((frame) => JSON.stringify(frame).includes('"five"'));
  await send("PATCH", "lists/5", { name: "renamed" });
  await socket.take((frame) => JSON.stringify(frame).includes('"renamed"'));
  await send("DELETE", "lists/5");
  await socket.take(
    (frame) => frame.type === "query.difference" && !JSON.stringify(frame).includes("renamed"),
  );
  socket.close();
});

test("of many writers on the same rows everybody ends with what a fresh read gives", async () => {
  const socket = await openSocket(url, app.admin);
  await watch(socket, "cards", { fields: ["id", "title"] });
  const rows = new Map<unknown, unknown>();
  const seed = seedOfRun();
  const { below, one } = chance(seed);
  const pick = (): number => 1000 + below(12);
  const writes: readonly (() => string)[] = [
    () =>
      `insert into cards (id, title) values (${pick()}, 'new') on conflict (id) do update set title = 'again'`,
    () =>
      `update cards set title = title || '${pick()}' where id in (select id from cards where id in (${pick()}, ${pick()}) order by id for update)`,
    () => `delete from cards where id = ${pick()}`,
    () =>
      `update cards set id = id + 100 where id = ${pick()} and not exists (select from cards c where c.id = cards.id + 100)`,
    () =>
      `begin; update cards set title = 'a' where id = ${pick()}; delete from cards where id = 1099; insert into cards (id, title) values (1099, 'b') on conflict do nothing; commit`,
  ];
  const writer = async (sql: Bun.SQL): Promise<void> => {
    for (let step = 0; step < 60; step++) {
      const write = one(writes);
      // Two who wait for each other, or for the same id: one of them gives way.
      // oxlint-disable-next-line no-await-in-loop -- one after the other, as writers do
      await sql.unsafe(write()).catch(() => sql.unsafe("rollback"));
    }
  };
  const clients = Array.from({ length: 4 }, () => new Bun.SQL(server.url, { max: 1 }));
  await Promise.all(clients.map(writer));
  await Promise.all(clients.map((sql) => sql.close()));
  await psql(`insert into cards (id, title) values (1999, 'the last')`);
  for (let isLast = false; !isLast;) {
    // oxlint-disable-next-line no-await-in-loop
    const { action, data } = await socket.expect("change");
    if (action === "delete") rows.delete(data["id"]);
    else rows.set(data["id"], data["title"]);
    isLast = data["id"] === 1999;
  }
  const { body } = await send("GET", "cards?filter[id][gte]=1000&fields=id,title&limit=-1");
  const fresh = (body as { data: { id: number; title: string }[] }).data.map(({ id, title }) => [id, title]);
  const sorted = (pairs: Iterable<readonly unknown[]>): string[] => [...pairs].map(String).toSorted();
  expect([seed, ...sorted(rows)]).toEqual([seed, ...sorted(fresh)]);
  socket.close();
});

test("when the server restarts everyone reads again, and hears on", async () => {
  const socket = await openSocket(url, app.admin);
  await watch(socket, "cards", {});
  await server.kill();
  await server.start();
  await socket.take((frame) => frame.type === "resync" && frame.subscription === null);
  const write = async (): Promise<number> => (await send("POST", "cards", { id: 77, title: "after" })).status;
  while ((await write()) !== 201) await Bun.sleep(20);
  await socket.take((frame) => frame.type === "change" && frame.data["id"] === 77);
  socket.close();
}, 20_000);
