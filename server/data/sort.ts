/**
 * Moving items in the order of their field `sort`. The moves of a collection take turns by a lock that is taken before
 * anything is read; what changes is written through the door, like any update.
 */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { AppError } from "../core/errors";
import { type AuthorizedTarget, authorizeWrite } from "../core/query/authorize";
import {
  compileLastPlace,
  compilePlaces,
  mostMoved,
  placesPage,
  type PlacesForm,
} from "../core/query/compilePlaces";
import { findCollection } from "../core/query/find";
import { arrange, noPlace, type Placed, rotate, settle, type Settled, type Side } from "../core/query/places";
import { bind, type CompiledStatement } from "../core/query/variables";
import { bulkLimit, checkBulk, checkDistinct, parseKey } from "../core/query/write";
import type { Collection, Field } from "../core/schema/model";
import { holdPlaces, takePlaces } from "../core/schema/places";
import { lockTables, lockTimeout } from "../core/schema/store";
import { arrayText } from "../core/schema/values";
import { type Row, sqlState } from "../platform/postgres";
import type { Data, Move, Rows } from "./door";
import { optionsFor } from "./read";
import { guestOf, type WriteParts } from "./write";

/** What sorting needs of the door that it is part of. */
export type SortParts = Pick<
  WriteParts,
  "runner" | "snapshot" | "now" | "isInside" | "transaction" | "attempt"
> &
  Pick<Rows, "update" | "readOne">;

/** An item, its place, and whether the actor may update it. */
type Found = Placed & { readonly id: ItemId; readonly mine: boolean };

/** The functions `move` and `reorder` of a door. */
export function sortOf(parts: SortParts): Pick<Data, "move" | "reorder"> {
  return {
    move: async (actor, name, move) => {
      const sorting = openSorting(parts, actor, name);
      if (!parts.isInside) return parts.transaction((rows) => rows.move(actor, name, move), guestOf(actor));
      return moveItem(sorting, move);
    },
    reorder: async (actor, name, ids) => {
      const sorting = openSorting(parts, actor, name);
      if (ids.length === 0) {
        if (parts.isInside) await hold(sorting);
        return [];
      }
      if (!parts.isInside) return parts.transaction((rows) => rows.reorder(actor, name, ids), guestOf(actor));
      return reorderItems(sorting, ids);
    },
  };
}

/** One request to sort a collection, its rights judged. */
type Sorting = {
  readonly parts: SortParts;
  readonly actor: Actor;
  readonly collection: Collection;
  readonly field: Field;
  readonly targets: readonly [AuthorizedTarget, ...AuthorizedTarget[]];
  readonly version: number;
};

/** @throws AppError UNKNOWN_COLLECTION, FORBIDDEN; BAD_REQUEST where there is no order */
function openSorting(parts: SortParts, actor: Actor, name: string): Sorting {
  const { schema, rules } = parts.snapshot();
  const collection = findCollection(schema, name);
  const access = accessOf(rules, schema, actor);
  const refusal = new AppError("FORBIDDEN", `You don't have permission to sort items in '${name}'`);
  if (access(collection, "update") === null) throw refusal;
  const field = sortField(collection);
  try {
    const targets = authorizeWrite(schema, collection, "update", [field], null, access);
    return { parts, actor, collection, field, targets, version: schema.version };
  } catch (error) {
    throw error instanceof AppError && error.code === "FORBIDDEN" ? refusal : error;
  }
}

function sortField({ name, fields, indexes }: Collection): Field {
  const field = fields.get("sort");
  if (field?.type !== "Integer" || field.managed !== null || field.hidden) {
    throw new AppError("BAD_REQUEST", `Collection '${name}' does not have a sort field`);
  }
  if (field.unique || indexes.some((index) => index.unique && index.fields.includes(field.name))) {
    const why = "a unique rule holds its field 'sort', and items that change places share one for a moment";
    throw new AppError(
      "BAD_REQUEST",
      `Collection '${name}' cannot be sorted: ${why}; make a plain index of it`,
    );
  }
  return field;
}

/** One move: `precedes`: the item stands before the one that it goes next to. */
type Step = { readonly to: Found; readonly side: Side; readonly precedes: boolean };

