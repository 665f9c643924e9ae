/** One transaction on one connection of a lane: begin, work, commit or rollback, within a time limit. */
import { AppError } from "../../core/errors";
import type { Runner, TransactionRunner } from "./database";
import { PATIENCE } from "./gate";
import { isDeadlock, type Lane, type Limits } from "./lane";
import { sqlState, translate } from "./sqlstate";

/** Longest life of a transaction, ms. */
const LIFETIME = 60_000;

/** What became of it. `state` is the SQLSTATE that ended it, for the decision to try again. */
export type Attempt<T> =
  | { readonly done: true; readonly value: T }
  | { readonly done: false; readonly error: unknown; readonly state: string | null };

/** Runs `work` once. Its caller holds a place in the lane's gate. Never throws. */
export async function attempt<T>(
  lane: Lane,
  work: (runner: TransactionRunner) => Promise<T>,
  limits: Limits,
): Promise<Attempt<T>> {
  let connection: Bun.ReservedSQL;
  try {
    connection = await lane.reserve(AbortSignal.timeout(PATIENCE));
  } catch (error) {
    return { done: false, error: translate(asUnavailable(error)), state: null };
  }
  const transaction = new Transaction(lane, connection, limits);
  try {
    return { done: true, value: await transaction.perform(work) };
  } catch (error) {
    return { done: false, error: translate(error), state: transaction.failure ?? sqlState(error) };
  } finally {
    await connection.release();
  }
}

function asUnavailable(error: unknown): unknown {
  const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
  return isTimeout ? new AppError("UNAVAILABLE", "The database is busy; try again in a moment.") : error;
}

class Transaction {
  /** SQLSTATE of the first statement that failed: it dooms the transaction, whatever `work` makes of it. */
  failure: string | null = null;
  readonly #lane: Lane;
  readonly #connection: Bun.ReservedSQL;
  readonly #limits: Limits;
  readonly #end = performance.now() + LIFETIME;
  #isOpen = true;

  constructor(lane: Lane, connection: Bun.ReservedSQL, limits: Limits) {
    this.#lane = lane;
    this.#connection = connection;
    this.#limits = limits;
  }

  async perform<T>(work: (runner: TransactionRunner) => Promise<T>): Promise<T> {
    const expiry = Promise.withResolvers<never>();
    const timer = setTimeout(() => expiry.reject(tooLong()), LIFETIME);
    try {
      await this.#plain("BEGIN");
      const value = await Promise.race([
        work({ run: this.#run, savepoint: this.#savepoint }),
        expiry.promise,
      ]);
      this.#isOpen = false;
      await this.#commit();
      return value;
    } catch (error) {
      this.#isOpen = false;
      await this.#rollback();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  readonly #run: Runner["run"] = async (statement, options) => {
    if (!this.#isOpen)
      throw new AppError("INTERNAL_ERROR", "A statement was sent after its transaction had ended.");
    const left = this.#end - performance.now();
    if (left <= 0) throw tooLong();
    const limits = { signal: options?.signal ?? this.#limits.signal, timeout: options?.timeout ?? left };
    try {
      const query = this.#connection.unsafe(statement.text, statement.params as (string | null)[]);
      return await this.#lane.fly(query.values(), limits as Limits);
    } catch (error) {
      this.failure ??= sqlState(error);
      throw translate(error);
    }
  };

  readonly #savepoint: TransactionRunner["savepoint"] = async (work) => {
    const before = this.failure;
    await this.#plain("SAVEPOINT attempt");
    try {
      const value = await work();
      await this.#plain("RELEASE SAVEPOINT attempt");
      return value;
    } catch (error) {
      await this.#plain("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt");
      // After a deadlock the whole is tried again.
      if (!isDeadlock(this.failure)) this.failure = before;
      throw error;
    }
  };

  async #commit(): Promise<void> {
    const { command } = await this.#plain("COMMIT");
    // PostgreSQL answers COMMIT with ROLLBACK when a statement had failed and its error was swallowed.
    if (command !== "COMMIT") {
      throw new AppError(
        "INTERNAL_ERROR",
        "The transaction was rolled back because a statement in it had failed.",
      );
    }
  }

  async #rollback(): Promise<void> {
    try {
      await this.#plain("ROLLBACK");
    } catch {
      // The connection is gone, and the transaction with it.
    }
  }

  #plain(text: string): Promise<Bun.SQL.ResultMetadata> {
    return this.#connection.unsafe(text).simple();
  }
}

const tooLong = () =>
  new AppError("TIMEOUT", `The transaction took more than ${LIFETIME / 1000} s and was rolled back.`);
