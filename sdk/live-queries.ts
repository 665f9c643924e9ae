/** Live queries: lists and aggregates that follow the database, as callbacks or as what a loop goes over. */
import type {
  AggregateQuery,
  AggregateRow,
  Aggregates,
  CountMode,
  FieldList,
  GenericItem,
  GroupTerm,
  ListResult,
  Query,
  Selected,
} from "@baasix/types";
import type { CollectionName, ItemOf, NameFor } from "./collections";
import type { BaasixError } from "./error";
import { reasonOf } from "./http";
import { tell } from "./listeners";
import type { LiveAnswer } from "./live-answer";
import type { RealtimeEvent } from "./realtime-words";
import type { SubscriptionState } from "./subscriptions";

/**
 * `connecting`: no answer yet. `live`: the answer is that of the database. `stale`: it may be out of date, until it is
 * `live` again.
 */
export type LiveState = "connecting" | "live" | "stale";

export type LiveOptions = {
  /** Also called each time an answer turned out to be the one that is there. */
  readonly onState?: (state: LiveState) => void;
  /** The server refuses the query, or the right to it has ended; it is asked again at the next connection. */
  readonly onError?: (error: BaasixError) => void;
};

/** `signal` ends the loop from outside: its reason is thrown into it. */
export type LoopOptions = { readonly signal?: AbortSignal };

/** Stops it. `refresh` asks the server whether the answer still is what a read that begins now would give. */
export type StopLive = { (): void; readonly refresh: () => void };

/** The answers of a live query, the newest when the loop comes round; leaving the loop ends it. Errors are thrown into it. */
export type LiveAnswers<Result> = AsyncIterable<Result>;

type Wanted<Item> = FieldList<Item> | undefined;

/** A list that follows the database. Gets what `items.find` gives, at once and after every change. */
export type LiveQuery<Collections> = {
  <
    Name extends CollectionName<Collections>,
    const Fields extends Wanted<ItemOf<Collections, Name>> = undefined,
    Count extends CountMode = "exact",
  >(
    collection: Name,
    query: Query<ItemOf<Collections, Name>, Fields, Count>,
    callback: (result: ListResult<Selected<ItemOf<Collections, Name>, Fields>, Count>) => void,
    options?: LiveOptions,
  ): StopLive;
  <
    Name extends CollectionName<Collections>,
    const Fields extends Wanted<ItemOf<Collections, Name>> = undefined,
    Count extends CountMode = "exact",
  >(
    collection: Name,
    query?: Query<ItemOf<Collections, Name>, Fields, Count>,
    options?: LoopOptions,
  ): LiveAnswers<ListResult<Selected<ItemOf<Collections, Name>, Fields>, Count>>;
  <Item extends object = never>(
    collection: NameFor<Item>,
    query: Query<NoInfer<Item>>,
    callback: (result: ListResult<NoInfer<Item>>) => void,
    options?: LiveOptions,
  ): StopLive;
  <Item extends object = never>(
    collection: NameFor<Item>,
    query?: Query<NoInfer<Item>>,
    options?: LoopOptions,
  ): LiveAnswers<ListResult<NoInfer<Item>>>;
};

/** The same for what `items.aggregate` gives. */
export type LiveAggregate<Collections> = {
  <
    Name extends CollectionName<Collections>,
    const Values extends Aggregates<ItemOf<Collections, Name>>,
    const Groups extends readonly GroupTerm<ItemOf<Collections, Name>>[] = [],
    Exact extends boolean = false,
  >(
    collection: Name,
    query: AggregateQuery<ItemOf<Collections, Name>, Values, Groups, Exact>,
    callback: (rows: AggregateRow<ItemOf<Collections, Name>, Values, Groups, Exact>[]) => void,
    options?: LiveOptions,
  ): StopLive;
  <
    Name extends CollectionName<Collections>,
    const Values extends Aggregates<ItemOf<Collections, Name>>,
    const Groups extends readonly GroupTerm<ItemOf<Collections, Name>>[] = [],
    Exact extends boolean = false,
  >(
    collection: Name,
    query: AggregateQuery<ItemOf<Collections, Name>, Values, Groups, Exact>,
    options?: LoopOptions,
  ): LiveAnswers<AggregateRow<ItemOf<Collections, Name>, Values, Groups, Exact>[]>;
  <Item extends object = never>(
    collection: NameFor<Item>,
    query: AggregateQuery<NoInfer<Item>>,
    callback: (rows: GenericItem[]) => void,
    options?: LiveOptions,
  ): StopLive;
  <Item extends object = never>(
    collection: NameFor<Item>,
    query: AggregateQuery<NoInfer<Item>>,
    options?: LoopOptions,
  ): LiveAnswers<GenericItem[]>;
};

