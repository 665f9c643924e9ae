/**
 * Presence: who is there, each with a state of its own. Whoever is subscribed hears of all; whoever is tracked is shown.
 * Changes are gathered for a moment, so that states that move all the time cost one frame for all of them.
 */
import type { PresenceMember, Profile } from "@baasix/types";
import { AppError } from "../../core/errors";
import type { Capability, Peer } from "./capability";
import type { Cluster } from "./cluster";
import { encodeFrame } from "./frames";
import type { Gate } from "./gate";
import { createHolds, keepHolds, type Named, requireSize, requireUser } from "./holds";
import { limits } from "./limits";
import { createRoster, type Seat } from "./roster";
import { nameOf } from "./scope";
import { sizeOf } from "./sizes";

export type PresenceParts = {
  readonly cluster: Cluster;
  readonly gate: Gate;
  readonly publish: (topic: string, text: string) => void;
  readonly now: () => number;
};

export type Presence = Capability & Named;

/** What changed since it was told last: by socket, who is there now, or null for who has gone. */
type Gathered = {
  readonly changes: Map<string, { readonly before: PresenceMember | null; now: PresenceMember | null }>;
  readonly timer: ReturnType<typeof setTimeout>;
};

/** Makes the capability of `presence.…` frames. */
export function createPresence({ cluster, gate, publish, now }: PresenceParts): Presence {
  const holds = createHolds({ what: "presence channels", mayEnter: gate.enter, now });
  const gathered = new Map<string, Gathered>();
  /** As it was told last, by key and socket. */
  const told = new Map<string, Map<string, PresenceMember>>();
  const topic = (key: string): string => `presence ${key}`;
  /** Until when no more is to be told of a channel, in ms since 1970: its last news was long. */
  const quiet = new Map<string, number>();

  const gather = (key: string, socketId: string, member: PresenceMember | null): void => {
    const known = gathered.get(key) ?? begin(key);
    const change = known.changes.get(socketId);
    if (change) change.now = member;
    else known.changes.set(socketId, { before: told.get(key)?.get(socketId) ?? null, now: member });
  };

  const begin = (key: string): Gathered => {
    const pause = Math.max(limits.presencePause, (quiet.get(key) ?? 0) - now());
    const timer = setTimeout(
      () => flush(key),
      Math.min(pause, limits.profiles / (limits.presenceRate / 1000)),
    );
    const begun: Gathered = { changes: new Map(), timer };
    gathered.set(key, begun);
    return begun;
  };

  const flush = (key: string): void => {
    const known = gathered.get(key);
    if (!known) return;
    clearTimeout(known.timer);
    gathered.delete(key);
    quiet.delete(key);
    const members = told.get(key) ?? new Map<string, PresenceMember>();
    const [joined, updated, left]: [PresenceMember[], PresenceMember[], PresenceMember[]] = [[], [], []];
    for (const [socketId, change] of known.changes) {
      if (change.now) members.set(socketId, change.now);
      else members.delete(socketId);
      if (change.now) (change.before ? updated : joined).push(change.now);
      else if (change.before) left.push(change.before);
    }
    if (members.size > 0) told.set(key, members);
    else told.delete(key);
    if (joined.length + updated.length + left.length === 0) return;
    const text = encodeFrame({ type: "presence.changed", channel: nameOf(key), joined, updated, left });
    const ms = (text.length * 1000) / limits.presenceRate;
    if (ms > limits.presencePause && members.size > 0) quiet.set(key, now() + ms);
    publish(topic(key), text);
  };

  const roster = createRoster<Profile>({
    cluster,
    kind: "presence",
    sizeOf,
    now,
    changed: (key, { joined, updated, left }) => {
      for (const seat of [...joined, ...updated]) gather(key, seat.socketId, memberOf(seat));
      for (const { socketId } of left) gather(key, socketId, null);
    },
  });

  const track = (peer: Peer, userId: string, key: string, state: Profile): void => {
    const seats = roster.at(key);
    const bytes = requireSize("state", state, limits.profile) + roster.bytesBut(key, peer.id);
    if (!seats.has(peer.id) && seats.size >= limits.members) {
      throw new AppError("QUERY_TOO_COMPLEX", `A channel shows ${limits.members} members at most`);
    }
    if (bytes > limits.profiles) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `The members of a channel show ${limits.profiles} bytes at most`,
      );
    }
    roster.set(key, peer.id, userId, state);
  };

  const stop = (peer: Peer, key: string): void => {
    peer.leave(topic(key));
    roster.remove(key, peer.id);
  };

  const { leave, ...kept } = keepHolds({
    holds,
    isGuarded: gate.isGuarded,
    stand: stop,
    ended: (name, reason) => ({ type: "ended", kind: "presence", name, reason }),
  });

  return {
    handlers: {
      "presence.subscribe": (peer, { id, channel }, actor) =>
        holds.enter(peer, actor, channel, (_, key) => {
          // What others are about to hear is in the answer already.
          flush(key);
          peer.join(topic(key));
          peer.send({
            type: "presence.state",
            id,
            channel,
            members: [...roster.at(key).values()].map(memberOf),
          });
        }),
      "presence.track": (peer, { id, channel, state }, actor) => {
        track(peer, requireUser(actor, "presence").id, holds.require(peer, channel), state);
        peer.send({ type: "done", id });
      },
      "presence.untrack": (peer, { id, channel }) => {
        roster.remove(holds.require(peer, channel), peer.id);
        peer.send({ type: "done", id });
      },
      "presence.unsubscribe": (peer, { id, channel }) => leave(peer, id, channel),
    },
    ...kept,
  };
}

function memberOf({ socketId, userId, data }: Seat<Profile>): PresenceMember {
  return { socketId, userId, state: data };
}
