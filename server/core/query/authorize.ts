/**
 * Plan + policies → authorized plan. The one place that says what an actor may read or write: every field that the
 * plan mentions, on every collection that it reaches, is judged here. `compile` accepts nothing that was not here.
 */
import type { Action } from "@baasix/types";
import { everyField, type FieldGrant, grantsColumn, throughRelation } from "../access/grants";
import { type Access, type Policy, refusal } from "../access/policy";
import type { Grant } from "../access/rules";
import { AppError } from "../errors";
import type { Collection, Field, Relation } from "../schema/model";
import type { ActorOperand, ColumnOperand, Operand } from "./planned";
import type { AggregatePlan } from "./planAggregate";
import type { Planned, PlannedSort, ReadPlan, SelectedColumn, SelectedRelation, SelectNode } from "./plan";
import { allOf, noRelationRules, type RelationRules } from "./relConditions";
import type { PlannedSearch } from "./search";

declare const authorized: unique symbol;

/** A read that may run. Made by `authorizeRead` alone. */
export type AuthorizedRead = ReadPlan & {
  /** Rows of the collection that the actor may read. */
  readonly rows: Planned | null;
  readonly [authorized]: true;
};

/** A read of groups that may run. Made by `authorizeAggregate` alone. */
export type AuthorizedAggregate = AggregatePlan & {
  /** Rows of the collection that the actor may read. */
  readonly rows: Planned | null;
  readonly [authorized]: true;
};

/** What a write may touch. Made by `authorizeWrite` alone. */
export type AuthorizedTarget = {
  readonly collection: Collection;
  readonly action: Exclude<Action, "read">;
  /** Rows that may be changed, as they are. */
  readonly rows: Planned | null;
  /** What the row must meet as it becomes. */
  readonly check: Planned | null;
  readonly filter: Planned | null;
  readonly grants: readonly Grant[];
  readonly [authorized]: true;
};

/**
 * Where the plan stands: a collection, the actor's own policy on it (null: none), what grants of the collections before
 * it open here, and how they limit the rows of relations from here on. `rows`: those that the actor may see here.
 */
type Scope = {
  readonly collection: Collection;
  readonly own: Policy | null;
  readonly inherited: readonly FieldGrant[];
  readonly limits: readonly RelationLimits[];
  readonly rows: Planned | null;
};

/** The relConditions of the grants of one policy. `everyRow`: the grant opens every row of its collection. */
type RelationLimits = readonly { readonly everyRow: boolean; readonly rules: RelationRules }[];

/** Where a plan begins. */
function scopeOf(collection: Collection, own: Policy | null): Scope {
  return { collection, own, inherited: [], limits: [], rows: rowCondition(own) };
}

/** Checks a read. @throws AppError FORBIDDEN naming the field, when the plan names what the actor may not read. */
export function authorizeRead(plan: ReadPlan, access: Access): AuthorizedRead {
  const own = access(plan.collection, "read");
  if (!own) throw refusal(plan.collection, "read");
  const scope = scopeOf(plan.collection, own);
  if (plan.cursor !== null && columnGuard(scope, plan.collection.primaryKey) !== null) {
    // A cursor holds the key of the row where a page ended.
    throw unreadable(scope, plan.collection.primaryKey.name, "cursor");
  }
  const where = plan.where && condition(plan.where, scope, access);
  const rows = rowCondition(own);
  // A search may narrow by an index that holds more fields than the actor may read.
  const open = rows === null && plan.search === null && (where === null || isOpen(where));
  return {
    ...plan,
    select: selectNode(plan.select, scope, access),
    where,
    search: plan.search && readableSearch(plan.search, scope),
    sort: plan.sort.map((term) => sortTerm(term, scope, access)),
    rows,
    // The planner guesses from all rows, also from those that the actor may not see.
    count: plan.count === "estimated" && !open ? "exact" : plan.count,
  } as unknown as AuthorizedRead;
}

