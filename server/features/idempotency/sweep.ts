/** Keys end after a day. */
import type { Data } from "../../data";
import { collection, keeping, lifetime } from "./store";

/** How many rows one statement removes. */
const batch = 1000;

/** Deletes the keys that are older than a day at `now` (ms since 1970); gives how many. For an hourly run. */
export async function removeExpiredKeys(data: Data, now: number): Promise<number> {
  const oldest = new Date(now - lifetime).toISOString();
  let removed = 0;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- in batches, so that no statement is long
    const found = await data.find<{ id: string }>(keeping, collection, {
      filter: { createdAt: { lte: oldest } },
      fields: ["id"],
      limit: batch,
      count: "none",
    });
    if (found.length === 0) return removed;
    const ids = found.map(({ id }) => id);
    // oxlint-disable-next-line no-await-in-loop
    removed += (await data.removeWhere(keeping, collection, { id: { in: ids } })).length;
  }
}

/** Deletes one key; nothing happens when it is gone. */
export async function removeKey(data: Data, id: string): Promise<void> {
  await data.removeWhere(keeping, collection, { id: { eq: id } });
}
