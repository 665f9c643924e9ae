/** Read → ReadPlan: names become fields and relations of one Schema. Nothing here asks who may. */
import { AppError } from "../errors";
import { supports } from "../schema/fields";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import type { CountMode, FieldWish, Path, Read, SortTerm } from "./ast";
import { decodeCursor, type Keyset } from "./cursor";
import { findCollection, unknownField } from "./find";
import { type PlannedPath, planPath } from "./paths";
import { planCondition } from "./planCondition";
import type { Planned } from "./planned";
import { type PlannedSearch, planSearch } from "./search";

export { findCollection, findColumn } from "./find";
export { planCondition } from "./planCondition";
export type { Planned } from "./planned";

/** A wish for a column or relation. `at` is null when a wildcard asked: then what may not be read is left out. */
export type SelectedColumn = {
  readonly field: Field;
  readonly at: string | null;
  readonly guard: Planned | null;
};
export type SelectedRelation = {
  readonly relation: Relation;
  readonly node: SelectNode;
  readonly at: string | null;
  readonly rows: Planned | null;
};

/** What is read of one collection, and of those below it. */
export type SelectNode = {
  readonly collection: Collection;
  readonly columns: readonly SelectedColumn[];
  readonly relations: readonly SelectedRelation[];
};

/** One sort key: a path through to-one relations. */
export type PlannedSort = PlannedPath & { readonly descending: boolean };

export type ReadPlan = {
  readonly collection: Collection;
  readonly select: SelectNode;
  readonly where: Planned | null;
  readonly search: PlannedSearch | null;
  readonly sort: readonly PlannedSort[];
  readonly limit: number;
  readonly offset: number;
  readonly withDeleted: boolean;
  readonly count: CountMode;
  /** Null: pages by offset. `after` null: the first page of a walk by cursor. */
  readonly cursor: { readonly after: Keyset | null } | null;
};

/** Most collections that one read may open. */
const maximumNodes = 60;

/** Resolves a read against one schema. @throws AppError naming the unknown collection, field or operator and the nearest valid one. */
export function planRead(schema: Schema, read: Read): ReadPlan {
  const collection = findCollection(schema, read.collection);
  const sort = planSort(schema, collection, read.sort);
  return {
    collection,
    select: planSelect(schema, collection, read.fields),
    where: read.filter === null ? null : planCondition(schema, collection, read.filter),
    search: read.search === null ? null : planSearch(schema, collection, read.search),
    sort,
    limit: read.limit,
    offset: read.offset,
    withDeleted: read.withDeleted,
    count: read.count,
    cursor:
      read.cursor === null ? null : { after: read.cursor === "" ? null : decodeCursor(sort, read.cursor) },
  };
}

function planSort(
  schema: Schema,
  collection: Collection,
  terms: readonly SortTerm[],
): readonly PlannedSort[] {
  const planned = terms.map((term) => planSortTerm(schema, collection, term));
  const key = collection.primaryKey;
  const unique = planned.some((term) => term.hops.length === 0 && term.field.name === key.name);
  // The key comes last, so that pages never overlap.
  return unique ? planned : [...planned, { hops: [], field: key, descending: false, guard: null, at: "" }];
}

function planSortTerm(schema: Schema, collection: Collection, term: SortTerm): PlannedSort {
  const path = planPath(schema, collection, term.path, term.at);
  const list = path.hops.find(({ relation }) => relation.kind === "many");
  if (list) {
    throw new AppError(
      "INVALID_QUERY",
      `${term.at}: '${list.relation.name}' is a list and cannot be sorted by`,
    );
  }
  const { field } = path;
  if (!supports(field, "order") && field.type !== "Boolean") {
    throw new AppError("INVALID_QUERY", `${term.at}: a field of type ${field.type} has no order`);
  }
  return { ...path, descending: term.descending };
}

type Draft = {
  readonly collection: Collection;
  readonly columns: Map<string, SelectedColumn>;
  readonly relations: Map<string, { readonly relation: Relation; readonly node: Draft; at: string | null }>;
};

function planSelect(schema: Schema, collection: Collection, wishes: readonly FieldWish[]): SelectNode {
  const root = draft(collection);
  const budget = { nodes: maximumNodes };
  const onlyExclusions = wishes.every((wish) => wish.exclude);
  if (onlyExclusions) addWish(schema, root, ["*"], "fields", budget);
  for (const wish of wishes) if (!wish.exclude) addWish(schema, root, wish.path, wish.at, budget);
  for (const wish of wishes) if (wish.exclude) removeWish(root, wish.path, wish.at);
  return freeze(root, true);
}

function draft(collection: Collection): Draft {
  return { collection, columns: new Map(), relations: new Map() };
}

/** `at`: where an unknown name is reported; null under a wildcard, where not every collection has the name. */
function addWish(
  schema: Schema,
  node: Draft,
  path: Path,
  at: string | null,
  budget: { nodes: number },
): void {
  const [name, ...rest] = path as [string, ...string[]];
  // A path with a wildcard asks for what is readable there; only a path without one insists.
  const insists = path.includes("*") ? null : at;
  if (rest.length === 0 && name === "*") {
    for (const field of node.collection.fields.values()) {
      if (!field.hidden && !node.columns.has(field.name)) {
        node.columns.set(field.name, { field, at: null, guard: null });
      }
    }
    return;
  }
  if (name === "*") {
    addWish(schema, node, ["*"], null, budget);
    for (const relation of node.collection.relations.keys()) {
      addWish(schema, node, [relation, ...rest], null, budget);
    }
    return;
  }
  const field = node.collection.fields.get(name);
  if (field && rest.length === 0) {
    node.columns.set(name, { field, at: insists ?? node.columns.get(name)?.at ?? null, guard: null });
    return;
  }
  const relation = node.collection.relations.get(name);
  if (!relation) {
    if (at === null) return;
    throw unknownField(node.collection, name, at);
  }
  let child = node.relations.get(name);
  if (!child) {
    if (--budget.nodes < 0) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `fields: more than ${maximumNodes} related collections; name fewer relations`,
      );
    }
    child = { relation, node: draft(findCollection(schema, relation.target)), at: insists };
    node.relations.set(name, child);
  }
  child.at ??= insists;
  addWish(schema, child.node, rest.length === 0 ? ["*"] : rest, at, budget);
}

function removeWish(node: Draft, path: Path, at: string): void {
  const [name, ...rest] = path as [string, ...string[]];
  if (rest.length > 0) {
    const child = node.relations.get(name);
    if (child) removeWish(child.node, rest, at);
    return;
  }
  if (!node.collection.fields.has(name) && !node.collection.relations.has(name))
    throw unknownField(node.collection, name, at);
  node.columns.delete(name);
  node.relations.delete(name);
}

function freeze(node: Draft, root: boolean): SelectNode {
  const key = node.collection.primaryKey;
  // A related row always carries its key, so that a client can tell rows apart.
  if (!root && !node.columns.has(key.name)) node.columns.set(key.name, { field: key, at: null, guard: null });
  return {
    collection: node.collection,
    columns: [...node.columns.values()],
    relations: [...node.relations.values()].map(({ relation, node: child, at }) => ({
      relation,
      node: freeze(child, false),
      at,
      rows: null,
    })),
  };
}
