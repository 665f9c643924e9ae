/** The names of the filter operators, for the builder's steps. */
import type { FilterOperators } from "@baasix/types";

/** Every operator and alias. */
export type OperatorName = keyof FilterOperators<unknown> & string;

/** Every operator and alias. */
export const operatorNames: readonly string[] = (
  "eq ne neq gt gte lt lte in notIn nin between notBetween isNull isNotNull like notLike ilike iLike notILike " +
  "startsWith endsWith startsWiths endsWiths contains"
).split(" ");
