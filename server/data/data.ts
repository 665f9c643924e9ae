/** THE DOOR: the one pipeline from an actor and a request to rows. What reading and writing do lies in their own files. */
import { isAggregate } from "../core/query/aggregate";
import { auditCollection } from "../core/query/audit";
import type { Actor } from "../core/access/actor";
import { AppError } from "../core/errors";
import { takeNamedLock } from "../core/schema/store";
import type { Database, Runner, TransactionRunner } from "../platform/postgres";
import { requireRight } from "./access";
import type { CommittedWrite, Data, PendingWrite, RawQuery, TransactionOptions, WriteJoin } from "./door";
import { readGroups } from "./aggregate";
import { removeEntries } from "./auditLog";
import { explainRead } from "./explain";
import { nestedOf } from "./nested";
import { readAll, readItem, readPage, type ReadParts } from "./read";
import type { Snapshot } from "./snapshot";
import { sortOf } from "./sort";
import { type Again, followSchema, markDone, retryStale } from "./stale";
import type { Totals } from "./totals";
import { createTurns, type Turns } from "./turns";
import { upsertOf } from "./upsert";
import { writesOf } from "./write";

/** What the door needs: the database, the current snapshot, and the time in milliseconds since 1970. */
export type DataParts = {
  readonly database: Database;
  readonly snapshot: () => Snapshot;
  /** Brings the snapshot up to the database, for statements that a schema change overtook. */
  readonly reloadSchema: () => Promise<void>;
  readonly now: () => number;
  /** Totals of lists that are remembered; commits through this door drop those that they may change. */
  readonly totals: Totals;
};

type Listeners = {
  readonly before: ((write: PendingWrite) => void)[];
  readonly after: ((write: CommittedWrite) => Promise<void> | void)[];
  readonly joins: Map<string, { readonly join: WriteJoin; readonly deletes: boolean }>;
};

/** Opens the door. */
export function createData(parts: DataParts): Data {
  const listeners: Listeners = { before: [], after: [], joins: new Map() };
  const announce = async (writes: readonly CommittedWrite[]): Promise<void> => {
    try {
      for (const { collection } of writes) parts.totals.touched(collection);
      // Each write leaves its entry there by itself.
      if (writes.length > 0) parts.totals.touched(auditCollection);
      for (const write of writes) {
        for (const listener of listeners.after) {
          const told = listener(write);
          // Most listen for other collections, and are done at once.
          if (told) await told;
        }
      }
    } catch (error) {
      throw markDone(error);
    }
  };
  const again = retryStale(parts);
  const shared: DoorParts = { ...parts, turns: createTurns() };
  const door = doorOn(shared, {
    runner: parts.database,
    again,
    attempt: (work) => work(),
    listeners,
    committed: (write) => announce([write]),
    transaction: async (work, options) => {
      const writes: CommittedWrite[] = [];
      const result = await parts.database.transaction((runner) => {
        writes.length = 0;
        return work(runner, writes);
      }, options);
      await announce(writes);
      return result;
    },
  });
  return followSchema(door, again);
}

/** How statements run: each alone, or all in one transaction whose writes are told after the commit. */
type Mode = {
  readonly runner: Runner;
  /** For what is read batch by batch; inside a transaction the whole is run again. */
  readonly again: Again;
  /** Runs `work` so that its failure undoes what it did and no more. */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T>;
  readonly listeners: Listeners;
  readonly committed: (write: CommittedWrite) => Promise<void> | void;
  readonly transaction: <T>(
    work: (runner: TransactionRunner, writes: CommittedWrite[]) => Promise<T>,
    options?: TransactionOptions,
  ) => Promise<T>;
};

/** What all doors of one server share. */
type DoorParts = DataParts & { readonly turns: Turns };

function doorOn(parts: DoorParts, mode: Mode): Data {
  const { runner } = mode;
  const { again } = mode;
  const totals = runner === parts.database ? parts.totals : null;
  const reading: ReadParts = { ...parts, runner, again, totals };
  const read: Data["read"] = (actor, collection, query, signal) =>
    (isAggregate(query) ? readGroups : readPage)(reading, actor, collection, query, signal);

  const transaction: Data["transaction"] = (work, options) =>
    mode.transaction(
      (inner, writes) =>
        work(
          doorOn(parts, {
            runner: inner,
            again: (once) => once(),
            attempt: (once) => undoTogether(inner, writes, once),
            listeners: mode.listeners,
            committed: (write) => void writes.push(write),
            transaction: (nested) => nested(inner, writes),
          }),
        ),
      options,
    );

  const writing = {
    runner,
    snapshot: parts.snapshot,
    now: parts.now,
    returnsOld: Number.parseInt(parts.database.version, 10) >= 18,
    turns: parts.turns,
    attempt: mode.attempt,
    transaction,
    isInside: runner !== parts.database,
    pending: (write: PendingWrite): void => {
      for (const listener of mode.listeners.before) listener(write);
    },
    joinOf: (collection: string, action: PendingWrite["action"]) => {
      const joined = mode.listeners.joins.get(collection);
      return action !== "delete" || joined?.deletes ? joined?.join : undefined;
    },
    committed: mode.committed,
  };
  const { createNew, ...writes } = writesOf(writing);
  const stream: Data["stream"] = (actor, collection, query, signal) =>
    readAll(reading, actor, collection, query, signal);

  const door: Data = {
    read,
    readOne: (actor, collection, id, query = {}) => readItem(reading, actor, collection, id, query),
    stream,
    find: async <T>(actor: Actor, collection: string, query: RawQuery) =>
      JSON.parse((await read(actor, collection, query)).json) as readonly T[],
    explain: (asker, caller, explained) => explainRead(reading, asker, caller, explained),
    requireRight: (actor, name, action, fields) =>
      requireRight(parts.snapshot(), actor, name, action, fields),
    ...writes,
    ...nestedOf(
      { ...writing, stream },
      { ...writes, upsert: upsertOf({ ...writing, ...writes, createNew }) },
    ),
    ...sortOf({ ...writing, update: writes.update, readOne: (...asked) => door.readOne(...asked) }),
    removeEntries: async (actor, before) => {
      if (actor.kind !== "system")
        throw new AppError("FORBIDDEN", "Entries of the audit log end by themselves; nobody deletes them");
      const removed = await removeEntries(runner, before);
      if (removed > 0) parts.totals.touched(auditCollection);
      return removed;
    },
    transaction,
    hold: async (name) => {
      if (!writing.isInside) throw new AppError("INTERNAL_ERROR", "Only a transaction holds a name.");
      await runner.run(takeNamedLock(name));
    },
    attempt: (work) => (writing.isInside ? mode.attempt(() => work(door)) : transaction(work)),
    beforeWrite: (listener) => void mode.listeners.before.push(listener),
    joinWrites: (collection, join, { deletes = false } = {}) =>
      void mode.listeners.joins.set(collection, { join, deletes }),
    onWrite: (listener) => void mode.listeners.after.push(listener),
  };
  return door;
}

/** Undoes the work of a part of a transaction when it fails: its rows, and what would be told of them. */
async function undoTogether<T>(
  { savepoint }: TransactionRunner,
  writes: CommittedWrite[],
  work: () => Promise<T>,
): Promise<T> {
  const before = writes.length;
  try {
    return await savepoint(work);
  } catch (error) {
    writes.length = before;
    throw error;
  }
}
