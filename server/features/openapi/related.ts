/** What bodies of writes take for relations, as JSON Schema. Pure. */
import type { Access, Policy } from "../../core/access/policy";
import { grantsRelation } from "../../core/access/grants";
import { jsonSchema, type JsonSchema } from "../../core/schema/fields";
import type { Collection, Relation, Schema } from "../../core/schema/model";

/** The relations of a collection that a policy to write opens, by name, with what they take. */
export function relatedProperties(
  schema: Schema,
  collection: Collection,
  policy: Policy,
  access: Access,
): ReadonlyMap<string, { readonly relation: Relation; readonly value: JsonSchema }> {
  const opened = [...collection.relations.values()].flatMap((relation) => {
    const target = schema.collections.get(relation.target);
    const opens =
      policy.unlimited || policy.grants.some(({ fields }) => grantsRelation([fields], relation.name));
    const isServers =
      relation.keyOn === "source" && collection.fields.get(relation.sourceColumn)?.managed !== null;
    if (!target || target.guarded || !opens || isServers) return [];
    return [[relation.name, { relation, value: valueOf(relation, target, access) }] as const];
  });
  return new Map(opened);
}

function valueOf(relation: Relation, target: Collection, access: Access): JsonSchema {
  const item: JsonSchema =
    access(target, "update") !== null
      ? { $ref: `#/components/schemas/${target.name}Update` }
      : { type: "object" };
  if (relation.kind === "one") {
    return {
      description: `An item of ${target.name}: its key, the fields of a new one, or with its key what changes; null detaches`,
      anyOf: [keyOf(target, relation), item, { type: "null" }],
    };
  }
  const entries: JsonSchema = { type: "array", items: { anyOf: [keyOf(target, relation), item] } };
  const keys: JsonSchema = { type: "array" };
  return {
    description: `Items of ${target.name}: the whole list as it is to be, or an object of steps; null leaves it alone`,
    anyOf: [
      entries,
      {
        type: "object",
        properties: {
          create: { type: "array", items: item },
          connect: keys,
          update: { type: "array", items: item },
          detach: keys,
          delete: keys,
        },
        additionalProperties: false,
      },
      { type: "null" },
    ],
  };
}

/** A bare key in the list of a junction is that of the other side, of whatever type. */
function keyOf(target: Collection, { kind }: Relation): JsonSchema {
  if (kind === "many" && target.definition.isJunction === true) return { type: ["string", "integer"] };
  return jsonSchema(target.primaryKey);
}
