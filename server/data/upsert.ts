/** Create or change, whichever fits, so that two callers who mean the same item never make two of it. */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { type Access, accessOf, refusal } from "../core/access/policy";
import { AppError } from "../core/errors";
import { type AuthorizedTarget, authorizeWrite } from "../core/query/authorize";
import { isObject, parseFilter } from "../core/query/filter";
import { findCollection, findColumn } from "../core/query/find";
import { type Planned, planCondition } from "../core/query/plan";
import {
  compileFind,
  compileFindWhere,
  encodeTargets,
  lockTarget,
  plainEqualities,
  restricts,
  tenantOfKey,
  uniqueFields,
} from "../core/query/upsert";
import { bind, bindParam, readVariable } from "../core/query/variables";
import { checkBulk } from "../core/query/write";
import { toWire, type WireValue } from "../core/schema/fields";
import type { Collection, Field, Schema } from "../core/schema/model";
import type { Data, Upserted, WriteBody } from "./door";
import { optionsFor } from "./read";
import type { Snapshot } from "./snapshot";
import { guestOf, type WriteParts, type Writes } from "./write";

/** What an upsert is put together from: the writes of the door that it is part of. */
export type UpsertParts = WriteParts & Writes;

/** How often a row may come or go between looking and writing before the caller is told to try again. */
const mostTurns = 3;

/** Makes the upsert of a door. */
export function upsertOf(parts: UpsertParts): Data["upsert"] {
  return async (actor, name, target, bodies) => {
    if (bodies.length === 0) return [];
    const collection = collectionToUpsert(parts.snapshot(), actor, name);
    if (!parts.isInside)
      return parts.transaction((rows) => rows.upsert(actor, name, target, bodies), guestOf(actor));
    checkBulk(bodies.length);
    if ("on" in target)
      return upsertOn(parts, actor, collection, uniqueFields(collection, target.on), bodies);
    const [body] = bodies;
    if (bodies.length > 1 || body === undefined) {
      throw new AppError("INVALID_QUERY", "filter: names one item; upsert several by `on`");
    }
    return [await upsertWhere(parts, actor, collection, target.filter, body)];
  };
}

/** The collection of a name, for who may create or change items of it. @throws AppError UNKNOWN_COLLECTION, FORBIDDEN */
export function collectionToUpsert({ schema, rules }: Snapshot, actor: Actor, name: string): Collection {
  const collection = findCollection(schema, name);
  const access = accessOf(rules, schema, actor);
  if (access(collection, "create") || access(collection, "update")) return collection;
  throw refusal(collection, "create");
}

async function upsertOn(
  parts: UpsertParts,
  actor: Actor,
  collection: Collection,
  fields: readonly Field[],
  bodies: readonly WriteBody[],
): Promise<readonly Upserted[]> {
  const within = tenantOfKey(collection, fields);
  const targets = bodies.map((body, i) => {
    const place = bodies.length > 1 ? `[${i}].` : "";
    const values = targetOf(collection, fields, body, place);
    return within ? [...values, tenantSaid(collection, within, actor, body, place)] : values;
  });
  const made = new Set<ItemId>();
  const updates = new Map<number, ItemId>();
  const found: (ItemId | undefined)[] = bodies.map(() => undefined);
  const look = async (places: readonly number[], locks: boolean): Promise<readonly number[]> => {
    const ids = await find(parts, actor, collection, fields, places, targets, locks);
    for (const place of places) {
      const id = ids.get(place);
      found[place] = id;
      if (id === undefined || made.has(id)) updates.delete(place);
      else updates.set(place, id);
    }
    return places.filter((place) => found[place] === undefined);
  };
  // Of callers that bring the same items in other orders, each would wait for another: all create in one order, and of
  // several rows none is locked before all that are missing are made.
  const isOne = bodies.length === 1;
  let missing = await look(inOneOrder(fields, targets), isOne);
  for (let turn = 1; turn <= mostTurns; turn++) {
    if (missing.length > 0) {
      // Two callers may meet at another unique field before they meet at these. In the end it is told which one is taken.
      const ids = await parts.createNew(
        actor,
        collection.name,
        missing.map((i) => bodies[i] ?? {}),
        turn < mostTurns ? "any" : null,
        missing.map((i) => (isOne ? "" : `[${i}].`)),
      );
      for (const id of ids) made.add(id);
      if (ids.length < missing.length) missing = await look(missing, isOne);
      else {
        // Nobody came between: the keys are those of the bodies, in their order.
        ids.forEach((id, n) => (found[missing[n] ?? 0] = id));
        missing = [];
      }
    }
    if (missing.length === 0 && !isOne) missing = await look([...updates.keys()], true);
    if (missing.length === 0) break;
  }
  if (missing.length > 0)
    throw new AppError("CONFLICT", `${collection.name}: items come and go meanwhile; try again`);
  checkNamedOnce(found);
  if (updates.size > 0) {
    const names = new Set(fields.map(({ name }) => name));
    const entries = [...updates].map(([i, id]) => ({
      id,
      data: without(collection, bodies[i] ?? {}, names),
    }));
    await parts.update(actor, collection.name, entries);
  }
  return found.map((id) => ({ id: id ?? "", created: id !== undefined && made.has(id) }));
}

