/** Bytes of uploads that ended between the bytes and the row, when the process or the connection died. */
import { system } from "../../core/access/actor";
import type { Data } from "../../data";
import type { Storage } from "../../platform/storage";
import { fileFolder, pendingFolder, pendingKey } from "./keys";
import { filesCollection } from "./model";

const keeping = system("bytes of uploads whose row never came are removed");

/** Longer than any upload, and its transaction, can take. */
const abandonedAfter = 24 * 60 * 60 * 1000;
const batch = 100;
/** Other names in the folder are no notes. */
const idForm = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * Removes what uploads older than a day left, where there is no row; gives how many. Only uploads are looked at that were noted
 * as not ended: what else lies in the storage may belong to the rows of another database. `now` in ms since 1970. For an
 * hourly run.
 */
export async function removeAbandonedBytes(data: Data, storage: Storage, now: number): Promise<number> {
  const old = (await storage.list(pendingFolder))
    .filter(({ modified }) => modified < now - abandonedAfter)
    .map(({ key }) => key.slice(pendingFolder.length + 1))
    .filter((name) => idForm.test(name));
  let removed = 0;
  for (let at = 0; at < old.length; at += batch) {
    const ids = old.slice(at, at + batch);
    const rows = await data.find<{ id: string }>(keeping, filesCollection, {
      filter: { id: { in: ids } },
      fields: ["id"],
      limit: batch,
      count: "none",
    });
    const there = new Set(rows.map(({ id }) => id));
    for (const id of ids) {
      if (!there.has(id)) {
        await storage.removePrefix(fileFolder(id));
        removed++;
      }
      await storage.remove(pendingKey(id));
    }
  }
  return removed;
}
