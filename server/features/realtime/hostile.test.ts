/**
 * Whatever a client sends: an error frame, an answer, or a close with a code that is documented; the server lives, and nobody else
 * hears anything of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { closeCodes } from "@baasix/types";
import * as fc from "fast-check";
import { testApp, type TestApp } from "../../testing/app";
import { openSocket, type TestSocket } from "../../testing/socket";
import { limits } from "./limits";
import { capabilityTypes, frameKeys } from "./model";

let app: TestApp;
let url: string;
let mallory: { token: string; id: string };
let bob: { token: string; id: string };
/** Bob's, with a row, a room and channels of its own, and one of an administrator's. */
let watching: TestSocket[];
let note: string;
let offset = 0;

beforeAll(async () => {
  app = await testApp({
    env: { REALTIME_SOCKETS_PER_USER: "50", REALTIME_SOCKETS_PER_ADDRESS: "50" },
    now: () => Date.now() + offset,
  });
  const fields = {
    id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
    text: { type: "String" },
    owner: { type: "UUID" },
  };
  await app.ok("POST", "/schemas", {
    collectionName: "notes",
    schema: { name: "Note", timestamps: false, fields },
  });
  [mallory, bob] = (await Promise.all(
    ["mallory", "bob"].map((name) => app.signUp(`${name}@example.com`)),
  )) as [typeof mallory, typeof bob];
  const role_Id = await app.roleId("user");
  const conditions = { owner: { eq: "$CURRENT_USER" } };
  await app.ok("POST", "/permissions", {
    role_Id,
    collection: "notes",
    action: "read",
    fields: ["id", "text"],
    conditions,
  });
  note = (
    (await app.ok("POST", "/items/notes", { text: "secret", owner: bob.id })).body as { data: { id: string } }
  ).data.id;
  url = app.listen();
  watching = await Promise.all([bob.token, app.admin].map((token) => openSocket(url, token)));
  for (const socket of watching) {
    await socket.subscribe("notes");
    await socket.ask({ type: "query", collection: "notes", query: { fields: ["*"] } });
    await socket.ask({ type: "room.join", room: place() });
    await socket.ask({ type: "room.send", room: place(), event: "chat", payload: "secret" });
    await socket.ask({ type: "presence.subscribe", channel: place() });
    await socket.ask({ type: "presence.track", channel: place(), state: { what: "secret" } });
    await socket.ask({ type: "broadcast.subscribe", channel: place() });
    offset += 10_000;
  }
  // The last that they hear of each other: presence is told after a pause.
  for (const socket of watching)
    await socket.take(
      (frame) => frame.type === "presence.changed" && frame.joined.some(({ userId }) => userId !== bob.id),
    );
  await heardBy();
}, 60_000);
afterAll(() => app.close());

const place = (): string => `private:notes:${note}`;

/** What those who watch have heard since they were asked last. */
async function heardBy(): Promise<string[]> {
  const all: string[] = [];
  for (const socket of watching) {
    offset += 100;
    await socket.ask({ type: "ping" });
    while (socket.unread.length > 0) all.push(JSON.stringify(await socket.next()));
  }
  return all;
}

const documented: readonly number[] = [...Object.values(closeCodes), 1002, 1006, 1007];

/** Sends messages one by one to a socket, or to the next one where it is closed; everything that came back. */
async function attack(
  messages: readonly (string | Uint8Array<ArrayBuffer>)[],
  token: string | null,
): Promise<string> {
  let heard = "";
  let socket = await openSocket(url, token);
  for (const message of messages) {
    offset += 100;
    socket.sendRaw(message);
    const ended = await Promise.race([
      socket.ask({ type: "ping" }).then(
        () => null,
        () => socket.closed,
      ),
      socket.closed,
    ]);
    if (ended === null) continue;
    expect(documented).toContain(ended.code);
    heard += socket.heard.join("\n");
    socket = await openSocket(url, token);
  }
  socket.close();
  await socket.closed;
  return heard + socket.heard.join("\n");
}

async function isUnharmed(): Promise<void> {
  expect(await heardBy()).toEqual([]);
  expect((await app.call("GET", "/health")).status).toBe(200);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
}

