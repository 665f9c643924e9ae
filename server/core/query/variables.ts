/**
 * Dynamic variables: values that are known only when a statement runs. A compiled statement keeps them as
 * parameters, so that it can be kept and run for every actor of the role.
 */
import { AppError } from "../errors";
import type { Actor } from "../access/actor";
import type { Statement } from "./statement";

/** A parameter of a compiled statement: a value, or a variable that is bound at run time. */
export type Param =
  | { readonly kind: "value"; readonly text: string | null }
  | { readonly kind: "currentUser" }
  | { readonly kind: "currentRole" }
  /** Milliseconds from now. */
  | { readonly kind: "now"; readonly offset: number }
  /** A value that the caller hands in when binding, by position: an id, a list of ids, the rows to write. */
  | { readonly kind: "input"; readonly index: number };

/** SQL text whose parameters may still be variables. */
export type CompiledStatement = { readonly text: string; readonly params: readonly Param[] };

/** What variables are bound to. `now` in milliseconds since 1970. */
export type Binding = {
  readonly actor: Actor;
  readonly now: number;
  readonly inputs?: readonly (string | null)[];
};

const unitMilliseconds: Readonly<Record<string, number>> = {
  SECOND: 1000,
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
  WEEK: 604_800_000,
  MONTH: 2_592_000_000,
  YEAR: 31_536_000_000,
};

/** Farther from now a date would leave the years that a date can have. */
const longestOffset = 1000 * 31_536_000_000;
const nowPattern = /^\$NOW(?:([+-])(SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|YEAR)S?_(\d{1,6}))?$/;
const reserved = /^\$(?:NOW|CURRENT_|COL\()/;

/**
 * Reads a value that may be a variable: `$CURRENT_USER`, `$CURRENT_ROLE`, `$NOW`, `$NOW-DAYS_30`
 * (months of 30 days, years of 365). Null when it is an ordinary value.
 * @throws AppError INVALID_VALUE for something that begins like a variable and is none.
 */
export function readVariable(value: unknown, at: string): Param | null {
  if (typeof value !== "string" || value.charCodeAt(0) !== 36 || !reserved.test(value)) return null;
  if (value === "$CURRENT_USER" || value === "$CURRENT_USER.id") return { kind: "currentUser" };
  if (value === "$CURRENT_ROLE" || value === "$CURRENT_ROLE.id") return { kind: "currentRole" };
  const match = nowPattern.exec(value);
  if (match) {
    const amount = Number(match[3] ?? 0) * (unitMilliseconds[match[2] ?? "SECOND"] ?? 0);
    if (amount > longestOffset)
      throw new AppError("INVALID_VALUE", `${at}: '${value}' is more than 1,000 years from now`);
    return { kind: "now", offset: match[1] === "-" ? -amount : amount };
  }
  throw new AppError(
    "INVALID_VALUE",
    `${at}: unknown variable '${value}'; known are $CURRENT_USER, $CURRENT_ROLE, $NOW and $NOW+UNIT_n or $NOW-UNIT_n`,
  );
}

/**
 * The value of a variable for one actor. A variable that has none is null, and SQL then finds no row:
 * `column = NULL` and its negation are both unknown.
 */
export function bindParam(param: Param, binding: Binding): string | null {
  switch (param.kind) {
    case "value":
      return param.text;
    case "currentUser":
      return binding.actor.kind === "user" ? binding.actor.id : null;
    case "currentRole":
      return binding.actor.kind === "user" ? binding.actor.role : null;
    case "now":
      return new Date(binding.now + param.offset).toISOString();
    case "input":
      return binding.inputs?.[param.index] ?? null;
  }
}

/** Fills in the variables of a compiled statement. */
export function bind(compiled: CompiledStatement, binding: Binding): Statement {
  return { text: compiled.text, params: compiled.params.map((param) => bindParam(param, binding)) };
}
