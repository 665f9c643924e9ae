/** Broadcast channels for components. Components of one channel share one subscription. */
import type { BaasixError, BroadcastMessage } from "@baasix/sdk";
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { useAuthState } from "./auth";
import { type Begin, createCounted, type TogetherClient } from "./counted";
import { useBaasix } from "./provider";

/** A channel as a component sees it. */
export type UseBroadcastResult = {
  /** Sends to the others; with the option `self` of the hook to this connection, too. @throws BaasixError */
  readonly send: (event: string, payload?: unknown) => Promise<void>;
  readonly isSubscribed: boolean;
  readonly error: BaasixError | null;
};

type View = Omit<UseBroadcastResult, "send"> & {
  readonly listeners: Set<(message: BroadcastMessage) => void>;
  readonly send: (event: string, payload: unknown) => Promise<void>;
};

const storeOf = createCounted<TogetherClient, View>();
const nothing: View = {
  isSubscribed: false,
  error: null,
  listeners: new Set(),
  send: () => Promise.resolve(),
};
const idle = { subscribe: () => () => {}, snapshot: () => nothing };

/** Hears the messages of a channel as long as the component is there. `self`: one's own, too. */
export function useBroadcast(
  channel: string | null,
  onMessage?: (message: BroadcastMessage) => void,
  { self = false }: { readonly self?: boolean } = {},
): UseBroadcastResult {
  const client: TogetherClient = useBaasix();
  const { identity } = useAuthState(client);
  const store = useMemo(() => {
    if (channel === null) return idle;
    const handle = client.realtime.createBroadcastChannel(channel, { self });
    const listeners: View["listeners"] = new Set();
    const initial: View = { isSubscribed: false, error: null, listeners, send: handle.send };
    const begin: Begin<View> = (change) => {
      let over = false;
      const set = (next: Partial<View>) => {
        if (!over) change((view) => ({ ...view, ...next }));
      };
      handle.on("*", (_, message) => {
        if (over) return;
        for (const listener of listeners) listener(message);
      });
      handle.subscribe(
        (error) => set({ error, isSubscribed: false }),
        () => set({ isSubscribed: true, error: null }),
      );
      return () => {
        over = true;
        handle.unsubscribe().catch(() => {});
      };
    };
    return storeOf(client, JSON.stringify([identity, channel, self]), initial, begin);
  }, [client, identity, channel, self]);
  const { isSubscribed, error, listeners, send } = useSyncExternalStore(
    store.subscribe,
    store.snapshot,
    () => nothing,
  );

  const heard = useRef(onMessage);
  useEffect(() => {
    heard.current = onMessage;
  });
  useEffect(() => {
    const listener = (message: BroadcastMessage) => heard.current?.(message);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, [listeners]);
  const sendTo = useCallback((event: string, payload?: unknown) => send(event, payload), [send]);
  return { send: sendTo, isSubscribed, error };
}