const names = (): fc.Arbitrary<string> =>
  fc.constantFrom(
    "notes",
    "baasix_User",
    "baasix_Sessions",
    "__proto__",
    "constructor",
    "toString",
    place(),
    `PRIVATE:notes:${note}`,
    "private:notes",
    "private:baasix_User",
    "private:__proto__:constructor",
    "system:all",
    "all",
    "room:user:left",
    "kicked",
    "v1",
    "q1",
    "v1.c",
    "execution:1",
    "stats",
    "\u0000",
    "x".repeat(200),
    'notes"; drop table notes; --',
  );

const hostileJson = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    names(),
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom<unknown>(
      null,
      0,
      -1,
      1e308,
      "",
      [],
      {},
      true,
      { owner: { eq: bob.id } },
      { owner: { ne: "$CURRENT_USER" } },
      { OR: [{ id: { eq: note } }, { "owner.email": { like: "%" } }] },
      { text: { regex: "(a+)+$" } },
      { id: { in: Array(300).fill(note) } },
      { filter: { owner: bob.id }, fields: ["*", "owner.*"], limit: -1 },
      { aggregate: { n: { function: "count", field: "owner" } }, groupBy: ["owner"] },
      { sort: ["owner"], search: "secret", count: "exact" },
      ["*"],
      ["text", "owner"],
      ["owner.email", "__proto__"],
      ["create", "update", "delete"],
      [{ collection: "notes", filter: { owner: bob.id } }, { collection: "baasix_Sessions" }],
      note,
      bob.id,
    ),
  );

/** Values that each key may really have, so that frames are understood and acted upon. */
const likely: Readonly<Record<string, () => fc.Arbitrary<unknown>>> = {
  collection: () => fc.constantFrom("notes", "notes", "baasix_User", "baasix_Permission", "baasix_Sessions"),
  key: () => fc.constantFrom<unknown>(note, bob.id, 1),
  filter: () =>
    fc.constantFrom<unknown>(
      {},
      { text: { eq: "secret" } },
      { owner: { eq: bob.id } },
      { id: { eq: note } },
      { NOT: { id: { isNull: true } } },
      { text: { like: "%" } },
    ),
  fields: () => fc.constantFrom<unknown>(["*"], ["id"], ["text", "owner"], ["*.*"]),
  events: () => fc.constantFrom<unknown>(["delete"], ["create", "update"]),
  subscriptions: () =>
    fc.constantFrom<unknown>([{ collection: "notes" }, { collection: "notes", key: note }]),
  query: () =>
    fc.constantFrom<unknown>(
      {},
      { fields: ["*"], sort: ["-text"], limit: -1 },
      { search: "secret", count: "exact" },
      { filter: { owner: { eq: bob.id } } },
      { aggregate: { n: { function: "count", field: "*" } }, groupBy: ["owner"] },
      { deleted: "with" },
    ),
  subscription: () => fc.constantFrom("v1", "v2", "v1.2", "q1", "q2"),
  room: () => fc.constantFrom(place(), "den", "private:notes"),
  channel: () => fc.constantFrom(place(), "den", "private:notes"),
  topic: () => fc.constantFrom("execution:1", place()),
  userId: () => fc.constantFrom(bob.id, mallory.id),
  metadata: () => fc.constant({ userId: "root" }),
  state: () => fc.constant({ socketId: "x" }),
  event: () => fc.constantFrom("chat", "stats", "room:user:left"),
  payload: () => fc.jsonValue(),
  history: () => fc.boolean(),
  self: () => fc.boolean(),
  prefix: () => fc.constantFrom("", "private:", "d"),
  version: () => fc.constantFrom<unknown>("x", 1),
};

/** Frames that are understood, and do what they say. */
const honest: readonly object[] = [
  { type: "subscribe", collection: "notes" },
  { type: "subscribe", collection: "notes", filter: { text: { eq: "secret" } } },
  { type: "query", collection: "notes", query: { sort: ["-text"], count: "exact" } },
  { type: "room.join", room: "den" },
  { type: "room.send", room: "den", event: "chat", payload: 1 },
  { type: "presence.subscribe", channel: "den" },
  { type: "presence.track", channel: "den", state: {} },
  { type: "broadcast.subscribe", channel: "den" },
];

