/** AggregateRead → AggregatePlan: names become fields, functions and columns of the groups. Nothing here asks who may. */
import { AppError, suggestion } from "../errors";
import type { FieldShape } from "../schema/fields";
import type { Collection, Field, Schema } from "../schema/model";
import type { AggregateRead, GroupWish, ValueWish } from "./aggregate";
import { type AggregateFunction, aggregateFunctions, isComparable } from "./aggregateFunctions";
import type { Condition, CountMode, SortTerm } from "./ast";
import { type DatePart, dateParts, hasDatePart, hasDateParts } from "./dateParts";
import { findCollection } from "./find";
import { type PlannedPath, planPath } from "./paths";
import { planCondition } from "./planCondition";
import type { Hop, Planned } from "./planned";
import { type PlannedSearch, planSearch } from "./search";

/** One value of each group. `path` null: of the rows themselves. `column` names it in the groups, `key` in the answer. */
export type PlannedValue = {
  readonly column: string;
  readonly key: string;
  readonly function: AggregateFunction;
  readonly path: PlannedPath | null;
};

/** What groups are made of. `keys`: the names under which it is answered. */
export type PlannedGroup = {
  readonly column: string;
  readonly keys: readonly string[];
  readonly path: PlannedPath;
  readonly part: DatePart | null;
};

export type AggregatePlan = {
  readonly collection: Collection;
  readonly values: readonly PlannedValue[];
  readonly groups: readonly PlannedGroup[];
  readonly where: Planned | null;
  readonly search: PlannedSearch | null;
  /** A condition on the columns of the groups. */
  readonly having: Planned | null;
  readonly sort: readonly { readonly column: string; readonly descending: boolean }[];
  readonly limit: number;
  readonly offset: number;
  readonly withDeleted: boolean;
  readonly count: CountMode;
  readonly exact: boolean;
};

/** The relations of a path up to its last list: whose rows the path speaks of. */
export function listHops({ hops }: PlannedPath): readonly Hop[] {
  return hops.slice(0, hops.findLastIndex(({ relation }) => relation.kind === "many") + 1);
}

/** True when the first steps of one way are the whole of another. */
export function startsWith(hops: readonly Hop[], beginning: readonly Hop[]): boolean {
  return beginning.every(({ relation }, i) => hops[i]?.relation === relation);
}

/** Resolves an aggregate against one schema. @throws AppError naming the unknown name and the nearest valid one. */
export function planAggregate(schema: Schema, read: AggregateRead): AggregatePlan {
  const collection = findCollection(schema, read.collection);
  const values = read.values.map((wish, i) => planValue(schema, collection, wish, `a${i}`));
  const groups = planGroups(schema, collection, read.groups, values);
  const columns = columnsOf(values, groups);
  return {
    collection,
    values,
    groups,
    where: read.filter === null ? null : planCondition(schema, collection, read.filter),
    search: read.search === null ? null : planSearch(schema, collection, read.search),
    having: read.having === null ? null : planHaving(schema, collection, columns, read.having),
    sort: planSort(read.sort, columns, groups),
    limit: read.limit,
    offset: read.offset,
    withDeleted: read.withDeleted,
    count: read.count,
    exact: read.exact,
  };
}

function planValue(schema: Schema, collection: Collection, wish: ValueWish, column: string): PlannedValue {
  const entry = aggregateFunctions.get(wish.function.toLowerCase());
  if (!entry) throw new AppError("UNKNOWN_OPERATOR", `${wish.at}: unknown function '${wish.function}'`);
  const path = wish.path && planPath(schema, collection, wish.path, `${wish.at}.field`);
  if (path && !entry.accepts(path.field)) {
    throw new AppError(
      "INVALID_QUERY",
      `${wish.at}: ${entry.name} needs ${entry.needs}; '${path.field.name}' is ${path.field.type}`,
    );
  }
  return { column, key: wish.alias, function: entry, path };
}

function planGroups(
  schema: Schema,
  collection: Collection,
  wishes: readonly GroupWish[],
  values: readonly PlannedValue[],
): readonly PlannedGroup[] {
  const taken = new Set(values.map(({ key }) => key));
  for (const { name, at } of wishes) {
    if (taken.has(name)) throw new AppError("INVALID_QUERY", `${at}: '${name}' is also the name of a value`);
    taken.add(name);
  }
  const groups = wishes.map((wish, i) => {
    const path = planPath(schema, collection, wish.path, wish.at);
    const other = [...(wish.part === null ? [] : [wish.part]), ...wish.path].join("_");
    const keys = taken.has(other) ? [wish.name] : [wish.name, other];
    taken.add(other);
    return { column: `k${i}`, keys, path, part: planPart(wish, path.field) };
  });
  checkLists(groups);
  return groups;
}

