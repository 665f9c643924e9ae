/** Live queries: which of them each socket watches, within its bounds, and as whom. */
import type { QueryRequest } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { LiveQueries as Door, LiveQuery } from "../../data";
import type { Capability, Peer } from "./capability";
import { limits } from "./limits";
import type { LiveViews, Watcher } from "./live-views";
import type { Member } from "./seats";

export type LiveQueriesParts = {
  readonly door: Door;
  readonly views: LiveViews;
  /** @throws AppError UNAVAILABLE when no changes are to be had */
  readonly requireFeed: () => void;
};

/** `end` ends a query of a socket by its name; false: it has none of that name. `count`: how many all sockets hold. */
export type LiveQueries = Capability & {
  readonly end: (peer: Peer, name: string) => boolean;
  readonly count: () => number;
};

type Request = Pick<QueryRequest, "collection" | "query">;
/**
 * A query of a socket. `size`: characters of what it asked for. `named`: the client knows it by a name, else by its
 * request. `answered`: what the client has is known; else it is what the watcher came with. `parked`: the right to it is
 * gone; it waits for rules that let it in again.
 */
type Held = {
  readonly request: Request;
  readonly size: number;
  readonly watcher: Watcher;
  readonly named: boolean;
  answered: boolean;
  parked: boolean;
};
/** `queries`: by the name of their subscription. */
type Holder = { readonly member: Member; readonly queries: Map<string, Held> };

/** Makes the capability of `query`. */
export function createLiveQueries({ door, views, requireFeed }: LiveQueriesParts): LiveQueries {
  const holders = new Map<Peer, Holder>();

  const holderOf = (peer: Peer): Holder => {
    const known = holders.get(peer);
    if (known) return known;
    const queries = new Map<string, Held>();
    const member = { has: (name: string) => queries.has(name), join: peer.join, leave: peer.leave };
    const holder = { member, queries };
    holders.set(peer, holder);
    return holder;
  };

  /** A list of its own: the map changes while it is gone through. */
  const heldBy = (peer: Peer): readonly Held[] => Array.from(holders.get(peer)?.queries.values() ?? []);

  const open = (actor: Actor, { collection, query = {} }: Request): LiveQuery =>
    door.open(actor, collection, query);

  /** Watches. `id`: of the request that waits for the first answer; `version`: what the client has. */
  const watch = (
    peer: Peer,
    actor: Actor,
    query: LiveQuery,
    asked: { readonly request: Request; readonly size: number },
    { id, version }: Pick<Watcher, "id" | "version">,
  ): Held => {
    const { member, queries } = holderOf(peer);
    const watcher = views.enter(query, {
      member,
      id,
      version,
      asker: actor.kind === "user" ? actor.id : actor.kind,
      answer: (text) => {
        held.answered = true;
        peer.sendText(text);
      },
      tell: peer.sendText,
      fail: (error) => {
        drop(peer, held);
        peer.sendError(error, id);
      },
    });
    const held: Held = {
      request: asked.request,
      size: asked.size,
      watcher,
      named: id === null,
      answered: false,
      parked: false,
    };
    queries.set(watcher.name, held);
    return held;
  };

  const drop = (peer: Peer, { watcher }: Held): void => {
    holders.get(peer)?.queries.delete(watcher.name);
    views.exit(watcher);
  };

  const ask = (peer: Peer, { id, collection, query, version }: QueryRequest, actor: Actor): void => {
    requireFeed();
    const { queries } = holderOf(peer);
    if (queries.size >= limits.queries) {
      throw new AppError("QUERY_TOO_COMPLEX", `A socket may hold ${limits.queries} live queries`);
    }
    const request = { collection, ...(query && { query }) };
    const size = JSON.stringify(request).length;
    let total = size;
    for (const held of queries.values()) total += held.size;
    if (total > limits.requests) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `The live queries of a socket may ask for ${limits.requests} characters together`,
      );
    }
    watch(peer, actor, open(actor, request), { request, size }, { id, version: version ?? null });
  };

  /** Authorizes every query of a socket again under the rules as they are now. */
  const renew = (peer: Peer, actor: Actor): void => {
    for (const held of heldBy(peer)) {
      const { watcher, answered, parked } = held;
      const isKnown = answered || held.named;
      try {
        const query = open(actor, held.request);
        if (!parked && query.key === watcher.view.query.key) {
          views.replace(watcher, query);
          continue;
        }
        // What the client has goes on from there, as other rows or as the same ones.
        const version = parked ? null : answered ? views.versionOf(watcher) : watcher.version;
        drop(peer, held);
        const next = watch(peer, actor, query, held, { id: isKnown ? null : watcher.id, version });
        if (isKnown) peer.send({ type: "renamed", subscription: watcher.name, to: next.watcher.name });
      } catch (error) {
        if (parked) continue;
        if (isKnown) {
          views.exit(watcher);
          held.parked = true;
          peer.sendError(error, null, watcher.name);
        } else {
          drop(peer, held);
          peer.sendError(error, watcher.id);
        }
      }
    }
  };

  return {
    handlers: { query: ask },
    renew,
    close: (peer) => {
      for (const held of heldBy(peer)) drop(peer, held);
      holders.delete(peer);
    },
    end: (peer, name) => {
      const held = holders.get(peer)?.queries.get(name);
      if (held) drop(peer, held);
      return held !== undefined;
    },
    count: () => [...holders.values()].reduce((sum, { queries }) => sum + queries.size, 0),
  };
}
