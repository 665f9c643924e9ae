/** Changes of one collection by kind of change, as callbacks that are collected before subscribing. */
import type { BaasixError } from "./error";
import type { ChangePayload, StopSubscription, SubscribeOptions, SubscriptionState } from "./subscriptions";

/** Actions, and the same in the words of databases. */
const actions = { INSERT: "create", UPDATE: "update", DELETE: "delete" } as const;
export type ChannelEvent = keyof typeof actions | "*";

/** Changes of one collection, collected before subscribing. */
export type Channel = {
  on(event: ChannelEvent, callback: (payload: ChangePayload) => void): Channel;
  /** `onState` gets each state that the channel comes into, with `CHANNEL_ERROR` the reason. */
  subscribe(onState?: (state: SubscriptionState, error?: BaasixError) => void): Channel;
  unsubscribe(): void;
  getState(): SubscriptionState;
  isSubscribed(): boolean;
};

type Subscribe = (
  collection: string,
  options: SubscribeOptions,
  callback: (payload: ChangePayload) => void,
) => StopSubscription;

/** A channel that subscribes by `subscribe`, to what the options say. */
export function createChannel(
  subscribe: Subscribe,
  collection: string,
  options: Pick<SubscribeOptions, "key" | "filter" | "fields">,
): Channel {
  const callbacks: [ChannelEvent, (payload: ChangePayload) => void][] = [];
  let stop: StopSubscription | undefined;
  const channel: Channel = {
    on(event, callback) {
      callbacks.push([event, callback]);
      return channel;
    },
    subscribe(onState) {
      let reason: BaasixError | undefined;
      const told: SubscribeOptions = {
        onError: (error) => (reason = error),
        onState: (state) => onState?.(state, state === "CHANNEL_ERROR" ? reason : undefined),
      };
      stop ??= subscribe(collection, { ...options, ...told }, (payload) => {
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
    getState: () => stop?.getState() ?? "CLOSED",
    isSubscribed: () => channel.getState() === "SUBSCRIBED",
  };
  return channel;
}
