/** Rooms, presence, broadcast, calls and topics over real sockets on one instance. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RoomMember, ServerFrame } from "@baasix/types";
import { AppError } from "../../core/errors";
import { type TestApp, testApp } from "../../testing/app";
import { openSocket, type TestSocket } from "../../testing/socket";
import { limits } from "./limits";

let app: TestApp;
let url: string;
let offset = 0;
/** Where the clock of the server stands, when it does. */
let stopped: number | null = null;
type Person = { readonly token: string; readonly id: string };
let ann: Person;
let bob: Person;
let cid: Person;
let role: string;
/** Those that a test opened. */
let sockets: TestSocket[] = [];

beforeAll(async () => {
  app = await testApp({
    env: { REALTIME_SOCKETS_PER_USER: "60" },
    now: () => (stopped ?? Date.now()) + offset,
  });
  const body = {
    collectionName: "boards",
    schema: {
      name: "Board",
      timestamps: false,
      fields: {
        id: { type: "Integer", primaryKey: true },
        owner: { type: "UUID" },
      },
    },
  };
  await app.call("POST", "/schemas", { token: app.admin, body });
  url = app.listen();
  [ann, bob, cid] = await Promise.all([
    app.signUp("ann@example.com"),
    app.signUp("bob@example.com"),
    app.signUp("cid@example.com"),
  ]);
  role = await app.roleId("user");
}, 60_000);
afterAll(() => app.close());

async function open(...people: (Person | null)[]): Promise<TestSocket[]> {
  const opened = await Promise.all(people.map((person) => openSocket(url, person?.token ?? null)));
  sockets.push(...opened);
  return opened;
}

async function closeAll(): Promise<void> {
  const ending = sockets;
  offset = 0;
  sockets = [];
  stopped = null;
  for (const socket of ending) socket.close();
  await Promise.all(ending.map(({ closed }) => closed));
}

/** Runs with sockets of those people, and closes them. */
function among(
  people: () => (Person | null)[],
  work: (...sockets: [TestSocket, TestSocket, TestSocket, TestSocket]) => Promise<void>,
): () => Promise<void> {
  return async () => {
    try {
      await work(...((await open(...people())) as [TestSocket, TestSocket, TestSocket, TestSocket]));
    } finally {
      await closeAll();
    }
  };
}

const join = (socket: TestSocket, room: string, metadata?: Record<string, unknown>) =>
  socket.ask({ type: "room.join", room, ...(metadata && { metadata }) });
const say = (socket: TestSocket, room: string, event: string, payload?: unknown, history?: boolean) =>
  socket.ask({ type: "room.send", room, event, payload, ...(history !== undefined && { history }) });
const members = async (socket: TestSocket, room: string): Promise<readonly RoomMember[]> => {
  const answer = await socket.ask({ type: "room.members", room });
  if (answer.type !== "room.members") throw new Error(JSON.stringify(answer));
  return answer.members;
};
/** The next frame that was not asked for. */
const hear = (socket: TestSocket): Promise<ServerFrame> => socket.take((frame) => !("id" in frame));
const code = async (answer: Promise<ServerFrame>): Promise<string> => {
  const frame = await answer;
  return frame.type === "error" ? `${frame.code} ${frame.message}` : frame.type;
};
const roomsOf = async (socket: TestSocket, prefix?: string): Promise<unknown> => {
  const answer = await socket.ask({ type: "room.list", ...(prefix !== undefined && { prefix }) });
  return answer.type === "room.list" ? answer.rooms : answer;
};
const stamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const socketId = expect.stringMatching(/^[0-9a-f-]{36}$/);

