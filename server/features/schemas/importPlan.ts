/** What an import of definitions does, decided from the schema as it is and what the document says. Pure. */
import type {
  FieldDefinition,
  Json,
  SchemaDefinition,
  SchemaDifference,
  SchemaRecord,
  SkippedSchema,
} from "@baasix/types";
import { AppError } from "../../core/errors";
import { describeCollection } from "../../core/schema/describe";
import { applyEdit, isGenerated, type SchemaEdit } from "../../core/schema/edit";
import type { Collection, Schema } from "../../core/schema/model";
import { isReservedCollection, nameOf } from "../../core/schema/names";
import { sameJson } from "../../core/schema/same";
import type { SchemaDocument } from "./document";

/** What becomes of each definition; all lists but `differences` are names. */
export type ImportPlan = {
  readonly edit: SchemaEdit;
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly deleted: readonly string[];
  readonly skipped: readonly SkippedSchema[];
};

/** `prune`: what the document does not mention goes; without it, it stays as it is. */
export type ImportOptions = { readonly prune: boolean };

/**
 * Decides everything.
 * @throws AppError BAD_REQUEST, INVALID_SCHEMA with the place in the document, CONFLICT
 */
export function planSchemaImport(
  schema: Schema,
  { schemas }: SchemaDocument,
  { prune }: ImportOptions,
): ImportPlan {
  const places = new Map<string, string>();
  const put: SchemaRecord[] = [];
  const skipped: SkippedSchema[] = [];
  schemas.forEach(({ collectionName: name, schema: given }, i) => {
    if (places.has(name))
      throw new AppError("BAD_REQUEST", `schemas[${i}].collectionName: '${name}' is there twice`);
    places.set(name, `schemas[${i}].schema`);
    const stored = schema.collections.get(name);
    if (stored?.system) put.push({ collectionName: name, schema: withLists(stored, given, prune) });
    else if (isReservedCollection(name))
      skipped.push({ collectionName: name, reason: "it is not built in here" });
    else put.push({ collectionName: name, schema: stored && !prune ? merge(stored, given) : given });
  });
  const own = [...schema.collections.values()].filter(({ system }) => !system);
  const remove = prune ? own.flatMap(({ name }) => (places.has(name) ? [] : [name])) : [];
  if (prune && schemas.length === 0)
    throw new AppError(
      "BAD_REQUEST",
      "schemas: an empty document prunes nothing; delete the collections one by one",
    );
  const placeOf = (name: string): string => places.get(name) ?? name;
  const { schema: next } = applyEdit(schema, { put, remove, placeOf }, schema.version);
  const changed = put.filter(
    ({ collectionName: name }) =>
      differences(schema.collections.get(name), next.collections.get(name)) !== null,
  );
  const names = (list: readonly SchemaRecord[], isNew: boolean): readonly string[] =>
    list.flatMap(({ collectionName: name }) => (schema.collections.has(name) === isNew ? [] : [name]));
  return {
    edit: { put: changed, remove, placeOf },
    created: names(changed, true),
    updated: names(changed, false),
    unchanged: put.flatMap((one) => (changed.includes(one) ? [] : [one.collectionName])),
    deleted: remove,
    skipped,
  };
}

/** How the server differs from a document: as if it pruned, which some documents do not allow. */
export function compareImport(schema: Schema, document: SchemaDocument) {
  const next = comparedSchema(schema, document);
  const modified = document.schemas.flatMap(({ collectionName }) => {
    const [before, after] = [schema.collections.get(collectionName), next.collections.get(collectionName)];
    const found = before && differences(before, after);
    return found ? [{ collectionName, differences: found }] : [];
  });
  const mentioned = new Set(document.schemas.map(({ collectionName }) => collectionName));
  return {
    new: document.schemas.flatMap(({ collectionName, schema: details }) =>
      schema.collections.has(collectionName) || isReservedCollection(collectionName)
        ? []
        : [{ collectionName, details }],
    ),
    modified,
    deleted: [...schema.collections.values()].flatMap(({ name, system }) =>
      system || mentioned.has(name) ? [] : [name],
    ),
    unchanged: document.schemas.flatMap(({ collectionName: name }) =>
      schema.collections.has(name) && !modified.some((one) => one.collectionName === name) ? [name] : [],
    ),
  };
}

