/** Wishes → what is read: columns and relations of each collection, and which of the related rows. */
import { AppError } from "../errors";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import type { FieldWish, InnerRead, Path, RelConditions, SortTerm } from "./ast";
import { findCollection, unknownField } from "./find";
import { planCondition } from "./planCondition";
import type { Planned } from "./planned";
import { type PlannedSort, planSort } from "./planSort";
import { allOf, planRelConditions, type RelationRules } from "./relConditions";

/** A wish for a column or relation. `at` is null when a wildcard asked: then what may not be read is left out. */
export type SelectedColumn = {
  readonly field: Field;
  readonly at: string | null;
  readonly guard: Planned | null;
};

/**
 * Related rows: which, in which order, and how many (`limit` null: as many as there is room for). `named`: the request says
 * its name, no wildcard. `rows` (set by `authorize`) limits which rows exist for the actor.
 */
export type SelectedRelation = {
  readonly relation: Relation;
  readonly node: SelectNode;
  readonly at: string | null;
  readonly named: boolean;
  readonly rows: Planned | null;
  readonly where: Planned | null;
  readonly sort: readonly PlannedSort[];
  readonly limit: number | null;
};

/** What is read of one collection, and of those below it. */
export type SelectNode = {
  readonly collection: Collection;
  readonly columns: readonly SelectedColumn[];
  readonly relations: readonly SelectedRelation[];
};

/** Most collections that one read may open. */
const maximumNodes = 60;

type Draft = {
  readonly collection: Collection;
  readonly columns: Map<string, SelectedColumn>;
  readonly relations: Map<string, Child>;
};
type Child = {
  readonly relation: Relation;
  readonly node: Draft;
  readonly where: Planned[];
  at: string | null;
  named: boolean;
  sort: readonly SortTerm[];
  limit: number | null;
};
type Omission = { readonly node: Draft; readonly path: Path; readonly at: string };
type Planning = { readonly schema: Schema; readonly omissions: Omission[]; nodes: number };

/** Resolves `fields` and `relConditions`. @throws AppError UNKNOWN_FIELD, INVALID_QUERY, QUERY_TOO_COMPLEX */
export function planSelect(
  schema: Schema,
  collection: Collection,
  wishes: readonly FieldWish[],
  conditions: RelConditions | null,
): SelectNode {
  const root = draft(collection);
  const planning: Planning = { schema, omissions: [], nodes: maximumNodes };
  addWishes(root, wishes, planning);
  // Last: what is left out may have been added by any wish.
  for (const { node, path, at } of planning.omissions) omit(node, path, at);
  if (conditions) {
    const { conditions: input, at, budget } = conditions;
    const isSelected = (path: readonly string[]): boolean => childAt(root, path) !== undefined;
    restrict(root, planRelConditions(schema, collection, input, at, budget, isSelected));
  }
  return freeze(root, true, schema);
}

function draft(collection: Collection): Draft {
  return { collection, columns: new Map(), relations: new Map() };
}

function childAt(node: Draft, path: readonly string[]): Child | undefined {
  const [first = "", ...rest] = path;
  const child = node.relations.get(first);
  return child && rest.length > 0 ? childAt(child.node, rest) : child;
}

function restrict(node: Draft, rules: RelationRules): void {
  for (const [name, { rows, nested }] of rules) {
    const child = node.relations.get(name);
    if (!child) continue;
    if (rows) child.where.push(rows);
    restrict(child.node, nested);
  }
}

/** Nothing but omissions leave everything else. */
function addWishes(node: Draft, wishes: readonly FieldWish[], planning: Planning): void {
  if (wishes.every((wish) => wish.exclude)) addColumns(node);
  for (const { path, exclude, at, inner } of wishes) {
    if (exclude) planning.omissions.push({ node, path, at });
    else if (inner) addInner(node, path, at, inner, planning);
    else addWish(node, path, at, planning);
  }
}

function addColumns(node: Draft): void {
  for (const field of node.collection.fields.values()) {
    if (!field.hidden && !node.columns.has(field.name)) {
      node.columns.set(field.name, { field, at: null, guard: null });
    }
  }
}

