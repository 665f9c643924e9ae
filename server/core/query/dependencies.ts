/** What an answer reads, by collection and column: which changes of rows may make it another one. */
import type { Collection, Relation } from "../schema/model";
import type { AuthorizedAggregate, AuthorizedRead } from "./authorize";
import type { PlannedPath } from "./paths";
import type { SelectNode } from "./plan";
import type { Hop, Operand, Planned } from "./planned";
import type { LoggedChange } from "./view";

/**
 * Which changes of other rows concern a view: of these columns, deletions, and creations where `created`: where rows are
 * reached through a list. Through a to-one relation a row is there before anything can name it.
 */
export type Dependency = { readonly columns: ReadonlySet<string>; readonly created: boolean };

/** What concerns one of two concerns both. */
export function joinDependencies(one: Dependency | undefined, other: Dependency): Dependency {
  if (!one) return other;
  if (
    one === other ||
    ([...other.columns].every((name) => one.columns.has(name)) && one.created >= other.created)
  )
    return one;
  return { columns: one.columns.union(other.columns), created: one.created || other.created };
}

/** Collections of the rows on the way to one, that one last; null for the row itself. */
type Places = readonly (Collection | null)[];

/**
 * What a view reads beside the row itself, by collection. When it changes, rows may enter or leave the view, or look
 * otherwise, without a change of their own.
 */
export function dependenciesOf(
  read: Pick<AuthorizedRead, "rows" | "where" | "select">,
): ReadonlyMap<string, Dependency> {
  const { visit, select, found } = walk();
  visit(read.rows, [null]);
  visit(read.where, [null]);
  select(read.select, [null]);
  return found;
}

/** What an answer reads of its own rows, and what of rows that relations lead to. A collection may be in both. */
export type Reads = {
  readonly own: Dependency;
  readonly related: ReadonlyMap<string, Dependency>;
};

/** What the answer of a list reads. */
export function listDependencies(read: AuthorizedRead): Reads {
  return { own: ownOf(read.collection, listed(read, read.collection)), related: listed(read, null) };
}

/** What the answer of an aggregate reads. */
export function groupDependencies(read: AuthorizedAggregate): Reads {
  return { own: ownOf(read.collection, grouped(read, read.collection)), related: grouped(read, null) };
}

/** Its rows come and go. */
function ownOf(collection: Collection, found: ReadonlyMap<string, Dependency>): Dependency {
  const { name, primaryKey, paranoid } = collection;
  const columns = new Set([primaryKey.name, ...(found.get(name)?.columns ?? [])]);
  if (paranoid) columns.add("deletedAt");
  return { columns, created: true };
}

/** `row`: what rows of the list itself are noted as; null: not. */
function listed(read: AuthorizedRead, row: Collection | null): ReadonlyMap<string, Dependency> {
  const { visit, select, found, end } = walk();
  const root: Places = [row];
  visit(read.rows, root);
  visit(read.where, root);
  select(read.select, root);
  for (const term of read.sort) end(term, root);
  for (const { field, guard } of read.search?.fields ?? []) end({ hops: [], field, guard }, root);
  return found;
}

function grouped(read: AuthorizedAggregate, row: Collection | null): ReadonlyMap<string, Dependency> {
  const { visit, found, end } = walk();
  const root: Places = [row];
  visit(read.rows, root);
  visit(read.where, root);
  // Its columns are those of the groups; what it compares them with may be of the account.
  visit(read.having, [null]);
  for (const { path } of [...read.groups, ...read.values]) if (path) end(path, root);
  for (const { field, guard } of read.search?.fields ?? []) end({ hops: [], field, guard }, root);
  return found;
}

