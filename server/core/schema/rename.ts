/**
 * Another name for a collection or a field: the definitions in which every other one that names it follows, and what has to
 * be called otherwise in the database. Pure; what a rename would miss is refused.
 */
import type { SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError, suggestion } from "../errors";
import { buildSchema, indexesOf, recordsOf } from "./define";
import { describeField } from "./describe-field";
import { diffSchemas } from "./diff";
import { isGenerated } from "./edit";
import { renameDefinition, renameIndex } from "./rename-definition";
import type { Collection, Field, Relation, Schema } from "./model";
import { isTenantEntry } from "./tenants";
import { checkCollectionName, checkFieldName, checkRelationName, invalid, nameOf } from "./names";

/** A collection (`field` null), or a field or relation of it, and what it is called from now on. */
export type Rename = { readonly collection: string; readonly field: string | null; readonly to: string };

/** What names become. `field` takes the collection by its name before. */
export type Names = {
  readonly collection: (name: string) => string;
  readonly field: (collection: string, name: string) => string;
};

/** Values that are names of collections: the rows of a junction that say where they lead. */
export type NamedRows = { readonly collection: string; readonly column: string };

/** One rename, worked out. `schema` has the same tables as the one before, under other names. */
export type RenamedSchema = {
  readonly rename: Rename;
  readonly names: Names;
  readonly before: Schema;
  readonly schema: Schema;
  /** Definitions that differ, by their names after. */
  readonly put: readonly SchemaRecord[];
  /** Rows whose values follow, by the names before. */
  readonly rows: readonly NamedRows[];
};

/**
 * Works a rename out.
 * @throws AppError NOT_FOUND, CONFLICT where the name is taken, INVALID_SCHEMA for a name that cannot be had, or for what
 * the server or the database would lose track of
 */
function renameIn(schema: Schema, rename: Rename, version: number): RenamedSchema {
  const collection = schema.collections.get(rename.collection);
  if (!collection) throw new AppError("NOT_FOUND", "Schema not found");
  if (rename.field === null) checkCollection(schema, collection, rename.to);
  else checkField(collection, rename.field, rename.to);
  const names = namesOf(rename);
  const rows = rename.field === null ? namedRows(schema, collection) : [];
  const follow = { schema, names, rows, renamed: rename };
  const records = [...schema.collections.values()].map((one) => ({
    collectionName: names.collection(one.name),
    schema: renameDefinition(one, withKey(one, rename), follow),
  }));
  const next = buildSchema(version, records, undefined, schema.extensions, schema.tenants);
  const rest = diffSchemas(renamedModel(schema, next, names, rows), next);
  if (rest[0]) {
    const [{ kind, collection: lost }] = rest;
    throw new AppError(
      "CONFLICT",
      `${lost.name}: it would not follow the new name (${kind}); change it there first, then rename`,
    );
  }
  const known = new Map(recordsOf(schema).map((one) => [one.collectionName, one.schema] as const));
  const put = recordsOf(next).filter(
    (one) => JSON.stringify(one.schema) !== JSON.stringify(known.get(one.collectionName)),
  );
  return { rename, names, before: schema, schema: next, put, rows };
}

/**
 * Several renames, each in the names that those before it leave. One whose name is not free yet waits for the others.
 * @throws AppError as `renameIn`
 */
export function renameAll(
  schema: Schema,
  renames: readonly Rename[],
  version: number,
): readonly RenamedSchema[] {
  const [first, ...rest] = renames;
  if (!first) return [];
  try {
    const done = renameIn(schema, first, version);
    return [done, ...renameAll(done.schema, rest, version)];
  } catch (error) {
    const isTaken = error instanceof AppError && error.code === "CONFLICT";
    const leaves = rest.some(
      ({ collection, field }) => collection === first.collection && field === first.to,
    );
    if (!isTaken || !leaves) throw error;
    const [next, ...others] = rest;
    const done = next && renameIn(schema, next, version);
    return done ? [done, ...renameAll(done.schema, [...others, first], version)] : [];
  }
}

