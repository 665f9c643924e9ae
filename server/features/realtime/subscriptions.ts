/** Subscriptions to changes: which views each socket watches, within its bounds. */
import type { SubscriptionRequest } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Capability, Peer } from "./capability";
import { errorOf } from "./frames";
import { limits } from "./limits";
import type { Member } from "./seats";
import type { Asked, Subscription, Views } from "./views";

export type SubscriptionsParts = {
  readonly views: Views;
  /** @throws AppError UNAVAILABLE when no changes are to be had */
  readonly requireFeed: () => void;
  /** Ends what else a socket holds by such a name; false: nothing. */
  readonly endOther: (peer: Peer, name: string) => boolean;
};

/** `count`: how many all sockets hold together. `endAll`: all of them end, and their sockets are told why. */
export type Subscriptions = Capability & {
  readonly count: () => number;
  readonly endAll: (error: AppError) => void;
};

/** What one socket watches, by name. */
type Held = { readonly member: Member; readonly byName: Map<string, Subscription> };

/** Makes the capability of `subscribe` and `unsubscribe`. */
export function createSubscriptions({ views, requireFeed, endOther }: SubscriptionsParts): Subscriptions {
  const byPeer = new Map<Peer, Held>();
  /** Characters of what a subscription asked for. */
  const sizes = new WeakMap<Asked, number>();

  const heldBy = (peer: Peer): Held => {
    const known = byPeer.get(peer);
    if (known) return known;
    const byName = new Map<string, Subscription>();
    const member = { has: (name: string) => byName.has(name), join: peer.join, leave: peer.leave };
    const held = { member, byName };
    byPeer.set(peer, held);
    return held;
  };

  const subscribe = (
    peer: Peer,
    actor: Actor,
    { collection, key, filter, fields, events }: SubscriptionRequest,
  ): { readonly subscription: string; readonly primaryKey: string } => {
    const request: Asked = { collection, key, filter, fields, events };
    const { member, byName } = heldBy(peer);
    if (byName.size >= limits.subscriptions) {
      throw new AppError("QUERY_TOO_COMPLEX", `A socket may hold ${limits.subscriptions} subscriptions`);
    }
    const size = JSON.stringify(request).length;
    let total = size;
    for (const held of byName.values()) total += sizes.get(held.request) ?? 0;
    if (total > limits.requests) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `The subscriptions of a socket may ask for ${limits.requests} characters together`,
      );
    }
    const subscription = views.enter(member, actor, request);
    sizes.set(request, size);
    byName.set(subscription.name, subscription);
    const { primaryKey } = subscription.live.view.collection;
    return { subscription: subscription.name, primaryKey: primaryKey.name };
  };

  /** Authorizes every subscription of a socket again under the rules as they are now. */
  const renew = (peer: Peer, actor: Actor): void => {
    const held = byPeer.get(peer);
    if (!held) return;
    const { member, byName } = held;
    // A list of its own: the map changes in the loop.
    const subscriptions = [...byName.values()];
    for (const before of subscriptions) {
      byName.delete(before.name);
      const after = views.renew(member, actor, before, (error) => peer.sendError(error, null, before.name));
      if (after === null) continue;
      byName.set(after.name, after);
      if (after === before) continue;
      peer.send({ type: "renamed", subscription: before.name, to: after.name });
      peer.send({ type: "resync", subscription: after.name, reason: "rules or schema changed" });
    }
  };

  return {
    handlers: {
      subscribe: (peer, frame, actor) => {
        requireFeed();
        peer.send({ type: "subscribed", id: frame.id, ...subscribe(peer, actor, frame) });
      },
      "subscribe.many": (peer, { id, subscriptions }, actor) => {
        requireFeed();
        const answers = subscriptions.map((request) => {
          try {
            return subscribe(peer, actor, request);
          } catch (error) {
            return errorOf(error);
          }
        });
        peer.send({ type: "subscribed.many", id, subscriptions: answers });
      },
      unsubscribe: (peer, { id, subscription: name }) => {
        const { member, byName } = heldBy(peer);
        const subscription = byName.get(name);
        if (subscription) {
          byName.delete(name);
          views.exit(member, subscription);
        } else if (!endOther(peer, name)) {
          throw new AppError("NOT_FOUND", `This socket has no subscription '${name}'`);
        }
        peer.send({ type: "unsubscribed", id });
      },
    },
    renew,
    close: (peer) => {
      const held = byPeer.get(peer);
      byPeer.delete(peer);
      for (const subscription of held?.byName.values() ?? [])
        views.exit(held?.member as Member, subscription);
    },
    endAll: (error) => {
      for (const [peer, { member, byName }] of byPeer) {
        const ended = [...byName.values()];
        byName.clear();
        for (const subscription of ended) {
          views.exit(member, subscription);
          peer.sendError(error, null, subscription.name);
        }
      }
    },
    count: () => [...byPeer.values()].reduce((sum, { byName }) => sum + byName.size, 0),
  };
}
