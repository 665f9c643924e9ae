/** Conditions whose names are resolved: what `authorize` judges and `compile` turns into SQL. */
import type { FieldShape } from "../schema/fields";
import type { Collection, Field, Relation } from "../schema/model";
import type { Operator } from "./operators/operator";
import type { Param } from "./variables";

/**
 * A condition on one collection. `guard` (set by `authorize`) limits for which rows the column may be seen;
 * `rows` (set by `authorize`) limits which related rows exist for the actor.
 */
export type Planned =
  | { readonly kind: "all" | "any"; readonly items: readonly Planned[] }
  | { readonly kind: "not"; readonly item: Planned }
  | Above
  | Comparison
  | Related;

export type Comparison = {
  readonly kind: "compare";
  /** To-one relations on the way to the column: without a row at their end it is null. */
  readonly hops: readonly Hop[];
  readonly field: Field;
  readonly cast: Cast | null;
  readonly operator: Operator;
  readonly operands: readonly Operand[];
  /** Picks among the SQL forms of the operator. */
  readonly choice: string;
  /** Where the column is null it may hold, or fail: it is not simply unknown. */
  readonly onNull: boolean;
  readonly guard: Planned | null;
  readonly at: string;
};

/** True when a row behind the relation meets the condition, else false. */
export type Related = {
  readonly kind: "related";
  readonly relation: Relation;
  readonly target: Collection;
  readonly item: Planned;
  /** Below an odd number of NOTs: a variable without a value must then not count as "no such row". */
  readonly negated: boolean;
  readonly rows: Planned | null;
  readonly at: string;
};

/**
 * A condition on the row from which a relation leads to this one; nested, on the one before that. `authorize` makes it,
 * for guards and rows of actors with several grants: by which of them a row is open decides what is open behind it.
 */
export type Above = { readonly kind: "above"; readonly item: Planned };

/** A column read as another type. Rows whose value cannot be are null there, so that no cast ever fails. */
export type Cast = { readonly shape: FieldShape; readonly sql: (column: string) => string };

/** A collection on the way from the one that a filter is about; `relation` leads to it, null for the first. */
export type Scope = { readonly collection: Collection; readonly relation: Relation | null };

/** A to-one step. `rows` (set by `authorize`) limits which rows exist for the actor. */
export type Hop = {
  readonly relation: Relation;
  readonly target: Collection;
  readonly rows: Planned | null;
};

/** What a column is compared with. */
export type Operand =
  | { readonly kind: "param"; readonly param: Param; readonly cast: string }
  | ColumnOperand
  | ActorOperand
  /** A list with variables in it, an array of the type `cast`. */
  | { readonly kind: "array"; readonly items: readonly Operand[]; readonly cast: string }
  /** A JSON document; `inserts` are put into it at their paths. */
  | {
      readonly kind: "json";
      readonly param: Param;
      readonly inserts: readonly { readonly path: readonly string[]; readonly value: ActorOperand }[];
    }
  /** SQL around another operand: the pattern made from a variable. */
  | { readonly kind: "wrapped"; readonly value: Operand; readonly sql: (value: string) => string };

/** `$COL(path)`: a column of the row of `scopes[scope]`, or behind to-one relations of it. */
export type ColumnOperand = {
  readonly kind: "column";
  readonly scope: number;
  readonly hops: readonly Hop[];
  readonly collection: Collection;
  readonly field: Field;
  readonly cast: Cast | null;
  readonly guard: Planned | null;
  readonly at: string;
};

/**
 * `$CURRENT_USER.path`, `$CURRENT_ROLE.path`: read from the row of `source` whose key is `key`. `list`: the path passes a
 * list, the operand is an array of what stands at its end.
 */
export type ActorOperand = {
  readonly kind: "actor";
  readonly key: Param;
  readonly source: Collection;
  readonly rows: Planned | null;
  readonly hops: readonly Hop[];
  readonly collection: Collection;
  readonly field: Field;
  readonly guard: Planned | null;
  readonly list: boolean;
  /** Type that it is compared as. */
  readonly cast: string;
  readonly at: string;
};
