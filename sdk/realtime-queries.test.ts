/** Live queries in the state of the client: answers, differences, breaks, other users. */
import { describe, expect, test } from "bun:test";
import type { QueryFrame, ServerFrame } from "@baasix/types";
import { answerAfter, type LiveAnswer } from "./live-answer";
import { step } from "./realtime-state";
import { initialState, type RealtimeEffect, type RealtimeEvent, type RealtimeState } from "./realtime-words";

/** Events one after the other; what is sent, told and asked after the last. */
function play(...events: readonly RealtimeEvent[]): { state: RealtimeState; told: unknown[] } {
  let state = initialState;
  let effects: RealtimeEffect[] = [];
  for (const event of events) [state, effects] = step(state, event);
  const told = effects.flatMap((effect): unknown[] => {
    if (effect.type === "send") return [effect.frame];
    return effect.type === "answer" || effect.type === "stale" || effect.type === "failed" ? [effect] : [];
  });
  return { state, told };
}

const frame = (received: ServerFrame): RealtimeEvent => ({ type: "frame", frame: received });
const proof: RealtimeEvent = { type: "proof", proof: { token: null, cookie: false } };
const connected = frame({ type: "connected", id: "proof", userId: null, socketId: "s", version: 1 });
const ready = [{ type: "start" }, proof, { type: "opened" }, connected] as const;
const again = [
  { type: "closed", code: 1006, random: 0 },
  { type: "nudge" },
  proof,
  { type: "opened" },
  connected,
] as const;
const add: RealtimeEvent = { type: "add", key: "k", query: { collection: "posts", query: { limit: 2 } } };
const asked = (id: string, version?: string) => ({
  type: "query",
  id,
  collection: "posts",
  query: { limit: 2 },
  ...(version && { version }),
});
const result = (id = "1", version = "v1"): RealtimeEvent =>
  frame({ type: "query.result", id, subscription: "q1", version, data: [{ a: 1 }, { a: 2 }], totalCount: 2 });
const difference = (
  from: string,
  version: string,
  data: Extract<QueryFrame, { type: "query.difference" }>["data"],
): RealtimeEvent =>
  frame({ type: "query.difference", subscription: "q1", from, version, data, totalCount: 2 });
const answer = (version: string, ...data: object[]) => ({
  type: "answer",
  key: "k",
  answer: { version, result: { data, totalCount: 2 } },
});
const first = [{ a: 1 }, { a: 2 }] as const;

