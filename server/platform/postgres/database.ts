/** The database as the rest of the server sees it. `pool.ts` implements it over `bun:sql`. */
import type { Statement } from "../../core/query/statement";

/** A row as an array of driver values, in the order of the select list. */
export type Row = readonly unknown[];

/** Runs statements, each alone or inside one transaction. */
export type Runner = {
  /**
   * Runs one statement and gives its rows.
   * @throws AppError mapped from SQLSTATE (see `sqlstate.ts`).
   */
  readonly run: (statement: Statement, options?: RunOptions) => Promise<readonly Row[]>;
};

/**
 * `pool: "slow"` is for anything that may take long (reports, exports, schema changes): 300 s a statement. Default
 * `"short"`: 15 s. `timeout` (ms) makes it shorter, to about 100 ms. Both it and `signal` cancel the statement.
 */
export type RunOptions = {
  readonly pool?: "short" | "slow";
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  /** For callers of whom there may be any number: they share half of the pool, and wait for each other before they do for it. */
  readonly guest?: boolean;
  /**
   * A statement that may write many rows. Of the short pool such statements and transactions share six in ten, so that single
   * short statements never wait until they have passed.
   */
  readonly long?: boolean;
};

/** Runs statements inside one transaction. */
export type TransactionRunner = Runner & {
  /** Runs `work` so that, when it throws, what it did is undone and the transaction goes on. */
  readonly savepoint: <T>(work: () => Promise<T>) => Promise<T>;
};

export type Database = Runner & {
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws.
   * Never take a second connection inside. Waits at most 10 s for a connection (UNAVAILABLE), lasts at most 60 s.
   * After a deadlock or serialization failure `work` is called again, at most 3 times: it must start from scratch.
   */
  readonly transaction: <T>(
    work: (runner: TransactionRunner) => Promise<T>,
    options?: RunOptions,
  ) => Promise<T>;
  /** True while the last contact succeeded; costs no query. */
  readonly healthy: () => boolean;
  /** Server version as PostgreSQL reports it, e.g. `18.4`. */
  readonly version: string;
  readonly close: () => Promise<void>;
};

/** How to reach a server: a URL, or the socket directory of the embedded one. */
export type DatabaseAddress =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "socket"; readonly directory: string; readonly user: string; readonly database: string };

/** A committed change of one row. `before` is whole with REPLICA IDENTITY FULL, else the key or null. Values are PostgreSQL text. */
export type RowChange = {
  readonly table: string;
  readonly action: "create" | "update" | "delete";
  readonly before: { readonly [column: string]: string | null } | null;
  readonly after: { readonly [column: string]: string | null } | null;
};

/**
 * One transaction, whole and in commit order. `committedAt` in milliseconds since 1970. When it is told, every new
 * statement sees what it committed.
 */
export type ChangeSet = { readonly changes: readonly RowChange[]; readonly committedAt: number };

/**
 * `log`: logical decoding. `triggers`: in its place. `off`: neither is allowed. `reason` says why it is not the log, or not
 * connected. `slot`: what is read; `blind`: what is not told in place of the log.
 */
export type FeedStatus = {
  readonly source: "log" | "triggers" | "off";
  readonly connected: boolean;
  readonly reason: string | null;
  readonly slot?: string;
  readonly blind?: readonly string[];
};

/** The feed of committed changes, taken from the PostgreSQL log. */
export type ChangeFeed = {
  readonly publication: string;
  readonly status: () => FeedStatus;
  /**
   * Calls back per committed transaction that changed a table the listener `wants` (asked for each transaction;
   * without it all). What nobody wants costs next to nothing. Returns the function that stops.
   */
  readonly onChanges: (listener: (set: ChangeSet) => void, wants?: (table: string) => boolean) => () => void;
  /**
   * Calls back when changes may have been missed: after every connection of the stream, the first one too, and for
   * a transaction that is not told row by row (a TRUNCATE, or more than 10,000 rows). `tables`: where; null: anywhere.
   */
  readonly onGap: (listener: (reason: string, tables: ReadonlySet<string> | null) => void) => () => void;
  /**
   * A table is wanted from now on that was not before. Call it before it is read: a change that the log has told already, and nobody
   * can see yet, becomes a gap.
   */
  readonly watching: (table: string) => void;
  /** Tries at once again what would be tried later. */
  readonly retry: () => void;
  readonly close: () => Promise<void>;
};
