/** Brings the triggers that follow from the schema in step with the tables; see `core/query/triggers.ts`. */
import { auditKind, auditTriggers } from "../core/query/auditTrigger";
import { followKind, followTriggers, leadKind, leadTriggers } from "../core/query/followTrigger";
import { loadTriggers, putTriggers, restTriggers } from "../core/query/triggers";
import type { Schema } from "../core/schema/model";
import type { Runner } from "../platform/postgres";

/** Run inside the transaction that changes tables, after all else of it. */
export async function ensureTriggers(runner: Runner, schema: Schema): Promise<void> {
  const present = await runner.run(loadTriggers([auditKind, followKind, leadKind]));
  const statements = [
    ...putTriggers(auditKind, auditTriggers(schema), present),
    ...putTriggers(followKind, followTriggers(schema), present),
    ...putTriggers(leadKind, leadTriggers(schema), present),
  ];
  // oxlint-disable-next-line no-await-in-loop -- one connection
  for (const statement of statements) await runner.run(statement);
}

/**
 * Lets triggers rest that judge written rows by names and types of columns which are about to change: the steps of the change write
 * rows, too. Run inside its transaction, before all else of it.
 */
export async function restLeading(runner: Runner, next: Schema): Promise<void> {
  const present = await runner.run(loadTriggers([leadKind]));
  for (const statement of restTriggers(leadTriggers(next), present)) await runner.run(statement);
}
