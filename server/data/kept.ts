/** What was worked out from one snapshot, kept for as long as it is the current one. */
import { type Actor, roleKey } from "../core/access/actor";
import type { RawQuery } from "./door";
import type { Snapshot } from "./snapshot";

const keptEntries = 2000;
const keptKeyLength = 2000;

/** Makes a memory of its own: gives what is kept under a key, or makes and keeps it. Nothing is kept when `make` throws. */
export function keepBySnapshot<T>(): (snapshot: Snapshot, key: string, make: () => T) => T {
  const memory = new WeakMap<Snapshot, Map<string, T>>();
  return (snapshot, key, make) => {
    let kept = memory.get(snapshot);
    if (!kept) memory.set(snapshot, (kept = new Map()));
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (key.length <= keptKeyLength) {
      if (kept.size >= keptEntries) kept.clear();
      kept.set(key, made);
    }
    return made;
  };
}

/** The key of what was worked out for all actors of the same roles. A name is quoted: else a role's id could begin it. */
export function readKey(actor: Actor, collection: string, query: RawQuery): string {
  return `${roleKey(actor)} ${JSON.stringify(collection)} ${JSON.stringify(query)}`;
}
