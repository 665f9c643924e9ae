/** What realtime offers to code: an embedding application, extensions, the server's own features. */
import type { RoomMember, RoomSummary } from "@baasix/types";
import type { RoomValidator } from "./gate";
import type { MessageHandler } from "./invoke";
import type { Scope } from "./scope";
import type { MayFollow } from "./topics";

/** `tenant`: whose rooms or topics are meant; null, the default, is the scope of those who act in none. */
export type InTenant = { readonly tenant?: Scope };

/** Calls of code. All of them reach sockets of all instances; registrations are of this instance alone. */
export type RealtimeFace = {
  /**
   * Decides who may enter rooms, presence and broadcast channels whose name begins with `prefix`. All whose prefix fits
   * must say `true`; they are asked again when rights change, when a validator is registered, and every minute.
   * Register before the server listens.
   */
  readonly registerRoomValidator: (prefix: string, validator: RoomValidator) => void;
  readonly unregisterRoomValidator: (prefix: string) => void;
  /** Answers `realtime.invoke(event, payload)`. @throws Error for a name that is taken or the system's own */
  readonly registerMessageHandler: (event: string, handler: MessageHandler) => void;
  readonly unregisterMessageHandler: (event: string) => void;
  /** Opens topics to those who may follow them; asked again as validators are. */
  readonly registerTopic: (prefix: string, mayFollow: MayFollow) => void;
  readonly unregisterTopic: (prefix: string) => void;
  /** Tells those who follow a topic. */
  readonly publishTo: (topic: string, event: string, payload: unknown, options?: InTenant) => void;
  /** Says something in a room as the server (`sender` holds nulls). `history: false`: it is not kept. */
  readonly broadcastToRoom: (
    room: string,
    event: string,
    payload: unknown,
    options?: InTenant & { readonly history?: boolean },
  ) => void;
  /** A notification to every socket that was let in, also of nobody in particular. */
  readonly broadcastToAll: (event: string, payload: unknown) => void;
  /** A notification to all sockets of a user; with `tenant`, to those that act in it. */
  readonly sendToUser: (userId: string, event: string, payload: unknown, options?: InTenant) => void;
  readonly getRoomMembers: (room: string, options?: InTenant) => readonly RoomMember[];
  readonly getRoomMemberCount: (room: string, options?: InTenant) => number;
  readonly roomExists: (room: string, options?: InTenant) => boolean;
  readonly getCustomRooms: (options?: InTenant & { readonly prefix?: string }) => readonly RoomSummary[];
  readonly kickFromRoom: (room: string, userId: string, options?: InTenant) => void;
  /** Sockets of this instance, rooms with members, and how many other instances live. */
  readonly getStats: () => {
    readonly sockets: number;
    readonly rooms: number;
    readonly instances: number;
  };
};
