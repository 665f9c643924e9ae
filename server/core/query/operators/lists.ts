/** Operators on arrays and on ranges. */
import { castType, type FieldShape, itemShape, operandShape, parseValue } from "../../schema/fields";
import { familyOf, numberShape } from "../casts";
import { bound, items, readValue } from "./operands";
import type { OperandContext, OperandType, Operator, Reading } from "./operator";

const infix =
  (sign: string): Operator["sql"] =>
  (column, [operand]) =>
    `${column} ${sign} ${operand}`;

export const arrays: readonly Operator[] = [
  {
    name: "arraycontains",
    aliases: ["arrayContains"],
    on: ["list"],
    operand: items,
    description: "the array has all of the items (a list, or one); an empty list matches every array",
    sql: infix("@>"),
    lenient: true,
  },
  {
    name: "arraycontained",
    aliases: ["arrayContained"],
    on: ["list"],
    operand: items,
    description: "the array has no items but these",
    sql: infix("<@"),
    lenient: true,
  },
  {
    name: "arrayoverlaps",
    aliases: ["arrayOverlaps"],
    on: ["list"],
    operand: items,
    description: "the array has at least one of the items",
    sql: infix("&&"),
    lenient: true,
  },
];

function readRange(operand: unknown, { shape, at }: OperandContext): Reading {
  return { operands: [bound(parseValue(operand, operandShape(shape), at), castType(shape))] };
}

const range: OperandType = {
  kind: "range",
  schema: { type: "object" },
  read: (operand, context) => readRange(operand ?? undefined, context),
};

const rangeText = /^(?:[[(]|empty$)/;

/** There is no range of floating-point numbers: those of numeric hold them. */
function boundShape({ shape }: OperandContext): FieldShape {
  const bound = itemShape(shape);
  return familyOf(bound) === "float" ? numberShape : bound;
}

/** A range, or a value that may lie in one. */
const rangeOrValue: OperandType = {
  kind: "rangeOrValue",
  schema: {},
  read: (operand, context) =>
    (typeof operand === "object" && operand !== null) ||
    (typeof operand === "string" && rangeText.test(operand))
      ? readRange(operand, context)
      : { operands: [readValue(operand, boundShape(context), context, context.at)] },
};

const ranged = (name: string, sign: string, operand: OperandType, description: string): Operator => ({
  name,
  aliases: [],
  on: ["range"],
  operand,
  description,
  sql: infix(sign),
});

export const ranges: readonly Operator[] = [
  ranged("rangeContains", "@>", rangeOrValue, "the range contains the value, or the whole other range"),
  ranged("rangeContainedBy", "<@", range, "the range lies inside the other"),
  ranged("rangeOverlaps", "&&", range, "the ranges have a value in common"),
  ranged("rangeBefore", "<<", range, "the range ends before the other begins"),
  ranged("rangeAfter", ">>", range, "the range begins after the other ends"),
  ranged("rangeAdjacent", "-|-", range, "the ranges touch and have no value in common"),
];