describe("rooms", () => {
  test(
    "tell who is there, what is said, and what was said before",
    among(
      () => [ann, bob, cid],
      async (a, b, c) => {
        expect(await join(a, "game:1", { name: "Ann" })).toMatchObject({ type: "room.joined", history: [] });
        await join(b, "game:1", { name: "Bob" });
        expect(await hear(a)).toEqual({
          type: "room.user.joined",
          room: "game:1",
          userId: bob.id,
          socketId,
          metadata: { name: "Bob" },
          timestamp: stamp,
        });
        expect(await say(b, "game:1", "chat", { text: "hello" })).toMatchObject({ type: "done" });
        await say(b, "game:1", "cursor", { x: 1 }, false);
        for (const socket of [a, b]) {
          expect(await hear(socket)).toEqual({
            type: "room.message",
            room: "game:1",
            messageId: expect.any(String),
            event: "chat",
            payload: { text: "hello" },
            sender: { userId: bob.id, socketId },
            timestamp: stamp,
          });
          expect(await hear(socket)).toMatchObject({ event: "cursor" });
        }
        expect(await join(c, "game:1")).toMatchObject({
          history: [{ event: "chat", payload: { text: "hello" }, sender: { userId: bob.id } }],
        });
        expect(await members(c, "game:1")).toEqual([
          { socketId, userId: ann.id, isCreator: true, metadata: { name: "Ann" } },
          { socketId, userId: bob.id, isCreator: false, metadata: { name: "Bob" } },
          { socketId, userId: cid.id, isCreator: false, metadata: {} },
        ]);
        b.close();
        for (const socket of [a, c]) {
          const left = await socket.take(({ type }) => type === "room.user.left");
          expect(left).toMatchObject({ room: "game:1", userId: bob.id, timestamp: stamp });
        }
        expect(await c.ask({ type: "room.leave", room: "game:1" })).toMatchObject({ type: "done" });
        expect(await code(say(c, "game:1", "chat"))).toMatch(/^FORBIDDEN Not a member/);
      },
    ),
  );

  test(
    "have a creator: it passes on, comes back, and alone may send away",
    among(
      () => [ann, bob, cid, ann],
      async (a, b, c, other) => {
        for (const socket of [a, b, c]) await join(socket, "den");
        const kick = (socket: TestSocket, userId: string) =>
          socket.ask({ type: "room.kick", room: "den", userId });
        expect(await code(kick(b, cid.id))).toMatch(/^FORBIDDEN Only the creator/);
        expect(await code(kick(a, ann.id))).toMatch(/^BAD_REQUEST/);
        expect(await code(kick(a, crypto.randomUUID()))).toMatch(/^NOT_FOUND/);
        // Another socket of the creator keeps it the creator.
        await join(other, "den");
        await a.ask({ type: "room.leave", room: "den" });
        expect((await members(b, "den")).find(({ isCreator }) => isCreator)?.userId).toBe(ann.id);
        other.close();
        const changed = (socket: TestSocket) => socket.take(({ type }) => type === "room.creator");
        expect(await changed(c)).toEqual({ type: "room.creator", room: "den", newCreatorUserId: bob.id });
        expect(await code(kick(b, cid.id))).toBe("done");
        expect(await c.take(({ type }) => type === "room.kicked")).toEqual({
          type: "room.kicked",
          room: "den",
          kickedBy: bob.id,
          reason: "kicked",
        });
        expect(await code(say(c, "den", "chat"))).toMatch(/^FORBIDDEN/);
        expect(await code(join(c, "den"))).toMatch(/^FORBIDDEN You were sent away; come back in 10 min/);
        await join(a, "den");
        for (const socket of [a, b]) {
          const { newCreatorUserId } = (await socket.take(
            (frame) => frame.type === "room.creator" && frame.newCreatorUserId === ann.id,
          )) as { newCreatorUserId: string };
          expect(newCreatorUserId).toBe(ann.id);
        }
        offset += limits.ban + 1;
        expect(await code(join(c, "den"))).toBe("room.joined");
      },
    ),
  );

  test(
    "remember 200 messages, also while nobody is there",
    among(
      () => [ann, bob],
      async (a, b) => {
        await join(a, "log");
        for (let n = 0; n < 201; n++) app.realtime.face.broadcastToRoom("log", "line", n);
        expect(await hear(a)).toMatchObject({ sender: { userId: null, socketId: null }, payload: 0 });
        await a.ask({ type: "room.leave", room: "log" });
        const joined = await join(b, "log");
        const history = joined.type === "room.joined" ? joined.history : [];
        expect([history.length, history[0]?.payload, history.at(-1)?.payload]).toEqual([200, 1, 200]);
      },
    ),
  );

  test(
    "are listed by prefix, those that one may join",
    among(
      () => [ann, bob],
      async (a, b) => {
        app.realtime.face.registerRoomValidator("vip:", async (actor) => actor.id === ann.id);
        app.realtime.face.registerRoomValidator("broken:", () => {
          throw new Error("no");
        });
        for (const room of ["list:b", "list:a", "vip:x"]) await join(a, room);
        await join(b, "list:a");
        expect(await code(join(b, "vip:x"))).toBe("FORBIDDEN You may not join 'vip:x'");
        expect(await code(join(a, "broken:x"))).toMatch(/^FORBIDDEN/);
        expect(await roomsOf(b)).toEqual([
          { name: "list:a", memberCount: 2 },
          { name: "list:b", memberCount: 1 },
        ]);
        expect(await roomsOf(a, "vip:")).toEqual([{ name: "vip:x", memberCount: 1 }]);
        expect(await code(a.ask({ type: "presence.subscribe", channel: "broken:x" }))).toMatch(/^FORBIDDEN/);
        expect(await code(b.ask({ type: "broadcast.subscribe", channel: "vip:x" }))).toMatch(/^FORBIDDEN/);
        app.realtime.face.unregisterRoomValidator("vip:");
        expect(await code(join(b, "vip:x"))).toBe("room.joined");
        // A later one is asked about those who are in, too.
        app.realtime.face.registerRoomValidator("vip:", (actor) => actor.id === ann.id);
        expect(await b.take(({ type }) => type === "room.kicked")).toMatchObject({
          room: "vip:x",
          kickedBy: null,
          reason: "the right has ended",
        });
        expect(await members(a, "vip:x")).toHaveLength(1);
      },
    ),
  );

  test(
    "named after an item are for those who may read it, as long as they may",
    among(
      () => [ann, bob, ann],
      async (a, b, watcher) => {
        const body = { id: 1, owner: ann.id };
        await app.call("POST", "/items/boards", { token: app.admin, body });
        expect(await code(join(a, "private:boards:1"))).toMatch(/^FORBIDDEN/);
        const permission = {
          role_Id: role,
          action: "read",
          collection: "boards",
          fields: ["*"],
          conditions: { owner: { eq: "$CURRENT_USER" } },
        };
        const made = await app.call("POST", "/permissions", { token: app.admin, body: permission });
        const refused = await Promise.all(
          [
            "private:boards:1",
            "private:boards:2",
            "private:boards:x",
            "private:nothing",
            "private:nothing:1",
            "private:",
            "private:__proto__",
            "Private:boards:1",
            "private:baasix_Permission",
          ].map(async (name) => [name, await code(join(b, name))]),
        );
        for (const [name, answer] of refused) expect(answer).toBe(`FORBIDDEN You may not join '${name}'`);
        expect(await code(join(b, "private:boards"))).toBe("room.joined");
        expect(await code(join(a, "private:boards:1"))).toBe("room.joined");
        await a.ask({ type: "presence.subscribe", channel: "private:boards:1" });
        await watcher.ask({ type: "broadcast.subscribe", channel: "private:boards:1" });
        expect(await roomsOf(b, "private:")).toEqual([{ name: "private:boards", memberCount: 1 }]);
        expect(await roomsOf(a, "private:")).toHaveLength(2);
        // Another owner: whoever lost the row goes, and whoever got it may come.
        await app.call("PATCH", "/items/boards/1", { token: app.admin, body: { owner: bob.id } });
        const gone = [await hear(a), await hear(a), await hear(watcher)];
        expect(gone).toEqual(
          expect.arrayContaining([
            { type: "room.kicked", room: "private:boards:1", kickedBy: null, reason: "the right has ended" },
            { type: "ended", kind: "presence", name: "private:boards:1", reason: "the right has ended" },
            { type: "ended", kind: "broadcast", name: "private:boards:1", reason: "the right has ended" },
          ]),
        );
        expect(await code(say(a, "private:boards:1", "chat"))).toMatch(/^FORBIDDEN/);
        expect(await code(join(b, "private:boards:1"))).toBe("room.joined");
        // Another rule: nobody may.
        const { id } = (made.body as { data?: { id: string } }).data ?? (made.body as { id: string });
        await app.call("DELETE", `/permissions/${id}`, { token: app.admin });
        const ended = [await hear(b), await hear(b)] as { room: string }[];
        expect(ended.map(({ room }) => room).sort()).toEqual(["private:boards", "private:boards:1"]);
        expect(await code(join(b, "private:boards"))).toMatch(/^FORBIDDEN/);
      },
    ),
  );

  test(
    "are left by a socket that becomes another user's",
    among(
      () => [ann, bob],
      async (a, b) => {
        await join(a, "turn");
        await join(b, "turn");
        await a.take(({ type }) => type === "room.user.joined");
        await b.ask({ type: "authenticate", token: cid.token, version: 1 });
        expect(await b.take(({ type }) => type === "room.kicked")).toMatchObject({ kickedBy: null });
        expect(await a.take(({ type }) => type === "room.user.left")).toMatchObject({ userId: bob.id });
        expect(await members(a, "turn")).toHaveLength(1);
      },
    ),
  );
});

