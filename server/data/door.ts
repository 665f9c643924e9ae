/** THE DOOR TO ROWS, as features see it. `data.ts` implements it; there is no other way to a row. */
import type { Action, Explanation, ItemId, Query } from "@baasix/types";
import type { Actor } from "../core/access/actor";

/**
 * A list read: `json` is the text of a JSON array, built by PostgreSQL and passed through untouched. `totalCount` is null
 * when none was asked for, and a guess when `estimated`. `truncated`: a list inside an item reached its bound
 * (`listLimit`), there may be more of it. `nextCursor` is there on a walk by cursor: null behind the last page.
 */
export type ReadAnswer = {
  readonly json: string;
  readonly totalCount: number | null;
  readonly estimated: boolean;
  readonly truncated: boolean;
  readonly nextCursor?: string | null;
};

/** One item as JSON text; `truncated` as in `ReadAnswer`. `version`: another one after each change of the row (digits). */
export type ReadOneAnswer = { readonly json: string; readonly truncated: boolean; readonly version: string };

/** A field → value object to write. Values as they came over the wire. */
export type WriteBody = { readonly [field: string]: unknown };

/** Reads and writes rows for an actor, through parse → plan → authorize → compile → run. All throw AppError. */
export type Rows = {
  /** Lists items. An aborted `signal` cancels the statement. `query` is checked: unknown names and operators are refused. */
  readonly read: (
    actor: Actor,
    collection: string,
    query: RawQuery,
    signal?: AbortSignal,
  ) => Promise<ReadAnswer>;
  /** One item as JSON text. A row that is missing or not visible is NOT_FOUND. */
  readonly readOne: (
    actor: Actor,
    collection: string,
    id: ItemId,
    query?: RawQuery,
  ) => Promise<ReadOneAnswer>;
  /**
   * Creates items, all or none; gives their primary keys in order. `stamp`: columns that the server itself knows (a
   * file's type and size); the actor needs no right to write them, its conditions are checked on the row with them.
   */
  readonly create: (
    actor: Actor,
    collection: string,
    bodies: readonly WriteBody[],
    stamp?: WriteBody,
  ) => Promise<readonly ItemId[]>;
  /** Changes items, all or none; NOT_FOUND when any is missing or not visible. Gives the keys in the order of the entries. */
  readonly update: (
    actor: Actor,
    collection: string,
    entries: readonly UpdateEntry[],
  ) => Promise<readonly ItemId[]>;
  /**
   * Changes every item that matches the filter, in one statement; gives their keys, none when none matched.
   * @throws AppError INVALID_QUERY for a filter that all items meet: `{}` never means all of them.
   */
  readonly updateWhere: (
    actor: Actor,
    collection: string,
    filter: unknown,
    data: WriteBody,
  ) => Promise<readonly ItemId[]>;
  /** Deletes items (softly, where the collection is paranoid), all or none. */
  readonly remove: (
    actor: Actor,
    collection: string,
    ids: readonly ItemId[],
    options?: RemoveOptions & { readonly version?: string },
  ) => Promise<readonly ItemId[]>;
  /** Deletes every item that matches the filter, in one statement; gives their keys. The filter as with `updateWhere`. */
  readonly removeWhere: (
    actor: Actor,
    collection: string,
    filter: unknown,
    options?: RemoveOptions,
  ) => Promise<readonly ItemId[]>;
  /**
   * Brings softly deleted items back, all or none; those that are not deleted stay as they are. Needs the right to update
   * the field `deletedAt`, on the rows that the right is for.
   * @throws AppError INVALID_QUERY where the collection keeps no deleted items, NOT_FOUND
   */
  readonly restore: (actor: Actor, collection: string, ids: readonly ItemId[]) => Promise<readonly ItemId[]>;
  /**
   * Creates the items that are not there and changes those that are; two callers with the same target never make two.
   * Each needs the right for what happens to it. Gives one entry for each body, in order. A filter takes one body.
   * @throws AppError INVALID_QUERY for `on` that is not unique, CONFLICT when the filter matches several items.
   */
  readonly upsert: (
    actor: Actor,
    collection: string,
    target: UpsertTarget,
    bodies: readonly WriteBody[],
  ) => Promise<readonly Upserted[]>;
};

/**
 * One item to change. `version`: of the row (`readOne` tells it), which must still stand, else PRECONDITION_FAILED; or
 * several with commas between, of which one must.
 */
export type UpdateEntry = { readonly id: ItemId; readonly data: WriteBody; readonly version?: string };

/** An item that goes right before or behind another one, in the order of the field `sort`. */
export type Move = { readonly item: ItemId; readonly to: ItemId; readonly mode: "before" | "after" };

/** `permanent`: deletes really, also items that were deleted softly before. */
export type RemoveOptions = { readonly permanent?: true };

/** What names an item to upsert: fields that are unique together, whose values each body gives; or a filter. */
export type UpsertTarget = { readonly on: readonly string[] } | { readonly filter: unknown };

/** What became of one body of an upsert. */
export type Upserted = { readonly id: ItemId; readonly created: boolean };