/** A frame of the table: keys of its type with values that they may have, and now and then one of any kind. */
const frames = (): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: hostileFrames() },
    { weight: 1, arbitrary: fc.constantFrom(...honest).map((one) => JSON.stringify({ id: "1", ...one })) },
  );

const hostileFrames = (): fc.Arbitrary<string> =>
  fc
    .constantFrom(...capabilityTypes)
    .chain((type) =>
      fc.record({
        type: fc.oneof(
          { weight: 15, arbitrary: fc.constant<string>(type) },
          { weight: 1, arbitrary: names() },
        ),
        id: fc.oneof(
          { weight: 15, arbitrary: fc.constant<unknown>("1") },
          { weight: 1, arbitrary: hostileJson() },
        ),
        rest: fc.record(
          Object.fromEntries(
            (frameKeys.get(type) ?? []).map((key) => [
              key,
              fc.oneof(
                { weight: 4, arbitrary: likely[key]?.() ?? hostileJson() },
                { weight: 1, arbitrary: hostileJson() },
              ),
            ]),
          ),
          { requiredKeys: [] },
        ),
        more: fc.oneof(
          { weight: 15, arbitrary: fc.constant({}) },
          { weight: 1, arbitrary: fc.dictionary(names(), hostileJson(), { maxKeys: 2 }) },
        ),
      }),
    )
    .map(({ type, id, rest, more }) => JSON.stringify({ type, id, ...rest, ...more }))
    .chain((text) =>
      fc.oneof(
        { weight: 15, arbitrary: fc.constant(text) },
        { weight: 1, arbitrary: fc.nat(text.length).map((at) => text.slice(0, at)) },
        {
          weight: 1,
          arbitrary: fc
            .constantFrom(
              '"__proto__":{"polluted":1},',
              '"constructor":{"prototype":{"polluted":1}},',
              '"type":"ping",',
            )
            .map((key) => `{${key}${text.slice(1)}`),
        },
      ),
    );

describe("random frames", () => {
  test.each([
    ["of somebody", () => mallory.token],
    ["of nobody in particular", () => null],
  ])(
    "%s",
    async (who, token) => {
      let all = "";
      await fc.assert(
        fc.asyncProperty(fc.array(frames(), { minLength: 20, maxLength: 40 }), async (messages) => {
          const heard = await attack(messages, token());
          all += heard;
          // What comes back names nothing of the row; answers that name what was asked for do not count.
          expect(heard).not.toContain('"text":"secret"');
          expect(heard).not.toContain('"what":"secret"');
          expect(heard).not.toContain("bob@example.com");
          expect(heard).not.toContain("Something went wrong");
          await isUnharmed();
        }),
        { numRuns: 20, endOnFailure: true },
      );
      // Many were understood, not only refused for their looks.
      const understood = ["subscribed", "query.result", "room.joined", "presence.state", "done"];
      if (who === "of somebody") for (const type of understood) expect(all).toContain(`"type":"${type}"`);
    },
    60_000,
  );

  test("bytes and texts that are no frames", async () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => new Uint8Array(some));
    const texts = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.json());
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(bytes, texts), { minLength: 10, maxLength: 30 }),
        async (messages) => {
          const safe = messages.map((one) => (typeof one === "string" ? one.toWellFormed() : one));
          await attack(safe, mallory.token);
          await isUnharmed();
        },
      ),
      { numRuns: 8, endOnFailure: true },
    );
  }, 60_000);
});

test.each([
  ["the largest message", limits.message, null],
  ["one byte more", limits.message + 1, closeCodes.tooBig],
  ["1 MB", 1_000_000, closeCodes.tooBig],
] as const)("%s", async (_name, size, code) => {
  const socket = await openSocket(url, mallory.token);
  const frame = '{"type":"ping","id":"1","x":""}';
  socket.sendRaw(frame.replace('""', `"${"x".repeat(size - frame.length)}"`));
  if (code === null) expect(await socket.expect("error")).toMatchObject({ code: "BAD_REQUEST" });
  else expect((await socket.closed).code).toBe(code);
  socket.close();
  await isUnharmed();
});

