/** Who may write what, and the statement for it: worked out once for writes of one row, kept as long as its snapshot. */
import { type Actor, roleKey } from "../core/access/actor";
import type { AuthorizedTarget } from "../core/query/authorize";
import type { CompiledStatement } from "../core/query/variables";
import type { Collection, Field } from "../core/schema/model";
import type { SharedWrites } from "./sharedWrites";
import type { Snapshot } from "./snapshot";

/** `statements`: of each target, once it was compiled; `shared`: where requests of each meet. */
export type KeptWrite = {
  readonly targets: readonly [AuthorizedTarget, ...AuthorizedTarget[]];
  readonly statements: Map<AuthorizedTarget, CompiledStatement>;
  readonly shared: Map<AuthorizedTarget, SharedWrites>;
};

/** One statement: what it depends on besides roles and collection, and what is kept of it. */
type Shape = { readonly form: string; readonly columns: readonly Field[]; readonly write: KeptWrite };
type Memory = { readonly roles: Map<string, Map<Collection, Shape[]>>; count: number };

const mostKept = 1000;
/** Of one collection and role; they are looked through in turn. */
const mostShapes = 30;
const memories = new WeakMap<Snapshot, Memory>();

/**
 * Gives what is kept for actors of the same roles who write the same columns in the same `form`, which tells all else that
 * the statement depends on; or makes and keeps it. Nothing is kept when `authorize` throws.
 */
export function keepWrite(
  snapshot: Snapshot,
  actor: Actor,
  collection: Collection,
  columns: readonly Field[],
  form: string,
  authorize: () => KeptWrite["targets"],
): KeptWrite {
  let memory = memories.get(snapshot);
  if (!memory) memories.set(snapshot, (memory = { roles: new Map(), count: 0 }));
  let shapes = shapesOf(memory, actor, collection);
  for (const shape of shapes) if (shape.form === form && isSame(shape.columns, columns)) return shape.write;
  const write: KeptWrite = { targets: authorize(), statements: new Map(), shared: new Map() };
  if (shapes.length >= mostShapes) {
    memory.count -= shapes.length;
    shapes.length = 0;
  }
  if (memory.count >= mostKept) {
    memory.roles.clear();
    memory.count = 0;
    // The list went with the others.
    shapes = shapesOf(memory, actor, collection);
  }
  shapes.push({ form, columns, write });
  memory.count++;
  return write;
}

function shapesOf({ roles }: Memory, actor: Actor, collection: Collection): Shape[] {
  const role = roleKey(actor);
  let collections = roles.get(role);
  if (!collections) roles.set(role, (collections = new Map()));
  let shapes = collections.get(collection);
  if (!shapes) collections.set(collection, (shapes = []));
  return shapes;
}

function isSame(one: readonly Field[], other: readonly Field[]): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
