/** Operators that compare a column with values of its own type. */
import { flag, list, nullable, pair, truth, value } from "./operands";
import type { Operator } from "./operator";

const infix =
  (sign: string): Operator["sql"] =>
  (column, [operand]) =>
    `${column} ${sign} ${operand}`;

export const comparison: readonly Operator[] = [
  {
    name: "eq",
    aliases: [],
    on: ["equality", "list", "range", "json"],
    operand: nullable("isNull"),
    description: "equal to; null means: has no value",
    sql: infix("="),
  },
  {
    name: "ne",
    aliases: ["neq", "not"],
    on: ["equality", "list", "range", "json"],
    operand: nullable("isNotNull"),
    description: "has a value other than; null means: has a value",
    sql: infix("<>"),
  },
  { name: "gt", aliases: [], on: ["order"], operand: value, description: "greater than", sql: infix(">") },
  {
    name: "gte",
    aliases: [],
    on: ["order"],
    operand: value,
    description: "greater or equal",
    sql: infix(">="),
  },
  { name: "lt", aliases: [], on: ["order"], operand: value, description: "less than", sql: infix("<") },
  { name: "lte", aliases: [], on: ["order"], operand: value, description: "less or equal", sql: infix("<=") },
  {
    name: "in",
    aliases: [],
    on: ["equality"],
    operand: list,
    description: "equal to one of; an empty list matches nothing",
    sql: (column, [operand]) => `${column} = any(${operand})`,
  },
  {
    name: "notIn",
    aliases: ["nin"],
    on: ["equality"],
    operand: list,
    description: "equal to none of; an empty list matches everything",
    sql: (column, [operand]) => `${column} <> all(${operand})`,
  },
  {
    name: "between",
    aliases: [],
    on: ["order"],
    operand: pair,
    description: "between two values, both included",
    sql: (column, [least, most]) => `${column} between ${least} and ${most}`,
    lenient: true,
  },
  {
    name: "notBetween",
    aliases: [],
    on: ["order"],
    operand: pair,
    description: "outside two values",
    sql: (column, [least, most]) => `${column} not between ${least} and ${most}`,
    lenient: true,
  },
  {
    name: "isNull",
    aliases: [],
    on: "any",
    operand: flag("isNull"),
    description: "true: has no value; false: has one",
    sql: (column) => `${column} is null`,
  },
  {
    name: "isNotNull",
    aliases: ["notNull"],
    on: "any",
    operand: flag("isNotNull"),
    description: "true: has a value; false: has none",
    sql: (column) => `${column} is not null`,
  },
  {
    name: "is",
    aliases: [],
    on: "any",
    operand: truth,
    description: "null: has no value; true or false: a Boolean has that value",
    sql: (column, _, choice) => `${column} is ${choice === "true" ? "true" : "false"}`,
  },
];
