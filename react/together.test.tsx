/** The hooks of rooms, presence, broadcast, subscriptions and the connection, rendered by React in Strict Mode, against the real server. */
import { expect, test } from "bun:test";
import { type Baasix, type ClientFrame, type SocketLike } from "@baasix/sdk";
import { type ReactNode, StrictMode } from "react";
import { testAdmin } from "../server/testing/app";
import {
  BaasixProvider,
  useConnection,
  type UseConnectionResult,
  useBroadcast,
  type UseBroadcastResult,
  usePresence,
  type UsePresenceResult,
  useRoom,
  type UseRoomResult,
  useSubscription,
  type UseSubscriptionResult,
} from ".";
import { probe, type Rendered, type Seen } from "./testing/render";
import { openScene, type Scene } from "./testing/scene";

let scene: Scene;
openScene(async (opened) => {
  scene = opened;
  await Promise.all(["ann", "bob"].map((name) => opened.app.signUp(`${name}@example.com`)));
});

/** A signed-in client, the frames that it sent, and a way to break its connection. */
async function person(name: string) {
  const sent: ClientFrame[] = [];
  const sockets: WebSocket[] = [];
  const baasix = scene.client({
    webSocket: (address): SocketLike => {
      const socket = new WebSocket(address);
      sockets.push(socket);
      return {
        send: (text) => {
          sent.push(JSON.parse(text) as ClientFrame);
          socket.send(text);
        },
        close: (code) => socket.close(code),
        addEventListener: socket.addEventListener.bind(socket) as SocketLike["addEventListener"],
      };
    },
  });
  const { user } = await baasix.auth.login(
    name === "admin" ? testAdmin : { email: `${name}@example.com`, password: "a good password" },
  );
  return {
    baasix,
    id: user?.id ?? "",
    count: (type: ClientFrame["type"]) => sent.filter((frame) => frame.type === type).length,
    break: () => sockets.at(-1)?.close(4000),
  };
}

const show = (baasix: Baasix, children: ReactNode): Rendered => scene.render(wrap(baasix, children));

