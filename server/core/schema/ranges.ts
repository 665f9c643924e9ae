/** Ranges: `{lower, upper, lowerInclusive, upperInclusive}` on the wire, true range types in PostgreSQL. */
import type { FieldType } from "@baasix/types";
import { AppError } from "../errors";
import { compareDecimals, compareMoments, mismatch } from "./values";

/**
 * What PostgreSQL knows of ranges over a type. `discrete`: it rewrites `[1,5]` as `[1,6)`; answers give the bounds as
 * both included again.
 */
type RangeType = {
  readonly sql: string;
  readonly discrete: boolean;
  readonly compare: (a: string, b: string) => number;
};

/** The type that the server makes, as PostgreSQL has no range of times. */
export const timeRange = "baasix_timerange";

const rangeTypes: Partial<Record<FieldType, RangeType>> = {
  Integer: { sql: "int4range", discrete: true, compare: compareDecimals },
  BigInt: { sql: "int8range", discrete: true, compare: compareDecimals },
  Decimal: { sql: "numrange", discrete: false, compare: compareDecimals },
  // There is no range of floating-point numbers; numeric holds each of them exactly as it is written.
  Double: { sql: "numrange", discrete: false, compare: compareDecimals },
  Date: { sql: "daterange", discrete: true, compare: compareMoments },
  DateTime: { sql: "tstzrange", discrete: false, compare: compareMoments },
  DateTime_NO_TZ: { sql: "tsrange", discrete: false, compare: compareMoments },
  Time: { sql: timeRange, discrete: false, compare: compareMoments },
  Time_NO_TZ: { sql: timeRange, discrete: false, compare: compareMoments },
};

/** The types that a Range may span. */
export const boundTypeNames = Object.keys(rangeTypes) as readonly FieldType[];

function rangeTypeOf(bounds: FieldType | null): RangeType {
  const found = bounds === null ? undefined : rangeTypes[bounds];
  if (!found) throw new Error("a Range needs the type of its bounds");
  return found;
}

/** The type in PostgreSQL of ranges over a type. */
export function rangeSqlType(bounds: FieldType | null): string {
  return rangeTypeOf(bounds).sql;
}

const expected = 'a range such as {"lower": 1, "upper": 5} or "[1,5)"';
const keys: readonly string[] = ["lower", "upper", "lowerInclusive", "upperInclusive", "empty"];
const bound = '"((?:[^"\\\\]|\\\\.)*)"|([^",()[\\]\\\\]+)';
const literal = new RegExp(`^([[(])(?:${bound})?,(?:${bound})?([\\])])$`);

/** The parts of a range. A bound null: it has no end there. */
export type RangeParts = {
  readonly lower: unknown;
  readonly upper: unknown;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
};

/**
 * Reads a range: an object, whose bounds are included unless it says otherwise, or the text of PostgreSQL. A bound that
 * is null or missing is no bound.
 * @param parse reads a bound; gives its canonical text
 * @returns the text of the range in PostgreSQL
 * @throws AppError INVALID_VALUE
 */
export function readRange(
  value: unknown,
  bounds: FieldType | null,
  parse: (value: unknown, place: string) => string,
): string {
  const parts = typeof value === "string" ? readRangeText(value) : readRangeObject(value);
  if (parts === "empty") return "empty";
  const one = (side: "lower" | "upper"): string | null =>
    parts[side] === null || parts[side] === undefined ? null : parse(parts[side], side);
  const [lower, upper] = [one("lower"), one("upper")];
  if (lower !== null && upper !== null && rangeTypeOf(bounds).compare(lower, upper) > 0) {
    throw new AppError(
      "INVALID_VALUE",
      `Lower bound (${lower}) cannot be greater than upper bound (${upper})`,
    );
  }
  const quoted = (text: string | null): string =>
    text === null ? "" : `"${text.replace(/["\\]/g, "\\$&")}"`;
  const open = lower !== null && parts.lowerInclusive ? "[" : "(";
  const close = upper !== null && parts.upperInclusive ? "]" : ")";
  return `${open}${quoted(lower)},${quoted(upper)}${close}`;
}

function readRangeObject(value: unknown): RangeParts | "empty" {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw mismatch(expected, value);
  const entries = new Map<string, unknown>(Object.entries(value));
  const unknown = [...entries.keys()].find((key) => !keys.includes(key));
  if (unknown !== undefined) throw mismatch(`only ${keys.join(", ")} in a range`, unknown);
  const flag = (key: string, otherwise: boolean): boolean => {
    const given = entries.get(key) ?? otherwise;
    if (typeof given === "boolean") return given;
    throw mismatch(`true or false as ${key}`, given);
  };
  if (flag("empty", false)) return "empty";
  if (!entries.has("lower") && !entries.has("upper")) throw mismatch(expected, value);
  return {
    lower: entries.get("lower"),
    upper: entries.get("upper"),
    lowerInclusive: flag("lowerInclusive", true),
    upperInclusive: flag("upperInclusive", true),
  };
}

/** The parts of a range as PostgreSQL writes it. @throws AppError INVALID_VALUE */
export function readRangeText(text: string): RangeParts | "empty" {
  if (text === "empty") return "empty";
  const match = literal.exec(text);
  if (!match) throw mismatch(expected, text);
  const [, open, lowerQuoted, lower, upperQuoted, upper, close] = match;
  const plain = (quoted: string | undefined, bare: string | undefined): string | null =>
    quoted?.replace(/\\(.)/g, "$1") ?? bare ?? null;
  return {
    lower: plain(lowerQuoted, lower),
    upper: plain(upperQuoted, upper),
    lowerInclusive: open === "[",
    upperInclusive: close === "]",
  };
}

const emptyRange = '{"lower":null,"upper":null,"lowerInclusive":false,"upperInclusive":false,"empty":true}';

/** A range as it goes into a JSON answer. `json` writes a bound. */
export function rangeJson(sql: string, bounds: FieldType | null, json: (sql: string) => string): string {
  return `(select ${rangeObject("x.r", bounds, json)} from (select ${sql} as r) x where x.r is not null)`;
}

/** The same of a range that is not null, without a sub-select. */
export function rangeObject(range: string, bounds: FieldType | null, json: (sql: string) => string): string {
  const { discrete } = rangeTypeOf(bounds);
  const members = [
    `'lower', ${json(`lower(${range})`)}`,
    `'upper', ${json(discrete ? `(upper(${range}) - 1)` : `upper(${range})`)}`,
    `'lowerInclusive', ${discrete ? `not lower_inf(${range})` : `lower_inc(${range})`}`,
    `'upperInclusive', ${discrete ? `not upper_inf(${range})` : `upper_inc(${range})`}`,
  ];
  return `case when isempty(${range}) then '${emptyRange}'::json else json_build_object(${members.join(", ")}) end`;
}
