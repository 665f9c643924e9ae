/** Removing what has ended: any number of items, in batches, so that no statement is long. */
import type { Actor } from "../core/access/actor";
import type { Data } from "./door";

/** How many items one statement removes. */
const batch = 1000;

/**
 * Deletes the items that match, the oldest first; gives how many. The collection has the field `id`, and one by which its
 * items are in the order of their age. Several instances may do so at once.
 */
export async function removeInBatches(
  data: Data,
  actor: Actor,
  collection: string,
  filter: object,
  age: "createdAt" | "id" = "createdAt",
): Promise<number> {
  let removed = 0;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one batch after the other
    const found = await data.find<{ id: string }>(actor, collection, {
      filter,
      fields: ["id"],
      sort: age,
      limit: batch,
      count: "none",
    });
    if (found.length === 0) return removed;
    const ids = found.map(({ id }) => id);
    // oxlint-disable-next-line no-await-in-loop
    removed += (await data.removeWhere(actor, collection, { id: { in: ids } })).length;
  }
}
