/** A server that may tell of changes no more while it is being listened to. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { openInstance, type TestApp, testApp, type TestInstance } from "../../testing/app";
import { externalServer, type ExternalServer, outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";

let server: ExternalServer;
let app: TestApp;
let other: TestInstance;
let url: string;

beforeAll(async () => {
  server = await externalServer({ walLevel: "logical" });
  app = await testApp({ address: server.address });
  const schema = { name: "Card", timestamps: false, fields: { id: { type: "Integer", primaryKey: true } } };
  await app.call("POST", "/schemas", { token: app.admin, body: { collectionName: "cards", schema } });
  // It may read the log, and make nothing.
  await outsider(
    server.address,
    "create role stranger login replication",
    "grant all on all tables in schema public to stranger",
    "grant all on all sequences in schema public to stranger",
  );
  const address = { kind: "url", url: server.url.replace("operator", "stranger") } as const;
  other = await openInstance(app.config, address);
  while (!other.feed.status().connected) await Bun.sleep(5);
  url = other.listen();
}, 60_000);
afterAll(async () => {
  await other.close();
  await app.close();
  await server.stop();
});

test("who watches is told when changes are to be had no more, and may ask again when they are", async () => {
  expect(other.feed.status().source).toBe("log");
  const socket = await openSocket(url, app.admin);
  const names = [await socket.subscribe("cards"), await socket.subscribe("cards", { filter: { id: 1 } })];
  const query = await socket.ask({ type: "query", collection: "cards", query: {} });
  await outsider(
    server.address,
    "alter role stranger noreplication",
    "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '" +
      `${other.feed.status().slot}'`,
  );
  const ended = [];
  for (const _ of names) ended.push(await socket.take(({ type }) => type === "error"));
  const reason = expect.stringContaining("REPLICATION") as string;
  expect(ended).toEqual(
    names.map((subscription) => ({
      type: "error",
      id: null,
      subscription,
      code: "UNAVAILABLE",
      message: reason,
    })),
  );
  expect(await socket.take(({ type }) => type === "query.stale")).toMatchObject({
    subscription: (query as { subscription: string }).subscription,
  });
  expect(other.feed.status().source).toBe("off");
  expect(await socket.ask({ type: "subscribe", collection: "cards" })).toMatchObject({ code: "UNAVAILABLE" });
  for (const subscription of names)
    expect(await socket.ask({ type: "unsubscribe", subscription })).toMatchObject({ code: "NOT_FOUND" });

  await outsider(server.address, "alter role stranger replication");
  other.feed.retry();
  await socket.take(({ type }) => type === "query.unchanged");
  await socket.ask({ type: "subscribe", collection: "cards" });
  await outsider(server.address, "insert into cards (id) values (7)");
  await socket.take((frame) => frame.type === "change" && frame.data["id"] === 7);
  socket.close();
}, 20_000);
