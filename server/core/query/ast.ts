/** What a request says, once its spelling is gone: tagged values that name things without knowing the schema. */

import type { Budget } from "./filter";
import type { Hole } from "./holes";
import type { Param } from "./variables";

/** A path of names: relations, then a column, a relation or `*`. */
export type Path = readonly string[];

/**
 * A condition. `all` of nothing is true, `any` of nothing is false. `apart`: its members may speak of different related
 * rows, also beside others. `within` opens a relation: some related
 * row meets the whole inner condition. `at` is the place in the request, for messages.
 */
export type Condition =
  | { readonly kind: "all"; readonly items: readonly Condition[]; readonly apart?: true }
  | { readonly kind: "any"; readonly items: readonly Condition[] }
  | { readonly kind: "not"; readonly item: Condition }
  | { readonly kind: "within"; readonly relation: string; readonly item: Condition; readonly at: string }
  | {
      readonly kind: "compare";
      readonly column: string;
      readonly operator: string;
      readonly operand: unknown;
      /** The type that the column is read as, as it was named. */
      readonly cast: { readonly type: unknown; readonly at: string } | null;
      readonly at: string;
    };

/**
 * One wish of `fields`. `exclude` takes the named column out of what a wildcard gave. `inner`: the path names a relation,
 * and this is what is wanted of its rows.
 */
export type FieldWish = {
  readonly path: Path;
  readonly exclude: boolean;
  readonly at: string;
  readonly inner: InnerRead | null;
};

/** What is wanted of related rows. `limit` null: as many as the answer has room for. */
export type InnerRead = {
  readonly fields: readonly FieldWish[];
  readonly filter: Condition | null;
  readonly sort: readonly SortTerm[];
  readonly limit: number | null;
};

/**
 * Conditions on the rows of relations, as they travel: which keys are relations and which are columns, only a schema can
 * tell. `budget`: what the request has spent of the conditions that it may hold.
 */
export type RelConditions = {
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly at: string;
  readonly budget: Budget;
};

export type SortTerm = {
  readonly path: Path;
  readonly descending: boolean;
  readonly at: string;
  /** Sort by the distance from this point, as it travels. */
  readonly from?: unknown;
};

/**
 * Words to look for. `words`: each must begin a word of the row, or share its stem; `fuzzy`: be like one. `fields` null:
 * where the collection is searched by default. `relevance`: the best matches come first.
 */
export type Search = {
  readonly mode: "words" | "fuzzy";
  readonly words: SearchWords;
  readonly fields: readonly { readonly name: string; readonly at: string }[] | null;
  readonly relevance: boolean;
};

/** All words as one text, and one by one; both empty where the text has none. */
export type SearchWords = { readonly all: Param; readonly each: readonly Param[] };

/** A list read. `limit` and `offset` are checked whole numbers. */
export type Read = {
  readonly collection: string;
  readonly fields: readonly FieldWish[];
  readonly filter: Condition | null;
  readonly relConditions: RelConditions | null;
  readonly search: Search | null;
  readonly sort: readonly SortTerm[];
  readonly limit: number;
  readonly offset: number;
  readonly withDeleted: boolean;
  /** Null: pages by offset. Empty: the first page of a walk by cursor; else where the page before ended. */
  readonly cursor: string | Hole | null;
  readonly count: CountMode;
};

/** How the total is found: counted, guessed by the planner of PostgreSQL, or not at all. */
export type CountMode = "exact" | "estimated" | "none";
