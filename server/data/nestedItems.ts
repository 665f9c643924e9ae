/**
 * Items of one level of a nested write, with all that is related to them: those to which they hold keys, themselves, and
 * those that hold theirs. Each step is a flat write of the door, for as many items as it can take.
 */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { grantsColumn } from "../core/access/grants";
import { accessOf } from "../core/access/policy";
import { AppError } from "../core/errors";
import { authorizeWrite } from "../core/query/authorize";
import type { Reference, ToOne } from "../core/query/nestedBody";
import type { Keyed } from "../core/query/nestedChange";
import { mergeNames } from "../core/query/nestedNames";
import { bulkLimit, parseKey } from "../core/query/write";
import type { Collection, Field } from "../core/schema/model";
import type { Data, Rows, UpdateEntry, WriteBody } from "./door";
import { holdRows } from "./hold";
import {
  heldColumns,
  inheritedColumns,
  type Item,
  type ListParts,
  notRelated,
  writeLists,
  type Written,
} from "./nestedLists";
import { upsertOf } from "./upsert";
import { type WriteParts, writesOf } from "./write";

/** What nested writes need of the door that they are part of. */
export type NestedParts = WriteParts & Pick<Data, "stream">;

/** One request while it runs: the door of its transaction, and who asks. */
export type Session = { readonly parts: NestedParts; readonly actor: Actor };

type FlatWrites = ReturnType<typeof writesOf> & Pick<Rows, "upsert">;

/**
 * Writes items of one collection with all that is related to them; gives their keys. `action` null: known when it is done.
 * `write` makes the statement for the items themselves; when it gives more than there are items, the one body is that of
 * all of them.
 */
export async function writeItems(
  session: Session,
  collection: Collection,
  action: "create" | "update" | null,
  items: readonly Item[],
  write: (writes: FlatWrites, data: readonly WriteBody[]) => Promise<readonly Written[]>,
): Promise<readonly ItemId[]> {
  if (action) requireNames(session, collection, action, items);
  const keys = await writeToOne(session, collection, items);
  const data = items.map((item, i) =>
    Object.fromEntries([
      ...item.body.own,
      ...inheritedColumns(item, collection),
      ...heldColumns(item),
      ...(keys[i] ?? []),
    ]),
  );
  const written = await write(flatWrites(session, items), data);
  const [only] = items;
  await writeLists(
    listParts(session),
    written.flatMap((one, i) => {
      const item = items.length === 1 ? only : items[i];
      return item ? [{ ...one, body: item.body }] : [];
    }),
  );
  return written.map(({ id }) => id);
}

/**
 * Refuses what the item itself may not name before anything that it names is written.
 * @throws AppError FORBIDDEN
 */
function requireNames(
  { parts, actor }: Session,
  collection: Collection,
  action: "create" | "update",
  items: readonly Item[],
): void {
  if (items.every(({ body }) => body.toOne.length === 0)) return;
  const { schema, rules } = parts.snapshot();
  const named = mergeNames(items.map(({ body }) => body.named));
  const columns = [...named.columns, ...named.keys.keys()].flatMap((name) => {
    const field = collection.fields.get(name);
    return field?.managed === null ? [field] : [];
  });
  authorizeWrite(schema, collection, action, columns, null, accessOf(rules, schema, actor), named);
}

function listParts(session: Session): ListParts {
  const { snapshot, stream } = session.parts;
  return {
    schema: snapshot().schema,
    read: (collection, query) => stream(session.actor, collection, query),
    create: (collection, items) => createItems(session, collection, items),
    join: (collection, items, unique) => joinItems(session, collection, items, unique),
    update: (collection, items) => updateItems(session, collection, items),
    hold: (collection, items) =>
      holdRows(
        session.parts,
        session.actor,
        collection,
        items.map(({ key }) => key),
      ),
    leave: (collection, items, filter, column) => leaveLists(session, collection, items, filter, column),
    tenantsOf: (collection, keys) => tenantsOf(session, collection, keys),
  };
}

/** Whoever acts in a tenant makes everything there; of others an item that is made with another one is of its tenant. */
function actsInTenant(actor: Actor): boolean {
  return actor.kind === "user" && !actor.admin && actor.tenant !== null;
}

/** None for who may not read them: what is made then has none, and is refused where it must be of that tenant. */
async function tenantsOf(
  { parts, actor }: Session,
  collection: Collection,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>();
  const { name, primaryKey, tenant } = collection;
  const { schema, rules } = parts.snapshot();
  const policy = accessOf(rules, schema, actor)(collection, "read");
  const isRead =
    tenant !== null &&
    (policy?.unlimited === true || policy?.grants.some(({ fields }) => grantsColumn(fields, tenant.name)));
  if (tenant === null || !isRead || actsInTenant(actor)) return found;
  for (let i = 0; i < keys.length; i += bulkLimit) {
    const filter = { [primaryKey.name]: { in: keys.slice(i, i + bulkLimit) } };
    const query = { fields: [primaryKey.name, tenant.name], filter };
    for await (const rows of parts.stream(actor, name, query)) {
      for (const text of rows) {
        const row = JSON.parse(text) as Readonly<Record<string, string | null>>;
        found.set(String(row[primaryKey.name]), row[tenant.name] ?? null);
      }
    }
  }
  return found;
}

