/**
 * References of an operation to the results before it: `{{0.id}}`, `{{order.data.total}}`. They stand in values, never in
 * names: what is stored must not decide which collection or field is meant, nor become an operator of a filter. Pure.
 */
import { AppError, suggestion } from "../../core/errors";
import { isReference as isVariable } from "../../core/query/variables";

/** A result that references lead into, parsed when it is first wanted. */
export type Result = () => unknown;

/** Where a value stands: `data` may become anything, a `choice` (of items) only single values and lists of them. */
export type Use = "data" | "choice";

/** Gives the value of a text that holds references. `place` starts messages. */
export type ReadText = (text: string, use: Use, place: string) => unknown;

/** `\{{` first: it is no reference. */
const pattern = /\\\{\{|\{\{([^{}]*)\}\}/g;
const alone = /^\{\{([^{}]*)\}\}$/;

/** The deepest path of a reference. */
const deepest = 20;

/**
 * A value with every text in it read by `read`; what holds none stays as it is.
 * @throws AppError BAD_REQUEST for a reference in the name of a field.
 */
export function mapTexts(value: unknown, use: Use, place: string, read: ReadText): unknown {
  if (typeof value === "string") return mayRefer(value) ? read(value, use, place) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((member, i) => mapTexts(member, use, `${place}[${i}]`, read));
  const mapped: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    refuseReferences(name, place);
    const member = (value as Readonly<Record<string, unknown>>)[name];
    mapped[name] = mapTexts(member, use, `${place}.${name}`, read);
  }
  return mapped;
}

function mayRefer(text: string): boolean {
  return text.includes("{{");
}

/** Refuses references in a name, or in anything where they have no meaning. @throws AppError BAD_REQUEST */
export function refuseReferences(value: unknown, place: string): void {
  if (typeof value === "string") {
    if (mayRefer(value))
      throw new AppError("BAD_REQUEST", `${place}: references may stand in values only, not here`);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      refuseReferences(name, place);
      refuseReferences(member, `${place}.${name}`);
    }
  }
}

/** The operations that can be referred to, by name. */
export type Names = ReadonlyMap<string, number>;

type Target = { readonly index: number; readonly path: readonly string[] };

/** What `{{…}}` means. @throws AppError BAD_REQUEST for what is none, is unknown, or comes later than the operation `at`. */
function targetOf(text: string, names: Names, at: number, count: number, place: string): Target {
  const [first = "", ...path] = text.trim().split(".");
  const index = /^\d{1,3}$/.test(first) ? Number(first) : names.get(first);
  const shown = `{{${text.slice(0, 80).toWellFormed()}}}`;
  if (path.length === 0 || path.length > deepest || path.includes("")) {
    throw new AppError(
      "BAD_REQUEST",
      `${place}: ${shown} is no reference; expected such as {{0.id}} (a literal {{ is written \\{{)`,
    );
  }
  if (index === undefined || index >= count) {
    throw new AppError(
      "BAD_REQUEST",
      `${place}: ${shown}: there is no operation '${first}'${suggestion(first, names.keys())}`,
    );
  }
  if (index >= at) {
    throw new AppError(
      "BAD_REQUEST",
      `${place}: ${shown}: a reference leads to an earlier operation, and this is number ${at}`,
    );
  }
  return { index, path };
}

/** Checks the references of a text, before anything runs; gives the text. */
export function checkText(names: Names, at: number, count: number): ReadText {
  return (text, _use, place) => {
    for (const [, reference] of text.matchAll(pattern))
      if (reference !== undefined) targetOf(reference, names, at, count, place);
    return text;
  };
}

/** Most characters that all references of a transaction put in: a short text may name a long one many times. */
const fillLimit = 20 * 1024 * 1024;

/**
 * Puts the results so far in the place of references; for one run of a transaction.
 * @throws AppError BAD_REQUEST when a path leads nowhere, or to what cannot stand there, QUERY_TOO_COMPLEX.
 */
export function fillText(names: Names, results: readonly Result[]): ReadText {
  let filled = 0;
  const valueOf = (reference: string, place: string): unknown => {
    const { index, path } = targetOf(reference, names, results.length, results.length + 1, place);
    let value = results[index]?.();
    for (const name of path) {
      if (!has(value, name)) throw nowhere(reference, place, value);
      value = (value as Readonly<Record<string, unknown>>)[name];
    }
    filled += sizeOf(value);
    if (filled > fillLimit)
      throw new AppError("QUERY_TOO_COMPLEX", `${place}: references put in more than 20 MiB in all`);
    return value;
  };
  return (text, use, place) => {
    const reference = alone.exec(text)?.[1];
    if (reference !== undefined) {
      const value = valueOf(reference, place);
      if (use === "choice") checkChoice(value, reference, place);
      return value;
    }
    let refers = false;
    const whole = text.replace(pattern, (found, inner?: string) => {
      if (inner === undefined) return found.slice(1);
      refers = true;
      return textOf(valueOf(inner, place), inner, place);
    });
    if (refers && use === "choice") checkChoice(whole, text, place);
    return whole;
  };
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return typeof value === "object" && value !== null ? JSON.stringify(value).length : 8;
}

/** Own members only: `constructor` and the like lead nowhere. */
function has(value: unknown, name: string): boolean {
  if (Array.isArray(value)) return /^\d{1,9}$/.test(name) && Number(name) < value.length;
  return typeof value === "object" && value !== null && Object.hasOwn(value, name);
}

function nowhere(reference: string, place: string, value: unknown): AppError {
  const shown = `{{${reference.slice(0, 80).toWellFormed()}}}`;
  const members = Array.isArray(value)
    ? `a list of ${value.length}`
    : typeof value === "object" && value !== null
      ? `only ${Object.keys(value).slice(0, 20).join(", ")}`
      : "a single value";
  return new AppError("BAD_REQUEST", `${place}: ${shown} leads nowhere: there is ${members}`);
}

/**
 * A stored value must not become an operator, and none must not become "is null": both would choose other items than
 * their writer meant.
 */
function checkChoice(value: unknown, reference: string, place: string): void {
  for (const one of Array.isArray(value) ? value : [value]) {
    const what =
      one === null || one === undefined
        ? "leads to null"
        : typeof one === "object"
          ? "leads to more than one value"
          : isVariable(one)
            ? "leads to a text that would be taken for a variable"
            : null;
    if (what === null) continue;
    throw new AppError(
      "BAD_REQUEST",
      `${place}: '${reference.slice(0, 80).toWellFormed()}' ${what}, and items cannot be chosen by that`,
    );
  }
}

function textOf(value: unknown, reference: string, place: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new AppError(
    "BAD_REQUEST",
    `${place}: '${reference.slice(0, 80).toWellFormed()}' leads to ${value === null ? "null" : "more than one value"}, which has no text`,
  );
}