/** A document that mentions a part of the server alone may leave relations without an end: they stay then. */
function comparedSchema(schema: Schema, document: SchemaDocument): Schema {
  const apply = (prune: boolean): Schema => {
    const { edit } = planSchemaImport(schema, document, { prune });
    return applyEdit(schema, edit, schema.version).schema;
  };
  if (document.schemas.length === 0) return schema;
  try {
    return apply(true);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return apply(false);
  }
}

/** The definition of a document, with what is there and not in it. */
function merge({ name, definition: stored }: Collection, given: SchemaDefinition): SchemaDefinition {
  if (typeof given.fields !== "object" || given.fields === null) return given;
  const fields = { ...given.fields };
  const named = new Set(Object.entries(fields).flatMap(([key, entry]) => [key, entry?.as ?? key]));
  for (const [key, entry] of Object.entries(stored.fields)) if (!named.has(key)) fields[key] = entry;
  const called = ({
    name: own,
    fields: list,
  }: {
    readonly name?: string;
    readonly fields: readonly string[];
  }) => own ?? nameOf.index(name, list);
  const listed = Array.isArray(given.indexes) ? given.indexes : [];
  const kept = (stored.indexes ?? []).filter((index) => !listed.some((one) => called(one) === called(index)));
  const indexes = [...listed, ...kept];
  return { ...stored, ...given, fields, ...(indexes.length > 0 && { indexes }) };
}

/** Of a built-in collection only the ways back that relations made travel; the rest is code. */
function withLists({ definition }: Collection, given: SchemaDefinition, prune: boolean): SchemaDefinition {
  const isList = ([, entry]: readonly [string, FieldDefinition]): boolean =>
    (entry?.relType === "HasMany" || entry?.relType === "HasOne") && isGenerated(entry);
  const own = Object.entries(definition.fields);
  const known = new Set(own.filter((one) => !isList(one)).map(([name]) => name));
  const lists = Object.entries(given.fields ?? {}).filter((one) => isList(one) && !known.has(one[0]));
  return {
    ...definition,
    fields: Object.fromEntries([...own.filter((one) => !prune || !isList(one)), ...lists]),
  };
}

type Differences = { readonly [part: string]: SchemaDifference };

/** Part by part; null: none. What the server adds by itself counts as what it is, not as who wrote it. */
function differences(before: Collection | undefined, after: Collection | undefined): Differences | null {
  if (!before || !after) return before === after ? null : {};
  const [from, to] = [describeCollection(before), describeCollection(after)];
  const found: { [part: string]: SchemaDifference } = {};
  const { fields: old, ...rest } = from;
  const { fields: now, ...others } = to;
  compare(found, plain(old), plain(now));
  compareFlags(found, rest, others);
  return Object.keys(found).length > 0 ? found : null;
}

function plain(fields: SchemaDefinition["fields"]): { readonly [name: string]: Json } {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { SystemGenerated: _made, ...entry }]) => [name, entry as Json]),
  );
}

type Parts = { readonly [name: string]: Json };

function compare(found: { [part: string]: SchemaDifference }, from: Parts, to: Parts): void {
  for (const [name, details] of Object.entries(from)) {
    if (!Object.hasOwn(to, name)) found[name] = { type: "removed", details };
  }
  for (const [name, details] of Object.entries(to)) {
    const known = from[name];
    if (known === undefined) found[name] = { type: "added", details };
    else if (!sameJson(known, details)) found[name] = { type: "modified", from: known, to: details };
  }
}

/** What a definition says beside its fields; a flag that is left out says its default. */
const flags: Parts = {
  timestamps: true,
  paranoid: false,
  usertrack: false,
  sortEnabled: false,
  realtime: true,
  audit: true,
  isJunction: false,
  searchable: false,
  description: null,
  indexes: [],
};

function compareFlags(
  found: { [part: string]: SchemaDifference },
  before: Omit<SchemaDefinition, "fields">,
  after: Omit<SchemaDefinition, "fields">,
): void {
  const [from, to] = [before as unknown as Parts, after as unknown as Parts];
  for (const name of ["name", ...Object.keys(flags)]) {
    const [old, now] = [from[name] ?? flags[name] ?? null, to[name] ?? flags[name] ?? null];
    if (!sameJson(old, now)) found[name] = { type: "modified", from: old, to: now };
  }
}
