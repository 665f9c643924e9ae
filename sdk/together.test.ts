/** Rooms, channels, calls and notifications of the client, against the real server: two users, breaks, another user. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { PresenceMember } from "@baasix/types";
import { type TestApp, testApp } from "../server/testing/app";
import { openWay } from "../server/testing/way";
import type { Baasix } from "./index";
import { openClients } from "./testing/clients";

let app: TestApp;
let url: string;
const clients = openClients();

beforeAll(async () => {
  app = await testApp();
  url = app.listen();
  await Promise.all(["ann", "bob"].map((name) => app.signUp(`${name}@example.com`)));
}, 60_000);
afterAll(() => app.close());

async function signedIn(name: string, at = url): Promise<Baasix & { readonly id: string }> {
  const client = clients.open({ url: at });
  const { user } = await client.auth.login({ email: `${name}@example.com`, password: "a good password" });
  if (!user) throw new Error("nobody signed in");
  return Object.assign(client, { id: user.id });
}

/** A list that can be waited on. */
function heard<Item>() {
  const items: Item[] = [];
  let wake = () => {};
  return {
    items,
    add: (item: Item) => {
      items.push(item);
      wake();
    },
    /** The first that is so, be it there or to come. */
    async find(test: (item: Item) => boolean): Promise<Item> {
      for (;;) {
        const found = items.find(test);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

test("rooms: as the document has it", async () => {
  const [ann, bob] = await Promise.all([signedIn("ann"), signedIn("bob")]);
  const said = heard<string>();
  const came = heard<string | undefined>();
  const kicked = heard<string | null>();
  const owners = heard<string>();
  expect(await ann.realtime.joinRoom("game:lobby", { name: "Ann" })).toEqual({ history: [] });
  ann.realtime.onRoomUserJoined("game:lobby", ({ userId }) => came.add(userId));
  await ann.realtime.sendToRoom("game:lobby", "chat", { text: "first" });
  const { history } = await bob.realtime.joinRoom("game:lobby", { name: "Bob" });
  expect(history).toMatchObject([{ event: "chat", payload: { text: "first" }, sender: { userId: ann.id } }]);
  expect(await came.find(() => true)).toBe(bob.id);
  const stop = bob.realtime.onRoomMessage("game:lobby", "chat", ({ payload, sender, self }) =>
    said.add(`${JSON.stringify(payload)} ${sender.userId === ann.id} ${self}`),
  );
  await ann.realtime.sendToRoom("game:lobby", "typing", {}, { history: false });
  await bob.realtime.sendToRoom("game:lobby", "chat", 1);
  await ann.realtime.sendToRoom("game:lobby", "chat", 2);
  await said.find((text) => text.startsWith("2"));
  expect(said.items).toEqual(["1 false true", "2 true false"]);
  stop();
  expect(await bob.realtime.listRooms("game:")).toEqual([{ name: "game:lobby", memberCount: 2 }]);
  expect((await bob.realtime.getRoomMembers("game:lobby")).map(({ metadata }) => metadata)).toEqual([
    { name: "Ann" },
    { name: "Bob" },
  ]);
  bob.realtime.onRoomCreatorChanged("game:lobby", ({ newCreatorUserId }) => owners.add(newCreatorUserId));
  bob.realtime.onKicked("game:lobby", ({ kickedBy }) => kicked.add(kickedBy));
  await expect(bob.realtime.kickFromRoom("game:lobby", ann.id)).rejects.toMatchObject({ code: "FORBIDDEN" });
  await ann.realtime.leaveRoom("game:lobby");
  await owners.find((id) => id === bob.id);
  await ann.realtime.joinRoom("game:lobby");
  await owners.find((id) => id === ann.id);
  await ann.realtime.kickFromRoom("game:lobby", bob.id);
  expect(await kicked.find(() => true)).toBe(ann.id);
  await expect(bob.realtime.joinRoom("game:lobby")).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(bob.realtime.joinRoom("private:nothing")).rejects.toMatchObject({ code: "FORBIDDEN" });
  ann.close();
  bob.close();
});

test("after a break rooms, presence, channels and topics are there again, and what was missed is told", async () => {
  const way = await openWay(url);
  const [ann, bob] = await Promise.all([signedIn("ann"), signedIn("bob", way.url)]);
  app.realtime.face.registerTopic("job:", () => true);
  const rejoined = heard<{ missed: readonly { payload: unknown }[]; complete: boolean }>();
  const cursors = heard<readonly PresenceMember[]>();
  const pings = heard<unknown>();
  const progress = heard<unknown>();
  await ann.realtime.joinRoom("break");
  await bob.realtime.joinRoom("break");
  await ann.realtime.sendToRoom("break", "chat", 0);
  await ann.realtime.sendToRoom("break", "cursor", 1, { history: false });
  bob.realtime.onRoomRejoined("break", rejoined.add);
  const hers = ann.realtime.createPresenceChannel("break");
  await hers.subscribe(null, { onSync: cursors.add });
  await bob.realtime.createPresenceChannel("break").subscribe({ x: 1 });
  await cursors.find((members) => members[0]?.state["x"] === 1);
  bob.realtime.createBroadcastChannel("break").on("ping", pings.add).subscribe();
  bob.realtime.followTopic("job:1", ({ payload }) => progress.add(payload));
  // The last of his frames is answered: everything before it stands.
  await expect(bob.realtime.invoke("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
  const away = Promise.withResolvers<void>();
  bob.realtime.onConnectionChange((connected) => void (connected || away.resolve()));
  way.shut(true);
  await away.promise;
  // What he says meanwhile goes out when he is in the room again.
  const said = bob.realtime.sendToRoom("break", "wave");
  await cursors.find((members) => members.length === 0);
  await ann.realtime.sendToRoom("break", "chat", 1);
  way.shut(false);
  const { missed, complete } = await rejoined.find(() => true);
  await said;
  expect([missed.map(({ payload }) => payload), complete]).toEqual([[1], true]);
  const back = cursors.items.length;
  await cursors.find((members) => cursors.items.indexOf(members) >= back - 1 && members.length === 1);
  await expect(bob.realtime.invoke("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
  const sender = ann.realtime.createBroadcastChannel("break").subscribe();
  await sender.send("ping", { n: 1 });
  expect(await pings.find(() => true)).toEqual({ n: 1 });
  app.realtime.face.publishTo("job:1", "progress", 50);
  expect(await progress.find(() => true)).toBe(50);
  ann.close();
  bob.close();
  way.end();
}, 20_000);

test("presence: who comes, moves and goes; two handles share what is behind them", async () => {
  const [ann, bob] = await Promise.all([signedIn("ann"), signedIn("bob")]);
  const told = heard<string>();
  const word = (kind: string) => (members: readonly PresenceMember[]) =>
    told.add(`${kind} ${members.map(({ state }) => JSON.stringify(state)).join()}`);
  const first = ann.realtime.createPresenceChannel("p");
  const second = ann.realtime.createPresenceChannel("p");
  const stop = await first.subscribe(
    { me: "ann" },
    { onJoin: word("join"), onUpdate: word("update"), onLeave: word("leave") },
  );
  await second.subscribe("user-123", { me: "ann again" });
  expect([first.isTracking(), first.isSubscribed(), second.isSubscribed()]).toEqual([true, true, true]);
  await told.find((text) => text.includes("ann again"));
  const his = bob.realtime.createPresenceChannel("p");
  const end = await his.subscribe({ x: 0 });
  await told.find((text) => text === 'join {"x":0}');
  for (let x = 1; x <= 30; x++) await his.track({ x });
  await told.find((text) => text === 'update {"x":30}');
  expect(told.items.filter((text) => text.startsWith("update")).length).toBeLessThan(20);
  expect([first.getPresenceCount(), his.getPresenceCount(), his.getState().length]).toEqual([2, 2, 2]);
  await his.untrack();
  await told.find((text) => text === 'leave {"x":30}');
  expect([his.isTracking(), his.isSubscribed()]).toEqual([false, true]);
  await end();
  expect([his.isSubscribed(), his.getState()]).toEqual([false, []]);
  await stop();
  expect([first.isSubscribed(), second.isSubscribed()]).toEqual([false, true]);
  await second.unsubscribe();
  ann.close();
  bob.close();
});

test("broadcast: to the others, to oneself when asked for, and refused where it is", async () => {
  const [ann, bob] = await Promise.all([signedIn("ann"), signedIn("bob")]);
  const told = heard<string>();
  const his = bob.realtime
    .createBroadcastChannel("b")
    .on<{ text: string }>("message", ({ text }, { sender }) =>
      told.add(`${text} ${sender.userId === ann.id}`),
    )
    .on("*", (_, { event }) => told.add(event))
    .subscribe();
  expect(his.getState()).toBe("JOINING");
  const hers = ann.realtime.createBroadcastChannel("b", { self: true });
  await expect(hers.send("message")).rejects.toMatchObject({ code: "FORBIDDEN" });
  const own = heard<boolean>();
  hers.on("message", (_, { self }) => own.add(self)).subscribe();
  await bob.realtime.invoke("x").catch(() => {});
  await hers.send("message", { text: "hi" });
  expect(await own.find(() => true)).toBe(true);
  await told.find((text) => text === "message");
  expect(told.items).toEqual(["hi true", "message"]);
  expect([his.isSubscribed(), hers.getState()]).toEqual([true, "SUBSCRIBED"]);
  await his.unsubscribe();
  expect(his.getState()).toBe("CLOSED");
  const refused = Promise.withResolvers<string>();
  ann.realtime.createBroadcastChannel("private:x").subscribe(({ code }) => refused.resolve(code));
  expect(await refused.promise).toBe("FORBIDDEN");
  ann.close();
  bob.close();
});

test("calls have results and errors; notifications come to their user", async () => {
  const [ann, bob] = await Promise.all([signedIn("ann"), signedIn("bob")]);
  app.realtime.face.registerMessageHandler("double", (payload) => Number(payload) * 2);
  expect(await ann.realtime.invoke<number>("double", 21)).toBe(42);
  const told = heard<string>();
  ann.realtime.onNotification("mail", ({ event, payload }) => told.add(`${event} ${String(payload)}`));
  ann.realtime.onNotification("*", ({ event }) => told.add(`any ${event}`));
  bob.realtime.onNotification("*", ({ event }) => told.add(`bob ${event}`));
  await Promise.all([ann.realtime.connect(), bob.realtime.connect()]);
  app.realtime.face.sendToUser(ann.id, "mail", 1);
  app.realtime.face.broadcastToAll("end", 1);
  await told.find((text) => text === "any end");
  await told.find((text) => text === "bob end");
  expect(told.items.filter((text) => text.includes("mail"))).toEqual(["mail 1", "any mail"]);
  ann.close();
  bob.close();
});

test("what is left before the connection stands is never entered", async () => {
  const [ann, bob] = await Promise.all([signedIn("ann"), signedIn("bob")]);
  const seen = heard<string>();
  await bob.realtime.joinRoom("ghost");
  bob.realtime.onRoomUserJoined("ghost", ({ userId }) => seen.add(userId));
  const joining = ann.realtime.joinRoom("ghost");
  const refused = joining.catch(({ code }: { code: string }) => code);
  await ann.realtime.leaveRoom("ghost");
  expect(await refused).toBe("SESSION_CHANGED");
  const presence = ann.realtime.createPresenceChannel("ghost");
  presence.subscribe({ x: 1 }).catch(() => {});
  await presence.unsubscribe();
  ann.realtime.followTopic("ghost", () => {})();
  expect(await ann.realtime.listRooms("ghost")).toEqual([{ name: "ghost", memberCount: 1 }]);
  // Left while the answer is on its way: in and out again, or never in.
  const late = ann.realtime.joinRoom("ghost").catch(() => {});
  await ann.realtime.leaveRoom("ghost");
  await late;
  await ann.realtime.invoke("nothing").catch(() => {});
  expect(await bob.realtime.getRoomMembers("ghost")).toHaveLength(1);
  // And once more, this time to stay.
  ann.realtime.joinRoom("ghost").catch(() => {});
  ann.realtime.leaveRoom("ghost").catch(() => {});
  await ann.realtime.joinRoom("ghost");
  expect(await bob.realtime.getRoomMembers("ghost")).toHaveLength(2);
  ann.close();
  bob.close();
});

test("another user takes no rooms along", async () => {
  const client = await signedIn("ann");
  const reasons = heard<string>();
  client.realtime.onKicked("r", ({ reason }) => reasons.add(reason));
  await client.realtime.joinRoom("r");
  await client.auth.login({ email: "bob@example.com", password: "a good password" });
  expect(await reasons.find(() => true)).toBe("The user changed");
  expect(await client.realtime.listRooms()).toEqual([]);
  client.close();
});
