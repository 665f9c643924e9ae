/** What the audit log needs beside its collection, and how its entries end; see `core/query/auditBulk.ts`. */
import {
  createAuditBulk,
  hasAuditBulk,
  mostTogether,
  removeOldest,
  widenNumbers,
} from "../core/query/auditBulk";
import type { Runner } from "../platform/postgres";

/** Makes the place for the entries of bulks. Run inside the transaction that changes tables, after all else of it. */
export async function ensureAuditBulk(runner: Runner): Promise<void> {
  const [row] = await runner.run(hasAuditBulk);
  const [isThere, distance] = row ?? [];
  if (distance !== String(mostTogether)) await runner.run(widenNumbers);
  if (isThere === true) return;
  for (const statement of createAuditBulk) await runner.run(statement);
}

/**
 * Deletes the entries from before a time, the oldest first and some at a time, so that no statement is long; gives how many.
 * Several instances may do so at once.
 */
export async function removeEntries(runner: Runner, before: Date): Promise<number> {
  let removed = 0;
  for (const table of ["each", "together"] as const) {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one batch after the other
      const [row] = await runner.run(removeOldest(table, before.toISOString()));
      const count = Number(row?.[0] ?? 0);
      if (count === 0) break;
      removed += count;
    }
  }
  return removed;
}
