import { expect, test } from "bun:test";
import { closeCodes, type ServerFrame } from "@baasix/types";
import { retryDelay, step } from "./realtime-state";
import { initialState, type RealtimeEffect, type RealtimeEvent, type RealtimeState } from "./realtime-words";

/** Events one after the other, and the effects of the last, without timers that are cancelled. */
function play(...events: (RealtimeEvent | ServerFrame)[]): {
  state: RealtimeState;
  effects: RealtimeEffect[];
} {
  let state = initialState;
  let effects: RealtimeEffect[] = [];
  for (const each of events) {
    const event = isFrame(each) ? ({ type: "frame", frame: each } as const) : each;
    [state, effects] = step(state, event);
  }
  return { state, effects: effects.filter(({ type }) => type !== "cancel") };
}

const frames = new Set([
  "connected",
  "subscribed",
  "unsubscribed",
  "pong",
  "change",
  "renamed",
  "resync",
  "error",
]);
function isFrame(each: RealtimeEvent | ServerFrame): each is ServerFrame {
  return frames.has(each.type);
}

const add = (key: string): RealtimeEvent => ({ type: "add", key, view: { collection: key } });
const proof: RealtimeEvent = { type: "proof", proof: { token: "t", cookie: false } };
const opened: RealtimeEvent = { type: "opened" };
const closed = (code = 1006): RealtimeEvent => ({ type: "closed", code, random: 0 });
const connected: ServerFrame = { type: "connected", id: "proof", userId: "u", socketId: "s", version: 1 };
const subscribed = (id: string, subscription: string): ServerFrame => ({
  type: "subscribed",
  id,
  subscription,
  primaryKey: "id",
});
const ready = [{ type: "start" } as const, proof, opened, connected];
const change: ServerFrame = {
  type: "change",
  subscription: "s1",
  action: "update",
  collection: "posts",
  data: { id: 1 },
  timestamp: "2026-11-20T00:00:00+00:00",
};
const authenticate: RealtimeEffect = {
  type: "send",
  frame: { type: "authenticate", id: "proof", token: "t", version: 1 },
};
const subscribe = (id: string, collection: string): RealtimeEffect => ({
  type: "send",
  frame: { type: "subscribe", id, collection },
});
const retry = (ms: number): RealtimeEffect[] => [
  { type: "close" },
  { type: "connection", connected: false },
  { type: "wait", name: "retry", ms },
];

