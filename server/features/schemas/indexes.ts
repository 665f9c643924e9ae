/** What the routes of indexes change in a definition. */
import type { IndexDefinition, IndexMigration } from "@baasix/types";
import { AppError, suggestion } from "../../core/errors";
import { indexesOf } from "../../core/schema/define";
import type { SchemaEdit } from "../../core/schema/edit";
import type { Collection, Schema } from "../../core/schema/model";
import { invalid, nameOf } from "../../core/schema/names";
import type { SnapshotStore } from "../../data";
import { ownCollection } from "./edits";

/**
 * One index more. One of the same name that says the same is left as it is.
 * @throws AppError NOT_FOUND, INVALID_SCHEMA, CONFLICT where the name is that of another index
 */
export function addIndexEdit(schema: Schema, name: string, given: IndexDefinition): SchemaEdit {
  const collection = ownCollection(schema, name);
  const called = given.name ?? nameOf.index(name, given.fields);
  const declared = collection.definition.indexes ?? [];
  const known = declared.find((one) => (one.name ?? nameOf.index(name, one.fields)) === called);
  if (known && saysTheSame(known, given)) return { put: [], remove: [] };
  if (known) {
    throw new AppError(
      "CONFLICT",
      `name: '${name}' has another index '${called}'; give this one another name, or delete that one first`,
    );
  }
  return put(collection, [...declared, given]);
}

/** One index less. @throws AppError NOT_FOUND, INVALID_SCHEMA for one that follows from something else */
export function removeIndexEdit(schema: Schema, name: string, index: string): SchemaEdit {
  const collection = ownCollection(schema, name);
  const declared = collection.definition.indexes ?? [];
  const left = declared.filter((one) => (one.name ?? nameOf.index(name, one.fields)) !== index);
  if (left.length < declared.length) return put(collection, left);
  const made = indexesOf(collection).find((one) => one.name === index);
  if (made?.kind) throw invalid(index, `"searchable" makes it; change that`);
  if (made) throw invalid(index, `it belongs to the key '${made.fields[0]}' of a relation`);
  const unique = [...collection.fields.values()].find((field) => nameOf.unique(name, field.name) === index);
  if (unique) throw invalid(index, `it is the rule that '${unique.name}' is unique; change that field`);
  const near = suggestion(
    index,
    collection.indexes.map((one) => one.name),
  );
  throw new AppError("NOT_FOUND", `'${name}' has no index '${index}'${near}`);
}

function put({ name, definition }: Collection, indexes: readonly IndexDefinition[]): SchemaEdit {
  return { put: [{ collectionName: name, schema: { ...definition, indexes } }], remove: [] };
}

function saysTheSame(a: IndexDefinition, b: IndexDefinition): boolean {
  return (
    a.fields.join() === b.fields.join() &&
    (a.unique ?? false) === (b.unique ?? false) &&
    (a.nullsNotDistinct ?? false) === (b.nullsNotDistinct ?? false) &&
    (a.type ?? "btree").toLowerCase() === (b.type ?? "btree").toLowerCase()
  );
}

/** What `POST /schemas/indexes/migrate` answers. */
export async function migrateIndexes({
  makeIndexes,
}: Pick<SnapshotStore, "makeIndexes">): Promise<IndexMigration> {
  const details = await makeIndexes();
  const { created, skipped, errors } = details;
  return {
    message: "Index migration completed",
    summary: { created: created.length, skipped: skipped.length, errors: errors.length },
    details,
  };
}