/** True when a condition asks of nothing that is hidden from the actor on some rows. */
function isOpen(planned: Planned): boolean {
  switch (planned.kind) {
    case "all":
    case "any":
      return planned.items.every(isOpen);
    case "not":
      return isOpen(planned.item);
    case "compare":
      return isOpenPath(planned) && planned.operands.every(isOpenOperand);
    case "related":
      return planned.rows === null && isOpen(planned.item);
  }
}

function isOpenOperand(operand: Operand): boolean {
  if (operand.kind === "wrapped") return isOpenOperand(operand.value);
  if (operand.kind === "array") return operand.items.every(isOpenOperand);
  if (operand.kind === "json") return operand.inserts.every(({ value }) => isOpenOperand(value));
  if (operand.kind === "param") return true;
  return isOpenPath(operand);
}

function isOpenPath({ guard, hops }: Pick<ColumnOperand, "guard" | "hops">): boolean {
  return guard === null && hops.every(({ rows }) => rows === null);
}

/**
 * Checks an aggregate: every field that it works with or groups by is read, on the rows where the actor may. The columns
 * of the groups are made of those, so `having` may name each.
 * @throws AppError FORBIDDEN naming the field
 */
export function authorizeAggregate(plan: AggregatePlan, access: Access): AuthorizedAggregate {
  const own = access(plan.collection, "read");
  if (!own) throw refusal(plan.collection, "read");
  const scope = scopeOf(plan.collection, own);
  const groups: Scope = { ...scope, inherited: [everyField] };
  return {
    ...plan,
    values: plan.values.map((value) => ({
      ...value,
      path: value.path && { ...value.path, ...readablePath(value.path, scope, access) },
    })),
    groups: plan.groups.map((group) => ({
      ...group,
      path: { ...group.path, ...readablePath(group.path, scope, access) },
    })),
    where: plan.where && condition(plan.where, scope, access),
    search: plan.search && readableSearch(plan.search, scope),
    having: plan.having && condition(plan.having, groups, access),
    rows: rowCondition(own),
  } as unknown as AuthorizedAggregate;
}

/**
 * Checks a write of the given columns. `filter` is the client's own condition on the target (null: rows are named by key).
 * @throws AppError FORBIDDEN naming the first column that no grant opens.
 */
export function authorizeWrite(
  collection: Collection,
  action: Exclude<Action, "read">,
  columns: readonly Field[],
  filter: Planned | null,
  access: Access,
): AuthorizedTarget {
  const policy = access(collection, action);
  if (!policy) throw refusal(collection, action);
  const grants =
    action === "delete"
      ? policy.grants
      : policy.grants.filter((grant) => columns.every((field) => grantsColumn(grant.fields, field.name)));
  if (!policy.unlimited && grants.length === 0) {
    const refused = columns.find(
      (field) => !policy.grants.some((grant) => grantsColumn(grant.fields, field.name)),
    );
    throw new AppError(
      "FORBIDDEN",
      `You don't have permission to ${action} field: ${refused?.name ?? columns[0]?.name ?? "*"}`,
    );
  }
  for (const field of columns) {
    if (field.hidden && !policy.secrets)
      throw new AppError("FORBIDDEN", `You don't have permission to ${action} field: ${field.name}`);
  }
  const rows = policy.unlimited ? null : anyOf(grants);
  const reading = scopeOf(collection, access(collection, "read"));
  return {
    collection,
    action,
    rows: action === "create" ? null : rows,
    check: action === "delete" ? null : rows,
    filter: filter && condition(filter, reading, access),
    grants,
  } as unknown as AuthorizedTarget;
}

function selectNode(node: SelectNode, scope: Scope, access: Access): SelectNode {
  const columns: SelectedColumn[] = [];
  for (const column of node.columns) {
    const guard = columnGuard(scope, column.field);
    if (guard !== "refused") columns.push({ ...column, guard });
    else if (column.at !== null) throw unreadable(scope, column.field.name, column.at);
  }
  const relations: SelectedRelation[] = [];
  for (const selected of node.relations) {
    const { relation, node: child, at, where, sort } = selected;
    const opened = openRelation(scope, relation, child.collection, access);
    if (opened)
      relations.push({
        ...selected,
        node: selectNode(child, opened, access),
        rows: opened.rows,
        where: where && condition(where, opened, access),
        sort: sort.map((term) => sortTerm(term, opened, access)),
      });
    else if (at !== null) throw unreadable(scope, relation.name, at);
  }
  return { collection: node.collection, columns, relations };
}