test.each<[string, (RealtimeEvent | ServerFrame)[], RealtimeEffect[]]>([
  ["starting asks for a token", [{ type: "start" }], [{ type: "ask", renew: false }]],
  ["starting twice asks once", [{ type: "start" }, { type: "start" }], []],
  ["a subscription starts the connection", [add("posts")], [{ type: "ask", renew: false }]],
  [
    "a token opens the socket",
    [{ type: "start" }, proof],
    [{ type: "open" }, { type: "wait", name: "deadline", ms: 10_000 }],
  ],
  ["an open socket proves who it is", [{ type: "start" }, proof, opened], [authenticate]],
  [
    "a cookie has proven it already",
    [{ type: "start" }, { type: "proof", proof: { token: null, cookie: true } }, opened],
    [],
  ],
  [
    "who is let in subscribes to everything",
    [add("posts"), add("tags"), proof, opened, connected],
    [
      { type: "wait", name: "ping", ms: 25_000 },
      { type: "connection", connected: true },
      { type: "frame", frame: connected },
      {
        type: "send",
        frame: {
          type: "subscribe.many",
          id: "1",
          subscriptions: [{ collection: "posts" }, { collection: "tags" }],
        },
      },
    ],
  ],
  ["who looks again and again asks once", [...ready, { type: "nudge" }, { type: "nudge" }], []],
  [
    "after the answer, and on another connection, it asks again",
    [
      ...ready,
      { type: "nudge" },
      { type: "pong", id: "1" },
      { type: "nudge" },
      closed(),
      { type: "nudge" },
      proof,
      opened,
      connected,
      { type: "nudge" },
    ],
    [
      { type: "send", frame: { type: "ping", id: "3" } },
      { type: "wait", name: "pong", ms: 10_000 },
      { type: "ask", renew: false },
    ],
  ],
  [
    "whoever looks at the page again, or has a network again, learns at once whether the connection still stands",
    [...ready, { type: "nudge" }],
    [
      { type: "send", frame: { type: "ping", id: "1" } },
      { type: "wait", name: "pong", ms: 10_000 },
      { type: "ask", renew: false },
    ],
  ],
  ["a later subscription is sent at once", [...ready, add("posts")], [subscribe("1", "posts")]],
  [
    "an answered subscription is live",
    [...ready, add("posts"), subscribed("1", "s1")],
    [{ type: "live", key: "posts", primaryKey: "id" }],
  ],
  [
    "a change goes to its subscription",
    [...ready, add("posts"), subscribed("1", "s1"), change],
    [{ type: "change", key: "posts", change }],
  ],
  ["a change of a dropped subscription goes nowhere", [...ready, change], []],
  [
    "a renamed subscription goes on",
    [
      ...ready,
      add("posts"),
      subscribed("1", "s0"),
      { type: "renamed", subscription: "s0", to: "s1" },
      change,
    ],
    [{ type: "change", key: "posts", change }],
  ],
  [
    "a gap of one",
    [...ready, add("posts"), subscribed("1", "s1"), { type: "resync", subscription: "s1", reason: "slow" }],
    [{ type: "resync", key: "posts", reason: "slow" }],
  ],
  [
    "a gap of all that stand",
    [
      ...ready,
      add("a"),
      add("b"),
      subscribed("2", "s2"),
      { type: "resync", subscription: null, reason: "slow" },
    ],
    [{ type: "resync", key: "b", reason: "slow" }],
  ],
  [
    "a dropped subscription is ended, and the connection lingers",
    [add("posts"), proof, opened, connected, subscribed("1", "s1"), { type: "remove", key: "posts" }],
    [
      { type: "send", frame: { type: "unsubscribe", id: "2", subscription: "s1" } },
      { type: "wait", name: "idle", ms: 5000 },
    ],
  ],
  [
    "after lingering the connection is closed",
    [
      add("posts"),
      proof,
      opened,
      connected,
      { type: "remove", key: "posts" },
      { type: "timer", name: "idle" },
    ],
    [{ type: "close" }, { type: "connection", connected: false }],
  ],
  [
    "one wanted by itself is not",
    [...ready, add("posts"), { type: "remove", key: "posts" }, { type: "timer", name: "idle" }],
    [],
  ],
  [
    "a subscription dropped while asked for is ended when answered",
    [...ready, add("posts"), { type: "remove", key: "posts" }, subscribed("1", "s1")],
    [{ type: "send", frame: { type: "unsubscribe", id: "2", subscription: "s1" } }],
  ],
  ["a lost connection waits", [...ready, closed()], retry(250)],
  [
    "and longer the next time",
    [...ready, closed(), { type: "timer", name: "retry" }, proof, closed()],
    [{ type: "close" }, { type: "wait", name: "retry", ms: 500 }],
  ],
  [
    "a pong makes it start over",
    [...ready, closed(), { type: "nudge" }, proof, opened, connected, { type: "pong", id: "1" }, closed()],
    retry(250),
  ],
  ["too many sockets: longer", [...ready, closed(closeCodes.tooMany)], retry(4000)],
  [
    "after a break everything is subscribed again",
    [...ready, add("posts"), subscribed("1", "s1"), closed(), { type: "nudge" }, proof, opened, connected],
    [
      { type: "wait", name: "ping", ms: 25_000 },
      { type: "connection", connected: true },
      { type: "frame", frame: connected },
      subscribe("2", "posts"),
    ],
  ],
  [
    "and may have missed changes",
    [
      ...ready,
      add("posts"),
      subscribed("1", "s1"),
      closed(),
      { type: "nudge" },
      proof,
      opened,
      connected,
      subscribed("2", "s9"),
    ],
    [
      { type: "live", key: "posts", primaryKey: "id" },
      { type: "resync", key: "posts", reason: "reconnected" },
    ],
  ],
  [
    "a refused token is renewed",
    [{ type: "start" }, proof, opened, { type: "error", id: "proof", code: "UNAUTHORIZED", message: "no" }],
    [{ type: "close" }, { type: "ask", renew: true }],
  ],
  [
    "once",
    [
      { type: "start" },
      proof,
      opened,
      { type: "error", id: "proof", code: "UNAUTHORIZED", message: "no" },
      proof,
      opened,
      { type: "error", id: "proof", code: "UNAUTHORIZED", message: "no" },
    ],
    [{ type: "close" }, { type: "failed", key: null, code: "UNAUTHORIZED", message: "no" }],
  ],
  [
    "an ended proof is renewed",
    [...ready, closed(closeCodes.unauthorized), { type: "timer", name: "retry" }],
    [{ type: "ask", renew: true }],
  ],
  [
    "another protocol is the end",
    [...ready, closed(closeCodes.protocol)],
    [
      { type: "close" },
      { type: "connection", connected: false },
      {
        type: "failed",
        key: null,
        code: "BAD_REQUEST",
        message: "The server speaks another version of the realtime protocol",
      },
    ],
  ],
  [
    "no token for a passing reason: waits",
    [{ type: "start" }, { type: "noProof", retryable: true, message: "no", random: 0 }],
    [{ type: "wait", name: "retry", ms: 250 }],
  ],
  [
    "no token for good: fails",
    [{ type: "start" }, { type: "noProof", retryable: false, message: "no", random: 0 }],
    [{ type: "failed", key: null, code: "UNAUTHORIZED", message: "no" }],
  ],
  [
    "a subscription that the server ends for a reason that may pass is told of, and asked for again",
    [
      ...ready,
      add("posts"),
      subscribed("1", "s1"),
      { type: "error", id: null, subscription: "s1", code: "UNAVAILABLE", message: "no changes" },
    ],
    [
      { type: "ended", key: "posts" },
      { type: "wait", name: "resubscribe", ms: 2000 },
    ],
  ],
  [
    "a refused subscription fails",
    [...ready, add("posts"), { type: "error", id: "1", code: "FORBIDDEN", message: "no" }],
    [{ type: "failed", key: "posts", code: "FORBIDDEN", message: "no" }],
  ],
  [
    "what is refused that nobody wants any more is no fault of the connection, on which others wait",
    [
      ...ready,
      add("posts"),
      { type: "remove", key: "posts" },
      { type: "error", id: "1", code: "FORBIDDEN", message: "no" },
    ],
    [],
  ],
  [
    "nor is the end of a subscription that has been left",
    [...ready, { type: "error", id: null, subscription: "s1", code: "FORBIDDEN", message: "gone" }],
    [],
  ],
  [
    "an error of no request is one",
    [...ready, { type: "error", id: null, code: "RATE_LIMITED", message: "slow down" }],
    [{ type: "failed", key: null, code: "RATE_LIMITED", message: "slow down" }],
  ],
  [
    "and is not asked for again here",
    [...ready, add("a"), { type: "error", id: "1", code: "FORBIDDEN", message: "no" }, add("b")],
    [subscribe("2", "b")],
  ],
  [
    "for a passing reason it is tried again",
    [
      ...ready,
      add("posts"),
      { type: "error", id: "1", code: "RATE_LIMITED", message: "slow down" },
      { type: "timer", name: "resubscribe" },
    ],
    [subscribe("2", "posts")],
  ],
  [
    "one that the server ends fails",
    [
      ...ready,
      add("posts"),
      subscribed("1", "s1"),
      { type: "error", id: null, subscription: "s1", code: "FORBIDDEN", message: "gone" },
    ],
    [{ type: "failed", key: "posts", code: "FORBIDDEN", message: "gone" }],
  ],
  [
    "silence is questioned",
    [...ready, { type: "timer", name: "ping" }],
    [
      { type: "send", frame: { type: "ping", id: "1" } },
      { type: "wait", name: "pong", ms: 10_000 },
      { type: "ask", renew: false },
    ],
  ],
  [
    "a renewed token is shown to the standing connection",
    [...ready, { type: "timer", name: "ping" }, { type: "proof", proof: { token: "t2", cookie: false } }],
    [{ type: "send", frame: { type: "authenticate", id: "proof", token: "t2", version: 1 } }],
  ],
  ["the same token is not", [...ready, { type: "timer", name: "ping" }, proof], []],
  [
    "too many sockets, told before the close: waits for it",
    [{ type: "start" }, proof, opened, { type: "error", id: "proof", code: "RATE_LIMITED", message: "many" }],
    [],
  ],
  [
    "and ends the connection",
    [...ready, { type: "timer", name: "ping" }, { type: "timer", name: "pong" }],
    retry(375),
  ],
  [
    "another user connects anew",
    [...ready, { type: "identity" }],
    [{ type: "close" }, { type: "connection", connected: false }, { type: "ask", renew: false }],
  ],
  ["nobody needs that when nothing is wanted", [{ type: "identity" }], []],
  [
    "a stop closes",
    [...ready, { type: "stop" }],
    [{ type: "close" }, { type: "connection", connected: false }],
  ],
  [
    "no socket to be had: fails",
    [{ type: "start" }, proof, { type: "impossible", message: "no WebSocket" }],
    [{ type: "close" }, { type: "failed", key: null, code: "UNAVAILABLE", message: "no WebSocket" }],
  ],
])("%s", (_name, events, effects) => {
  expect(play(...events).effects).toEqual(effects);
});

test("delays double up to half a minute, half of each at random", () => {
  expect([0, 1, 2, 3].map((attempt) => retryDelay(attempt, 0))).toEqual([250, 500, 1000, 2000]);
  expect([6, 20].map((attempt) => retryDelay(attempt, 0.999_999))).toEqual([30_000, 30_000]);
});
