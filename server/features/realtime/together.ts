/** What clients do with each other and with the server's own code, connected: rooms, presence, broadcast, calls, topics. */
import { roleKey, type UserActor } from "../../core/access/actor";
import { accessOf } from "../../core/access/policy";
import { AppError } from "../../core/errors";
import { authorizeRead } from "../../core/query/authorize";
import { type Dependency, dependenciesOf } from "../../core/query/dependencies";
import { findCollection } from "../../core/query/plan";
import { planView } from "../../core/query/view";
import type { Snapshot } from "../../data";
import type { Capability, Peer } from "./capability";
import type { Cluster } from "./cluster";
import { everyone } from "./connection";
import { createBroadcast } from "./broadcast";
import type { RealtimeFace } from "./face";
import { encodeFrame } from "./frames";
import { createGate, type GateParts } from "./gate";
import { type Named, requireSize } from "./holds";
import { createInvocations } from "./invoke";
import { limits } from "./limits";
import { createPresence } from "./presence";
import { followPrivacy } from "./privacy";
import type { RealtimeParts } from "./realtime";
import { createRooms } from "./rooms";
import type { Sockets } from "./sockets";
import { createTopics } from "./topics";

export type TogetherParts = {
  readonly cluster: Cluster;
  readonly sockets: Sockets;
  /** Sends text to all sockets of this instance that joined a topic. */
  readonly publish: (topic: string, text: string) => void;
  readonly parts: Pick<RealtimeParts, "data" | "snapshot" | "feed" | "logger" | "now">;
};

/** Capabilities, and what code may do with them. */
export type Together = {
  readonly capabilities: readonly Capability[];
  readonly face: RealtimeFace;
  readonly stop: () => void;
};

/** How often what rooms remember is looked through, in ms. */
const sweepInterval = 600_000;

/** Builds them. */
export function createTogether({ cluster, sockets, publish, parts }: TogetherParts): Together {
  const { snapshot, feed, logger, now } = parts;
  const publishAll = (topic: string, text: string, except?: Peer): void => {
    if (except) except.publish(topic, text);
    else publish(topic, text);
    cluster.tell("publish", { topic, text });
  };
  const notifyHere = (userId: string, tenant: string | null | undefined, text: string): void => {
    for (const connection of sockets.of({ user: userId })) {
      const { actor } = connection;
      const isMeant = tenant === undefined || (actor?.kind === "user" && actor.tenant === tenant);
      if (isMeant) connection.sendText(text);
    }
  };
  cluster.join({
    kind: "publish",
    receive: ({ topic, text }) => publish(String(topic), String(text)),
  });
  cluster.join({
    kind: "notify",
    receive: ({ userId, tenant, text }) =>
      notifyHere(String(userId), tenant as string | null | undefined, String(text)),
  });

  const gate = createGate(gateParts(parts));
  const rooms = createRooms({ cluster, gate, publish, now });
  const presence = createPresence({ cluster, gate, publish, now });
  const broadcast = createBroadcast({ gate, publish: publishAll, now });
  const topics = createTopics({ publish: publishAll, now });
  const invocations = createInvocations(logger);
  const stopPrivacy = followPrivacy({
    feed,
    schema: () => snapshot().schema,
    gate,
    holders: [rooms, presence, broadcast, topics],
  });
  const sweep = setInterval(rooms.sweep, sweepInterval);
  sweep.unref();

  const notification = (event: string, payload: unknown): string => {
    requireSize("a notification", payload, limits.payload);
    const timestamp = new Date(now()).toISOString();
    return encodeFrame({ type: "notification", event, payload: payload ?? null, timestamp });
  };

  /** Changes who is asked about names, and asks about those that are held. */
  const changing = <Args extends readonly [prefix: string, ...unknown[]]>(
    change: (...args: Args) => void,
    holders: readonly Named[],
  ) => {
    return (...args: Args): void => {
      change(...args);
      for (const holder of holders) {
        // A list of its own: whoever loses a name is taken out.
        const names = [...holder.names()].filter((name) => name.startsWith(args[0]));
        for (const name of names) holder.renewName(name);
      }
    };
  };
  const guarded = [rooms, presence, broadcast];

  const face: RealtimeFace = {
    registerRoomValidator: changing(gate.register, guarded),
    unregisterRoomValidator: changing(gate.unregister, guarded),
    registerMessageHandler: invocations.register,
    unregisterMessageHandler: invocations.unregister,
    registerTopic: changing(topics.register, [topics]),
    unregisterTopic: changing(topics.unregister, [topics]),
    publishTo: (topic, event, payload, { tenant = null } = {}) =>
      topics.publishTo(tenant, topic, event, payload),
    broadcastToRoom: (room, event, payload, { tenant = null, history = true } = {}) =>
      rooms.send(tenant, room, event, payload ?? null, history),
    broadcastToAll: (event, payload) => publishAll(everyone, notification(event, payload)),
    sendToUser: (userId, event, payload, { tenant } = {}) => {
      const text = notification(event, payload);
      notifyHere(userId, tenant, text);
      cluster.tell("notify", { userId, ...(tenant !== undefined && { tenant }), text });
    },
    getRoomMembers: (room, { tenant = null } = {}) => rooms.members(tenant, room),
    getRoomMemberCount: (room, { tenant = null } = {}) => rooms.members(tenant, room).length,
    roomExists: (room, { tenant = null } = {}) => rooms.members(tenant, room).length > 0,
    getCustomRooms: ({ tenant = null, prefix } = {}) => rooms.list(tenant, prefix),
    kickFromRoom: (room, userId, { tenant = null } = {}) => rooms.kick(tenant, room, userId),
    getStats: () => ({ sockets: sockets.count(), rooms: rooms.count(), instances: cluster.others() + 1 }),
  };
  return {
    capabilities: [rooms, presence, broadcast, topics, invocations],
    face,
    stop: () => {
      stopPrivacy();
      clearInterval(sweep);
    },
  };
}

