/** Keys end after a day. */
import { type Data, removeInBatches } from "../../data";
import { collection, keeping, lifetime } from "./store";

/** Deletes the keys that are older than a day at `now` (ms since 1970); gives how many. For an hourly run. */
export function removeExpiredKeys(data: Data, now: number): Promise<number> {
  const oldest = new Date(now - lifetime).toISOString();
  return removeInBatches(data, keeping, collection, { createdAt: { lte: oldest } });
}

/** Deletes one key; nothing happens when it is gone. */
export async function removeKey(data: Data, id: string): Promise<void> {
  await data.removeWhere(keeping, collection, { id: { eq: id } });
}