describe("presence", () => {
  test(
    "shows who is tracked to those who are subscribed, many changes as one",
    among(
      () => [ann, bob, cid],
      async (a, b, c) => {
        const on = { channel: "cursors" };
        expect(await code(a.ask({ type: "presence.track", ...on, state: {} }))).toMatch(/^FORBIDDEN/);
        for (const socket of [a, b]) {
          expect(await socket.ask({ type: "presence.subscribe", ...on })).toMatchObject({ members: [] });
        }
        await Promise.all(
          [...Array(20).keys()].map((x) => a.ask({ type: "presence.track", ...on, state: { x } })),
        );
        const mine = { socketId, userId: ann.id, state: { x: 19 } };
        let seen: unknown;
        let frames = 0;
        for (const socket of [a, b]) {
          seen = null;
          for (frames = 0; JSON.stringify(seen) !== '{"x":19}'; frames++) {
            const frame = (await hear(socket)) as Extract<ServerFrame, { type: "presence.changed" }>;
            const [member] = [...frame.joined, ...frame.updated];
            expect(member?.userId).toBe(ann.id);
            expect(frame.joined).toHaveLength(frames === 0 ? 1 : 0);
            seen = member?.state;
          }
          expect(frames).toBeLessThan(20);
        }
        expect(await c.ask({ type: "presence.subscribe", ...on })).toMatchObject({ members: [mine] });
        await a.ask({ type: "presence.untrack", ...on });
        for (const socket of [a, b, c]) {
          expect(await hear(socket)).toEqual({
            type: "presence.changed",
            ...on,
            joined: [],
            updated: [],
            left: [mine],
          });
        }
        await a.ask({ type: "presence.track", ...on, state: { x: 1 } });
        expect(await hear(b)).toMatchObject({ joined: [{ state: { x: 1 } }] });
        a.close();
        expect(await hear(b)).toMatchObject({ left: [{ userId: ann.id }] });
      },
    ),
  );
});

