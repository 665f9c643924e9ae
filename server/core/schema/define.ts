/** Definitions → Schema: resolves what one definition says of others. Every mistake is INVALID_SCHEMA with its place. */
import type { SchemaRecord } from "@baasix/types";
import { suggestion } from "../errors";
import { type Find, type Known, resolveRelation } from "./define-ends";
import { readField } from "./define-field";
import type { RelationDraft } from "./define-relation";
import { type Draft, readDraft } from "./draft";
import { readExpression, readRowExpression } from "./expression";
import { castType, extensionOf } from "./fields";
import type { Collection, Field, Schema, Tenants } from "./model";
import { invalid, nameOf } from "./names";
import { givesPlaces } from "./places";
import { searchIndexes } from "./search";
import { systemCollections } from "./system";
import { isOfTenants, perTenant, tenantColumn, withTenant } from "./tenants";

/** How `buildSchema` names the place of a definition in messages; by default the collection's name. */
export type PlaceOf = (collection: string) => string;

/** The definitions of a Schema as they are stored. */
export function recordsOf(schema: Schema): readonly SchemaRecord[] {
  return [...schema.collections.values()].map(({ name, definition }) => ({
    collectionName: name,
    schema: definition,
  }));
}

/**
 * Builds the whole: the built-in collections, with the reverse relations that were added to them, and the stored ones.
 * `extensions`: those of the database. `tenants`: null where there are none; else the definitions of users get their tenant.
 * @throws AppError INVALID_SCHEMA
 */
export function buildSchema(
  version: number,
  records: readonly SchemaRecord[],
  placeOf: PlaceOf = (name) => name,
  extensions: ReadonlySet<string> = new Set(),
  tenants: Tenants | null = null,
): Schema {
  return assemble(version, readDrafts(records, placeOf, tenants), extensions, tenants);
}

/** The Schema that stored rows describe, built-in collections as they were stored: the tables before an upgrade. */
export function storedSchema(records: readonly SchemaRecord[]): Schema {
  const drafts = records.map(({ collectionName: name, schema }) => {
    const builtIn = systemCollections.get(name);
    return readDraft(name, schema, {
      place: name,
      system: builtIn !== undefined,
      guarded: builtIn?.guarded ?? false,
      serverOwned: builtIn?.serverOwned,
      lowerCase: builtIn?.lowerCase,
    });
  });
  return assemble(0, drafts, new Set(), null);
}

function readDrafts(
  records: readonly SchemaRecord[],
  placeOf: PlaceOf,
  tenants: Tenants | null,
): readonly Draft[] {
  const stored = new Map(records.map(({ collectionName, schema }) => [collectionName, schema] as const));
  const builtIn = [...systemCollections].map(([name, { definition, guarded, serverOwned, lowerCase }]) => {
    const added = Object.entries(stored.get(name)?.fields ?? {}).filter(
      ([field, { relType }]) =>
        (relType === "HasMany" || relType === "HasOne") && !Object.hasOwn(definition.fields, field),
    );
    const known = added.length === 0 ? builtInDrafts().get(name) : undefined;
    if (known) return known;
    const input = { ...definition, fields: { ...definition.fields, ...Object.fromEntries(added) } };
    return readDraft(name, input, { place: placeOf(name), system: true, guarded, serverOwned, lowerCase });
  });
  const own = [...stored]
    .filter(([name]) => !systemCollections.has(name))
    .map(([name, schema]) => {
      const place = placeOf(name);
      const input = isOfTenants(name, tenants) ? withTenant(schema, place) : schema;
      return readDraft(name, input, { place, system: false, guarded: false });
    });
  return [...builtIn, ...own];
}

let ofSystem: ReadonlyMap<string, Draft> | undefined;

/** The built-in collections as they are by themselves, read once. */
export function builtInDrafts(): ReadonlyMap<string, Draft> {
  return (ofSystem ??= new Map(
    [...systemCollections].map(([name, { definition, guarded, serverOwned, lowerCase }]) => [
      name,
      readDraft(name, definition, { place: name, system: true, guarded, serverOwned, lowerCase }),
    ]),
  ));
}

