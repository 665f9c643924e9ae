/** What each route does to the stored definitions: pure functions from the schema as it is to an edit of it. */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import { AppError, suggestion } from "../../core/errors";
import { isGenerated, type SchemaEdit } from "../../core/schema/edit";
import type { Collection, Schema } from "../../core/schema/model";
import { checkCollectionName, checkRelationName } from "../../core/schema/names";
import type { RelationshipBody } from "./model";

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

/**
 * A to-one relation with its key column, and with `alias` the reverse list on the target.
 * @throws AppError NOT_FOUND, CONFLICT, INVALID_SCHEMA
 */
export function relateEdit(schema: Schema, name: string, body: RelationshipBody): SchemaEdit {
  checkKind(body);
  const source = ownCollection(schema, name);
  const target = findTarget(schema, body.target);
  const relation = checkRelationName(body.name, source.name, "name");
  checkFree(source, relation, "name");
  const foreignKey = body.foreignKey ?? `${relation}_Id`;
  const { allowNull, unique, onDelete, onUpdate } = body;
  const forward: FieldDefinition = {
    relType: "BelongsTo",
    target: target.name,
    foreignKey,
    ...(allowNull !== undefined && { allowNull }),
    ...(unique !== undefined && { unique }),
    ...(onDelete !== undefined && { onDelete }),
    ...(onUpdate !== undefined && { onUpdate }),
    ...(body.description && { description: body.description }),
    SystemGenerated: true,
  };
  const fields = new Map([[source.name, { [relation]: forward }]]);
  if (body.alias) {
    const alias = checkRelationName(body.alias, target.name, "alias");
    checkFree(target, alias, "alias");
    if (target === source && alias === relation) throw taken(source, alias, "alias");
    const reverse: FieldDefinition = {
      relType: "HasMany",
      target: source.name,
      foreignKey,
      SystemGenerated: true,
    };
    fields.set(target.name, { ...fields.get(target.name), [alias]: reverse });
  }
  return { put: [...fields].map(([collection, added]) => withFields(schema, collection, added)), remove: [] };
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

function withFields(schema: Schema, name: string, added: SchemaDefinition["fields"]) {
  const definition = findCollection(schema, name).definition;
  return { collectionName: name, schema: { ...definition, fields: { ...definition.fields, ...added } } };
}

function checkKind(body: RelationshipBody): void {
  const kind = body.type.toUpperCase();
  if (["O2M", "O2O", "M2M", "M2A"].includes(kind)) {
    throw new AppError(
      "INVALID_SCHEMA",
      `type: ${kind} is not available in this version; M2O is, and with 'alias' it makes the list on the other side too`,
    );
  }
  if (kind !== "M2O") throw new AppError("INVALID_SCHEMA", `type: expected M2O, got '${body.type}'`);
  const foreign = body.through ? "through" : body.tables ? "tables" : null;
  if (foreign) throw new AppError("INVALID_SCHEMA", `${foreign}: an M2O relation has none; remove it`);
}

function findTarget(schema: Schema, name: string | undefined): Collection {
  if (name === undefined)
    throw new AppError("INVALID_SCHEMA", "target: a relation names the collection that it leads to");
  const target = schema.collections.get(name);
  if (target && !target.guarded) return target;
  const names = [...schema.collections.values()].filter(({ guarded }) => !guarded).map((one) => one.name);
  throw new AppError("INVALID_SCHEMA", `target: unknown collection '${name}'${suggestion(name, names)}`);
}

function checkFree(collection: Collection, name: string, place: string): void {
  if (collection.fields.has(name) || collection.relations.has(name)) throw taken(collection, name, place);
}

function taken(collection: Collection, name: string, place: string): AppError {
  return new AppError(
    "CONFLICT",
    `${place}: '${collection.name}' already has a field '${name}'; choose another name`,
  );
}

function findCollection(schema: Schema, name: string): Collection {
  const collection = schema.collections.get(name);
  if (!collection) throw new AppError("NOT_FOUND", "Schema not found");
  return collection;
}

function ownCollection(schema: Schema, name: string): Collection {
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
