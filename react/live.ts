/** Live queries into the query cache: one a query, however many components show it. */
import type {
  AggregateQuery,
  AnyQuery,
  CountMode,
  GenericItem,
  ListResult,
  Query as ListQuery,
} from "@baasix/sdk";
import { hashKey, type Query, type QueryClient, type QueryKey } from "@tanstack/react-query";
import { baasixKeys } from "./keys";
import type { AnyBaasix } from "./queries";
import { same } from "./same";

/** Milliseconds that a live query outlives its last component: Strict Mode and page changes come back at once. */
const linger = 250;
/** Milliseconds between two readings of what changes all the time. */
const pause = 250;

/** An answer as lists give it; an aggregate has no more than its rows. */
export type LiveResult = ListResult<GenericItem, CountMode>;

/**
 * A query to keep up to date: what to ask, and what its answer makes of the cached data. `read`: the answer does not
 * tell it, the query must be read again.
 */
export type LiveTarget = {
  readonly queryKey: QueryKey;
  readonly collection: string;
  readonly ask: { readonly list: AnyQuery } | { readonly groups: AggregateQuery };
  readonly dataOf: (result: LiveResult, known: unknown) => unknown;
};

/** What `dataOf` gives when the query must be read again. */
export const mustRead = Symbol("must be read");

/** Equal targets are followed together. */
export function targetHash({ queryKey, ask }: LiveTarget): string {
  return hashKey([queryKey, ask]);
}

type Watch = { users: number; stop: () => void; timer?: ReturnType<typeof setTimeout> };

const watches = new WeakMap<QueryClient, Map<string, Watch>>();

/** Keeps a query up to date until the returned function is called. Equal targets share one live query. */
export function follow(client: AnyBaasix, cache: QueryClient, target: LiveTarget): () => void {
  const all = watches.get(cache) ?? new Map<string, Watch>();
  watches.set(cache, all);
  const hash = targetHash(target);
  const watch = all.get(hash) ?? { users: 0, stop: start(client, cache, target) };
  all.set(hash, watch);
  clearTimeout(watch.timer);
  watch.users += 1;
  let released = false;
  return () => {
    if (released) return;
    released = true;
    watch.users -= 1;
    if (watch.users > 0) return;
    watch.timer = setTimeout(() => {
      all.delete(hash);
      watch.stop();
    }, linger);
  };
}

function start(client: AnyBaasix, cache: QueryClient, target: LiveTarget): () => void {
  const { queryKey, collection } = target;
  const { identity } = client.auth.state;
  const reader = createReader(cache, queryKey);
  let latest: LiveResult | null = null;
  let endings = 0;
  let endedAt: number | null = null;

  /** What the answer makes of the data; undefined where it may not be shown now. */
  function shown(): unknown {
    // While a write is on its way, what it shows ahead stays; once it has settled, the query is read.
    if (latest === null || client.auth.state.identity !== identity) return undefined;
    if (cache.isMutating({ mutationKey: baasixKeys.items(client, collection) }) > 0) return undefined;
    const query = findQuery(cache, queryKey);
    return query && target.dataOf(latest, query.state.data);
  }

  function put(): void {
    const data = shown();
    if (data === mustRead) reader.read();
    else if (data !== undefined) cache.setQueryData(queryKey, data);
  }

  const options = {
    onState: (state: string) => {
      if (state === "live") put();
    },
    onError() {
      latest = null;
      endings += 1;
      endedAt = Date.now();
      // The right to follow may have gone with that to read.
      reader.read();
    },
  };
  const onResult = (result: LiveResult) => {
    // An answer to another user's connection is no news of this query, now or when its user is back.
    latest = client.auth.state.identity === identity ? result : null;
    endings = 0;
    endedAt = null;
  };
  const listen = () =>
    "list" in target.ask
      ? client.realtime.liveQuery<GenericItem>(collection, target.ask.list as ListQuery, onResult, options)
      : client.realtime.liveAggregate<GenericItem>(
          collection,
          target.ask.groups,
          (data) => onResult({ data } as LiveResult),
          options,
        );
  let live = listen();
  const stopWatching = cache.getQueryCache().subscribe((event) => {
    if (event.type !== "updated" || event.action.type !== "success" || event.action.manual) return;
    if (event.query !== findQuery(cache, queryKey)) return;
    if (endedAt === null) {
      // Read at another time than the answer, it may be older or newer: only the server can tell.
      const data = shown();
      if (data !== undefined && data !== mustRead && !same(data, event.query.state.data)) live.refresh();
      return;
    }
    // A reading that succeeds tells that the right is back: then the query becomes live again. Not the one that
    // followed the end at once, and each time more patiently, or two refusals would chase each other.
    if (Date.now() - endedAt < Math.min(60_000, 500 * 2 ** endings)) return;
    endedAt = null;
    live();
    live = listen();
  });
  return () => {
    reader.stop();
    stopWatching();
    live();
  };
}

/**
 * Reads a query again when told to: at once, then after each `pause`, and never so that a stream of changes
 * keeps a reading from its end.
 */
function createReader(cache: QueryClient, queryKey: QueryKey) {
  const state = { wanted: false, running: false, stopped: false };

  async function run(): Promise<void> {
    state.running = true;
    while (state.wanted && !state.stopped) {
      state.wanted = false;

      const query = findQuery(cache, queryKey);
      if (!query) break;
      // oxlint-disable-next-line no-await-in-loop -- one reading after the other is the point
      if (!(await readAgain(cache, query))) state.wanted = !state.stopped && query.isActive();
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    state.running = false;
  }

  return {
    read(): void {
      state.wanted = true;
      if (!state.running) void run();
    },
    stop(): void {
      state.stopped = true;
    },
  };
}

/** False when the reading was cancelled on its way, and so told nothing. */
async function readAgain(cache: QueryClient, query: Query): Promise<boolean> {
  // A first reading is not started over by an invalidation, but joined.
  if (query.state.data === undefined) await query.promise?.catch(() => undefined);
  const { dataUpdateCount, errorUpdateCount } = query.state;
  await cache.invalidateQueries({ queryKey: query.queryKey, exact: true, refetchType: "active" });
  const { state } = query;
  if (state.fetchStatus === "paused" || !query.isActive()) return true;
  return state.dataUpdateCount > dataUpdateCount || state.errorUpdateCount > errorUpdateCount;
}

function findQuery(cache: QueryClient, queryKey: QueryKey): Query | undefined {
  return cache.getQueryCache().find({ queryKey, exact: true });
}
