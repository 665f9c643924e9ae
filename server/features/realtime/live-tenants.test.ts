/** Answers of live queries in two tenants: each hears of its own, and no run serves both. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ServerFrame } from "@baasix/types";
import { chance, seedOfRun } from "../../testing/chance";
import { outsider } from "../../testing/postgres";
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

/** What a socket with one query has, after all that it heard. */
function rowsOf({ heard: frames }: TestSocket): readonly unknown[] | string {
  let rows: readonly unknown[] | string = "nothing yet";
  for (const text of frames) {
    const frame = JSON.parse(text) as ServerFrame;
    if (frame.type === "query.result") rows = frame.data;
    else if (frame.type === "error") rows = frame.code;
    else if (frame.type === "query.difference") {
      const before = rows as readonly unknown[];
      rows = frame.data.flatMap((piece) =>
        Array.isArray(piece) ? before.slice(piece[0], piece[0] + piece[1]) : [piece],
      );
    }
  }
  return rows;
}

test("whatever is written in whose tenant, and moved from one to the other, each has what a read gives it", async () => {
  const url = scene.listen();
  const asked = [
    { fields: ["text", "tenant_Id", "folder.name"], sort: ["text", "id"], limit: 12 },
    { aggregate: { n: { function: "count", field: "*" }, top: { function: "max", field: "number" } } },
    { filter: { "folder.name": { in: ["f1", "f2"] } }, fields: ["text"], sort: ["-number", "text"] },
  ];
  const who = ["ann", "bob", "cleo", "mix", "stan", "root"] as const;
  const watching = await Promise.all(
    who.flatMap((caller) =>
      asked.map(async (wish) => {
        const socket = await openSocket(url, scene.tokenOf(caller));
        sockets.push(socket);
        socket.send({ type: "query", collection: "notes", query: wish });
        const names = Object.entries(wish).map(
          ([name, value]) => `${name}=${encodeURIComponent(JSON.stringify(value))}`,
        );
        const fresh = async (): Promise<readonly unknown[]> => {
          const { body } = await scene.as(caller, `GET /items/notes?${names.join("&")}`);
          return (body as { data: unknown[] }).data;
        };
        return { caller, wish, socket, fresh };
      }),
    ),
  );
  const seed = seedOfRun();
  const { below: any } = chance(seed);
  const owner = () => [scene.A, scene.B, null][any(3)] ?? null;
  const quoted = (id: string | null) => (id === null ? "null" : `'${id}'`);
  await scene.make("folders", { name: "f1", tenant_Id: scene.A }, { name: "f2", tenant_Id: scene.B });
  const one = (collection: string) =>
    `(select id from ${collection} order by md5(id::text || '${any(1e6)}') limit 1)`;
  const sql = (text: string) => outsider(scene.address, text);
  const happenings: readonly (() => Promise<unknown>)[] = [
    () => scene.make("notes", { text: `t${any(9)}`, number: any(99), tenant_Id: owner() }),
    () =>
      scene.as((["ann", "bob"] as const)[any(2)] ?? "ann", "POST /items/notes", {
        text: `own ${any(9)}`,
        number: any(99),
      }),
    () =>
      sql(`update notes set "tenant_Id" = ${quoted(owner())}, "folder_Id" = null where id = ${one("notes")}`),
    () => sql(`update notes set number = coalesce(number, 0) + 1 where id = ${one("notes")}`),
    () =>
      sql(
        `update notes n set "folder_Id" = (select id from folders f where f."tenant_Id" = n."tenant_Id" limit 1)`,
      ),
    () => sql(`update folders set name = 'f${any(4)}' || left(id::text, 2) where id = ${one("folders")}`),
    () => sql(`update folders set name = case "tenant_Id" when '${scene.A}' then 'f1' else 'f2' end`),
    () =>
      sql(
        `update notes set "deletedAt" = case when "deletedAt" is null then now() end where id = ${one("notes")}`,
      ),
    // Mix reads the notes of all tenants by this role, and without it those of its own.
    () => sql(`delete from "baasix_UserRole" where "role_Id" = '${scene.roles.auditor}'`),
    () =>
      scene.make("baasix_UserRole", {
        user_Id: scene.idOf("mix"),
        role_Id: scene.roles.auditor,
        tenant_Id: null,
      }),
  ];
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 12; n++) await happenings[any(happenings.length)]?.().catch(() => undefined);
    for (const { caller, wish, socket, fresh } of watching) {
      const end = Date.now() + 10_000;
      let now = await fresh();
      while (!Bun.deepEquals(now, rowsOf(socket)) && Date.now() < end) {
        await Bun.sleep(20);
        now = await fresh();
      }
      expect({ seed, round, caller, wish, has: rowsOf(socket) }).toEqual({
        seed,
        round,
        caller,
        wish,
        has: now,
      });
    }
  }
  const { watched: all, run } = (await watched()) as { watched: number; run: number };
  expect(run).toBeLessThan(all);
}, 60_000);
