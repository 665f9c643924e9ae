/**
 * Rooms: members with metadata, messages with a history, and a creator who may send others away. Members are those of
 * all instances; who the creator is follows from them alone, so that all instances agree without asking each other.
 */
import type { Profile, RoomMember, RoomMessage, RoomSummary, ServerFrame } from "@baasix/types";
import { AppError } from "../../core/errors";
import type { Capability, Peer } from "./capability";
import type { Cluster } from "./cluster";
import { encodeFrame } from "./frames";
import type { Gate } from "./gate";
import { createHistories } from "./history";
import { createHolds, keepHolds, type Named, requireSize, requireUser } from "./holds";
import { sizeOf } from "./sizes";
import { limits } from "./limits";
import { createRoster, type Seat } from "./roster";
import { keyOf, nameOf, type Scope, scopeOf } from "./scope";

export type RoomsParts = {
  readonly cluster: Cluster;
  readonly gate: Gate;
  /** Sends text to all sockets of this instance that joined a topic. */
  readonly publish: (topic: string, text: string) => void;
  readonly now: () => number;
};

/** What rooms let the server's own code do. `scope`: the tenant, or null. */
export type Rooms = Capability &
  Named & {
    /** Says something as the server. @throws AppError PAYLOAD_TOO_LARGE */
    readonly send: (scope: Scope, room: string, event: string, payload: unknown, keep: boolean) => void;
    readonly members: (scope: Scope, room: string) => readonly RoomMember[];
    readonly list: (scope: Scope, prefix?: string) => readonly RoomSummary[];
    /** Sends a user away, as a creator does. */
    readonly kick: (scope: Scope, room: string, userId: string) => void;
    /** How many have members. */
    readonly count: () => number;
    /** Forgets what is too old. */
    readonly sweep: () => void;
  };

/** Who was there first. The earliest of all that instances know of counts. */
type Founder = { readonly userId: string; readonly at: number; readonly socketId: string };
type SeatData = { readonly metadata: Profile; readonly founder: Founder };
type Room = {
  founder: Founder;
  /** As it was told last. */
  creator: string | null;
  /** Until when users that were kicked may not come back, in ms since 1970. */
  readonly bans: Map<string, number>;
};

function isEarlier(one: Founder, other: Founder): boolean {
  return one.at < other.at || (one.at === other.at && one.socketId < other.socketId);
}

