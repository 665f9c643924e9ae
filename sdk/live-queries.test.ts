/** Who of several listeners hears what of a live query, and how a loop over it ends. */
import { expect, test } from "bun:test";
import { BaasixError } from "./error";
import type { LiveAnswer } from "./live-answer";
import { createLiveQueries, type LiveAnswers, type LoopOptions, type StopLive } from "./live-queries";
import type { RealtimeEvent } from "./realtime-words";

const answer = (version: string, ...ids: number[]): LiveAnswer => ({
  version,
  result: { data: ids.map((id) => ({ id })), totalCount: ids.length },
});
type Result = { readonly data: readonly { readonly id?: unknown }[]; readonly totalCount?: number };

function stage() {
  const events: RealtimeEvent[] = [];
  const queries = createLiveQueries((event) => void events.push(event));
  const told: string[] = [];
  const listen = (name: string, query: object = { limit: 2 }): StopLive =>
    queries.liveQuery(
      "posts",
      query,
      (result) => void told.push(`${name} ${(result as Result).data.map(({ id }) => id).join("")}`),
      {
        onState: (state) => void told.push(`${name} ${state}`),
        onError: ({ code }) => void told.push(`${name} ${code}`),
      },
    ) as StopLive;
  const loop = (options?: LoopOptions) =>
    queries.liveQuery("posts", { limit: 2 }, options) as LiveAnswers<Result>;
  /** What was told since this was asked last. */
  const heard = () => told.splice(0);
  const key = () => events.flatMap((event) => (event.type === "add" ? [event.key] : [])).at(-1) ?? "";
  return { queries, events, listen, loop, heard, key, told };
}
/** A signal that tells how many listen to it. */
function stoppable() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...given: Parameters<typeof add>) => (listeners++, add(...given));
  signal.removeEventListener = (...given: Parameters<typeof remove>) => (listeners--, remove(...given));
  return { signal, abort: (reason: unknown) => controller.abort(reason), listeners: () => listeners };
}
const failure = new BaasixError("no", { status: 0, code: "FORBIDDEN" });

test("equal queries are asked once; who comes later has the answer at once", () => {
  const { queries, events, listen, heard, key } = stage();
  const stops = [listen("a"), listen("b", { limit: 2, search: undefined })];
  expect(events).toEqual([{ type: "add", key: key(), query: { collection: "posts", query: { limit: 2 } } }]);
  queries.answered(key(), answer("1", 1, 2));
  expect(heard()).toEqual(["a 12", "b 12", "a live", "b live"]);
  stops.push(listen("c"));
  expect(heard()).toEqual(["c 12", "c live"]);
  for (const stop of stops) stop();
  stops[0]?.();
  expect(events.slice(1)).toEqual([{ type: "remove", key: key() }]);
  queries.answered(key(), answer("2", 3));
  expect(heard()).toEqual([]);
});

test("states: stale when the connection or the database is away, live when the answer is confirmed", () => {
  const { queries, listen, heard, key } = stage();
  listen("a");
  queries.staleAll();
  expect(heard()).toEqual([]);
  const first = answer("1", 1);
  queries.answered(key(), first);
  queries.stale(key());
  queries.staleAll();
  expect(heard()).toEqual(["a 1", "a live", "a stale"]);
  queries.answered(key(), first);
  expect(heard()).toEqual(["a live"]);
});

test("what is refused is told to those who come later, too, until it is answered", () => {
  const { queries, listen, heard, key } = stage();
  listen("a");
  queries.failed(key(), failure);
  listen("b");
  expect(heard()).toEqual(["a FORBIDDEN", "b FORBIDDEN"]);
  queries.answered(key(), answer("1", 1));
  expect(heard()).toEqual(["a 1", "b 1", "a live", "b live"]);
  expect(queries.failed("another", failure)).toBe(false);
});

test("another user has nothing of the one before", () => {
  const { queries, listen, heard, key } = stage();
  listen("a");
  queries.answered(key(), answer("1", 1));
  queries.forget();
  listen("b");
  expect(heard()).toEqual(["a 1", "a live", "a connecting"]);
});

test("refreshing is asked only while somebody listens", () => {
  const { events, listen, key } = stage();
  const stop = listen("a");
  stop.refresh();
  stop();
  stop.refresh();
  expect(events.map(({ type }) => type)).toEqual(["add", "refresh", "remove"]);
  expect(key()).not.toBe("");
});

