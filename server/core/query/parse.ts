/** Wire → Read. Knows every documented spelling; knows nothing of collections. */
import { AppError, suggestion } from "../errors";
import type { CountMode, FieldWish, Read, SortTerm } from "./ast";
import { isObject, parseFilter, splitPath } from "./filter";
import { fromJson, isAbsent, parseFlag, textList, wholeNumber } from "./parameters";
import { parseSearch } from "./search";

/** Paging and size limits of a read. */
export const readLimits = { page: 100, maximum: 1000, sort: 8, fields: 200 } as const;

const known = new Set([
  "fields",
  "filter",
  "sort",
  "limit",
  "page",
  "offset",
  "paranoid",
  "cursor",
  "count",
  "search",
  "searchFields",
  "searchMode",
  "sortByRelevance",
]);
/** Read elsewhere: the credential by `http/`. */
export const ignored: ReadonlySet<string> = new Set(["access_token"]);

/**
 * Parses a list query. Each value may be what it means or its text: `filter` and `sort` as JSON text,
 * `fields` as a comma list or JSON text, numbers as digits.
 * @throws AppError INVALID_QUERY, QUERY_TOO_COMPLEX.
 */
export function parseRead(collection: string, query: Readonly<Record<string, unknown>>): Read {
  for (const name of Object.keys(query)) {
    if (known.has(name) || ignored.has(name) || query[name] === undefined) continue;
    throw new AppError("INVALID_QUERY", `unknown parameter '${name}'${suggestion(name, known)}`);
  }
  const limit = parseLimit(query.limit);
  return {
    collection,
    fields: parseFields(query.fields),
    filter: isAbsent(query.filter) ? null : parseFilter(fromJson(query.filter, "filter")),
    search: parseSearch(query),
    sort: parseSort(query.sort),
    limit,
    offset: parseOffset(query, limit),
    cursor: parseCursor(query),
    count: parseCount(query.count),
    withDeleted: parseFlag(query.paranoid, "paranoid", true) === false,
  };
}

/** How many rows: 100 when nothing is said. @throws AppError INVALID_QUERY */
export function parseLimit(value: unknown): number {
  if (isAbsent(value)) return readLimits.page;
  const limit = wholeNumber(value, "limit", -1);
  if (limit === -1) return readLimits.maximum;
  if (limit > readLimits.maximum) {
    throw new AppError(
      "INVALID_QUERY",
      `limit: at most ${readLimits.maximum} (-1 means the maximum); got ${limit}`,
    );
  }
  return limit;
}

/** How many rows to pass over, from `page` or `offset`. @throws AppError INVALID_QUERY */
export function parseOffset(query: Readonly<Record<string, unknown>>, limit: number): number {
  if (isAbsent(query.page)) return isAbsent(query.offset) ? 0 : wholeNumber(query.offset, "offset", 0);
  if (!isAbsent(query.offset))
    throw new AppError("INVALID_QUERY", "offset: give either page or offset, not both");
  return (wholeNumber(query.page, "page", 1) - 1) * limit;
}

/** An empty cursor begins a walk, so that only a missing one means none. */
function parseCursor(query: Readonly<Record<string, unknown>>): string | null {
  const { cursor } = query;
  if (cursor === undefined || cursor === null) return null;
  if (!isAbsent(query.page) || !isAbsent(query.offset)) {
    throw new AppError("INVALID_QUERY", "cursor: give either cursor or page and offset, not both");
  }
  if (typeof cursor === "string" && cursor.length <= 4096) return cursor;
  throw new AppError("INVALID_QUERY", "cursor: expected the nextCursor of an answer, or nothing");
}

/** @throws AppError INVALID_QUERY */
export function parseCount(value: unknown): CountMode {
  if (isAbsent(value)) return "exact";
  if (value === "exact" || value === "estimated" || value === "none") return value;
  throw new AppError("INVALID_QUERY", "count: expected exact, estimated or none");
}

/** `a,b`, `["a","b"]` (list or JSON text) or a repeated parameter. Nothing given: `*`. */
function parseFields(value: unknown): readonly FieldWish[] {
  const names = isAbsent(value) ? ["*"] : textList(value, "fields");
  if (names.length > readLimits.fields) {
    throw new AppError("QUERY_TOO_COMPLEX", `fields: at most ${readLimits.fields} entries`);
  }
  return names.map((name, i) => {
    const exclude = name.startsWith("-");
    const at = `fields[${i}]`;
    return { path: splitPath(exclude ? name.slice(1) : name, at), exclude, at };
  });
}

/** `{"a":"desc"}`, `["-a","b"]`, `[{"a":"desc"}]`, `[{"field":"a","direction":"desc"}]`, `-a,b`, `a:desc`. */
export function parseSort(value: unknown): readonly SortTerm[] {
  if (isAbsent(value)) return [];
  const given = typeof value === "string" && /^\s*[[{]/.test(value) ? fromJson(value, "sort") : value;
  const terms = sortTerms(given, "sort");
  if (terms.length > readLimits.sort)
    throw new AppError("QUERY_TOO_COMPLEX", `sort: at most ${readLimits.sort} terms`);
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
  return Object.keys(value).map((name) => sortTerm(name, value[name], `${at}.${name}`));
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