test("other versions, and tokens of every kind, close with a code that says why", async () => {
  for (const [frame, code] of [
    [{ version: 0, token: null }, closeCodes.protocol],
    [{ version: 2, token: null }, closeCodes.protocol],
    [{ version: -1, token: mallory.token }, closeCodes.protocol],
    [{ version: 1, token: "x" }, closeCodes.unauthorized],
    [{ version: 1, token: `${mallory.token}x` }, closeCodes.unauthorized],
    [
      { version: 1, token: mallory.token.replace(/^[^.]*/, btoa('{"alg":"none"}').replaceAll("=", "")) },
      closeCodes.unauthorized,
    ],
    [{ version: 1, token: "\u0000" }, closeCodes.unauthorized],
  ] as const) {
    const socket = await openSocket(url);
    socket.sendRaw(JSON.stringify({ type: "authenticate", id: "1", ...frame }));
    expect([frame, (await socket.closed).code]).toEqual([frame, code]);
  }
  await isUnharmed();
});

test("a flood of joins, sends and subscriptions is refused, and closes in the end", async () => {
  const sockets = await Promise.all([1, 2, 3].map(() => openSocket(url, mallory.token)));
  for (let n = 0; n < 300; n++) {
    sockets[0]?.send({ type: "room.join", room: `r${n}` });
    sockets[1]?.send({ type: "broadcast.send", channel: place(), event: "e", payload: "x".repeat(1000) });
    sockets[2]?.send({ type: "subscribe", collection: "notes", filter: { text: String(n) } });
  }
  for (const { closed } of sockets) expect((await closed).code).toBe(closeCodes.tooMany);
  expect(sockets.every(({ heard }) => heard.some((text) => text.includes("RATE_LIMITED")))).toBe(true);
  await isUnharmed();
});

/** Raw bytes after an upgrade: what no client of ours can send. */
async function raw(...chunks: readonly Buffer[]): Promise<string> {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  let heard = "";
  const connected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  socket.on("data", (data) => {
    heard += data.toString("latin1");
    if (heard.includes("connected")) connected.resolve();
  });
  socket.on("error", () => ended.resolve());
  socket.on("close", () => ended.resolve());
  socket.write(
    `GET /realtime HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${mallory.token}\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  await Promise.race([connected.promise, ended.promise]);
  for (const chunk of chunks) if (!socket.destroyed) socket.write(chunk);
  await ended.promise;
  socket.destroy();
  return heard;
}

const mask = [0, 0, 0, 0];
const piece = Buffer.concat([Buffer.from([0x01, 0xfe, 0xff, 0xff, ...mask]), Buffer.alloc(0xffff, 32)]);
const more = Buffer.concat([Buffer.from([0x00, 0xfe, 0xff, 0xff, ...mask]), Buffer.alloc(0xffff, 32)]);

test.each([
  ["text that is no UTF-8", [Buffer.from([0x81, 0x82, ...mask, 0xff, 0xfe])]],
  ["a frame without a mask", [Buffer.from([0x81, 0x02, 0x7b, 0x7d])]],
  ["a compressed frame that nobody agreed on", [Buffer.from([0xc1, 0x82, ...mask, 0x7b, 0x7d])]],
  ["an opcode that there is not", [Buffer.from([0x83, 0x80, ...mask])]],
  ["a continuation of nothing", [Buffer.from([0x80, 0x82, ...mask, 0x7b, 0x7d])]],
  ["a length of 2^63", [Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, ...mask])]],
  ["a ping that is too long", [Buffer.from([0x89, 0xfe, 0x01, 0x00, ...mask]), Buffer.alloc(256)]],
  ["pieces without an end", [piece, ...Array.from({ length: 8 }, () => more)]],
  ["a close with a code that there is not", [Buffer.from([0x88, 0x82, ...mask, 0, 1])]],
] as const)("%s ends the socket", async (_name, chunks) => {
  expect(await raw(...chunks)).toContain("connected");
  await isUnharmed();
});
