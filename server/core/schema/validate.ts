/** The rules of `validate`: read once when a schema is defined, checked on every written value. */
import type { FieldError, ValidationRules } from "@baasix/types";
import { z } from "zod";
import { type FieldShape, itemShape, ruleFamily } from "./fields";
import type { Field } from "./model";
import { invalid } from "./names";
import { readRangeText } from "./ranges";
import { readCount, readFlag, readList, readObject } from "./readers";
import { compareDecimals, readDecimal, showValue } from "./values";

const numberRules = ["min", "max", "isInt"] as const;
const textRules = ["notEmpty", "isEmail", "isUrl", "len", "is", "matches"] as const;
const longestPattern = 1000;
/** Trying a pattern may take the square of the text's length, and all others wait for it. */
const longestMatched = 10_000;
const email = z.email();

/**
 * Reads the rules of a field.
 * @throws AppError INVALID_SCHEMA for unknown rules, rules of another type's, and patterns that are no regular expression.
 */
export function readRules(input: unknown, shape: FieldShape, place: string): ValidationRules {
  if (input === undefined || input === null) return {};
  const entries = readObject(input, place, [...numberRules, ...textRules]);
  const family = ruleFamily(shape);
  for (const [rules, applies] of [
    [numberRules, "number"],
    [textRules, "text"],
  ] as const) {
    const wrong = rules.find((rule) => entries.has(rule));
    if (wrong !== undefined && family !== applies) {
      throw invalid(
        `${place}.${wrong}`,
        `applies to ${applies === "number" ? "numbers" : "text"}; this field is ${shape.type}`,
      );
    }
  }
  const bound = (rule: "min" | "max"): number | undefined => {
    const value = entries.get(rule);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw invalid(`${place}.${rule}`, `expected a number, got ${showValue(value)}`);
  };
  const [min, max] = [bound("min"), bound("max")];
  if (min !== undefined && max !== undefined && min > max) {
    throw invalid(`${place}.max`, `${max} is less than min ${min}: no value would pass`);
  }
  const rules = {
    min,
    max,
    isInt: readFlag(entries, "isInt", place, false) || undefined,
    notEmpty: readFlag(entries, "notEmpty", place, false) || undefined,
    isEmail: readFlag(entries, "isEmail", place, false) || undefined,
    isUrl: readFlag(entries, "isUrl", place, false) || undefined,
    len: readLength(entries.get("len"), `${place}.len`),
    is: readPattern(entries.get("is"), `${place}.is`),
    matches: readPattern(entries.get("matches"), `${place}.matches`),
  };
  return Object.fromEntries(Object.entries(rules).filter(([, rule]) => rule !== undefined));
}

function readLength(value: unknown, place: string): readonly [number, number] | undefined {
  const list = readList(value, place, 2);
  if (list === null) return undefined;
  const bounds = new Map<string, unknown>(list.map((bound, index) => [String(index), bound]));
  const least = readCount(bounds, "0", place, 0, 10_485_760);
  const most = readCount(bounds, "1", place, 0, 10_485_760);
  if (least === null || most === null || least > most)
    throw invalid(place, "expected [least, most], such as [3, 50]");
  return [least, most];
}

function readPattern(value: unknown, place: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value.length > longestPattern) {
    throw invalid(
      place,
      `expected a regular expression of at most ${longestPattern} characters, got ${showValue(value)}`,
    );
  }
  try {
    RegExp(value);
    return value;
  } catch (error) {
    throw invalid(
      place,
      `not a regular expression: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

type Failure = Pick<FieldError, "message" | "rule">;

/** True when `checkRules` has something to check. */
export function hasRules({ validate }: Field): boolean {
  for (const _ in validate) return true;
  return false;
}

/**
 * Checks a value that has passed the type check (`toWire`) against the rules of its field; null passes.
 * Numbers are compared exactly, also those that travel as text.
 */
export function checkRules(field: Field, value: unknown): readonly FieldError[] {
  if (value === null || !hasRules(field)) return [];
  if (field.items === null) return failures(field, field.validate, value, "");
  const shape = itemShape(field);
  if (field.type === "Range") return rangeFailures({ ...field, ...shape }, String(value));
  return (Array.isArray(value) ? value : []).flatMap((item: unknown, index) =>
    item === null ? [] : failures({ ...field, ...shape }, field.validate, item, `Array element [${index}]: `),
  );
}

function rangeFailures(field: Field, text: string): readonly FieldError[] {
  const parts = readRangeText(text);
  if (parts === "empty") return [];
  return (["lower", "upper"] as const).flatMap((side) => {
    const bound = parts[side];
    const prefix = side === "lower" ? "Lower bound: " : "Upper bound: ";
    return bound === null ? [] : failures(field, field.validate, bound, prefix);
  });
}

function failures(
  field: Field,
  rules: ValidationRules,
  value: unknown,
  prefix: string,
): readonly FieldError[] {
  const found =
    ruleFamily(field) === "number"
      ? numberFailures(rules, String(value))
      : textFailures(rules, String(value));
  return found.map(({ message, rule }) => ({ field: field.name, message: prefix + message, rule, value }));
}

function numberFailures({ min, max, isInt }: ValidationRules, value: string): readonly Failure[] {
  const found: Failure[] = [];
  if (min !== undefined && compareDecimals(value, String(min)) < 0) {
    found.push({ rule: "min", message: `Value ${value} is less than minimum ${min}` });
  }
  if (max !== undefined && compareDecimals(value, String(max)) > 0) {
    found.push({ rule: "max", message: `Value ${value} is greater than maximum ${max}` });
  }
  if (isInt && /\.\d*[1-9]/.test(readDecimal(value, null, null))) {
    found.push({ rule: "isInt", message: `Value ${value} must be an integer` });
  }
  return found;
}

function textFailures(rules: ValidationRules, value: string): readonly Failure[] {
  const found: Failure[] = [];
  if (rules.notEmpty && value.trim() === "")
    found.push({ rule: "notEmpty", message: "Field cannot be empty" });
  if (rules.isEmail && !email.safeParse(value).success) {
    found.push({ rule: "isEmail", message: "Invalid email format" });
  }
  if (rules.isUrl && !isUrl(value)) found.push({ rule: "isUrl", message: "Invalid URL format" });
  if (rules.len) {
    const [least, most] = rules.len;
    const characters = [...value].length;
    if (characters < least)
      found.push({ rule: "len", message: `Value must be at least ${least} characters long` });
    if (characters > most)
      found.push({ rule: "len", message: `Value must be at most ${most} characters long` });
  }
  for (const rule of ["is", "matches"] as const) {
    const pattern = rules[rule];
    if (pattern === undefined) continue;
    if (value.length > longestMatched) {
      found.push({
        rule,
        message: `Value is longer than ${longestMatched} characters, and a pattern is tried on no more`,
      });
    } else if (!new RegExp(pattern).test(value)) {
      found.push({ rule, message: "Value does not match required pattern" });
    }
  }
  return found;
}

function isUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ["http:", "https:", "ftp:"].includes(url.protocol) && url.hostname !== "";
}