describe("broadcast", () => {
  test(
    "reaches the others, and the sender where it asks for it",
    among(
      () => [ann, bob],
      async (a, b) => {
        const on = { channel: "pings" };
        expect(await code(a.ask({ type: "broadcast.send", ...on, event: "x" }))).toMatch(/^FORBIDDEN/);
        for (const socket of [a, b]) await socket.ask({ type: "broadcast.subscribe", ...on });
        await a.ask({ type: "broadcast.send", ...on, event: "one", payload: { n: 1 } });
        await a.ask({ type: "broadcast.send", ...on, event: "two", self: true });
        const sender = { userId: ann.id, socketId };
        const two = {
          type: "broadcast.message",
          ...on,
          event: "two",
          payload: null,
          sender,
          timestamp: stamp,
        };
        expect(await hear(b)).toEqual({ ...two, event: "one", payload: { n: 1 } } as unknown as ServerFrame);
        expect(await hear(b)).toEqual(two as unknown as ServerFrame);
        expect(await hear(a)).toEqual(two as unknown as ServerFrame);
        await b.ask({ type: "broadcast.unsubscribe", ...on });
        await a.ask({ type: "broadcast.send", ...on, event: "three", self: true });
        expect(await hear(a)).toMatchObject({ event: "three" });
        expect(b.unread).toEqual([]);
      },
    ),
  );
});