/** Makes the capability of `room.…` frames. */
export function createRooms({ cluster, gate, publish, now }: RoomsParts): Rooms {
  const rooms = new Map<string, Room>();
  const histories = createHistories(now);
  const peers = new Map<string, Peer>();
  const holds = createHolds({ what: "rooms", mayEnter: gate.enter, now });
  const topic = (key: string): string => `room ${key}`;
  const tell = (key: string, frame: Exclude<ServerFrame, { readonly type: "change" }>): void =>
    publish(topic(key), encodeFrame(frame));
  const timestamp = (): string => new Date(now()).toISOString();
  let messages = 0;

  const roster = createRoster<SeatData>({
    cluster,
    kind: "room.seat",
    sizeOf: ({ metadata }) => sizeOf(metadata),
    now,
    changed: (key, { joined, updated, left }) => {
      const room = nameOf(key);
      for (const { userId, socketId, data, instance } of [...joined, ...updated]) {
        const { founder } = remember(key, data.founder);
        // Whoever took it in knew of a later one: it is told.
        if (instance !== cluster.id && isEarlier(founder, data.founder))
          cluster.tell("room", { key, founder });
        tell(key, {
          type: "room.user.joined",
          room,
          userId,
          socketId,
          metadata: data.metadata,
          timestamp: timestamp(),
        });
      }
      for (const { userId, socketId } of left) {
        tell(key, { type: "room.user.left", room, userId, socketId, timestamp: timestamp() });
      }
      if (roster.at(key).size === 0) forget(key);
      settleSoon(key);
    },
  });

  const remember = (key: string, founder: Founder): Room => {
    const room = rooms.get(key);
    if (!room) {
      const made: Room = { founder, creator: null, bans: new Map() };
      rooms.set(key, made);
      return made;
    }
    if (!isEarlier(founder, room.founder)) return room;
    room.founder = founder;
    // Whoever hears of our members after it forgot the room would take one of them for its founder: said behind them.
    const isOurs = [...roster.at(key).values()].some(({ instance }) => instance === cluster.id);
    if (isOurs) cluster.tell("room", { key, founder });
    return room;
  };

  /** A room whose members are gone is kept for what was said in it, and for who was sent away. */
  const forget = (key: string): void => {
    const room = rooms.get(key);
    if (!room) return;
    rooms.delete(key);
    if (histories.has(key) || isBanning(room)) rooms.set(key, room);
    if (rooms.size - roster.size() <= limits.emptyRooms) return;
    // Those that have been empty longest come first.
    const empty = [...rooms.keys()].filter((each) => roster.at(each).size === 0);
    for (const each of empty.slice(0, Math.max(0, empty.length - limits.emptyRooms))) {
      rooms.delete(each);
      histories.drop(each);
    }
  };

  const isBanning = ({ bans }: Room): boolean => [...bans.values()].some((until) => until > now());

  /** The founder while there, else whoever has been there longest. */
  const creatorOf = (key: string): string | null => {
    const founder = rooms.get(key)?.founder.userId;
    let first: Seat<SeatData> | null = null;
    for (const seat of roster.at(key).values()) {
      if (seat.userId === founder) return founder;
      const isFirst =
        first === null ||
        seat.joinedAt < first.joinedAt ||
        (seat.joinedAt === first.joinedAt && seat.socketId < first.socketId);
      if (isFirst) first = seat;
    }
    return first?.userId ?? null;
  };

  const unsettled = new Set<string>();
  /** After what is being done: whoever comes back as the creator hears it, too. */
  const settleSoon = (key: string): void => {
    if (unsettled.size === 0) {
      queueMicrotask(() => {
        const keys = [...unsettled];
        unsettled.clear();
        for (const each of keys) settle(each);
      });
    }
    unsettled.add(key);
  };

  /** Tells those who are there when the creator is another one. */
  const settle = (key: string): void => {
    const room = rooms.get(key);
    if (!room) return;
    const creator = creatorOf(key);
    const before = room.creator;
    room.creator = creator;
    if (creator === null || before === null || creator === before) return;
    tell(key, { type: "room.creator", room: nameOf(key), newCreatorUserId: creator });
  };

  const sit = (peer: Peer, userId: string, key: string, metadata: Profile): void => {
    const seats = roster.at(key);
    const ban = rooms.get(key)?.bans.get(userId) ?? 0;
    if (ban > now()) {
      const minutes = Math.ceil((ban - now()) / 60_000);
      throw new AppError("FORBIDDEN", `You were sent away; come back in ${minutes} min`);
    }
    if (!seats.has(peer.id) && seats.size >= limits.members) {
      throw new AppError("QUERY_TOO_COMPLEX", `A room has ${limits.members} members at most`);
    }
    const bytes = requireSize("metadata", metadata, limits.profile) + roster.bytesBut(key, peer.id);
    if (bytes > limits.profiles) {
      throw new AppError("QUERY_TOO_COMPLEX", `The members of a room show ${limits.profiles} bytes at most`);
    }
    const founder = rooms.get(key)?.founder ?? { userId, at: now(), socketId: peer.id };
    peers.set(peer.id, peer);
    const seat = seats.get(peer.id);
    const isSame = seat !== undefined && JSON.stringify(seat.data.metadata) === JSON.stringify(metadata);
    if (!isSame) roster.set(key, peer.id, userId, { metadata, founder });
    peer.join(topic(key));
  };

  const stand = (peer: Peer, key: string): void => {
    peer.leave(topic(key));
    roster.remove(key, peer.id);
  };

  /** Takes a message in that was said here or elsewhere. */
  const say = (key: string, message: RoomMessage, keep: boolean): void => {
    if (keep && (rooms.has(key) || roster.at(key).size > 0)) {
      histories.add(key, message, Buffer.byteLength(JSON.stringify(message)));
    }
    tell(key, { type: "room.message", room: nameOf(key), ...message, ...(!keep && { ephemeral: true }) });
  };

  const send = (
    key: string,
    body: Pick<RoomMessage, "event" | "payload" | "sender">,
    keep: boolean,
  ): void => {
    const message = { messageId: `${cluster.id}.${++messages}`, ...body, timestamp: timestamp() };
    say(key, message, keep);
    cluster.tell("room", { say: message, key, keep });
  };

  /** Sends the sockets of a user away that are here, and holds it back for a while. */
  const expel = (key: string, userId: string, kickedBy: string | null): void => {
    const room = rooms.get(key);
    if (!room) return;
    room.bans.set(userId, now() + limits.ban);
    for (const [id, until] of room.bans) if (until <= now()) room.bans.delete(id);
    const name = nameOf(key);
    const mine = [...roster.at(key).values()].filter(
      (seat) => seat.userId === userId && seat.instance === cluster.id,
    );
    for (const { socketId } of mine) {
      const peer = peers.get(socketId);
      if (!peer) continue;
      holds.drop(peer, name);
      stand(peer, key);
      peer.send({ type: "room.kicked", room: name, kickedBy, reason: "kicked" });
    }
  };

  const kick = (key: string, userId: string, kickedBy: string | null): void => {
    expel(key, userId, kickedBy);
    cluster.tell("room", { expel: userId, key, by: kickedBy });
  };

  const membersAt = (key: string): readonly RoomMember[] => {
    const creator = creatorOf(key);
    return [...roster.at(key).values()]
      .toSorted((a, b) => a.joinedAt - b.joinedAt || (a.socketId < b.socketId ? -1 : 1))
      .map(({ socketId, userId, data }) => ({
        socketId,
        userId,
        isCreator: userId === creator,
        metadata: data.metadata,
      }));
  };

  const namesIn = (scope: Scope, prefix: string): readonly string[] => {
    const start = keyOf(scope, prefix);
    const names: string[] = [];
    for (const key of roster.keys()) {
      if (key.startsWith(start)) names.push(nameOf(key));
      if (names.length >= limits.listed) break;
    }
    return names.toSorted();
  };

  const summary = (scope: Scope, name: string): RoomSummary => ({
    name,
    memberCount: roster.at(keyOf(scope, name)).size,
  });

  cluster.join({
    kind: "room",
    receive: (word) => {
      const { key } = word as { key: string };
      if ("founder" in word) {
        // A room that nobody is in, and that is not remembered, needs none.
        if (!rooms.has(key)) return;
        remember(key, word["founder"] as Founder);
        settleSoon(key);
      } else if ("say" in word) say(key, word["say"] as RoomMessage, word["keep"] === true);
      else expel(key, String(word["expel"]), word["by"] as string | null);
    },
    *state(all) {
      for (const [key, { founder, bans }] of rooms) yield { key, founder, bans: [...bans], history: [] };
      // What was said here may have been missed there; of the rest the oldest tells, where it was said last first.
      let left = limits.told;
      for (const key of [...histories.keys()].toReversed()) {
        const room = rooms.get(key);
        const history = histories.of(key).filter(({ messageId }) => all || messageId.startsWith(cluster.id));
        left -= JSON.stringify(history).length;
        if (left < 0) return;
        if (room && history.length > 0) yield { key, founder: room.founder, bans: [], history };
      }
    },
    replace: (words) => {
      for (const word of words) {
        const { key, founder, bans, history } = word as {
          key: string;
          founder: Founder;
          bans: readonly (readonly [string, number])[];
          history: readonly RoomMessage[];
        };
        const room = remember(key, founder);
        for (const [userId, until] of bans) room.bans.set(userId, until);
        for (const message of history)
          histories.add(key, message, Buffer.byteLength(JSON.stringify(message)));
        if (roster.at(key).size === 0) forget(key);
        settleSoon(key);
      }
    },
  });

  const { leave, ...kept } = keepHolds({
    holds,
    isGuarded: gate.isGuarded,
    stand,
    ended: (room, reason) => ({ type: "room.kicked", room, kickedBy: null, reason }),
  });

  return {
    handlers: {
      "room.join": (peer, { id, room, metadata = {} }, actor) =>
        holds.enter(peer, actor, room, (user, key) => {
          sit(peer, user.id, key, metadata);
          peer.send({ type: "room.joined", id, room, history: histories.of(key) });
        }),
      "room.leave": (peer, { id, room }) => leave(peer, id, room),
      "room.members": (peer, { id, room }) => {
        const key = holds.require(peer, room);
        peer.send({ type: "room.members", id, room, members: membersAt(key) });
      },
      "room.list": async (peer, { id, prefix = "" }, actor) => {
        const user = requireUser(actor, "rooms");
        holds.pace(peer);
        const scope = scopeOf(user);
        const names = await gate.open(user, namesIn(scope, prefix));
        peer.send({ type: "room.list", id, rooms: names.map((name) => summary(scope, name)) });
      },
      "room.send": (peer, { id, room, event, payload = null, history = true }, actor) => {
        const key = holds.require(peer, room);
        holds.paceBytes(peer, requireSize("a message", payload, limits.payload));
        const sender = { userId: requireUser(actor, "rooms").id, socketId: peer.id };
        send(key, { event, payload, sender }, history);
        peer.send({ type: "done", id });
      },
      "room.kick": (peer, { id, room, userId }, actor) => {
        const key = holds.require(peer, room);
        const by = requireUser(actor, "rooms").id;
        if (creatorOf(key) !== by) throw new AppError("FORBIDDEN", "Only the creator of a room may kick");
        if (userId === by) throw new AppError("BAD_REQUEST", "userId: to go oneself is to leave");
        if (![...roster.at(key).values()].some((seat) => seat.userId === userId)) {
          throw new AppError("NOT_FOUND", "userId: no member of this room");
        }
        kick(key, userId, by);
        peer.send({ type: "done", id });
      },
    },
    ...kept,
    close: (peer) => {
      peers.delete(peer.id);
      kept.close(peer);
    },
    send: (scope, room, event, payload, keep) => {
      requireSize("a message", payload, limits.payload);
      send(keyOf(scope, room), { event, payload, sender: { userId: null, socketId: null } }, keep);
    },
    members: (scope, room) => membersAt(keyOf(scope, room)),
    list: (scope, prefix = "") => namesIn(scope, prefix).map((name) => summary(scope, name)),
    kick: (scope, room, userId) => kick(keyOf(scope, room), userId, null),
    count: roster.size,
    sweep: () => {
      for (const key of histories.keys()) histories.has(key);
      for (const [key, room] of rooms) {
        if (roster.at(key).size === 0 && !histories.has(key) && !isBanning(room)) rooms.delete(key);
      }
    },
  };
}
