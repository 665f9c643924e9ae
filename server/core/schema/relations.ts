/** Dotted paths → the relations that they pass. */
import { AppError, suggestion } from "../errors";
import type { Collection, Field, Relation, Schema } from "./model";

/** Where a path leads: through `hops`, to a field of `collection`, or (null) to the last relation itself. */
export type ResolvedPath = {
  readonly hops: readonly Relation[];
  readonly field: Field | null;
  readonly collection: Collection;
};

/**
 * Resolves names one after the other, each in the collection that the one before leads to.
 * @throws AppError UNKNOWN_FIELD naming the place, the collection and the nearest name.
 */
export function resolvePath(
  schema: Schema,
  collection: Collection,
  segments: readonly string[],
  place: string = segments.join("."),
): ResolvedPath {
  const hops: Relation[] = [];
  let here = collection;
  for (const [index, name] of segments.entries()) {
    const last = index === segments.length - 1;
    const relation = here.relations.get(name);
    const target = relation && schema.collections.get(relation.target);
    if (relation && target) {
      hops.push(relation);
      here = target;
      continue;
    }
    const field = here.fields.get(name);
    if (last && field) return { hops, field, collection: here };
    throw unknownName(here, name, place, field !== undefined);
  }
  return { hops, field: null, collection: here };
}

function unknownName(collection: Collection, name: string, place: string, isColumn: boolean): AppError {
  if (isColumn) {
    return new AppError(
      "UNKNOWN_FIELD",
      `${place}: '${name}' of '${collection.name}' is a field, not a relation`,
    );
  }
  const fields = [...collection.fields.values()].filter(({ hidden }) => !hidden).map((field) => field.name);
  const near = suggestion(name, [...fields, ...collection.relations.keys()]);
  return new AppError("UNKNOWN_FIELD", `${place}: '${collection.name}' has no field '${name}'${near}`);
}
