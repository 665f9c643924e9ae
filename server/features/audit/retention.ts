/** Entries of the audit log end after a number of days. */
import { system } from "../../core/access/actor";
import { auditCollection } from "../../core/query/audit";
import { type Data, removeInBatches } from "../../data";

const keeping = system("entries of the audit log end after AUDIT_RETENTION_DAYS");

const day = 86_400_000;

/** Deletes the entries that are older than `days` at `now` (ms since 1970); gives how many. For an hourly run. */
export async function removeOldEntries(data: Data, now: number, days: number | "forever"): Promise<number> {
  if (days === "forever") return 0;
  const oldest = new Date(now - days * day).toISOString();
  return removeInBatches(data, keeping, auditCollection, { createdAt: { lt: oldest } }, "id");
}
