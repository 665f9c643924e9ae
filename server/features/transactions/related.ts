/**
 * References inside bodies that hold related items. There a value chooses items, and the names of its members say what is
 * written: what is stored may be the key of one, and never a body of its own.
 */
import { listSteps } from "../../core/query/nestedBody";
import type { Collection, Relation, Schema } from "../../core/schema/model";
import { mapTexts, type ReadText, refuseReferences, type Use } from "./references";

/**
 * A body of the collection with every text in it read by `read`: as a choice where it stands for related items. `key`: what the
 * item's own key stands for.
 * @throws AppError BAD_REQUEST for a reference in a name
 */
export function mapBody(
  schema: Schema,
  { fields, relations, primaryKey }: Collection,
  body: unknown,
  place: string,
  read: ReadText,
  key: Use = "data",
): unknown {
  return mapMembers(body, place, read, (name, value, at) => {
    const relation = fields.has(name) ? undefined : relations.get(name);
    if (relation) return mapRelated(schema, relation, value, at, read);
    return mapTexts(value, name === primaryKey.name ? key : "data", at, read);
  });
}

/** What a relation says: keys, bodies, lists of these, or the steps of a list. */
function mapRelated(
  schema: Schema,
  relation: Relation,
  value: unknown,
  place: string,
  read: ReadText,
): unknown {
  if (typeof value !== "object" || value === null) return mapTexts(value, "choice", place, read);
  const entry = (one: unknown, at: string): unknown => mapEntry(schema, relation, one, at, read);
  if (Array.isArray(value)) return value.map((one, i) => entry(one, `${place}[${i}]`));
  if (relation.kind !== "many") return entry(value, place);
  return mapMembers(value, place, read, (step, list, at) =>
    Array.isArray(list) && listSteps.some((one) => one === step)
      ? list.map((one, i) => entry(one, `${at}[${i}]`))
      : mapTexts(list, "choice", at, read),
  );
}

/** A related item: without a key it is a new one, so that a key which is null would be another request. */
function mapEntry(
  schema: Schema,
  { target }: Relation,
  value: unknown,
  place: string,
  read: ReadText,
): unknown {
  const collection = schema.collections.get(target);
  if (!collection) return mapTexts(value, "choice", place, read);
  return mapBody(schema, collection, value, place, read, "choice");
}

function mapMembers(
  value: unknown,
  place: string,
  read: ReadText,
  map: (name: string, value: unknown, place: string) => unknown,
): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return mapTexts(value, "choice", place, read);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      refuseReferences(name, place);
      return [name, map(name, member, `${place}.${name}`)];
    }),
  );
}
