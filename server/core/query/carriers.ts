/** What the rows of a write must meet besides what they are asked for: by which grant they may be written, and where their keys may lead. */
import type { Action } from "@baasix/types";
import type { Grant, GrantDefault } from "../access/rules";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import { allOf, same } from "./combine";
import type { Planned } from "./planned";

/** What a row meets as it is and as it becomes, and (`keys`) what the keys that the write sets must meet; null: nothing. */
export type Carrier = { readonly condition: Planned | null; readonly keys: Planned | null };

/** The columns that a write may set: all those of a new row, as the database fills what is left out. */
export function writtenColumns(
  collection: Collection,
  action: Exclude<Action, "read">,
  columns: readonly Field[],
  defaults: readonly GrantDefault[],
): ReadonlySet<Field> {
  if (action === "delete" || collection.relations.size === 0) return new Set();
  return new Set(
    action === "create" ? collection.fields.values() : [...columns, ...defaults.map(({ field }) => field)],
  );
}

/** The carriers of a write by any of these grants; null: one of them asks nothing. `set`: the columns that it sets. */
export function carriersOf(
  grants: readonly Grant[],
  collection: Collection,
  set: ReadonlySet<Field>,
): readonly Carrier[] | null {
  const found: Carrier[] = [];
  for (const { condition: one, tenants } of grants) {
    const rules = tenants?.keysOf(collection) ?? noKeys;
    const keys = rules.size === 0 ? null : allOf([...set].map(({ name }) => rules.get(name) ?? null));
    if (one === null && keys === null) return null;
    const known = (other: Carrier): boolean => alike(one, other.condition) && alike(keys, other.keys);
    if (!found.some(known)) found.push({ condition: one, keys });
  }
  return found;
}

function alike(one: Planned | null, other: Planned | null): boolean {
  return one === null || other === null ? one === other : same(one, other);
}

const noKeys: ReadonlyMap<string, Planned> = new Map();

/** The relations by which rows of tenants may lead to rows of a collection. */
export function holdersOf(schema: Schema, { name }: Collection): readonly Relation[] {
  return [...schema.collections.values()].flatMap(({ tenant, relations }) =>
    tenant === null
      ? []
      : [...relations.values()].filter(({ keyOn, target }) => keyOn === "source" && target === name),
  );
}

/** The relations between rows of tenants whose keys, or whose row's tenant, the write may set. */
export function keysWithin(
  schema: Schema,
  { tenant, relations }: Collection,
  set: ReadonlySet<Field>,
): readonly Relation[] {
  if (tenant === null || set.size === 0) return [];
  const names = new Set([...set].map(({ name }) => name));
  const moves = names.has(tenant.name);
  return [...relations.values()].filter(({ keyOn, sourceColumn, target, scope }) => {
    const leadsTo = schema.collections.get(target);
    if (keyOn !== "source" || !leadsTo?.tenant) return false;
    return moves || names.has(sourceColumn) || (scope !== null && names.has(scope.column));
  });
}
