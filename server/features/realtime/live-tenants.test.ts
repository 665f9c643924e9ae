/** Answers of live queries in two tenants: each hears of its own, and no run serves both. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Caller, openTwoTenants, type TwoTenants } from "../../testing/two-tenants";
import { openSocket, type TestSocket } from "../../testing/socket";

let scene: TwoTenants;
const sockets: TestSocket[] = [];
const live = new Map<Caller, { readonly socket: TestSocket; rows: readonly unknown[] }>();

beforeAll(async () => {
  scene = await openTwoTenants();
}, 60_000);
afterAll(async () => {
  for (const socket of sockets) socket.close();
  await scene.close();
});

const query = { fields: ["text"], sort: "text" };
const texts = (caller: Caller) =>
  live
    .get(caller)
    ?.rows.map((row) => (row as { text: string }).text)
    .join();

/** What a caller has after the next answer. */
async function heard(caller: Caller): Promise<string | undefined> {
  const held = live.get(caller);
  const frame = await held?.socket.next();
  if (!held || (frame?.type !== "query.result" && frame?.type !== "query.difference")) {
    throw new Error(JSON.stringify(frame));
  }
  held.rows = frame.data.flatMap((piece) =>
    Array.isArray(piece) ? held.rows.slice(piece[0], piece[0] + piece[1]) : [piece],
  );
  return texts(caller);
}

const watched = async () => {
  const { body } = await scene.as("root", "GET /realtime/status");
  return (body as { data: { queries: unknown } }).data.queries;
};

test("two tenants never share an answer; members of one do", async () => {
  const url = scene.listen();
  for (const caller of ["ann", "cleo", "bob", "stan"] as const) {
    const socket = await openSocket(url, scene.tokenOf(caller));
    sockets.push(socket);
    live.set(caller, { socket, rows: [] });
    socket.send({ type: "query", collection: "notes", query });
    expect(await heard(caller)).toBe("");
  }
  // Ann and Cleo act in one tenant, Bob in another; Stan sees both.
  expect(await watched()).toEqual({ watched: 4, run: 3 });
  await scene.make(
    "notes",
    { text: "a", tenant_Id: scene.A },
    { text: "b", tenant_Id: scene.B },
    { text: "none" },
  );
  expect(await Promise.all((["ann", "cleo", "bob", "stan"] as const).map(heard))).toEqual([
    "a",
    "a",
    "b",
    "a,b,none",
  ]);
  const [ann, cleo, bob] = sockets.map((socket) => socket.heard.join(""));
  expect([ann, cleo].join("")).not.toContain('"b"');
  expect(bob).not.toContain('"a"');
});

test("a version of another tenant tells nothing of its answer", async () => {
  const bob = live.get("bob")?.socket;
  const version = (JSON.parse(bob?.heard.at(-1) ?? "") as { version: string }).version;
  const ann = sockets[0] as TestSocket;
  ann.send({ type: "query", collection: "notes", query: { ...query, limit: 5 }, version });
  expect(await ann.next()).toMatchObject({ type: "query.result", data: [{ text: "a" }] });
});

test("who goes to another tenant hears of that one", async () => {
  const token = await scene.enter("cleo", scene.B);
  const socket = sockets[1] as TestSocket;
  socket.send({ type: "authenticate", token, version: 1 });
  await socket.expect("connected");
  await socket.expect("renamed");
  expect(await heard("cleo")).toBe("b");
  expect(await watched()).toMatchObject({ run: 4 });
});
