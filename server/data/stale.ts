/**
 * Work that was planned against one schema and met the tables of a newer one, because the change committed in between: it
 * is planned anew, from the start. What was answered, or told to others, is never done twice.
 */
import { AppError } from "../core/errors";
import type { Schema } from "../core/schema/model";
import { sqlState } from "../platform/postgres";
import type { Data } from "./door";
import type { Snapshot } from "./snapshot";

/** Runs work that changes nothing when it throws, and runs it again where only the schema was in the way. */
export type Again = <T>(work: () => Promise<T>) => Promise<T>;

export type StaleParts = {
  readonly snapshot: () => Snapshot;
  /** Reads definitions and rules anew; resolves when the snapshot is at least as new as the database was at the call. */
  readonly reloadSchema: () => Promise<void>;
  /** ms from any moment on; those of the process unless told. */
  readonly elapsed?: () => number;
};

/** How long one request follows a schema that goes on changing, ms from its first failure. */
const patience = 10_000;

/**
 * What PostgreSQL says to a statement for tables that are no longer so: names, types, functions or unique rules that are
 * gone, and results of another type than a kept plan had promised.
 */
const staleStates: ReadonlySet<string> = new Set([
  "42703", // column
  "42P01", // table
  "42704", // type or constraint
  "42883", // operator or function, for the types that there are now
  "42804", // type of a value
  "42P10", // unique rule of an upsert
  "42809", // kind of object
  "428C9", // value for a column that is calculated now
  "0A000", // a plan that was kept
]);
/** A table that was dropped while the statement waited for it. */
const vanished = /could not open relation|cache lookup failed/;

function isStale(error: unknown): boolean {
  const state = sqlState(error);
  if (state === null || (typeof error === "object" && error !== null && done.has(error))) return false;
  return staleStates.has(state) || (state === "XX000" && vanished.test(messageOf(error)));
}

function messageOf(error: unknown): string {
  const cause = error instanceof AppError ? error.cause : error;
  return cause instanceof Error ? cause.message : "";
}

/** Failures of what followed a commit. */
const done = new WeakSet<object>();

/** Marks a failure of what followed a commit: the work before it is done and must not be repeated. Gives the error. */
export function markDone(error: unknown): unknown {
  if (typeof error === "object" && error !== null) done.add(error);
  return error;
}

/**
 * Makes the function that runs work again. A failure with the schema unchanged is the statement's own.
 * @throws AppError CONFLICT when the schema kept changing; else what the work throws
 */
export function retryStale({ snapshot, reloadSchema, elapsed = () => performance.now() }: StaleParts): Again {
  const follow = async <T>(work: () => Promise<T>, planned: Schema, failure: unknown): Promise<T> => {
    const start = elapsed();
    let [schema, error] = [planned, failure];
    for (let turn = 1; ; turn++) {
      if (!isStale(error)) throw error;
      // The swap of our own process follows its commit at once; of another one's change only the database knows.
      if (snapshot().schema === schema) await reloadSchema();
      const isKept = snapshot().schema === schema;
      if (isKept && !(sqlState(error) === "0A000" && turn === 1)) throw error;
      if (elapsed() - start > patience) {
        throw new AppError("CONFLICT", "The schema changed meanwhile; try again.", null, { cause: error });
      }
      ({ schema } = snapshot());
      try {
        return await work();
      } catch (next) {
        error = next;
      }
    }
  };
  // Nearly all work needs one turn, which costs it no more than a promise.
  return (work) => {
    const { schema } = snapshot();
    try {
      return work().catch((error: unknown) => follow(work, schema, error));
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

/** Calls that give no promise, or (`stream`) follow the schema batch by batch. */
const apart: ReadonlySet<string> = new Set<keyof Data>([
  "requireRight",
  "beforeWrite",
  "joinWrites",
  "onWrite",
  "stream",
]);

/** The door whose calls follow the schema. Of a transaction the whole is run again. */
export function followSchema(door: Data, again: Again): Data {
  const calls = Object.entries(door).map(([name, call]) => {
    if (apart.has(name)) return [name, call] as const;
    const work = call as (...given: readonly unknown[]) => Promise<unknown>;
    return [name, (...given: readonly unknown[]) => again(() => work(...given))] as const;
  });
  return Object.fromEntries(calls) as Data;
}
