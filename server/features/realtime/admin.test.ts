/** The routes of administrators, and what they make of subscriptions. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TestApp, testApp } from "../../testing/app";
import { outsider } from "../../testing/postgres";
import { openSocket } from "../../testing/socket";

let app: TestApp;
let url: string;
let ann: string;

beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  ann = (await app.signUp("ann@example.com")).token;
  for (const [name, realtime] of [
    ["notes", true],
    ["quiet", false],
  ] as const) {
    const fields = { id: { type: "Integer", primaryKey: true }, text: { type: "String" } };
    const body = { collectionName: name, schema: { name, realtime, timestamps: false, fields } };
    await app.call("POST", "/schemas", { token: app.admin, body });
  }
});
afterAll(() => app.close());

const ask = async (method: string, path: string, body?: unknown) => {
  const answer = await app.call(method, `/realtime${path}`, {
    token: app.admin,
    ...(body !== undefined && { body }),
  });
  return { status: answer.status, body: answer.body as { data?: Record<string, unknown>; error?: unknown } };
};
const identityOf = async (table: string) =>
  (await outsider(app.address, `select relreplident::text from pg_class where relname = '${table}'`))[0];
const isPublished = async (table: string) =>
  (await outsider(app.address, `select 1 from pg_publication_tables where tablename = '${table}'`)).length ===
  1;

const all = ["insert", "update", "delete"];

test.each([
  ["GET", "/status"],
  ["GET", "/config"],
  ["GET", "/collections"],
  ["GET", "/collections/notes"],
  ["GET", "/collections/none"],
  ["POST", "/collections/notes/enable"],
  ["POST", "/collections/notes/disable"],
  ["PATCH", "/collections/notes"],
  ["POST", "/reload"],
  ["POST", "/initialize"],
])("%s %s is for administrators", async (method, path) => {
  const body = method === "PATCH" ? { body: {} } : {};
  for (const token of [ann, undefined]) {
    const answer = await app.call(method, `/realtime${path}`, { ...body, ...(token && { token }) });
    expect(answer.status).toBe(403);
  }
});

test("the database is described, and what stands against reading its log", async () => {
  const { body } = await ask("GET", "/config");
  expect(body.data).toMatchObject({ walLevel: "logical", isConfigured: true, issues: [] });
  expect(body.data?.maxReplicationSlots).toBeGreaterThan(0);
  expect(body.data?.maxWalSenders).toBeGreaterThan(0);
  for (const [method, path] of [
    ["GET", "/status"],
    ["POST", "/reload"],
    ["POST", "/initialize"],
  ] as const) {
    const { data } = (await ask(method, path)).body;
    const status = (method === "GET" ? data : data?.status) as Record<string, unknown>;
    expect(status).toMatchObject({
      initialized: true,
      connected: true,
      walAvailable: true,
      isWalLeader: true,
      source: "log",
      blind: [],
      publicationName: "baasix_realtime",
      slotName: expect.stringMatching(/^baasix_[0-9a-f]{32}$/),
      replicationConfig: body.data,
    });
  }
});

describe("collections", () => {
  test("are listed with what they tell", async () => {
    const { data } = (await ask("GET", "/collections")).body as unknown as { data: { collection: string }[] };
    const config = { enabled: true, actions: all, replicaIdentityFull: true };
    expect(data).toContainEqual({ collection: "notes", config } as never);
    expect(data.map(({ collection }) => collection)).not.toContain("quiet");
    expect((await ask("GET", "/collections/quiet")).body.data).toEqual({
      collection: "quiet",
      enabled: false,
      config: { enabled: false, actions: [], replicaIdentityFull: false },
    });
  });

  test("become live and are so no longer, with their table", async () => {
    const enabled = await ask("POST", "/collections/quiet/enable");
    const config = { enabled: true, actions: all, replicaIdentityFull: true };
    expect(enabled).toMatchObject({
      status: 200,
      body: { data: { collection: "quiet", config, replicaIdentityFull: true, walAvailable: true } },
    });
    expect([await identityOf("quiet"), await isPublished("quiet")]).toEqual([{ relreplident: "f" }, true]);
    const disabled = await ask("POST", "/collections/quiet/disable");
    expect(disabled).toMatchObject({ status: 200, body: { data: { collection: "quiet" } } });
    expect([await identityOf("quiet"), await isPublished("quiet")]).toEqual([{ relreplident: "d" }, false]);
    expect((await ask("PATCH", "/collections/quiet", { actions: ["insert"] })).status).toBe(400);
  });

  test("a definition says it, and may be sent back", async () => {
    await ask("PATCH", "/collections/notes", { actions: ["delete", "insert"] });
    const read = await app.call("GET", "/schemas/notes", { token: app.admin });
    const { schema } = (read.body as { data: { schema: { realtime: unknown } } }).data;
    expect(schema.realtime).toEqual({ enabled: true, actions: ["insert", "delete"] });
    const sent = await app.call("PATCH", "/schemas/notes", { token: app.admin, body: { schema } });
    expect(sent.status).toBe(200);
    expect((await ask("GET", "/collections/notes")).body.data).toMatchObject({
      config: { actions: ["insert", "delete"] },
    });
    expect((await ask("POST", "/collections/notes/enable")).body.data).toMatchObject({
      config: { actions: ["insert", "delete"] },
    });
    await ask("PATCH", "/collections/notes", { actions: all });
  });

  test.each([
    ["POST", "/collections/notes/enable", { actions: ["create"] }, 400, "Invalid action: create"],
    ["POST", "/collections/notes/enable", { actions: [["insert"]] }, 400, "Invalid action"],
    ["POST", "/collections/notes/enable", { actions: [] }, 400, "at least one"],
    ["POST", "/collections/notes/enable", { actions: "insert" }, 400, "a list of insert"],
    ["POST", "/collections/notes/enable", { replicaIdentityFull: "yes" }, 400, "true or false"],
    ["POST", "/collections/notes/enable", { other: 1 }, 400, "other"],
    ["POST", "/collections/notes/enable", [], 400, "object"],
    ["PATCH", "/collections/notes", {}, 400, "actions"],
    ["PATCH", "/collections/notes", { actions: ["toString"] }, 400, "Invalid action: toString"],
    ["GET", "/collections/none", undefined, 404, "none"],
    ["GET", "/collections/__proto__", undefined, 404, "__proto__"],
    ["POST", "/collections/none/disable", undefined, 404, "none"],
    ["POST", "/collections/baasix_Sessions/disable", undefined, 400, "built in"],
  ])("%s %s %j is refused with %d", async (method, path, body, status, message) => {
    const answer = await ask(method, path, body);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringContaining(message)]);
  });
});

describe("subscribers", () => {
  const write = (...statements: string[]) => outsider(app.address, ...statements);

  test("are told of the actions alone, while a live query follows everything", async () => {
    await ask("PATCH", "/collections/notes", { actions: ["insert", "delete"] });
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const name = await socket.subscribe("notes", {});
      const other = await openSocket(url, app.admin);
      await using([other], async () => {
        await other.ask({
          type: "query",
          collection: "notes",
          query: {
            aggregate: { n: { function: "count", field: "id" }, t: { function: "max", field: "text" } },
          },
        });
        await write(`insert into notes values (1, 'a')`, `update notes set text = 'b'`, `delete from notes`);
        for (const action of ["create", "delete"]) {
          expect(await socket.expect("change")).toMatchObject({
            subscription: name,
            action,
            data: { id: 1 },
          });
        }
        await write(`insert into notes values (2, 'a')`);
        expect(await socket.expect("change")).toMatchObject({ action: "create" });
        await write(`update notes set text = 'only the query hears'`);
        await other.take((frame) => JSON.stringify(frame).includes("only the query hears"));
      });
    });
    await ask("PATCH", "/collections/notes", { actions: all });
  });

  test("read again after updates of rows that the log does not tell whole", async () => {
    await ask("POST", "/collections/notes/enable", { replicaIdentityFull: false });
    expect(await identityOf("notes")).toEqual({ relreplident: "d" });
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const name = await socket.subscribe("notes", {});
      await write(`insert into notes values (3, 'a')`);
      expect(await socket.expect("change")).toMatchObject({ action: "create" });
      await write(`update notes set text = 'b' where id = 3`);
      expect(await socket.expect("resync")).toMatchObject({ subscription: name });
      await write(`delete from notes where id = 3`);
      expect(await socket.expect("resync")).toMatchObject({ subscription: name });
    });
    await ask("POST", "/collections/notes/enable", { replicaIdentityFull: true });
    expect(await identityOf("notes")).toEqual({ relreplident: "f" });
  });

  test("end with the collection's liveness, and are told why", async () => {
    const socket = await openSocket(url, app.admin);
    await using([socket], async () => {
      const name = await socket.subscribe("notes", {});
      await ask("POST", "/collections/notes/disable");
      const error = await socket.expect("error");
      expect(error).toMatchObject({ subscription: name, message: expect.stringContaining("not live") });
      await ask("POST", "/collections/notes/enable");
      await socket.subscribe("notes", {});
      await write(`insert into notes values (9, 'z')`);
      expect(await socket.expect("change")).toMatchObject({ data: { id: 9 } });
    });
  });
});

async function using(sockets: readonly { close: () => void }[], work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } finally {
    for (const socket of sockets) socket.close();
  }
}
