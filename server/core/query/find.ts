/** Names of a request → what the schema has under them, or a refusal with the nearest valid name. */
import { AppError, suggestion } from "../errors";
import type { Collection, Field, Relation, Schema } from "../schema/model";

/** The collection of a name. @throws AppError UNKNOWN_COLLECTION */
export function findCollection(schema: Schema, name: string): Collection {
  const collection = schema.collections.get(name);
  if (collection) return collection;
  throw new AppError("UNKNOWN_COLLECTION", `Collection '${name}' does not exist`);
}

/** A column by name; the name of a to-one relation stands for its key. */
export function findColumn(collection: Collection, name: string, at: string): Field {
  const relation = collection.relations.get(name);
  const field =
    collection.fields.get(name) ??
    (relation && standsForKey(relation) ? collection.fields.get(relation.sourceColumn) : undefined);
  if (field) return field;
  if (relation) {
    const what = relation.kind === "many" ? "a list" : "a related item";
    throw new AppError(
      "INVALID_QUERY",
      `${at}: '${name}' is ${what}; name a field of it, such as '${name}.id'`,
    );
  }
  throw unknownField(collection, name, at);
}

/** True for a relation whose name may stand for its key: the key lies in the row, and leads to one collection alone. */
export function standsForKey({ keyOn, scope }: Relation): boolean {
  return keyOn === "source" && scope === null;
}

/** The refusal of a name that is neither a field nor a relation. */
export function unknownField(collection: Collection, name: string, at: string): AppError {
  const valid = [...collection.fields.values()].filter((field) => !field.hidden).map((field) => field.name);
  return new AppError(
    "UNKNOWN_FIELD",
    `${at}: '${collection.name}' has no field '${name}'${suggestion(name, [...valid, ...collection.relations.keys()])}`,
  );
}
