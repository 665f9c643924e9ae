/** What each route does to the stored definitions: pure functions from the schema as it is to an edit of it. */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import { AppError } from "../../core/errors";
import { isGenerated, type SchemaEdit } from "../../core/schema/edit";
import type { Collection, Schema } from "../../core/schema/model";
import { checkCollectionName } from "../../core/schema/names";
import { type Rename, renameAll } from "../../core/schema/rename";
import { sameJson } from "../../core/schema/same";

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
 * by accident; `"name": null` removes one. Indexes stay likewise when it has no `indexes`. Or only some `fields` are given;
 * all others stay then. `renamed`: fields by their names before and after; what is given is in the names after.
 * @throws AppError NOT_FOUND, BAD_REQUEST, and as `renameIn`
 */
export function updateEdit(
  before: Schema,
  name: string,
  given: { readonly schema?: Given | undefined; readonly fields?: Given | undefined },
  renamed: Readonly<Record<string, string>> = {},
): SchemaEdit {
  ownCollection(before, name);
  const renames = Object.entries(renamed).map(([field, to]): Rename => ({ collection: name, field, to }));
  const schema = renameAll(before, renames, before.version).at(-1)?.schema ?? before;
  return { ...wholeEdit(schema, name, definitionOf(ownCollection(schema, name), given)), renames };
}

/** Fields alone are put into the definition as it is now, so that two who each add one do not take away the other's. */
function definitionOf(
  { definition }: Collection,
  { schema, fields }: Parameters<typeof updateEdit>[2],
): Given {
  if ((schema === undefined) === (fields === undefined)) {
    throw new AppError("BAD_REQUEST", "body: give either schema, the whole definition, or fields");
  }
  return schema ?? { ...definition, fields: { ...definition.fields, ...fields } };
}

function wholeEdit(schema: Schema, name: string, definition: Given): SchemaEdit {
  const collection = ownCollection(schema, name);
  const stored = collection.definition;
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
  const merged = asDefinition({
    ...(stored.indexes && definition.options === undefined && { indexes: stored.indexes }),
    ...definition,
    fields: Object.fromEntries([...present, ...columns]),
  });
  return { put: [{ collectionName: name, schema: followGone(collection, merged) }], remove: [] };
}

/**
 * What is said as before of fields that are gone goes with them: indexes, and the fields of searches. What is said anew
 * stays, to be refused.
 */
function followGone({ definition: stored }: Collection, definition: SchemaDefinition): SchemaDefinition {
  const left = columnsOf(definition);
  const gone = new Set([...columnsOf(stored)].filter((name) => !left.has(name)));
  if (gone.size === 0) return definition;
  const { indexes, searchable } = definition;
  return {
    ...definition,
    ...(Array.isArray(indexes) && {
      indexes: indexes.filter(
        (index) =>
          !(
            stored.indexes?.some((one) => sameJson(one, index)) &&
            index.fields.some((field: string) => gone.has(field))
          ),
      ),
    }),
    ...(sameJson(searchable, stored.searchable) && { searchable: withoutGone(searchable, gone) }),
  };
}

function withoutGone(
  searchable: SchemaDefinition["searchable"],
  gone: ReadonlySet<string>,
): SchemaDefinition["searchable"] {
  if (typeof searchable !== "object") return searchable;
  const named = "fields" in searchable ? searchable.fields : searchable;
  if (!Array.isArray(named)) return searchable;
  const fields = named.filter((name: string) => !gone.has(name));
  if (fields.length === 0) return false;
  return "fields" in searchable ? { ...searchable, fields } : fields;
}

/** The columns that a definition names, beside those of its flags. */
function columnsOf({ fields }: SchemaDefinition): ReadonlySet<string> {
  return new Set(
    Object.entries(fields).flatMap(([name, entry]) => {
      const key = keyOf(name, entry);
      return entry?.relType === undefined || entry.type !== undefined ? [name] : key === null ? [] : [key];
    }),
  );
}

/** A definition without some of its entries, and without what names their columns. */
export function withoutEntries(collection: Collection, names: ReadonlySet<string>): SchemaDefinition {
  const { definition } = collection;
  const fields = Object.entries(definition.fields).filter(([name]) => !names.has(name));
  return followGone(collection, { ...definition, fields: Object.fromEntries(fields) });
}

/** The key column of an entry that is a to-one relation. */
function keyOf(field: string, entry: Partial<FieldDefinition>): string | null {
  if (String(entry?.relType).toLowerCase() !== "belongsto") return null;
  return entry.foreignKey ?? `${entry.as ?? field}_Id`;
}

/** Another name for a collection, or for one of its fields. @throws AppError as `renameIn` */
export function renameEdit(collection: string, field: string | null, to: string): SchemaEdit {
  return { put: [], remove: [], renames: [{ collection, field, to }] };
}

/** No collection any more. @throws AppError NOT_FOUND */
export function removeEdit(schema: Schema, name: string): SchemaEdit {
  ownCollection(schema, name);
  return { put: [], remove: [name] };
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

/** The refusal to change what is code. */
export function builtIn(name: string): AppError {
  return new AppError("INVALID_SCHEMA", `'${name}' is built in; its definition cannot be changed`);
}

/** `applyEdit` reads it like any untrusted definition. */
function asDefinition(given: Given): SchemaDefinition {
  return given as unknown as SchemaDefinition;
}
