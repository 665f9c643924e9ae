/** Edits of stored definitions: what is put and removed, and what must follow so that nothing names what is gone. */
import type { FieldDefinition, SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError } from "../errors";
import { buildSchema, recordsOf } from "./define";
import { relationsTo } from "./diff";
import { readDraft } from "./draft";
import type { Schema } from "./model";
import { invalid } from "./names";
import type { Rename } from "./rename";

/**
 * Definitions to store (new or anew), and collections to remove. `renames` come first: all else is said in the names after
 * them. `placeOf`: where messages say that the definition of a collection stands, `schema` unless told.
 */
export type SchemaEdit = {
  readonly put: readonly SchemaRecord[];
  readonly remove: readonly string[];
  readonly renames?: readonly Rename[];
  readonly placeOf?: (collection: string) => string;
};

/** The Schema after an edit, and the definitions that differ from before. */
export type EditedSchema = {
  readonly schema: Schema;
  readonly put: readonly SchemaRecord[];
  readonly removed: readonly string[];
};

/**
 * Applies an edit. Reverse relations of other collections that would lead nowhere go with what they lead to.
 * @throws AppError CONFLICT when a removed collection is still pointed at, INVALID_SCHEMA for a bad definition.
 */
export function applyEdit(schema: Schema, edit: SchemaEdit, version: number): EditedSchema {
  const given = new Set(edit.put.map(({ collectionName }) => collectionName));
  // What is given anew may lead elsewhere now, and is judged by itself.
  const touched = new Set([...given, ...edit.remove]);
  for (const name of edit.remove) checkUnreferenced(schema, name, touched);
  const records = new Map(recordsOf(schema).map((record) => [record.collectionName, record.schema] as const));
  for (const name of edit.remove) records.delete(name);
  for (const { collectionName, schema: definition } of edit.put) records.set(collectionName, definition);
  const pruned = new Map(
    [...records].map(([name, definition]) => [name, prune(name, definition, records, touched, given)]),
  );
  const list = [...pruned].map(([collectionName, definition]) => ({ collectionName, schema: definition }));
  const said = edit.placeOf ?? (() => "schema");
  const placeOf = (name: string): string => (given.has(name) ? said(name) : name);
  const next = buildSchema(version, list, placeOf, schema.extensions, schema.tenants);
  for (const name of given) checkExtensions(next, name, placeOf(name));
  const put = recordsOf(next).filter(
    (record) =>
      JSON.stringify(record.schema) !==
      JSON.stringify(schema.collections.get(record.collectionName)?.definition),
  );
  return { schema: next, put, removed: edit.remove };
}

/** What a definition may ask for only where the database has it. */
function checkExtensions({ collections, extensions }: Schema, name: string, place: string): void {
  if (!collections.get(name)?.searchable?.fuzzy || extensions.has("pg_trgm")) return;
  throw invalid(
    `${place}.searchable.fuzzy`,
    "it needs the extension pg_trgm, which this database does not have",
  );
}

function checkUnreferenced(schema: Schema, name: string, touched: ReadonlySet<string>): void {
  const holders = relationsTo(schema, name).filter(({ source }) => !touched.has(source));
  if (holders.length === 0) return;
  const names = holders.map((relation) => `'${relation.source}.${relation.name}'`);
  throw new AppError(
    "CONFLICT",
    `${name}: ${names.join(", ")} ${names.length === 1 ? "leads" : "lead"} to it; delete ${names.length === 1 ? "that relation" : "those relations"} first`,
    { relations: holders.map(({ source, name: relation }) => ({ collection: source, relation })) },
  );
}

/** Reverse relations that the user did not give in this very edit are dropped when their key is gone. */
function prune(
  name: string,
  definition: SchemaDefinition,
  records: ReadonlyMap<string, SchemaDefinition>,
  touched: ReadonlySet<string>,
  given: ReadonlySet<string>,
): SchemaDefinition {
  if (typeof definition !== "object" || definition === null || typeof definition.fields !== "object")
    return definition;
  const entries = Object.entries(definition.fields ?? {});
  const kept = entries.filter(([, field]) => {
    const prunable = isReverse(field) && (isGenerated(field) || !given.has(name));
    return !(prunable && touched.has(field.target) && !hasColumn(field.target, field.foreignKey, records));
  });
  return kept.length === entries.length ? definition : { ...definition, fields: Object.fromEntries(kept) };
}

type Reverse = FieldDefinition & { readonly target: string; readonly foreignKey: string };

function isReverse(field: FieldDefinition | null): field is Reverse {
  return (
    (field?.relType === "HasMany" || field?.relType === "HasOne") &&
    typeof field.target === "string" &&
    typeof field.foreignKey === "string"
  );
}

/** True for an entry that the server made. */
export function isGenerated(field: FieldDefinition): boolean {
  return field.SystemGenerated === true || field.SystemGenerated === "true";
}

function hasColumn(
  collection: string,
  column: string,
  records: ReadonlyMap<string, SchemaDefinition>,
): boolean {
  const definition = records.get(collection);
  if (!definition) return false;
  const { fields, relations, followers } = readDraft(collection, definition, {
    place: "schema",
    system: collection.startsWith("baasix_"),
    guarded: false,
  });
  return (
    fields.has(column) ||
    followers.has(column) ||
    relations.some((one) => one.keyOn === "source" && one.column === column)
  );
}
