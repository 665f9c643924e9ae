/**
 * Tables are locked in short tries: who waits for a table keeps everyone behind it waiting too, so a change that cannot
 * have it soon lets the others pass before it asks again.
 */
import { AppError } from "../core/errors";
import { type LockMode, lockModes } from "../core/schema/locks";
import { cancelVacuumSoon, lockTables, lockTimeout } from "../core/schema/store";
import { sqlState, type TransactionRunner } from "../platform/postgres";

/** Longest wait of one try, ms. */
const tryTimeout = 100;
/** Pause between tries, ms: at least, and at most. */
const pause = [40, 140] as const;
/**
 * An autovacuum that holds the table goes only when someone has waited for a second (`deadlock_timeout`), unless the role
 * may make that shorter. One try of this many waits for so long.
 */
const patientTry = 8;
const patientTimeout = 1_200;

/**
 * Locks all tables or none of them.
 * @param limit how long it tries, ms
 * @throws AppError CONFLICT (SQLSTATE 55P03) when they stay in use
 */
export async function lockInTries(
  runner: TransactionRunner,
  locks: ReadonlyMap<string, LockMode>,
  limit: number,
): Promise<void> {
  if (locks.size === 0) return;
  const statements = lockModes.toReversed().flatMap((mode) => {
    const names = [...locks].flatMap(([name, wanted]) => (wanted === mode ? [name] : []));
    return names.length === 0 ? [] : [lockTables(names.toSorted(), mode)];
  });
  await runner.run(cancelVacuumSoon);
  const end = performance.now() + limit;
  for (let turn = 1; ; turn++) {
    const patience = turn % patientTry === 0 ? patientTimeout : tryTimeout;
    try {
      await runner.run(lockTimeout(Math.min(patience, limit)));
      await runner.savepoint(async () => {
        for (const statement of statements) await runner.run(statement);
      });
      break;
    } catch (error) {
      if (sqlState(error) !== "55P03") throw error;
      if (performance.now() >= end) throw inUse([...locks.keys()], limit, error);
    }
    await Bun.sleep(pause[0] + Math.random() * (pause[1] - pause[0]));
  }
  await runner.run(lockTimeout(limit));
}

function inUse(names: readonly string[], limit: number, cause: unknown): AppError {
  const list = names.map((name) => `'${name}'`).join(", ");
  return new AppError(
    "CONFLICT",
    `${list}: in use by others for ${limit / 1000} s now; try again`,
    { collections: names },
    { cause },
  );
}
