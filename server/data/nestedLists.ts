/** Lists of related items inside a nested write: what is there is read, what follows is planned, and then written. */
import type { ItemId } from "@baasix/types";
import { AppError } from "../core/errors";
import { type Body, entriesOf, type ListEntry, type ListPart, nestedLimits } from "../core/query/nestedBody";
import {
  joiningColumns,
  type Keyed,
  type ListEffects,
  planList,
  type Present,
} from "../core/query/nestedChange";
import { textOfEnds } from "../core/query/nestedLists";
import { parseKey } from "../core/query/write";
import { parseValue } from "../core/schema/fields";
import type { Collection, Field, Relation, Schema } from "../core/schema/model";
import type { RawQuery } from "./door";

/** What writing lists needs: to read and write items of other collections as the actor. */
export type ListParts = {
  readonly schema: Schema;
  readonly read: (collection: string, query: RawQuery) => AsyncIterable<readonly string[]>;
  readonly create: (collection: Collection, items: readonly Item[]) => Promise<unknown>;
  /** As `create`, apart from rows that somebody else has made meanwhile: those with the same values of the columns. */
  readonly join: (
    collection: Collection,
    items: readonly Item[],
    unique: readonly Field[],
  ) => Promise<unknown>;
  readonly update: (collection: Collection, items: readonly (Item & Keyed)[]) => Promise<unknown>;
  /** Locks items that are there, as far as the actor may change them. */
  readonly hold: (collection: Collection, items: readonly Keyed[]) => Promise<unknown>;
  /** Deletes the items that the filter leaves of these, or makes the column null. */
  readonly leave: (
    collection: Collection,
    items: readonly Keyed[],
    filter: Readonly<Record<string, unknown>>,
    column: string | null,
  ) => Promise<unknown>;
  /** The tenants of items, by their keys; nothing where new ones are of the tenant that the actor acts in, whoever holds them. */
  readonly tenantsOf: (
    collection: Collection,
    keys: readonly string[],
  ) => Promise<ReadonlyMap<string, string | null>>;
};

/**
 * An item to write; `held`: the item in whose list it stands, whose key it gets, or has already. `tenant`: of the item that
 * it is made with, and its own, unless it says one.
 */
export type Item = { readonly body: Body; readonly held?: Held; readonly tenant?: unknown };

/** An item that was written. `isNew`: nothing is related to it yet. */
export type Written = { readonly id: ItemId; readonly isNew: boolean };

/** The item in whose list another stands: the relation, its key, and whether the other gets the key now. */
export type Held = { readonly relation: Relation; readonly key: string; readonly attach: boolean };

/** What an item gets of the one that it is made with: its tenant, where it may say it and does not. */
export function inheritedColumns(
  { body, tenant }: Item,
  collection: Collection,
): readonly (readonly [column: string, value: unknown])[] {
  const column = collection.tenant?.name;
  const isSaid =
    column === undefined ||
    body.own.get(column) !== undefined ||
    body.toOne.some(({ relation }) => relation.sourceColumn === column);
  return tenant === undefined || isSaid ? [] : [[column, tenant]];
}

/** What an item in a list is given of the item that holds it. */
export function heldColumns({ held }: Item): readonly (readonly [column: string, value: unknown])[] {
  if (!held) return [];
  // Whoever may not write the key may still change an item that stays in its list.
  return given(held).map(([column, value]) => [column, held.attach ? value : undefined] as const);
}

function given({ relation, key }: Pick<Held, "relation" | "key">): readonly (readonly [string, string])[] {
  const columns: readonly (readonly [string, string])[] = [[relation.targetColumn, key]];
  return relation.scope ? [...columns, [relation.scope.column, relation.scope.value]] : columns;
}

