/** Entries of the audit log end after a number of days. */
import { system } from "../../core/access/actor";
import type { Data } from "../../data";

const collection = "baasix_AuditLog";
const keeping = system("entries of the audit log end after AUDIT_RETENTION_DAYS");

/** How many entries one statement removes. */
const batch = 1000;
const day = 86_400_000;

/**
 * Deletes the entries that are older than `days` at `now` (ms since 1970), in batches; gives how many. For an hourly run,
 * also of several instances at once.
 */
export async function removeOldEntries(data: Data, now: number, days: number | "forever"): Promise<number> {
  if (days === "forever") return 0;
  const oldest = new Date(now - days * day).toISOString();
  let removed = 0;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- in batches, so that no statement is long
    const found = await data.find<{ id: string }>(keeping, collection, {
      filter: { createdAt: { lt: oldest } },
      fields: ["id"],
      sort: "createdAt",
      limit: batch,
      count: "none",
    });
    if (found.length === 0) return removed;
    const ids = found.map(({ id }) => id);
    // oxlint-disable-next-line no-await-in-loop
    removed += (await data.removeWhere(keeping, collection, { id: { in: ids } })).length;
  }
}
