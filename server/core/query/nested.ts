/**
 * Write bodies that name relations → what becomes of the item itself and of each related item, as a tree that is read
 * against the schema before anything runs. Nothing here asks who may, or what is there.
 */
import { AppError } from "../errors";
import type { Collection, Relation, Schema } from "../schema/model";
import { bodyExtras } from "../schema/system";
import { isObject } from "./filter";
import { unknownField } from "./find";
import {
  type Body,
  count,
  type ListPart,
  readKey,
  type Reading,
  type ReadNested,
  readReference,
  type Reference,
  targetOf,
  type ToOne,
} from "./nestedBody";
import { readList } from "./nestedLists";
import { allNames } from "./nestedNames";

/** True when a body says something of related items, so that writing it takes more than one statement. */
export function namesRelated({ fields, relations }: Collection, bodies: readonly unknown[]): boolean {
  if (relations.size === 0) return false;
  for (const body of bodies) {
    for (const name in body as object) if (!fields.has(name) && relations.has(name)) return true;
  }
  return false;
}

/**
 * Reads the bodies of one request; places begin with `[i].` when there are several.
 * @throws AppError UNKNOWN_FIELD, INVALID_VALUE, QUERY_TOO_COMPLEX, with the place.
 */
export function readBodies(
  schema: Schema,
  collection: Collection,
  bodies: readonly unknown[],
): readonly Body[] {
  const reading: Reading = { schema, rows: 0, read: readNested };
  return bodies.map((body, i) =>
    readNested(reading, collection, body, bodies.length > 1 ? `[${i}].` : "", 0, null),
  );
}

const readNested: ReadNested = (reading, collection, body, place, depth, held) => {
  const at = place.replace(/\.$/, "");
  if (!isObject(body)) {
    throw new AppError("INVALID_VALUE", `${at === "" ? "" : `${at}: `}expected an object of field and value`);
  }
  count(reading, at);
  const own = new Map<string, unknown>();
  const toOne: ToOne[] = [];
  const lists: ListPart[] = [];
  for (const name of Object.keys(body)) {
    const value = body[name];
    if (value === undefined) continue;
    const relation = collection.fields.has(name) ? undefined : collection.relations.get(name);
    if (!relation) {
      if (!collection.fields.has(name) && !Object.hasOwn(bodyExtras(collection.name), name))
        throw unknownField(collection, name, `${place}${name}`);
      own.set(name, value);
      continue;
    }
    const target = targetOf(reading.schema, relation);
    const there = `${place}${name}`;
    if (relation.keyOn === "target") {
      const part = readList(reading, relation, target, value, there, depth + 1);
      if (part) lists.push(part);
    } else if (collection.fields.get(relation.sourceColumn)?.managed === null) {
      const reference = readReference(reading, target, value, there, depth + 1);
      toOne.push({ relation, target, reference, place: there });
    } else own.set(relation.sourceColumn, null); // the server's: left out, or refused, when it is planned
  }
  const parts = settleKeys(collection, own, toOne, held);
  return { place, own, toOne: parts, lists, named: allNames(collection, own, parts, lists, held) };
};

/**
 * A key may be said twice, by its column and by its relation (as an item that was read and sent back does), when both say
 * the same. Several relations may share one column (`images` and `quotes` of a junction): then one of them may have a
 * value.
 */
function settleKeys(
  collection: Collection,
  own: Map<string, unknown>,
  parts: readonly ToOne[],
  held: Relation | null,
): readonly ToOne[] {
  const filled = new Map<string, ToOne>();
  for (const part of parts) {
    if (part.reference.kind === "detach") continue;
    const { sourceColumn } = part.relation;
    const other = filled.get(sourceColumn);
    if (other) {
      throw new AppError(
        "INVALID_VALUE",
        `${part.place}: '${other.relation.name}' is given too, and both are the key '${sourceColumn}'; give one`,
      );
    }
    filled.set(sourceColumn, part);
  }
  return parts.filter((part) => {
    const { relation, reference } = part;
    const column = relation.sourceColumn;
    if (held && column === held.targetColumn) return settleHeld(part, own, held);
    if (reference.kind === "detach") {
      if (filled.has(column)) return false;
      // Of several collections: which of them the key leads to now is not known here.
      if (relation.scope && own.get(relation.scope.column) !== relation.scope.value) return false;
    }
    checkScope(part, own);
    if (own.get(column) === undefined) return true;
    return settleColumn(collection, part, own);
  });
}

/** A relation that leads to one of several collections says which; the column that does may be given, and then agrees. */
function checkScope({ relation: { scope }, place }: ToOne, own: ReadonlyMap<string, unknown>): void {
  const given = scope === null ? undefined : own.get(scope.column);
  if (scope === null || given === undefined || given === null || given === scope.value) return;
  throw new AppError(
    "INVALID_VALUE",
    `${place}: belongs to '${scope.value}', but '${scope.column}' is given and says another`,
  );
}

/** The column is given beside the relation: one of them goes. */
function settleColumn(collection: Collection, part: ToOne, own: Map<string, unknown>): boolean {
  const { relation, reference, target, place } = part;
  const column = relation.sourceColumn;
  const given = own.get(column);
  if (reference.kind === "detach") {
    if (given === null) return false;
  } else if (given === null || keyOf(reference) === readKey(target, given, column)) {
    own.delete(column);
    return true;
  }
  throw new AppError(
    "INVALID_VALUE",
    `${place}: '${column}' of '${collection.name}' is given too, and says another item; give one of them`,
  );
}

/** The way back to the item in whose list this one stands: it may be there, and then says that item. */
function settleHeld(part: ToOne, own: Map<string, unknown>, held: Relation): boolean {
  const { relation, reference, place } = part;
  if (reference.kind === "detach") return false;
  const { sourceColumn, scope } = relation;
  const given = own.get(sourceColumn);
  const agrees = given === undefined || given === null || String(given) === keyOf(reference);
  if (reference.kind !== "connect" || scope?.value !== held.scope?.value || !agrees) {
    throw new AppError("INVALID_VALUE", `${place}: is the item in which this one stands; leave it out`);
  }
  own.set(sourceColumn, reference.key);
  return false;
}

function keyOf(reference: Reference): string | null {
  return reference.kind === "connect" || reference.kind === "update" ? reference.key : null;
}
