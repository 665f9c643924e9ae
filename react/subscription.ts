/** Changes of items for components: to do something whenever one comes. Components of one view share one subscription. */
import type {
  BaasixError,
  ChangePayload,
  GenericItem,
  NameFor,
  SubscribeOptions,
  SubscriptionState,
} from "@baasix/sdk";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { useAuthState } from "./auth";
import { type Begin, createCounted } from "./counted";
import { useBaasix } from "./provider";
import type { AnyBaasix } from "./queries";
import type { RegisteredItem, RegisteredName } from "./register";

/** What to watch, and who hears that changes may have been missed. */
export type SubscriptionOptions<Item> = Pick<
  SubscribeOptions<Item>,
  "key" | "events" | "filter" | "fields" | "onResync"
>;

/** A subscription as a component sees it. */
export type UseSubscriptionResult = {
  /** `CLOSED`: there is none, for the collection is null. */
  readonly state: SubscriptionState;
  readonly isSubscribed: boolean;
  readonly error: BaasixError | null;
};

type Hearer = {
  readonly onChange: (payload: ChangePayload) => void;
  readonly onResync: (reason: string) => void;
};
type View = {
  readonly state: SubscriptionState;
  readonly error: BaasixError | null;
  readonly hearers: Set<Hearer>;
};

const nothing: View = { state: "CLOSED", error: null, hearers: new Set() };
const idle = { subscribe: () => () => {}, snapshot: () => nothing };
const storeOf = createCounted<AnyBaasix, View>();

/**
 * Calls back at each change of a collection, or of those items that the options name, as long as the component is there. Null:
 * of none. What is on a screen is better read with `live: true`: that is complete also when changes were missed.
 */
export function useSubscription<Name extends RegisteredName>(
  collection: Name | null,
  onChange: (payload: ChangePayload<RegisteredItem<Name>>) => void,
  options?: SubscriptionOptions<RegisteredItem<Name>>,
): UseSubscriptionResult;
export function useSubscription<Item extends object = never>(
  collection: NameFor<Item> | null,
  onChange: (payload: ChangePayload<NoInfer<Item>>) => void,
  options?: SubscriptionOptions<NoInfer<Item>>,
): UseSubscriptionResult;
export function useSubscription(
  collection: string | null,
  onChange: (payload: ChangePayload) => void,
  { key, events, filter, fields, onResync }: SubscriptionOptions<GenericItem> = {},
): UseSubscriptionResult {
  const client: AnyBaasix = useBaasix();
  const { identity } = useAuthState(client);
  // As it travels: two renderings that ask the same share it.
  const view = collection === null ? null : JSON.stringify([collection, { key, events, filter, fields }]);
  const store = useMemo(() => {
    if (view === null) return idle;
    const hearers: View["hearers"] = new Set();
    const begin: Begin<View> = (change) => listen(client, view, hearers, change);
    return storeOf(
      client,
      JSON.stringify([identity, view]),
      { state: "JOINING", error: null, hearers },
      begin,
    );
  }, [client, identity, view]);
  const { state, error, hearers } = useSyncExternalStore(store.subscribe, store.snapshot, () => nothing);

  const heard = useRef({ onChange, onResync });
  useEffect(() => {
    heard.current = { onChange, onResync };
  });
  useEffect(() => {
    const hearer: Hearer = {
      onChange: (payload) => heard.current.onChange(payload),
      onResync: (reason) => heard.current.onResync?.(reason),
    };
    hearers.add(hearer);
    return () => void hearers.delete(hearer);
  }, [hearers]);
  return { state, isSubscribed: state === "SUBSCRIBED", error };
}

function listen(
  client: AnyBaasix,
  view: string,
  hearers: View["hearers"],
  change: (next: (view: View) => View) => void,
): () => void {
  let over = false;
  const set = (next: Partial<View>) => {
    if (!over) change((before) => ({ ...before, ...next }));
  };
  const [collection, which] = JSON.parse(view) as [string, SubscriptionOptions<GenericItem>];
  const stop = client.realtime.subscribe<GenericItem>(
    collection,
    {
      ...which,
      onState: (state) => set(state === "CHANNEL_ERROR" ? { state } : { state, error: null }),
      onError: (error) => set({ error }),
      onResync: (reason) => {
        for (const { onResync } of hearers) onResync(reason);
      },
    },
    (payload) => {
      for (const hearer of hearers) hearer.onChange(payload);
    },
  );
  return () => {
    over = true;
    stop();
  };
}