/** The flat writes, for the items of one level. */
function flatWrites({ parts }: Session, items: readonly Item[]): FlatWrites {
  const named = mergeNames(items.map(({ body }) => body.named));
  const isList = items.every(({ body }, i) => body.place === (items.length > 1 ? `[${i}].` : ""));
  const places = isList ? null : items.map(({ body }) => body.place);
  const related = { ...parts, related: { named, places } };
  const writes = writesOf(related);
  return { ...writes, upsert: upsertOf({ ...related, ...writes }) };
}

/** Creates related items, in as few statements as their number allows. */
function createItems(
  session: Session,
  collection: Collection,
  items: readonly Item[],
): Promise<readonly ItemId[]> {
  return inBatches(items, (batch) =>
    writeItems(session, collection, "create", batch, async (writes, data) =>
      (await writes.create(session.actor, collection.name, data)).map((id) => ({ id, isNew: true })),
    ),
  );
}

/** Creates rows of a junction, apart from those that somebody else has created meanwhile. */
async function joinItems(
  session: Session,
  collection: Collection,
  items: readonly Item[],
  unique: readonly Field[],
): Promise<void> {
  await inBatches(items, (batch) =>
    writeItems(session, collection, "create", batch, async (writes, data) => {
      await writes.createNew(session.actor, collection.name, data, unique);
      return [];
    }),
  );
}

/** Changes related items. @throws AppError VALIDATION_ERROR for those that the actor does not see, FORBIDDEN */
async function updateItems(
  session: Session,
  collection: Collection,
  items: readonly (Item & Keyed)[],
): Promise<void> {
  const { actor } = session;
  await inBatches(distinct(collection, items), async (batch) =>
    writeItems(session, collection, "update", batch, async (writes, data) => {
      const entries = batch.map(({ key }, i): UpdateEntry => ({ id: key, data: data[i] ?? {} }));
      await explained(session, collection, batch, () => writes.update(actor, collection.name, entries));
      return entries.map(({ id }) => ({ id, isNew: false }));
    }),
  );
}

/**
 * Deletes related items that the filter leaves (softly, where the collection is paranoid), or with `column` detaches them. In
 * one statement with the filter, so that one which is no longer what it was when it was read is left alone.
 * @throws AppError FORBIDDEN
 */
async function leaveLists(
  session: Session,
  collection: Collection,
  items: readonly Keyed[],
  filter: Readonly<Record<string, unknown>>,
  column: string | null,
): Promise<void> {
  const { parts, actor } = session;
  const { name, primaryKey } = collection;
  const writes = writesOf(parts);
  const keys = [...new Set(items.map(({ key }) => key))];
  await inBatches(keys, async (batch) => {
    const meant = (some: readonly string[]): unknown => ({
      AND: [{ [primaryKey.name]: { in: some } }, filter],
    });
    const ids =
      column === null
        ? await writes.removeWhere(actor, name, meant(batch))
        : await writes.updateWhere(actor, name, meant(batch), { [column]: null });
    if (ids.length === batch.length) return [];
    const done = new Set(ids.map((id) => parseKey(collection, id)));
    const left = batch.filter((key) => !done.has(key));
    const query = { fields: [primaryKey.name], filter: meant(left) };
    for await (const rows of parts.stream(actor, name, query))
      if (rows.length > 0) throw unwritable(collection, column === null ? "delete" : "update");
    return [];
  });
}

async function inBatches<One, Done>(
  all: readonly One[],
  work: (batch: readonly One[]) => Promise<readonly Done[]>,
): Promise<readonly Done[]> {
  const done: Done[] = [];
  for (let i = 0; i < all.length; i += bulkLimit) done.push(...(await work(all.slice(i, i + bulkLimit))));
  return done;
}

/** An item may be named by several others (the author of many posts) as long as they say the same of it. */
function distinct(collection: Collection, items: readonly (Item & Keyed)[]): readonly (Item & Keyed)[] {
  const known = new Map<string, Item & Keyed>();
  for (const item of items) {
    const other = known.get(item.key);
    if (other && !saysTheSame(other, item)) {
      throw new AppError(
        "INVALID_VALUE",
        `${item.place}: item ${item.key} of '${collection.name}' is written twice, with different values`,
      );
    }
    known.set(item.key, other ?? item);
  }
  return [...known.values()];
}

