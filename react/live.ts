/** Realtime frames into the query cache: one subscription a view, however many components show it. */
import type { ChangePayload, GenericItem } from "@baasix/sdk";
import { hashKey, type Query, type QueryClient, type QueryKey } from "@tanstack/react-query";
import type { Decision } from "./live-patch";
import type { LiveView } from "./live-view";
import type { AnyBaasix } from "./queries";

/** Milliseconds that a subscription outlives its last component: Strict Mode and page changes come back at once. */
const linger = 250;
/** Milliseconds between two readings of a list that changes all the time. */
const pause = 250;

/** A query to keep up to date. `patch` judges a change, given the primary key; `also` are collections it shows too. */
export type LiveTarget = {
  readonly queryKey: QueryKey;
  readonly collection: string;
  readonly view: LiveView;
  readonly also: readonly string[];
  readonly patch: (data: unknown, change: ChangePayload, primaryKey: string) => Decision;
};

type Watch = { users: number; stop: () => void; timer?: ReturnType<typeof setTimeout> };

const watches = new WeakMap<QueryClient, Map<string, Watch>>();

/** Keeps a query up to date until the returned function is called. Equal targets share one subscription. */
export function follow(client: AnyBaasix, cache: QueryClient, target: LiveTarget): () => void {
  const all = watches.get(cache) ?? new Map<string, Watch>();
  watches.set(cache, all);
  const hash = hashKey([target.queryKey, target.also]);
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
  const { queryKey, view } = target;
  const { identity } = client.auth.state;
  const reader = createReader(cache, queryKey);
  let primaryKey: string | null = null;
  // Frames of another user's connection are no news of this query.
  const mine = () => client.auth.state.identity === identity;

  function onChange(change: ChangePayload): void {
    if (!mine()) return;
    const query = findQuery(cache, queryKey);
    if (!query) return;
    const { data, status, fetchStatus, isInvalidated } = query.state;
    const settled = status === "success" && fetchStatus === "idle" && !isInvalidated && !reader.busy();
    // What is being read now may be older than the change.
    if (!settled || !view.exact || primaryKey === null) return reader.read();
    const decision = target.patch(data, change, primaryKey);
    if (decision.kind === "read") reader.read();
    if (decision.kind === "patch") cache.setQueryData(queryKey, decision.data);
  }

  const read = () => {
    if (mine()) reader.read();
  };
  const { filter, fields } = view;
  const own = {
    ...(filter && { filter }),
    ...(fields && { fields }),
    onLive(key: string) {
      primaryKey = key;
      endings = 0;
      // The query may have been read before its changes were listened to.
      read();
    },
    onResync: read,
    onError() {
      endings += 1;
      endedAt = Date.now();
      // The right to hear of changes may have gone with that to read.
      read();
    },
  };
  let endings = 0;
  let endedAt: number | null = null;
  const listen = () => client.realtime.subscribe<GenericItem>(target.collection, own, onChange);
  let stopListening = listen();
  // A later reading that succeeds tells that the right is back: then the list becomes live again. Not the one that
  // followed the end at once, and each time more patiently, or two refusals would chase each other.
  const stopWatching = cache.getQueryCache().subscribe((event) => {
    if (endedAt === null || event.type !== "updated" || event.action.type !== "success") return;
    if (event.query !== findQuery(cache, queryKey)) return;
    if (Date.now() - endedAt < Math.min(60_000, 500 * 2 ** endings)) return;
    endedAt = null;
    stopListening();
    stopListening = listen();
  });
  const stops = [
    () => stopListening(),
    stopWatching,
    ...target.also.map((collection) =>
      client.realtime.subscribe<GenericItem>(collection, { onLive: read, onResync: read }, read),
    ),
  ];
  return () => {
    reader.stop();
    for (const stop of stops) stop();
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
    busy: () => state.running && state.wanted,
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
