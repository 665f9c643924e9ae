/** The model in the words of the wire: a collection as `/schemas` answers it, and changes as they are told. */
import type { FieldDefinition, Json, SchemaChange, SchemaDefinition } from "@baasix/types";
import { allowedValues, describeDefault, describeField, nameOfType } from "./describe-field";
import type { Change } from "./diff";
import type { Collection, Field, Relation } from "./model";

/**
 * The definition with every column and relation that exists. What the server made (a missing primary key, key columns,
 * timestamps, usertrack) is marked `SystemGenerated`; it may be sent back as it is. Hidden fields are left out.
 */
export function describeCollection(collection: Collection): SchemaDefinition {
  const { definition, fields, relations } = collection;
  const given = Object.entries(definition.fields).filter(([name]) => !fields.get(name)?.hidden);
  const named = new Set(given.flatMap(([name, { as }]) => (as === undefined ? [name] : [name, as])));
  const columns = [...fields.values()].filter(({ name, hidden }) => !hidden && !named.has(name));
  const made = [...relations.values()].filter(({ name }) => !named.has(name));
  return {
    ...definition,
    fields: Object.fromEntries([
      ...columns.filter(({ primaryKey }) => primaryKey).map(generatedColumn),
      ...given,
      ...columns.filter(({ primaryKey }) => !primaryKey).map(generatedColumn),
      ...made.map(generatedRelation),
    ]),
  };
}

function generatedColumn(field: Field): [string, FieldDefinition] {
  return [field.name, { ...describeField(field), SystemGenerated: true }];
}

function generatedRelation(relation: Relation): [string, FieldDefinition] {
  const { kind, keyOn, target, sourceColumn, targetColumn, onDelete } = relation;
  const definition: FieldDefinition =
    keyOn === "source"
      ? { relType: "BelongsTo", target, foreignKey: sourceColumn, onDelete }
      : { relType: kind === "many" ? "HasMany" : "HasOne", target, foreignKey: targetColumn };
  return [relation.name, { ...definition, SystemGenerated: true }];
}

function describeChange(change: Change): SchemaChange | null {
  const collection = change.collection.name;
  switch (change.kind) {
    case "createCollection":
      return { kind: change.kind, collection, to: describeColumns(change.collection) };
    case "dropCollection":
      return { kind: change.kind, collection, from: describeColumns(change.collection) };
    case "changeDefinition":
      return { kind: change.kind, collection };
    case "addField":
      return {
        kind: change.kind,
        collection,
        field: change.field.name,
        to: describeField(change.field) as Json,
      };
    case "dropField":
      return {
        kind: change.kind,
        collection,
        field: change.field.name,
        from: describeField(change.field) as Json,
      };
    case "addRelation":
    case "dropRelation": {
      const told: Json = { ...change.relation };
      return {
        kind: change.kind,
        collection,
        field: change.relation.name,
        [change.kind === "addRelation" ? "to" : "from"]: told,
      };
    }
    case "changeRelation":
      return change.retyped
        ? null
        : {
            kind: change.kind,
            collection,
            field: change.to.name,
            from: { ...change.from },
            to: { ...change.to },
          };
    case "addIndex":
      return { kind: change.kind, collection, to: { ...change.index } };
    case "dropIndex":
      return { kind: change.kind, collection, from: { ...change.index } };
    case "changeRealtime":
      return {
        kind: change.kind,
        collection,
        from: !change.collection.realtime,
        to: change.collection.realtime,
      };
    case "changeIdentity":
      return {
        kind: change.kind,
        collection,
        from: change.collection.liveness.wholeRows ? "default" : "full",
        to: change.collection.liveness.wholeRows ? "full" : "default",
      };
    case "renameCollection":
      return { kind: change.kind, collection, from: change.was, to: change.now };
    case "renameField":
      return { kind: change.kind, collection, field: change.now, from: change.was, to: change.now };
    case "changeAudit":
      return {
        kind: change.kind,
        collection,
        from: !change.collection.audit,
        to: change.collection.audit,
      };
    default:
      return { kind: change.kind, collection, field: change.to.name, ...aspect(change) };
  }
}

function describeColumns({ fields }: Collection): Json {
  return Object.fromEntries([...fields.values()].map((field) => [field.name, describeField(field) as Json]));
}

/** All changes as the wire tells them, without those that only accompany another one. */
export function describeChanges(
  changes: readonly Change[],
  details: ReadonlyMap<Change, Pick<SchemaChange, "loses" | "blocked">> = new Map(),
): readonly SchemaChange[] {
  const created = new Set(
    changes.flatMap(({ kind, collection }) => (kind === "createCollection" ? [collection.name] : [])),
  );
  return changes.flatMap((change) => {
    const told =
      created.has(change.collection.name) && change.kind !== "createCollection"
        ? null
        : describeChange(change);
    return told ? [{ ...told, ...details.get(change) }] : [];
  });
}

type FieldChange = Extract<Change, { readonly from: Field }>;

function aspect({ kind, from, to }: FieldChange): { readonly from: Json; readonly to: Json } {
  const of = (field: Field): Json => {
    if (kind === "changeType") return nameOfType(field);
    if (kind === "changeNull") return field.allowNull;
    if (kind === "changeUnique") return field.unique;
    if (kind === "changeDefault") return (describeDefault(field) as Json) ?? null;
    if (kind === "changeValues") return allowedValues(field);
    if (kind === "changePrimaryKey") return field.name;
    if (kind === "changeGenerated") return field.generated;
    return {
      validate: { ...field.validate, len: field.validate.len ?? undefined },
      description: field.description,
      immutable: field.immutable,
    };
  };
  return { from: of(from), to: of(to) };
}