/** Waits until something is so. */
async function until(isSo: () => boolean, what: () => unknown): Promise<void> {
  for (const end = Date.now() + 15_000; !isSo(); await Bun.sleep(5)) {
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(what())}`);
  }
}

/** Waits until what a hook gives last is so: what it gave before does not count. */
async function now<Value>(seen: Seen<Value>, test: (value: Value) => boolean): Promise<Value> {
  const value = () => seen.last() as Value;
  await until(() => seen.all.length > 0 && test(value()), value);
  return value();
}

/** Does something, and waits until what a hook gives is so at some time after, be it for a moment. */
async function after<Value>(
  seen: Seen<Value>,
  what: () => unknown,
  test: (value: Value) => boolean,
): Promise<void> {
  const from = seen.all.length;
  what();
  await until(() => seen.all.slice(from).some(test), seen.last);
}

const wrap = (baasix: Baasix, children: ReactNode) => (
  <StrictMode>
    <BaasixProvider client={baasix}>{children}</BaasixProvider>
  </StrictMode>
);

test("useRoom: one membership for all components, kept over a break, left with the last of them", async () => {
  const [ann, bob] = await Promise.all([person("ann"), person("bob")]);
  const [first, second, his] = [probe<UseRoomResult>(), probe<UseRoomResult>(), probe<UseRoomResult>()];
  const heard: string[] = [];
  const two = (shown: object) => (
    <>
      <first.Probe
        read={() => useRoom("r", { metadata: { ...shown }, onMessage: ({ event }) => heard.push(event) })}
      />
      <second.Probe read={() => useRoom("r")} />
    </>
  );
  const tree = show(ann.baasix, two({ name: "Ann" }));
  await Promise.all([first, second].map((each) => now(each, ({ status }) => status === "joined")));
  const other = show(bob.baasix, <his.Probe read={() => useRoom("r", { metadata: { name: "Bob" } })} />);
  await now(his, ({ members }) => members.length === 2);
  const { members, creatorUserId } = await now(first, (room) => room.members.length === 2);
  expect(members.map(({ userId, isCreator, metadata: { name } }) => [userId, isCreator, name])).toEqual([
    [ann.id, true, "Ann"],
    [bob.id, false, "Bob"],
  ]);
  expect([creatorUserId, his.last()?.creatorUserId]).toEqual([ann.id, ann.id]);
  await his.last()?.send("chat", "one");
  await his.last()?.send("cursor", {}, { history: false });
  const { messages } = await now(second, (room) => room.messages.length === 1);
  expect(messages).toMatchObject([
    { event: "chat", payload: "one", self: false, sender: { userId: bob.id } },
  ]);
  await now(his, (room) => room.messages[0]?.self === true);
  await until(
    () => heard.includes("cursor"),
    () => heard,
  );
  expect(heard).toEqual(["chat", "cursor"]);
  expect([ann.count("room.join"), ann.count("room.leave")]).toEqual([1, 0]);
  expect(first.last()?.messages).toBe(second.last()?.messages as never);

  await after(first, ann.break, ({ status }) => status === "joining");
  await his.last()?.send("chat", "two");
  const again = await now(first, (room) => room.status === "joined" && room.messages.length === 2);
  expect(again.messages.map(({ payload }) => payload)).toEqual(["one", "two"]);
  await now(first, (room) => room.members.length === 2 && room.creatorUserId === ann.id);

  // Other metadata: everybody sees it, and nobody leaves.
  tree.rerender(wrap(ann.baasix, two({ name: "Anna" })));
  const name = ({ members: all }: UseRoomResult) =>
    all.find(({ userId }) => userId === ann.id)?.metadata["name"];
  for (const each of [his, second]) {
    expect(await now(each, (room) => name(room) === "Anna")).toMatchObject({ creatorUserId: ann.id });
    expect(each.last()?.members).toHaveLength(2);
  }

  // Sent away: both components learn it.
  await first.last()?.kick(bob.id);
  expect(await now(his, ({ status }) => status === "left")).toMatchObject({ kickedBy: ann.id });
  await now(second, (room) => room.members.length === 1);
  other.unmount();
  tree.unmount();
  await until(
    () => ann.count("room.leave") === 1 && !scene.app.realtime.face.roomExists("r"),
    () => "there",
  );
}, 20_000);

test("useRoom: messages stay in the order in which they were said, also when more was missed than a room remembers", async () => {
  const ann = await person("ann");
  const seen = probe<UseRoomResult>();
  show(ann.baasix, <seen.Probe read={() => useRoom("long")} />);
  await now(seen, ({ status }) => status === "joined");
  const { broadcastToRoom } = scene.app.realtime.face;
  for (let n = 0; n < 3; n++) broadcastToRoom("long", "e", n);
  await now(seen, ({ messages }) => messages.length === 3);
  await after(seen, ann.break, ({ status }) => status === "joining");
  for (let n = 3; n < 202; n++) broadcastToRoom("long", "e", n);
  const { messages } = await now(seen, (room) => room.status === "joined" && room.messages.length === 200);
  expect(messages.map(({ payload }) => payload)).toEqual(Array.from({ length: 200 }, (_, n) => n + 2));
}, 20_000);

test("useRoom: refusals are told; null is no room; another room is another one", async () => {
  const ann = await person("ann");
  const seen = probe<UseRoomResult>();
  const tree = show(ann.baasix, <seen.Probe read={() => useRoom("private:nothing")} />);
  expect((await now(seen, ({ status }) => status === "left")).error).toMatchObject({ code: "FORBIDDEN" });
  tree.rerender(wrap(ann.baasix, <seen.Probe read={() => useRoom(null)} />));
  await now(seen, ({ status }) => status === "idle");
  tree.rerender(wrap(ann.baasix, <seen.Probe read={() => useRoom("other")} />));
  await now(seen, ({ status }) => status === "joined");
  // Another user is another member.
  await ann.baasix.auth.login({ email: "bob@example.com", password: "a good password" });
  const bob = ann.baasix.auth.state.user?.id;
  await now(seen, ({ members }) => members[0]?.userId === bob);
}, 20_000);

test("usePresence: shows oneself as long as a state is given, and hears the others", async () => {
  const [ann, bob] = await Promise.all([person("ann"), person("bob")]);
  const [hers, his, extra] = [
    probe<UsePresenceResult>(),
    probe<UsePresenceResult>(),
    probe<UsePresenceResult>(),
  ];
  const two = (x: number | null) => (
    <>
      <hers.Probe read={() => usePresence("p", x === null ? null : { x })} />
      <extra.Probe read={() => usePresence("p")} />
    </>
  );
  const tree = show(ann.baasix, two(1));
  show(bob.baasix, <his.Probe read={() => usePresence("p")} />);
  const { others } = await now(his, (seen) => seen.others[0]?.state["x"] === 1);
  expect(others).toMatchObject([{ userId: ann.id }]);
  expect((await now(hers, ({ members }) => members.length === 1)).others).toEqual([]);
  await now(extra, ({ members }) => members.length === 1);
  expect([ann.count("presence.subscribe"), bob.count("presence.track")]).toEqual([1, 0]);
  tree.rerender(wrap(ann.baasix, two(2)));
  await now(his, (seen) => seen.others[0]?.state["x"] === 2);
  await after(his, ann.break, ({ members }) => members.length === 0);
  await now(his, (seen) => seen.others[0]?.state["x"] === 2);
  tree.rerender(wrap(ann.baasix, two(null)));
  await now(his, ({ members }) => members.length === 0);
  expect(hers.last()?.isSubscribed).toBe(true);
  await hers.last()?.track({ x: 3 });
  await now(his, (seen) => seen.others[0]?.state["x"] === 3);
  tree.unmount();
  await now(his, ({ members }) => members.length === 0);
}, 20_000);

test("usePresence: of several components that show something the last counts, and when it has gone the one before", async () => {
  const [ann, bob] = await Promise.all([person("ann"), person("bob")]);
  const [his, one, two, three] = [
    probe<UsePresenceResult>(),
    probe<UsePresenceResult>(),
    probe<UsePresenceResult>(),
    probe<UsePresenceResult>(),
  ];
  show(bob.baasix, <his.Probe read={() => usePresence("several")} />);
  const showing = (second: boolean, third: boolean) => (
    <>
      <one.Probe read={() => usePresence("several", { at: "one" })} />
      {second && <two.Probe read={() => usePresence("several", { at: "two" })} />}
      {third && <three.Probe read={() => usePresence("several")} />}
    </>
  );
  const isAt = (at: string) => (seen: UsePresenceResult) => seen.others[0]?.state["at"] === at;
  const tree = show(ann.baasix, showing(false, false));
  await now(his, isAt("one"));
  tree.rerender(wrap(ann.baasix, showing(true, false)));
  await now(his, isAt("two"));
  tree.rerender(wrap(ann.baasix, showing(false, true)));
  await now(his, isAt("one"));
  await now(three, ({ isSubscribed }) => isSubscribed);
  await three.last()?.track({ at: "three" });
  await now(his, isAt("three"));
  tree.rerender(wrap(ann.baasix, showing(false, false)));
  await now(his, isAt("one"));
}, 30_000);

test("useBroadcast: messages of the others, one's own where asked for", async () => {
  const [ann, bob] = await Promise.all([person("ann"), person("bob")]);
  const [hers, his] = [probe<UseBroadcastResult>(), probe<UseBroadcastResult>()];
  const heard: string[] = [];
  const note =
    (who: string) =>
    ({ event }: { readonly event: string }) =>
      void heard.push(`${who} ${event}`);
  show(ann.baasix, <hers.Probe read={() => useBroadcast("b", note("ann"), { self: true })} />);
  show(bob.baasix, <his.Probe read={() => useBroadcast("b", note("bob"))} />);
  await Promise.all([hers, his].map((each) => now(each, ({ isSubscribed }) => isSubscribed)));
  await hers.last()?.send("one", 1);
  await his.last()?.send("two");
  await until(
    () => heard.length >= 3,
    () => heard,
  );
  expect(heard.toSorted()).toEqual(["ann one", "ann two", "bob one"]);
  expect([ann.count("broadcast.subscribe"), bob.count("broadcast.subscribe")]).toEqual([1, 1]);
  const refused = probe<UseBroadcastResult>();
  show(ann.baasix, <refused.Probe read={() => useBroadcast("private:x")} />);
  expect((await now(refused, ({ error }) => error !== null)).error).toMatchObject({ code: "FORBIDDEN" });
}, 20_000);

test("useSubscription: one subscription for all components of a view, over breaks and changes of it", async () => {
  const admin = await person("admin");
  const name = { type: "String" } as const;
  const id = { type: "Integer", primaryKey: true } as const;
  await admin.baasix.schemas.create("orders", { name: "Order", fields: { id, name } });
  const [seen, twin, link] = [
    probe<UseSubscriptionResult>(),
    probe<UseSubscriptionResult>(),
    probe<UseConnectionResult>(),
  ];
  const heard: string[] = [];
  const watch = (collection: string | null, filter: object) => (
    <>
      <seen.Probe
        read={() =>
          useSubscription<{ id: number; name: string }>(
            collection,
            ({ action, data }) => heard.push(`${action} ${data.name}`),
            { filter, onResync: (reason) => heard.push(reason) },
          )
        }
      />
      <twin.Probe read={() => useSubscription(collection, () => heard.push("twin"), { filter })} />
      <link.Probe read={() => useConnection()} />
    </>
  );
  const small = { id: { lt: 10 } };
  const tree = show(admin.baasix, watch("orders", small));
  await Promise.all([seen, twin].map((each) => now(each, ({ isSubscribed }) => isSubscribed)));
  expect([admin.count("subscribe"), link.last()?.state]).toEqual([1, "connected"]);
  const orders = admin.baasix.items("orders");
  await orders.create({ id: 1, name: "a" });
  await until(
    () => heard.length >= 2,
    () => heard,
  );
  tree.rerender(wrap(admin.baasix, watch("orders", { ...small })));

  const from = seen.all.length;
  await after(link, admin.break, ({ state }) => state === "reconnecting");
  expect(seen.all.slice(from).map(({ state }) => state)).toContain("JOINING");
  await link.last()?.reconnect();
  await now(seen, ({ isSubscribed }) => isSubscribed);
  await orders.create({ id: 2, name: "b" });
  await until(
    () => heard.length >= 5,
    () => heard,
  );
  expect(heard).toEqual(["create a", "twin", "reconnected", "create b", "twin"]);
  expect(admin.count("subscribe")).toBe(2);

  // Another view is another one; a collection that is not there is refused; null is none.
  tree.rerender(wrap(admin.baasix, watch("orders", { id: { gt: 10 } })));
  await until(
    () => admin.count("unsubscribe") >= 1,
    () => seen.last(),
  );
  tree.rerender(wrap(admin.baasix, watch("nothing", {})));
  expect(await now(seen, ({ state }) => state === "CHANNEL_ERROR")).toMatchObject({
    isSubscribed: false,
    error: { code: "UNKNOWN_COLLECTION" },
  });
  tree.rerender(wrap(admin.baasix, watch(null, {})));
  await now(seen, ({ state, error }) => state === "CLOSED" && error === null);
}, 20_000);
