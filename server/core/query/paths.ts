/** Dotted paths to one column: through relations, then a field. */
import type { Collection, Field, Schema } from "../schema/model";
import type { Path } from "./ast";
import { findCollection, findColumn, unknownField } from "./find";
import type { Hop, Planned } from "./planned";

/** A column behind relations. `guard` (set by `authorize`) limits for which rows it may be seen. */
export type PlannedPath = {
  readonly hops: readonly Hop[];
  readonly field: Field;
  readonly guard: Planned | null;
  readonly at: string;
};

/** Resolves a path. @throws AppError UNKNOWN_FIELD, INVALID_QUERY */
export function planPath(schema: Schema, collection: Collection, path: Path, at: string): PlannedPath {
  const hops: Hop[] = [];
  let current = collection;
  for (const name of path.slice(0, -1)) {
    const relation = current.relations.get(name);
    if (!relation) throw unknownField(current, name, at);
    current = findCollection(schema, relation.target);
    hops.push({ relation, target: current, rows: null });
  }
  return { hops, field: findColumn(current, path.at(-1) ?? "", at), guard: null, at };
}