function namesOf({ collection, field, to }: Rename): Names {
  return {
    collection: (name) => (field === null && name === collection ? to : name),
    field: (holder, name) => (holder === collection && name === field ? to : name),
  };
}

function checkCollection({ collections }: Schema, collection: Collection, to: string): void {
  if (collection.system) throw invalid(collection.name, "it is built in; its name cannot be changed");
  checkCollectionName(to, "to", collection.definition.isJunction === true);
  if (to === collection.name) throw invalid("to", `'${to}' is its name already`);
  if (collections.has(to)) throw new AppError("CONFLICT", `to: there is a collection '${to}' already`);
}

function checkField(collection: Collection, name: string, to: string): void {
  const field = collection.fields.get(name);
  const relation = collection.relations.get(name);
  if ((!field && !relation) || field?.hidden) {
    const near = suggestion(name, [...collection.fields.keys(), ...collection.relations.keys()]);
    throw new AppError("NOT_FOUND", `'${collection.name}' has no field '${name}'${near}`);
  }
  const entry = collection.definition.fields[name];
  if (collection.system && !(entry && relation && isGenerated(entry)))
    throw invalid(`${collection.name}.${name}`, "it is built in; its name cannot be changed");
  if (isTenantEntry(collection, name))
    throw invalid(
      `${collection.name}.${name}`,
      "it says whose a row is, and the server knows it by this name",
    );
  const flag = flagOf(collection, name);
  if (flag !== null)
    throw invalid(`${collection.name}.${name}`, `"${flag}" makes it, and the server knows it by this name`);
  if (field) checkFieldName(to, "to");
  else checkRelationName(to, collection.name, "to");
  if (to === name) throw invalid("to", `'${to}' is its name already`);
  if (collection.fields.has(to) || collection.relations.has(to))
    throw new AppError("CONFLICT", `to: '${collection.name}' has a field '${to}' already`);
}

/** The flag of the definition that a field is the doing of; null: it has none. */
function flagOf(
  { fields, timestamps, paranoid, usertrack, definition }: Collection,
  name: string,
): string | null {
  const managed = fields.get(name)?.managed;
  if (timestamps && (managed === "createdAt" || managed === "updatedAt")) return "timestamps";
  if (paranoid && managed === "deletedAt") return "paranoid";
  const tracked = ["userCreated", "userUpdated", "userCreated_Id", "userUpdated_Id"];
  if (usertrack && tracked.includes(name)) return "usertrack";
  return definition.sortEnabled && name === "sort" ? "sortEnabled" : null;
}

/** A primary key that the definition left to the server is declared, so that it can have another name. */
function withKey(
  { name, definition, primaryKey }: Collection,
  { collection, field }: Rename,
): SchemaDefinition {
  const isLeft = name === collection && field === primaryKey.name && !Object.hasOwn(definition.fields, field);
  if (!isLeft) return definition;
  return { ...definition, fields: { [field]: describeField(primaryKey), ...definition.fields } };
}

/** The columns whose values name this collection: the scopes of the relations that lead to it. */
function namedRows({ collections }: Schema, { name }: Collection): readonly NamedRows[] {
  const found = new Map<string, NamedRows>();
  for (const relation of [...collections.values()].flatMap((one) => [...one.relations.values()])) {
    if (relation.scope?.value !== name) continue;
    const [holder, owner] =
      relation.keyOn === "source" ? [relation.source, relation.target] : [relation.target, relation.source];
    if (owner !== name) continue;
    const { column } = relation.scope;
    found.set(`${holder} ${column}`, { collection: holder, column });
  }
  return [...found.values()];
}

