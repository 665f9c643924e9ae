/** What the JavaScript SDK document says of realtime, call by call, against the real server; and how each call stands. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from "bun:test";
import { type TestApp, testApp, testAdmin } from "../server/testing/app";
import { type Baasix, type ConnectionState, type ExecutionUpdate, type SubscriptionState } from ".";
import { createSubscriptions } from "./subscriptions";
import { openClients } from "./testing/clients";

let app: TestApp;
let url: string;
let baasix: Baasix;
const clients = openClients();
const products = () => baasix.items("products");

beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  await app.signUp("alice@example.com");
  baasix = client();
  await baasix.auth.login(testAdmin);
  await baasix.schemas.create("products", {
    name: "Product",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      name: { type: "String" },
      price: { type: "Integer", defaultValue: 1 },
    },
  });
});
afterEach(() => {
  baasix.realtime.unsubscribeAll();
  baasix.realtime.disconnect();
  clients.close(1);
});
afterAll(() => app.close());

const client = (): Baasix => clients.open({ url });

async function alice(): Promise<Baasix> {
  const her = client();
  await her.auth.login({ email: "alice@example.com", password: "a good password" });
  return her;
}

/** Notes what a callback is given, and waits for what it is to be given. */
function heard<Value>() {
  const items: Value[] = [];
  const wakes: (() => void)[] = [];
  return {
    items,
    add(value: Value): void {
      items.push(value);
      for (const wake of wakes.splice(0)) wake();
    },
    async find(test: (value: Value) => boolean): Promise<Value> {
      for (;;) {
        const found = items.find(test);
        if (found !== undefined) return found;
        // oxlint-disable-next-line no-await-in-loop -- one value after the other
        await new Promise<void>((resolve) => wakes.push(resolve));
      }
    },
  };
}

test.each([
  "setSocketClient",
  "connect",
  "disconnect",
  "onConnectionChange",
  "subscribe",
  "on",
  "channel",
  "joinRoom",
  "leaveRoom",
  "getRoomMembers",
  "listRooms",
  "sendToRoom",
  "onRoomMessage",
  "onRoomUserJoined",
  "onRoomUserLeft",
  "kickFromRoom",
  "onKicked",
  "onRoomCreatorChanged",
  "invoke",
  "subscribeToExecution",
] as const)("the document's %s is there", (name) => {
  expect(baasix.realtime[name]).toBeFunction();
});

test("setSocketClient, connect, isConnected, onConnectionChange, disconnect; states, reconnect", async () => {
  const { realtime } = baasix;
  const changes: boolean[] = [];
  const states = heard<ConnectionState>();
  const stops = [
    realtime.onConnectionChange((connected) => changes.push(connected)),
    realtime.onConnectionStateChange(states.add),
  ];
  realtime.setSocketClient(() => undefined);
  expect([realtime.isConnected, realtime.getConnectionState()]).toEqual([false, "disconnected"]);
  await realtime.connect();
  expect([realtime.isConnected, realtime.getConnectionState()]).toEqual([true, "connected"]);
  clients.sockets.at(-1)?.close(4000);
  await states.find((state) => state === "reconnecting");
  expect(realtime.isConnected).toBe(false);
  await realtime.reconnect();
  await realtime.reconnect();
  realtime.disconnect();
  expect(realtime.isConnected).toBe(false);
  stops.forEach((stop) => stop());
  await realtime.connect();
  const up = ["reconnecting", "connected"] as const;
  expect(states.items).toEqual(["connecting", "connected", ...up, ...up, "disconnected"]);
  expect(changes).toEqual([true, false, true, false, true, false]);
});