describe("the server's own code", () => {
  test(
    "answers calls by name",
    among(
      () => [ann],
      async (a) => {
        const { face } = app.realtime;
        face.registerMessageHandler("dice:roll", (payload, { actor }) => ({ payload, by: actor.id }));
        face.registerMessageHandler("dice:lost", async () => {
          throw new AppError("CONFLICT", "The die is under the sofa");
        });
        face.registerMessageHandler("dice:broken", () => {
          throw new Error("secret details");
        });
        face.registerMessageHandler("dice:silent", () => undefined);
        face.registerMessageHandler("dice:endless", () => "x".repeat(limits.payload));
        expect(() => face.registerMessageHandler("dice:roll", () => 1)).toThrow(/already/);
        expect(() => face.registerMessageHandler("baasix:x", () => 1)).toThrow(/system/);
        const call = (event: string, payload?: unknown) => a.ask({ type: "invoke", event, payload });
        expect(await call("dice:roll", { sides: 6 })).toMatchObject({
          type: "result",
          data: { payload: { sides: 6 }, by: ann.id },
        });
        expect(await call("dice:silent")).toMatchObject({ type: "result", data: null });
        expect(await code(call("dice:lost"))).toBe("CONFLICT The die is under the sofa");
        expect(await code(call("dice:broken"))).toBe("INTERNAL_ERROR Something went wrong on the server");
        expect(await code(call("dice:endless"))).toMatch(/^PAYLOAD_TOO_LARGE/);
        expect(await code(call("toString"))).toBe("NOT_FOUND No handler registered for event: toString");
        face.unregisterMessageHandler("dice:roll");
        expect(await code(call("dice:roll"))).toMatch(/^NOT_FOUND/);
      },
    ),
  );

  test(
    "notifies all sockets of a user, and publishes to topics that may be followed",
    among(
      () => [ann, ann, bob],
      async (first, second, other) => {
        const { face } = app.realtime;
        face.sendToUser(ann.id, "mail", { unread: 3 });
        for (const socket of [first, second]) {
          expect(await hear(socket)).toEqual({
            type: "notification",
            event: "mail",
            payload: { unread: 3 },
            timestamp: stamp,
          });
        }
        face.sendToUser(ann.id, "mail", {}, { tenant: crypto.randomUUID() });
        face.broadcastToAll("maintenance", { at: "noon" });
        for (const socket of [first, second, other]) {
          expect(await hear(socket)).toMatchObject({ event: "maintenance" });
        }
        let may = ann.id;
        face.registerTopic("job:", (actor, topic) => actor.id === may && topic === "job:7");
        const follow = (socket: TestSocket, topic: string) => socket.ask({ type: "topic.follow", topic });
        expect(await code(follow(first, "job:7"))).toBe("done");
        expect(await code(follow(first, "job:8"))).toMatch(/^FORBIDDEN/);
        expect(await code(follow(first, "else"))).toMatch(/^FORBIDDEN/);
        expect(await code(follow(other, "job:7"))).toMatch(/^FORBIDDEN/);
        face.publishTo("job:7", "progress", { percent: 50 });
        expect(await hear(first)).toEqual({
          type: "topic.event",
          topic: "job:7",
          event: "progress",
          payload: { percent: 50 },
          timestamp: stamp,
        });
        expect(other.unread).toEqual([]);
        may = bob.id;
        await app.snapshot.reloadRules();
        const created = await app.call("POST", "/permissions", {
          token: app.admin,
          body: { role_Id: role, action: "read", collection: "boards", fields: ["*"] },
        });
        expect(created.status).toBeLessThan(300);
        expect(await hear(first)).toMatchObject({ type: "ended", kind: "topic", name: "job:7" });
      },
    ),
  );
});