function gateParts({ data, snapshot }: TogetherParts["parts"]): GateParts {
  return {
    mayReadCollection: (actor, name) => {
      const { schema, rules } = snapshot();
      const collection = schema.collections.get(name);
      return collection !== undefined && accessOf(rules, schema, actor)(collection, "read") !== null;
    },
    reaches: createReaches(snapshot),
    readable: async (actor, name, ids) => {
      const key = snapshot().schema.collections.get(name)?.primaryKey.name ?? "";
      const query = { filter: { [key]: { in: ids } }, fields: [key], limit: ids.length };
      try {
        const rows = await data.find<Record<string, unknown>>(actor, name, query);
        return new Set(rows.map((row) => String(row[key])));
      } catch (error) {
        // What cannot be an id of this collection is the id of nothing.
        if (error instanceof AppError && !passing.has(error.code)) return new Set();
        throw error;
      }
    },
  };
}

/** What of other rows decides which items of a collection an actor may read: worked out once for a role. */
function createReaches(snapshot: () => Snapshot): GateParts["reaches"] {
  const known = new WeakMap<Snapshot, Map<string, ReadonlyMap<string, Dependency>>>();
  return (actor, name) => {
    const at = snapshot();
    const kept = known.get(at) ?? new Map<string, ReadonlyMap<string, Dependency>>();
    known.set(at, kept);
    const key = `${roleKey(actor)} ${name}`;
    const found = kept.get(key) ?? reachedBy(at, actor, name);
    kept.set(key, found);
    return found;
  };
}

function reachedBy(
  { schema, rules }: Snapshot,
  actor: UserActor,
  collection: string,
): ReadonlyMap<string, Dependency> {
  const { primaryKey } = findCollection(schema, collection);
  try {
    const plan = planView(schema, { collection, fields: [primaryKey.name] });
    return dependenciesOf(authorizeRead(plan, accessOf(rules, schema, actor)));
  } catch {
    // Then no item is readable, either.
    return new Map();
  }
}

/** Refusals that say nothing of the right. */
const passing: ReadonlySet<string> = new Set(["TIMEOUT", "UNAVAILABLE", "INTERNAL_ERROR"]);