type Listener = LiveOptions & {
  readonly onAnswer: (answer: LiveAnswer) => void;
  /** Ended with all others of the client. */
  readonly onEnd?: () => void;
};
/** One query with all who listen. */
type Shared = {
  readonly listeners: Set<Listener>;
  readonly collection: string;
  /** Since when the answer follows the database, ISO 8601. */
  since: string | null;
  answer: LiveAnswer | null;
  state: LiveState;
  error: BaasixError | null;
};

export type LiveQueries = ReturnType<typeof createLiveQueries>;

/** The live queries of one client. Equal ones share what they receive. */
export function createLiveQueries(dispatch: (event: RealtimeEvent) => void) {
  const queries = new Map<string, Shared>();

  function become(shared: Shared, state: LiveState): void {
    if (shared.state !== state) shared.since = state === "live" ? new Date().toISOString() : null;
    shared.state = state;
    for (const { onState } of shared.listeners) tell(onState, state);
  }

  function listen(collection: string, query: object, listener: Listener): StopLive {
    // As it travels: dates are text, and what is undefined is not there.
    const asked = JSON.parse(JSON.stringify(query)) as GenericItem;
    const key = `query ${JSON.stringify([collection, asked])}`;
    const shared: Shared = queries.get(key) ?? {
      listeners: new Set(),
      collection,
      since: null,
      answer: null,
      state: "connecting",
      error: null,
    };
    shared.listeners.add(listener);
    if (queries.get(key) !== shared) {
      queries.set(key, shared);
      dispatch({ type: "add", key, query: { collection, query: asked } });
    } else if (shared.error) tell(listener.onError, shared.error);
    else if (shared.answer) {
      tell(listener.onAnswer, shared.answer);
      tell(listener.onState, shared.state);
    }
    const stop = () => {
      if (!shared.listeners.delete(listener) || shared.listeners.size > 0) return;
      queries.delete(key);
      dispatch({ type: "remove", key });
    };
    const refresh = () => {
      if (queries.get(key) === shared) dispatch({ type: "refresh", key });
    };
    return Object.assign(stop, { refresh });
  }

  /** With a callback a function that stops, without one what a loop goes over. */
  function live<Result>(toResult: (answer: LiveAnswer) => Result) {
    return (
      collection: string,
      query: object = {},
      callback?: ((result: Result) => void) | LoopOptions,
      options: LiveOptions = {},
    ): StopLive | LiveAnswers<Result> =>
      typeof callback === "function"
        ? listen(collection, query, { ...options, onAnswer: (answer) => callback(toResult(answer)) })
        : answersOf((listener) => listen(collection, query, listener), toResult, callback?.signal);
  }

  return {
    liveQuery: live(resultOf),
    liveAggregate: live(({ result: { data } }) => [...data]),
    /** The answer of a query; the same object: it turned out to be the one that was there. */
    answered(key: string, answer: LiveAnswer): void {
      const shared = queries.get(key);
      if (!shared) return;
      const isNew = shared.answer !== answer;
      shared.answer = answer;
      shared.error = null;
      if (isNew) for (const { onAnswer } of shared.listeners) tell(onAnswer, answer);
      become(shared, "live");
    },
    stale(key: string): void {
      const shared = queries.get(key);
      if (shared?.state === "live") become(shared, "stale");
    },
    /** The connection is gone, and with it what was refused. */
    staleAll(): void {
      for (const shared of queries.values()) {
        shared.error = null;
        if (shared.state === "live") become(shared, "stale");
      }
    },
    /** Another user: what the one before could see is nobody's. */
    forget(): void {
      for (const shared of queries.values()) {
        shared.answer = null;
        shared.error = null;
        become(shared, "connecting");
      }
    },
    endAll(): void {
      for (const [key, shared] of Array.from(queries)) {
        const listeners = [...shared.listeners];
        shared.listeners.clear();
        queries.delete(key);
        dispatch({ type: "remove", key });
        for (const { onEnd } of listeners) onEnd?.();
      }
    },
    list: () =>
      [...queries].map(([key, { collection, error, since }]) => {
        const state: SubscriptionState = since ? "SUBSCRIBED" : error ? "CHANNEL_ERROR" : "JOINING";
        return { key, channel: collection, type: "query" as const, state, subscribedAt: since };
      }),
    /** False: there is no such query. */
    failed(key: string, error: BaasixError): boolean {
      const shared = queries.get(key);
      if (!shared) return false;
      shared.answer = null;
      shared.error = error;
      shared.state = "connecting";
      shared.since = null;
      for (const { onError } of shared.listeners) tell(onError, error);
      return true;
    },
  };
}

