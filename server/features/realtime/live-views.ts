/**
 * The answers that somebody watches. Watchers of equal queries share one: it is run once for all of them when something
 * that it reads has changed, and the difference is encoded once and published. Knows topics, but no sockets and no
 * requests.
 */
import { AppError } from "../../core/errors";
import type { Judge, LiveAnswer, LiveQuery } from "../../data";
import type { ChangeFeed, RowChange } from "../../platform/postgres";
import { encodeError, encodeFrame, encodeUnchanged } from "./frames";
import { openLanes } from "./lanes";
import { limits } from "./limits";
import { createHistories, type History } from "./live-states";
import { createSeats, type Member, type Seats } from "./seats";
import { createWeigher } from "./weigh";

/** Who watches. What it is told comes under `name`, by its topic, once it was answered. */
export type Watcher = {
  readonly member: Member;
  readonly name: string;
  readonly view: LiveView;
  /** What the client has; null: nothing. */
  readonly version: string | null;
  /** The first answer, as the text of a frame. */
  readonly answer: (text: string) => void;
  /** What it is told before its first answer, where it is known by its name: as the text of a frame. */
  readonly tell: (text: string) => void;
  /** The request is answered by this error: it watches no more. */
  readonly fail: (error: unknown) => void;
  /** The request that the first answer is for; null: it is known by its name, and told of errors under it. */
  readonly id: string | null;
  /** In whose turn the statement is run. */
  readonly asker: string;
};

