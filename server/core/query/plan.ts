/** Read → ReadPlan: names become fields and relations of one Schema. Nothing here asks who may. */
import { AppError, suggestion } from "../errors";
import { operandShape, parseValue, supports } from "../schema/fields";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import { arrayText } from "../schema/values";
import type { Condition, FieldWish, Path, Read, SortTerm } from "./ast";
import { type Operator, operators } from "./operators";
import { type Param, readVariable } from "./variables";

/**
 * A condition on one collection. `guard` (set by `authorize`) limits for which rows the column may be seen;
 * `rows` (set by `authorize`) limits which related rows exist for the actor.
 */
export type Planned =
  | { readonly kind: "all" | "any"; readonly items: readonly Planned[] }
  | { readonly kind: "not"; readonly item: Planned }
  | {
      readonly kind: "compare";
      readonly field: Field;
      readonly operator: Operator;
      readonly operands: readonly Param[];
      readonly guard: Planned | null;
      readonly at: string;
    }
  | {
      readonly kind: "related";
      readonly relation: Relation;
      readonly target: Collection;
      readonly item: Planned;
      readonly rows: Planned | null;
      readonly at: string;
    };

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

/** One sort key. `hops` are to-one relations; `rows` (set by `authorize`) limits each hop's rows. */
export type PlannedSort = {
  readonly hops: readonly {
    readonly relation: Relation;
    readonly target: Collection;
    readonly rows: Planned | null;
  }[];
  readonly field: Field;
  readonly descending: boolean;
  readonly guard: Planned | null;
  readonly at: string;
};

export type ReadPlan = {
  readonly collection: Collection;
  readonly select: SelectNode;
  readonly where: Planned | null;
  readonly sort: readonly PlannedSort[];
  readonly limit: number;
  readonly offset: number;
  readonly withDeleted: boolean;
};

/** Most collections that one read may open. */
const maximumNodes = 60;

/** Resolves a read against one schema. @throws AppError naming the unknown collection, field or operator and the nearest valid one. */
export function planRead(schema: Schema, read: Read): ReadPlan {
  const collection = findCollection(schema, read.collection);
  return {
    collection,
    select: planSelect(schema, collection, read.fields),
    where: read.filter === null ? null : planCondition(schema, collection, read.filter),
    sort: planSort(schema, collection, read.sort),
    limit: read.limit,
    offset: read.offset,
    withDeleted: read.withDeleted,
  };
}

/** The collection of a name. @throws AppError UNKNOWN_COLLECTION */
export function findCollection(schema: Schema, name: string): Collection {
  const collection = schema.collections.get(name);
  if (collection) return collection;
  throw new AppError("UNKNOWN_COLLECTION", `Collection '${name}' does not exist`);
}

/** Resolves a condition on a collection: a filter of a request, or the row rule of a permission. */
export function planCondition(schema: Schema, collection: Collection, condition: Condition): Planned {
  switch (condition.kind) {
    case "all":
    case "any":
      return {
        kind: condition.kind,
        items: condition.items.map((item) => planCondition(schema, collection, item)),
      };
    case "not":
      return { kind: "not", item: planCondition(schema, collection, condition.item) };
    case "within":
      return planWithin(schema, collection, condition);
    case "compare":
      return planCompare(collection, condition);
  }
}

function planWithin(
  schema: Schema,
  collection: Collection,
  condition: Condition & { kind: "within" },
): Planned {
  const relation = collection.relations.get(condition.relation);
  if (!relation) {
    const field = collection.fields.get(condition.relation);
    const inner = firstName(condition.item);
    if (field && inner !== null) throw unknownOperator(inner, condition.at);
    throw unknownField(collection, condition.relation, condition.at);
  }
  const target = findCollection(schema, relation.target);
  const item = planCondition(schema, target, condition.item);
  return relation.kind === "one"
    ? lookUp(relation, target, item, condition.at)
    : related(relation, target, item, condition.at);
}

function related(relation: Relation, target: Collection, item: Planned, at: string): Planned {
  return { kind: "related", relation, target, item, rows: null, at };
}

/**
 * A to-one relation reads like columns of the row itself: where there is no related row its columns are null.
 * So `isNull` also holds without a related row, and AND, OR and NOT stay outside.
 */
function lookUp(relation: Relation, target: Collection, item: Planned, at: string): Planned {
  if (item.kind === "all" && !item.items.some(testsNull)) return related(relation, target, item, at);
  if (item.kind === "all" || item.kind === "any") {
    return { kind: item.kind, items: item.items.map((part) => lookUp(relation, target, part, at)) };
  }
  if (item.kind === "compare" && item.operator.name === "isNull") {
    const present: Planned = { ...item, operator: operators.get("isNotNull") ?? item.operator };
    return { kind: "not", item: related(relation, target, present, at) };
  }
  return related(relation, target, item, at);
}

function testsNull(item: Planned): boolean {
  if (item.kind === "compare") return item.operator.name === "isNull";
  if (item.kind === "related") return false;
  return item.kind === "not" ? testsNull(item.item) : item.items.some(testsNull);
}

