/** The types of operands: how each is read, checked against the column, and turned into parameters. */
import { AppError, suggestion } from "../../errors";
import { castType, type FieldShape, itemShape, operandShape, parseValue } from "../../schema/fields";
import { arrayText, readText, showValue } from "../../schema/values";
import type { Operand } from "../planned";
import { planReference, planReferencedList, planTextReference } from "../references";
import type { OperandContext, OperandType, Reading } from "./operator";

/** The refusal of an operand that has the wrong form. */
export function invalidOperand(at: string, expected: string, got?: unknown): AppError {
  return new AppError(
    "INVALID_VALUE",
    `${at}: expected ${expected}${got === undefined ? "" : `, got ${showValue(got)}`}`,
  );
}

/** A value that is bound as it is. */
export function bound(text: string | null, cast: string): Operand {
  // Cast straight to json, a text would become a JSON string.
  return { kind: "param", param: { kind: "value", text }, cast: cast === "jsonb" ? "text::jsonb" : cast };
}

/** One value of a shape, or a variable. `column`: `$COL` too. */
export function readValue(
  value: unknown,
  shape: FieldShape,
  context: OperandContext,
  at: string,
  column = false,
): Operand {
  const reference = planReference(value, shape, context, at, column);
  if (reference) return reference;
  if (value === null || value === undefined) throw invalidOperand(at, "a value; to test for null use isNull");
  return bound(parseValue(value, operandShape(shape), at), castType(shape));
}

/** A text, or a variable as text. Numbers count as their text. */
export function readWords(value: unknown, context: OperandContext, at: string): Operand {
  return planTextReference(value, context, at) ?? bound(plainText(value, at), "text");
}

/** A text without NUL and unpaired surrogates. */
export function plainText(value: unknown, at: string): string {
  if (typeof value !== "string" && typeof value !== "number") throw invalidOperand(at, "a text", value);
  try {
    return readText(String(value), null);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${at}: ${error.message}`);
  }
}

/** Values of a shape as one array; `one` reads a member. */
export function readArray(
  values: readonly unknown[],
  cast: string,
  at: string,
  one: (value: unknown, at: string) => Operand,
): Operand {
  const items = values.map((value, i) => one(value, `${at}[${i}]`));
  const texts: (string | null)[] = [];
  for (const item of items) {
    if (item.kind !== "param" || item.param.kind !== "value") return { kind: "array", items, cast };
    texts.push(item.param.text);
  }
  return bound(arrayText(texts), `${cast}[]`);
}

/** An object with known keys alone. */
export function readParts<Key extends string>(
  operand: unknown,
  keys: readonly Key[],
  example: string,
  at: string,
): Partial<Record<Key, unknown>> {
  if (typeof operand !== "object" || operand === null || Array.isArray(operand))
    throw invalidOperand(at, `an object such as ${example}`, operand);
  const parts: Partial<Record<Key, unknown>> = {};
  for (const [key, value] of Object.entries(operand)) {
    const known = keys.find((name) => name === key);
    if (known === undefined)
      throw invalidOperand(
        `${at}.${key.slice(0, 80).toWellFormed()}`,
        `one of the keys ${keys.join(", ")}${suggestion(key, keys)}`,
      );
    parts[known] = value;
  }
  return parts;
}

/** One of a closed list of words. */
export function readChoice<Word extends string>(value: unknown, words: readonly Word[], at: string): Word {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  const near = typeof value === "string" ? suggestion(value, words) : "";
  throw invalidOperand(at, `one of ${words.join(", ")}${near}`, value);
}

/** `true`, `false`, or these as text. */
export function readFlag(value: unknown, at: string): boolean {
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw invalidOperand(at, "true or false", value);
}

const only = (operand: Operand): Reading => ({ operands: [operand] });

/** One value that is not null. */
export const value: OperandType = {
  kind: "value",
  schema: {},
  read: (operand, context) => only(readValue(operand, context.shape, context, context.at, true)),
};

/** One value; null tests for null. */
export const nullable = (test: "isNull" | "isNotNull"): OperandType => ({
  kind: "nullable",
  schema: {},
  read: (operand, context) => (operand === null ? { operands: [], test } : value.read(operand, context)),
});

/** A list of values, or a variable whose path passes a list. */
export const list: OperandType = {
  kind: "list",
  schema: { type: "array" },
  read: (operand, context) => {
    const { shape, at } = context;
    const cast = castType(shape);
    const whole = planReferencedList(operand, shape, context, at);
    if (whole) return only({ kind: "array", items: [whole], cast });
    if (!Array.isArray(operand)) throw invalidOperand(at, "a list of values", operand);
    if (operand.length === 0) return { operands: [bound("{}", `${cast}[]`)], onNull: true };
    return only(
      readArray(
        operand,
        cast,
        at,
        (one, place) =>
          planReferencedList(one, shape, context, place) ?? readValue(one, shape, context, place),
      ),
    );
  },
};

/** Two values. */
export const pair: OperandType = {
  kind: "pair",
  schema: { type: "array", minItems: 2, maxItems: 2 },
  read: (operand, context) => {
    const { shape, at } = context;
    if (!Array.isArray(operand) || operand.length !== 2)
      throw invalidOperand(at, "a list of two values", operand);
    return { operands: operand.map((one, i) => readValue(one, shape, context, `${at}[${i}]`)) };
  },
};

/** True asks the test, false its opposite. */
export const flag = (test: "isNull" | "isNotNull"): OperandType => ({
  kind: "flag",
  schema: { type: "boolean" },
  read: (operand, { at }) => {
    const opposite = test === "isNull" ? "isNotNull" : "isNull";
    return { operands: [], test: readFlag(operand, at) ? test : opposite };
  },
});

/** null, true or false. */
export const truth: OperandType = {
  kind: "truth",
  schema: { type: ["boolean", "null"] },
  read: (operand, { shape, at }) => {
    if (operand === null || operand === "null") return { operands: [], test: "isNull" };
    if (operand !== true && operand !== false && operand !== "true" && operand !== "false")
      throw invalidOperand(at, "null, true or false", operand);
    if (shape.type !== "Boolean")
      throw invalidOperand(at, `null (true and false go with a Boolean)`, operand);
    return { operands: [], choice: readFlag(operand, at) ? "true" : "false", onNull: true };
  },
};

/** A text from which a pattern is made: `text` makes it from a value, `sql` from a variable. */
export type Pattern = { readonly text: (text: string) => string; readonly sql: (text: string) => string };

/** A text that becomes a pattern. */
export const words = ({ text, sql }: Pattern): OperandType => ({
  kind: "text",
  schema: { type: "string" },
  read: (operand, context) => {
    const variable = planTextReference(operand, context, context.at);
    if (variable) return only({ kind: "wrapped", value: variable, sql });
    return only(bound(text(plainText(operand, context.at)), "text"));
  },
});

/** Items of an array: a list, or one of them. */
export const items: OperandType = {
  kind: "items",
  schema: {},
  read: (operand, context) => {
    const shape = itemShape(context.shape);
    const cast = castType(shape);
    const whole = planReferencedList(operand, shape, context, context.at);
    if (whole) return only({ kind: "array", items: [whole], cast });
    return only(
      readArray(Array.isArray(operand) ? operand : [operand], cast, context.at, (one, place) =>
        readValue(one, shape, context, place),
      ),
    );
  },
};