/** An item in a list may say in whose list it stands, as long as it is so. @throws AppError INVALID_VALUE */
function checkHeld({ relation, target }: ListPart, key: string, { body }: ListEntry): void {
  for (const [column, value] of given({ relation, key })) {
    const said = body.own.get(column);
    const field = target.fields.get(column);
    if (said === undefined || said === null || !field) continue;
    const place = `${body.place}${column}`;
    if (parseValue(said, field, place) === value) continue;
    throw new AppError(
      "INVALID_VALUE",
      `${place}: belongs to the item in which this one stands; leave it out`,
    );
  }
}

type Parent = { readonly key: string; readonly isNew: boolean; readonly part: ListPart };

/** Writes the lists of items that were written, one relation after the other. */
export async function writeLists(
  parts: ListParts,
  written: readonly (Written & { readonly body: Body })[],
): Promise<void> {
  const parents = written.flatMap(({ id, isNew, body }) => body.lists.map((part) => ({ id, isNew, part })));
  for (const group of Map.groupBy(parents, ({ part }) => part.relation).values()) {
    const [first] = group;
    const source = first && parts.schema.collections.get(first.part.relation.source);
    if (!first || !source) continue;
    await writeRelation(
      parts,
      first.part,
      group.map(({ id, isNew, part }) => ({ key: parseKey(source, id), isNew, part })),
    );
  }
}

async function writeRelation(parts: ListParts, part: ListPart, parents: readonly Parent[]): Promise<void> {
  const { target, relation } = part;
  const there = parents.filter(({ isNew }) => !isNew);
  const isSet = (parent: Parent): boolean => parent.part.change.kind === "set";
  const present = new Map([
    ...(await readPresent(parts, there.filter(isSet))),
    ...(await readPresent(
      parts,
      there.filter((parent) => !isSet(parent)),
    )),
  ]);
  const planned = parents.map(({ key, part: list }) => {
    for (const entry of entriesOf(list.change)) checkHeld(list, key, entry);
    return { key, effects: planList(list, present.get(key) ?? []) };
  });
  const all = <One>(pick: (effects: ListEffects) => readonly One[]): readonly One[] =>
    planned.flatMap(({ effects }) => pick(effects));
  const missing = all((effects) => effects.missing);
  if (missing.length > 0) throw notRelated(missing);

  const leaving = all((effects) => [...effects.remove, ...effects.detach]);
  const changing = all((effects) => effects.change);
  // Of two who take items out of each other's lists, each would have its own and wait for those of the other.
  if (leaving.length > 0 && changing.some(({ attach }) => attach))
    await parts.hold(target, [...leaving, ...changing]);
  // Who attached one of them elsewhere since they were read keeps it.
  const still = inLists(relation, new Set(there.map(({ key }) => key)));
  await parts.leave(
    target,
    all((effects) => effects.remove),
    still,
    null,
  );
  await parts.leave(
    target,
    all((effects) => effects.detach),
    still,
    relation.targetColumn,
  );
  for (const group of Map.groupBy(
    all((effects) => effects.ends),
    (end) => end.target,
  ).values())
    if (group[0]) await parts.update(group[0].target, group);
  await parts.update(
    target,
    planned.flatMap(({ key, effects }) =>
      effects.change.map((one) => ({ ...one, held: { relation, key, attach: one.attach } })),
    ),
  );
  const source = parts.schema.collections.get(relation.source);
  const holders = planned.filter(({ effects }) => effects.create.length > 0).map(({ key }) => key);
  const tenants =
    target.tenant && source?.tenant && holders.length > 0 ? await parts.tenantsOf(source, holders) : null;
  const made = planned.flatMap(({ key, effects }) =>
    effects.create.map(({ body, bare }) => ({
      body,
      bare,
      held: { relation, key, attach: true },
      tenant: tenants?.get(key),
    })),
  );
  const unique = made.every(({ bare }) => bare) && there.length > 0 ? joiningColumns(part) : null;
  await (unique ? parts.join(target, made, unique) : parts.create(target, made));
}

/** The filter of items in the lists of these. */
export function inLists(
  { targetColumn, scope }: Relation,
  keys: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  return {
    [targetColumn]: { in: [...keys] },
    ...(scope && { [scope.column]: { eq: scope.value } }),
  };
}

