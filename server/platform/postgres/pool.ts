/** The database over `bun:sql`: a pool for short statements and one for slow ones, so that neither starves the other. */
import { AppError } from "../../core/errors";
import { connectionOptions, explainFailure, placeOf } from "./address";
import type { Database, DatabaseAddress, Row, RunOptions, Runner, TransactionRunner } from "./database";
import type { Gate } from "./gate";
import { Lane, isDeadlock } from "./lane";
import { isConnectionLoss, sqlState, translate } from "./sqlstate";
import { StartError } from "./start-error";
import { attempt } from "./transaction";
import { Watch } from "./watch";

/** How many connections each pool opens, and who hears of lost ones. */
export type PoolOptions = {
  readonly shortPool: number;
  readonly slowPool: number;
  /** Called when the database is lost and when it is back; `null` means back. */
  readonly onError?: (error: Error | null) => void;
};

/** A statement of the short pool may run this long, ms; one of the slow pool that long. */
const SHORT_TIMEOUT = 15_000;
const SLOW_TIMEOUT = 300_000;
/**
 * A statement with a longer text runs in the slow pool, within the time of the short one: it is dear, and kept prepared it
 * may take a megabyte in each backend, of which a client could make as many as it likes.
 */
export const LONG_TEXT = 8192;
const RETRIES = 3;
const OLDEST = 140_000;
/** How long a server that is still starting is waited for, ms. */
const START_PATIENCE = 10_000;

/**
 * Connects, checks the server, and gives the database.
 * @throws StartError with one line that names host and port, never the password.
 */
export async function openDatabase(address: DatabaseAddress, options: PoolOptions): Promise<Database> {
  const watch = new Watch(() => short.send({ text: "SELECT 1", params: [] }), options.onError);
  const connection = connectionOptions(address);
  const onTrouble = (error: Error) => watch.suspect(error);
  const short = new Lane({
    connection,
    size: options.shortPool,
    statementTimeout: SHORT_TIMEOUT,
    prepare: true,
    onTrouble,
  });
  const slow = new Lane({
    connection,
    size: options.slowPool,
    statementTimeout: SLOW_TIMEOUT,
    prepare: false,
    onTrouble,
  });
  const close = async () => {
    watch.close();
    await Promise.all([short.close(), slow.close()]);
  };
  try {
    const version = await checkServer(address, short);
    watch.start();
    const laneOf = (run?: RunOptions) => (run?.pool === "slow" ? slow : short);
    return {
      version,
      healthy: () => watch.isHealthy,
      run: (statement, run) => {
        const isLong = statement.text.length > LONG_TEXT && run?.pool !== "slow";
        const lane = isLong ? slow : laneOf(run);
        const limits = isLong ? { ...run, timeout: Math.min(run?.timeout ?? Infinity, SHORT_TIMEOUT) } : run;
        if (!limits?.guest && !limits?.long) return runOne(lane, statement, limits, watch);
        const one = () => runOne(lane, statement, limits, watch);
        const asGuest = limits?.guest ? () => behind(lane.guests, limits, one) : one;
        if (!limits?.long || lane !== short) return asGuest();
        return behind(lane.bulks, limits, () => holding(lane, limits, asGuest));
      },
      transaction: (work, run) => {
        const lane = laneOf(run);
        const all = () => runAll(lane, work, run, watch);
        const asGuest = run?.guest ? () => behind(lane.guests, run, all) : all;
        return lane === short ? holding(lane, run, asGuest) : asGuest();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error instanceof StartError ? error : await explainFailure(address, error);
  }
}

/** Works with a place of a gate before the one of the lane. */
async function behind<T>(gate: Gate, run: RunOptions | undefined, work: () => Promise<T>): Promise<T> {
  if (!gate.tryEnter()) await gate.enter(run?.signal);
  try {
    return await work();
  } finally {
    gate.leave();
  }
}

/** Works with a place among those that hold a connection for more than a moment. Who waits for one has no other. */
function holding<T>(lane: Lane, run: RunOptions | undefined, work: () => Promise<T>): Promise<T> {
  const held = (): Promise<T> => behind(lane.holders, run, work);
  return run?.guest ? behind(lane.guestHolders, run, held) : held();
}

/** One statement on its own. A deadlock is tried again, because the server undid all of it. */
async function runOne(
  lane: Lane,
  statement: Parameters<Runner["run"]>[0],
  options: RunOptions | undefined,
  watch: Watch,
): Promise<readonly Row[]> {
  if (!lane.gate.tryEnter()) await lane.gate.enter(options?.signal);
  try {
    for (let retry = 0; ; retry++) {
      try {
        return await lane.send(statement, options);
      } catch (error) {
        if (retry === RETRIES || !isDeadlock(sqlState(error))) throw failure(error, watch);
      }
    }
  } finally {
    lane.gate.leave();
  }
}

/** A transaction; tried again from the start after a deadlock. */
async function runAll<T>(
  lane: Lane,
  work: (runner: TransactionRunner) => Promise<T>,
  options: RunOptions | undefined,
  watch: Watch,
): Promise<T> {
  await lane.gate.enter(options?.signal);
  try {
    for (let retry = 0; ; retry++) {
      const result = await attempt(lane, work, options ?? {});
      if (result.done) return result.value;
      if (retry === RETRIES || !isDeadlock(result.state)) throw failure(result.error, watch);
    }
  } finally {
    lane.gate.leave();
  }
}

function failure(error: unknown, watch: Watch): unknown {
  const cause = error instanceof AppError ? error.cause : error;
  if (isConnectionLoss(cause) && cause instanceof Error) watch.suspect(cause);
  return translate(error);
}

async function checkServer(address: DatabaseAddress, lane: Lane): Promise<string> {
  const text = "SELECT current_setting('server_version_num'), current_setting('server_version')";
  const [row] = await whenStarted(() => lane.send({ text, params: [] }));
  const [number, name] = row ?? [];
  const version = String(name).split(" ")[0] ?? "";
  if (!(Number(number) >= OLDEST)) {
    throw new StartError(`PostgreSQL at ${placeOf(address)} is version ${version}; 14 or newer is needed`);
  }
  return version;
}

async function whenStarted<T>(ask: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + START_PATIENCE; ; await Bun.sleep(200)) {
    try {
      return await ask();
    } catch (error) {
      if (sqlState(error) !== "57P03" || Date.now() > end) throw error;
    }
  }
}
