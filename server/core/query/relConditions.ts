/**
 * `relConditions`: conditions on the rows inside expanded relations. `{comments: {approved: true, author: {active: true}}}`
 * shows approved comments, and of their authors the active ones. The key of a relation goes a level down; every other
 * key, dotted paths among them, is a filter on the rows of its level.
 */
import { AppError, suggestion } from "../errors";
import type { Collection, Schema } from "../schema/model";
import type { Condition } from "./ast";
import { type Budget, filterLimits, isObject, parseFilter } from "./filter";
import { findCollection } from "./find";
import { planCondition } from "./planCondition";
import type { Planned } from "./planned";

/** Conditions on the rows of relations, by relation: on its rows, and on the rows of relations below. */
export type RelationRules = ReadonlyMap<string, RelationRule>;
export type RelationRule = { readonly rows: Planned | null; readonly nested: RelationRules };

/** No conditions. */
export const noRelationRules: RelationRules = new Map();

/** Where conditions are read: `goesDown` tells whether the key of a relation leads a level down, or is a filter. */
type Reading = {
  readonly schema: Schema;
  readonly budget: Budget;
  readonly goesDown: (path: readonly string[]) => boolean;
};
type Level = {
  readonly collection: Collection;
  readonly path: readonly string[];
  readonly filters: Condition[];
  readonly below: Map<string, Level>;
};

/**
 * Reads conditions against a schema.
 * @param goesDown asked with the path of a relation; by default every relation leads a level down
 * @throws AppError UNKNOWN_FIELD, INVALID_QUERY, QUERY_TOO_COMPLEX
 */
export function planRelConditions(
  schema: Schema,
  collection: Collection,
  input: unknown,
  at: string,
  budget: Budget,
  goesDown: Reading["goesDown"] = () => true,
): RelationRules {
  const root: Level = { collection, path: [], filters: [], below: new Map() };
  read(root, input, at, { schema, budget, goesDown });
  return rulesOf(schema, root);
}

function rulesOf(schema: Schema, level: Level): RelationRules {
  return new Map(
    [...level.below].map(([name, below]) => {
      const rows = below.filters.map((filter) => planCondition(schema, below.collection, filter));
      return [name, { rows: allOf(rows), nested: rulesOf(schema, below) }] as const;
    }),
  );
}

/** Conditions that all must hold; null: none. */
export function allOf(items: readonly Planned[]): Planned | null {
  return items.length > 1 ? { kind: "all", items } : (items[0] ?? null);
}

function read(level: Level, input: unknown, at: string, reading: Reading): void {
  if (!isObject(input)) throw new AppError("INVALID_QUERY", `${at}: expected an object`);
  if (level.path.length > filterLimits.depth) {
    throw new AppError(
      "QUERY_TOO_COMPLEX",
      `${at}: conditions may be nested ${filterLimits.depth} levels deep`,
    );
  }
  // Without a prototype: any name is a name like any other.
  const filter: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(input)) {
    const value = input[key];
    if (value === undefined) continue;
    const place = `${at}.${key}`;
    if (key === "AND" && level.path.length === 0) {
      if (!Array.isArray(value))
        throw new AppError("INVALID_QUERY", `${place}: expected a list of conditions`);
      value.forEach((member: unknown, i) => read(level, member, `${place}[${i}]`, reading));
    } else if (isObject(value) && isWayDown(level, key, reading))
      read(down(level, key, reading), value, place, reading);
    else if (level.path.length > 0) filter[key] = value;
    else readAtRoot(level, key, value, at, reading);
  }
  if (Object.keys(filter).length > 0) level.filters.push(parseFilter(filter, at, reading.budget));
}

function isWayDown({ collection, path }: Level, key: string, { goesDown }: Reading): boolean {
  return collection.relations.has(key) && goesDown([...path, key]);
}

function down(level: Level, name: string, { schema }: Reading): Level {
  const known = level.below.get(name);
  if (known) return known;
  const target = findCollection(schema, level.collection.relations.get(name)?.target ?? "");
  const next: Level = { collection: target, path: [...level.path, name], filters: [], below: new Map() };
  level.below.set(name, next);
  return next;
}

/** `"comments.approved"` is a filter on the comments. The rows of the read itself are those of its filter. */
function readAtRoot(level: Level, key: string, value: unknown, at: string, reading: Reading): void {
  const { collection } = level;
  const [first = "", ...rest] = key.split(".");
  if (rest.length > 0 && isWayDown(level, first, reading)) {
    return read(down(level, first, reading), { [rest.join(".")]: value }, `${at}.${first}`, reading);
  }
  if (collection.relations.has(first)) {
    throw new AppError("INVALID_QUERY", `${at}.${key}: '${first}' is not among the fields; add '${first}.*'`);
  }
  const near = suggestion(first, collection.relations.keys());
  throw new AppError("UNKNOWN_FIELD", `${at}.${key}: '${collection.name}' has no relation '${first}'${near}`);
}
