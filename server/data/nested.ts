/**
 * Writes whose bodies hold related items, as the flat writes of the door inside one transaction: first the items that hold
 * no key of the others, each level of a request in as few statements as there are relations. What may be written, and what
 * follows from it, is the matter of those flat writes.
 */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { AppError } from "../core/errors";
import { namesRelated, readBodies } from "../core/query/nested";
import { countListed, nestedLimits } from "../core/query/nestedBody";
import { checkBulk, checkDistinct, parseKey } from "../core/query/write";
import type { Collection } from "../core/schema/model";
import { collectionFor } from "./access";
import type { Rows, UpdateEntry, Upserted, WriteBody } from "./door";
import { type NestedParts, writeItems } from "./nestedItems";
import { holdKin } from "./nestedKin";
import type { Item } from "./nestedLists";
import { collectionToUpsert } from "./upsert";
import { guestOf } from "./write";

/** Undoes what was written for items that turn out not to be there. */
const noneMatch = new Error("no item matches");

type Nested = Pick<Rows, "create" | "update" | "updateWhere" | "upsert">;

/** The writes of a door that may name related items. Bodies that name none go to `flat` as they are. */
export function nestedOf(parts: NestedParts, flat: Nested): Nested {
  const isNested = (name: string, bodies: readonly unknown[]): boolean => {
    const collection = parts.snapshot().schema.collections.get(name);
    return collection !== undefined && namesRelated(collection, bodies);
  };
  const read = (collection: Collection, bodies: readonly WriteBody[]): readonly Item[] => {
    checkBulk(bodies.length);
    return readBodies(parts.snapshot().schema, collection, bodies).map((body) => ({ body }));
  };

  const inside = <Done>(actor: Actor, work: (rows: Rows) => Promise<Done>): Promise<Done> =>
    parts.transaction(work, guestOf(actor));

  const create: Rows["create"] = (actor, name, bodies, stamp) =>
    isNested(name, bodies)
      ? createNested(actor, name, bodies, stamp)
      : flat.create(actor, name, bodies, stamp);

  const createNested: Rows["create"] = async (actor, name, bodies, stamp) => {
    const collection = collectionFor(parts.snapshot(), actor, name, "create");
    if (!parts.isInside) return inside(actor, (rows) => rows.create(actor, name, bodies, stamp));
    const items = read(collection, bodies);
    return writeItems({ parts, actor }, collection, "create", items, async (writes, data) =>
      (await writes.create(actor, name, data, stamp)).map((id) => ({ id, isNew: true })),
    );
  };

  const update: Rows["update"] = (actor, name, entries) => {
    const bodies = entries.map(({ data }) => data);
    return isNested(name, bodies)
      ? updateNested(actor, name, entries, bodies)
      : flat.update(actor, name, entries);
  };

  const updateNested = async (
    actor: Actor,
    name: string,
    entries: readonly UpdateEntry[],
    bodies: readonly WriteBody[],
  ): Promise<readonly ItemId[]> => {
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    if (!parts.isInside) return inside(actor, (rows) => rows.update(actor, name, entries));
    const items = read(collection, bodies);
    const keys = entries.map(({ id }) => parseKey(collection, id));
    checkDistinct(keys);
    await holdKin(
      parts,
      actor,
      collection,
      items.map((item, i) => ({ ...item, key: keys[i] ?? "" })),
    );
    let ids: readonly ItemId[] = [];
    await writeItems({ parts, actor }, collection, "update", items, async (writes, data) => {
      const flatEntries = entries.map((entry, i): UpdateEntry => ({ ...entry, data: data[i] ?? {} }));
      ids = await writes.update(actor, name, flatEntries);
      return entries.map(({ id }) => ({ id, isNew: false }));
    });
    return ids;
  };

  const updateWhere: Rows["updateWhere"] = async (actor, name, filter, data) => {
    if (!isNested(name, [data])) return flat.updateWhere(actor, name, filter, data);
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    if (!parts.isInside) return inside(actor, (rows) => rows.updateWhere(actor, name, filter, data));
    const items = read(collection, [data]);
    try {
      return await parts.attempt(() =>
        writeItems({ parts, actor }, collection, "update", items, async (writes, [own = {}]) => {
          const ids = await writes.updateWhere(actor, name, filter, own);
          if (ids.length === 0) throw noneMatch;
          checkMultiplied(items, ids.length);
          return ids.map((id) => ({ id, isNew: false }));
        }),
      );
    } catch (error) {
      if (error !== noneMatch) throw error;
      return [];
    }
  };

  const upsert: Rows["upsert"] = async (actor, name, target, bodies) => {
    if (!isNested(name, bodies)) return flat.upsert(actor, name, target, bodies);
    const collection = collectionToUpsert(parts.snapshot(), actor, name);
    if (!parts.isInside) return inside(actor, (rows) => rows.upsert(actor, name, target, bodies));
    const items = read(collection, bodies);
    let told: readonly Upserted[] = [];
    await writeItems({ parts, actor }, collection, null, items, async (writes, data) => {
      told = await writes.upsert(actor, name, target, data);
      return told.map(({ id, created }) => ({ id, isNew: created }));
    });
    return told;
  };

  return { create, update, updateWhere, upsert };
}

/** Each item that a filter finds gets the lists of the one body. @throws AppError QUERY_TOO_COMPLEX */
function checkMultiplied([only]: readonly Item[], matched: number): void {
  if (!only || matched * countListed(only.body) <= nestedLimits.rows) return;
  throw new AppError(
    "QUERY_TOO_COMPLEX",
    `filter: ${matched} items match, and with what is written in the lists of each of them these are more than ${nestedLimits.rows} items`,
  );
}
