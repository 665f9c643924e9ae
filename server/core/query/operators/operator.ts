/** What an operator is, and what reading its operand gives. The entries are in the files beside this one. */
import type { FieldShape, JsonSchema, OperatorClass } from "../../schema/fields";
import type { Schema } from "../../schema/model";
import type { Operand, Scope } from "../planned";

/** The kinds of operands, by name: the SDK types operators by them. */
export type OperandKind =
  | "nullable"
  | "value"
  | "list"
  | "pair"
  | "flag"
  | "truth"
  | "text"
  | "contents"
  | "items"
  | "json"
  | "jsonKey"
  | "jsonKeys"
  | "jsonKeyValue"
  | "jsonKeyOrder"
  | "jsonKeyValues"
  | "jsonKeyPattern"
  | "jsonPath"
  | "jsonLength"
  | "jsonType"
  | "jsonDeep"
  | "range"
  | "rangeOrValue"
  | "geometry"
  | "distance";

/** Where an operand stands: the type of the left side (after a cast), the rows that `$COL` may name, the place for messages. */
export type OperandContext = {
  readonly schema: Schema;
  readonly shape: FieldShape;
  /** The collections from the one that the filter is about to the one that the column belongs to. */
  readonly scopes: readonly Scope[];
  readonly at: string;
};

/**
 * An operand that was read. `choice` picks among the SQL forms of the operator; it comes from closed lists. `test`: the
 * operand turned the comparison into a test for null (`eq: null`).
 */
export type Reading = {
  readonly operands: readonly Operand[];
  readonly choice?: string;
  /** With this operand the operator may hold, or fail, where the column is null. */
  readonly onNull?: true;
  readonly test?: "isNull" | "isNotNull";
};

export type OperandType = {
  readonly kind: OperandKind;
  /** For descriptions of the API; values of the column's own type are `{}`. */
  readonly schema: JsonSchema;
  /** Checks an operand and turns it into parameters. @throws AppError INVALID_VALUE naming the place. */
  readonly read: (operand: unknown, context: OperandContext) => Reading;
};

/** One operator: all that is known about it. */
export type Operator = {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Classes of field types that it works on; see `fields.ts`. */
  readonly on: "any" | readonly OperatorClass[];
  readonly operand: OperandType;
  /** One line for people. */
  readonly description: string;
  /** The condition. `operands` are SQL with their casts; a column stands in parentheses where it must. */
  readonly sql: (column: string, operands: readonly string[], choice: string) => string;
  /** It may hold, or fail, although an operand is null: a variable without a value is then looked for beside it. */
  readonly lenient?: true;
  /** It may hold, or fail, where the column is null, whatever the operand. */
  readonly onNull?: true;
  /** On these classes the name means another operator. */
  readonly instead?: Partial<Readonly<Record<OperatorClass, string>>>;
};
