/**
 * Dynamic variables: values that are known only when a statement runs. A compiled statement keeps them as
 * parameters, so that it can be kept and run for every actor of the role.
 */
import { AppError, suggestion } from "../errors";
import type { Actor } from "../access/actor";
import type { Statement } from "./statement";

/** A parameter of a compiled statement: a value, or a variable that is bound at run time. */
export type Param =
  | { readonly kind: "value"; readonly text: string | null }
  | { readonly kind: "currentUser" }
  | { readonly kind: "currentRole" }
  | { readonly kind: "currentTenant" }
  /** Milliseconds from now. */
  | { readonly kind: "now"; readonly offset: number }
  /** A JSON document with variables in it: pieces of its text, between them parameters that become JSON texts. */
  | { readonly kind: "json"; readonly parts: readonly (string | Param)[] }
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

/** What a text with a meaning of its own stands for; `actor`: a path from the row of the user or role. */
export type Reference =
  | { readonly kind: "param"; readonly param: Param }
  | { readonly kind: "actor"; readonly of: "user" | "role"; readonly path: readonly string[] }
  | { readonly kind: "column"; readonly path: readonly string[]; readonly cast: string | null };

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
const columnPattern = /^\$COL\(([^()]*?)(?:::([^()]*))?\)$/;
const reserved = /^\$(?:NOW|CURRENT_|COL\()/;
const names = ["$CURRENT_USER", "$CURRENT_ROLE", "$CURRENT_TENANT", "$NOW"];
const deepestPath = 8;

/** True for a text that is a variable or a reference, or begins like one. */
export function isReference(value: unknown): value is string {
  return typeof value === "string" && value.charCodeAt(0) === 36 && reserved.test(value);
}

/**
 * Reads what a text stands for: `$CURRENT_USER`, `$CURRENT_ROLE` (each also with a path), `$CURRENT_TENANT`, `$NOW`,
 * `$NOW-DAYS_30` (months of 30 days, years of 365), `$COL(path::type)`. Null when it is an ordinary value.
 * @throws AppError INVALID_VALUE for something that begins like one of them and is none.
 */
export function readReference(value: unknown, at: string): Reference | null {
  if (!isReference(value)) return null;
  if (value.startsWith("$NOW")) return { kind: "param", param: readNow(value, at) };
  if (value.startsWith("$COL(")) {
    const match = columnPattern.exec(value);
    if (!match?.[1]) throw unknownVariable(value, at);
    return { kind: "column", path: pathOf(match[1], value, at), cast: match[2]?.trim() ?? null };
  }
  const [name = "", ...path] = value.split(".");
  if (path.length > 0) pathOf(path.join("."), value, at);
  const self = path.length === 0 || (path.length === 1 && path[0] === "id");
  if (name === "$CURRENT_TENANT" && self) return { kind: "param", param: { kind: "currentTenant" } };
  if (name === "$CURRENT_USER") {
    return self ? { kind: "param", param: { kind: "currentUser" } } : { kind: "actor", of: "user", path };
  }
  if (name === "$CURRENT_ROLE") {
    return self ? { kind: "param", param: { kind: "currentRole" } } : { kind: "actor", of: "role", path };
  }
  throw unknownVariable(value, at);
}

function readNow(value: string, at: string): Param {
  const match = nowPattern.exec(value);
  if (!match) throw unknownVariable(value, at);
  const amount = Number(match[3] ?? 0) * (unitMilliseconds[match[2] ?? "SECOND"] ?? 0);
  if (amount > longestOffset)
    throw new AppError("INVALID_VALUE", `${at}: '${value}' is more than 1,000 years from now`);
  return { kind: "now", offset: match[1] === "-" ? -amount : amount };
}

function pathOf(text: string, value: string, at: string): readonly string[] {
  const path = text.trim().split(".");
  if (path.length > deepestPath || path.some((name) => name === "")) throw unknownVariable(value, at);
  return path;
}

function unknownVariable(value: string, at: string): AppError {
  const shown = value.slice(0, 80).toWellFormed();
  return new AppError(
    "INVALID_VALUE",
    `${at}: unknown variable '${shown}'${suggestion(shown, names)}; known are $CURRENT_USER and $CURRENT_ROLE (also with ` +
      "a path), $CURRENT_TENANT, $NOW, $NOW+UNIT_n, $NOW-UNIT_n and $COL(column)",
  );
}

/**
 * Reads a value that may be a variable without a path. Null when it is an ordinary value.
 * @throws AppError INVALID_VALUE for any other text that begins like a variable.
 */
export function readVariable(value: unknown, at: string): Param | null {
  const reference = readReference(value, at);
  if (reference === null) return null;
  if (reference.kind === "param") return reference.param;
  throw new AppError("INVALID_VALUE", `${at}: only a variable without a path may stand here`);
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
      return binding.actor.kind === "user" ? binding.actor.role || null : null;
    case "currentTenant":
      return binding.actor.kind === "user" ? binding.actor.tenant : null;
    case "now":
      return new Date(binding.now + param.offset).toISOString();
    case "json":
      return bindJson(param.parts, binding);
    case "input":
      return binding.inputs?.[param.index] ?? null;
  }
}

/** One variable without a value, and there is no document. */
function bindJson(parts: readonly (string | Param)[], binding: Binding): string | null {
  let json = "";
  for (const part of parts) {
    const text = typeof part === "string" ? part : bindParam(part, binding);
    if (text === null) return null;
    json += typeof part === "string" ? part : JSON.stringify(text);
  }
  return json;
}

/** True when the value depends on the time of binding. */
export function followsTime(param: Param): boolean {
  if (param.kind === "json") return param.parts.some((part) => typeof part !== "string" && followsTime(part));
  return param.kind === "now";
}

/** True when the value may be missing: a variable that not every actor has. */
export function mayLackValue(param: Param): boolean {
  if (param.kind === "json")
    return param.parts.some((part) => typeof part !== "string" && mayLackValue(part));
  return param.kind === "currentUser" || param.kind === "currentRole" || param.kind === "currentTenant";
}

/** A parameter with everything bound that one actor (and what is handed in) decides; times stay open. */
export function settleParam(param: Param, actor: Actor, inputs: Binding["inputs"] = []): Param {
  if (!followsTime(param)) return { kind: "value", text: bindParam(param, { actor, now: 0, inputs }) };
  if (param.kind !== "json") return param;
  const parts: (string | Param)[] = [];
  for (const part of param.parts) {
    if (typeof part === "string" || followsTime(part)) parts.push(part);
    else {
      const text = bindParam(part, { actor, now: 0, inputs });
      if (text === null) return { kind: "value", text: null };
      parts.push(JSON.stringify(text));
    }
  }
  return { kind: "json", parts };
}

/** Fills in the variables of a compiled statement. */
export function bind(compiled: CompiledStatement, binding: Binding): Statement {
  const params: (string | null)[] = [];
  for (const param of compiled.params) params.push(bindParam(param, binding));
  return { text: compiled.text, params };
}
