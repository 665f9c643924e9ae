/** Presence for components: who is there and what each shows. Components of one channel share one subscription. */
import type { BaasixError, PresenceChannel, PresenceMember, Profile } from "@baasix/sdk";
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
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

/** `show`: what a component shows from now on, null for nothing; of several the last that did so counts. */
type View = Pick<UsePresenceResult, "members" | "isSubscribed" | "error"> & {
  readonly show: (component: object, state: Profile | null) => Promise<void>;
};

const nothing: View = { members: [], isSubscribed: false, error: null, show: () => Promise.resolve() };
const storeOf = createCounted<TogetherClient, View>();
const idle = { subscribe: () => () => {}, snapshot: () => nothing };

/**
 * Hears who is in a channel, and is shown there with `state` as long as it is given. A connection shows one state in a
 * channel: of several components that give one the last counts.
 */
export function usePresence(channel: string | null, state: Profile | null = null): UsePresenceResult {
  const client: TogetherClient = useBaasix();
  const { identity } = useAuthState(client);
  const store = useMemo(() => {
    if (channel === null) return idle;
    const handle = client.realtime.createPresenceChannel(channel);
    const begin: Begin<View> = (change) => listen(handle, change);
    return storeOf(client, JSON.stringify([identity, channel]), { ...nothing, show: shower(handle) }, begin);
  }, [client, identity, channel]);
  const { members, isSubscribed, error, show } = useSyncExternalStore(
    store.subscribe,
    store.snapshot,
    () => nothing,
  );

  const component = useRef({}).current;
  const shows = state === null ? null : JSON.stringify(state);
  useEffect(() => {
    if (!isSubscribed || shows === null) return;
    show(component, JSON.parse(shows) as Profile).catch(() => {});
  }, [show, component, isSubscribed, shows]);
  const isShown = shows !== null;
  useEffect(() => {
    if (!isSubscribed) return undefined;
    return () => void show(component, null).catch(() => {});
  }, [show, component, isSubscribed, isShown]);

  const track = useCallback((next: Profile) => show(component, next), [show, component]);
  const untrack = useCallback(() => show(component, null), [show, component]);
  const me = client.realtime.getSocketId();
  const others = useMemo(() => members.filter(({ socketId }) => socketId !== me), [members, me]);
  return { members, others, isSubscribed, error, track, untrack };
}

function shower(handle: PresenceChannel): View["show"] {
  const shown = new Map<object, Profile>();
  return async (component, state) => {
    const [before] = [...shown].at(-1) ?? [];
    shown.delete(component);
    if (state) {
      shown.set(component, state);
      return handle.track(state);
    }
    if (before !== component) return undefined;
    const last = [...shown.values()].at(-1);
    return last ? handle.track(last) : handle.untrack();
  };
}

function listen(handle: PresenceChannel, change: (next: (view: View) => View) => void): () => void {
  let over = false;
  const set = (next: Partial<View>) => {
    if (!over) change((view) => ({ ...view, ...next }));
  };
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
