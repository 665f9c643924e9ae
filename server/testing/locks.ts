/** Who waits for a lock in a test that holds one: only then is what comes after it sure to come too late. */
import type { Runner } from "../platform/postgres/database";

/** How many statements of the database wait for a lock. */
export async function lockWaits(database: Pick<Runner, "run">): Promise<number> {
  const text =
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  return (await database.run({ text, params: [] })).length;
}

/** Waits until so many do. */
export async function untilLocked(database: Pick<Runner, "run">, count = 1): Promise<void> {
  while ((await lockWaits(database)) < count) await Bun.sleep(5);
}
