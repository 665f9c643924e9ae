/** Rooms: members, messages with a history, a creator. Rooms that were joined are joined anew after a break. */
import type { Profile, RoomFrame, RoomMember, RoomMessage, RoomSummary, ServerFrame } from "@baasix/types";
import type { BaasixError } from "./error";
import { createHeld } from "./held";
import { tell } from "./listeners";
import type { Requests } from "./requests";

/** A message of a room. `self`: this client's own connection sent it. `ephemeral`: it is not in the history. */
export type RoomMessageData = RoomMessage & {
  readonly room: string;
  readonly self: boolean;
  readonly ephemeral: boolean;
};
/** Somebody came, or shows other metadata. */
export type RoomUserJoined = Omit<Extract<RoomFrame, { readonly type: "room.user.joined" }>, "type">;
export type RoomUserLeft = Omit<Extract<RoomFrame, { readonly type: "room.user.left" }>, "type">;
/** `kickedBy` null: the server took the room away, `reason` says why. */
export type RoomKicked = Omit<Extract<RoomFrame, { readonly type: "room.kicked" }>, "type">;
export type RoomCreatorChanged = Omit<Extract<RoomFrame, { readonly type: "room.creator" }>, "type">;
/**
 * The room was joined anew after a break. `missed`: messages of the history that did not come before. `complete`: false
 * when there may have been more than the history holds, or some that it does not keep.
 */
export type RoomRejoined = {
  readonly room: string;
  readonly history: readonly RoomMessage[];
  readonly missed: readonly RoomMessage[];
  readonly complete: boolean;
};

type Kinds = {
  readonly message: RoomMessageData;
  readonly joined: RoomUserJoined;
  readonly left: RoomUserLeft;
  readonly kicked: RoomKicked;
  readonly creator: RoomCreatorChanged;
  readonly rejoined: RoomRejoined;
};
type Listener = (data: never) => void;
type Joined = { metadata: Profile | undefined; last: string | null };

/** The room calls of a client. `me` gives the `socketId` of the present connection. */
export function createRooms(requests: Requests, me: () => string | null) {
  const listeners = new Map<string, Set<Listener>>();
  const rooms = new Map<string, Joined>();

  function listen<Kind extends keyof Kinds>(
    kind: Kind,
    room: string,
    callback: (data: Kinds[Kind]) => void,
  ): () => void {
    const key = `${kind} ${room}`;
    const set = listeners.get(key) ?? new Set();
    listeners.set(key, set.add(callback));
    return () => {
      set.delete(callback);
      if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
    };
  }

  function emit<Kind extends keyof Kinds>(kind: Kind, room: string, data: Kinds[Kind]): void {
    for (const each of listeners.get(`${kind} ${room}`) ?? []) {
      tell(each as (data: Kinds[Kind]) => void, data);
    }
  }

  const enter = (room: string) => {
    const metadata = rooms.get(room)?.metadata;
    return { type: "room.join", room, ...(metadata && { metadata }) } as const;
  };
  const held = createHeld<"room.joined">(requests, {
    enter,
    exit: (room) => ({ type: "room.leave", room }),
    entered(room, { history }, again) {
      const joined = rooms.get(room);
      if (!joined) return;
      const at = history.findIndex(({ messageId }) => messageId === joined.last);
      const complete = at >= 0 || (joined.last === null && history.length === 0);
      joined.last = history.at(-1)?.messageId ?? joined.last;
      if (again) emit("rejoined", room, { room, history, missed: history.slice(at + 1), complete });
    },
    lost(room, error, stood) {
      rooms.delete(room);
      if (stood) emit("kicked", room, { room, kickedBy: null, reason: error.message });
    },
  });

  requests.onFrame((frame: ServerFrame) => {
    switch (frame.type) {
      case "room.message": {
        const { type: _, ephemeral = false, ...message } = frame;
        const joined = rooms.get(frame.room);
        if (joined && !ephemeral) joined.last = frame.messageId;
        emit("message", frame.room, { ...message, ephemeral, self: frame.sender.socketId === me() });
        return;
      }
      case "room.user.joined":
        return emit("joined", frame.room, frame);
      case "room.user.left":
        return emit("left", frame.room, frame);
      case "room.creator":
        return emit("creator", frame.room, frame);
      case "room.kicked":
        rooms.delete(frame.room);
        held.drop(frame.room);
        return emit("kicked", frame.room, frame);
    }
  });

  return {
    /**
     * Joins a room, and again after each break until `leaveRoom`. `metadata` is shown to the other members. Gives the
     * last messages, the oldest first. @throws BaasixError FORBIDDEN, UNAUTHORIZED, QUERY_TOO_COMPLEX (too many rooms)
     */
    async joinRoom(room: string, metadata?: Profile): Promise<{ readonly history: readonly RoomMessage[] }> {
      const isNew = !held.has(room);
      if (isNew) rooms.set(room, { metadata, last: null });
      const joined = rooms.get(room);
      if (joined && metadata) joined.metadata = metadata;
      const first = await held.add(room);
      const { history } = isNew ? first : await held.ask<"room.joined">(room, enter(room));
      return { history };
    },
    async leaveRoom(room: string): Promise<void> {
      rooms.delete(room);
      await held.remove(room);
    },
    /** Of a room that one is in, whoever came first first. */
    async getRoomMembers(room: string): Promise<readonly RoomMember[]> {
      return (await held.ask<"room.members">(room, { type: "room.members", room })).members;
    },
    /** Rooms with members that one may join, by name. */
    async listRooms(prefix?: string): Promise<readonly RoomSummary[]> {
      const frame = { type: "room.list", ...(prefix !== undefined && { prefix }) } as const;
      return (await requests.request<"room.list">(frame)).rooms;
    },
    /** Sends to all members, oneself too. `history: false`: not kept for those who join later. */
    async sendToRoom(
      room: string,
      event: string,
      payload?: unknown,
      options: { readonly history?: boolean } = {},
    ): Promise<void> {
      await held.ask<"done">(room, { type: "room.send", room, event, payload, ...options });
    },
    /** Messages with that event name; `*` for all. Returns how to stop. */
    onRoomMessage(room: string, event: string, callback: (data: RoomMessageData) => void): () => void {
      return listen("message", room, (data) => {
        if (event === "*" || data.event === event) callback(data);
      });
    },
    onRoomUserJoined: (room: string, callback: (data: RoomUserJoined) => void) =>
      listen("joined", room, callback),
    onRoomUserLeft: (room: string, callback: (data: RoomUserLeft) => void) => listen("left", room, callback),
    /** Sends all sockets of a user away; the creator of a room alone may. */
    async kickFromRoom(room: string, userId: string): Promise<void> {
      await held.ask<"done">(room, { type: "room.kick", room, userId });
    },
    /** One was sent away, or may be in the room no more. */
    onKicked: (room: string, callback: (data: RoomKicked) => void) => listen("kicked", room, callback),
    onRoomCreatorChanged: (room: string, callback: (data: RoomCreatorChanged) => void) =>
      listen("creator", room, callback),
    /** The room was joined anew after a break: messages may have been missed. */
    onRoomRejoined: (room: string, callback: (data: RoomRejoined) => void) =>
      listen("rejoined", room, callback),
    /** Another user, or the end of all: rooms are not taken along. */
    leaveAll(error: BaasixError): void {
      for (const room of held.names()) held.forget(room, error);
    },
    list: () => held.list("room"),
  };
}