async function moveItem(sorting: Sorting, { item, to, mode }: Move): Promise<number | null> {
  const { parts, actor, collection, field } = sorting;
  const [key, toKey] = [parseKey(collection, item), parseKey(collection, to)];
  await hold(sorting);
  // Who moves an item learns where the other one stands, and so has to be able to read that.
  await parts.readOne(actor, collection.name, to, { fields: [field.name] }).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "NOT_FOUND" ? missing("Target item", to) : error;
  });
  for (const target of sorting.targets) {
    // oxlint-disable-next-line no-await-in-loop -- one grant after the other
    const named = await read(sorting, target, "named", [arrayText([key, toKey])]);
    const moved = named.find((row) => row.key === key);
    const other = named.find((row) => row.key === toKey);
    if (!other) throw missing("Target item", to);
    if (!moved?.mine) continue;
    const precedes = named.indexOf(moved) < named.indexOf(other);
    // oxlint-disable-next-line no-await-in-loop
    const step = other.mine
      ? { to: other, side: mode, precedes }
      : await nearest(sorting, target, moved, other, mode);
    // oxlint-disable-next-line no-await-in-loop
    const rows = await (step.precedes
      ? settleBetween(sorting, target, moved, step.to)
      : settleBetween(sorting, target, step.to, moved));
    const changes = rotate(rows, key, step.to.key, step.side);
    // oxlint-disable-next-line no-await-in-loop
    await write(sorting, changes);
    return changes.get(key) ?? moved.place;
  }
  throw missing("Item", item);
}

/**
 * The way next to an item that the actor may not update: onto the nearest place of its own on that side. The item that has
 * it makes way towards where the moved one comes from.
 * @throws AppError CONFLICT when there is none
 */
async function nearest(
  sorting: Sorting,
  target: AuthorizedTarget,
  moved: Found,
  { place }: Found,
  side: Side,
): Promise<Step> {
  if (side === "before") {
    const [near] = await read(sorting, target, "below", [String(place ?? Number.MAX_SAFE_INTEGER)]);
    if (!near && place !== null) throw noPlace(side);
    // Without a place all others stand before it, and so does what gets one.
    if (!near) return { to: moved, side, precedes: false };
    const precedes = moved.place !== null && (place === null || moved.place < place);
    return { to: near, side: precedes ? "after" : "before", precedes };
  }
  if (place === null) throw noPlace(side);
  const [near] = await read(sorting, target, "above", [String(place)]);
  if (!near && moved.place !== null) throw noPlace(side);
  if (!near) return { to: moved, side, precedes: false };
  const precedes = moved.place !== null && moved.place <= place;
  return { to: near, side: precedes ? "after" : "before", precedes };
}

async function reorderItems(sorting: Sorting, ids: readonly ItemId[]): Promise<readonly ItemId[]> {
  const { collection } = sorting;
  checkBulk(ids.length);
  const keys = ids.map((id) => parseKey(collection, id));
  checkDistinct(keys);
  await hold(sorting);
  let refused = 0;
  for (const target of sorting.targets) {
    // oxlint-disable-next-line no-await-in-loop -- one grant after the other
    const named = await read(sorting, target, "named", [arrayText(keys)]);
    const byKey = new Map(named.map((row) => [row.key, row] as const));
    refused = keys.findIndex((key) => !byKey.get(key)?.mine);
    if (refused >= 0) continue;
    // oxlint-disable-next-line no-await-in-loop
    await write(sorting, arrange(await settleNamed(sorting, target, named), keys));
    return keys.flatMap((key) => byKey.get(key)?.id ?? []);
  }
  throw missing("Item", ids[refused] ?? "");
}

/** The named items, on places that are theirs alone; where they are not, with all between them. */
async function settleNamed(
  sorting: Sorting,
  target: AuthorizedTarget,
  named: readonly Found[],
): Promise<readonly Settled[]> {
  const places = named.flatMap(({ place }) => place ?? []);
  const [first, last] = [named[0], named.at(-1)];
  if (!first || !last) return [];
  if (new Set(places).size === named.length) {
    const keys = arrayText(named.map(({ key }) => key));
    const sharing = await read(sorting, target, "sharing", [arrayText(places.map(String)), keys]);
    if (sharing.length === 0) return named.map((row) => ({ ...row, settled: row.place ?? 0 }));
  }
  return settleBetween(sorting, target, first, last);
}

/** The items from one to another that the actor may update, and those behind that have to make way, each on a place of its own. */
async function settleBetween(
  sorting: Sorting,
  target: AuthorizedTarget,
  first: Placed,
  last: Placed,
): Promise<readonly Settled[]> {
  const seen = await riseBetween(sorting, target, first, last);
  if (seen.every(({ place, settled }) => place === settled)) return seen;
  // Who rises may take a place that nobody is seen to have: it may be that of an item on its way.
  const rises = seen.some(({ place, settled }) => place !== null && place !== settled);
  if (rises) await keepWritersOut(sorting);
  const rows = rises ? await riseBetween(sorting, target, first, last) : seen;
  // New places come from where those of new items come from, who may be on their way.
  const top = await highest(sorting, target);
  const above = rows.filter(({ settled }) => settled > top).length;
  if (above === 0) return rows;
  const { parts, field, collection } = sorting;
  const [taken] = await parts.runner.run(takePlaces(field, collection, above));
  let next = Number(taken?.[0] ?? top);
  return rows.map((row) => (row.settled > top ? { ...row, settled: ++next } : row));
}

