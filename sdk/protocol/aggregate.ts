/** Aggregates as they travel: what is worked out of many items, in all or by group. */
import type { Filter } from "./filter";
import type { ValueAt, ValuePath } from "./paths";
import type { Choice, CountMode } from "./query";
import type { SortDirection } from "./sort";
import type { GenericItem, NumberText } from "./values";

/** `distinct` counts different values, `array_agg` lists all of them. */
export type AggregateFunction = "count" | "sum" | "avg" | "min" | "max" | "distinct" | "array_agg";

/** One value to work out. `field` is needed by all but `count`, which without it (or with `*`) counts items. */
export type Aggregate<Item = GenericItem> = {
  readonly function: AggregateFunction;
  readonly field?: ValuePath<Item> | "*";
};

/** Values to work out, by the names that they get. */
export type Aggregates<Item = GenericItem> = { readonly [alias: string]: Aggregate<Item> };

/** A part of a date that groups can be made of; any that EXTRACT of PostgreSQL knows. */
export type DatePart =
  | "year"
  | "quarter"
  | "month"
  | "week"
  | "day"
  | "hour"
  | "minute"
  | "dow"
  | "doy"
  | "isodow"
  | (string & {});

/** What groups are made of: a column, a path, or `date:month:createdAt`. */
export type GroupTerm<Item = GenericItem> = ValuePath<Item> | `date:${DatePart}:${ValuePath<Item>}`;

/**
 * Parameters of an aggregate. `having` and `sort` speak of the aliases and of the groups. `groupBy` alone gives the
 * different values. Without `limit` there are up to 1,000 groups.
 */
export type AggregateQuery<
  Item = GenericItem,
  Values extends Aggregates<Item> = Aggregates<Item>,
  Groups extends readonly GroupTerm<Item>[] = readonly GroupTerm<Item>[],
  Exact extends boolean = boolean,
> = Choice<Item> & {
  readonly aggregate?: Values;
  readonly groupBy?: Groups;
  readonly having?: Filter<{ readonly [Alias in keyof Values]: AggregateValue<Item, Values[Alias], Exact> }>;
  readonly sort?:
    | { readonly [Key in (keyof Values & string) | Groups[number]]?: SortDirection }
    | readonly string[]
    | string;
  readonly limit?: number;
  readonly page?: number;
  readonly offset?: number;
  readonly count?: CountMode;
  /** Sums and averages of Decimal and BigInt with every digit, as text; default false: numbers. */
  readonly exact?: Exact;
};

/** The type of one worked-out value; null where there was nothing to work with. */
export type AggregateValue<Item, Value, Exact extends boolean> = Value extends {
  readonly function: "count" | "distinct";
}
  ? number
  : Value extends { readonly function: infer Name; readonly field: infer Path extends string }
    ? Name extends "sum" | "avg"
      ? Summed<ValueAt<Item, Path>, Exact> | null
      : Name extends "array_agg"
        ? ValueAt<Item, Path>[] | null
        : ValueAt<Item, Path> | null
    : unknown;

type Summed<Value, Exact extends boolean> = Exact extends true
  ? NumberText extends Value
    ? NumberText
    : number
  : number;

/** The parts of a group: a path also stands under its name with `_`, a part of a date under `year_createdAt` too. */
export type GroupValues<Item, Term extends string> = string extends Term
  ? { readonly [key: string]: unknown }
  : { readonly [Key in Term as Key | Underscored<Key>]: GroupValue<Item, Key> };

type GroupValue<Item, Term extends string> = Term extends `date:${string}`
  ? number | null
  : ValueAt<Item, Term> | (Term extends `${string}.${string}` ? null : never);

type Underscored<Term extends string> = Term extends `date:${infer Part}:${infer Path}`
  ? `${Part}_${Dotless<Path>}`
  : Dotless<Term>;

type Dotless<Path extends string> = Path extends `${infer First}.${infer Rest}`
  ? `${First}_${Dotless<Rest>}`
  : Path;

/** One group with its values; without `groupBy` there is exactly one. */
export type AggregateRow<
  Item,
  Values extends Aggregates<Item>,
  Groups extends readonly string[],
  Exact extends boolean,
> = string extends keyof Item
  ? GenericItem
  : { readonly [Alias in keyof Values]: AggregateValue<Item, Values[Alias], Exact> } & GroupValues<
      Item,
      Groups[number]
    >;