test("subscribe, on, and the channel with its kinds of change", async () => {
  const { realtime } = baasix;
  const [told, states] = [heard<string>(), heard<string>()];
  const unsubscribe = realtime.subscribe("products", { onState: states.add }, ({ action, data }) =>
    told.add(`${action} ${data.name}`),
  );
  realtime.on("products", "create", ({ name }) => told.add(`on ${name}`));
  const channel = realtime
    .channel("products", { filter: { price: { lt: 5 } } })
    .on("INSERT", ({ data }) => told.add(`INSERT ${data.name}`))
    .on("UPDATE", ({ data, _old }) => told.add(`UPDATE ${_old?.name} ${data.name}`))
    .on("DELETE", ({ data }) => told.add(`DELETE ${Object.keys(data).join()}`))
    .on("*", ({ action }) => told.add(`* ${action}`))
    .subscribe((state) => states.add(`channel ${state}`));
  expect([unsubscribe.isSubscribed(), channel.getState()]).toEqual([false, "JOINING"]);
  await Promise.all(
    ["SUBSCRIBED", "channel SUBSCRIBED"].map((state) => states.find((each) => each === state)),
  );
  expect([unsubscribe.isSubscribed(), channel.isSubscribed()]).toEqual([true, true]);
  const id = String(await products().create({ name: "Hat" }));
  await products().update(id, { name: "Cap" });
  await products().delete(id);
  await told.find((text) => text === "* delete");
  await told.find((text) => text === "delete undefined");
  expect(told.items.toSorted()).toEqual(
    [
      ["create Hat", "update Cap", "delete undefined", "on Hat"],
      ["INSERT Hat", "* create", "UPDATE Hat Cap", "* update", "DELETE id", "* delete"],
    ]
      .flat()
      .toSorted(),
  );
  channel.unsubscribe();
  unsubscribe();
  unsubscribe();
  expect([unsubscribe.getState(), channel.getState()]).toEqual(["CLOSED", "CLOSED"]);
  expect(states.items).toEqual([
    "JOINING",
    "channel JOINING",
    "SUBSCRIBED",
    "channel SUBSCRIBED",
    "channel CLOSED",
    "CLOSED",
  ]);
});

test("a subscription tells when it breaks, stands again, is refused and ends", async () => {
  const { realtime } = baasix;
  const states = heard<SubscriptionState>();
  const resync = heard<string>();
  realtime.subscribe("products", { onState: states.add, onResync: resync.add }, () => undefined);
  await states.find((state) => state === "SUBSCRIBED");
  clients.sockets.at(-1)?.close(4000);
  await resync.find((reason) => reason === "reconnected");
  expect(states.items).toEqual(["JOINING", "SUBSCRIBED", "JOINING", "SUBSCRIBED"]);
  const refused = heard<string>();
  realtime.channel("nothing").subscribe((state, error) => refused.add(`${state} ${error?.code}`));
  await refused.find((text) => text.startsWith("CHANNEL_ERROR"));
  expect(refused.items).toEqual(["JOINING undefined", "CHANNEL_ERROR UNKNOWN_COLLECTION"]);
  realtime.unsubscribeAll();
  expect([states.items.at(-1), refused.items.at(-1)]).toEqual(["CLOSED", "CLOSED undefined"]);
});

test("no answer for ten seconds is told once, and does not end it", () => {
  jest.useFakeTimers();
  try {
    const subscriptions = createSubscriptions(() => undefined);
    const states: SubscriptionState[] = [];
    subscriptions.subscribe("products", { onState: (state) => states.push(state) }, () => undefined);
    jest.advanceTimersByTime(30_000);
    expect(states).toEqual(["JOINING", "TIMED_OUT"]);
    subscriptions.live(subscriptions.list()[0]?.key ?? "", "id");
    jest.advanceTimersByTime(30_000);
    subscriptions.broken();
    jest.advanceTimersByTime(9_000);
    // Nor is a process kept alive by what nobody wants any more.
    subscriptions.rest();
    jest.advanceTimersByTime(30_000);
    subscriptions.endAll();
    jest.advanceTimersByTime(30_000);
    expect(states).toEqual(["JOINING", "TIMED_OUT", "SUBSCRIBED", "JOINING", "CLOSED"]);
  } finally {
    jest.useRealTimers();
  }
});