/** How often the table is asked for, and how long each time, ms: who waits for it keeps everyone behind waiting, too. */
const lockTries = 50;
const lockPatience = 50;
const lockPause = 20;

/**
 * Waits for those who write rows, and keeps all others from it to the end of the transaction.
 * @throws AppError CONFLICT when there is always somebody
 */
async function keepWritersOut({ parts, collection }: Sorting): Promise<void> {
  for (let turn = 1; ; turn++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one try after the other
      return await parts.attempt(async () => {
        await parts.runner.run(lockTimeout(lockPatience));
        await parts.runner.run(lockTables([collection.name], "share row exclusive"));
        await parts.runner.run(lockTimeout(0));
      });
    } catch (error) {
      if (sqlState(error) !== "55P03" || turn === lockTries) throw error;
    }
    // oxlint-disable-next-line no-await-in-loop
    await Bun.sleep(lockPause);
  }
}

async function riseBetween(
  sorting: Sorting,
  target: AuthorizedTarget,
  first: Placed,
  last: Placed,
): Promise<readonly Settled[]> {
  const within = (form: PlacesForm, ...inputs: readonly (string | number)[]): Promise<readonly Found[]> =>
    read(sorting, target, form, inputs.map(String));
  if (last.place === null) {
    const rows = await (first.place === null
      ? within("unplaced", last.key)
      : within("from", first.place, last.key));
    return settle(bounded(rows), await highest(sorting, target));
  }
  const rows: Settled[] = [...settle(bounded(await within("between", first.place ?? 0, last.place)), 0)];
  for (;;) {
    const end = rows.at(-1);
    if (!end || end.place === null || end.settled <= end.place) return rows;
    // oxlint-disable-next-line no-await-in-loop -- page after page, as far as places have to rise
    const page = await within("behind", end.place, end.key);
    const pushed = settle(page, 0, end.settled);
    const rest = pushed.findIndex(({ place, settled }) => place === settled);
    rows.push(...(rest < 0 ? pushed : pushed.slice(0, rest)));
    bounded(rows);
    if (rest >= 0 || page.length < placesPage) return rows;
  }
}

/** @throws AppError QUERY_TOO_COMPLEX */
function bounded<T>(rows: readonly T[]): readonly T[] {
  if (rows.length <= mostMoved) return rows;
  throw new AppError(
    "QUERY_TOO_COMPLEX",
    `more than ${mostMoved} items would have to move; set 'sort' itself`,
  );
}

async function hold({ parts, collection }: Sorting): Promise<void> {
  await parts.runner.run(holdPlaces(collection));
}

async function highest(sorting: Sorting, target: AuthorizedTarget): Promise<number> {
  const [row] = await run(sorting, compileLastPlace(target, sorting.field, sorting.version), []);
  return Number(row?.[0] ?? 0);
}

async function read(
  sorting: Sorting,
  target: AuthorizedTarget,
  form: PlacesForm,
  inputs: readonly string[],
): Promise<readonly Found[]> {
  const rows = await run(sorting, compilePlaces(target, sorting.field, form, sorting.version), inputs);
  return rows.map(([key, place, mine, id]) => ({
    key: String(key),
    place: place === null ? null : Number(place),
    mine: mine === true,
    id: id as ItemId,
  }));
}

function run(
  { parts, actor }: Sorting,
  statement: CompiledStatement,
  inputs: readonly string[],
): Promise<readonly Row[]> {
  return parts.runner.run(bind(statement, { actor, now: parts.now(), inputs }), optionsFor(actor));
}

/** Through the door: conditions, listeners and the audit log see an update like any other. */
async function write(
  { parts, actor, collection, field }: Sorting,
  changes: ReadonlyMap<string, number>,
): Promise<void> {
  const entries = [...changes].map(([id, place]) => ({ id, data: { [field.name]: place } }));
  for (let i = 0; i < entries.length; i += bulkLimit) {
    // oxlint-disable-next-line no-await-in-loop -- one transaction
    await parts.update(actor, collection.name, entries.slice(i, i + bulkLimit));
  }
}

function missing(what: string, id: ItemId): AppError {
  return new AppError("NOT_FOUND", `${what} with ID ${id} not found`);
}