function assemble(
  version: number,
  drafts: readonly Draft[],
  extensions: ReadonlySet<string>,
  tenants: Tenants | null,
): Schema {
  const byName = new Map(drafts.map((draft) => [draft.name, draft] as const));
  const columns = new Map(drafts.map((draft) => [draft.name, resolveColumns(draft, byName)] as const));
  const find: Find = (name) => columns.get(name);
  const collections = new Map<string, Collection>();
  for (const [name, one] of columns) collections.set(name, resolveRelations(one, find, tenants));
  checkDatabaseNames(collections);
  return { version, extensions: withNeeded(extensions, collections), tenants, collections };
}

/** A column of an extension's type is proof that the extension is there. */
function withNeeded(
  extensions: ReadonlySet<string>,
  collections: ReadonlyMap<string, Collection>,
): ReadonlySet<string> {
  const all = new Set(extensions);
  for (const { fields } of collections.values()) {
    for (const field of fields.values()) {
      const extension = extensionOf(field);
      if (extension !== null) all.add(extension);
    }
  }
  return all;
}

function resolveColumns(draft: Draft, drafts: ReadonlyMap<string, Draft>): Known {
  const keys = new Map<string, Field>();
  for (const relation of draft.relations) {
    const target = drafts.get(relation.target);
    if (!target || (target.guarded && !draft.system)) throw unknownTarget(relation, drafts.values());
    const targetKey = target.fields.get(target.primaryKey);
    if (relation.keyOn === "source" && targetKey)
      keys.set(relation.column, keyColumn(draft, relation, targetKey));
  }
  const declared = [...draft.fields.values()].map((field) => keys.get(field.name) ?? field);
  const derived = [...keys.values()].filter(({ name }) => !draft.fields.has(name));
  const ordered = [...declared.filter(isOwn), ...derived, ...declared.filter((field) => !isOwn(field))];
  const fields = new Map(ordered.map((field) => [field.name, field] as const));
  const primaryKey = fields.get(draft.primaryKey);
  if (!primaryKey) throw invalid(`${draft.place}.fields`, "no field is the primary key");
  return { draft, name: draft.name, guarded: draft.guarded, fields, primaryKey };
}

/** True for a column that the definition itself declares, in its place. */
function isOwn({ managed }: Field): boolean {
  return managed === null || managed === "generated";
}

function unknownTarget(relation: RelationDraft, drafts: Iterable<Draft>): Error {
  const names = [...drafts].filter(({ guarded }) => !guarded).map(({ name }) => name);
  return invalid(
    `${relation.place}.target`,
    `unknown collection '${relation.target}'${suggestion(relation.target, names)}`,
  );
}

/** The key column of a to-one relation: as declared, or of the type of the target's primary key. */
function keyColumn(draft: Draft, relation: RelationDraft, targetKey: Field): Field {
  const declared = draft.fields.get(relation.column);
  if (declared) {
    if (declared.generated !== null) {
      throw invalid(
        `${draft.place}.fields.${relation.column}.calculated`,
        "a key is written, not calculated",
      );
    }
    if (castType(declared) === castType(targetKey)) return declared;
    throw invalid(
      `${draft.place}.fields.${relation.column}.type`,
      `it holds the key of '${relation.target}', which is ${targetKey.type}; this field is ${declared.type}`,
    );
  }
  const follower = draft.followers.get(relation.column);
  const place = `${draft.place}.fields.${relation.column}`;
  const { allowNull, unique, immutable, description } = relation;
  const said =
    follower ??
    new Map<string, unknown>(
      Object.entries({ allowNull, unique, immutable, ...(description !== null && { description }) }),
    );
  const { type, length } = targetKey;
  const typed = new Map<string, unknown>([
    ...said,
    ["type", type],
    ["values", length === null ? null : { length }],
  ]);
  return readField(relation.column, typed, place, draft.system);
}