test("a listener may change its list, and its mistakes are its own", () => {
  const { queries, key } = stage();
  const lists: Result["data"][] = [];
  for (let i = 0; i < 2; i++) {
    queries.liveQuery("posts", { limit: 2 }, (result) => {
      const { data } = result as unknown as { data: { id?: unknown }[] };
      lists.push(data);
      data.pop();
    });
  }
  queries.answered(key(), answer("1", 1, 2));
  expect(lists).toEqual([[{ id: 1 }], [{ id: 1 }]]);
});

test("a loop gets the newest answer when it comes round, and leaving it ends the query", async () => {
  const { queries, events, loop, key } = stage();
  const seen: unknown[] = [];
  setTimeout(() => queries.answered(key(), answer("1", 1)));
  for await (const { data } of loop()) {
    seen.push(data);
    if (seen.length === 2) break;
    queries.answered(key(), answer("2", 2));
    queries.answered(key(), answer("3", 3));
  }
  expect(seen).toEqual([[{ id: 1 }], [{ id: 3 }]]);
  expect(events.map(({ type }) => type)).toEqual(["add", "remove"]);
});

test("errors are thrown into the loop, which then has ended", async () => {
  const { queries, events, loop, key } = stage();
  const iterator = loop()[Symbol.asyncIterator]();
  const waiting = iterator.next();
  queries.failed(key(), failure);
  expect(waiting).rejects.toBe(failure);
  await waiting.catch(() => undefined);
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  expect(events.map(({ type }) => type)).toEqual(["add", "remove"]);
});

test("a loop that waits can be left from outside", async () => {
  const { events, loop } = stage();
  const iterator = loop()[Symbol.asyncIterator]();
  const waiting = iterator.next();
  await iterator.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(events.map(({ type }) => type)).toEqual(["add", "remove"]);
});

test("a signal ends a loop that waits, with its reason, and the query with it", async () => {
  const { events, loop } = stage();
  const { signal, abort } = stoppable();
  const iterator = loop({ signal })[Symbol.asyncIterator]();
  const waiting = iterator.next();
  abort("enough");
  expect(events.map(({ type }) => type)).toEqual(["add", "remove"]);
  expect(await waiting.catch((reason: unknown) => reason)).toBe("enough");
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test("a signal ends a loop that is at work: the query at once, the loop when it comes round", async () => {
  const { queries, events, loop, key } = stage();
  const { signal, abort } = stoppable();
  const seen: unknown[] = [];
  const looping = (async () => {
    for await (const { data } of loop({ signal })) {
      seen.push(data);
      queries.answered(key(), answer("2", 2));
      abort("enough");
      expect(events.map(({ type }) => type)).toEqual(["add", "remove"]);
    }
  })();
  queries.answered(key(), answer("1", 1));
  expect(await looping.catch((reason: unknown) => reason)).toBe("enough");
  expect(seen).toEqual([[{ id: 1 }]]);
});

test("a loop does not begin with a signal that has ended, and ends without its signal", async () => {
  const { events, loop } = stage();
  const [early, late] = [stoppable(), stoppable()];
  early.abort(new TypeError("too late"));
  expect(() => loop({ signal: early.signal })[Symbol.asyncIterator]()).toThrow("too late");
  expect(events).toEqual([]);
  const iterator = loop({ signal: late.signal })[Symbol.asyncIterator]();
  await iterator.return?.();
  late.abort("enough");
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  expect([events.map(({ type }) => type), late.listeners()]).toEqual([["add", "remove"], 0]);
});

test("several who wait on one loop get answers in turn, and none waits for ever", async () => {
  const { queries, events, loop, key } = stage();
  const iterator = loop()[Symbol.asyncIterator]();
  const [first, second, third] = [iterator.next(), iterator.next(), iterator.next()];
  queries.answered(key(), answer("1", 1));
  expect((await first).value).toMatchObject({ data: [{ id: 1 }] });
  queries.answered(key(), answer("2", 2));
  expect((await second).value).toMatchObject({ data: [{ id: 2 }] });
  expect(iterator.throw?.(failure)).rejects.toBe(failure);
  expect(await third).toEqual({ done: true, value: undefined });
  expect(events.map(({ type }) => type)).toEqual(["add", "remove"]);
});

test("a loop gives nothing of the user before", async () => {
  const { queries, loop, key } = stage();
  const iterator = loop()[Symbol.asyncIterator]();
  queries.answered(key(), answer("1", 1));
  queries.forget();
  const next = iterator.next();
  queries.answered(key(), answer("2", 2));
  expect((await next).value).toMatchObject({ data: [{ id: 2 }] });
});
