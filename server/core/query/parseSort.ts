/** `sort`, as it travels → terms, in every documented spelling. */
import { AppError } from "../errors";
import type { SortTerm } from "./ast";
import { isObject, splitPath } from "./filter";
import { readLimits } from "./limits";
import { fromJson, isAbsent } from "./parameters";

/** `{"a":"desc"}`, `{"_distance":{"target":[lng,lat],"column":"a"}}`, `["-a","b"]`, `[{"a":"desc"}]`, `[{"field":"a","direction":"desc"}]`, `-a,b`, `a:desc`. */
export function parseSort(value: unknown, at = "sort"): readonly SortTerm[] {
  if (isAbsent(value)) return [];
  const given = typeof value === "string" && /^\s*[[{]/.test(value) ? fromJson(value, at) : value;
  const terms = sortTerms(given, at);
  if (terms.length > readLimits.sort)
    throw new AppError("QUERY_TOO_COMPLEX", `${at}: at most ${readLimits.sort} terms`);
  return terms;
}

function sortTerms(value: unknown, at: string): readonly SortTerm[] {
  if (typeof value === "string") {
    return value
      .split(",")
      .map((term) => term.trim())
      .filter((term) => term !== "")
      .map((term) => sortText(term, at));
  }
  if (Array.isArray(value)) return value.flatMap((item, i) => sortTerms(item, `${at}[${i}]`));
  if (!isObject(value))
    throw new AppError("INVALID_QUERY", `${at}: expected {"name": "asc"}, ["-name"] or "name:desc"`);
  if (typeof value.field === "string" && !/^(asc|desc)$/i.test(value.field)) {
    return [sortTerm(value.field, value.direction ?? value.order ?? "asc", at)];
  }
  return Object.keys(value).map((name) =>
    name === "_distance"
      ? distanceTerm(value[name], `${at}.${name}`)
      : sortTerm(name, value[name], `${at}.${name}`),
  );
}

/** `{target: [longitude, latitude], column, direction}`: nearest first, unless told otherwise. */
function distanceTerm(value: unknown, at: string): SortTerm {
  if (!isObject(value) || typeof value.column !== "string")
    throw new AppError(
      "INVALID_QUERY",
      `${at}: expected {"target": [longitude, latitude], "column": "name"}`,
    );
  const term = sortTerm(value.column, value.direction ?? "asc", at);
  return { ...term, from: value.target };
}

function sortText(term: string, at: string): SortTerm {
  // The colons of a group such as date:month:createdAt belong to its name.
  const colon = /^[-+]?date:[^:]*:[^:]*$/i.test(term) ? -1 : term.lastIndexOf(":");
  if (colon > 0) return sortTerm(term.slice(0, colon), term.slice(colon + 1), at);
  const descending = term.startsWith("-");
  return sortTerm(descending || term.startsWith("+") ? term.slice(1) : term, descending ? "desc" : "asc", at);
}

function sortTerm(name: string, direction: unknown, at: string): SortTerm {
  const text = typeof direction === "string" ? direction.toLowerCase() : direction;
  if (text === "asc" || text === 1 || text === "1")
    return { path: splitPath(name, at), descending: false, at };
  if (text === "desc" || text === -1 || text === "-1")
    return { path: splitPath(name, at), descending: true, at };
  throw new AppError("INVALID_QUERY", `${at}: the direction must be asc or desc`);
}
