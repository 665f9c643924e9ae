/**
 * The answers that somebody watches. Watchers of equal queries share one: it is run once for all of them when something
 * that it reads has changed, and the difference is encoded once and published. Knows topics, but no sockets and no
 * requests.
 */
import pLimit from "p-limit";
import { AppError } from "../../core/errors";
import { touches } from "../../core/query/dependencies";
import type { Judge, LiveAnswer, LiveQuery, View } from "../../data";
import type { ChangeFeed, RowChange } from "../../platform/postgres";
import { applyPieces, differenceOf, isSame } from "./difference";
import { encodeDifference, encodeFrame, encodeResult, encodeUnchanged, type Meta } from "./frames";
import { limits } from "./limits";
import { createSeats, type Member, type Seats } from "./seats";

/** Who watches. What it is told comes under `name`, by its topic, once it was answered. */
export type Watcher = {
  readonly member: Member;
  readonly name: string;
  readonly view: LiveView;
  /** What the client has; null: nothing. */
  readonly version: string | null;
  /** The first answer, as the text of a frame. */
  readonly answer: (text: string) => void;
  /** The query has ended with this error. */
  readonly fail: (error: unknown) => void;
  /** The request that the first answer is for. */
  readonly id: string | null;
};

/** An answer as it was at some time. */
type State = {
  readonly version: string;
  readonly rows: readonly string[];
  readonly meta: Meta;
  /** When another one followed, on the clock of `performance.now()`. */
  until: number;
};

/** A query with watchers, or one that lately had some. */
export type LiveView = {
  readonly seats: Seats;
  readonly watchers: Set<Watcher>;
  /** Those who wait for their first answer, from a statement that begins after they came. */
  waiting: Watcher[];
  query: LiveQuery;
  /** The newest last. The older ones are for those who come back. */
  states: State[];
  /** Something that it reads has changed since its statement began. */
  due: boolean;
  running: boolean;
  timer: ReturnType<typeof setTimeout> | null;
  /** Runs when time alone has passed, or when nobody has come back. */
  clock: ReturnType<typeof setTimeout> | null;
  /** On the clock of `performance.now()`. */
  notBefore: number;
  /** Milliseconds that its statement took last. */
  cost: number;
  /** In a row. */
  failures: number;
  stale: boolean;
  abort: AbortController;
};

export type LiveViews = {
  /** Begins to watch. The answer comes later, unless the watcher has left before. */
  readonly enter: (query: LiveQuery, watcher: Omit<Watcher, "name" | "view">) => Watcher;
  readonly exit: (watcher: Watcher) => void;
  /** The query was authorized again, and is the same. */
  readonly replace: (watcher: Watcher, query: LiveQuery) => void;
  /** The version that a watcher has by now. */
  readonly versionOf: (watcher: Watcher) => string | null;
  /** Rows have changed. */
  readonly changed: (changes: readonly RowChange[]) => void;
  /** Anything may have changed. */
  readonly changedAll: () => void;
  readonly watches: (collection: string) => boolean;
  /** How many are watched. */
  readonly count: () => number;
  readonly close: () => void;
};

/** Milliseconds between two runs of one query, and between two where only time has passed. */
const pause = 50;
const passing = 1000;
/** A query rests this many times as long as it took, and at most this long, in ms. */
const rest = 10;
const longestRest = 30_000;
/** Statements at a time; those that took longer than `dear` ms have a lane of their own and hold up nobody else. */
const lanes = { cheap: 2, dear: 1 } as const;
const dear = 100;
/** So many queries are run at a change without asking whether it concerns them. */
const few = 4;
/** At more changes at a time nobody asks either. */
const bulk = 100;
/** Milliseconds until a failed statement is tried again; doubled each time. */
const firstRetry = 250;
/** States that are kept for those who come back, and for how many ms; queries without watchers. */
const memory = { states: 16, age: 60_000, idle: 500 } as const;

/** Failures that say nothing of the query itself. */
const passingCodes: ReadonlySet<string> = new Set(["UNAVAILABLE", "TIMEOUT", "INTERNAL_ERROR", "CONFLICT"]);