/** Goes along conditions, paths and selections, and gathers what they read. */
function walk() {
  const found = new Map<string, { readonly columns: Set<string>; created: boolean }>();
  const note = (row: Collection | null, column: string): void => {
    if (row === null) return;
    const known = found.get(row.name) ?? { columns: new Set(), created: false };
    // What a calculated column follows from is told, the column itself is not.
    if (row.fields.get(column)?.generated) for (const name of row.fields.keys()) known.columns.add(name);
    known.columns.add(column);
    if (row.paranoid) known.columns.add("deletedAt");
    found.set(row.name, known);
  };
  const open = (relation: Relation, row: Collection | null, target: Collection): void => {
    note(row, relation.sourceColumn);
    note(target, relation.targetColumn);
    if (relation.scope) note(relation.keyOn === "source" ? row : target, relation.scope.column);
    const known = found.get(target.name);
    // Without a foreign key a row may be named before it is there.
    if (known && !relation.constrained) known.created = true;
  };
  const pass = (hops: readonly Hop[], from: Places): Places => {
    let places = from;
    for (const { relation, target, rows } of hops) {
      open(relation, places.at(-1) ?? null, target);
      places = [...places, target];
      visit(rows, places);
    }
    return places;
  };
  const visitOperand = (operand: Operand, chain: Places, places: Places): void => {
    switch (operand.kind) {
      case "param":
        return;
      case "array":
        for (const item of operand.items) visitOperand(item, chain, places);
        return;
      case "wrapped":
        return visitOperand(operand.value, chain, places);
      case "json":
        for (const { value } of operand.inserts) visitOperand(value, chain, places);
        return;
      case "column":
      case "actor": {
        const above = chain.length - 1 - (operand.kind === "column" ? operand.scope : 0);
        const from = operand.kind === "actor" ? [operand.source] : places.slice(0, places.length - above);
        if (operand.kind === "actor") visit(operand.rows, from);
        const end = pass(operand.hops, from);
        note(end.at(-1) ?? null, operand.field.name);
        return visit(operand.guard, end);
      }
    }
  };
  /** `chain`: the part of the places that begins where the condition does. */
  const visitIn = (planned: Planned, chain: Places, places: Places): void => {
    const row = places.at(-1) ?? null;
    switch (planned.kind) {
      case "all":
      case "any":
        for (const item of planned.items) visitIn(item, chain, places);
        return;
      case "not":
        return visitIn(planned.item, chain, places);
      case "above":
        return visit(planned.item, places.slice(0, -1));
      case "compare": {
        for (const operand of planned.operands) visitOperand(operand, chain, places);
        const end = pass(planned.hops, places);
        note(end.at(-1) ?? null, planned.field.name);
        return visit(planned.guard, end);
      }
      case "related": {
        const inside = [...places, planned.target];
        open(planned.relation, row, planned.target);
        visitIn(planned.item, [...chain, planned.target], inside);
        return visit(planned.rows, inside);
      }
    }
  };
  const visit = (planned: Planned | null, places: Places): void => {
    if (planned) visitIn(planned, places.slice(-1), places);
  };
  const select = (node: SelectNode, places: Places): void => {
    const row = places.at(-1) ?? null;
    for (const { field, guard } of node.columns) {
      note(row, field.name);
      visit(guard, places);
    }
    for (const { relation, node: child, rows: related, where, sort } of node.relations) {
      const inside = [...places, child.collection];
      open(relation, row, child.collection);
      visit(related, inside);
      visit(where, inside);
      for (const { hops, field, guard } of sort) {
        const last = pass(hops, inside);
        note(last.at(-1) ?? null, field.name);
        visit(guard, last);
      }
      select(child, inside);
    }
  };
  /** A path to one column, from the row at the end of the places. */
  const end = (
    { hops, field, guard }: Pick<PlannedPath, "hops" | "field" | "guard">,
    places: Places,
  ): void => {
    const last = pass(hops, places);
    note(last.at(-1) ?? null, field.name);
    visit(guard, last);
  };
  return { visit, select, end, found };
}

/** True when a change of a row may concern those who depend on it so. */
export function touches({ columns, created }: Dependency, { action, before, after }: LoggedChange): boolean {
  if (action === "create") return created;
  if (before === null || after === null) return true;
  // What is missing in the new row is large and did not change; in the old one, it is not known.
  for (const name of columns) if (after[name] !== undefined && after[name] !== before[name]) return true;
  return false;
}
