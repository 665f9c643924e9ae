/** Default values of permissions: what a write fills in where its author gives nothing. */
import { AppError } from "../errors";
import { castType, isJson, itemShape, toWire, type WireValue } from "../schema/fields";
import type { Field, Schema } from "../schema/model";
import { readDocument } from "./operators/documents";
import { readArray, readValue } from "./operators/operands";
import type { OperandContext } from "./operators/operator";
import type { Operand } from "./planned";
import { isReference, type Param, readReference } from "./variables";

/** A wire value, a variable that is bound when the row is written, or what PostgreSQL reads then: a path, a variable inside. */
export type DefaultValue =
  { readonly wire: WireValue } | { readonly variable: Param } | { readonly operand: Operand };

/**
 * Reads a default of a field: a value, `$CURRENT_USER`, `$CURRENT_USER.company_Id`, `$NOW`; JSON and lists may have
 * variables in them.
 * @throws AppError INVALID_VALUE, UNKNOWN_FIELD
 */
export function planDefault(value: unknown, field: Field, schema: Schema, at: string): DefaultValue {
  const context: OperandContext = { schema, shape: field, scopes: [], at };
  const reference = readReference(value, at);
  if (reference?.kind === "param") return { variable: reference.param };
  if (reference?.kind === "column")
    throw new AppError("INVALID_VALUE", `${at}: $COL names a column in filters alone`);
  if (reference) return { operand: readValue(value, field, context, at) };
  if (isJson(field) && holdsReference(value)) return { operand: readDocument(value, context, at) };
  if (field.type === "Array" && Array.isArray(value) && value.some(isReference)) {
    const item = itemShape(field);
    return {
      operand: readArray(value, castType(item), at, (one, place) => readValue(one, item, context, place)),
    };
  }
  return { wire: toWire(value, field, at) };
}

function holdsReference(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return isReference(value);
  return Object.entries(value).some(([key, member]) => isReference(key) || holdsReference(member));
}
