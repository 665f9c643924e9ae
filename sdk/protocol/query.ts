/** The query language as it travels: plain objects that may be written by hand or made by the SDK's builder. */

/** A JSON value. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Filter operators that are understood, without their aliases (`neq` = `ne`, `iLike` = `ilike`, `nin` = `notIn`). */
export type FilterOperators<Value> = {
  readonly eq?: Value | null;
  readonly ne?: Value | null;
  readonly neq?: Value | null;
  readonly gt?: Value;
  readonly gte?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
  readonly in?: readonly Value[];
  readonly notIn?: readonly Value[];
  readonly nin?: readonly Value[];
  readonly like?: string;
  readonly notLike?: string;
  readonly ilike?: string;
  readonly iLike?: string;
  readonly notILike?: string;
  readonly startsWith?: string;
  readonly endsWith?: string;
  readonly contains?: string;
  readonly between?: readonly [Value, Value];
  readonly notBetween?: readonly [Value, Value];
  readonly isNull?: boolean;
  readonly isNotNull?: boolean;
};

type Present<T> = Exclude<T, null | undefined>;

/** The condition on one field: a bare value means `eq`. A related item takes a nested filter. */
export type FieldFilter<Value> = [Present<Value>] extends [readonly (infer Item)[]]
  ? Item extends object
    ? Filter<Item>
    : FilterOperators<Value> | Value
  : Present<Value> extends Date
    ? FilterOperators<Value | string> | Value | string
    : Present<Value> extends object
      ? Filter<Present<Value>> | FilterOperators<unknown>
      : FilterOperators<Present<Value>> | Value | `$${string}`;

/**
 * A filter: several keys are AND-ed, also beside `AND`, `OR` and `NOT`.
 * Dotted keys (`"author.name"`) reach through relations.
 */
export type Filter<Item = GenericItem> = {
  readonly [Key in keyof Item]?: FieldFilter<Item[Key]>;
} & {
  readonly AND?: readonly Filter<Item>[];
  readonly OR?: readonly Filter<Item>[];
  readonly NOT?: Filter<Item>;
} & { readonly [path: `${string}.${string}`]: unknown };

/** An item of which nothing is known at compile time. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one place where an untyped item may be anything
export type GenericItem = Record<string, any>;

/** `asc` or `desc`, in any letter case. */
export type SortDirection = "asc" | "desc" | "ASC" | "DESC";

/**
 * Sort order. Documented spellings: `{createdAt: "desc"}`, `["-createdAt", "name"]`, `"-createdAt,name"`,
 * `"createdAt:desc"`. Null sorts as PostgreSQL does: last ascending, first descending.
 */
export type Sort<Item = GenericItem> =
  | { readonly [Key in (keyof Item & string) | `${string}.${string}`]?: SortDirection }
  | readonly string[]
  | string;

/** Parameters of a list read. `limit` defaults to 100, at most 1,000; `-1` is the maximum. `page` starts at 1. */
export type Query<Item = GenericItem> = {
  readonly fields?: readonly string[] | string;
  readonly filter?: Filter<Item>;
  readonly sort?: Sort<Item>;
  readonly limit?: number;
  readonly page?: number;
  readonly offset?: number;
  /** `false` includes soft-deleted items of a `paranoid` collection. */
  readonly paranoid?: boolean;
};

/** Answer of a list read. `totalCount` counts the matching items before paging. */
export type ListResult<Item> = { readonly data: Item[]; readonly totalCount: number };
