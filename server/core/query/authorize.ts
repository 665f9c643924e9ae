/**
 * Plan + policies → authorized plan. The one place that says what an actor may read or write: every field that the
 * plan mentions, on every collection that it reaches, is judged here. `compile` accepts nothing that was not here.
 */
import type { Action } from "@baasix/types";
import { everyField, grantsColumn } from "../access/grants";
import { type Access, type Policy, refusal } from "../access/policy";
import type { Grant, GrantDefault } from "../access/rules";
import { AppError } from "../errors";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import { type Carrier, carriersOf, holdersOf, keysWithin, writtenColumns } from "./carriers";
import { allOf, anyOf } from "./combine";
import type { Named } from "./nestedBody";
import { refusedName } from "./nestedNames";
import type { ActorOperand, ColumnOperand, Operand } from "./planned";
import type { AggregatePlan } from "./planAggregate";
import type { PlannedPath } from "./paths";
import { noRelationRules } from "./relConditions";
import type { Planned, PlannedSort, ReadPlan, SelectedColumn, SelectedRelation, SelectNode } from "./plan";
import {
  columnGuard,
  requireColumn,
  requireRelation,
  rootScope,
  type Scope,
  type Tell,
  unreadable,
  wantColumn,
  wantRelation,
} from "./scope";
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
  /**
   * What a row must meet: of the conditions that it meets as it is (a new row: of all) one as it becomes, so that one grant
   * carries the whole change. Null: nothing.
   */
  readonly carriers: readonly Carrier[] | null;
  /** It matters which of the carriers' conditions a row meets as it is: `rows` alone does not tell. */
  readonly noted: boolean;
  /** What the client asks of rows that it may read; null: it names them by key. */
  readonly filter: Planned | null;
  /** What fills the columns that the client left out. */
  readonly defaults: readonly GrantDefault[];
  /** Relations that must lead to rows of the row's own tenant, or nowhere. */
  readonly kept: readonly Relation[];
  /** The tenant of rows that are there may change: the relations by which others hold on to them. Else null. */
  readonly holders: readonly Relation[] | null;
  /** The column of the tenant, where the actor may say no other one than its own; else null. */
  readonly tenant: Field | null;
  /** There are tenants: entries of the audit log say which one it was. */
  readonly stamped: boolean;
  readonly [authorized]: true;
};

/**
 * Checks a read. `tell` hears of every decision.
 * @throws AppError FORBIDDEN naming the field, when the plan names what the actor may not read.
 */