/** A list of its own for each listener; its items are shared. */
function resultOf({ result }: LiveAnswer): ListResult<GenericItem, CountMode> {
  const { data, ...meta } = result;
  return { data: [...data], ...meta } as ListResult<GenericItem, CountMode>;
}

/** Each loop listens by itself. One that is slow misses answers that others followed, and never the last. */
function answersOf<Result>(
  listen: (listener: Listener) => StopLive,
  toResult: (answer: LiveAnswer) => Result,
  signal: AbortSignal | undefined,
): LiveAnswers<Result> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Result, undefined> {
      if (signal?.aborted) throw reasonOf(signal);
      let latest: LiveAnswer | null = null;
      let failure: { readonly error: unknown } | null = null;
      let ended = false;
      let wake: (() => void) | null = null;
      const woken = () => {
        wake?.();
        wake = null;
      };
      const fail = (error: unknown) => {
        failure = { error };
        woken();
      };
      const stop = listen({
        onEnd: () => void end(),
        onAnswer(answer) {
          latest = answer;
          woken();
        },
        // An answer that nobody has taken yet was for the user before.
        onState(state) {
          if (state === "connecting") latest = null;
        },
        onError: (error) => fail(error),
      });
      const abort = () => {
        stop();
        fail(signal && reasonOf(signal));
      };
      signal?.addEventListener("abort", abort);
      const end = (): IteratorResult<Result, undefined> => {
        ended = true;
        signal?.removeEventListener("abort", abort);
        stop();
        woken();
        return { done: true, value: undefined };
      };
      const isIdle = () => !ended && latest === null && failure === null;
      const take = async (): Promise<IteratorResult<Result, undefined>> => {
        while (isIdle()) {
          // oxlint-disable-next-line no-await-in-loop -- one answer after the other
          await new Promise<void>((resolve) => (wake = resolve));
        }
        if (ended) return { done: true, value: undefined };
        if (failure) {
          end();
          throw (failure as { readonly error: unknown }).error;
        }
        const value = toResult(latest as unknown as LiveAnswer);
        latest = null;
        return { done: false, value };
      };
      let turn: Promise<unknown> = Promise.resolve();
      return {
        // Those who do not wait for the answer before wait in a line.
        next: () => {
          const mine = turn.then(take, take);
          turn = mine;
          return mine;
        },
        return: () => Promise.resolve(end()),
        throw(error: unknown) {
          end();
          return Promise.reject(error);
        },
      };
    },
  };
}
