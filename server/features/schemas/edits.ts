/** What each route does to the stored definitions: pure functions from the schema as it is to an edit of it. */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import { AppError, suggestion } from "../../core/errors";
import { isGenerated, type SchemaEdit } from "../../core/schema/edit";
import type { Collection, Schema } from "../../core/schema/model";
import { checkCollectionName } from "../../core/schema/names";

type Given = { readonly [key: string]: unknown };

/** A new collection. @throws AppError SCHEMA_EXISTS, INVALID_SCHEMA */
export function createEdit(schema: Schema, name: string, definition: Given): SchemaEdit {
  if (schema.collections.has(name)) throw new AppError("SCHEMA_EXISTS", `Schema already exists: '${name}'`);
  checkCollectionName(name, "collectionName", definition.isJunction === true);
  return { put: [{ collectionName: name, schema: asDefinition(definition) }], remove: [] };
}

/**
 * A new definition for a collection. It is the whole one, except that relations which the server made (by the
 * relationships route) stay when it does not mention them, so that a client which does not know them cannot drop them
 * by accident; `"name": null` removes one.
 * @throws AppError NOT_FOUND
 */
export function updateEdit(schema: Schema, name: string, definition: Given): SchemaEdit {
  const stored = ownCollection(schema, name).definition;
  const fields = definition.fields;
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    return { put: [{ collectionName: name, schema: asDefinition(definition) }], remove: [] };
  }
  const given = Object.entries(fields);
  const mentioned = new Set(given.map(([field]) => field));
  const generated = Object.entries(stored.fields).filter(
    ([field, entry]) => isGenerated(entry) && !mentioned.has(field),
  );
  const relations = generated.filter(([, entry]) => entry.relType !== undefined);
  const present = [...given.filter(([, entry]) => entry !== null), ...relations];
  const keys = new Set(present.map(([field, entry]) => keyOf(field, entry)));
  const columns = generated.filter(([field, entry]) => entry.relType === undefined && keys.has(field));
  const merged = { ...definition, fields: Object.fromEntries([...present, ...columns]) };
  return { put: [{ collectionName: name, schema: asDefinition(merged) }], remove: [] };
}

/** The key column of an entry that is a to-one relation. */
function keyOf(field: string, entry: Partial<FieldDefinition>): string | null {
  if (String(entry?.relType).toLowerCase() !== "belongsto") return null;
  return entry.foreignKey ?? `${entry.as ?? field}_Id`;
}

/** No collection any more. @throws AppError NOT_FOUND */
export function removeEdit(schema: Schema, name: string): SchemaEdit {
  ownCollection(schema, name);
  return { put: [], remove: [name] };
}

/** A relation taken away, with the key column and the reverse list that the server made for it. @throws AppError NOT_FOUND */
export function unrelateEdit(schema: Schema, name: string, field: string): SchemaEdit {
  const source = schema.collections.get(name);
  const relation = source?.relations.get(field);
  const stored = source?.definition.fields ?? {};
  const entry = Object.entries(stored).find(
    ([key, { relType, as }]) => relType !== undefined && (as ?? key) === field,
  );
  if (!source || !relation || !entry) {
    throw new AppError(
      "NOT_FOUND",
      `'${name}' has no relation '${field}'${suggestion(field, source?.relations.keys() ?? [])}`,
    );
  }
  if (source.system && !isGenerated(entry[1])) throw builtIn(name);
  const put = [withoutRelation(source, entry, relation.sourceColumn)];
  const reverse = relation.keyOn === "source" ? schema.collections.get(relation.target) : undefined;
  const aliases = Object.entries(reverse?.definition.fields ?? {}).filter(
    ([, one]) =>
      (one.relType === "HasMany" || one.relType === "HasOne") &&
      isGenerated(one) &&
      one.target === name &&
      one.foreignKey === relation.sourceColumn,
  );
  const removed = new Set(aliases.map(([alias]) => alias));
  if (reverse === source && put[0]) put[0] = { ...put[0], schema: without(put[0].schema, removed) };
  else if (reverse && removed.size > 0) {
    put.push({ collectionName: reverse.name, schema: without(reverse.definition, removed) });
  }
  return { put, remove: [] };
}

const relationKeys: ReadonlySet<string> = new Set([
  "relType",
  "target",
  "foreignKey",
  "targetKey",
  "as",
  "onDelete",
  "onUpdate",
]);

function withoutRelation(
  source: Collection,
  [key, entry]: readonly [string, FieldDefinition],
  column: string,
) {
  const rest = without(source.definition, new Set([key]));
  const follower = rest.fields[column];
  if (entry.type !== undefined) {
    const field = Object.fromEntries(Object.entries(entry).filter(([name]) => !relationKeys.has(name)));
    return { collectionName: source.name, schema: { ...rest, fields: { ...rest.fields, [key]: field } } };
  }
  return {
    collectionName: source.name,
    schema: follower && isGenerated(follower) ? without(rest, new Set([column])) : rest,
  };
}

function without(definition: SchemaDefinition, names: ReadonlySet<string>): SchemaDefinition {
  const fields = Object.entries(definition.fields).filter(([name]) => !names.has(name));
  return { ...definition, fields: Object.fromEntries(fields) };
}

/** @throws AppError NOT_FOUND */
export function findCollection(schema: Schema, name: string): Collection {
  const collection = schema.collections.get(name);
  if (!collection) throw new AppError("NOT_FOUND", "Schema not found");
  return collection;
}

/** A collection whose definition may be changed. @throws AppError NOT_FOUND, INVALID_SCHEMA */
export function ownCollection(schema: Schema, name: string): Collection {
  const collection = findCollection(schema, name);
  if (collection.system) throw builtIn(name);
  return collection;
}

function builtIn(name: string): AppError {
  return new AppError("INVALID_SCHEMA", `'${name}' is built in; its definition cannot be changed`);
}

/** `applyEdit` reads it like any untrusted definition. */
function asDefinition(given: Given): SchemaDefinition {
  return given as unknown as SchemaDefinition;
}
