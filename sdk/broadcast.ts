/** Broadcast channels. Those of one name share one subscription on the socket. */
import type { Sender } from "@baasix/types";
import type { BaasixError } from "./error";
import { createHeld } from "./held";
import { tell } from "./listeners";
import type { Requests } from "./requests";

/** A message of a broadcast channel. `self`: this client's own connection sent it. */
export type BroadcastMessage = {
  readonly channel: string;
  readonly event: string;
  readonly payload: unknown;
  readonly sender: Sender;
  readonly timestamp: string;
  readonly self: boolean;
};
type BroadcastCallback = (payload: never, message: BroadcastMessage) => void;

/** `SUBSCRIBED` while messages arrive; `CHANNEL_ERROR` when it was refused. */
export type ChannelState = "SUBSCRIBED" | "JOINING" | "CHANNEL_ERROR" | "CLOSED";

/** Messages between clients, kept nowhere. */
export type BroadcastChannelHandle = {
  /** `*` for all events. */
  on<Payload = unknown>(
    event: string,
    callback: (payload: Payload, message: BroadcastMessage) => void,
  ): BroadcastChannelHandle;
  /** `onError`: refused, or the right has ended. `onSubscribed`: messages arrive from now on. */
  subscribe(onError?: (error: BaasixError) => void, onSubscribed?: () => void): BroadcastChannelHandle;
  /** @throws BaasixError before `subscribe`, or when the connection breaks */
  send(event: string, payload?: unknown): Promise<void>;
  unsubscribe(): Promise<void>;
  isSubscribed(): boolean;
  getState(): ChannelState;
};

/** The broadcast channels of a client. `me` gives the `socketId` of the present connection. */
export function createBroadcast(requests: Requests, me: () => string | null) {
  type User = {
    readonly callbacks: [event: string, callback: BroadcastCallback][];
    state: ChannelState;
    onError: ((error: BaasixError) => void) | undefined;
  };
  const users = new Map<string, Set<User>>();
  const usersOf = (channel: string) => users.get(channel) ?? new Set<User>();
  const held = createHeld<"done">(requests, {
    enter: (channel) => ({ type: "broadcast.subscribe", channel }),
    exit: (channel) => ({ type: "broadcast.unsubscribe", channel }),
    entered(channel) {
      for (const user of usersOf(channel)) user.state = "SUBSCRIBED";
    },
    lost(channel, error) {
      for (const user of usersOf(channel)) {
        user.state = "CHANNEL_ERROR";
        tell(user.onError, error);
      }
      users.delete(channel);
    },
  });
  requests.onFrame((frame) => {
    if (frame.type !== "broadcast.message") return;
    const { type: _, ...rest } = frame;
    const message = { ...rest, self: frame.sender.socketId === me() };
    for (const { callbacks } of usersOf(frame.channel)) {
      for (const [event, callback] of callbacks) {
        if (event === "*" || event === frame.event) tell(callback, frame.payload as never, message);
      }
    }
  });

  /** A handle of its own. `self`: messages come back to who sent them. */
  function open(channel: string, { self = false }: { readonly self?: boolean } = {}): BroadcastChannelHandle {
    const user: User = { callbacks: [], state: "CLOSED", onError: undefined };
    const handle: BroadcastChannelHandle = {
      on(event, callback) {
        user.callbacks.push([event, callback as BroadcastCallback]);
        return handle;
      },
      subscribe(onError, onSubscribed) {
        user.onError = onError;
        const set = usersOf(channel);
        users.set(channel, set.add(user));
        user.state = "JOINING";
        held.add(channel).then(
          () => {
            if (!set.has(user)) return;
            user.state = "SUBSCRIBED";
            tell(onSubscribed);
          },
          () => {},
        );
        return handle;
      },
      async send(event, payload) {
        await held.ask<"done">(channel, { type: "broadcast.send", channel, event, payload, self });
      },
      async unsubscribe() {
        user.state = "CLOSED";
        const set = usersOf(channel);
        if (!set.delete(user) || set.size > 0) return;
        users.delete(channel);
        await held.remove(channel);
      },
      isSubscribed: () => user.state === "SUBSCRIBED",
      getState: () => user.state,
    };
    return handle;
  }

  return { open, end: held.forget, names: held.names, list: held.list };
}
