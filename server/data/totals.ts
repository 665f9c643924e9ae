/**
 * Totals of lists, remembered until something that they count may have changed. A total belongs to one bound statement
 * and is dropped by the first commit that writes a collection which the statement reads: writes of this process before
 * they are answered, those of others when the log tells them.
 */
import type { Schema } from "../core/schema/model";

/** When a total began to be counted; see `Totals.begin`. */
export type Stamp = readonly number[];

export type Totals = {
  /** The total of a statement, if it is remembered. */
  readonly known: (key: string) => number | null;
  /** Call before counting: a write that comes in between keeps the result from being remembered. */
  readonly begin: (collections: readonly string[]) => Stamp;
  readonly remember: (key: string, collections: readonly string[], stamp: Stamp, total: number) => void;
  /** Rows of the collection were written; rows that point at them may have gone or changed with them. */
  readonly touched: (collection: string) => void;
  /** True when a total of the collection is remembered or being counted: else its changes need not be told. */
  readonly depends: (collection: string) => boolean;
  /** Anything may have changed. */
  readonly clear: () => void;
};

export type TotalsParts = {
  readonly schema: () => Schema;
  /** True while the writes of others are told; else nothing is remembered. */
  readonly live: () => boolean;
};

type Entry = { readonly total: number; readonly collections: readonly string[]; readonly stamp: Stamp };

/** Most totals that are remembered. */
const capacity = 10_000;

export function createTotals({ schema, live }: TotalsParts): Totals {
  const versions = new Map<string, number>();
  const entries = new Map<string, Entry>();
  const dependent = new Set<string>();
  const versionOf = (collection: string): number => versions.get(collection) ?? 0;
  // From here on changes must be told: one that is committed while the total is being counted may be missing in it.
  const begin = (collections: readonly string[]): Stamp =>
    collections.map((collection) => {
      dependent.add(collection);
      return versionOf(collection);
    });
  const stands = ({ collections, stamp }: Omit<Entry, "total">): boolean =>
    collections.every((collection, i) => versionOf(collection) === stamp[i]);

  const touched = (collection: string): void => {
    if (dependent.size === 0) return;
    for (const name of reachedFrom(schema(), collection)) {
      // Whatever was counted before the last change of a collection that is not among them is stale already.
      if (dependent.delete(name)) versions.set(name, versionOf(name) + 1);
    }
  };
  // What others write there is in the log only where the collection is published.
  const isTold = (collection: string): boolean => schema().collections.get(collection)?.realtime === true;
  const clear = (): void => {
    entries.clear();
    // What is being counted now must not be remembered either.
    for (const collection of dependent) versions.set(collection, versionOf(collection) + 1);
    dependent.clear();
  };

  return {
    begin,
    known: (key) => {
      const entry = live() ? entries.get(key) : undefined;
      if (!entry) return null;
      if (stands(entry)) return entry.total;
      entries.delete(key);
      return null;
    },
    remember: (key, collections, stamp, total) => {
      if (!live() || !collections.every(isTold) || !stands({ collections, stamp })) return;
      if (entries.size >= capacity) entries.clear();
      entries.set(key, { total, collections, stamp });
    },
    touched,
    depends: (collection) => dependent.has(collection),
    clear,
  };
}

const reached = new WeakMap<Schema, Map<string, ReadonlySet<string>>>();

/**
 * The collection and those with a key that points at it, or at one of these: deleting here may delete or change rows there.
 */
function reachedFrom(schema: Schema, collection: string): ReadonlySet<string> {
  let known = reached.get(schema);
  if (!known) reached.set(schema, (known = new Map()));
  let names = known.get(collection);
  if (!names) known.set(collection, (names = followHolders(schema, collection)));
  return names;
}

function followHolders(schema: Schema, collection: string): ReadonlySet<string> {
  const found = new Set([collection]);
  // A set that grows while it is walked is walked to its end.
  for (const reachedName of found) {
    for (const { name, relations } of schema.collections.values()) {
      for (const { keyOn, target } of relations.values())
        if (keyOn === "source" && target === reachedName) found.add(name);
    }
  }
  return found;
}
