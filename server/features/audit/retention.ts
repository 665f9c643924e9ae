/** Entries of the audit log end after a number of days. */
import { system } from "../../core/access/actor";
import type { Data } from "../../data";

const keeping = system("entries of the audit log end after AUDIT_RETENTION_DAYS");

const day = 86_400_000;

/** Deletes the entries that are older than `days` at `now` (ms since 1970); gives how many. For an hourly run. */
export async function removeOldEntries(data: Data, now: number, days: number | "forever"): Promise<number> {
  return days === "forever" ? 0 : data.removeEntries(keeping, new Date(now - days * day));
}
