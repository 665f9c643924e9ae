/** A collection → the definition that `/schemas` answers: as it was given, with what the server added to it. */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import { describeField } from "./diff";
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
  const { kind, target, sourceColumn, targetColumn, onDelete } = relation;
  const definition: FieldDefinition =
    kind === "one"
      ? { relType: "BelongsTo", target, foreignKey: sourceColumn, onDelete }
      : { relType: "HasMany", target, foreignKey: targetColumn };
  return [relation.name, { ...definition, SystemGenerated: true }];
}