test("rooms, as the document has them", async () => {
  const other = await alice();
  const { realtime } = baasix;
  const told = heard<string>();
  const { history } = await realtime.joinRoom("game:lobby", { username: "Boss" });
  expect(history).toEqual([]);
  realtime.onRoomUserJoined("game:lobby", ({ metadata }) =>
    told.add(`joined ${String(metadata["username"])}`),
  );
  realtime.onRoomUserLeft("game:lobby", ({ userId }) => told.add(`left ${userId.length}`));
  const unsubscribe = realtime.onRoomMessage("game:lobby", "chat", ({ payload }) =>
    told.add(JSON.stringify(payload)),
  );
  other.realtime.onKicked("game:lobby", ({ kickedBy }) => told.add(`kicked ${kickedBy?.length}`));
  other.realtime.onRoomCreatorChanged("game:lobby", ({ newCreatorUserId }) =>
    told.add(`owner ${newCreatorUserId?.length}`),
  );
  await other.realtime.joinRoom("game:lobby", { username: "Alice", team: "blue" });
  await other.realtime.sendToRoom("game:lobby", "chat", { text: "Hello everyone!" });
  await other.realtime.sendToRoom("game:lobby", "typing", {}, { history: false });
  await told.find((text) => text.includes("Hello"));
  unsubscribe();
  const members = await realtime.getRoomMembers("game:lobby");
  expect(members.map(({ isCreator, metadata }) => [isCreator, metadata["username"]])).toEqual([
    [true, "Boss"],
    [false, "Alice"],
  ]);
  const late = await realtime.joinRoom("game:lobby");
  expect(late.history).toMatchObject([
    { event: "chat", payload: { text: "Hello everyone!" }, sender: { userId: members[1]?.userId } },
  ]);
  expect([await realtime.listRooms(), await realtime.listRooms("chat:")]).toEqual([
    [{ name: "game:lobby", memberCount: 2 }],
    [],
  ]);
  await realtime.leaveRoom("game:lobby");
  await told.find((text) => text.startsWith("owner"));
  await realtime.joinRoom("game:lobby");
  await realtime.kickFromRoom("game:lobby", members[1]?.userId ?? "");
  await told.find((text) => text.startsWith("kicked"));
  await told.find((text) => text.startsWith("left"));
  expect(told.items.slice(0, 2)).toEqual(["joined Alice", '{"text":"Hello everyone!"}']);
});

test("invoke, and the progress of an execution", async () => {
  const { realtime } = baasix;
  app.realtime.face.registerMessageHandler("game:roll-dice", (payload) => ({ of: payload }));
  expect(await realtime.invoke<object>("game:roll-dice", { sides: 6 })).toEqual({ of: { sides: 6 } });
  const updates = heard<ExecutionUpdate>();
  const refused = heard<string>();
  realtime.subscribeToExecution("e0", updates.add, ({ code }) => refused.add(code));
  await refused.find((code) => code === "FORBIDDEN");
  app.realtime.face.registerTopic("execution:", (actor) => actor.admin);
  const unsubscribe = realtime.subscribeToExecution("e1", updates.add);
  // Answered after it, on the same connection.
  await realtime.invoke("game:roll-dice");
  app.realtime.face.publishTo("execution:e1", "update", { progress: 50, status: "running" });
  app.realtime.face.publishTo("execution:e1", "complete", { progress: 100, status: "complete", result: [1] });
  await updates.find(({ status }) => status === "complete");
  const common = { executionId: "e1", timestamp: expect.any(String) };
  expect(updates.items).toEqual([
    { ...common, progress: 50, status: "running" },
    { ...common, progress: 100, status: "complete", result: [1] },
  ]);
  unsubscribe();
});

test("everything that is followed is listed, and ends together", async () => {
  const { realtime } = baasix;
  const done = heard<string>();
  realtime.subscribe("products", { onLive: () => done.add("changes") }, () => undefined);
  realtime.liveQuery("products", { limit: 1 }, () => undefined, {
    onState: (state) => state === "live" && done.add("query"),
  });
  const loop = (async () => {
    for await (const { data } of realtime.liveQuery("products", { limit: 2 }))
      done.add(`loop ${data.length}`);
    return "over";
  })();
  await realtime.joinRoom("listed");
  realtime.onKicked("listed", ({ reason }) => done.add(reason));
  await realtime.createPresenceChannel("listed").subscribe(null);
  const broadcast = realtime
    .createBroadcastChannel("listed")
    .subscribe(undefined, () => done.add("broadcast"));
  await Promise.all(
    ["changes", "query", "loop 0", "broadcast"].map((text) => done.find((each) => each === text)),
  );
  expect(
    realtime
      .getChannels()
      .map(({ type, channel, state, subscribedAt }) => [type, channel, state, typeof subscribedAt]),
  ).toEqual(
    [
      ["changes", "products"],
      ["query", "products"],
      ["query", "products"],
      ["room", "listed"],
      ["presence", "listed"],
      ["broadcast", "listed"],
    ].map((each) => [...each, "SUBSCRIBED", "string"]),
  );
  realtime.unsubscribeAll();
  expect([await loop, realtime.getChannels(), broadcast.isSubscribed()]).toEqual(["over", [], false]);
  expect(done.items).toContain("Unsubscribed");
  const other = await alice();
  // The server has forgotten it, too: the rooms of a connection end with it.
  while ((await other.realtime.listRooms("listed")).length > 0) await Bun.sleep(5);
});
