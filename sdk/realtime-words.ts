/** The words of the realtime state machine: what it knows, what can happen, what is to be done. */
import type {
  ChangeAction,
  ChangeFrame,
  ClientFrame,
  ErrorCode,
  ItemId,
  QueryRequest,
  ServerFrame,
} from "@baasix/types";
import type { LiveAnswer } from "./live-answer";

/** What a subscription watches. */
export type View = {
  readonly collection: string;
  readonly key?: ItemId;
  readonly filter?: { readonly [key: string]: unknown };
  readonly fields?: readonly string[];
  readonly events?: readonly ChangeAction[];
};

/** What a live query asks. */
export type LiveAsk = Pick<QueryRequest, "collection" | "query">;

/** A view whose changes are followed, or a query whose answer is; the other one is null. */
export type Entry = {
  readonly view: View | null;
  readonly query: LiveAsk | null;
  /** What there is of the query's answer, also while it is asked for again. */
  readonly answer: LiveAnswer | null;
  /** The unanswered request; of several in one frame, with the place behind it. */
  readonly request: string | null;
  /** The server's name for the subscription, while it stands. */
  readonly subscription: string | null;
  /** Whether it stood before: changes may have been missed since. */
  readonly stood: boolean;
};

/**
 * `off`: not wanted. `asking`: for a token. `opening`, `proving`: under way. `ready`: frames flow.
 * `waiting`: until the next attempt.
 */
export type Phase = "off" | "asking" | "opening" | "proving" | "ready" | "waiting";

export type RealtimeState = {
  readonly phase: Phase;
  /** Connected on demand of the caller, not only of subscriptions. */
  readonly explicit: boolean;
  /** Rooms, channels or requests need the connection. */
  readonly held: boolean;
  /** Attempts since frames last flowed for a while. */
  readonly attempt: number;
  readonly proof: Proof | null;
  /** The token was refused: a renewed one is to be tried, or is being tried. */
  readonly renew: boolean;
  /** A sign of life was asked for, and has not come yet. */
  readonly asked: boolean;
  readonly nextId: number;
  readonly entries: ReadonlyMap<string, Entry>;
};

/** A token to prove with (null: anonymous), or the cookie that the browser sends along. */
export type Proof = { readonly token: string | null; readonly cookie: boolean };

export type TimerName = "deadline" | "retry" | "ping" | "pong" | "idle" | "resubscribe";

/** What is to be followed from now on, by a key of the client's own. */
export type Addition =
  { readonly key: string; readonly view: View } | { readonly key: string; readonly query: LiveAsk };

/** What can happen. `random` is in [0, 1). */
export type RealtimeEvent =
  | { readonly type: "start" | "stop" | "nudge" | "identity" | "anew" | "opened" }
  | ({ readonly type: "add" } & Addition)
  | { readonly type: "addAll"; readonly added: readonly Addition[] }
  | { readonly type: "remove" | "refresh"; readonly key: string }
  | { readonly type: "hold"; readonly held: boolean }
  /** A frame that is no subscription's; sent only while frames flow. */
  | { readonly type: "send"; readonly frame: ClientFrame }
  | { readonly type: "proof"; readonly proof: Proof }
  | {
      readonly type: "noProof";
      readonly retryable: boolean;
      readonly message: string;
      readonly random: number;
    }
  | { readonly type: "closed"; readonly code: number; readonly random: number }
  | { readonly type: "impossible"; readonly message: string }
  | { readonly type: "frame"; readonly frame: ServerFrame }
  | { readonly type: "timer"; readonly name: TimerName };

/** What to do about it. `renew`: the last token was refused. `key: null`: the connection itself. */
export type RealtimeEffect =
  | { readonly type: "ask"; readonly renew: boolean }
  | { readonly type: "open" }
  | { readonly type: "close" }
  | { readonly type: "send"; readonly frame: ClientFrame }
  | { readonly type: "wait"; readonly name: TimerName; readonly ms: number }
  | { readonly type: "cancel"; readonly name: TimerName }
  | { readonly type: "connection"; readonly connected: boolean }
  | { readonly type: "live"; readonly key: string; readonly primaryKey: string }
  /** A frame that concerns no subscription. */
  | { readonly type: "frame"; readonly frame: ServerFrame }
  | { readonly type: "change"; readonly key: string; readonly change: ChangeFrame }
  | { readonly type: "resync"; readonly key: string; readonly reason: string }
  /** The answer of a live query; the same object where it is still the one that was there. */
  | { readonly type: "answer"; readonly key: string; readonly answer: LiveAnswer }
  | { readonly type: "stale"; readonly key: string }
  /** The server has ended a subscription for a reason that may pass: it will be asked for again. */
  | { readonly type: "ended"; readonly key: string }
  | {
      readonly type: "failed";
      readonly key: string | null;
      readonly code: ErrorCode;
      readonly message: string;
    };

/** Milliseconds. */
export const delays = {
  /** From opening to being let in. */
  deadline: 10_000,
  /** Of silence until the server is asked for a sign of life, and until it must have given one. */
  ping: 25_000,
  pong: 10_000,
  /** The connection outlives its last subscription by this. */
  idle: 5_000,
  /** Until a subscription is tried again that was refused for a passing reason. */
  resubscribe: 2_000,
  firstRetry: 500,
  lastRetry: 30_000,
} as const;

/** The ids of requests that are no subscription's begin so. */
export const requestPrefix = "r";

/** A next state, and what to do to get there. */
export type Step = [RealtimeState, RealtimeEffect[]];

export const initialState: RealtimeState = {
  phase: "off",
  explicit: false,
  held: false,
  attempt: 0,
  proof: null,
  renew: false,
  asked: false,
  nextId: 1,
  entries: new Map(),
};
