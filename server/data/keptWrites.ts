/** Who may write what, and the statement for it: worked out once for writes of one row, kept as long as its snapshot. */
import { type Actor, roleKey } from "../core/access/actor";
import type { AuthorizedTarget } from "../core/query/authorize";
import type { CompiledStatement } from "../core/query/variables";
import type { Collection, Field } from "../core/schema/model";
import type { Snapshot } from "./snapshot";

/** `statements`: of each target, once it was compiled. */
export type KeptWrite = {
  readonly targets: readonly [AuthorizedTarget, ...AuthorizedTarget[]];
  readonly statements: Map<AuthorizedTarget, CompiledStatement>;
};

const mostKept = 1000;
const longestKey = 2000;
const memories = new WeakMap<Snapshot, Map<string, KeptWrite>>();

/**
 * Gives what is kept for actors of the same roles who write the same columns in the same `form`, which tells all else that
 * the statement depends on; or makes and keeps it. Nothing is kept when `authorize` throws.
 */
export function keepWrite(
  snapshot: Snapshot,
  actor: Actor,
  { name }: Collection,
  columns: readonly Field[],
  form: string,
  authorize: () => KeptWrite["targets"],
): KeptWrite {
  let memory = memories.get(snapshot);
  if (!memory) memories.set(snapshot, (memory = new Map()));
  // None of these has a comma in it.
  let key = `${roleKey(actor)},${name},${form}`;
  for (const column of columns) key += `,${column.name}`;
  const known = memory.get(key);
  if (known) return known;
  const made: KeptWrite = { targets: authorize(), statements: new Map() };
  if (key.length <= longestKey) {
    if (memory.size >= mostKept) memory.clear();
    memory.set(key, made);
  }
  return made;
}
