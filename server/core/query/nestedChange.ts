/**
 * What a list of a body means for the related items that are there: which are deleted, detached, changed, attached and
 * made. Set logic alone; what is there is handed in.
 */
import { AppError } from "../errors";
import type { Collection, Field } from "../schema/model";
import type { Body, ListEntry, ListPart } from "./nestedBody";

/** A related item that is there, as far as the actor may see it. `end`: as in `ListEntry`. */
export type Present = { readonly key: string; readonly end: string | null };

/** An item that is named by its key, and where the request names it (for those left out: the list). */
export type Keyed = { readonly key: string; readonly place: string };

/** What happens to the items of one list. */
export type ListEffects = {
  readonly remove: Keyed[];
  readonly detach: Keyed[];
  /** `attach`: it gets the key of the item in whose list it stands. */
  readonly change: (Keyed & { readonly body: Body; readonly attach: boolean })[];
  /** `bare`: a row of a junction that says only where it leads. */
  readonly create: { readonly body: Body; readonly bare: boolean }[];
  /** Items to which rows of the junction lead that stay as they are. */
  readonly ends: (Keyed & { readonly target: Collection; readonly body: Body })[];
  /** Named as if they were there. */
  readonly missing: Keyed[];
};

/** Works out one list. `present`: its items now, none for an item that is just being made. */
export function planList(part: ListPart, present: readonly Present[]): ListEffects {
  const effects: ListEffects = {
    remove: [],
    detach: [],
    change: [],
    create: [],
    ends: [],
    missing: [],
  };
  const { change } = part;
  if (change.kind === "set") {
    const kept = new Set<string>();
    attachAll(part, change.entries, present, effects, kept);
    const left = present.filter(({ key }) => !kept.has(key));
    effects[goes(part) ? "remove" : "detach"].push(...left.map(({ key }) => ({ key, place: part.place })));
    return effects;
  }
  const named = (entry: ListEntry): readonly Keyed[] => {
    const rows = present.filter(({ key, end }) =>
      entry.key === null ? end !== null && end === entry.end : key === entry.key,
    );
    if (rows.length === 0) effects.missing.push({ key: entry.key ?? keyAtEnd(entry), place: entry.place });
    return rows.map(({ key }) => ({ key, place: entry.place }));
  };
  for (const entry of change.delete) effects.remove.push(...named(entry));
  if (change.detach.length > 0 && goes(part) && part.ends.length === 0) {
    throw new AppError(
      "INVALID_VALUE",
      `${part.place}.detach: '${part.relation.targetColumn}' of '${part.target.name}' must have a value; ` +
        "delete the items, or connect them elsewhere",
    );
  }
  for (const entry of change.detach)
    effects[part.ends.length > 0 ? "remove" : "detach"].push(...named(entry));
  for (const entry of change.update)
    for (const { key } of named(entry))
      changeRow(part, entry, key, effects, leadsElsewhere(entry, key, present));
  attachAll(part, change.connect, present, effects, new Set());
  effects.create.push(...change.create);
  return effects;
}

/** True when an item that leaves the list is deleted: its key must have a value, or it is a row of a junction. */
function goes({ target, relation, ends }: ListPart): boolean {
  return ends.length > 0 || target.fields.get(relation.targetColumn)?.allowNull === false;
}

/** The entries belong to the list. `kept` gets the keys of those that do so already or were attached. */
function attachAll(
  part: ListPart,
  entries: readonly ListEntry[],
  present: readonly Present[],
  effects: ListEffects,
  kept: Set<string>,
): void {
  const there = new Set(present.map(({ key }) => key));
  const byEnd = Map.groupBy(present, ({ end }) => end);
  const named = new Map<string, ListEntry>();
  const made = new Set<string>();
  const used = new Set<string>();
  for (const entry of entries) {
    if (entry.key === null) continue;
    const before = named.get(entry.key);
    if (before) {
      if (before.bare && entry.bare) continue;
      throw new AppError("INVALID_VALUE", `${entry.place}: the same item stands in the list already`);
    }
    named.set(entry.key, entry);
    kept.add(entry.key);
    used.add(entry.key);
    const attach = !there.has(entry.key);
    if (attach) effects.change.push({ key: entry.key, place: entry.place, body: entry.body, attach });
    else if (!entry.bare)
      changeRow(part, entry, entry.key, effects, leadsElsewhere(entry, entry.key, present));
  }
  for (const entry of entries) {
    if (entry.key !== null) continue;
    const rows = entry.end === null ? [] : (byEnd.get(entry.end) ?? []);
    const row = rows.find(({ key }) => !used.has(key));
    if (row) {
      used.add(row.key);
      kept.add(row.key);
      changeRow(part, entry, row.key, effects, false);
    } else if (entry.end === null || !entry.bare || (rows.length === 0 && !made.has(entry.end))) {
      effects.create.push(entry);
      if (entry.end !== null) made.add(entry.end);
    }
  }
}

/** False for a row of a junction that is said to lead where it leads already. */
function leadsElsewhere(entry: ListEntry, key: string, present: readonly Present[]): boolean {
  return entry.end === null || present.find((row) => row.key === key)?.end !== entry.end;
}

/** Columns of the server, which items that were read and sent back carry. */
const stamps: ReadonlySet<unknown> = new Set([
  "createdAt",
  "updatedAt",
  "userCreated",
  "userUpdated",
  "generated",
]);

/**
 * Changes a row that is in the list. `whole`: all that the entry says is about the row; else where it leads does not
 * change.
 */
function changeRow(
  part: ListPart,
  entry: ListEntry,
  key: string,
  effects: ListEffects,
  whole: boolean,
): void {
  const { body, place } = entry;
  if (whole) {
    effects.change.push({ key, place, body, attach: false });
    return;
  }
  const columns = new Set(part.ends.map(({ column }) => column));
  const toOne = body.toOne.filter(({ relation, target, reference, place: at }) => {
    if (!columns.has(relation.sourceColumn)) return true;
    if (reference.kind === "update")
      effects.ends.push({ target, key: reference.key, place: at, body: reference.body });
    return false;
  });
  const own = new Map(
    [...body.own].filter(([name, value]) => {
      const managed = part.target.fields.get(name)?.managed ?? null;
      const isRead = stamps.has(managed) || (managed === "deletedAt" && value === null);
      return name !== part.relation.targetColumn && !isRead;
    }),
  );
  if (own.size === 0 && toOne.length === 0 && body.lists.length === 0) return;
  effects.change.push({ key, place, body: { ...body, own, toOne }, attach: false });
}

function keyAtEnd({ body }: ListEntry): string {
  const keys = body.toOne.flatMap(({ reference }) => ("key" in reference ? [reference.key] : []));
  return keys.join(", ");
}

/**
 * The columns by which the rows of a junction are told apart: that of the item in whose list they stand, and those that
 * say where they lead. Null when they are not unique together.
 */
export function joiningColumns({ relation, target, ends }: ListPart): readonly Field[] | null {
  const scopes = [relation, ...ends.map(({ relations }) => relations[0])].flatMap(
    ({ scope }) => scope?.column ?? [],
  );
  const names = new Set([relation.targetColumn, ...ends.map(({ column }) => column), ...scopes]);
  const isUnique = target.indexes.some(
    ({ unique, kind, fields }) =>
      unique &&
      kind === undefined &&
      fields.length === names.size &&
      fields.every((field) => names.has(field)),
  );
  // A deleted row would take the place of the new one.
  if (!isUnique || target.paranoid) return null;
  return [...names].flatMap((name) => target.fields.get(name) ?? []);
}