export type LiveViewsParts = {
  /** Sends text to all sockets that joined a topic. */
  readonly publish: (topic: string, text: string) => void;
  readonly judge: Judge["judge"];
  /** Hears of failures. */
  readonly tell: (error: AppError) => void;
};

/** Makes an empty registry. */
export function createLiveViews({ publish, judge, tell }: LiveViewsParts): LiveViews {
  const byKey = new Map<string, LiveView>();
  const byCollection = new Map<string, Set<LiveView>>();
  const idle = new Set<LiveView>();
  const cheapLane = pLimit(lanes.cheap);
  const dearLane = pLimit(lanes.dear);
  /** Changes of the tables that are being judged, which wait until that is done. */
  const judging = new Map<string, RowChange[]>();
  let count = 0;

  const viewOf = (query: LiveQuery): LiveView => {
    const known = byKey.get(query.key);
    if (known) {
      revive(known, query);
      return known;
    }
    const view: LiveView = {
      seats: createSeats(`q${++count}`, publish),
      watchers: new Set(),
      waiting: [],
      query,
      states: [],
      due: false,
      running: false,
      timer: null,
      clock: null,
      notBefore: 0,
      cost: 0,
      failures: 0,
      stale: false,
      abort: new AbortController(),
    };
    byKey.set(query.key, view);
    index(view);
    return view;
  };

  const index = (view: LiveView): void => {
    for (const name of readBy(view)) {
      byCollection.set(name, (byCollection.get(name) ?? new Set()).add(view));
    }
  };
  const unindex = (view: LiveView): void => {
    for (const name of readBy(view)) {
      const views = byCollection.get(name);
      views?.delete(view);
      if (views?.size === 0) byCollection.delete(name);
    }
  };
  const revive = (view: LiveView, query: LiveQuery): void => {
    if (idle.delete(view)) {
      stopClock(view);
      view.abort = new AbortController();
    } else unindex(view);
    view.query = query;
    index(view);
  };

  /** Nobody watches any more: its last states wait for those who come back. */
  const retire = (view: LiveView): void => {
    unindex(view);
    stopTimer(view);
    stopClock(view);
    view.abort.abort();
    view.due = false;
    idle.add(view);
    view.clock = setTimeout(() => forget(view), memory.age);
    view.clock.unref();
    const [oldest] = idle;
    if (oldest && idle.size > memory.idle) forget(oldest);
  };
  const forget = (view: LiveView): void => {
    stopClock(view);
    idle.delete(view);
    byKey.delete(view.query.key);
  };

  const wake = (view: LiveView): void => {
    view.due = true;
    if (view.running || view.timer !== null) return;
    const wait = view.notBefore - performance.now();
    if (wait <= 0) return void run(view);
    view.timer = setTimeout(() => {
      view.timer = null;
      void run(view);
    }, wait);
  };

  /** One run at a time. Those who wait are answered by a statement that begins after they came: never by an older one. */
  const run = async (view: LiveView): Promise<void> => {
    view.running = true;
    stopTimer(view);
    stopClock(view);
    const { signal } = view.abort;
    let served: Watcher[] = [];
    try {
      const lane = view.cost > dear ? dearLane : cheapLane;
      const answer = await lane(() => {
        if (signal.aborted) return null;
        served = view.waiting;
        view.waiting = [];
        view.due = false;
        return timed(view, signal);
      });
      if (answer !== null && !signal.aborted) settle(view, answer, served);
    } catch (error) {
      // Where all have left, others may have come meanwhile: they are answered by the next run.
      if (!signal.aborted) failed(view, error, served);
    }
    view.running = false;
    if (view.watchers.size === 0) return;
    if (view.waiting.length > 0) return void run(view);
    if (view.due) return wake(view);
    if (view.query.passes) awaitTime(view);
  };

  const timed = async (view: LiveView, signal: AbortSignal): Promise<LiveAnswer> => {
    const started = performance.now();
    try {
      return await view.query.run(signal);
    } finally {
      view.cost = performance.now() - started;
      view.notBefore = started + Math.max(pause, Math.min(longestRest, view.cost * rest));
    }
  };

  const settle = (view: LiveView, { rows, ...meta }: LiveAnswer, served: readonly Watcher[]): void => {
    if (isTooLarge(rows)) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `The answer has more than ${limits.result} bytes: ask for fewer items or fields`,
      );
    }
    const before = view.states.at(-1);
    const pieces = before ? differenceOf(before.rows, rows) : rows;
    const stayed =
      before !== undefined &&
      isSame(before.rows, pieces) &&
      JSON.stringify(before.meta) === JSON.stringify(meta);
    if (before && !stayed) {
      const state = remember(view, applyPieces(before.rows, pieces), meta);
      const { version } = state;
      view.seats.tell((name) =>
        encodeDifference(name, null, { from: before.version, version, pieces, meta }),
      );
    } else if (before === undefined) remember(view, rows, meta);
    else if (view.stale) view.seats.tell((name) => encodeUnchanged(name, null, before.version));
    view.failures = 0;
    view.stale = false;
    const answer = answerer(view);
    for (const watcher of served) {
      if (!view.watchers.has(watcher)) continue;
      watcher.answer(answer(watcher));
      watcher.member.join(watcher.name);
    }
  };

  const failed = (view: LiveView, cause: unknown, served: readonly Watcher[]): void => {
    const error =
      cause instanceof AppError
        ? cause
        : new AppError("INTERNAL_ERROR", "The query could not be run", null, { cause });
    tell(error);
    for (const watcher of served) if (view.watchers.has(watcher)) watcher.fail(error);
    if (!passingCodes.has(error.code)) {
      // A fresh read would fail, too. Who has just come gets an answer of its own.
      const standing = [...view.watchers].filter((watcher) => !view.waiting.includes(watcher));
      for (const watcher of standing) watcher.fail(error);
      return;
    }
    if (view.watchers.size === 0) return;
    view.due = true;
    view.failures++;
    const wait = Math.min(longestRest, firstRetry * 2 ** (view.failures - 1));
    view.notBefore = Math.max(view.notBefore, performance.now() + wait);
    // The first failure may be that of a moment: a schema that changes, a connection that was lost.
    if (view.failures < 2 || view.stale) return;
    view.stale = true;
    view.seats.tell((subscription) =>
      encodeFrame({ type: "query.stale", subscription, reason: error.message }),
    );
  };

  /** Runs whose answer these changes of one table may change. */
  const weigh = (table: string, rows: readonly RowChange[]): void => {
    const doubtful: LiveView[] = [];
    for (const view of byCollection.get(table) ?? []) {
      if (view.due) continue;
      const { collection, reads, members } = view.query;
      const related = reads.related.get(table);
      if (related && rows.some((row) => touches(related, row))) wake(view);
      else if (collection === table && rows.some((row) => touches(reads.own, row))) {
        if (members === null) wake(view);
        else doubtful.push(view);
      }
    }
    // A few are sooner run than judged, and a bulk concerns most.
    if (doubtful.length <= few || rows.length > bulk) doubtful.forEach(wake);
    else void judgeThen(table, doubtful, rows);
  };

  /**
   * Wakes those among whose rows a change was or is: one statement for all that differ in values alone. Changes that come
   * meanwhile are weighed together, after the pause that each query has anyway.
   */
  const judgeThen = async (
    table: string,
    views: readonly LiveView[],
    rows: readonly RowChange[],
  ): Promise<void> => {
    const waiting = judging.get(table);
    if (waiting) {
      if (waiting.length < bulk) waiting.push(...rows);
      else views.forEach(wake);
      return;
    }
    const later: RowChange[] = [];
    judging.set(table, later);
    const rested = Bun.sleep(pause);
    const judged = views.map(({ query }) => query.members as View);
    const { verdicts, failures, untold } = await judge(judged, rows);
    const concerned = new Set(verdicts.map(({ view }) => view));
    views.forEach((view, place) => {
      const isConcerned = untold || concerned.has(place) || failures.has(judged[place] as View);
      if (isConcerned && view.watchers.size > 0) wake(view);
    });
    await rested;
    judging.delete(table);
    if (later.length > 0) weigh(table, later);
  };

  const awaitTime = (view: LiveView): void => {
    stopClock(view);
    view.clock = setTimeout(() => wake(view), Math.max(passing, view.notBefore - performance.now()));
  };

  return {
    enter: (query, coming) => {
      const view = viewOf(query);
      const watcher: Watcher = { ...coming, view, name: view.seats.sit(coming.member) };
      view.watchers.add(watcher);
      view.waiting.push(watcher);
      if (!view.running) void run(view);
      return watcher;
    },
    exit: (watcher) => {
      const { view, member, name } = watcher;
      if (!view.watchers.delete(watcher)) return;
      view.seats.stand(member, name);
      view.waiting = view.waiting.filter((one) => one !== watcher);
      if (view.watchers.size === 0) retire(view);
    },
    replace: ({ view }, query) => {
      if (view.query !== query) revive(view, query);
    },
    versionOf: ({ view, version }) => view.states.at(-1)?.version ?? version,
    changed: (changes) => {
      for (const [table, rows] of Map.groupBy(changes, (change) => change.table)) weigh(table, rows);
    },
    changedAll: () => {
      for (const view of byKey.values()) if (!idle.has(view)) wake(view);
    },
    watches: (collection) => byCollection.has(collection),
    count: () => byKey.size - idle.size,
    close: () => {
      for (const view of byKey.values()) {
        stopTimer(view);
        stopClock(view);
        view.watchers.clear();
        view.abort.abort();
      }
      byKey.clear();
    },
  };
}

