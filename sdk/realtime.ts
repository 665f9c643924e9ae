/** Subscriptions to changes of items. Frames and their names are in `protocol/realtime.ts`. */
import type { ChangeAction, ErrorCode, FieldPath, Filter, GenericItem, ItemId } from "@baasix/types";
import type { CollectionName, ItemOf, NameFor } from "./collections";
import { BaasixError } from "./error";
import { tell } from "./listeners";
import { createLiveQueries, type LiveAggregate, type LiveQuery } from "./live-queries";
import type { Addition, View } from "./realtime-words";
import { createSocket, type Notice, type SocketOptions } from "./socket";
import { createTogether } from "./together";

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
};

/** One of several subscriptions. */
export type SubscriptionWish = SubscribeOptions & { readonly collection: string };

type Handlers = Omit<SubscribeOptions, keyof View> & {
  readonly onChange: Callback<GenericItem>;
};

/** Actions, and the same in the words of databases. */
const actions = { INSERT: "create", UPDATE: "update", DELETE: "delete" } as const;
export type ChannelEvent = keyof typeof actions | "*";

/** Changes of one collection, collected before subscribing. */
export type Channel = {
  on(event: ChannelEvent, callback: (payload: ChangePayload) => void): Channel;
  subscribe(): Channel;
  unsubscribe(): void;
};

/** Milliseconds that `connect` waits; attempts go on afterwards. */
const connectTimeout = 20_000;

type Callback<Item> = (payload: ChangePayload<Item>) => void;

/** All changes of a collection, or those of a view of it. Connects when needed. Returns how to stop. */
export type Subscribe<Collections> = {
  <Name extends CollectionName<Collections>>(
    collection: Name,
    callback: Callback<ItemOf<Collections, Name>>,
  ): () => void;
  <Name extends CollectionName<Collections>>(
    collection: Name,
    options: SubscribeOptions<ItemOf<Collections, Name>>,
    callback: Callback<ItemOf<Collections, Name>>,
  ): () => void;
  <Item extends object = never>(collection: NameFor<Item>, callback: Callback<NoInfer<Item>>): () => void;
  <Item extends object = never>(
    collection: NameFor<Item>,
    options: SubscribeOptions<NoInfer<Item>>,
    callback: Callback<NoInfer<Item>>,
  ): () => void;
};

/** The items of one kind of change. Returns how to stop. */
export type OnChange<Collections> = {
  <Name extends CollectionName<Collections>>(
    collection: Name,
    event: ChangeAction,
    callback: (data: ItemOf<Collections, Name>) => void,
  ): () => void;
  <Item extends object = never>(
    collection: NameFor<Item>,
    event: ChangeAction,
    callback: (data: NoInfer<Item>) => void,
  ): () => void;
};

/** The realtime calls of a client; see `createRealtime`. */
export type Realtime<Collections> = Omit<
  ReturnType<typeof createRealtime>,
  "subscribe" | "on" | "liveQuery" | "liveAggregate"
> & {
  readonly subscribe: Subscribe<Collections>;
  readonly liveQuery: LiveQuery<Collections>;
  readonly liveAggregate: LiveAggregate<Collections>;
  readonly on: OnChange<Collections>;
};