function planPart({ part, at }: GroupWish, field: Field): DatePart | null {
  if (part === null) {
    if (isComparable(field)) return null;
    throw new AppError("INVALID_QUERY", `${at}: values of type ${field.type} cannot be grouped`);
  }
  const found = dateParts.get(part.toLowerCase());
  if (!found) throw new AppError("INVALID_QUERY", `${at}: unknown part '${part}' of a date`);
  if (hasDatePart(field, found)) return found;
  const what = hasDateParts(field) ? `has no ${found.name}` : "is no date or time";
  throw new AppError("INVALID_QUERY", `${at}: '${field.name}' is ${field.type}, which ${what}`);
}

/** A row stands in one group for each row of a list; with two lists it would be for each pair, which nobody means. */
function checkLists(groups: readonly PlannedGroup[]): void {
  const longest = groupedLists(groups);
  const other = groups.find(({ path }) => !startsWith(longest, listHops(path)));
  if (!other) return;
  throw new AppError(
    "INVALID_QUERY",
    `${other.path.at}: groups of two different lists; group by one of them`,
  );
}

/** The list, if any, whose rows make groups. */
export function groupedLists(groups: readonly PlannedGroup[]): readonly Hop[] {
  return groups
    .map(({ path }) => listHops(path))
    .reduce((longest, hops) => (hops.length > longest.length ? hops : longest), []);
}

/** What `having` and `sort` may name. `shape` null: a list, which has no order. */
type Column = { readonly column: string; readonly shape: FieldShape | null };

function columnsOf(
  values: readonly PlannedValue[],
  groups: readonly PlannedGroup[],
): ReadonlyMap<string, Column> {
  return new Map([
    ...groups.flatMap(({ column, keys, path, part }) =>
      keys.map((key) => [key, { column, shape: part ? partShape(part, path.field) : path.field }] as const),
    ),
    ...values.map(
      ({ column, key, function: entry, path }) =>
        [key, { column, shape: entry.result(path?.field ?? null).compared }] as const,
    ),
  ]);
}

function partShape({ whole }: DatePart, field: Field): FieldShape {
  return { ...field, type: whole ? "Integer" : "Double", length: null, values: [], items: null };
}

function findColumn(
  columns: ReadonlyMap<string, Column>,
  name: string,
  at: string,
): Column & { shape: FieldShape } {
  const found = columns.get(name);
  if (!found) {
    throw new AppError(
      "UNKNOWN_FIELD",
      `${at}: '${name}' is neither a value of aggregate nor in groupBy${suggestion(name, columns.keys())}`,
    );
  }
  const { column, shape } = found;
  if (shape === null) throw new AppError("INVALID_QUERY", `${at}: '${name}' is a list and has no order`);
  return { column, shape };
}

function planSort(
  terms: readonly SortTerm[],
  columns: ReadonlyMap<string, Column>,
  groups: readonly PlannedGroup[],
): AggregatePlan["sort"] {
  const planned = terms.map(({ path, descending, at, from }) => {
    if (from !== undefined) throw new AppError("INVALID_QUERY", `${at}: groups have no place to be near to`);
    return { column: findColumn(columns, path.join("."), at).column, descending };
  });
  // The groups come last, so that pages never overlap.
  const rest = groups.filter(({ column }) => !planned.some((term) => term.column === column));
  return [...planned, ...rest.map(({ column }) => ({ column, descending: false }))];
}

/** The groups as a collection of their own, so that `having` is planned as any other condition. */
function planHaving(
  schema: Schema,
  collection: Collection,
  columns: ReadonlyMap<string, Column>,
  condition: Condition,
): Planned {
  const flat = flatten(condition, "", columns);
  const fields = [...columns].flatMap(([name, { column, shape }]): (readonly [string, Field])[] =>
    shape === null ? [] : [[name, { ...collection.primaryKey, ...shape, ...plain, name: column }]],
  );
  return planCondition(schema, { ...collection, fields: new Map(fields), relations: new Map() }, flat);
}

const plain = { primaryKey: false, allowNull: true, unique: false, default: null, hidden: false } as const;

/** A dotted name was taken for a way through relations; here it is a name. */
function flatten(condition: Condition, prefix: string, columns: ReadonlyMap<string, Column>): Condition {
  switch (condition.kind) {
    case "all":
    case "any":
      return { ...condition, items: condition.items.map((item) => flatten(item, prefix, columns)) };
    case "not":
      return { ...condition, item: flatten(condition.item, prefix, columns) };
    case "within":
      return flatten(condition.item, `${prefix}${condition.relation}.`, columns);
    case "compare": {
      const column = `${prefix}${condition.column}`;
      if (!columns.has(column) && columns.has(prefix.slice(0, -1))) {
        throw new AppError("UNKNOWN_OPERATOR", `${condition.at}: unknown operator '${condition.column}'`);
      }
      findColumn(columns, column, condition.at);
      return { ...condition, column };
    }
  }
}
