/**
 * Frames of the WebSocket at `/realtime`: one JSON object a message. Protocol version 1.
 * The client gives each request an `id`; the answer carries it back.
 */
import type { ErrorCode } from "./errors";

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
  | {
      readonly type: "subscribe";
      readonly id: string;
      readonly collection: string;
      readonly filter?: { readonly [key: string]: unknown };
      readonly fields?: readonly string[];
    }
  | { readonly type: "unsubscribe"; readonly id: string; readonly subscription: string }
  | { readonly type: "ping"; readonly id: string };

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
  | { readonly type: "unsubscribed"; readonly id: string }
  | { readonly type: "pong"; readonly id: string }
  | ChangeFrame
  /**
   * Rights or the schema changed: what came under the name `subscription` comes under `to` from now on.
   * A `resync` of `to` follows.
   */
  | { readonly type: "renamed"; readonly subscription: string; readonly to: string }
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
  /** Commit time, ISO 8601. */
  readonly timestamp: string;
};
