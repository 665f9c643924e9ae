/**
 * Frames of the WebSocket at `/realtime`: one JSON object a message. Protocol version 1.
 * The client gives each request an `id`; the answer carries it back.
 */
import type { ErrorCode } from "./errors";
import type { QueryFrame, QueryRequest } from "./live-queries";
import type { ItemId } from "./items";

export const realtimeVersion = 1;

/** Close codes: those of RFC 6455 that the server sends, and our own. */
export const closeCodes = {
  /** The server stops. */
  goingAway: 1001,
  /** A message of more than 256 KiB. */
  tooBig: 1009,
  /** The server cannot tell at the moment (its database is away): connect again later. */
  tryAgain: 1013,
  /** Another protocol version, or a client that does not speak it. */
  protocol: 4400,
  /** Nobody proved who they are in time, or the proof has ended: renew the token and connect again. */
  unauthorized: 4401,
  /** Too many sockets or messages: wait before the next attempt. */
  tooMany: 4429,
} as const;

/** Kinds of change, as in the payloads of collections. */
export type ChangeAction = "create" | "update" | "delete";

export type ClientFrame =
  /** First frame, unless the upgrade request carried a token. `token: null` means anonymous. */
  | {
      readonly type: "authenticate";
      readonly id: string;
      readonly token: string | null;
      readonly version: number;
    }
  | ({ readonly type: "subscribe"; readonly id: string } & SubscriptionRequest)
  /** Several at once. Answer: `subscribed.many`. */
  | {
      readonly type: "subscribe.many";
      readonly id: string;
      readonly subscriptions: readonly SubscriptionRequest[];
    }
  | QueryRequest
  | { readonly type: "unsubscribe"; readonly id: string; readonly subscription: string }
  | { readonly type: "ping"; readonly id: string }
  | RoomRequest
  | PresenceRequest
  | BroadcastRequest
  /** Calls a handler of the server. Answer: `result`. */
  | { readonly type: "invoke"; readonly id: string; readonly event: string; readonly payload?: unknown }
  /** Events that the server's own code publishes, such as the progress of a job. Answer: `done`. */
  | { readonly type: "topic.follow" | "topic.unfollow"; readonly id: string; readonly topic: string };

/** What to watch of a collection. */
export type SubscriptionRequest = {
  readonly collection: string;
  /** One item alone, by its primary key. */
  readonly key?: ItemId;
  readonly filter?: { readonly [key: string]: unknown };
  readonly fields?: readonly string[];
  /** Kinds of change to be told of; all unless given. */
  readonly events?: readonly ChangeAction[];
};

/** Rooms: members see each other, messages are kept for those who come later. */
export type RoomRequest =
  /** Answer: `room.joined`. `metadata` is shown to the other members. */
  | {
      readonly type: "room.join";
      readonly id: string;
      readonly room: string;
      readonly metadata?: Profile;
    }
  /** Answer: `done`. */
  | { readonly type: "room.leave"; readonly id: string; readonly room: string }
  /** Members only. Answer: `room.members`. */
  | { readonly type: "room.members"; readonly id: string; readonly room: string }
  /** Rooms that one may join. Answer: `room.list`. */
  | { readonly type: "room.list"; readonly id: string; readonly prefix?: string }
  /** Members only; the sender hears it, too. `history: false`: not kept. Answer: `done`. */
  | {
      readonly type: "room.send";
      readonly id: string;
      readonly room: string;
      readonly event: string;
      readonly payload?: unknown;
      readonly history?: boolean;
    }
  /** The room's creator only: all sockets of that user leave. Answer: `done`. */
  | { readonly type: "room.kick"; readonly id: string; readonly room: string; readonly userId: string };

/** Presence: who is there, each with a state of its own that may change. */
export type PresenceRequest =
  /** Answer: `presence.state`; then `presence.changed`. */
  | { readonly type: "presence.subscribe"; readonly id: string; readonly channel: string }
  /** Shows this socket to those who are subscribed, or changes its state. Answer: `done`. */
  | {
      readonly type: "presence.track";
      readonly id: string;
      readonly channel: string;
      readonly state: Profile;
    }
  | {
      readonly type: "presence.untrack" | "presence.unsubscribe";
      readonly id: string;
      readonly channel: string;
    };

/** Broadcast: messages between clients, kept nowhere. All answers: `done`. */
export type BroadcastRequest =
  | {
      readonly type: "broadcast.subscribe" | "broadcast.unsubscribe";
      readonly id: string;
      readonly channel: string;
    }
  /** To those who are subscribed; needs a subscription. `self`: to the sender, too. */
  | {
      readonly type: "broadcast.send";
      readonly id: string;
      readonly channel: string;
      readonly event: string;
      readonly payload?: unknown;
      readonly self?: boolean;
    };

/** What a member shows of itself: at most 4 KiB as JSON. */
export type Profile = { readonly [key: string]: unknown };

/** Who sent a message, stamped by the server. Both null: the server itself. */
export type Sender = { readonly userId: string | null; readonly socketId: string | null };

/** A message of a room, as it comes and as it is kept. `timestamp` is ISO 8601, of the server that took it. */
export type RoomMessage = {
  readonly messageId: string;
  readonly event: string;
  readonly payload: unknown;
  readonly sender: Sender;
  readonly timestamp: string;
};

/** A socket in a room. */
export type RoomMember = {
  readonly socketId: string;
  readonly userId: string;
  readonly isCreator: boolean;
  readonly metadata: Profile;
};

/** A room in a list; members are counted by sockets. */
export type RoomSummary = { readonly name: string; readonly memberCount: number };

