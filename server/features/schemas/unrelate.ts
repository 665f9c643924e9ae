/** What `DELETE /schemas/:collection/relationships/:field` takes away: the relation, and all that was made for it. */
import type { FieldDefinition, SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError, suggestion } from "../../core/errors";
import { isGenerated, type SchemaEdit } from "../../core/schema/edit";
import type { Collection, Relation, Schema } from "../../core/schema/model";
import { invalid } from "../../core/schema/names";
import { isTenantEntry } from "../../core/schema/tenants";
import { builtIn, withoutEntries } from "./edits";

/** A relation as the model and as the definition have it. `key`: the entry's name, which may be that of its column. */
export type Found = {
  readonly source: Collection;
  readonly relation: Relation;
  readonly key: string;
  readonly entry: FieldDefinition;
};

/** @throws AppError NOT_FOUND, INVALID_SCHEMA for one that is built in */
export function findRelation(schema: Schema, name: string, field: string): Found {
  const source = schema.collections.get(name);
  const relation = source?.relations.get(field);
  const found = Object.entries(source?.definition.fields ?? {}).find(
    ([key, { relType, as }]) => relType !== undefined && (as ?? key) === field,
  );
  if (!source || !relation || !found) {
    throw new AppError(
      "NOT_FOUND",
      `'${name}' has no relation '${field}'${suggestion(field, source?.relations.keys() ?? [])}`,
    );
  }
  const [key, entry] = found;
  if (isTenantEntry(source, relation.name)) {
    throw invalid(`${name}.${field}`, "it says whose a row is; the server makes it with MULTI_TENANT");
  }
  if (source.system && !isGenerated(entry)) throw builtIn(name);
  return { source, relation, key, entry };
}

/** The junction that a list leads to, when its rows are the pairs of this relation; null: it is another kind. */
export function junctionOf(schema: Schema, { keyOn, target }: Relation): Collection | null {
  const junction = keyOn === "target" ? schema.collections.get(target) : undefined;
  return junction?.definition.isJunction === true ? junction : null;
}

/** The entries of lists (HasMany, HasOne) that lead to a collection, by the collections that have them. */
export function listsTo(
  schema: Schema,
  target: string,
  wanted: (relation: Relation) => boolean,
): readonly (readonly [collection: Collection, name: string, entry: FieldDefinition])[] {
  return [...schema.collections.values()].flatMap((collection) =>
    Object.entries(collection.definition.fields).flatMap(([name, entry]) => {
      const relation = collection.relations.get(name);
      const isList = relation?.keyOn === "target" && relation.target === target;
      return isList && wanted(relation) ? [[collection, name, entry] as const] : [];
    }),
  );
}

/**
 * A relation taken away: with the key column and the way back that the server made for it, and of M2M and M2A with the
 * junction. A way back of M2A (`alias`) goes alone, as the junction leads to other collections too.
 * @throws AppError NOT_FOUND, INVALID_SCHEMA
 */
export function unrelateEdit(schema: Schema, name: string, field: string): SchemaEdit {
  const found = findRelation(schema, name, field);
  const { source, relation, key } = found;
  const junction = junctionOf(schema, relation);
  if (junction && relation.scope === null) {
    return { put: withoutLists(listsTo(schema, junction.name, () => true)), remove: [junction.name] };
  }
  const reverse =
    relation.keyOn === "source"
      ? listsTo(schema, source.name, ({ source: holder, targetColumn }) =>
          holder === relation.target ? targetColumn === relation.sourceColumn : false,
        ).filter(([, , entry]) => isGenerated(entry))
      : [];
  const own = new Set([key, ...reverse.flatMap(([one, alias]) => (one === source ? [alias] : []))]);
  const others = reverse.filter(([one]) => one !== source);
  return { put: [withoutRelation(found, own), ...withoutLists(others)], remove: [] };
}

function withoutLists(lists: ReturnType<typeof listsTo>): readonly SchemaRecord[] {
  const holders = new Map<Collection, Set<string>>();
  for (const [collection, name] of lists) {
    const names = holders.get(collection) ?? new Set();
    holders.set(collection, names.add(name));
  }
  return [...holders].map(([collection, names]) => ({
    collectionName: collection.name,
    schema: withoutEntries(collection, names),
  }));
}

const relationKeys: ReadonlySet<string> = new Set([
  "relType",
  "target",
  "foreignKey",
  "targetKey",
  "as",
  "constraints",
  "scope",
  "onDelete",
  "onUpdate",
]);

/** `gone`: the entry and those that go with it. A column that the definition itself declares stays. */
function withoutRelation({ source, relation, key, entry }: Found, gone: ReadonlySet<string>): SchemaRecord {
  const follower = source.definition.fields[relation.sourceColumn];
  const isMade = relation.keyOn === "source" && follower !== undefined && isGenerated(follower);
  const rest = withoutEntries(source, isMade ? new Set([...gone, relation.sourceColumn]) : gone);
  if (entry.type === undefined) return { collectionName: source.name, schema: rest };
  const field = Object.fromEntries(Object.entries(entry).filter(([name]) => !relationKeys.has(name)));
  const { definition } = source;
  const fields = Object.entries(definition.fields).flatMap(
    ([name, one]): (readonly [string, FieldDefinition])[] =>
      name === key ? [[name, field]] : gone.has(name) ? [] : [[name, one]],
  );
  const schema: SchemaDefinition = { ...definition, fields: Object.fromEntries(fields) };
  return { collectionName: source.name, schema };
}