/** A query with watchers, or one that lately had some. */
export type LiveView = {
  readonly seats: Seats;
  readonly watchers: Set<Watcher>;
  /** Those who wait for their first answer, from a statement that begins after they came. */
  waiting: Watcher[];
  query: LiveQuery;
  readonly history: History;
  /** Something that it reads has changed since its statement began. */
  due: boolean;
  running: boolean;
  timer: ReturnType<typeof setTimeout> | null;
  /** Runs when time alone has passed, or when nobody has come back. */
  clock: ReturnType<typeof setTimeout> | null;
  /** On the clock of `performance.now()`. */
  notBefore: number;
  /** Milliseconds that its statement took last; null: it was never run. */
  cost: number | null;
  /** In a row. */
  failures: number;
  stale: boolean;
  /** What the query itself failed with last, as those who watch were told. */
  broken: AppError | null;
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
  /** Nobody tells what changes: those who watch are told so. */
  readonly staleAll: (reason: string) => void;
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
/** Milliseconds until a failed statement is tried again; doubled each time. */
const firstRetry = 250;
/** Queries without watchers that are remembered for those who come back, and for how many ms. */
const memory = { idle: 500, age: 60_000 } as const;

/** Failures that say nothing of the query itself. */
const passingCodes: ReadonlySet<string> = new Set(["UNAVAILABLE", "TIMEOUT", "INTERNAL_ERROR", "CONFLICT"]);

export type LiveViewsParts = {
  /** Sends text to all sockets that joined a topic. */
  readonly publish: (topic: string, text: string) => void;
  readonly judge: Judge["judge"];
  /** Resolves when what is known of changed rights counts for all who watch; false: some of it could not be found out. */
  readonly settled: () => Promise<boolean>;
  /** Hears of failures. */
  readonly tell: (error: AppError) => void;
  /** Hears of collections that nobody's query read before. */
  readonly watching?: (collection: string) => void;
};

/** Makes an empty registry. */
export function createLiveViews({
  publish,
  judge,
  settled,
  tell,
  watching = () => {},
}: LiveViewsParts): LiveViews {
  const byKey = new Map<string, LiveView>();
  const byCollection = new Map<string, Set<LiveView>>();
  const idle = new Set<LiveView>();
  const inTurn = openLanes();
  const newHistory = createHistories(limits.remembered);
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
      history: newHistory(),
      due: false,
      running: false,
      timer: null,
      clock: null,
      notBefore: 0,
      cost: null,
      failures: 0,
      stale: false,
      broken: null,
      abort: new AbortController(),
    };
    byKey.set(query.key, view);
    index(view);
    return view;
  };

  const index = (view: LiveView): void => {
    for (const name of readBy(view)) {
      if (!byCollection.has(name)) watching(name);
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
    view.history.forget();
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
      const [watcher] = view.watchers;
      const answer = await inTurn(view.cost, watcher?.asker ?? "", () => {
        if (signal.aborted) return null;
        served = view.waiting;
        view.waiting = [];
        view.due = false;
        return timed(view, signal);
      });
      // What the statement saw may be what its transaction took from those who watch.
      if (answer !== null && !(await settled())) {
        throw new AppError("UNAVAILABLE", "rights could not be found out");
      }
      if (answer !== null && !signal.aborted) settle(view, answer, served);
    } catch (error) {
      // Where all have left, others may have come meanwhile: they are answered by the next run.
      if (!signal.aborted) failed(view, error, served);
    }
    view.running = false;
    if (view.watchers.size === 0) return;
    if (view.waiting.some(({ id }) => id !== null)) return void run(view);
    if (view.due || view.waiting.length > 0) return wake(view);
    if (view.query.passes) awaitTime(view);
  };

  const timed = async (view: LiveView, signal: AbortSignal): Promise<LiveAnswer> => {
    const started = performance.now();
    try {
      return await view.query.run(signal);
    } finally {
      const cost = performance.now() - started;
      view.cost = cost;
      view.notBefore = started + Math.max(pause, Math.min(longestRest, cost * rest));
    }
  };

  const settle = (view: LiveView, { rows, ...meta }: LiveAnswer, served: readonly Watcher[]): void => {
    if (isTooLarge(rows)) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `The answer has more than ${limits.result} bytes: ask for fewer items or fields`,
      );
    }
    const before = view.history.version();
    const news = view.history.take(rows, meta);
    if (news) view.seats.tell(news);
    else if (view.broken) view.seats.tell((name) => view.history.answer(name, null, null));
    else if (view.stale && before) view.seats.tell((name) => encodeUnchanged(name, null, before));
    view.failures = 0;
    view.stale = false;
    view.broken = null;
    for (const watcher of served) {
      if (!view.watchers.has(watcher)) continue;
      const { name, id, version, member } = watcher;
      watcher.answer(view.history.answer(name, id, version));
      member.join(name);
    }
  };

  const failed = (view: LiveView, cause: unknown, served: readonly Watcher[]): void => {
    const error =
      cause instanceof AppError
        ? cause
        : new AppError("INTERNAL_ERROR", "The query could not be run", null, { cause });
    tell(error);
    const passes = passingCodes.has(error.code);
    const named = served.filter((watcher) => view.watchers.has(watcher) && watcher.id === null);
    for (const watcher of served) {
      if (view.watchers.has(watcher) && watcher.id !== null) watcher.fail(error);
    }
    if (view.watchers.size === 0) return;
    if (!passes) {
      tellBroken(view, error);
      for (const { member, name, tell: tellOne } of named) {
        tellOne(encodeError(error, null, name));
        member.join(name);
      }
      return;
    }
    view.waiting.push(...named);
    view.due = true;
    view.failures++;
    const wait = Math.min(longestRest, firstRetry * 2 ** (view.failures - 1));
    view.notBefore = Math.max(view.notBefore, performance.now() + wait);
    // The first failure may be that of a moment: a schema that changes, a connection that was lost.
    if (view.failures < 2) return;
    const reason = error.message;
    tellStale(view, reason);
    for (const { name, tell: tellOne } of named) {
      tellOne(encodeFrame({ type: "query.stale", subscription: name, reason }));
    }
  };

  /** A fresh read would fail, too: that is the answer, until a change makes it another one. */
  const tellBroken = (view: LiveView, error: AppError): void => {
    view.history.forget();
    view.failures = 0;
    view.stale = false;
    if (view.broken?.message === error.message) return;
    view.broken = error;
    view.seats.tell((subscription) => encodeError(error, null, subscription));
  };

  const tellStale = (view: LiveView, reason: string): void => {
    if (view.stale) return;
    view.stale = true;
    view.seats.tell((subscription) => encodeFrame({ type: "query.stale", subscription, reason }));
  };

  const awaitTime = (view: LiveView): void => {
    stopClock(view);
    view.clock = setTimeout(() => wake(view), Math.max(passing, view.notBefore - performance.now()));
  };

  const changed = createWeigher<LiveView>({
    readersOf: (collection) => byCollection.get(collection) ?? [],
    queryOf: ({ query }) => query,
    isDue: ({ due }) => due,
    wake: (view) => {
      if (view.watchers.size > 0) wake(view);
    },
    judge,
  });

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
    versionOf: ({ view, version }) => (view.broken ? null : (view.history.version() ?? version)),
    changed,
    changedAll: () => {
      for (const view of byKey.values()) if (!idle.has(view)) wake(view);
    },
    staleAll: (reason) => {
      for (const view of byKey.values()) if (!idle.has(view)) tellStale(view, reason);
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

/** How often the feed is asked whether it is there, in ms. */
const feedCheck = 1000;

/** Runs queries when the feed tells of what they read. Gives the function that stops. */
export function followLive(feed: ChangeFeed, views: LiveViews, check = feedCheck): () => void {
  const stopChanges = feed.onChanges(({ changes }) => views.changed(changes), views.watches);
  const stopGap = feed.onGap(views.changedAll);
  // Once it is back it tells of a gap, and everything is run.
  const checks = setInterval(() => {
    if (!feed.status().connected) views.staleAll("changes are not to be had at the moment");
  }, check);
  checks.unref();
  return () => {
    clearInterval(checks);
    stopChanges();
    stopGap();
  };
}

function isTooLarge(rows: readonly string[]): boolean {
  const length = rows.reduce((sum, row) => sum + row.length, 0);
  // Text of few characters need not be measured: none takes more than three bytes.
  if (length * 3 <= limits.result) return false;
  return rows.reduce((sum, row) => sum + Buffer.byteLength(row), 0) > limits.result;
}

function stopTimer(view: LiveView): void {
  if (view.timer) clearTimeout(view.timer);
  view.timer = null;
}

function stopClock(view: LiveView): void {
  if (view.clock) clearTimeout(view.clock);
  view.clock = null;
}