/** The model of before with the names of after: what the database holds once everything in it is called anew. */
function renamedModel(from: Schema, to: Schema, names: Names, rows: readonly NamedRows[]): Schema {
  const collections = [...from.collections.values()].map((collection): [string, Collection] => {
    const name = names.collection(collection.name);
    const after = to.collections.get(name);
    const fieldOf = (column: string): string => names.field(collection.name, column);
    const named = new Set(rows.filter((one) => one.collection === collection.name).map((one) => one.column));
    const field = (one: Field): Field => {
      const same = after?.fields.get(fieldOf(one.name));
      const follows = {
        // What is written in SQL was written anew from the same text.
        ...(one.generated !== null && same && same.generated !== null && { generated: same.generated }),
        ...(one.default?.kind === "sql" && same?.default?.kind === "sql" && { default: same.default }),
        ...(named.has(one.name) && same && { values: same.values, default: same.default }),
      };
      return { ...one, name: fieldOf(one.name), ...follows };
    };
    const fields = [...collection.fields.values()].map(field);
    const relation = (one: Relation): Relation => renamedRelation(one, names, rows);
    return [
      name,
      {
        ...collection,
        name,
        fields: new Map(fields.map((one) => [one.name, one] as const)),
        relations: new Map(
          [...collection.relations.values()].map(relation).map((one) => [one.name, one] as const),
        ),
        indexes: collection.indexes.map((index) => ({
          ...index,
          name: renameIndex(index.name, collection.name, index.fields, names),
          fields: index.fields.map(fieldOf),
        })),
        searchable: collection.searchable && {
          ...collection.searchable,
          fields: collection.searchable.fields.map(fieldOf),
        },
        primaryKey: field(collection.primaryKey),
        definition: after?.definition ?? collection.definition,
      },
    ];
  });
  return { ...from, collections: new Map(collections) };
}

function renamedRelation(one: Relation, names: Names, rows: readonly NamedRows[]): Relation {
  const { name, source, sourceColumn, target, targetColumn, scope } = one;
  const holder = one.keyOn === "source" ? source : target;
  const isNamed = rows.some(({ collection, column }) => collection === holder && column === scope?.column);
  return {
    ...one,
    name: names.field(source, name),
    source: names.collection(source),
    sourceColumn: names.field(source, sourceColumn),
    target: names.collection(target),
    targetColumn: names.field(target, targetColumn),
    scope: scope && {
      column: names.field(holder, scope.column),
      value: isNamed ? names.collection(scope.value) : scope.value,
    },
  };
}

/** A thing of the database, under its name before and after. Constraints are named within their table. */
export type Move = { readonly what: "table" | "column" | "constraint" | "index" | "sequence" } & {
  readonly table: string;
  readonly from: string;
  readonly to: string;
};

/** What is called otherwise in the database: first the table, then its columns, then what is named after them. */
export function movesOf({ before, schema, names }: RenamedSchema): readonly Move[] {
  return [...before.collections.values()].flatMap((from) => {
    const to = schema.collections.get(names.collection(from.name));
    if (!to) return [];
    const [old, now] = [thingsOf(from), thingsOf(to)];
    return old.flatMap(({ what, name }, i): readonly Move[] => {
      const next = now[i]?.name ?? name;
      return next === name ? [] : [{ what, table: to.name, from: name, to: next }];
    });
  });
}

/** In the same order for a collection before and after: the model of after is that of before under other names. */
function thingsOf(collection: Collection): readonly { readonly what: Move["what"]; readonly name: string }[] {
  const { name } = collection;
  const fields = [...collection.fields.values()];
  const of = (what: Move["what"], list: readonly string[]) => list.map((one) => ({ what, name: one }));
  const holders = [...collection.relations.values()].filter(({ constrained }) => constrained);
  const listed = (test: (field: Field) => boolean, make: (table: string, column: string) => string) =>
    fields.filter(test).map((field) => make(name, field.name));
  return [
    ...of("table", [name]),
    ...of(
      "column",
      fields.map((field) => field.name),
    ),
    ...of("constraint", [
      nameOf.primaryKey(name),
      ...listed((field) => field.unique && !field.perTenant, nameOf.unique),
      ...listed((field) => field.type === "Enum" || field.items === "Enum", nameOf.check),
      ...holders.map(({ sourceColumn }) => nameOf.reference(name, sourceColumn)),
    ]),
    ...of("index", [
      ...listed((field) => field.perTenant, nameOf.unique),
      ...indexesOf(collection).map((index) => index.name),
    ]),
    ...of(
      "sequence",
      listed((field) => field.default?.kind === "autoincrement", nameOf.sequence),
    ),
  ];
}
