/**
 * An order of items by their places (the field `sort`; items without one last, equal ones by key): which places a move
 * gives to whom. Places are handed on among the items that the actor may update, so none is lost or given twice, and
 * nobody else's item changes. Pure.
 */
import { AppError } from "../errors";

/** An item in the order. `place` null: it has none yet. */
export type Placed = { readonly key: string; readonly place: number | null };

/** An item with the place that it gets. */
export type Settled = Placed & { readonly settled: number };

/** Where an item goes: right before or behind another. */
export type Side = "before" | "after";

/**
 * Gives items that stand in a row places that rise from one to the next: those that are equal to the one before, or not
 * higher, come right behind it; those without a place behind `last`, the highest of all. What rises already stays.
 */
export function settle(
  rows: readonly Placed[],
  last: number,
  before = Number.NEGATIVE_INFINITY,
): readonly Settled[] {
  let previous = before;
  return rows.map(({ key, place }) => {
    previous = Math.max(place ?? last + 1, previous + 1);
    return { key, place, settled: previous };
  });
}

/** Moves one of the items next to another one; the items between hand on their places. Gives those that change. */
export function rotate(
  rows: readonly Settled[],
  item: string,
  to: string,
  side: Side,
): ReadonlyMap<string, number> {
  const moved = rows.find(({ key }) => key === item);
  if (!moved) throw new Error("the item is not among its neighbours");
  if (item === to) return changesOf(rows, rows);
  const others = rows.filter((row) => row !== moved);
  const target = others.findIndex(({ key }) => key === to);
  if (target < 0) throw new Error("the target is not among its neighbours");
  const at = side === "before" ? target : target + 1;
  return changesOf(rows, [...others.slice(0, at), moved, ...others.slice(at)]);
}

/** Lets the named items take, in this order, the places that they hold together. Gives all that change. */
export function arrange(rows: readonly Settled[], keys: readonly string[]): ReadonlyMap<string, number> {
  const named = new Set(keys);
  const byKey = new Map(rows.map((row) => [row.key, row] as const));
  let next = 0;
  const order = rows.map((row) => {
    if (!named.has(row.key)) return row;
    const one = byKey.get(keys[next++] ?? "");
    if (!one) throw new Error("an item to arrange is not among the rows");
    return one;
  });
  return changesOf(rows, order);
}

/** What changes when the items stand in another order on the same places. */
function changesOf(places: readonly Settled[], order: readonly Settled[]): ReadonlyMap<string, number> {
  const changes = new Map<string, number>();
  order.forEach(({ key, place }, i) => {
    const now = places[i]?.settled ?? null;
    if (now !== null && now !== place) changes.set(key, now);
  });
  return changes;
}

/** The refusal of a move that only other people's items could make way for. */
export function noPlace(side: Side): AppError {
  return new AppError(
    "CONFLICT",
    `There is no place ${side} that item among those of the items that you may sort`,
  );
}
