/** The subscriptions of one client to changes of items, who is told what of each, and how each stands. */
import type { ChangeAction, ChangeFrame, FieldPath, Filter, GenericItem, ItemId } from "@baasix/types";
import type { CollectionName, ItemOf, NameFor } from "./collections";
import type { BaasixError } from "./error";
import { tell } from "./listeners";
import type { Addition, RealtimeEvent, View } from "./realtime-words";

/**
 * `SUBSCRIBED`: changes arrive. `JOINING`: they will, also after a break. `TIMED_OUT`: no answer for ten seconds; it goes on
 * trying. `CHANNEL_ERROR`: refused, and asked for again at the next connection. `CLOSED`: ended by the client.
 */
export type SubscriptionState = "JOINING" | "SUBSCRIBED" | "TIMED_OUT" | "CHANNEL_ERROR" | "CLOSED";

/** A change of an item: its readable fields, or its primary key alone when it was deleted or left the view. */
export type ChangePayload<Item = GenericItem> = {
  readonly action: ChangeAction;
  readonly collection: string;
  readonly data: Item;
  /** With an update: the item's own fields as they were before, as far as they are shown. */
  readonly _old?: Partial<Item>;
  /** Commit time, ISO 8601. */
  readonly timestamp: string;
};

/** What to watch, and who is told what. */
export type SubscribeOptions<Item = GenericItem> = {
  /** One item alone, by its primary key. */
  readonly key?: ItemId;
  /** Kinds of change to be told of; all unless given. */
  readonly events?: readonly ChangeAction[];
  /** Only changes of items that match, or matched before the change. */
  readonly filter?: Filter<Item>;
  readonly fields?: readonly FieldPath<Item>[];
  /** From now on changes arrive: after each connection. Gets the name of the field that tells items apart. */
  readonly onLive?: (primaryKey: string) => void;
  /** Changes may have been missed: read again. */
  readonly onResync?: (reason: string) => void;
  /** The server refuses the subscription; it is asked again at the next connection. */
  readonly onError?: (error: BaasixError) => void;
  /** Each state that it comes into, `CLOSED` being the last. */
  readonly onState?: (state: SubscriptionState) => void;
};

/** One of several subscriptions. */
export type SubscriptionWish = SubscribeOptions & { readonly collection: string };

/** Ends a subscription when it is called. */
export type StopSubscription = {
  (): void;
  readonly getState: () => SubscriptionState;
  readonly isSubscribed: () => boolean;
};

type Callback<Item> = (payload: ChangePayload<Item>) => void;
type Handlers = Omit<SubscribeOptions, keyof View> & { readonly onChange: Callback<GenericItem> };

/** All changes of a collection, or those of a view of it. Connects when needed. Returns how to stop. */
export type Subscribe<Collections> = {
  <Name extends CollectionName<Collections>>(
    collection: Name,
    callback: Callback<ItemOf<Collections, Name>>,
  ): StopSubscription;
  <Name extends CollectionName<Collections>>(
    collection: Name,
    options: SubscribeOptions<ItemOf<Collections, Name>>,
    callback: Callback<ItemOf<Collections, Name>>,
  ): StopSubscription;
  <Item extends object = never>(
    collection: NameFor<Item>,
    callback: Callback<NoInfer<Item>>,
  ): StopSubscription;
  <Item extends object = never>(
    collection: NameFor<Item>,
    options: SubscribeOptions<NoInfer<Item>>,
    callback: Callback<NoInfer<Item>>,
  ): StopSubscription;
};

/** The items of one kind of change. Returns how to stop. */
export type OnChange<Collections> = {
  <Name extends CollectionName<Collections>>(
    collection: Name,
    event: ChangeAction,
    callback: (data: ItemOf<Collections, Name>) => void,
  ): StopSubscription;
  <Item extends object = never>(
    collection: NameFor<Item>,
    event: ChangeAction,
    callback: (data: NoInfer<Item>) => void,
  ): StopSubscription;
};

/** Milliseconds that a subscription may go without an answer before its listeners are told. */
const patience = 10_000;

/** One subscription with all who listen. */
type Shared = {
  readonly listeners: Set<Handlers>;
  readonly collection: string;
  state: SubscriptionState;
  primaryKey: string | null;
  error: BaasixError | null;
  /** Since when changes arrive, ISO 8601. */
  since: string | null;
  timer: ReturnType<typeof setTimeout> | undefined;
};

