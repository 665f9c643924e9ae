/** A stored definition in which what it names is called otherwise: its own fields, other collections, their columns. */
import type { FieldDefinition, IndexDefinition, Json, SchemaDefinition } from "@baasix/types";
import { renameInExpression } from "./expression";
import type { Collection, Relation, Schema } from "./model";
import { joinNames, nameOf } from "./names";
import type { NamedRows, Names, Rename } from "./rename";

/** What a definition follows. `rows`: the columns whose values name the collection that is renamed. */
export type Follow = {
  readonly schema: Schema;
  readonly names: Names;
  readonly rows: readonly NamedRows[];
  readonly renamed: Rename;
};

/** The definition of a collection with the names of after. */
export function renameDefinition(
  collection: Collection,
  definition: SchemaDefinition,
  follow: Follow,
): SchemaDefinition {
  const { names } = follow;
  const own = (field: string): string => names.field(collection.name, field);
  const fields = Object.entries(definition.fields).map(
    ([key, entry]) => [own(key), renameEntry(collection, key, entry, follow)] as const,
  );
  const { indexes, searchable } = definition;
  return {
    ...definition,
    name: definition.name === collection.name ? names.collection(definition.name) : definition.name,
    fields: Object.fromEntries(fields),
    ...(indexes && {
      indexes: indexes.map((index): IndexDefinition => ({
        ...index,
        ...(index.name && { name: renameIndex(index.name, collection.name, index.fields, names) }),
        fields: index.fields.map(own),
      })),
    }),
    ...(searchable !== undefined && { searchable: renameSearchable(searchable, own) }),
  };
}

/** An index that is called after what it is on follows; one that was given a name of its own keeps it. */
export function renameIndex(
  name: string,
  collection: string,
  fields: readonly string[],
  names: Names,
): string {
  const after = names.collection(collection);
  if (name === nameOf.index(collection, fields))
    return nameOf.index(
      after,
      fields.map((field) => names.field(collection, field)),
    );
  return name === joinNames(collection, "unique") ? joinNames(after, "unique") : name;
}

type Searchable = NonNullable<SchemaDefinition["searchable"]>;

function isList(value: Searchable): value is readonly string[] {
  return Array.isArray(value);
}

function renameSearchable(value: Searchable, own: (field: string) => string): Searchable {
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) return value.map(own);
  return value.fields ? { ...value, fields: value.fields.map(own) } : value;
}

function renameEntry(
  collection: Collection,
  key: string,
  entry: FieldDefinition,
  follow: Follow,
): FieldDefinition {
  const isRelation = entry.relType !== undefined;
  return {
    ...entry,
    ...(isRelation && renameRelation(collection, key, entry, follow)),
    ...((!isRelation || entry.type !== undefined) && renameColumn(collection, key, entry, follow)),
    ...renameShown(collection, entry, follow),
  };
}

function renameRelation(
  collection: Collection,
  key: string,
  entry: FieldDefinition,
  { names, rows, schema }: Follow,
): FieldDefinition {
  const name = entry.as ?? key;
  const relation = collection.relations.get(name);
  if (!relation) return {};
  const { source, target } = relation;
  const keyed = relation.keyOn === "source";
  const [holder, column] = keyed ? [source, relation.sourceColumn] : [target, relation.targetColumn];
  const [after, afterColumn] = [names.field(source, name), names.field(holder, column)];
  const isColumn = entry.type !== undefined;
  const said = entry.foreignKey !== undefined && entry.foreignKey !== null;
  // A key that was called after its relation has to be named once one of the two is called otherwise.
  const isTold = said || (!isColumn && afterColumn !== `${after}_Id`);
  const scope = scopeAfter(relation, entry, holder, names, rows);
  return {
    ...(entry.as && { as: after }),
    target: names.collection(target),
    ...(isTold && { foreignKey: afterColumn }),
    ...(entry.targetKey && {
      targetKey: keyed
        ? names.field(target, schema.collections.get(target)?.primaryKey.name ?? entry.targetKey)
        : names.field(source, collection.primaryKey.name),
    }),
    ...(scope && { scope }),
    ...(entry.tables && { tables: entry.tables.map(names.collection) }),
  };
}

/** The scope as it must be written; null: as it is left to the server, it stays right. */
function scopeAfter(
  { scope }: Relation,
  entry: FieldDefinition,
  holder: string,
  names: Names,
  rows: readonly NamedRows[],
): FieldDefinition["scope"] | null {
  if (scope === null) return null;
  const column = names.field(holder, scope.column);
  if (!entry.scope && column === scope.column) return null;
  const isNamed = rows.some((one) => one.collection === holder && one.column === scope.column);
  return { [column]: isNamed ? names.collection(scope.value) : scope.value };
}

function renameColumn(
  collection: Collection,
  key: string,
  entry: FieldDefinition,
  { schema, names, rows }: Follow,
): FieldDefinition {
  const place = `${collection.name}.fields.${key}`;
  const find = (name: string) => schema.collections.get(name);
  const called = (holder: string, field: string | null): string =>
    field === null ? names.collection(holder) : names.field(holder, field);
  const isNamed = rows.some((one) => one.collection === collection.name && one.column === key);
  const rewritten: { -readonly [Key in keyof FieldDefinition]: FieldDefinition[Key] } = {};
  if (entry.calculated)
    rewritten.calculated = renameInExpression(entry.calculated, place, find, collection, called);
  for (const said of ["defaultValue", "default"] as const) {
    const made = entry[said];
    if (isSql(made)) {
      rewritten[said] = { ...made, value: renameInExpression(made.value, place, find, null, called) };
    } else if (isNamed && made !== undefined) rewritten[said] = renameText(made as Json, names);
  }
  if (isNamed && entry.values !== undefined) rewritten.values = renameText(entry.values, names);
  return rewritten;
}

function isSql(value: unknown): value is { readonly type: "SQL"; readonly value: string } {
  if (typeof value !== "object" || value === null || !("type" in value) || !("value" in value)) return false;
  return String(value.type).toUpperCase() === "SQL" && typeof value.value === "string";
}

/** A text, or the texts in a list or an object, that are the name of a collection. */
function renameText(value: Json, names: Names): Json {
  if (typeof value === "string") return names.collection(value);
  if (Array.isArray(value)) return value.map((one: Json) => renameText(one, names));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, renameText(one as Json, names)]));
}

/** `showAs` names fields of what the entry leads to: a text or a list of them. */
function renameShown(collection: Collection, entry: FieldDefinition, { names }: Follow): object {
  if (!("showAs" in entry)) return {};
  const holder = entry.relType === undefined ? collection.name : (entry.target ?? collection.name);
  const shown = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shown);
    if (typeof value !== "string") return value;
    const [first = "", ...rest] = value.split(".");
    return [names.field(holder, first), ...rest].join(".");
  };
  return { showAs: shown(entry.showAs) };
}
