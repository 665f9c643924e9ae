/**
 * Frames of the WebSocket at `/realtime`: one JSON object a message. Protocol version 1.
 * The client gives each request an `id`; the answer carries it back.
 */
import type { ErrorCode } from "./errors";

export const realtimeVersion = 1;

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
  | {
      readonly type: "connected";
      readonly id: string;
      readonly userId: string | null;
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
  /** Changes may have been missed: read again. `subscription: null` means all of them. */
  | { readonly type: "resync"; readonly subscription: string | null; readonly reason: string }
  | {
      readonly type: "error";
      readonly id: string | null;
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
