/** Brings the triggers that follow from the schema in step with the tables; see `core/query/triggers.ts`. */
import { auditKind, auditTriggers } from "../core/query/auditTrigger";
import { followKind, followTriggers, leadKind, leadTriggers } from "../core/query/followTrigger";
import { loadTriggers, putTriggers } from "../core/query/triggers";
import type { Schema } from "../core/schema/model";
import type { Runner } from "../platform/postgres";

/** Run inside the transaction that changes tables, after all else of it. */
export async function ensureTriggers(runner: Runner, schema: Schema): Promise<void> {
  for (const [kind, wanted] of [
    [auditKind, auditTriggers(schema)],
    [followKind, followTriggers(schema)],
    [leadKind, leadTriggers(schema)],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one connection
    const present = await runner.run(loadTriggers(kind));
    // oxlint-disable-next-line no-await-in-loop
    for (const statement of putTriggers(kind, wanted, present)) await runner.run(statement);
  }
}