test.each<[string, readonly RealtimeEvent[], readonly unknown[]]>([
  ["a query is asked for by itself", [...ready, add], [asked("1")]],
  ["its answer is told", [...ready, add, result()], [answer("v1", ...first)]],
  [
    "a difference makes the next one",
    [...ready, add, result(), difference("v1", "v2", [[1, 1], { a: 3 }])],
    [answer("v2", { a: 2 }, { a: 3 })],
  ],
  [
    "one that begins elsewhere is asked for as a whole",
    [...ready, add, result(), difference("v0", "v2", [[0, 1]])],
    [{ type: "unsubscribe", id: "2", subscription: "q1" }, asked("3")],
  ],
  [
    "one that reaches beyond the list, too",
    [...ready, add, result(), difference("v1", "v2", [[1, 2]])],
    [{ type: "unsubscribe", id: "2", subscription: "q1" }, asked("3")],
  ],
  ["after a break it goes on from its version", [...ready, add, result(), ...again], [asked("2", "v1")]],
  [
    "where nothing has changed since, the answer stands",
    [
      ...ready,
      add,
      result(),
      ...again,
      frame({ type: "query.unchanged", id: "2", subscription: "q7", version: "v1" }),
    ],
    [answer("v1", ...first)],
  ],
  [
    "what has changed comes as a difference",
    [
      ...ready,
      add,
      result(),
      ...again,
      frame({
        type: "query.difference",
        id: "2",
        subscription: "q7",
        from: "v1",
        version: "v2",
        data: [[0, 1]],
        totalCount: 2,
      }),
    ],
    [answer("v2", { a: 1 })],
  ],
  [
    "under another name it goes on",
    [
      ...ready,
      add,
      result(),
      frame({ type: "renamed", subscription: "q1", to: "q2" }),
      frame({ type: "query.unchanged", subscription: "q2", version: "v1" }),
    ],
    [answer("v1", ...first)],
  ],
  [
    "another user begins anew",
    [...ready, add, result(), { type: "identity" }, proof, { type: "opened" }, connected],
    [asked("2")],
  ],
  [
    "refreshing asks with the version",
    [...ready, add, result(), { type: "refresh", key: "k" }],
    [{ type: "unsubscribe", id: "2", subscription: "q1" }, asked("3", "v1")],
  ],
  [
    "what comes under the old name meanwhile is not heard",
    [...ready, add, result(), { type: "refresh", key: "k" }, difference("v1", "v2", [])],
    [],
  ],
  ["what is being asked for need not be refreshed", [...ready, add, { type: "refresh", key: "k" }], []],
  [
    "an answer that nobody waits for is given up",
    [...ready, add, { type: "remove", key: "k" }, result()],
    [{ type: "unsubscribe", id: "2", subscription: "q1" }],
  ],
  [
    "what ends is told",
    [
      ...ready,
      add,
      result(),
      frame({ type: "error", id: null, subscription: "q1", code: "FORBIDDEN", message: "no" }),
    ],
    [{ type: "failed", key: "k", code: "FORBIDDEN", message: "no" }],
  ],
  [
    "and is not gone on with",
    [
      ...ready,
      add,
      result(),
      frame({ type: "error", id: null, subscription: "q1", code: "FORBIDDEN", message: "no" }),
      ...again,
    ],
    [asked("2")],
  ],
  [
    "it comes back under another name",
    [
      ...ready,
      add,
      result(),
      frame({ type: "error", id: null, subscription: "q1", code: "FORBIDDEN", message: "no" }),
      frame({ type: "renamed", subscription: "q1", to: "q2" }),
      frame({ type: "query.result", subscription: "q2", version: "v3", data: [{ a: 3 }], totalCount: 2 }),
    ],
    [answer("v3", { a: 3 })],
  ],
  [
    "a server that cannot read says so",
    [...ready, add, result(), frame({ type: "query.stale", subscription: "q1", reason: "away" })],
    [{ type: "stale", key: "k" }],
  ],
  [
    "a resync of everything is no news to a query",
    [...ready, add, result(), frame({ type: "resync", subscription: null, reason: "gap" })],
    [],
  ],
])("%s", (_name, events, expected) => {
  expect(play(...events).told).toEqual([...expected]);
});

describe("answers", () => {
  const before: LiveAnswer = {
    version: "v1",
    result: { data: [{ a: 1 }, { a: 2 }, { a: 3 }], totalCount: 3, truncated: true },
  };
  const after = (data: Extract<QueryFrame, { type: "query.difference" }>["data"]) =>
    answerAfter(before, {
      type: "query.difference",
      subscription: "q",
      from: "v1",
      version: "v2",
      data,
      nextCursor: null,
    });

  test("keep the very objects of rows that stayed, and nothing of what stood beside them", () => {
    const next = after([[1, 2], { a: 9 }, [0, 1]]);
    const data = [{ a: 2 }, { a: 3 }, { a: 9 }, { a: 1 }];
    expect(next).toEqual({ version: "v2", result: { data, nextCursor: null } });
    expect(next?.result.data[0]).toBe(before.result.data[1] as object);
  });

  test.each([[[[2, 2]]], [[[-1, 1]]], [[[0, -1]]]] as const)(
    "of pieces beyond the list are none: %j",
    (data) => {
      expect(after(data)).toBeNull();
    },
  );
});