function resolveRelations(one: Known, find: Find, tenants: Tenants | null): Collection {
  const { draft, name, fields, primaryKey, guarded } = one;
  const relations = draft.relations.map((relation) => resolveRelation(one, relation, find));
  const resolved = [...fields.values()].map((field) => {
    const whole = resolveGenerated(resolveDefault(field, draft.place, find), one);
    return perTenant(whole, draft.perTenant) ? { ...whole, perTenant: true } : whole;
  });
  const {
    indexes,
    searchable,
    timestamps,
    paranoid,
    usertrack,
    realtime,
    liveness,
    audit,
    system,
    definition,
  } = draft;
  return {
    name,
    fields: new Map(resolved.map((field) => [field.name, field] as const)),
    relations: new Map(relations.map((relation) => [relation.name, relation] as const)),
    indexes,
    searchable,
    primaryKey: resolved.find((field) => field.name === primaryKey.name) ?? primaryKey,
    timestamps,
    paranoid,
    usertrack,
    realtime,
    liveness,
    audit,
    system,
    guarded,
    tenant: isTenanted(draft, tenants)
      ? (resolved.find((field) => field.name === tenantColumn) ?? null)
      : null,
    definition,
  };
}

/** Built-in collections have the column where tenants mean something for them. */
function isTenanted({ name, system }: Draft, tenants: Tenants | null): boolean {
  return system ? tenants !== null : isOfTenants(name, tenants);
}

function resolveDefault(field: Field, place: string, find: Find): Field {
  if (field.default?.kind !== "sql") return field;
  const at = `${place}.fields.${field.name}.defaultValue`;
  return {
    ...field,
    default: { kind: "sql", expression: readExpression(field.default.expression, at, find).sql },
  };
}

function resolveGenerated(field: Field, { draft, name, guarded, fields }: Known): Field {
  if (field.generated === null) return field;
  const at = `${draft.place}.fields.${field.name}.calculated`;
  return { ...field, generated: readRowExpression(field.generated, at, { name, guarded, fields }) };
}

/** Tables, indexes and sequences share one space of names in PostgreSQL; a clash is told before it happens there. */
function checkDatabaseNames(collections: ReadonlyMap<string, Collection>): void {
  const owners = new Map<string, string>(
    [...collections.keys()].map((name) => [name, `the collection '${name}'`]),
  );
  for (const collection of collections.values()) {
    for (const [name, owner] of databaseNames(collection)) {
      const other = owners.get(name);
      if (other !== undefined) {
        throw invalid(
          collection.name,
          `the name '${name}' of ${owner} is taken by ${other}; rename one of them`,
        );
      }
      owners.set(name, owner);
    }
  }
}

function databaseNames(collection: Collection): readonly (readonly [name: string, owner: string])[] {
  const fields = [...collection.fields.values()];
  const of = (what: string): string => `the ${what} of '${collection.name}`;
  return [
    [nameOf.primaryKey(collection.name), `${of("primary key")}'`] as const,
    ...fields
      .filter(({ unique }) => unique)
      .map(({ name }) => [nameOf.unique(collection.name, name), `${of("unique rule")}.${name}'`] as const),
    ...fields
      .filter((field) => field.default?.kind === "autoincrement")
      .map(({ name }) => [nameOf.sequence(collection.name, name), `${of("sequence")}.${name}'`] as const),
    ...indexesOf(collection).map(({ name }) => [name, `${of("index")}'`] as const),
  ];
}

/**
 * All indexes of a collection: the declared ones, those of searches, and one per key, and for places,
 * that no other index begins with.
 */
export function indexesOf(collection: Collection): readonly Collection["indexes"][number][] {
  const keys = [...collection.relations.values()]
    .filter(({ keyOn }) => keyOn === "source")
    .map(({ sourceColumn }) => sourceColumn)
    .filter((column) => {
      const field = collection.fields.get(column);
      return (
        !field?.unique && !field?.primaryKey && !collection.indexes.some(({ fields }) => fields[0] === column)
      );
    });
  // The highest place is asked for with each new item.
  const places = [...collection.fields.values()]
    .filter((field) => givesPlaces(field) && !field.unique)
    .map(({ name }) => name)
    .filter((column) => !collection.indexes.some(({ fields }) => fields[0] === column));
  return [
    ...collection.indexes,
    ...(collection.searchable ? searchIndexes(collection.name, collection.searchable) : []),
    ...[...new Set([...keys, ...places])].map((column) => ({
      name: nameOf.index(collection.name, [column]),
      fields: [column],
      unique: false,
    })),
  ];
}