export function authorizeRead(plan: ReadPlan, access: Access, tell: Tell | null = null): AuthorizedRead {
  const scope = rootScope(plan.collection, access, tell);
  if (plan.cursor !== null && columnGuard(scope, plan.collection.primaryKey) !== null) {
    // A cursor holds the key of the row where a page ended.
    throw unreadable(plan.collection, plan.collection.primaryKey.name, "cursor");
  }
  const where = plan.where && condition(plan.where, scope);
  // A search may narrow by an index that holds more fields than the actor may read.
  const open = scope.rows === null && plan.search === null && (where === null || isOpen(where));
  return {
    ...plan,
    select: selectNode(plan.select, scope),
    where,
    search: plan.search && readableSearch(plan.search, scope),
    sort: order(plan.sort, scope),
    rows: scope.rows,
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
    case "above":
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
export function authorizeAggregate(
  plan: AggregatePlan,
  access: Access,
  tell: Tell | null = null,
): AuthorizedAggregate {
  const scope = rootScope(plan.collection, access, tell);
  return {
    ...plan,
    values: plan.values.map((value) => ({ ...value, path: value.path && readablePath(value.path, scope) })),
    groups: plan.groups.map((group) => ({ ...group, path: readablePath(group.path, scope) })),
    where: plan.where && condition(plan.where, scope),
    search: plan.search && readableSearch(plan.search, scope),
    having: plan.having && condition(plan.having, { ...scope, ...wideOpen }),
    rows: scope.rows,
  } as unknown as AuthorizedAggregate;
}

const wideOpen = {
  openings: [
    {
      when: null,
      fields: [everyField],
      related: noRelationRules,
      role: null,
      permission: null,
      tenants: null,
    },
  ],
  rows: null,
  tell: null,
} as const;

/**
 * Checks a write of the given columns. `filter` is the client's own condition on the target (null: rows are named by key).
 * Gives one target for each set of default values that grants bring along; they are tried in turn, as one grant must
 * carry the whole write with its own defaults. The more special come first: those with a condition. A filter finds the
 * same rows for each of them: those that the actor may read, and change by any grant. `related`: what the write says of
 * related items; the relation's name opens a key column that nothing else sets.
 * `schema`: where the relations lead.
 * @throws AppError FORBIDDEN naming the first column that no grant opens.
 */
export function authorizeWrite(
  schema: Schema,
  collection: Collection,
  action: Exclude<Action, "read">,
  columns: readonly Field[],
  filter: Planned | null,
  access: Access,
  related: Named | null = null,
): readonly [AuthorizedTarget, ...AuthorizedTarget[]] {
  const policy = access(collection, action);
  if (!policy) throw refusal(collection, action);
  const grants = writingGrants(policy, action, columns, related);
  const scope = filter && rootScope(collection, access);
  const found = filter && scope && (allOf([scope.rows, condition(filter, scope)]) ?? filter);
  const groups = action === "delete" ? [grants] : byDefaults(grants);
  const any = policy.unlimited ? null : anyOf(grants.map((grant) => grant.condition));
  const target = (group: readonly Grant[]): AuthorizedTarget => {
    const own = policy.unlimited ? null : anyOf(group.map((grant) => grant.condition));
    const set = writtenColumns(collection, action, columns, group[0]?.defaults ?? []);
    const carriers = policy.unlimited || action === "delete" ? null : carriersOf(group, collection, set);
    const among = filter !== null && groups.length > 1;
    return {
      collection,
      action,
      rows: action === "create" ? null : among ? any : own,
      carriers,
      noted: action === "update" && carriers !== null && (carriers.length > 1 || among),
      filter: found,
      defaults: group[0]?.defaults ?? [],
      kept: policy.secrets ? [] : keysWithin(schema, collection, set),
      holders:
        action === "update" && collection.tenant !== null && set.has(collection.tenant)
          ? holdersOf(schema, collection)
          : null,
      tenant: !policy.unlimited && group.every(({ tenants }) => tenants !== null) ? collection.tenant : null,
      stamped: schema.tenants !== null,
    } as unknown as AuthorizedTarget;
  };
  const [first = [], ...rest] = groups;
  return [target(first), ...rest.map(target)];
}

/** The grants that open every column, and what is named behind relations. */
function writingGrants(
  policy: Policy,
  action: Exclude<Action, "read">,
  columns: readonly Field[],
  related: Named | null,
): readonly Grant[] {
  const hidden = policy.secrets ? undefined : columns.find((field) => field.hidden);
  if (policy.unlimited && !hidden) return policy.grants;
  const opens = (grant: Grant, field: Field): boolean =>
    !field.hidden && (action === "delete" || grantsColumn(grant.fields, field.name));
  const asked = related
    ? columns.filter(({ name }) => related.columns.has(name) || !related.keys.has(name))
    : columns;
  const passed = policy.grants.filter((grant) => asked.every((field) => opens(grant, field)));
  const closed = related && passed.map((grant) => refusedName(grant.fields, related));
  const grants = closed ? passed.filter((_, i) => closed[i] === null) : passed;
  if (!hidden && grants.length > 0) return grants;
  const refused = hidden ?? asked.find((field) => !policy.grants.some((grant) => opens(grant, field)));
  const name = closed?.find((one) => one !== null);
  if (!refused && typeof name === "string") {
    throw new AppError("FORBIDDEN", `You don't have permission to ${action} ${name}`);
  }
  if (refused || columns.length === 0) {
    throw new AppError("FORBIDDEN", `You don't have permission to ${action} field: ${refused?.name ?? "*"}`);
  }
  const names = columns.map(({ name }) => name).join(", ");
  throw new AppError("FORBIDDEN", `You don't have permission to ${action} these fields together: ${names}`);
}

/** Grants that fill in the same are alternatives of one target. */
function byDefaults(grants: readonly Grant[]): readonly (readonly Grant[])[] {
  if (grants.length < 2) return [grants];
  const special = grants.toSorted((a, b) => Number(a.condition === null) - Number(b.condition === null));
  const groups = Map.groupBy(special, ({ defaultsKey }) => defaultsKey);
  return [...groups.values()];
}

function selectNode(node: SelectNode, scope: Scope): SelectNode {
  const columns: SelectedColumn[] = [];
  for (const column of node.columns) {
    const readable = wantColumn(scope, column.field, column.at);
    if (readable) columns.push({ ...column, guard: readable.guard });
  }
  const relations: SelectedRelation[] = [];
  for (const selected of node.relations) {
    const { relation, node: child, at, where, sort } = selected;
    const opened = wantRelation(scope, relation, child.collection, at);
    if (opened === null) continue;
    relations.push({
      ...selected,
      node: selectNode(child, opened),
      rows: opened.rows,
      where: where && condition(where, opened),
      sort: order(sort, opened),
    });
  }
  return { collection: node.collection, columns, relations };
}

function condition(planned: Planned, scope: Scope): Planned {
  return conditionIn(planned, [scope]);
}

/** `scopes`: from the collection that the condition is about to the one that this part is about. */
function conditionIn(planned: Planned, scopes: readonly Scope[]): Planned {
  const scope = scopes.at(-1);
  if (!scope) throw new Error("a condition stands in no collection");
  switch (planned.kind) {
    case "all":
    case "any":
      return { kind: planned.kind, items: planned.items.map((item) => conditionIn(item, scopes)) };
    case "not":
      return { kind: "not", item: conditionIn(planned.item, scopes) };
    case "compare": {
      const operands = planned.operands.map((one) => operandIn(one, scopes));
      return { ...readablePath(planned, scope), operands };
    }
    case "related": {
      const opened = requireRelation(scope, planned.relation, planned.target, planned.at);
      return { ...planned, item: conditionIn(planned.item, [...scopes, opened]), rows: opened.rows };
    }
    case "above":
      throw new Error("a request cannot look above");
  }
}

/** What an operand reads is read by the actor, too: other columns, and the row of its own account. */
function operandIn(operand: Operand, scopes: readonly Scope[]): Operand {
  const scope = scopes[operand.kind === "column" ? operand.scope : 0];
  if (!scope) throw new Error("a column reference stands in no collection");
  switch (operand.kind) {
    case "param":
      return operand;
    case "array":
      return { ...operand, items: operand.items.map((item) => operandIn(item, scopes)) };
    case "wrapped":
      return { ...operand, value: operandIn(operand.value, scopes) };
    case "json":
      return {
        ...operand,
        inserts: operand.inserts.map(({ path, value }) => ({ path, value: actorPath(value, scope.access) })),
      };
    case "actor":
      return actorPath(operand, scope.access);
    case "column":
      return readablePath(operand, scope);
  }
}

/** The row of the account is read like any other row: the actor needs the right, and conditions hold for it. */
function actorPath(operand: ActorOperand, access: Access): ActorOperand {
  const { source, hops, field, at } = operand;
  if (access(source, "read") === null) throw unreadable(source, hops[0]?.relation.name ?? field.name, at);
  const scope = rootScope(source, access);
  return { ...readablePath(operand, scope), rows: scope.rows };
}

function readablePath<P extends Omit<PlannedPath, "guard">>(path: P, from: Scope): P & PlannedPath {
  let current = from;
  const hops = path.hops.map((hop) => {
    current = requireRelation(current, hop.relation, hop.target, path.at);
    return { ...hop, rows: current.rows };
  });
  return { ...path, hops, guard: requireColumn(current, path.field, path.at) };
}

/** Searches the fields that the actor may read, each on the rows where it may. */
function readableSearch(search: PlannedSearch, scope: Scope): PlannedSearch {
  const fields = search.fields.flatMap((one) => {
    const readable = wantColumn(scope, one.field, one.at);
    return readable ? [{ ...one, guard: readable.guard }] : [];
  });
  return { ...search, fields };
}

/**
 * An order of what the actor may see. The primary key that the planner puts last for a stable order shows nothing that
 * the page does not; a key that is null on some rows, as it may not be seen there, makes none and gets it too.
 */
function order(sort: readonly PlannedSort[], scope: Scope): readonly PlannedSort[] {
  const { primaryKey } = scope.collection;
  const terms = sort.map((term) => (term.at === "" ? term : readablePath(term, scope)));
  const isStable = terms.some(
    ({ hops, field, guard }) => hops.length === 0 && field.name === primaryKey.name && guard === null,
  );
  const last: PlannedSort = { hops: [], field: primaryKey, descending: false, guard: null, at: "" };
  return isStable ? terms : [...terms, last];
}