describe("bad input", () => {
  const long = "x".repeat(129);
  const join1 = { type: "room.join", id: "1" };
  const send1 = { type: "room.send", id: "1", room: "own", event: "e" };
  const rows: readonly (readonly [name: string, frame: unknown, answer: RegExp])[] = [
    ["an empty room name", { ...join1, room: "" }, /^BAD_REQUEST room/],
    ["a name of 129 characters", { ...join1, room: long }, /^BAD_REQUEST room/],
    ["a name that is no text", { ...join1, room: { a: 1 } }, /^BAD_REQUEST room/],
    ["a line break in a name", { ...join1, room: "a\nb" }, /^BAD_REQUEST room/],
    ["a NUL in a name", { ...join1, room: "a\0" }, /^BAD_REQUEST room/],
    ["half a character in a name", { ...join1, room: "a\ud800" }, /^BAD_REQUEST room/],
    ["a name of the system", { ...join1, room: "baasix:all" }, /^FORBIDDEN/],
    ["a prototype's name", { ...join1, room: "__proto__" }, /^room.joined/],
    ["metadata that is a list", { ...join1, room: "r", metadata: [] }, /^BAD_REQUEST metadata/],
    ["metadata of 5 KB", { ...join1, room: "r", metadata: { a: "x".repeat(5000) } }, /^PAYLOAD_TOO_LARGE/],
    ["an unknown key", { ...join1, room: "r", admin: true }, /^BAD_REQUEST .*admin/],
    [
      "a foreign room's members",
      { type: "room.members", id: "1", room: "foreign" },
      /^FORBIDDEN Not a member/,
    ],
    ["a foreign room", { ...send1, room: "foreign" }, /^FORBIDDEN Not a member/],
    ["a foreign room's kick", { type: "room.kick", id: "1", room: "foreign", userId: "u" }, /^FORBIDDEN/],
    ["a message of 65 KB", { ...send1, payload: "x".repeat(65_537) }, /^PAYLOAD_TOO_LARGE/],
    ["no event", { ...send1, event: undefined }, /^BAD_REQUEST event/],
    ["an event of 65 characters", { ...send1, event: "x".repeat(65) }, /^BAD_REQUEST event/],
    ...[
      "joined",
      "LEFT",
      "kicked",
      "user:joined",
      "room:user:left",
      "connect",
      "error",
      "baasix:x",
      "Sync",
    ].map((event) => [`the event ${event}`, { ...send1, event }, /^BAD_REQUEST event: .*system/] as const),
    ["the event constructor", { ...send1, event: "constructor" }, /^done/],
    ["a sender of one's own", { ...send1, sender: { userId: "u" } }, /^BAD_REQUEST .*sender/],
    ["a time of one's own", { ...send1, timestamp: "now" }, /^BAD_REQUEST .*timestamp/],
    ["history that is no boolean", { ...send1, history: 1 }, /^BAD_REQUEST history/],
    ["a list by a prefix that is no text", { type: "room.list", id: "1", prefix: 1 }, /^BAD_REQUEST prefix/],
    ["no state", { type: "presence.track", id: "1", channel: "own" }, /^BAD_REQUEST state/],
    [
      "a state of text",
      { type: "presence.track", id: "1", channel: "own", state: "x" },
      /^BAD_REQUEST state/,
    ],
    [
      "a state of 5 KB",
      { type: "presence.track", id: "1", channel: "own", state: { a: "x".repeat(5000) } },
      /^PAYLOAD_TOO_LARGE/,
    ],
    ["a channel without a name", { type: "presence.subscribe", id: "1" }, /^BAD_REQUEST channel/],
    [
      "the broadcast error",
      { type: "broadcast.send", id: "1", channel: "own", event: "error" },
      /^BAD_REQUEST/,
    ],
    ["an invocation without a name", { type: "invoke", id: "1" }, /^BAD_REQUEST event/],
    ["an invocation of __proto__", { type: "invoke", id: "1", event: "__proto__" }, /^NOT_FOUND/],
    ["a topic that nobody opened", { type: "topic.follow", id: "1", topic: "t" }, /^FORBIDDEN/],
    ["a frame of the server", { type: "room.message", id: "1", room: "own" }, /^BAD_REQUEST type/],
  ];
  test(
    "is refused, and the socket goes on",
    among(
      () => [ann, bob],
      async (a, b) => {
        await join(b, "foreign");
        await join(a, "own");
        await a.ask({ type: "presence.subscribe", channel: "own" });
        await a.ask({ type: "broadcast.subscribe", channel: "own" });
        for (const [name, frame, answer] of rows) {
          offset += 1000;
          a.sendRaw(JSON.stringify(frame));
          expect([name, await code(a.take((each) => "id" in each))]).toEqual([
            name,
            expect.stringMatching(answer),
          ]);
        }
        a.sendRaw('{"type":"room.send","id":"1","room":"own","event":"e","payload":{"__proto__":{"x":1}}}');
        expect(await code(a.take((each) => "id" in each))).toMatch(/^BAD_REQUEST .*__proto__/);
        expect(b.unread).toEqual([]);
      },
    ),
  );

  test(
    "nobody in particular has none of it",
    among(
      () => [null],
      async (a) => {
        for (const frame of [
          { type: "room.join", room: "r" },
          { type: "room.list" },
          { type: "presence.subscribe", channel: "r" },
          { type: "broadcast.subscribe", channel: "r" },
          { type: "topic.follow", topic: "r" },
          { type: "invoke", event: "r" },
        ] as const) {
          expect(await code(a.ask(frame))).toMatch(/^UNAUTHORIZED Sign in/);
        }
      },
    ),
  );

  test(
    "50 rooms are the most, and joins have a pace",
    among(
      () => [ann],
      async (a) => {
        stopped = Date.now();
        for (let n = 0; n < limits.rooms; n++) {
          offset += 200;
          expect(await code(join(a, `many:${n}`))).toBe("room.joined");
        }
        expect(await code(join(a, "many:50"))).toMatch(/^QUERY_TOO_COMPLEX/);
        await a.ask({ type: "room.leave", room: "many:0" });
        expect(await code(join(a, "many:50"))).toBe("room.joined");
        const answers: string[] = [];
        for (let n = 0; n < 120; n++) {
          offset += 50;
          answers.push(await code(join(a, "many:1")));
        }
        expect(answers).toContain("RATE_LIMITED At most 10 joins a second");
      },
    ),
  );

  test(
    "what a socket says to others has a pace in bytes",
    among(
      () => [ann],
      async (a) => {
        stopped = Date.now();
        await join(a, "loud");
        await a.ask({ type: "broadcast.subscribe", channel: "loud" });
        const payload = "x".repeat(limits.payload - 2);
        for (let n = 0; n < limits.sendBurst / limits.payload; n++) {
          expect(await code(say(a, "loud", "e", payload))).toBe("done");
        }
        expect(await code(say(a, "loud", "e", payload))).toMatch(/^RATE_LIMITED/);
        offset += 1000;
        expect(await code(say(a, "loud", "e", payload))).toBe("done");
        for (let n = 0; n < limits.sendBurst / limits.payload; n++) {
          const frame = { type: "broadcast.send", channel: "loud", event: "e", payload } as const;
          expect(await code(a.ask(frame))).toBe("done");
        }
        expect(await code(a.ask({ type: "broadcast.send", channel: "loud", event: "e", payload }))).toMatch(
          /^RATE_LIMITED/,
        );
        expect(await code(say(a, "loud", "e", 1))).toBe("done");
      },
    ),
  );

  test(
    "what members show is bounded for all of a room together",
    among(
      () => [],
      async () => {
        const metadata = { text: "x".repeat(limits.profile - 20) };
        const most = Math.floor(limits.profiles / limits.profile);
        const answers: string[] = [];
        for (let n = 0; n <= most + 1; n += 50) {
          const people = Array.from(
            { length: Math.min(50, most + 2 - n) },
            () => [ann, bob, cid][n / 50] as Person,
          );
          for (const socket of await open(...people))
            answers.push(await code(join(socket, "wide", metadata)));
        }
        expect(answers.at(0)).toBe("room.joined");
        expect(answers.at(-1)).toMatch(/^QUERY_TOO_COMPLEX The members/);
      },
    ),
  );
});