/** The places of bodies in the order of what names their items, whichever way round the fields are given. */
function inOneOrder(fields: readonly Field[], targets: readonly (readonly WireValue[])[]): readonly number[] {
  const byName = fields.map((_, n) => n).toSorted((a, b) => compare(fields[a]?.name, fields[b]?.name));
  const names = targets.map((values) => JSON.stringify(byName.map((n) => values[n])));
  return targets.map((_, i) => i).toSorted((a, b) => compare(names[a], names[b]));
}

function compare(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The values that name the item of a body. @throws AppError VALIDATION_ERROR where one is missing */
function targetOf(
  collection: Collection,
  fields: readonly Field[],
  body: WriteBody,
  place: string,
): readonly WireValue[] {
  const given = new Map(
    Object.keys(isObject(body) ? body : {}).flatMap((name) => {
      const field = columnOf(collection, name);
      return field && body[name] !== undefined ? [[field.name, body[name]] as const] : [];
    }),
  );
  return fields.map((field) => {
    const value = given.get(field.name);
    const wire = value === undefined ? null : toWire(value, field, `${place}${field.name}`);
    if (wire !== null) return wire;
    const error = {
      field: `${place}${field.name}`,
      message: "names the item, and must be given",
      rule: "required",
    };
    throw new AppError("VALIDATION_ERROR", `Validation failed: ${error.field}: ${error.message}`, {
      code: "VALIDATION_ERROR",
      errors: [error],
    });
  });
}

/** The tenant that a new item of the body would be of. */
function tenantSaid(
  collection: Collection,
  tenant: Field,
  actor: Actor,
  body: WriteBody,
  place: string,
): WireValue {
  for (const name of Object.keys(isObject(body) ? body : {})) {
    if (body[name] === undefined || columnOf(collection, name) !== tenant) continue;
    return toWire(body[name], tenant, `${place}${name}`);
  }
  return actor.kind === "user" && !actor.admin ? actor.tenant : null;
}

/** The column that a name of a body sets; null: none that it could be. */
function columnOf(collection: Collection, name: string): Field | null {
  try {
    return findColumn(collection, name, name);
  } catch {
    return null;
  }
}

/** The item has these values already. */
function without(collection: Collection, body: WriteBody, names: ReadonlySet<string>): WriteBody {
  return Object.fromEntries(
    Object.entries(body).filter(([name]) => !names.has(columnOf(collection, name)?.name ?? "")),
  );
}

/**
 * Which of the places have a row that the actor sees, with these fields: others are met by creating, which tells no more
 * than a create does. @throws AppError CONFLICT for one that is softly deleted
 */
async function find(
  parts: UpsertParts,
  actor: Actor,
  collection: Collection,
  fields: readonly Field[],
  places: readonly number[],
  targets: readonly (readonly WireValue[])[],
  locks: boolean,
): Promise<ReadonlyMap<number, ItemId>> {
  if (places.length === 0) return new Map();
  const { schema } = parts.snapshot();
  const target = comparable(parts, actor, collection, fields);
  if (target === null) return new Map();
  const statement = compileFind(target, fields, schema.version, locks);
  const input = encodeTargets(places.map((i) => targets[i] ?? []));
  const rows = await parts.runner.run(
    bind(statement, { actor, now: parts.now(), inputs: [input] }),
    optionsFor(actor),
  );
  const found = new Map<number, ItemId>();
  for (const [i, id, deleted] of rows) {
    if (deleted === true) {
      throw new AppError(
        "CONFLICT",
        `${collection.name}: a deleted item has ${fields.map(({ name }) => `'${name}'`).join(", ")} already; restore it, or delete it permanently`,
      );
    }
    found.set(places[Number(i)] ?? 0, id as ItemId);
  }
  return found;
}

/** The rows on which the actor may read the fields; null when there are none. */
function comparable(
  parts: UpsertParts,
  actor: Actor,
  collection: Collection,
  fields: readonly Field[],
): AuthorizedTarget | null {
  const { schema, rules } = parts.snapshot();
  const filter = Object.fromEntries(fields.map(({ name }) => [name, { isNotNull: true }]));
  try {
    return findable(
      collection,
      planCondition(schema, collection, parseFilter(filter)),
      schema,
      accessOf(rules, schema, actor),
    );
  } catch (error) {
    if (error instanceof AppError && error.code === "FORBIDDEN") return null;
    throw error;
  }
}

/** What a condition finds for the upsert, whichever right the actor has. @throws AppError FORBIDDEN for what it may not read */
function findable(
  collection: Collection,
  condition: Planned,
  schema: Schema,
  access: Access,
): AuthorizedTarget {
  const action = access(collection, "update") ? "update" : "create";
  return authorizeWrite(schema, collection, action, [], condition, access)[0];
}

function checkNamedOnce(found: readonly (ItemId | undefined)[]): void {
  const places = new Map<ItemId | undefined, number>();
  found.forEach((id, i) => {
    const other = places.get(id);
    if (other !== undefined) {
      throw new AppError("INVALID_VALUE", `[${other}] and [${i}] name the same item`);
    }
    places.set(id, i);
  });
}

async function upsertWhere(
  parts: UpsertParts,
  actor: Actor,
  collection: Collection,
  filter: unknown,
  body: WriteBody,
): Promise<Upserted> {
  const { schema, rules } = parts.snapshot();
  const parsed = filter === undefined || filter === null ? null : parseFilter(filter);
  if (parsed === null || !restricts(parsed)) {
    throw new AppError("INVALID_QUERY", "filter: say which item is meant");
  }
  const { name } = collection;
  const planned = planCondition(schema, collection, parsed);
  const target = findable(collection, planned, schema, accessOf(rules, schema, actor));
  const statement = compileFindWhere(target, schema.version);
  const binding = { actor, now: parts.now() };
  // Before the statement that looks, so that it sees what the holder before has committed.
  await parts.runner.run(lockTarget(collection, parsed));
  for (let turn = 1; ; turn++) {
    const rows = await parts.runner.run(bind(statement, binding), optionsFor(actor));
    if (rows.length > 1) {
      throw new AppError("CONFLICT", `filter: several items of '${name}' match; name one`);
    }
    const [id] = (rows[0] ?? []) as readonly ItemId[];
    if (id !== undefined) {
      await parts.update(actor, name, [{ id, data: body }]);
      return { id, created: false };
    }
    const made: Record<string, unknown> = {};
    for (const [column, value] of plainEqualities(parsed)) {
      const variable = readVariable(value, `filter.${column}`);
      made[column] = variable === null ? value : bindParam(variable, { actor, now: parts.now() });
    }
    try {
      const created = await parts.attempt(() => parts.create(actor, name, [{ ...made, ...body }]));
      return { id: created[0] ?? "", created: true };
    } catch (error) {
      const isTaken = error instanceof AppError && error.code === "UNIQUE_VIOLATION";
      if (!isTaken || turn === mostTurns) throw error;
    }
  }
}
