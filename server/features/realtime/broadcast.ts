/** Broadcast: messages between those who are subscribed to a channel, kept nowhere. */
import { encodeFrame } from "./frames";
import type { Capability, Peer } from "./capability";
import type { Gate } from "./gate";
import { createHolds, keepHolds, type Named, requireSize, requireUser } from "./holds";
import { limits } from "./limits";

export type BroadcastParts = {
  readonly gate: Gate;
  /** Sends text to all sockets of all instances that joined a topic; `except`: but this one. */
  readonly publish: (topic: string, text: string, except?: Peer) => void;
  readonly now: () => number;
};

export type Broadcast = Capability & Named;

/** Makes the capability of `broadcast.…` frames. */
export function createBroadcast({ gate, publish, now }: BroadcastParts): Broadcast {
  const holds = createHolds({ what: "broadcast channels", mayEnter: gate.enter, now });
  const topic = (key: string): string => `broadcast ${key}`;
  const { leave, ...kept } = keepHolds({
    holds,
    isGuarded: gate.isGuarded,
    stand: (peer, key) => peer.leave(topic(key)),
    ended: (name, reason) => ({ type: "ended", kind: "broadcast", name, reason }),
  });
  return {
    handlers: {
      "broadcast.subscribe": (peer, { id, channel }, actor) =>
        holds.enter(peer, actor, channel, (_, key) => {
          peer.join(topic(key));
          peer.send({ type: "done", id });
        }),
      "broadcast.unsubscribe": (peer, { id, channel }) => leave(peer, id, channel),
      "broadcast.send": (peer, { id, channel, event, payload = null, self = false }, actor) => {
        const key = holds.require(peer, channel);
        holds.paceBytes(peer, requireSize("a message", payload, limits.payload));
        const sender = { userId: requireUser(actor, "broadcast").id, socketId: peer.id };
        const timestamp = new Date(now()).toISOString();
        const frame = encodeFrame({ type: "broadcast.message", channel, event, payload, sender, timestamp });
        publish(topic(key), frame, self ? undefined : peer);
        peer.send({ type: "done", id });
      },
    },
    ...kept,
  };
}
