/** Several servers as processes of their own on one PostgreSQL, which speak over it, or over Redis; one is killed. */
import { afterAll, describe, expect, test } from "bun:test";
import type { ServerFrame } from "@baasix/types";
import { externalServer, outsider } from "./testing/postgres";
import { testRedis } from "./testing/redis";
import { openSocket, type TestSocket } from "./testing/socket";
import { type Instance, instanceAdmin, startInstance } from "./testing/start-instance";

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

async function start(env: Record<string, string>): Promise<Instance> {
  const instance = await startInstance(env);
  ends.push(() => instance.process.kill("SIGKILL"));
  return instance;
}

async function call(url: string, method: string, path: string, body?: unknown, token?: string) {
  const answer = await fetch(url + path, {
    method,
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return JSON.parse((await answer.text()) || "{}") as {
    token: string;
    user: { id: string };
    data: { id: string }[] & { id: string };
  };
}

async function signUp(url: string, name: string) {
  const body = { email: `${name}@example.com`, password: "a good password", firstName: name };
  const { token, user } = await call(url, "POST", "/auth/register", body);
  return { token, id: user.id };
}

/** Asks until the answer is as expected: what other instances know comes in a moment. */
async function asking(
  socket: TestSocket,
  frame: Parameters<TestSocket["ask"]>[0],
  test: (answer: string) => boolean,
): Promise<void> {
  for (const end = Date.now() + 20_000; ; await Bun.sleep(50)) {
    const answer = JSON.stringify(await socket.ask(frame));
    if (test(answer)) return;
    if (Date.now() > end) throw new Error(answer);
  }
}

/** What a member of a room was told by each sender, in the order in which it came. */
function saidBy(socket: TestSocket, room: string): Map<string, number[]> {
  const said = new Map<string, number[]>();
  for (const text of socket.heard) {
    const frame = JSON.parse(text) as ServerFrame;
    if (frame.type !== "room.message" || frame.room !== room) continue;
    const sender = frame.sender.socketId ?? "";
    said.set(sender, [...(said.get(sender) ?? []), frame.payload as number]);
  }
  return said;
}

const of =
  (type: ServerFrame["type"], text = "") =>
  (frame: ServerFrame): boolean =>
    frame.type === type && JSON.stringify(frame).includes(text);

describe.each([
  ["PostgreSQL", async () => ({ env: {}, redis: null })],
  [
    "Redis",
    async () => {
      const redis = await testRedis();
      return { env: { REDIS_URL: redis.url }, redis };
    },
  ],
] as const)("over %s", (_name, more) => {
  test("rooms, presence, messages and rights are shared; one that is killed leaves nothing behind", async () => {
    const database = await externalServer({ walLevel: "logical" });
    ends.push(database.stop);
    const { env: ways, redis } = await more();
    const env = { DATABASE_URL: database.url, ...ways };
    const one = await start(env);
    const two = await start(env);
    const [ann, bob, cid] = await Promise.all(["ann", "bob", "cid"].map((name) => signUp(one.url, name)));
    if (!ann || !bob || !cid) throw new Error("nobody");
    const a = await openSocket(one.url, ann.token);
    const b = await openSocket(two.url, bob.token);
    const c = await openSocket(two.url, cid.token);
    await asking(a, { type: "invoke", event: "stats" }, (text) => text.includes('"instances":2'));

    // Members, creator and messages.
    await a.ask({ type: "room.join", room: "den", metadata: { name: "Ann" } });
    await a.ask({ type: "room.send", room: "den", event: "chat", payload: "before" });
    await asking(b, { type: "room.list" }, (text) => text.includes("den"));
    await asking(b, { type: "room.join", room: "den" }, (text) => text.includes("before"));
    await a.take(of("room.user.joined", bob.id));
    await c.ask({ type: "room.join", room: "den" });
    await a.take(of("room.user.joined", cid.id));
    const members = await b.ask({ type: "room.members", room: "den" });
    expect(members).toMatchObject({
      members: [
        { userId: ann.id, isCreator: true, metadata: { name: "Ann" } },
        { userId: bob.id, isCreator: false },
        { userId: cid.id, isCreator: false },
      ],
    });
    expect(await a.ask({ type: "room.members", room: "den" })).toMatchObject({
      members: members.type === "room.members" ? members.members : [],
    });
    for (let n = 0; n < 10; n++) {
      await a.ask({ type: "room.send", room: "den", event: "count", payload: n, history: false });
    }
    for (let n = 0; n < 10; n++) {
      expect(await b.take(of("room.message", '"count"'))).toMatchObject({
        payload: n,
        sender: { userId: ann.id },
      });
    }
    await a.ask({ type: "room.kick", room: "den", userId: cid.id });
    expect(await c.take(of("room.kicked"))).toMatchObject({ kickedBy: ann.id });
    await a.take(of("room.user.left", cid.id));
    expect(await c.ask({ type: "room.join", room: "den" })).toMatchObject({ code: "FORBIDDEN" });

    // Presence and broadcast; what code says reaches all.
    for (const socket of [a, b]) {
      await socket.ask({ type: "presence.subscribe", channel: "den" });
      await socket.ask({ type: "broadcast.subscribe", channel: "den" });
    }
    await a.ask({ type: "presence.track", channel: "den", state: { x: 1 } });
    expect(await b.take(of("presence.changed"))).toMatchObject({
      joined: [{ userId: ann.id, state: { x: 1 } }],
    });
    await b.ask({ type: "broadcast.send", channel: "den", event: "ping", payload: "ö".repeat(9_000) });
    expect(await a.take(of("broadcast.message"))).toMatchObject({ payload: "ö".repeat(9_000) });
    await b.ask({ type: "topic.follow", topic: "job:1" });
    await a.ask({ type: "invoke", event: "tell", payload: { user: bob.id, topic: "job:1" } });
    expect(await b.take(of("notification", "told"))).toMatchObject({ payload: { by: "code" } });
    expect(await b.take(of("topic.event"))).toMatchObject({ payload: 50 });
    await c.take(of("notification", '"all"'));

    // Many come, speak, go and are sent away at both ends at once: afterwards both ends tell the same.
    await a.ask({ type: "room.join", room: "crowd" });
    await asking(b, { type: "room.list", prefix: "crowd" }, (text) => text.includes('"memberCount":1'));
    const crowd = await Promise.all(
      Array.from({ length: 9 }, (_, n) =>
        openSocket((n % 2 ? one : two).url, [ann, bob, cid][n % 3]?.token ?? null),
      ),
    );
    await Promise.all([
      ...crowd.map(async (socket, n) => {
        for (let turn = 0; turn < 5; turn++) {
          await socket.ask({ type: "room.join", room: "crowd", metadata: { n, turn } });
          await socket.ask({ type: "room.send", room: "crowd", event: "e", payload: turn });
          if ((n + turn) % 3 === 0 || turn === 4 - (n % 4))
            await socket.ask({ type: "room.leave", room: "crowd" });
        }
      }),
      a.ask({ type: "room.kick", room: "crowd", userId: bob.id }),
    ]);
    await b.ask({ type: "room.join", room: "crowd" });
    await asking(c, { type: "room.join", room: "crowd" }, (text) => text.includes("room.joined"));
    const listed = async (socket: TestSocket) =>
      JSON.stringify({ ...(await socket.ask({ type: "room.members", room: "crowd" })), id: "" });
    for (const end = Date.now() + 10_000; (await listed(a)) !== (await listed(c)) && Date.now() < end;)
      await Bun.sleep(50);
    const told = await listed(a);
    expect(told).toBe(await listed(c));
    expect(told).toContain('"isCreator":true');
    expect(told).not.toContain(bob.id);
    for (const socket of [a, ...crowd]) {
      for (const turns of saidBy(socket, "crowd").values()) {
        expect(turns).toEqual(turns.toSorted());
        expect(new Set(turns).size).toBe(turns.length);
      }
    }
    for (const socket of crowd) socket.close();
    for (const socket of [a, c]) await socket.ask({ type: "room.leave", room: "crowd" });

    // The way between them is gone for a while: what happened meanwhile is told when it is back.
    if (redis) {
      await redis.kill();
      await a.ask({ type: "room.join", room: "cut", metadata: { at: "one" } });
      await c.ask({ type: "room.join", room: "cut", metadata: { at: "two" } });
      await redis.start();
      for (const socket of [a, c]) {
        await asking(
          socket,
          { type: "room.members", room: "cut" },
          (text) => text.includes('"one"') && text.includes('"two"'),
        );
      }
      for (const socket of [a, c]) await socket.ask({ type: "room.leave", room: "cut" });
    }

    // Rights that change at one end at the other.
    const { token } = await call(two.url, "POST", "/auth/login", instanceAdmin);
    await asking(b, { type: "invoke", event: "stats" }, (text) => text.includes('"rooms":1,"instances":2'));
    const status = await call(two.url, "GET", "/realtime/status", undefined, token);
    expect(status.data).toMatchObject({ instances: 2, rooms: 1 });
    const fields = { id: { type: "Integer", primaryKey: true } };
    const body = { collectionName: "boards", schema: { name: "Board", timestamps: false, fields } };
    await call(two.url, "POST", "/schemas", body, token);
    const [role] = (await call(two.url, "GET", "/items/baasix_Role?filter[name]=user", undefined, token))
      .data;
    const permission = { role_Id: role?.id, action: "read", collection: "boards", fields: ["*"] };
    const made = await call(two.url, "POST", "/permissions", permission, token);
    await asking(a, { type: "room.join", room: "private:boards" }, (text) => text.includes("room.joined"));
    const madeId = (made as unknown as { id?: string }).id ?? made.data.id;
    await call(two.url, "DELETE", `/permissions/${madeId}`, undefined, token);
    expect(await a.take(of("room.kicked", "private:boards"))).toMatchObject({
      reason: "the right has ended",
    });

    // Each reads a slot of its own: what one writes the sockets of both are told, in subscriptions and live queries.
    const own = { filter: { id: { gt: 0 } }, fields: ["id"] };
    const [left1, right1] = await Promise.all([one, two].map(({ url }) => openSocket(url, token)));
    if (!left1 || !right1) throw new Error("nobody");
    for (const socket of [left1, right1]) {
      await socket.ask({ type: "subscribe", collection: "boards", ...own });
      await socket.ask({ type: "query", collection: "boards", query: { ...own, sort: "id" } });
    }
    await call(one.url, "POST", "/items/boards", { id: 1 }, token);
    for (const socket of [left1, right1]) {
      expect(await socket.take(of("change"))).toMatchObject({ action: "create", data: { id: 1 } });
      expect(await socket.take(of("query.difference"))).toMatchObject({ data: [{ id: 1 }] });
    }
    const slots = () =>
      outsider(database.address, "select count(*)::int as n from pg_replication_slots") as Promise<
        { n: number }[]
      >;
    expect(await slots()).toEqual([{ n: 2 }]);

    // One is killed in the middle: its members leave, ownership moves, and the other goes on.
    one.process.kill("SIGKILL");
    const left = (await b.take(of("room.user.left", ann.id))) as { room: string };
    expect(left.room).toBe("den");
    expect(await b.take(of("room.creator"))).toMatchObject({ newCreatorUserId: bob.id });
    expect(await b.take(of("presence.changed", '"left":[{'))).toMatchObject({ left: [{ userId: ann.id }] });
    await b.ask({ type: "room.send", room: "den", event: "chat", payload: "after" });
    await call(two.url, "POST", "/items/boards", { id: 2 }, token);
    expect(await right1.take(of("query.difference"))).toMatchObject({ data: [[0, 1], { id: 2 }] });
    // Its slot has gone with it, and holds no log back.
    for (const end = Date.now() + 10_000; (await slots())[0]?.n !== 1 && Date.now() < end;)
      await Bun.sleep(50);
    expect(await slots()).toEqual([{ n: 1 }]);
    right1.close();

    // A new one is told what there is.
    const three = await start(env);
    const back = await openSocket(three.url, ann.token);
    await asking(back, { type: "room.list" }, (text) => text.includes('"memberCount":1'));
    expect(await back.ask({ type: "room.join", room: "den" })).toMatchObject({
      history: [{ payload: "before" }, { payload: "after" }],
    });
    expect(await b.take(of("room.creator"))).toMatchObject({ newCreatorUserId: ann.id });
    expect(await back.ask({ type: "room.members", room: "den" })).toMatchObject({
      members: [
        { userId: bob.id, isCreator: false },
        { userId: ann.id, isCreator: true },
      ],
    });

    // One that says goodbye is gone at once.
    three.process.kill("SIGTERM");
    await b.take(of("room.user.left", ann.id));
    expect(await three.process.exited).toBe(0);
    for (const socket of [b, c]) socket.close();
    two.process.kill("SIGTERM");
    await two.process.exited;
  }, 60_000);
});
