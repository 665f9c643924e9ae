/** THE TABLE OF FILTER OPERATORS: one entry holds everything about one. */
import type { FieldType } from "@baasix/types";
import { AppError } from "../../errors";
import { bareShape, type FieldShape, fieldTypeNames, operatorClasses } from "../../schema/fields";
import { comparison } from "./comparison";
import { places } from "./geometry";
import { documents } from "./json";
import { arrays, ranges } from "./lists";
import type { Operator } from "./operator";
import { text } from "./text";

export { operandReader } from "./operandReader";
export type { OperandContext, OperandKind, OperandType, Operator } from "./operator";

/** The entries, in the order of the documents. */
export const operatorTable: readonly Operator[] = [
  ...comparison,
  ...text,
  ...arrays,
  ...ranges,
  ...documents,
  ...places,
];

/** Operators by name and alias. A Map: no prototype to be reached by a client's name. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  operatorTable.flatMap((entry) => [entry.name, ...entry.aliases].map((name) => [name, entry] as const)),
);

/** The operator of a name that is known to exist. */
export function operator(name: string): Operator {
  const found = operators.get(name);
  if (!found) throw new AppError("UNKNOWN_OPERATOR", `unknown operator '${name}'`);
  return found;
}

/** What the name of an operator means for a type: some mean another operator on arrays, JSON and ranges. */
export function operatorFor(named: Operator, shape: FieldShape): Operator {
  for (const kind of operatorClasses(shape)) {
    const other = named.instead?.[kind];
    if (other !== undefined) return operator(other);
  }
  return named;
}

/** True when the operator works on the type. */
export function worksOn({ on }: Operator, shape: FieldShape): boolean {
  return on === "any" || operatorClasses(shape).some((kind) => on.includes(kind));
}

/** The names of the types that the operator works on. */
export function typesOf(entry: Operator): readonly FieldType[] {
  return fieldTypeNames.filter((type) => worksOn(entry, bareShape(type)));
}
