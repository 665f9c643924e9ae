/** The names that a write with related items uses, as the grant of a permission is asked for them. */
import { type FieldGrant, grantsColumn, grantsRelation, throughRelation } from "../access/grants";
import type { Collection, Relation } from "../schema/model";
import { entriesOf, type ListChange, type ListPart, type Named, type ToOne } from "./nestedBody";

/** Nothing is named. */
export const noNames: Named = { columns: new Set(), keys: new Map(), relations: new Map() };

/** The names of one body. The key of the item itself is none, nor is the one that a list gives its items. */
export function allNames(
  collection: Collection,
  own: ReadonlyMap<string, unknown>,
  toOne: readonly ToOne[],
  lists: readonly ListPart[],
  held: Relation | null,
): Named {
  const given = [held?.targetColumn, held?.scope?.column];
  // A key that leads to another item says which one, wherever it is given.
  const { name: key } = collection.primaryKey;
  const leads = [...collection.relations.values()].some(
    ({ keyOn, sourceColumn }) => keyOn === "source" && sourceColumn === key,
  );
  if (!leads) given.push(key);
  const keys = new Map<string, ReadonlySet<string>>();
  const relations = new Map<string, Named>();
  for (const { relation, reference } of toOne) {
    keys.set(relation.sourceColumn, new Set([relation.name]));
    if (relation.scope) keys.set(relation.scope.column, new Set([relation.name]));
    if ("body" in reference) relations.set(relation.name, reference.body.named);
  }
  for (const { relation, change } of lists) relations.set(relation.name, mergeNames(entryNames(change)));
  return {
    columns: new Set([...own.keys()].filter((name) => collection.fields.has(name) && !given.includes(name))),
    keys,
    relations,
  };
}

function entryNames(change: ListChange): readonly Named[] {
  return entriesOf(change).flatMap(({ bare, body }) => (bare ? [] : [body.named]));
}

/** The names of several bodies for the same place. */
export function mergeNames(all: readonly Named[]): Named {
  const [first = noNames] = all;
  if (all.length < 2) return first;
  const columns = new Set<string>();
  const keys = new Map<string, Set<string>>();
  const relations = new Map<string, Named[]>();
  for (const named of all) {
    for (const column of named.columns) columns.add(column);
    for (const [column, names] of named.keys)
      for (const name of names) keys.set(column, (keys.get(column) ?? new Set()).add(name));
    for (const [name, behind] of named.relations) {
      const held = relations.get(name);
      if (held) held.push(behind);
      else relations.set(name, [behind]);
    }
  }
  return {
    columns,
    keys,
    relations: new Map([...relations].map(([name, behind]) => [name, mergeNames(behind)])),
  };
}

/**
 * The first name that a grant does not open, as `field: author.name` or `relation: author`; null when it opens all.
 * `columns` of the place itself are not asked here, but for those that only relations set.
 */
export function refusedName(grant: FieldGrant, named: Named): string | null {
  return refusedAt([grant], { ...named, columns: new Set() }, "");
}

function refusedAt(grants: readonly FieldGrant[], named: Named, path: string): string | null {
  if (grants.some((grant) => grant.all)) return null;
  for (const column of named.columns)
    if (!grants.some((grant) => grantsColumn(grant, column))) return `field: ${path}${column}`;
  for (const [column, names] of named.keys) {
    if (grants.some((grant) => grantsColumn(grant, column)) || named.columns.has(column)) continue;
    const closed = [...names].find((name) => !grantsRelation(grants, name));
    if (closed !== undefined) return `relation: ${path}${closed}`;
  }
  for (const [name, behind] of named.relations) {
    if (grants.some((grant) => grant.columns.has(name))) continue;
    const through = throughRelation(grants, name);
    if (through === null) return `relation: ${path}${name}`;
    const refused = refusedAt(through, behind, `${path}${name}.`);
    if (refused !== null) return refused;
  }
  return null;
}
