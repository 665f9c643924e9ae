/** The connection to `/realtime`, and all that goes over it. Frames and their names are in `protocol/realtime.ts`. */
import type { ErrorCode } from "@baasix/types";
import { type Channel, createChannel } from "./channel";
import { BaasixError } from "./error";
import { tell } from "./listeners";
import { createLiveQueries, type LiveAggregate, type LiveQuery } from "./live-queries";
import type { Phase, RealtimeEvent } from "./realtime-words";
import { createSocket, type Notice, type SocketOptions } from "./socket";
import { createSubscriptions, type OnChange, type Subscribe, type SubscribeOptions } from "./subscriptions";
import { createTogether } from "./together";

/**
 * `connecting`: for the first time. `reconnecting`: it stood before, and comes back by itself. `disconnected`: it is not
 * wanted, or was refused for good.
 */
export type ConnectionState = "connecting" | "connected" | "disconnected" | "reconnecting";

/** After these, of a window, a connection may be possible again, or may have died without a word. */
const awakenings = ["online", "visibilitychange"] as const;

/** Milliseconds that `connect` waits; attempts go on afterwards. */
const connectTimeout = 20_000;

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

/** What one client hears over one connection, and says. */
export function createRealtime(options: SocketOptions, onError?: (error: BaasixError) => void) {
  const connectionListeners = new Set<(connected: boolean) => void>();
  const stateListeners = new Set<(state: ConnectionState) => void>();
  const failures = new Set<(error: BaasixError) => void>();
  let state: ConnectionState = "disconnected";
  const socket = createSocket(options, receive);
  const dispatch = (event: RealtimeEvent) => {
    watchNetwork();
    socket.dispatch(event);
  };
  const subscriptions = createSubscriptions(dispatch);
  const queries = createLiveQueries(dispatch);
  const together = createTogether({
    send: (frame) => socket.dispatch({ type: "send", frame }),
    hold: (held) => dispatch({ type: "hold", held }),
  });
  const nudge = () => socket.dispatch({ type: "nudge" });
  let watched = false;

  function receive(notice: Notice): void {
    switch (notice.type) {
      case "phase":
        return become(notice.phase);
      case "connection":
        if (!notice.connected) {
          queries.staleAll();
          subscriptions.broken();
          if (state === "disconnected") subscriptions.rest();
        }
        together.connection(notice.connected);
        for (const listener of connectionListeners) tell(listener, notice.connected);
        return;
      case "frame":
        return together.receive(notice.frame);
      case "failed":
        return fail(notice.key, notice.code, notice.message);
      case "answer":
        return queries.answered(notice.key, notice.answer);
      case "stale":
        return queries.stale(notice.key);
      case "ended":
        return subscriptions.ended(notice.key);
      case "live":
        return subscriptions.live(notice.key, notice.primaryKey);
      case "change":
        return subscriptions.changed(notice.key, notice.change);
      case "resync":
        return subscriptions.resync(notice.key, notice.reason);
    }
  }

  function become(phase: Phase): void {
    const under = state === "disconnected" || state === "connecting" ? "connecting" : "reconnecting";
    const next = phase === "ready" ? "connected" : phase === "off" ? "disconnected" : under;
    if (next === state) return;
    state = next;
    if (state === "disconnected") subscriptions.rest();
    for (const listener of stateListeners) tell(listener, state);
  }

  function fail(key: string | null, code: ErrorCode, message: string): void {
    const error = new BaasixError(message, { status: 0, code });
    tell(onError, error);
    if (key === null) {
      together.end(message, code);
      for (const failure of failures) tell(failure, error);
      return;
    }
    if (!queries.failed(key, error)) subscriptions.failed(key, error);
  }

  function watchNetwork(): void {
    if (watched || typeof addEventListener !== "function") return;
    watched = true;
    for (const name of awakenings) addEventListener(name, nudge);
  }

  /** Connects and stays connected until `disconnect`. @throws BaasixError when refused, or not let in for 20 s */
  function connect(): Promise<void> {
    if (state === "connected") return Promise.resolve();
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
      dispatch({ type: "start" });
    });
  }

  function endAll(reason: string): void {
    subscriptions.endAll();
    queries.endAll();
    together.endAll(reason);
  }

  const { subscribe, subscribeMany, on, onResync } = subscriptions;
  return {
    connect,
    /** Closes the connection. What was subscribed to rests until `connect` or the next subscription. */
    disconnect: () => socket.dispatch({ type: "stop" }),
    /** Makes the connection anew; what was subscribed to goes on. @throws as `connect` */
    reconnect(): Promise<void> {
      socket.dispatch({ type: "anew" });
      return connect();
    },
    get isConnected(): boolean {
      return state === "connected";
    },
    getConnectionState: () => state,
    /** Calls back when the connection stands and when it no longer does, and returns how to stop. */
    onConnectionChange(callback: (connected: boolean) => void): () => void {
      connectionListeners.add(callback);
      return () => connectionListeners.delete(callback);
    },
    /** Calls back at each state of the connection, and returns how to stop. */
    onConnectionStateChange(callback: (state: ConnectionState) => void): () => void {
      stateListeners.add(callback);
      return () => stateListeners.delete(callback);
    },
    /** Everything that is followed over the connection, and how each stands. */
    getChannels: () => [...subscriptions.list(), ...queries.list(), ...together.list()],
    /** Ends all subscriptions, live queries and channels, and leaves all rooms. */
    unsubscribeAll(): void {
      endAll("Unsubscribed");
      // The server forgets what was joined over a connection that has ended.
      socket.dispatch({ type: "anew" });
    },
    subscribe,
    subscribeMany,
    on,
    onResync,
    /** A list that is kept up to date; see `LiveQuery`. */
    liveQuery: queries.liveQuery,
    /** An aggregate that is kept up to date; see `LiveAggregate`. */
    liveAggregate: queries.liveAggregate,
    /** Collects callbacks by kind of change and subscribes them together; of one item, or of those that match. */
    channel: (collection: string, which: Pick<SubscribeOptions, "key" | "filter" | "fields"> = {}): Channel =>
      createChannel(subscribe, collection, which),
    ...together.calls,
    /** Accepted for code written for Socket.IO, and without effect: the connection is a plain WebSocket. */
    setSocketClient(_client: unknown): void {},
    /** The user changed: the connection is made anew as the new one. */
    changeIdentity(): void {
      queries.forget();
      together.endAll("The user changed");
      socket.dispatch({ type: "identity" });
    },
    /** Ends the connection for good, and whatever waits for it. */
    close(): void {
      if (watched) for (const name of awakenings) removeEventListener(name, nudge);
      socket.dispatch({ type: "stop" });
      // Without a connection nobody is told of it.
      endAll("The client was closed");
      together.end("The client was closed", "SESSION_CHANGED");
    },
  };
}