/** Rows as parsed values, for the server's own features. Same door, `JSON.parse` at the end. */
export type Data = Rows & {
  /** First match or null. Typed by the caller, who names the fields. */
  readonly find: <T>(actor: Actor, collection: string, query: RawQuery) => Promise<readonly T[]>;
  /**
   * Refuses an actor without any right for the action (on those `fields` together), before there is a row to judge: an
   * upload is not read then.
   * @throws AppError FORBIDDEN or UNKNOWN_COLLECTION. Passing promises nothing about a certain row.
   */
  readonly requireRight: (
    actor: Actor,
    collection: string,
    action: Action,
    fields?: readonly string[],
  ) => void;
  /**
   * Every item that matches, in batches of JSON texts; the pages of a list without its bounds. `limit` bounds the whole.
   * An aborted `signal` ends it. Its end gives the names of what each item shows, of no items too.
   */
  readonly stream: (
    actor: Actor,
    collection: string,
    query: RawQuery,
    signal?: AbortSignal,
  ) => AsyncGenerator<readonly string[], readonly string[]>;
  /**
   * What the rules make of a read, for an administrator and about any caller; see `explain.ts`.
   * @throws AppError FORBIDDEN to anybody else
   */
  readonly explain: (asker: Actor, caller: ExplainedCaller, read: ExplainedRead) => Promise<Explanation>;
  /**
   * Deletes the entries of the audit log from before a time; gives how many. For the server itself alone.
   * @throws AppError FORBIDDEN
   */
  readonly removeEntries: (actor: Actor, before: Date) => Promise<number>;
  /**
   * Several writes and reads in one transaction, of 60 s at most. Listeners run after the commit. Inside another one it is a
   * part of that, and `options` say nothing.
   */
  readonly transaction: <T>(work: (rows: Data) => Promise<T>, options?: TransactionOptions) => Promise<T>;
  /**
   * Moves an item next to another one; those between, as far as the actor may update them, hand on their places. Gives the
   * item's place. Needs the right to update `sort` of what changes, and to read that of the other item.
   * @throws AppError BAD_REQUEST where the collection has no order, NOT_FOUND; CONFLICT when only items that the actor may
   * not update could make way
   */
  readonly move: (actor: Actor, collection: string, move: Move) => Promise<number | null>;
  /**
   * The items take, in this order, the places that they hold together; gives their keys. Of none, inside a transaction, those
   * who sort the collection wait for its end from here on. Errors as `move`.
   */
  readonly reorder: (actor: Actor, collection: string, ids: readonly ItemId[]) => Promise<readonly ItemId[]>;
  /**
   * Inside a transaction: those who hold the same name follow one another, each to the end of its transaction. What is read from
   * here on is as the ones before left it.
   */
  readonly hold: (name: string) => Promise<void>;
  /** Runs `work` so that its failure undoes what it did and no more: inside a transaction that goes on then. */
  readonly attempt: <T>(work: (rows: Data) => Promise<T>) => Promise<T>;
  /** Calls before each write is parsed, in the order of registration; a callback that throws refuses the write. */
  readonly beforeWrite: (listener: (write: PendingWrite) => void) => void;
  /**
   * Has one feature take part in the creates and updates of a collection by anyone but the server, and with `deletes` in those
   * by key: in bodies that mean more than columns. Asked inside the write's transaction, once the actor is known to have some
   * right for it.
   */
  readonly joinWrites: (collection: string, join: WriteJoin, options?: { readonly deletes?: true }) => void;
  /** Calls back after each commit with the collections that were written, before the writer is answered. */
  readonly onWrite: (listener: (write: CommittedWrite) => Promise<void> | void) => void;
};

/**
 * `pool: "slow"`: of long work, which takes its connection from there. An aborted `signal` ends the transaction. `guest`:
 * for callers of whom there may be any number, who share half of the connections.
 */
export type TransactionOptions = {
  readonly pool?: "slow";
  readonly signal?: AbortSignal;
  readonly guest?: boolean;
};

/** A write that is about to be judged: bodies of creates and updates, ids of updates and deletes (none: by filter). */
export type PendingWrite = {
  readonly actor: Actor;
  readonly collection: string;
  readonly action: Exclude<Action, "read">;
  readonly ids: readonly ItemId[];
  readonly bodies: readonly WriteBody[];
};

/** Gives the bodies to write, one for each that came, and what is to follow in the same transaction, with the keys. */
export type WriteJoin = (write: PendingWrite, rows: Data) => Promise<JoinedWrite>;

/** `after` gets the keys that were written: in the order of the bodies, but for upserts, which create some of them. */
export type JoinedWrite = {
  readonly bodies: readonly WriteBody[];
  readonly after?: (ids: readonly ItemId[]) => Promise<void>;
};

/** What a commit wrote. */
export type CommittedWrite = {
  readonly collection: string;
  readonly action: Exclude<Action, "read">;
  readonly ids: readonly ItemId[];
};

/** A query as it came: query-string values (text, or text that holds JSON) or plain values. `parse` judges it. */
export type RawQuery = { readonly [Key in keyof Query]?: unknown };

/** About whom it is asked. `unknown`: the actor stands for a role, its account is nobody's. */
export type ExplainedCaller = { readonly actor: Actor; readonly unknown: boolean };

/** A read to explain; `id`: by key, else null. */
export type ExplainedRead = {
  readonly collection: string;
  readonly query: RawQuery;
  readonly id: ItemId | null;
};
