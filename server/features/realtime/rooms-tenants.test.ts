/** Rooms, presence, broadcast and topics of two tenants: equal names are different places. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ServerFrame } from "@baasix/types";
import { system } from "../../core/access/actor";
import { openSocket, type TestSocket } from "../../testing/socket";
import { openTwoTenants, type TwoTenants } from "../../testing/two-tenants";

const root = system("the test takes a role away");

let scene: TwoTenants;
let ann: TestSocket;
let cleo: TestSocket;
let bob: TestSocket;
let stan: TestSocket;

beforeAll(async () => {
  scene = await openTwoTenants();
  const url = scene.listen();
  const open = (caller: "ann" | "cleo" | "bob" | "stan") => openSocket(url, scene.tokenOf(caller));
  [ann, cleo, bob, stan] = await Promise.all([open("ann"), open("cleo"), open("bob"), open("stan")]);
}, 60_000);
afterAll(async () => {
  for (const socket of [ann, cleo, bob, stan]) socket.close();
  await scene.close();
});

const hear = (socket: TestSocket): Promise<ServerFrame> => socket.take((frame) => !("id" in frame));
const count = async (socket: TestSocket): Promise<number> => {
  const answer = await socket.ask({ type: "room.members", room: "den" });
  return answer.type === "room.members" ? answer.members.length : -1;
};

test("who acts in one tenant neither sees nor reaches those of another", async () => {
  const { face } = scene.realtime;
  // Ann and Cleo act in one tenant, Bob in another, Stan in none.
  for (const socket of [ann, cleo, bob, stan]) {
    expect(await socket.ask({ type: "room.join", room: "den" })).toMatchObject({ history: [] });
    await socket.ask({ type: "presence.subscribe", channel: "den" });
    await socket.ask({ type: "broadcast.subscribe", channel: "den" });
  }
  await ann.take(({ type }) => type === "room.user.joined");
  expect(await Promise.all([ann, cleo, bob, stan].map(count))).toEqual([2, 2, 1, 1]);
  for (const socket of [ann, bob, stan]) {
    const rooms = await socket.ask({ type: "room.list" });
    expect(rooms).toMatchObject({ rooms: [{ name: "den", memberCount: socket === ann ? 2 : 1 }] });
  }
  await ann.ask({ type: "room.send", room: "den", event: "chat", payload: 1 });
  await ann.ask({ type: "broadcast.send", channel: "den", event: "ping" });
  await ann.ask({ type: "presence.track", channel: "den", state: { x: 1 } });
  const types = [await hear(cleo), await hear(cleo), await hear(cleo)].map(({ type }) => type);
  expect(types).toEqual(["room.message", "broadcast.message", "presence.changed"]);
  await hear(ann);
  await hear(ann);
  face.registerTopic("job:", () => true);
  for (const socket of [ann, cleo, bob, stan]) await socket.ask({ type: "topic.follow", topic: "job:1" });
  face.publishTo("job:1", "progress", 1, { tenant: scene.B });
  expect(await hear(bob)).toMatchObject({ type: "topic.event" });
  face.broadcastToRoom("den", "news", 1, { tenant: scene.B });
  expect(await hear(bob)).toMatchObject({ type: "room.message", event: "news" });
  face.broadcastToRoom("den", "news", 1);
  expect(await hear(stan)).toMatchObject({ type: "room.message", event: "news" });
  const [member] = face.getRoomMembers("den", { tenant: scene.B });
  face.sendToUser(member?.userId ?? "", "note", 1, { tenant: scene.A });
  face.sendToUser(member?.userId ?? "", "note", 2, { tenant: scene.B });
  expect(await hear(bob)).toMatchObject({ type: "notification", payload: 2 });
  // A kick ends where its tenant does.
  face.kickFromRoom("den", member?.userId ?? "", { tenant: scene.A });
  expect(await count(bob)).toBe(1);
  for (const socket of [ann, cleo, bob, stan]) expect(socket.unread).toEqual([]);
});

test("private rooms of an item are for those who may read it, each in its own tenant", async () => {
  const [note = ""] = await scene.make("notes", { text: "a", tenant_Id: scene.A });
  const room = `private:notes:${note}`;
  const answers = await Promise.all(
    [ann, cleo, bob, stan].map(async (socket) => (await socket.ask({ type: "room.join", room })).type),
  );
  expect(answers).toEqual(["room.joined", "room.joined", "error", "room.joined"]);
  expect(await stan.ask({ type: "room.members", room })).toMatchObject({ members: [{ isCreator: true }] });
  const rooms = await bob.ask({ type: "room.list", prefix: "private:" });
  expect(rooms).toMatchObject({ rooms: [] });
});

test("an account that is a member of nothing is nobody there, and who becomes one has lost what it held", async () => {
  const url = scene.listen();
  const nobody = await openSocket(url, scene.tokenOf("nobody"));
  const room = "lounge";
  await stan.ask({ type: "room.join", room });
  for (const ask of [
    { type: "room.join", room },
    { type: "presence.subscribe", channel: room },
    { type: "broadcast.subscribe", channel: room },
  ] as const)
    expect([ask.type, await nobody.ask(ask)]).toMatchObject([ask.type, { type: "error", code: "FORBIDDEN" }]);
  expect(await nobody.ask({ type: "room.list" })).toMatchObject({ rooms: [] });
  nobody.close();

  const memberships = { user_Id: { eq: scene.idOf("stan") } };
  await scene.data.removeWhere(root, "baasix_UserRole", memberships);
  const left = await stan.take((frame) => frame.type === "room.kicked" && frame.room === room);
  expect(left).toMatchObject({ reason: "the right has ended" });
});
