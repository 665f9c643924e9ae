/** Presence for components: who is there and what each shows. Components of one channel share one subscription. */
import type { BaasixError, PresenceMember, Profile } from "@baasix/sdk";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { useAuthState } from "./auth";
import { type Begin, createCounted, type TogetherClient } from "./counted";
import { useBaasix } from "./provider";

/** A channel as a component sees it. */
export type UsePresenceResult = {
  /** Every connection that is there, this one too. */
  readonly members: readonly PresenceMember[];
  /** The others: connections but this one. */
  readonly others: readonly PresenceMember[];
  readonly isSubscribed: boolean;
  readonly error: BaasixError | null;
  /** Shows another state; of many in a short time the last one is sent. @throws BaasixError */
  readonly track: (state: Profile) => Promise<void>;
  /** Is not shown any more. @throws BaasixError */
  readonly untrack: () => Promise<void>;
};

type View = Pick<UsePresenceResult, "members" | "isSubscribed" | "error">;

const nothing: View = { members: [], isSubscribed: false, error: null };
const storeOf = createCounted<TogetherClient, View>();
const idle = { subscribe: () => () => {}, snapshot: () => nothing };

/**
 * Hears who is in a channel, and is shown there with `state` as long as it is given. A connection shows one state in a
 * channel: of several components that give one the last counts.
 */
export function usePresence(channel: string | null, state: Profile | null = null): UsePresenceResult {
  const client: TogetherClient = useBaasix();
  const { identity } = useAuthState(client);
  // Handles of one name share what is behind them.
  const handle = useMemo(
    () => (channel === null ? null : client.realtime.createPresenceChannel(channel)),
    [client, channel],
  );
  const store = useMemo(() => {
    if (channel === null) return idle;
    const begin: Begin<View> = (change) => listen(client, channel, change);
    return storeOf(client, JSON.stringify([identity, channel]), nothing, begin);
  }, [client, identity, channel]);
  const { members, isSubscribed, error } = useSyncExternalStore(
    store.subscribe,
    store.snapshot,
    () => nothing,
  );

  const shows = state === null ? null : JSON.stringify(state);
  useEffect(() => {
    if (!isSubscribed || shows === null) return;
    handle?.track(JSON.parse(shows) as Profile).catch(() => {});
  }, [handle, isSubscribed, shows]);
  const isShown = shows !== null;
  useEffect(() => {
    if (!isSubscribed || !isShown) return undefined;
    return () => void handle?.untrack().catch(() => {});
  }, [handle, isSubscribed, isShown]);

  const track = useCallback(async (next: Profile) => handle?.track(next), [handle]);
  const untrack = useCallback(async () => handle?.untrack(), [handle]);
  const me = client.realtime.getSocketId();
  const others = useMemo(() => members.filter(({ socketId }) => socketId !== me), [members, me]);
  return { members, others, isSubscribed, error, track, untrack };
}

function listen(
  client: TogetherClient,
  channel: string,
  change: (next: (view: View) => View) => void,
): () => void {
  let over = false;
  const set = (next: Partial<View>) => {
    if (!over) change((view) => ({ ...view, ...next }));
  };
  const handle = client.realtime.createPresenceChannel(channel);
  const fail = (error: BaasixError) => set({ error, members: [], isSubscribed: false });
  const callbacks = {
    onSync: (members: readonly PresenceMember[]) => set({ members, isSubscribed: true, error: null }),
    onError: fail,
  };
  handle.subscribe(null, callbacks).catch(fail);
  return () => {
    over = true;
    handle.unsubscribe().catch(() => {});
  };
}