/** The collections that a query reads. */
function readBy({ query: { collection, reads } }: LiveView): ReadonlySet<string> {
  return new Set([collection, ...reads.related.keys()]);
}

/** Runs queries when the feed tells of what they read. Gives the function that stops. */
export function followLive(feed: ChangeFeed, views: LiveViews): () => void {
  const stopChanges = feed.onChanges(({ changes }) => views.changed(changes), views.watches);
  const stopGap = feed.onGap(views.changedAll);
  return () => {
    stopChanges();
    stopGap();
  };
}

/** What each watcher is told first; equal texts are made once. */
function answerer(view: LiveView): (watcher: Watcher) => string {
  const state = view.states.at(-1) as State;
  const { version, meta } = state;
  const differences = new Map<string, ReturnType<typeof differenceOf>>();
  const whole = `[${state.rows.join(",")}]`;
  return ({ name, id, version: known }) => {
    if (known === version) return encodeUnchanged(name, id, version);
    const base = known === null ? undefined : view.states.find((one) => one.version === known);
    if (!base) return encodeResult(name, id, { version, rows: whole, meta });
    const pieces = differences.get(base.version) ?? differenceOf(base.rows, state.rows);
    differences.set(base.version, pieces);
    return encodeDifference(name, id, { from: base.version, version, pieces, meta });
  };
}

function isTooLarge(rows: readonly string[]): boolean {
  const length = rows.reduce((sum, row) => sum + row.length, 0);
  // Text of few characters need not be measured: none takes more than three bytes.
  if (length * 3 <= limits.result) return false;
  return rows.reduce((sum, row) => sum + Buffer.byteLength(row), 0) > limits.result;
}

function remember(view: LiveView, rows: readonly string[], meta: Meta): State {
  const now = performance.now();
  const state: State = { version: versionOf(rows, meta), rows, meta, until: Infinity };
  const last = view.states.at(-1);
  if (last) last.until = now;
  const kept = view.states.filter((one) => now - one.until < memory.age && one.version !== state.version);
  view.states = [...kept.slice(1 - memory.states), state];
  return state;
}

/** Equal answers have equal versions, on every server. */
function versionOf(rows: readonly string[], meta: Meta): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const row of rows) hash.update(row).update("\n");
  hash.update(JSON.stringify(meta));
  return hash.digest("base64url").slice(0, 22);
}

function stopTimer(view: LiveView): void {
  if (view.timer) clearTimeout(view.timer);
  view.timer = null;
}

function stopClock(view: LiveView): void {
  if (view.clock) clearTimeout(view.clock);
  view.clock = null;
}
