/** What follows an answer in the same turn: frames that a socket hands over one right after the other. */
import { expect, test } from "bun:test";
import type { ClientFrame, PresenceMember, RoomMessage, ServerFrame } from "@baasix/types";
import { createTogether } from "./together";

/** The calls of a client whose server is the test. */
function stage() {
  const sent: ClientFrame[] = [];
  const together = createTogether({ send: (frame) => void sent.push(frame), hold: () => {} });
  const last = (type: ClientFrame["type"]): string => {
    const frame = sent.findLast((each) => each.type === type);
    if (!frame) throw new Error(`no ${type} was sent`);
    return frame.id;
  };
  /** All in one turn, as several frames of one packet come. */
  const receive = (...frames: readonly ServerFrame[]) => frames.forEach(together.receive);
  const connect = () => together.connection(true);
  connect();
  return {
    calls: together.calls,
    list: together.list,
    sent,
    last,
    receive,
    connect,
    breakOff: () => together.connection(false),
  };
}

const said = (n: number): RoomMessage => ({
  messageId: `m${n}`,
  event: "e",
  payload: n,
  sender: { userId: "u", socketId: "s" },
  timestamp: new Date(n).toISOString(),
});
const message = (n: number): ServerFrame => ({ type: "room.message", room: "r", ...said(n) });
const joined = (id: string, ...of: readonly number[]): ServerFrame => ({
  type: "room.joined",
  id,
  room: "r",
  history: of.map(said),
});

test("of a room each message is told once, missed or heard, whatever follows the answer at once", async () => {
  const { calls, last, receive, connect, breakOff } = stage();
  const told: string[] = [];
  calls.onRoomMessage("r", "*", ({ payload }) => void told.push(`heard ${String(payload)}`));
  calls.onRoomRejoined("r", ({ missed, complete }) => {
    told.push(`missed ${missed.map(({ payload }) => String(payload)).join()} ${complete}`);
  });
  const join = calls.joinRoom("r");
  receive(joined(last("room.join"), 1), message(2));
  expect((await join).history.map(({ payload }) => payload)).toEqual([1]);
  breakOff();
  connect();
  receive(joined(last("room.join"), 1, 2, 3), message(4));
  await Bun.sleep(0);
  breakOff();
  connect();
  receive(joined(last("room.join"), 1, 2, 3, 4));
  await Bun.sleep(0);
  expect(told).toEqual(["heard 2", "missed 3 true", "heard 4", "missed  true"]);
});

test("of a presence channel nothing is lost that follows the answer at once", async () => {
  const { calls, last, receive } = stage();
  const member = (n: number): PresenceMember => ({ socketId: `s${n}`, userId: `u${n}`, state: { n } });
  const channel = calls.createPresenceChannel("c");
  const told: string[] = [];
  const ready = channel.subscribe(null, {
    onSync: (members) => told.push(members.map(({ socketId }) => socketId).join()),
    onJoin: ([one]) => told.push(`${one?.socketId} came`),
  });
  await Bun.sleep(0);
  receive(
    { type: "presence.state", id: last("presence.subscribe"), channel: "c", members: [member(1)] },
    { type: "presence.changed", channel: "c", joined: [member(2)], updated: [], left: [] },
  );
  await ready;
  expect(told).toEqual(["s1", "s2 came", "s1,s2"]);
  expect(channel.getPresenceCount()).toBe(2);
});

test("a handle that showed something takes it along when it ends, though another one goes on hearing", async () => {
  const { calls, last, receive, sent } = stage();
  const [shows, hears] = [calls.createPresenceChannel("c"), calls.createPresenceChannel("c")];
  const both = [shows.subscribe("u", { n: 1 }), hears.subscribe(null)];
  await Bun.sleep(0);
  receive({ type: "presence.state", id: last("presence.subscribe"), channel: "c", members: [] });
  await Bun.sleep(0);
  receive({ type: "done", id: last("presence.track") });
  const [end] = await Promise.all(both);
  const ended = end?.();
  receive({ type: "done", id: last("presence.untrack") });
  await ended;
  expect([shows.isSubscribed(), hears.isSubscribed(), hears.isTracking()]).toEqual([false, true, false]);
  expect(sent.map(({ type }) => type)).not.toContain("presence.unsubscribe");
});

test("what is said in a room goes out when one is in it, also after a break; elsewhere at once", async () => {
  const { calls, last, receive, connect, breakOff, sent } = stage();
  const types = () => sent.splice(0).map(({ type }) => type);
  void calls.joinRoom("r");
  const first = calls.sendToRoom("r", "e", 1);
  expect(sent.map(({ type }) => type)).toEqual(["room.join"]);
  receive(joined(last("room.join")));
  expect(sent.map(({ type }) => type)).toEqual(["room.join", "room.send"]);
  receive({ type: "done", id: last("room.send") });
  await first;
  types();
  breakOff();
  const second = [calls.sendToRoom("r", "e", 2), calls.getRoomMembers("r")];
  connect();
  expect(sent.map(({ type }) => type)).toEqual(["room.join"]);
  receive(joined(last("room.join")));
  expect(sent.map(({ type }) => type)).toEqual(["room.join", "room.send", "room.members"]);
  receive(
    { type: "done", id: last("room.send") },
    { type: "room.members", id: last("room.members"), room: "r", members: [] },
  );
  await Promise.all(second);
  types();
  // Who is in no such room, or is kept out of it, is told by the server.
  const stranger = calls.sendToRoom("other", "e");
  expect(types()).toEqual(["room.send"]);
  breakOff();
  await stranger.catch(() => undefined);
  const out = calls.sendToRoom("r", "e", 3);
  connect();
  receive({ type: "error", id: last("room.join"), code: "FORBIDDEN", message: "sent away" });
  await Bun.sleep(0);
  receive({ type: "error", id: last("room.send"), code: "FORBIDDEN", message: "no member" });
  await expect(out).rejects.toMatchObject({ code: "FORBIDDEN", message: "no member" });
});

test("what was left during a break is not entered again with the rest", async () => {
  const { calls, sent, receive, connect, breakOff } = stage();
  breakOff();
  const joins = ["a", "b"].map((room) => calls.joinRoom(room));
  await calls.leaveRoom("a");
  connect();
  expect(sent).toMatchObject([{ type: "room.join", room: "b" }]);
  receive({ type: "room.joined", id: sent[0]?.id ?? "", room: "b", history: [] });
  expect(await joins[1]).toEqual({ history: [] });
  await expect(joins[0]).rejects.toMatchObject({ code: "SESSION_CHANGED" });
});

test.each(["TIMEOUT", "UNAVAILABLE", "RATE_LIMITED"] as const)(
  "who was in a room is in it again after a re-entry that failed with %s",
  async (code) => {
    const { calls, last, receive, connect, breakOff, sent, list } = stage();
    const join = calls.joinRoom("r");
    receive(joined(last("room.join")));
    await join;
    breakOff();
    connect();
    const count = sent.length;
    receive({ type: "error", id: last("room.join"), code, message: "not now" });
    for (let tries = 0; sent.length === count && tries < 200; tries++) await Bun.sleep(20);
    receive(joined(last("room.join")));
    await Bun.sleep(0);
    expect(list()).toMatchObject([{ type: "room", channel: "r", state: "SUBSCRIBED" }]);
  },
);