function saysTheSame(a: Item, b: Item): boolean {
  if (a.held?.key !== b.held?.key || a.held?.attach !== b.held?.attach) return false;
  const parts = [a, b].flatMap(({ body }) => [...body.toOne, ...body.lists]);
  return parts.length === 0 && JSON.stringify([...a.body.own]) === JSON.stringify([...b.body.own]);
}

/** Writes the items to which these hold keys; gives the columns that follow for each. */
async function writeToOne(
  session: Session,
  collection: Collection,
  items: readonly Item[],
): Promise<readonly (readonly (readonly [column: string, value: unknown])[])[]> {
  const columns: (readonly [string, unknown])[][] = items.map(() => []);
  const own = collection.tenant && !actsInTenant(session.actor) ? collection.tenant.name : null;
  const parts = items.flatMap(({ body, tenant }, i) =>
    body.toOne.map((part) => ({
      part,
      columns: columns[i] ?? [],
      tenant: own === null ? undefined : (body.own.get(own) ?? tenant),
    })),
  );
  for (const group of Map.groupBy(parts, ({ part }) => part.relation).values()) {
    const [first] = group;
    if (!first) continue;
    const { relation, target } = first.part;
    // Items of one request may lead to each other by keys that it gives them.
    const given = target === collection ? keysGiven(collection, items) : noKeys;
    const keys = await writeTargets(session, target, group, given);
    group.forEach((one, i) => {
      const key = keys[i] ?? null;
      one.columns.push([relation.sourceColumn, key]);
      if (relation.scope && key !== null) one.columns.push([relation.scope.column, relation.scope.value]);
    });
  }
  return columns;
}

const noKeys: ReadonlySet<string> = new Set();

function keysGiven({ primaryKey }: Collection, items: readonly Item[]): ReadonlySet<string> {
  return new Set(items.flatMap(({ body }) => String(body.own.get(primaryKey.name) ?? "") || []));
}

/**
 * Creates, changes or looks for what a relation leads to from several items; gives the keys, null where it is none.
 * `coming`: keys of items that are about to be there.
 */
async function writeTargets(
  session: Session,
  target: Collection,
  parts: readonly { readonly part: ToOne; readonly tenant: unknown }[],
  coming: ReadonlySet<string>,
): Promise<readonly (ItemId | null)[]> {
  const create: Item[] = [];
  const update: (Item & Keyed)[] = [];
  const connect: Keyed[] = [];
  for (const { part, tenant } of parts) {
    const { reference, place } = part;
    if (reference.kind === "create") create.push({ body: reference.body, tenant });
    if (reference.kind === "update") update.push({ key: reference.key, place, body: reference.body });
    if (reference.kind === "connect" && !coming.has(reference.key))
      connect.push({ key: reference.key, place });
  }
  await requireVisible(session, target, connect);
  await updateItems(session, target, update);
  const made = (await createItems(session, target, create)).values();
  const keyOf = (reference: Reference): ItemId | null => {
    if (reference.kind === "create") return made.next().value ?? null;
    return reference.kind === "detach" ? null : reference.key;
  };
  return parts.map(({ part }) => keyOf(part.reference));
}

async function requireVisible(session: Session, target: Collection, named: readonly Keyed[]): Promise<void> {
  if (named.length === 0) return;
  const missing = await unseen(session, target, named);
  if (missing.length > 0) throw notRelated(missing);
}

/** Those of the named items that the actor may not see, or that do not exist. */
async function unseen(
  { parts, actor }: Session,
  target: Collection,
  named: readonly Keyed[],
): Promise<readonly Keyed[]> {
  const { schema, rules } = parts.snapshot();
  if (accessOf(rules, schema, actor)(target, "read") === null) return named;
  const { name } = target.primaryKey;
  const seen = new Set<string>();
  const keys = [...new Set(named.map(({ key }) => key))];
  for (let i = 0; i < keys.length; i += bulkLimit) {
    const query = { fields: [name], filter: { [name]: { in: keys.slice(i, i + bulkLimit) } } };
    for await (const rows of parts.stream(actor, target.name, query)) {
      for (const row of rows) seen.add(parseKey(target, (JSON.parse(row) as Record<string, unknown>)[name]));
    }
  }
  return named.filter(({ key }) => !seen.has(key));
}

/** Says of an update which of its items are not there; those that are may not be changed. */
async function explained<Done>(
  session: Session,
  target: Collection,
  named: readonly Keyed[],
  work: () => Promise<readonly Done[]>,
): Promise<readonly Done[]> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError && error.code === "NOT_FOUND")) throw error;
    const missing = await unseen(session, target, named);
    throw missing.length > 0 ? notRelated(missing) : unwritable(target, "update");
  }
}

function unwritable({ name }: Collection, verb: "update" | "delete"): AppError {
  return new AppError("FORBIDDEN", `You don't have permission to ${verb} this item in '${name}'`);
}
