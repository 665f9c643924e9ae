/** Wire → Read. Knows every documented spelling; knows nothing of collections. */
import { AppError, suggestion } from "../errors";
import type { CountMode, Read, RelConditions } from "./ast";
import { readCursor } from "./cursor";
import { type Budget, filterBudget, isObject, parseFilter } from "./filter";
import { Hole } from "./holes";
import { readLimits } from "./limits";
import { fromJson, isAbsent, parseFlag, wholeNumber } from "./parameters";
import { parseFields } from "./parseFields";
import { parseSort } from "./parseSort";
import { parseSearch } from "./search";

export { readLimits } from "./limits";
export { parseSort } from "./parseSort";

const known = new Set([
  "fields",
  "filter",
  "relConditions",
  "relFilter",
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
  const budget = filterBudget();
  return {
    collection,
    fields: parseFields(query.fields, budget),
    filter: isAbsent(query.filter) ? null : parseFilter(fromJson(query.filter, "filter"), "filter", budget),
    relConditions: parseRelConditions(query, budget),
    search: parseSearch(query),
    sort: parseSort(query.sort),
    limit,
    offset: parseOffset(query, limit),
    cursor: parseCursor(query),
    count: parseCount(query.count),
    withDeleted: parseFlag(query.paranoid, "paranoid", true) === false,
  };
}

/** Conditions on the rows inside expanded relations; `relFilter` is how the SDK spells it. */
function parseRelConditions(query: Readonly<Record<string, unknown>>, budget: Budget): RelConditions | null {
  const name = isAbsent(query.relConditions) ? "relFilter" : "relConditions";
  if (isAbsent(query[name])) return null;
  if (name === "relConditions" && !isAbsent(query.relFilter)) {
    throw new AppError("INVALID_QUERY", "relFilter: the same as relConditions; give one of them");
  }
  const conditions = fromJson(query[name], name);
  if (isObject(conditions)) return { conditions, at: name, budget };
  throw new AppError("INVALID_QUERY", `${name}: expected an object such as {"comments": {"approved": true}}`);
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
function parseCursor(query: Readonly<Record<string, unknown>>): Read["cursor"] {
  const { cursor } = query;
  if (cursor === undefined || cursor === null) return null;
  if (!isAbsent(query.page) || !isAbsent(query.offset)) {
    throw new AppError("INVALID_QUERY", "cursor: give either cursor or page and offset, not both");
  }
  return cursor instanceof Hole ? cursor : readCursor(cursor);
}

/** @throws AppError INVALID_QUERY */
export function parseCount(value: unknown): CountMode {
  if (isAbsent(value)) return "exact";
  if (value === "exact" || value === "estimated" || value === "none") return value;
  throw new AppError("INVALID_QUERY", "count: expected exact, estimated or none");
}