/** A socket that is present. */
export type PresenceMember = { readonly socketId: string; readonly userId: string; readonly state: Profile };

/**
 * Names of events that clients may not give to their messages: those of the system, in any letter case, so that nobody
 * can look like the server wherever events are told apart by name.
 */
export const reservedEvents =
  /^(user:.*|room:.*|presence:.*|broadcast:.*|system:.*|baasix:.*|joined|left|kicked|sync|join|leave|creator:changed|connect|connected|connect_error|disconnect|disconnected|disconnecting|error|newlistener|removelistener)$/i;

export type ServerFrame =
  /**
   * `id` null: the upgrade request carried the credential, and nothing was asked. `socketId` names this connection to
   * others.
   */
  | {
      readonly type: "connected";
      readonly id: string | null;
      readonly userId: string | null;
      readonly socketId: string;
      readonly version: number;
    }
  /** Answer to `subscribe`; `subscription` names the changes that follow, `primaryKey` the field that tells items apart. */
  | {
      readonly type: "subscribed";
      readonly id: string;
      readonly subscription: string;
      readonly primaryKey: string;
    }
  /** Answer to `subscribe.many`, one for each in order: the subscription, or why there is none. */
  | {
      readonly type: "subscribed.many";
      readonly id: string;
      readonly subscriptions: readonly (
        | { readonly subscription: string; readonly primaryKey: string }
        | { readonly code: ErrorCode; readonly message: string }
      )[];
    }
  | QueryFrame
  | { readonly type: "unsubscribed"; readonly id: string }
  | { readonly type: "pong"; readonly id: string }
  | ChangeFrame
  /**
   * Rights or the schema changed: what came under the name `subscription` comes under `to` from now on.
   * A `resync` of `to` follows.
   */
  | { readonly type: "renamed"; readonly subscription: string; readonly to: string }
  /** The answer to what needs no other one. */
  | { readonly type: "done"; readonly id: string }
  /** The answer to `invoke`: what the handler gave. */
  | { readonly type: "result"; readonly id: string; readonly data: unknown }
  | RoomFrame
  | PresenceFrame
  | ({ readonly type: "broadcast.message"; readonly channel: string } & Omit<RoomMessage, "messageId">)
  /** The server's word to this user, or to all. */
  | {
      readonly type: "notification";
      readonly event: string;
      readonly payload: unknown;
      readonly timestamp: string;
    }
  | {
      readonly type: "topic.event";
      readonly topic: string;
      readonly event: string;
      readonly payload: unknown;
      readonly timestamp: string;
    }
  /** What was subscribed under that name has ended: the right to it is gone, or the user is another one. */
  | {
      readonly type: "ended";
      readonly kind: "presence" | "broadcast" | "topic";
      readonly name: string;
      readonly reason: string;
    }
  /** Changes may have been missed: read again. `subscription: null` means all of them. */
  | { readonly type: "resync"; readonly subscription: string | null; readonly reason: string }
  /** `subscription`: it has ended, because its right, its fields or its collection are gone. */
  | {
      readonly type: "error";
      readonly id: string | null;
      readonly subscription?: string;
      readonly code: ErrorCode;
      readonly message: string;
    };

export type RoomFrame =
  /** Answer to `room.join`: what was said before, the oldest first (at most 200 messages of the last 24 hours). */
  | {
      readonly type: "room.joined";
      readonly id: string;
      readonly room: string;
      readonly history: readonly RoomMessage[];
    }
  | {
      readonly type: "room.members";
      readonly id: string;
      readonly room: string;
      readonly members: readonly RoomMember[];
    }
  | { readonly type: "room.list"; readonly id: string; readonly rooms: readonly RoomSummary[] }
  /** `ephemeral`: it is not kept. */
  | ({ readonly type: "room.message"; readonly room: string; readonly ephemeral?: true } & RoomMessage)
  | {
      readonly type: "room.user.joined";
      readonly room: string;
      readonly userId: string;
      readonly socketId: string;
      readonly metadata: Profile;
      readonly timestamp: string;
    }
  | {
      readonly type: "room.user.left";
      readonly room: string;
      readonly userId: string;
      readonly socketId: string;
      readonly timestamp: string;
    }
  /** This socket is no member any more. `kickedBy` null: by the server, because a right has ended. */
  | {
      readonly type: "room.kicked";
      readonly room: string;
      readonly kickedBy: string | null;
      readonly reason: string;
    }
  | { readonly type: "room.creator"; readonly room: string; readonly newCreatorUserId: string };

export type PresenceFrame =
  /** Answer to `presence.subscribe`. */
  | {
      readonly type: "presence.state";
      readonly id: string;
      readonly channel: string;
      readonly members: readonly PresenceMember[];
    }
  /** What became of the members since: those that came or have another state, and those that went. */
  | {
      readonly type: "presence.changed";
      readonly channel: string;
      readonly joined: readonly PresenceMember[];
      readonly updated: readonly PresenceMember[];
      readonly left: readonly PresenceMember[];
    };

/**
 * A change of an item inside the subscriber's view. An item that enters the view is a `create`,
 * one that leaves it a `delete` whose `data` holds the primary key alone.
 */
export type ChangeFrame = {
  readonly type: "change";
  readonly subscription: string;
  readonly action: ChangeAction;
  readonly collection: string;
  readonly data: { readonly [field: string]: unknown };
  /** With an update: the item's own fields as they were before, as far as they are shown. */
  readonly _old?: { readonly [field: string]: unknown };
  /** Commit time, ISO 8601. */
  readonly timestamp: string;
};
