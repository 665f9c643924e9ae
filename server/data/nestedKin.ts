/**
 * Lists of a collection that relates to itself: items that hold others, or stand in their lists, are the same rows. They are all
 * locked in one order before any of them is written; of two who write each other's, each would wait for the other.
 */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { type Body, entriesOf, type ListPart, nestedLimits } from "../core/query/nestedBody";
import type { Collection, Relation } from "../core/schema/model";
import { holdRows } from "./hold";
import type { NestedParts } from "./nestedItems";
import { inLists } from "./nestedLists";

/** An item of the collection; `key` null: a new one. */
type One = { readonly key: string | null; readonly body: Body };

/** Items that are there, and which of their lists are replaced. */
type Kin = {
  readonly keys: Set<string>;
  readonly sets: { readonly key: string; readonly part: ListPart }[];
};

/** How often items that came to a list while others were waited for are waited for with them; then the write goes on as it is. */
const mostTurns = 5;
const incomplete = new Error("others have come to the list");

/**
 * Locks these items of the collection, those of it that are written with them, and those that come to their lists or leave them, as far
 * as the actor may change them.
 */
export async function holdKin(
  parts: NestedParts,
  actor: Actor,
  collection: Collection,
  items: readonly One[],
): Promise<void> {
  const { keys, sets }: Kin = { keys: new Set(), sets: [] };
  for (const item of items) gather(collection, item, { keys, sets });
  if (sets.length === 0 && keys.size === items.length) return;
  const replaced = Map.groupBy(sets, ({ part }) => part.relation);
  const look = async (): Promise<boolean> => {
    const { size } = keys;
    for (const [relation, group] of replaced)
      for await (const key of listed(parts, actor, collection, relation, group)) keys.add(key);
    return keys.size > size;
  };
  await look();
  for (let turn = 1; turn <= mostTurns; turn++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- each turn follows from the one before
      await parts.attempt(async () => {
        await holdRows(parts, actor, collection, [...keys]);
        if (await look()) throw incomplete;
      });
      return;
    } catch (error) {
      if (error !== incomplete) throw error;
    }
  }
}

function gather(collection: Collection, { key, body }: One, kin: Kin): void {
  if (key !== null) kin.keys.add(key);
  for (const part of body.lists) {
    if (part.target.name !== collection.name) continue;
    if (key !== null && part.change.kind === "set") kin.sets.push({ key, part });
    for (const entry of entriesOf(part.change)) gather(collection, entry, kin);
  }
  for (const { target, reference } of body.toOne)
    if (target.name === collection.name && reference.kind === "update") gather(collection, reference, kin);
}

/** The keys of what stands in lists; of no more than a list may have that is written. */
async function* listed(
  { stream }: NestedParts,
  actor: Actor,
  { name, primaryKey }: Collection,
  relation: Relation,
  lists: Kin["sets"],
): AsyncGenerator<string> {
  const filter = inLists(relation, new Set(lists.map(({ key }) => key)));
  const query = { fields: [primaryKey.name], filter, limit: nestedLimits.rows };
  for await (const rows of stream(actor, name, query))
    for (const row of rows) yield String((JSON.parse(row) as Record<string, ItemId>)[primaryKey.name]);
}
