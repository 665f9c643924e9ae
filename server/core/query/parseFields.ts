/** `fields`, as it travels → wishes: names, paths, and lists of related rows with a filter, an order and a limit. */
import { AppError, suggestion } from "../errors";
import type { FieldWish, InnerRead } from "./ast";
import { type Budget, isObject, parseFilter, splitPath } from "./filter";
import { readLimits } from "./limits";
import { fromJson, isAbsent, wholeNumber } from "./parameters";
import { parseSort } from "./parseSort";

const innerKeys: readonly string[] = ["fields", "filter", "sort", "limit"];
/** Relations that a path may pass, those of the objects around it included. */
const deepest = 7;

type Reading = { left: number; readonly budget: Budget };

/**
 * Reads `a,b`, `["a","b"]` (list or JSON text) or a repeated parameter. A member of a list may be an object of relations:
 * `{"comments": {"fields": ["text"], "filter": {…}, "sort": "-createdAt", "limit": 5}}`, or `{"comments": ["text"]}`.
 * Nothing given: `*`.
 * @throws AppError INVALID_QUERY, QUERY_TOO_COMPLEX
 */
export function parseFields(value: unknown, budget: Budget): readonly FieldWish[] {
  return wishes(value, "fields", 0, { left: readLimits.fields, budget });
}

function wishes(value: unknown, at: string, depth: number, reading: Reading): readonly FieldWish[] {
  if (isAbsent(value)) return [{ path: ["*"], exclude: false, at, inner: null }];
  const list = typeof value === "string" && /^\s*\[/.test(value) ? fromJson(value, at) : value;
  if (typeof list === "string")
    return texts(list).map((name, i) => wish(name, `${at}[${i}]`, depth, reading));
  if (!Array.isArray(list)) throw expectedNames(at);
  let place = 0;
  return list.flatMap((member: unknown) => {
    if (typeof member === "string") {
      return texts(member).map((name) => wish(name, `${at}[${place++}]`, depth, reading));
    }
    if (!isObject(member)) throw expectedNames(at);
    const here = `${at}[${place++}]`;
    return Object.keys(member).map((name) =>
      innerWish(name, member[name], `${here}.${name}`, depth, reading),
    );
  });
}

function texts(value: string): readonly string[] {
  return value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function expectedNames(at: string): AppError {
  return new AppError(
    "INVALID_QUERY",
    `${at}: expected a list of names, and of objects such as {"comments": {"fields": ["text"], "limit": 5}}`,
  );
}

function count(reading: Reading): void {
  if (--reading.left < 0) {
    throw new AppError("QUERY_TOO_COMPLEX", `fields: at most ${readLimits.fields} entries`);
  }
}

function wish(name: string, at: string, depth: number, reading: Reading): FieldWish {
  count(reading);
  const exclude = name.startsWith("-");
  const path = splitPath(exclude ? name.slice(1) : name, at);
  if (depth + path.length > deepest + 1) throw tooDeep(at);
  return { path, exclude, at, inner: null };
}

function innerWish(name: string, value: unknown, at: string, depth: number, reading: Reading): FieldWish {
  count(reading);
  const path = splitPath(name, at);
  if (path.includes("*")) throw new AppError("INVALID_QUERY", `${at}: an object names one relation, not '*'`);
  if (depth + path.length > deepest) throw tooDeep(at);
  return { path, exclude: false, at, inner: innerRead(value, at, depth + path.length, reading) };
}

function tooDeep(at: string): AppError {
  return new AppError("QUERY_TOO_COMPLEX", `${at}: a path may pass ${deepest} relations`);
}

function innerRead(value: unknown, at: string, depth: number, reading: Reading): InnerRead {
  if (!isObject(value)) {
    return { fields: wishes(value, at, depth, reading), filter: null, sort: [], limit: null };
  }
  const unknown = Object.keys(value).find((key) => !innerKeys.includes(key));
  if (unknown !== undefined) {
    const near = suggestion(unknown, innerKeys);
    throw new AppError("INVALID_QUERY", `${at}.${unknown}: expected ${innerKeys.join(", ")}${near}`);
  }
  const { filter, sort, limit } = value;
  return {
    fields: wishes(value.fields, `${at}.fields`, depth, reading),
    filter: isAbsent(filter) ? null : parseFilter(fromJson(filter, at), `${at}.filter`, reading.budget),
    sort: parseSort(sort, `${at}.sort`),
    limit: isAbsent(limit) ? null : innerLimit(limit, `${at}.limit`),
  };
}

function innerLimit(value: unknown, at: string): number {
  const limit = wholeNumber(value, at, -1);
  if (limit === -1) return readLimits.maximum;
  if (limit <= readLimits.maximum) return limit;
  throw new AppError(
    "INVALID_QUERY",
    `${at}: at most ${readLimits.maximum} (-1 means the maximum); got ${limit}`,
  );
}
