/** Brings the triggers of the audit log in step with the tables; see `core/query/auditTrigger.ts`. */
import { loadAuditTriggers, putAuditTriggers } from "../core/query/auditTrigger";
import type { Schema } from "../core/schema/model";
import type { Runner } from "../platform/postgres";

/** Run inside the transaction that changes tables, after all else of it. */
export async function ensureAuditTriggers(runner: Runner, schema: Schema): Promise<void> {
  const present = await runner.run(loadAuditTriggers);
  for (const statement of putAuditTriggers(schema, present)) await runner.run(statement);
}
