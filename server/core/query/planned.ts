/** Conditions whose names are resolved: what `authorize` judges and `compile` turns into SQL. */
import type { Collection, Field, Relation } from "../schema/model";
import type { Operator } from "./operators";
import type { Param } from "./variables";

/**
 * A condition on one collection. `guard` (set by `authorize`) limits for which rows the column may be seen;
 * `rows` (set by `authorize`) limits which related rows exist for the actor.
 */
export type Planned =
  | { readonly kind: "all" | "any"; readonly items: readonly Planned[] }
  | { readonly kind: "not"; readonly item: Planned }
  | {
      readonly kind: "compare";
      readonly field: Field;
      readonly operator: Operator;
      readonly operands: readonly Param[];
      readonly guard: Planned | null;
      readonly at: string;
    }
  | {
      readonly kind: "related";
      readonly relation: Relation;
      readonly target: Collection;
      readonly item: Planned;
      readonly rows: Planned | null;
      readonly at: string;
    };