function planCompare(collection: Collection, condition: Condition & { kind: "compare" }): Planned {
  const { at } = condition;
  const field = findColumn(collection, condition.column, at);
  const found = operators.get(condition.operator);
  if (!found) throw unknownOperator(condition.operator, at);
  const [operator, operand] = withoutNull(found, condition.operand);
  if (!supports(field, operator.on)) {
    throw new AppError(
      "INVALID_QUERY",
      `${at}: the operator '${operator.name}' does not work on a field of type ${field.type}`,
    );
  }
  const item: Planned = { kind: "compare", field, operator, operands: [], guard: null, at };
  switch (operator.operand) {
    case "flag":
      return readFlag(operand, at) ? item : { kind: "not", item };
    case "value":
      return { ...item, operands: [readOperand(field, operand, at)] };
    case "pattern":
      return { ...item, operands: [readPattern(operator, operand, at)] };
    case "pair":
      if (!Array.isArray(operand) || operand.length !== 2) throw invalidOperand(at, "a list of two values");
      return { ...item, operands: operand.map((value, i) => readOperand(field, value, `${at}[${i}]`)) };
    case "list":
      if (!Array.isArray(operand)) throw invalidOperand(at, "a list of values");
      return planList(item, operand);
  }
}

/** `eq: null` and `ne: null` are tests for null. */
function withoutNull(operator: Operator, operand: unknown): readonly [Operator, unknown] {
  if (operand !== null || operator.operand !== "value") return [operator, operand];
  const test = operator.name === "eq" ? "isNull" : operator.name === "ne" ? "isNotNull" : null;
  return test === null ? [operator, operand] : [operators.get(test) ?? operator, true];
}

function planList(item: Planned & { kind: "compare" }, values: readonly unknown[]): Planned {
  const params = values.map((value, i) => readOperand(item.field, value, `${item.at}[${i}]`));
  if (params.some((param) => param.kind !== "value")) {
    // A variable has no place in an array that is bound as one text: one comparison each instead.
    const single = operators.get(item.operator.name === "in" ? "eq" : "ne") ?? item.operator;
    const items = params.map((param): Planned => ({ ...item, operator: single, operands: [param] }));
    return { kind: item.operator.name === "in" ? "any" : "all", items };
  }
  const texts = params.map((param) => (param.kind === "value" ? param.text : null));
  return { ...item, operands: [{ kind: "value", text: arrayText(texts) }] };
}

function readOperand(field: Field, value: unknown, at: string): Param {
  const variable = readVariable(value, at);
  if (variable) return variable;
  if (value === null || value === undefined) throw invalidOperand(at, "a value; to test for null use isNull");
  return { kind: "value", text: parseValue(value, operandShape(field), at) };
}

function readPattern(operator: Operator, value: unknown, at: string): Param {
  const variable = readVariable(value, at);
  if (variable) return variable;
  if (typeof value !== "string" && typeof value !== "number") throw invalidOperand(at, "a text");
  const text = String(value);
  if (text.includes("\0") || !text.isWellFormed())
    throw invalidOperand(at, "a text without NUL or unpaired surrogates");
  return { kind: "value", text: operator.pattern ? operator.pattern(text) : text };
}

function readFlag(value: unknown, at: string): boolean {
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw invalidOperand(at, "true or false");
}

function invalidOperand(at: string, expected: string): AppError {
  return new AppError("INVALID_VALUE", `${at}: expected ${expected}`);
}

function unknownOperator(name: string, at: string): AppError {
  return new AppError(
    "UNKNOWN_OPERATOR",
    `${at}: unknown operator '${name}'${suggestion(name, operators.keys())}`,
  );
}

function unknownField(collection: Collection, name: string, at: string): AppError {
  const valid = [...collection.fields.values()].filter((field) => !field.hidden).map((field) => field.name);
  return new AppError(
    "UNKNOWN_FIELD",
    `${at}: '${collection.name}' has no field '${name}'${suggestion(name, [...valid, ...collection.relations.keys()])}`,
  );
}

function firstName(condition: Condition): string | null {
  if (condition.kind === "compare") return condition.column;
  if (condition.kind === "within") return condition.relation;
  if (condition.kind === "not") return firstName(condition.item);
  return condition.items[0] ? firstName(condition.items[0]) : null;
}

/** A column by name; the name of a to-one relation stands for its key. */
export function findColumn(collection: Collection, name: string, at: string): Field {
  const relation = collection.relations.get(name);
  const field =
    collection.fields.get(name) ??
    (relation?.kind === "one" ? collection.fields.get(relation.sourceColumn) : undefined);
  if (field) return field;
  if (relation)
    throw new AppError(
      "INVALID_QUERY",
      `${at}: '${name}' is a list; name a field of it, such as '${name}.id'`,
    );
  throw unknownField(collection, name, at);
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
  const hops: { relation: Relation; target: Collection; rows: null }[] = [];
  let current = collection;
  for (const name of term.path.slice(0, -1)) {
    const relation = current.relations.get(name);
    if (!relation) throw unknownField(current, name, term.at);
    if (relation.kind === "many")
      throw new AppError("INVALID_QUERY", `${term.at}: '${name}' is a list and cannot be sorted by`);
    current = findCollection(schema, relation.target);
    hops.push({ relation, target: current, rows: null });
  }
  const field = findColumn(current, term.path.at(-1) ?? "", term.at);
  if (!supports(field, "order")) {
    throw new AppError("INVALID_QUERY", `${term.at}: a field of type ${field.type} has no order`);
  }
  return { hops, field, descending: term.descending, guard: null, at: term.at };
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
