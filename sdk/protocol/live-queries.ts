/** Frames of live queries: a list or an aggregate, and what becomes of it. */

/** Asks for a live query. Answer: `query.result`, or with `version` also `query.difference` or `query.unchanged`. */
export type QueryRequest = {
  readonly type: "query";
  readonly id: string;
  readonly collection: string;
  /** What `GET /items/{collection}` takes, aggregates included. */
  readonly query?: { readonly [parameter: string]: unknown };
  /** The version that the client has. */
  readonly version?: string;
};

/** What stands beside the rows of an answer, as in that of `GET /items`. */
export type LiveMeta = {
  readonly totalCount?: number;
  readonly nextCursor?: string | null;
  readonly truncated?: true;
};

/** A row, or `[start, count]`: so many rows of the answer before, from there on. */
export type LivePiece = { readonly [field: string]: unknown } | readonly [start: number, count: number];

/** `id`: of the request that a frame answers. Those without come unasked. */
export type QueryFrame =
  /** The whole answer. `subscription` names what follows. */
  | ({
      readonly type: "query.result";
      readonly id?: string;
      readonly subscription: string;
      readonly version: string;
      readonly data: readonly { readonly [field: string]: unknown }[];
    } & LiveMeta)
  /** The pieces of `data`, put together, are the rows of the new answer. What stands beside them replaces what stood there. */
  | ({
      readonly type: "query.difference";
      readonly id?: string;
      readonly subscription: string;
      /** The version that it begins with. */
      readonly from: string;
      readonly version: string;
      readonly data: readonly LivePiece[];
    } & LiveMeta)
  /** The answer is that of the version. */
  | {
      readonly type: "query.unchanged";
      readonly id?: string;
      readonly subscription: string;
      readonly version: string;
    }
  /** The answer may be out of date until the next frame of the query: the server cannot read at the moment. */
  | { readonly type: "query.stale"; readonly subscription: string; readonly reason: string };