function condition(planned: Planned, scope: Scope, access: Access): Planned {
  return conditionIn(planned, [scope], access);
}

/** `scopes`: from the collection that the condition is about to the one that this part is about. */
function conditionIn(planned: Planned, scopes: readonly Scope[], access: Access): Planned {
  const scope = scopes.at(-1);
  if (!scope) throw new Error("a condition stands in no collection");
  switch (planned.kind) {
    case "all":
    case "any":
      return { kind: planned.kind, items: planned.items.map((item) => conditionIn(item, scopes, access)) };
    case "not":
      return { kind: "not", item: conditionIn(planned.item, scopes, access) };
    case "compare": {
      const operands = planned.operands.map((one) => operandIn(one, scopes, access));
      return { ...planned, operands, ...readablePath(planned, scope, access) };
    }
    case "related": {
      const opened = openRelation(scope, planned.relation, planned.target, access);
      if (!opened) throw unreadable(scope, planned.relation.name, planned.at);
      const item = conditionIn(planned.item, [...scopes, opened], access);
      return { ...planned, item, rows: opened.rows };
    }
  }
}

/** What an operand reads is read by the actor, too: other columns, and the row of its own account. */
function operandIn(operand: Operand, scopes: readonly Scope[], access: Access): Operand {
  switch (operand.kind) {
    case "param":
      return operand;
    case "array":
      return { ...operand, items: operand.items.map((item) => operandIn(item, scopes, access)) };
    case "wrapped":
      return { ...operand, value: operandIn(operand.value, scopes, access) };
    case "json":
      return {
        ...operand,
        inserts: operand.inserts.map(({ path, value }) => ({ path, value: actorPath(value, access) })),
      };
    case "actor":
      return actorPath(operand, access);
    case "column": {
      const scope = scopes[operand.scope];
      if (!scope) throw new Error("a column reference stands in no collection");
      return { ...operand, ...readablePath(operand, scope, access) };
    }
  }
}

/** The row of the account is read like any other row: the actor needs the right, and conditions hold for it. */
function actorPath(operand: ActorOperand, access: Access): ActorOperand {
  const { source, hops, field, at } = operand;
  const own = access(source, "read");
  const scope = scopeOf(source, own);
  if (!own) throw unreadable(scope, hops[0]?.relation.name ?? field.name, at);
  return { ...operand, rows: rowCondition(own), ...readablePath(operand, scope, access) };
}

type OperandPath = Pick<ColumnOperand, "hops" | "field" | "at">;

function readablePath({ hops, field, at }: OperandPath, from: Scope, access: Access) {
  let current = from;
  const opened = hops.map((hop) => {
    const next = openRelation(current, hop.relation, hop.target, access);
    if (!next) throw unreadable(current, hop.relation.name, at);
    current = next;
    return { ...hop, rows: next.rows };
  });
  const guard = columnGuard(current, field);
  if (guard === "refused") throw unreadable(current, field.name, at);
  return { hops: opened, guard };
}

/** Searches the fields that the actor may read, each on the rows where it may. */
function readableSearch(search: PlannedSearch, scope: Scope): PlannedSearch {
  const fields = search.fields.flatMap((one) => {
    const guard = columnGuard(scope, one.field);
    if (guard !== "refused") return [{ ...one, guard }];
    if (one.at !== null) throw unreadable(scope, one.field.name, one.at);
    return [];
  });
  return { ...search, fields };
}

function sortTerm(term: PlannedSort, scope: Scope, access: Access): PlannedSort {
  // The primary key that the planner adds for a stable order shows nothing that the page does not.
  return term.at === "" ? term : { ...term, ...readablePath(term, scope, access) };
}