/** The subscriptions of one client over one connection. Equal ones share what they receive. */
export function createRealtime(options: SocketOptions, onError?: (error: BaasixError) => void) {
  const subscribers = new Map<string, Set<Handlers>>();
  /** Primary keys of the subscriptions that stand, and why others do not, by the key of their view. */
  const live = new Map<string, string>();
  const refused = new Map<string, BaasixError>();
  const connectionListeners = new Set<(connected: boolean) => void>();
  const resyncListeners = new Set<(collection: string, reason: string) => void>();
  const failures = new Set<(error: BaasixError) => void>();
  let connected = false;
  const socket = createSocket(options, receive);
  const together = createTogether({
    send: (frame) => socket.dispatch({ type: "send", frame }),
    hold: (held) => {
      if (held) watchNetwork();
      socket.dispatch({ type: "hold", held });
    },
  });
  const queries = createLiveQueries((event) => {
    watchNetwork();
    socket.dispatch(event);
  });
  const online = () => socket.dispatch({ type: "nudge" });
  let watched = false;

  function receive(notice: Notice): void {
    if (notice.type === "connection") {
      connected = notice.connected;
      if (!connected) {
        queries.staleAll();
        live.clear();
        refused.clear();
      }
      together.connection(connected);
      for (const listener of connectionListeners) tell(listener, connected);
      return;
    }
    if (notice.type === "frame") return together.receive(notice.frame);
    if (notice.type === "failed") return fail(notice.key, notice.code, notice.message);
    if (notice.type === "answer") return queries.answered(notice.key, notice.answer);
    if (notice.type === "stale") return queries.stale(notice.key);
    const handlers = subscribers.get(notice.key) ?? new Set<Handlers>();
    switch (notice.type) {
      case "live":
        live.set(notice.key, notice.primaryKey);
        refused.delete(notice.key);
        for (const { onLive } of handlers) tell(onLive, notice.primaryKey);
        return;
      case "change": {
        const { action, collection, data, _old, timestamp } = notice.change;
        const payload = { action, collection, data, ...(_old && { _old }), timestamp };
        for (const { onChange } of handlers) tell(onChange, payload);
        return;
      }
      case "resync":
        for (const { onResync } of handlers) tell(onResync, notice.reason);
        for (const listener of resyncListeners) tell(listener, collectionOf(notice.key), notice.reason);
    }
  }

  function fail(key: string | null, code: ErrorCode, message: string): void {
    const error = new BaasixError(message, { status: 0, code });
    tell(onError, error);
    if (key === null) {
      together.end(message, code);
      for (const failure of failures) tell(failure, error);
      return;
    }
    if (queries.failed(key, error)) return;
    live.delete(key);
    refused.set(key, error);
    for (const each of subscribers.get(key) ?? []) tell(each.onError, error);
  }

  function subscribeTo(
    view: View,
    handlers: Handlers,
    add = (added: Addition) => socket.dispatch({ type: "add", ...added }),
  ): () => void {
    watchNetwork();
    const { collection, key: item, filter, fields, events } = view;
    const key = JSON.stringify([collection, item, filter, fields, events]);
    const shared = subscribers.get(key);
    if (shared) shared.add(handlers);
    else subscribers.set(key, new Set([handlers]));
    const primaryKey = live.get(key);
    const error = refused.get(key);
    if (!shared) add({ key, view });
    else if (primaryKey !== undefined) tell(handlers.onLive, primaryKey);
    else if (error) tell(handlers.onError, error);
    return () => {
      const left = subscribers.get(key);
      if (!left?.delete(handlers) || left.size > 0) return;
      subscribers.delete(key);
      live.delete(key);
      refused.delete(key);
      socket.dispatch({ type: "remove", key });
    };
  }

  function watchNetwork(): void {
    if (watched || typeof addEventListener !== "function") return;
    watched = true;
    addEventListener("online", online);
  }

  function subscribe(
    collection: string,
    first: SubscribeOptions | Callback<GenericItem>,
    second?: Callback<GenericItem>,
  ): () => void {
    const [options, callback] = typeof first === "function" ? [{}, first] : [first, second];
    if (!callback) throw new TypeError("subscribe needs a callback");
    const { key, filter, fields, events, ...handlers } = options;
    return subscribeTo({ collection, key, filter, fields, events }, { ...handlers, onChange: callback });
  }

  function subscribeMany(wishes: readonly SubscriptionWish[], callback: Callback<GenericItem>): () => void {
    const added: Addition[] = [];
    const stops = wishes.map(({ collection, key, filter, fields, events, ...handlers }) =>
      subscribeTo(
        { collection, key, filter, fields, events },
        { ...handlers, onChange: callback },
        (one) => void added.push(one),
      ),
    );
    if (added.length > 0) socket.dispatch({ type: "addAll", added });
    return () => stops.forEach((stop) => stop());
  }

  return {
    /** Connects and stays connected until `disconnect`. @throws BaasixError when refused, or not let in for 20 s */
    connect(): Promise<void> {
      if (connected) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const settle = (error?: BaasixError) => {
          clearTimeout(timer);
          connectionListeners.delete(onConnection);
          failures.delete(settle);
          if (error) reject(error);
          else resolve();
        };
        const onConnection = (now: boolean) => {
          if (now) settle();
        };
        const timer = setTimeout(
          () => settle(new BaasixError("No connection to /realtime yet", { status: 408, code: "TIMEOUT" })),
          connectTimeout,
        );
        connectionListeners.add(onConnection);
        failures.add(settle);
        watchNetwork();
        socket.dispatch({ type: "start" });
      });
    },
    /** Closes the connection. Subscriptions rest until `connect` or the next `subscribe`. */
    disconnect: () => socket.dispatch({ type: "stop" }),
    get isConnected(): boolean {
      return connected;
    },
    /** Calls back at each change of the connection, and returns how to stop. */
    onConnectionChange(callback: (connected: boolean) => void): () => void {
      connectionListeners.add(callback);
      return () => connectionListeners.delete(callback);
    },
    /** Calls back when changes of a subscribed collection may have been missed, and returns how to stop. */
    onResync(callback: (collection: string, reason: string) => void): () => void {
      resyncListeners.add(callback);
      return () => resyncListeners.delete(callback);
    },
    subscribe,
    /** Several subscriptions, asked for in one message; the callback hears of all. Returns how to stop them. */
    subscribeMany,
    /** A list that is kept up to date; see `LiveQuery`. */
    liveQuery: queries.liveQuery,
    /** An aggregate that is kept up to date; see `LiveAggregate`. */
    liveAggregate: queries.liveAggregate,
    on(collection: string, event: ChangeAction, callback: (data: GenericItem) => void): () => void {
      return subscribe(collection, ({ action, data }) => {
        if (action === event) callback(data);
      });
    },
    /** Collects callbacks by kind of change and subscribes them together. */
    channel(collection: string): Channel {
      const callbacks: [ChannelEvent, (payload: ChangePayload) => void][] = [];
      let stop: (() => void) | undefined;
      const channel: Channel = {
        on(event, callback) {
          callbacks.push([event, callback]);
          return channel;
        },
        subscribe() {
          stop ??= subscribe(collection, (payload) => {
            for (const [event, callback] of callbacks) {
              if (event === "*" || actions[event] === payload.action) callback(payload);
            }
          });
          return channel;
        },
        unsubscribe() {
          stop?.();
          stop = undefined;
        },
      };
      return channel;
    },
    ...together.calls,
    /** Accepted for code written for Socket.IO, and without effect: the connection is a plain WebSocket. */
    setSocketClient(_client: unknown): void {},
    /** The user changed: the connection is made anew as the new one. */
    changeIdentity(): void {
      queries.forget();
      together.changeIdentity();
      socket.dispatch({ type: "identity" });
    },
    /** Ends the connection for good. */
    close(): void {
      if (watched) removeEventListener("online", online);
      socket.dispatch({ type: "stop" });
    },
  };
}

function collectionOf(key: string): string {
  return (JSON.parse(key) as [string])[0];
}