/**
 * The related items of several items, as far as the actor may see them, by the key of the item; for lists that only take
 * steps those that are named.
 */
async function readPresent(
  { read }: ListParts,
  parents: readonly Parent[],
): Promise<ReadonlyMap<string, readonly Present[]>> {
  const [first] = parents;
  const found = new Map<string, Present[]>();
  const named = namedIn(parents);
  if (!first || named === "none") return found;
  const { relation, target, ends } = first.part;
  const { targetColumn } = relation;
  const { name } = target.primaryKey;
  const scopes = ends.flatMap((end) => end.relations[0].scope?.column ?? []);
  const fields = [...new Set([name, targetColumn, ...ends.map(({ column }) => column), ...scopes])];
  const holder = target.fields.get(targetColumn);
  const keys = new Set(parents.map(({ key }) => key));
  const query = {
    fields,
    filter: {
      AND: [
        inLists(relation, keys),
        ...(named === "all" ? [] : [{ OR: named.map(([column, values]) => ({ [column]: { in: values } })) }]),
      ],
    },
  };
  let rows = 0;
  for await (const batch of read(target.name, query)) {
    rows += batch.length;
    if (rows > nestedLimits.rows) throw tooMany(first.part);
    for (const json of batch) {
      const row = JSON.parse(json) as Readonly<Record<string, ItemId | null>>;
      const key = holder && parseValue(row[targetColumn], holder);
      if (!key || !keys.has(key)) continue;
      const one: Present = { key: parseKey(target, row[name]), end: endOf(first.part, row) };
      const known = found.get(key);
      if (known) known.push(one);
      else found.set(key, [one]);
    }
  }
  return found;
}

/** Which rows have to be known: `all` where lists are replaced, or the columns and values that steps name. */
function namedIn(
  parents: readonly Parent[],
): "all" | "none" | readonly (readonly [column: string, values: readonly string[]])[] {
  const entries: ListEntry[] = [];
  for (const { part } of parents) {
    const { change } = part;
    if (change.kind === "set") return "all";
    entries.push(...change.connect, ...change.update, ...change.detach, ...change.delete);
  }
  const [first] = parents;
  if (entries.length === 0 || !first) return "none";
  const { ends, target } = first.part;
  const [end] = ends;
  const keys = entries.flatMap(({ key }) => key ?? []);
  const leads = entries.flatMap(({ key, body }) =>
    key === null
      ? body.toOne.flatMap(({ relation, reference }) =>
          relation.sourceColumn === end?.column && "key" in reference ? [reference.key] : [],
        )
      : [],
  );
  const named: (readonly [string, readonly string[]])[] = [];
  if (keys.length > 0) named.push([target.primaryKey.name, [...new Set(keys)]]);
  if (end && leads.length > 0) named.push([end.column, [...new Set(leads)]]);
  return named.length === 0 ? "none" : named;
}

function endOf({ ends, target }: ListPart, row: Readonly<Record<string, ItemId | null>>): string | null {
  if (ends.length === 0) return null;
  const keys: (readonly [string, string])[] = [];
  for (const { column, relations } of ends) {
    const field = target.fields.get(column);
    const value = row[column] ?? null;
    if (!field || value === null) return null;
    const { scope } = relations[0];
    keys.push([scope === null ? "" : String(row[scope.column]), parseValue(value, field) ?? ""]);
  }
  return textOfEnds(keys);
}

function tooMany({ place, target }: ListPart): AppError {
  return new AppError(
    "QUERY_TOO_COMPLEX",
    `${place}: more than ${nestedLimits.rows} items of '${target.name}' are there; change them by create, connect, update, detach and delete`,
  );
}

/** The refusal of related items that do not exist, as far as the actor may see. */
export function notRelated(missing: readonly Keyed[]): AppError {
  const details = missing
    .slice(0, 100)
    .map(({ key, place }) => ({ field: place, message: `Related record not found: ${key}` }));
  return new AppError("VALIDATION_ERROR", "Validation failed for relational data", details);
}
