/** Wire → AggregateRead: `aggregate`, `groupBy` and what may stand beside them, in every documented spelling. */
import { AppError, suggestion } from "../errors";
import type { Condition, CountMode, Path, Search, SortTerm } from "./ast";
import { aggregateFunctions } from "./aggregateFunctions";
import { dateParts } from "./dateParts";
import { isObject, parseFilter, splitPath } from "./filter";
import { fromJson, isAbsent, parseFlag, textList } from "./parameters";
import { ignored, parseCount, parseLimit, parseOffset, parseSort, readLimits } from "./parse";
import { parseSearch } from "./search";

/** One value to work out. `path` null: of the rows themselves (`*`). `function` is a name of the table. */
export type ValueWish = {
  readonly alias: string;
  readonly function: string;
  readonly path: Path | null;
  readonly at: string;
};

/** What groups are made of: a column or, with `part`, a part of its date. `name` as it was written. */
export type GroupWish = {
  readonly name: string;
  readonly part: string | null;
  readonly path: Path;
  readonly at: string;
};

/** A read of groups. The paths of `sort` and the columns of `having` are aliases and groups, not yet resolved. */
export type AggregateRead = {
  readonly collection: string;
  readonly values: readonly ValueWish[];
  readonly groups: readonly GroupWish[];
  readonly filter: Condition | null;
  readonly search: Search | null;
  readonly having: Condition | null;
  readonly sort: readonly SortTerm[];
  readonly limit: number;
  readonly offset: number;
  readonly withDeleted: boolean;
  readonly count: CountMode;
  /** Sums and averages with every digit, as text. */
  readonly exact: boolean;
};

/** Size limits of an aggregate: values, and what groups are made of. */
const aggregateLimits = { values: 20, groups: 8 } as const;

const known: ReadonlySet<string> = new Set([
  "aggregate",
  "groupBy",
  "having",
  "exact",
  "filter",
  "search",
  "searchFields",
  "searchMode",
  "sort",
  "limit",
  "page",
  "offset",
  "count",
  "paranoid",
]);

/** True for a query that asks for groups, not for items. */
export function isAggregate(query: Readonly<Record<string, unknown>>): boolean {
  return !isAbsent(query.aggregate) || !isAbsent(query.groupBy);
}

/**
 * Parses an aggregate. Without `limit` and `page` as many groups as one answer may have.
 * @throws AppError INVALID_QUERY, UNKNOWN_OPERATOR for a function, QUERY_TOO_COMPLEX
 */
export function parseAggregate(collection: string, query: Readonly<Record<string, unknown>>): AggregateRead {
  for (const name of Object.keys(query)) {
    if (known.has(name) || ignored.has(name) || query[name] === undefined) continue;
    throw new AppError(
      "INVALID_QUERY",
      `'${name}' means nothing beside aggregate and groupBy${suggestion(name, known)}`,
    );
  }
  const values = isAbsent(query.aggregate) ? [] : parseValues(fromJson(query.aggregate, "aggregate"));
  const groups = isAbsent(query.groupBy) ? [] : parseGroups(query.groupBy);
  if (values.length + groups.length === 0) {
    throw new AppError(
      "INVALID_QUERY",
      'aggregate: expected at least one, such as {"total": {"function": "count", "field": "*"}}',
    );
  }
  const limit = isAbsent(query.limit) && isAbsent(query.page) ? readLimits.maximum : parseLimit(query.limit);
  return {
    collection,
    values,
    groups,
    filter: isAbsent(query.filter) ? null : parseFilter(fromJson(query.filter, "filter")),
    search: parseSearch(query),
    having: isAbsent(query.having) ? null : parseFilter(fromJson(query.having, "having"), "having"),
    sort: parseSort(query.sort),
    limit,
    offset: parseOffset(query, limit),
    withDeleted: parseFlag(query.paranoid, "paranoid", true) === false,
    count: parseCount(query.count),
    exact: parseFlag(query.exact, "exact", false),
  };
}

const aliasPattern = /^[\p{L}_][\p{L}\p{N}_]{0,62}$/u;

function parseValues(input: unknown): readonly ValueWish[] {
  if (!isObject(input)) {
    throw new AppError(
      "INVALID_QUERY",
      'aggregate: expected an object such as {"total": {"function": "sum", "field": "price"}}',
    );
  }
  const aliases = Object.keys(input);
  if (aliases.length > aggregateLimits.values) {
    throw new AppError("QUERY_TOO_COMPLEX", `aggregate: at most ${aggregateLimits.values} values`);
  }
  return aliases.map((alias) => {
    const at = `aggregate.${alias}`;
    if (!aliasPattern.test(alias) || alias === "__proto__") {
      throw new AppError("INVALID_QUERY", `${at}: a name of letters, digits and _ (at most 63)`);
    }
    return parseValue(alias, input[alias], at);
  });
}

const valueKeys: readonly string[] = ["function", "field"];

function parseValue(alias: string, input: unknown, at: string): ValueWish {
  if (!isObject(input) || typeof input.function !== "string") {
    throw new AppError(
      "INVALID_QUERY",
      `${at}: expected an object such as {"function": "sum", "field": "price"}`,
    );
  }
  const stray = Object.keys(input).find((key) => !valueKeys.includes(key) && input[key] !== undefined);
  if (stray !== undefined) {
    throw new AppError("INVALID_QUERY", `${at}: unknown key '${stray}'${suggestion(stray, valueKeys)}`);
  }
  const entry = aggregateFunctions.get(input.function.toLowerCase());
  if (!entry) {
    const near = suggestion(input.function, aggregateFunctions.keys());
    throw new AppError("UNKNOWN_OPERATOR", `${at}: Unsupported aggregate function: ${input.function}${near}`);
  }
  const field = input.field ?? "*";
  if (typeof field !== "string")
    throw new AppError("INVALID_QUERY", `${at}.field: expected the name of a field`);
  if (field === "*" && !entry.rows) {
    throw new AppError("INVALID_QUERY", `${at}.field: '${entry.name}' needs a field; only count takes *`);
  }
  return { alias, function: entry.name, path: field === "*" ? null : splitPath(field, `${at}.field`), at };
}

function parseGroups(input: unknown): readonly GroupWish[] {
  const names = [...new Set(textList(input, "groupBy"))];
  if (names.length > aggregateLimits.groups) {
    throw new AppError("QUERY_TOO_COMPLEX", `groupBy: at most ${aggregateLimits.groups} entries`);
  }
  return names.map((name, i) => parseGroup(name, `groupBy[${i}]`));
}

function parseGroup(name: string, at: string): GroupWish {
  if (!/^date:/i.test(name)) {
    const path = splitPath(name, at);
    return { name: path.join("."), part: null, path, at };
  }
  const [, part, column] = /^date:([^:]*):(.+)$/i.exec(name) ?? [];
  if (part === undefined || column === undefined) {
    throw new AppError("INVALID_QUERY", `${at}: expected date:<part>:<field>, such as date:month:createdAt`);
  }
  if (!dateParts.has(part.toLowerCase())) {
    const near = suggestion(part, dateParts.keys()) || `; known are ${[...dateParts.keys()].join(", ")}`;
    throw new AppError("INVALID_QUERY", `${at}: unknown part '${part}' of a date${near}`);
  }
  return { name, part, path: splitPath(column, at), at };
}