/** `at`: where an unknown name is reported; null under a wildcard, where not every collection has the name. */
function addWish(node: Draft, path: Path, at: string | null, planning: Planning): void {
  const [name, ...rest] = path as [string, ...string[]];
  if (name === "*") {
    addColumns(node);
    if (rest.length === 0) return;
    for (const relation of node.collection.relations.keys())
      addWish(node, [relation, ...rest], null, planning);
    return;
  }
  // A path with a wildcard asks for what is readable there; only a path without one insists.
  const insists = path.includes("*") ? null : at;
  const field = node.collection.fields.get(name);
  if (field && rest.length === 0) {
    node.columns.set(name, { field, at: insists ?? node.columns.get(name)?.at ?? null, guard: null });
    return;
  }
  const relation = node.collection.relations.get(name);
  if (relation)
    addWish(
      open(node, relation, insists, at !== null, planning).node,
      rest.length === 0 ? ["*"] : rest,
      at,
      planning,
    );
  else if (at !== null) throw unknownField(node.collection, name, at);
}

function open(
  node: Draft,
  relation: Relation,
  insists: string | null,
  named: boolean,
  planning: Planning,
): Child {
  let child = node.relations.get(relation.name);
  if (!child) {
    if (--planning.nodes < 0) {
      throw new AppError(
        "QUERY_TOO_COMPLEX",
        `fields: more than ${maximumNodes} related collections; name fewer relations`,
      );
    }
    const target = draft(findCollection(planning.schema, relation.target));
    child = { relation, node: target, where: [], at: insists, named, sort: [], limit: null };
    node.relations.set(relation.name, child);
  }
  child.at ??= insists;
  child.named ||= named;
  return child;
}

function addInner(node: Draft, path: Path, at: string, inner: InnerRead, planning: Planning): void {
  const [name, ...rest] = path as [string, ...string[]];
  const relation = node.collection.relations.get(name);
  if (!relation) {
    if (!node.collection.fields.has(name)) throw unknownField(node.collection, name, at);
    throw new AppError(
      "INVALID_QUERY",
      `${at}: '${name}' of '${node.collection.name}' is a field, not a relation`,
    );
  }
  const child = open(node, relation, at, true, planning);
  if (rest.length > 0) return addInner(child.node, rest, at, inner, planning);
  const { fields, filter, sort, limit } = inner;
  addWishes(child.node, fields, planning);
  if (filter) child.where.push(planCondition(planning.schema, child.node.collection, filter));
  if (sort.length === 0 && limit === null) return;
  if (relation.kind === "one") {
    throw new AppError("INVALID_QUERY", `${at}: '${name}' is one item; sort and limit are for lists`);
  }
  if ((sort.length > 0 && child.sort.length > 0) || (limit !== null && child.limit !== null)) {
    throw new AppError("INVALID_QUERY", `${at}: '${name}' has a sort or limit already; give it once`);
  }
  if (sort.length > 0) child.sort = sort;
  child.limit ??= limit;
}

function omit(node: Draft, path: Path, at: string): void {
  const [name, ...rest] = path as [string, ...string[]];
  const { fields, relations } = node.collection;
  if (name === "*" && rest.length === 0) return node.columns.clear();
  if (!relations.has(name) && (rest.length > 0 || !fields.has(name))) {
    throw unknownField(node.collection, name, at);
  }
  if (rest.length === 0) {
    node.columns.delete(name);
    node.relations.delete(name);
    return;
  }
  const child = node.relations.get(name);
  if (child) omit(child.node, rest, at);
}

function freeze(node: Draft, root: boolean, schema: Schema): SelectNode {
  const key = node.collection.primaryKey;
  // A related row always carries its key, so that a client can tell rows apart.
  if (!root && !node.columns.has(key.name)) node.columns.set(key.name, { field: key, at: null, guard: null });
  return {
    collection: node.collection,
    columns: [...node.columns.values()],
    relations: [...node.relations.values()].map(
      ({ relation, node: child, where, sort, at, named, limit }) => ({
        relation,
        node: freeze(child, false, schema),
        at,
        named,
        rows: null,
        where: allOf(where),
        sort: relation.kind === "many" ? planSort(schema, child.collection, sort) : [],
        limit,
      }),
    ),
  };
}