/** Null: readable on every row. A condition: readable where it holds. */
function columnGuard(scope: Scope, field: Field): Planned | null | "refused" {
  if (field.hidden) return scope.own?.secrets ? null : "refused";
  if (scope.inherited.some((grant) => grantsColumn(grant, field.name))) return null;
  if (!scope.own) return "refused";
  if (scope.own.unlimited) return null;
  const naming = scope.own.grants.filter((grant) => grantsColumn(grant.fields, field.name));
  if (naming.length === 0) return "refused";
  return naming.length === scope.own.grants.length ? null : anyOf(naming);
}

/**
 * A relation is open when a grant names a path through it, or when the actor may read the related collection and
 * the key that joins the two. What grants name here counts only if all of them name it: rows may come from any.
 */
function openRelation(scope: Scope, relation: Relation, target: Collection, access: Access): Scope | null {
  const own = access(target, "read");
  const inherited = [
    ...(throughRelation(scope.inherited, relation.name) ?? []),
    ...(scope.own && scope.own.grants.length > 0 ? throughEveryGrant(scope.own.grants, relation.name) : []),
  ];
  const limits = [...scope.limits, limitsOf(scope.own)];
  const rows = allOf(
    [rowCondition(own), ...limits.map((one) => limitOf(one, relation.name))].filter((one) => one !== null),
  );
  const opened: Scope = {
    collection: target,
    own,
    inherited,
    limits: limits.map((one) => below(one, relation.name)).filter(limitsAnything),
    rows,
  };
  if (inherited.length > 0) return opened;
  if (!own) return null;
  const holder = relation.keyOn === "source" ? scope : opened;
  return keyColumns(relation).every((name) => {
    const key = holder.collection.fields.get(name);
    return key !== undefined && columnGuard(holder, key) === null;
  })
    ? opened
    : null;
}

/** The columns that join the two, of the side that holds the key. */
function keyColumns({ keyOn, sourceColumn, targetColumn, scope }: Relation): readonly string[] {
  const key = keyOn === "source" ? sourceColumn : targetColumn;
  return scope === null ? [key] : [key, scope.column];
}

function limitsOf(policy: Policy | null): RelationLimits {
  if (policy === null || policy.unlimited) return [];
  return policy.grants.map(({ condition: row, related }) => ({ everyRow: row === null, rules: related }));
}

/**
 * Which rows of a relation the grants of one policy leave. A grant that opens every row opens these rows for all of them,
 * so the mildest of such grants counts; where there is none, a row may come from any grant, and all of them count.
 */
function limitOf(grants: RelationLimits, relation: string): Planned | null {
  const whole = grants.filter(({ everyRow }) => everyRow);
  const rules = (whole.length > 0 ? whole : grants).map((grant) => grant.rules.get(relation)?.rows ?? null);
  const given = rules.filter((rule) => rule !== null);
  if (whole.length === 0) return allOf(given);
  if (given.length < rules.length) return null;
  return given.length === 1 ? (given[0] ?? null) : { kind: "any", items: given };
}

function below(grants: RelationLimits, relation: string): RelationLimits {
  return grants.map(({ everyRow, rules }) => ({
    everyRow,
    rules: rules.get(relation)?.nested ?? noRelationRules,
  }));
}

function limitsAnything(grants: RelationLimits): boolean {
  return grants.some(({ rules }) => rules.size > 0);
}

function throughEveryGrant(grants: readonly Grant[], relation: string): readonly FieldGrant[] {
  const opened = grants.map((grant) => throughRelation([grant.fields], relation));
  return opened.length === 1 ? (opened[0] ?? []) : [];
}

function rowCondition(policy: Policy | null): Planned | null {
  return policy === null || policy.unlimited ? null : anyOf(policy.grants);
}

/** The rows that some grant opens; null when one of them opens all. */
function anyOf(grants: readonly Grant[]): Planned | null {
  const items: Planned[] = [];
  for (const grant of grants) {
    if (grant.condition === null) return null;
    items.push(grant.condition);
  }
  return items.length === 1 && items[0] ? items[0] : { kind: "any", items };
}

function unreadable(scope: Scope, name: string, at: string): AppError {
  return new AppError(
    "FORBIDDEN",
    `${at}: You don't have permission to read field '${name}' of '${scope.collection.name}'`,
  );
}