/** Equal subscriptions of a client share what they receive. */
export function createSubscriptions(dispatch: (event: RealtimeEvent) => void) {
  const all = new Map<string, Shared>();
  const resyncListeners = new Set<(collection: string, reason: string) => void>();

  function become(shared: Shared, state: SubscriptionState): void {
    clearTimeout(shared.timer);
    if (state === "JOINING") shared.timer = setTimeout(() => become(shared, "TIMED_OUT"), patience);
    if (shared.state === state) return;
    shared.state = state;
    shared.since = state === "SUBSCRIBED" ? new Date().toISOString() : null;
    for (const { onState } of shared.listeners) tell(onState, state);
  }

  function subscribeTo(
    collection: string,
    { key: item, filter, fields, events, ...rest }: SubscribeOptions,
    onChange: Callback<GenericItem>,
    add = (added: Addition) => dispatch({ type: "add", ...added }),
  ): StopSubscription {
    const handlers: Handlers = { ...rest, onChange };
    const key = JSON.stringify([collection, item, filter, fields, events]);
    const known = all.get(key);
    const shared: Shared = known ?? {
      listeners: new Set(),
      collection,
      state: "JOINING",
      primaryKey: null,
      error: null,
      since: null,
      timer: undefined,
    };
    shared.listeners.add(handlers);
    if (!known) {
      all.set(key, shared);
      become(shared, "JOINING");
      tell(handlers.onState, "JOINING");
      add({ key, view: { collection, key: item, filter, fields, events } });
    } else {
      tell(handlers.onState, shared.state);
      if (shared.primaryKey !== null) tell(handlers.onLive, shared.primaryKey);
      else if (shared.error) tell(handlers.onError, shared.error);
    }
    const stop = () => {
      if (!shared.listeners.delete(handlers)) return;
      tell(handlers.onState, "CLOSED");
      if (shared.listeners.size === 0) end(key, shared);
    };
    const getState = () => (shared.listeners.has(handlers) ? shared.state : "CLOSED");
    return Object.assign(stop, { getState, isSubscribed: () => getState() === "SUBSCRIBED" });
  }

  function end(key: string, shared: Shared): void {
    all.delete(key);
    clearTimeout(shared.timer);
    dispatch({ type: "remove", key });
  }

  function subscribe(
    collection: string,
    first: SubscribeOptions | Callback<GenericItem>,
    second?: Callback<GenericItem>,
  ): StopSubscription {
    const [options, callback] = typeof first === "function" ? [{}, first] : [first, second];
    if (!callback) throw new TypeError("subscribe needs a callback");
    return subscribeTo(collection, options, callback);
  }

  return {
    subscribe,
    /** Several subscriptions, asked for in one message; the callback hears of all. Returns how to stop them. */
    subscribeMany(wishes: readonly SubscriptionWish[], callback: Callback<GenericItem>): () => void {
      const added: Addition[] = [];
      const stops = wishes.map(({ collection, ...options }) =>
        subscribeTo(collection, options, callback, (one) => void added.push(one)),
      );
      if (added.length > 0) dispatch({ type: "addAll", added });
      return () => stops.forEach((stop) => stop());
    },
    on(collection: string, event: ChangeAction, callback: (data: GenericItem) => void): StopSubscription {
      return subscribe(collection, ({ action, data }) => {
        if (action === event) callback(data);
      });
    },
    /** Calls back when changes of a subscribed collection may have been missed, and returns how to stop. */
    onResync(callback: (collection: string, reason: string) => void): () => void {
      resyncListeners.add(callback);
      return () => resyncListeners.delete(callback);
    },
    live(key: string, primaryKey: string): void {
      const shared = all.get(key);
      if (!shared) return;
      shared.primaryKey = primaryKey;
      shared.error = null;
      for (const { onLive } of shared.listeners) tell(onLive, primaryKey);
      become(shared, "SUBSCRIBED");
    },
    changed(key: string, { action, collection, data, _old, timestamp }: ChangeFrame): void {
      const payload = { action, collection, data, ...(_old && { _old }), timestamp };
      for (const { onChange } of all.get(key)?.listeners ?? []) tell(onChange, payload);
    },
    resync(key: string, reason: string): void {
      const shared = all.get(key);
      if (!shared) return;
      for (const { onResync } of shared.listeners) tell(onResync, reason);
      for (const listener of resyncListeners) tell(listener, shared.collection, reason);
    },
    /** It has ended, and is asked for again. */
    ended(key: string): void {
      const shared = all.get(key);
      if (!shared) return;
      shared.primaryKey = null;
      become(shared, "JOINING");
    },
    failed(key: string, error: BaasixError): void {
      const shared = all.get(key);
      if (!shared) return;
      shared.primaryKey = null;
      shared.error = error;
      for (const { onError } of shared.listeners) tell(onError, error);
      become(shared, "CHANNEL_ERROR");
    },
    /** The connection is gone, and with it what was refused. */
    broken(): void {
      for (const shared of all.values()) {
        shared.primaryKey = null;
        shared.error = null;
        become(shared, "JOINING");
      }
    },
    /** No connection is wanted: nobody waits for an answer. */
    rest(): void {
      for (const { timer } of all.values()) clearTimeout(timer);
    },
    endAll(): void {
      for (const [key, shared] of Array.from(all)) {
        const listeners = [...shared.listeners];
        shared.listeners.clear();
        end(key, shared);
        for (const { onState } of listeners) tell(onState, "CLOSED");
      }
    },
    list: () =>
      [...all].map(([key, { collection, state, since }]) => ({
        key,
        channel: collection,
        type: "changes" as const,
        state,
        subscribedAt: since,
      })),
  };
}
