/** The socket of the client, against a small server that speaks the frames: breaks, sharing, pace. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { type ClientFrame, closeCodes, type ServerFrame } from "@baasix/types";
import { createBaasix } from "./client";

type Peer = Bun.ServerWebSocket<undefined>;
let received: ClientFrame[] = [];
let peers: Peer[] = [];
let watchers: (() => void)[] = [];
const send = (peer: Peer, frame: ServerFrame) => peer.send(JSON.stringify(frame));

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 404 })),
  websocket: {
    open: (peer) => void peers.push(peer),
    message(peer, text) {
      const frame = JSON.parse(String(text)) as ClientFrame;
      received.push(frame);
      if (frame.type === "authenticate")
        send(peer, { type: "connected", id: frame.id, userId: null, socketId: "s", version: 1 });
      if (frame.type === "subscribe") {
        const subscription = `${frame.collection}-${received.length}`;
        send(peer, { type: "subscribed", id: frame.id, subscription, primaryKey: "id" });
        change(peer, subscription, frame.collection);
      }
      if (frame.type === "subscribe.many") {
        const subscriptions = frame.subscriptions.map(({ collection }, place) => ({
          subscription: `${collection}-${received.length}-${place}`,
          primaryKey: "id",
        }));
        send(peer, { type: "subscribed.many", id: frame.id, subscriptions });
        for (const [place, { collection }] of frame.subscriptions.entries())
          change(peer, subscriptions[place]?.subscription ?? "", collection);
      }
      for (const watch of watchers) watch();
    },
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  received = [];
  peers = [];
  watchers = [];
});

function change(peer: Peer, subscription: string, collection: string): void {
  const data = { id: subscription };
  send(peer, {
    type: "change",
    subscription,
    action: "create",
    collection,
    data,
    timestamp: "2026-11-20T00:00:00Z",
  });
}

/** Waits for what happens on the server's side. */
function until(test: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const watch = () => {
      if (test()) resolve();
    };
    watchers.push(watch);
    watch();
  });
}

const sent = (type: ClientFrame["type"]) => received.filter((frame) => frame.type === type);
const client = (token = "t1") => createBaasix({ url: `http://127.0.0.1:${server.port}`, token });

test("connects, subscribes and hands out changes; equal subscriptions share one", async () => {
  const baasix = client();
  const states: boolean[] = [];
  baasix.realtime.onConnectionChange((connected) => states.push(connected));
  await baasix.realtime.connect();
  expect(baasix.realtime.isConnected).toBe(true);
  expect(received).toEqual([{ type: "authenticate", id: "proof", token: "t1", version: 1 }]);
  const first = Promise.withResolvers<unknown>();
  const second = Promise.withResolvers<unknown>();
  const options = { filter: { a: { gt: 1 } }, fields: ["id"] };
  const stopFirst = baasix.realtime.subscribe("posts", options, first.resolve);
  const stopSecond = baasix.realtime.subscribe("posts", { ...options }, second.resolve);
  const expected = {
    action: "create",
    collection: "posts",
    data: { id: "posts-2" },
    timestamp: "2026-11-20T00:00:00Z",
  };
  expect(await first.promise).toEqual(expected);
  expect(await second.promise).toEqual(expected);
  expect(sent("subscribe")).toEqual([{ type: "subscribe", id: "1", collection: "posts", ...options }]);
  stopFirst();
  stopSecond();
  await until(() => sent("unsubscribe").length === 1);
  baasix.close();
  expect(baasix.realtime.isConnected).toBe(false);
  expect(states).toEqual([true, false]);
});

test("comes back after a break, subscribes again and tells of the gap", async () => {
  const baasix = client();
  const heard: string[] = [];
  const back = Promise.withResolvers<void>();
  baasix.realtime.onResync((collection, reason) => {
    heard.push(`${collection} ${reason}`);
    back.resolve();
  });
  const stop = baasix.realtime.subscribe("posts", { onLive: () => heard.push("live") }, () => undefined);
  await until(() => sent("subscribe").length === 1);
  peers[0]?.terminate();
  await back.promise;
  expect(heard).toEqual(["live", "live", "posts reconnected"]);
  stop();
  baasix.close();
});

