/**
 * What sockets hold by name (rooms, channels, topics), within their bounds and as long as they may. The question
 * whether they may takes time; what happens meanwhile (closing, leaving, another user, other rights) is answered here.
 */
import pLimit from "p-limit";
import type { Actor, UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { ServerFrame } from "@baasix/types";
import type { Capability, Peer } from "./capability";
import { type Bucket, createBucket, limits } from "./limits";
import { keyOf, scopeOf } from "./scope";

export type HoldsParts = {
  /** What is held, in words: `rooms`. */
  readonly what: string;
  /** @throws AppError when the actor may not */
  readonly mayEnter: (actor: UserActor, name: string) => Promise<void>;
  readonly now: () => number;
};

/** Holds that are asked about again at the same time: all at once would take the pool from requests. */
const renewing = 4;

/** Why a hold has ended without the socket's doing. */
type Lost = (name: string, key: string, reason: string) => void;

export type Holds = {
  /**
   * Asks, and calls `take` at the moment that the socket gets the name: from then on it holds it. A name that is held
   * is taken again at once. @throws AppError
   */
  readonly enter: (
    peer: Peer,
    actor: Actor,
    name: string,
    take: (actor: UserActor, key: string) => void,
  ) => Promise<void>;
  /** Counts as a join does. @throws AppError RATE_LIMITED */
  readonly pace: (peer: Peer) => void;
  /** Counts bytes that go to others. @throws AppError RATE_LIMITED */
  readonly paceBytes: (peer: Peer, bytes: number) => void;
  /** The key of a name that is held. @throws AppError FORBIDDEN */
  readonly require: (peer: Peer, name: string) => string;
  readonly keyOf: (peer: Peer, name: string) => string | null;
  /** Ends a hold, also one that is still being asked for; gives its key, or null where there was none. */
  readonly drop: (peer: Peer, name: string) => string | null;
  /** Asks again about everything that a socket holds. */
  readonly renew: (peer: Peer, actor: Actor, lost: Lost) => void;
  /** The same about one name, for all sockets. */
  readonly renewName: (name: string, lost: (peer: Peer) => Lost) => void;
  /** All names that are held here, or asked for. */
  readonly names: () => Iterable<string>;
  /** Forgets a socket; gives what it held. */
  readonly close: (peer: Peer) => readonly (readonly [name: string, key: string])[];
};

/** What capabilities with a gate let do by name. */
export type Named = {
  /** Names that sockets of this instance hold. */
  readonly names: () => Iterable<string>;
  /** Whether the right to a name may end without a change of rights. */
  readonly isGuarded: (name: string) => boolean;
  /** Asks again whether those who hold a name may. */
  readonly renewName: (name: string) => void;
};

export type KeepParts = {
  readonly holds: Holds;
  readonly isGuarded: (name: string) => boolean;
  /** The socket has it no more. */
  readonly stand: (peer: Peer, key: string) => void;
  /** What it is told where it did not wish that. */
  readonly ended: (name: string, reason: string) => Exclude<ServerFrame, { readonly type: "change" }>;
};

/** How holds end: by a wish of the socket, which `leave` answers, with the socket, and with the right to them. */
export type Keeping = Required<Pick<Capability, "renew" | "close">> &
  Named & { readonly leave: (peer: Peer, id: string, name: string) => void };

/** The same for holds of every kind. */
export function keepHolds({ holds, isGuarded, stand, ended }: KeepParts): Keeping {
  const lost =
    (peer: Peer): Lost =>
    (name, key, reason) => {
      stand(peer, key);
      peer.send(ended(name, reason));
    };
  return {
    leave: (peer, id, name) => {
      const key = holds.drop(peer, name);
      if (key !== null) stand(peer, key);
      peer.send({ type: "done", id });
    },
    renew: (peer, actor) => holds.renew(peer, actor, lost(peer)),
    names: holds.names,
    isGuarded,
    renewName: (name) => holds.renewName(name, lost),
    close: (peer) => {
      for (const [, key] of holds.close(peer)) stand(peer, key);
    },
  };
}

type Hold = { key: string | null; readonly user: string };
type Held = {
  readonly names: Map<string, Hold>;
  readonly joins: Bucket;
  readonly sends: Bucket;
  renewals: number;
};

/** Makes an empty registry. */
export function createHolds({ what, mayEnter, now }: HoldsParts): Holds {
  const limit = pLimit(renewing);
  const byPeer = new Map<Peer, Held>();
  /** Those who have a name, or are asking for it. */
  const byName = new Map<string, Set<Peer>>();

  const forget = (peer: Peer, name: string): void => {
    byPeer.get(peer)?.names.delete(name);
    const peers = byName.get(name);
    peers?.delete(peer);
    if (peers?.size === 0) byName.delete(name);
  };

  const heldBy = (peer: Peer): Held => {
    const known = byPeer.get(peer);
    if (known) return known;
    const held = {
      names: new Map(),
      joins: createBucket(now, limits.joins, limits.joinBurst),
      sends: createBucket(now, limits.sendRate, limits.sendBurst),
      renewals: 0,
    };
    byPeer.set(peer, held);
    return held;
  };

  const pace = (peer: Peer): void => {
    if (heldBy(peer).joins.take()) return;
    throw new AppError("RATE_LIMITED", `At most ${limits.joins} joins a second`);
  };

  const enter: Holds["enter"] = async (peer, actor, name, take) => {
    let user = requireUser(actor, what);
    const held = heldBy(peer);
    pace(peer);
    const known = held.names.get(name);
    if (known && known.key !== null) return take(user, known.key);
    if (known) throw new AppError("CONFLICT", `'${name}' is being joined already`);
    if (held.names.size >= limits.rooms) {
      throw new AppError("QUERY_TOO_COMPLEX", `A socket may hold ${limits.rooms} ${what}`);
    }
    const hold: Hold = { key: null, user: user.id };
    held.names.set(name, hold);
    byName.set(name, (byName.get(name) ?? new Set()).add(peer));
    try {
      for (;;) {
        const { renewals } = held;
        // oxlint-disable-next-line no-await-in-loop -- rights changed while they were asked for: asked again
        await mayEnter(user, name);
        if (renewals === held.renewals) break;
        user = requireSame(peer.actor, user);
      }
      if (held.names.get(name) !== hold) throw new AppError("CONFLICT", `'${name}' was left meanwhile`);
      const key = keyOf(scopeOf(user), name);
      take(user, key);
      hold.key = key;
    } catch (error) {
      if (held.names.get(name) === hold) forget(peer, name);
      throw error;
    }
  };

  const drop = (peer: Peer, name: string): string | null => {
    const key = byPeer.get(peer)?.names.get(name)?.key ?? null;
    forget(peer, name);
    return key;
  };

  /** Asked as whoever it is by then: it may have had to wait. */
  const ask = async (peer: Peer, name: string, lost: Lost): Promise<void> => {
    const hold = byPeer.get(peer)?.names.get(name);
    const { actor } = peer;
    if (!hold || hold.key === null || actor?.kind !== "user") return;
    try {
      await mayEnter(actor, name);
    } catch (error) {
      if (byPeer.get(peer)?.names.get(name) !== hold) return;
      const reason =
        error instanceof AppError && error.code === "FORBIDDEN"
          ? "the right has ended"
          : "the right could not be checked";
      drop(peer, name);
      lost(name, hold.key, reason);
    }
  };

  return {
    enter,
    pace,
    paceBytes: (peer, bytes) => {
      if (heldBy(peer).sends.take(bytes)) return;
      throw new AppError("RATE_LIMITED", `At most ${limits.sendRate} bytes of messages a second`);
    },
    drop,
    keyOf: (peer, name) => byPeer.get(peer)?.names.get(name)?.key ?? null,
    require: (peer, name) => {
      const key = byPeer.get(peer)?.names.get(name)?.key ?? null;
      if (key === null) throw new AppError("FORBIDDEN", `Not a member of '${name}'`);
      return key;
    },
    renew: (peer, actor, lost) => {
      const held = byPeer.get(peer);
      if (!held) return;
      held.renewals++;
      for (const [name, { key, user }] of held.names) {
        if (key === null) continue;
        if (actor.kind === "user" && actor.id === user && keyOf(scopeOf(actor), name) === key) {
          void limit(ask, peer, name, lost);
        } else {
          drop(peer, name);
          lost(name, key, "the socket became another user's");
        }
      }
    },
    renewName: (name, lost) => {
      for (const peer of byName.get(name) ?? []) {
        heldBy(peer).renewals++;
        void limit(ask, peer, name, lost(peer));
      }
    },
    names: () => byName.keys(),
    close: (peer) => {
      const held = byPeer.get(peer);
      const names = [...(held?.names ?? [])];
      for (const [name] of names) forget(peer, name);
      byPeer.delete(peer);
      return names.flatMap(([name, { key }]) => (key === null ? [] : [[name, key] as const]));
    },
  };
}

/** Those who are nobody in particular may watch collections as the role `public` may, and nothing of this. */
export function requireUser(actor: Actor, what: string): UserActor {
  if (actor.kind === "user") return actor;
  throw new AppError("UNAUTHORIZED", `Sign in to use ${what}`);
}

function requireSame(actor: Actor | null, { id, tenant }: UserActor): UserActor {
  if (actor?.kind === "user" && actor.id === id && actor.tenant === tenant) return actor;
  throw new AppError("CONFLICT", "The socket became another user's");
}

/** @throws AppError PAYLOAD_TOO_LARGE when a value is longer than `most` bytes of JSON */
export function requireSize(what: string, value: unknown, most: number): number {
  const size = Buffer.byteLength(JSON.stringify(value) ?? "");
  if (size > most)
    throw new AppError("PAYLOAD_TOO_LARGE", `${what} may take ${most} bytes, this takes ${size}`);
  return size;
}
