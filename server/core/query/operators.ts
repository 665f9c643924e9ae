/** The filter operators: one entry holds everything about one. */
import { AppError } from "../errors";

/** What an operator takes: one value, a list, a pair, `true`/`false`, or a text pattern. */
export type OperandKind = "value" | "list" | "pair" | "flag" | "pattern";

/** What the SQL of an operator is made from. Placeholders come with their cast. */
export type OperatorParts = {
  readonly column: string;
  /** Placeholder of the n-th operand. A `list` has one, an array of the column's type. */
  readonly operands: readonly string[];
};

export type Operator = {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly operand: OperandKind;
  /** Class of field types that it works on; see `fields.ts`. */
  readonly on: "any" | "equality" | "order" | "text";
  readonly description: string;
  readonly sql: (parts: OperatorParts) => string;
  /** Turns the text given by the client into the pattern that is bound (`pattern` operators only). */
  readonly pattern?: (text: string) => string;
};

const infix =
  (sign: string) =>
  ({ column, operands }: OperatorParts): string =>
    `${column} ${sign} ${operands[0]}`;

const literal = (text: string): string => text.replace(/[\\%_]/g, "\\$&");
/** The user's own `%` count; without any, the text may stand anywhere. */
const anywhere = (text: string): string => (text.includes("%") ? text : `%${text}%`);

// `ESCAPE ''`: in like and ilike a backslash is a backslash, so no pattern is malformed.
const entries: readonly Operator[] = [
  {
    name: "eq",
    aliases: ["is"],
    operand: "value",
    on: "equality",
    description: "equal to; null means: has no value",
    sql: infix("="),
  },
  {
    name: "ne",
    aliases: ["neq", "not"],
    operand: "value",
    on: "equality",
    description: "has a value other than; null means: has a value",
    sql: infix("<>"),
  },
  { name: "gt", aliases: [], operand: "value", on: "order", description: "greater than", sql: infix(">") },
  {
    name: "gte",
    aliases: [],
    operand: "value",
    on: "order",
    description: "greater or equal",
    sql: infix(">="),
  },
  { name: "lt", aliases: [], operand: "value", on: "order", description: "less than", sql: infix("<") },
  { name: "lte", aliases: [], operand: "value", on: "order", description: "less or equal", sql: infix("<=") },
  {
    name: "in",
    aliases: [],
    operand: "list",
    on: "equality",
    description: "equal to one of; an empty list matches nothing",
    sql: ({ column, operands }) => `${column} = any(${operands[0]})`,
  },
  {
    name: "notIn",
    aliases: ["nin"],
    operand: "list",
    on: "equality",
    description: "equal to none of; an empty list matches everything",
    sql: ({ column, operands }) => `${column} <> all(${operands[0]})`,
  },
  {
    name: "between",
    aliases: [],
    operand: "pair",
    on: "order",
    description: "between two values, both included",
    sql: ({ column, operands }) => `${column} between ${operands[0]} and ${operands[1]}`,
  },
  {
    name: "notBetween",
    aliases: [],
    operand: "pair",
    on: "order",
    description: "outside two values",
    sql: ({ column, operands }) => `${column} not between ${operands[0]} and ${operands[1]}`,
  },
  {
    name: "isNull",
    aliases: [],
    operand: "flag",
    on: "any",
    description: "true: has no value; false: has one",
    sql: ({ column }) => `${column} is null`,
  },
  {
    name: "isNotNull",
    aliases: ["notNull"],
    operand: "flag",
    on: "any",
    description: "true: has a value; false: has none",
    sql: ({ column }) => `${column} is not null`,
  },
  {
    name: "like",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "matches with % as wildcard; without any, contains (case-sensitive)",
    pattern: anywhere,
    sql: ({ column, operands }) => `${column} like ${operands[0]} escape ''`,
  },
  {
    name: "notLike",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "negation of like",
    pattern: anywhere,
    sql: ({ column, operands }) => `${column} not like ${operands[0]} escape ''`,
  },
  {
    name: "ilike",
    aliases: ["iLike"],
    operand: "pattern",
    on: "text",
    description: "like, in any letter case",
    pattern: anywhere,
    sql: ({ column, operands }) => `${column} ilike ${operands[0]} escape ''`,
  },
  {
    name: "notILike",
    aliases: ["notIlike"],
    operand: "pattern",
    on: "text",
    description: "negation of ilike",
    pattern: anywhere,
    sql: ({ column, operands }) => `${column} not ilike ${operands[0]} escape ''`,
  },
  {
    name: "contains",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "contains the text literally, in any letter case",
    pattern: (text) => `%${literal(text)}%`,
    sql: infix("ilike"),
  },
  {
    name: "startsWith",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "begins with the text, in any letter case",
    pattern: (text) => `${literal(text)}%`,
    sql: infix("ilike"),
  },
  {
    name: "endsWith",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "ends with the text, in any letter case",
    pattern: (text) => `%${literal(text)}`,
    sql: infix("ilike"),
  },
  {
    name: "startsWiths",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "begins with the text, case-sensitive",
    pattern: (text) => `${literal(text)}%`,
    sql: infix("like"),
  },
  {
    name: "endsWiths",
    aliases: [],
    operand: "pattern",
    on: "text",
    description: "ends with the text, case-sensitive",
    pattern: (text) => `%${literal(text)}`,
    sql: infix("like"),
  },
];

/** Operators by name and alias. A Map: no prototype to be reached by a client's name. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  entries.flatMap((entry) => [entry.name, ...entry.aliases].map((name) => [name, entry] as const)),
);

/** The operator of a name that is known to exist. */
export function operator(name: string): Operator {
  const found = operators.get(name);
  if (!found) throw new AppError("UNKNOWN_OPERATOR", `unknown operator '${name}'`);
  return found;
}