test.each(["online", "visibilitychange"])(
  "at '%s' a connection that waits comes back at once",
  async (name) => {
    const baasix = client();
    const states: string[] = [];
    baasix.realtime.onConnectionStateChange((state) => states.push(state));
    await baasix.realtime.connect();
    const back = new Promise<string>((resolve) =>
      baasix.realtime.onConnectionChange((now) => now && resolve("back")),
    );
    // After this the client waits for four seconds at least.
    peers[0]?.close(closeCodes.tooMany);
    for (let n = 0; n < 500 && states.at(-1) !== "reconnecting"; n++) await Bun.sleep(2);
    dispatchEvent(new Event(name));
    expect(await Promise.race([back, Bun.sleep(3_500)])).toBe("back");
    expect(states).toEqual(["connecting", "connected", "reconnecting", "connected"]);
    baasix.close();
  },
);

test("a change of user makes the connection anew as the new one", async () => {
  const baasix = client();
  const stop = baasix.realtime.subscribe("posts", () => undefined);
  await until(() => sent("subscribe").length === 1);
  await baasix.auth.setToken("t2");
  await until(() => sent("subscribe").length === 2);
  expect(sent("authenticate").map((frame) => "token" in frame && frame.token)).toEqual(["t1", "t2"]);
  stop();
  baasix.close();
});

test("many subscriptions stay below the server's limit of frames", async () => {
  const baasix = client();
  await baasix.realtime.connect();
  for (let index = 0; index < 40; index++) baasix.realtime.subscribe(`c${index}`, () => undefined);
  await until(() => sent("subscribe").length >= 29);
  expect(received.length).toBe(30);
  await until(() => sent("subscribe").length === 40);
  baasix.close();
});

test("several subscriptions are one message, and end together", async () => {
  const baasix = client();
  await baasix.realtime.connect();
  const seen: string[] = [];
  const done = Promise.withResolvers<void>();
  const stop = baasix.realtime.subscribeMany(
    [
      { collection: "posts", key: 7 },
      { collection: "tags", events: ["create"] },
    ],
    ({ collection }) => {
      seen.push(collection);
      if (seen.length === 2) done.resolve();
    },
  );
  await done.promise;
  expect(sent("subscribe.many")).toEqual([
    {
      type: "subscribe.many",
      id: expect.any(String),
      subscriptions: [
        { collection: "posts", key: 7 },
        { collection: "tags", events: ["create"] },
      ],
    },
  ]);
  stop();
  await until(() => sent("unsubscribe").length === 2);
  baasix.close();
});

test("channels and kinds of change", async () => {
  const baasix = client();
  const seen: string[] = [];
  const done = Promise.withResolvers<void>();
  baasix.realtime.on("posts", "delete", () => seen.push("delete"));
  baasix.realtime.on("posts", "create", () => seen.push("create"));
  const channel = baasix.realtime
    .channel("tags")
    .on("UPDATE", () => seen.push("UPDATE"))
    .on("INSERT", ({ collection }) => seen.push(`INSERT ${collection}`))
    .on("*", () => done.resolve())
    .subscribe();
  baasix.realtime.setSocketClient(() => undefined);
  await done.promise;
  expect(seen.toSorted()).toEqual(["INSERT tags", "create"]);
  channel.unsubscribe();
  await until(() => sent("unsubscribe").length === 1);
  baasix.close();
});

test("a client that is closed keeps nobody waiting: loops end, and what was asked for is refused", async () => {
  // Nobody listens there.
  const baasix = createBaasix({ url: "http://127.0.0.1:1", token: "t" });
  const states: string[] = [];
  baasix.realtime.subscribe("posts", { onState: (state) => states.push(state) }, () => undefined);
  const loop = async () => {
    for await (const _ of baasix.realtime.liveQuery("posts")) return "an answer";
    return "ended";
  };
  const code = (work: Promise<unknown>) => work.then(String, (error: { code: string }) => error.code);
  const presence = baasix.realtime.createPresenceChannel("c").subscribe({ x: 1 });
  const waiting = [
    loop(),
    code(baasix.realtime.joinRoom("r")),
    code(baasix.realtime.invoke("e")),
    code(presence),
  ];
  await Bun.sleep(0);
  baasix.close();
  expect(await Promise.all(waiting)).toEqual([
    "ended",
    "SESSION_CHANGED",
    "SESSION_CHANGED",
    "SESSION_CHANGED",
  ]);
  expect([states, baasix.realtime.getChannels()]).toEqual([["JOINING", "CLOSED"], []]);
});

test("without a WebSocket the error says what to do", async () => {
  const baasix = createBaasix({
    url: "http://127.0.0.1:1",
    webSocket: () => {
      throw new Error("no WebSocket");
    },
  });
  await expect(baasix.realtime.connect()).rejects.toThrow("no WebSocket");
});
