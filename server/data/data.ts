/** THE DOOR: the one pipeline from an actor and a request to rows, top to bottom. */
import type { ErrorCode, ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { AppError } from "../core/errors";
import { type AuthorizedTarget, authorizeWrite } from "../core/query/authorize";
import {
  compileCreate,
  compileRemove,
  compileUpdate,
  encodeKeys,
  encodeRows,
} from "../core/query/compileWrite";
import { isAggregate } from "../core/query/aggregate";
import { parseFilter } from "../core/query/filter";
import { planCondition } from "../core/query/plan";
import { bind, type Binding } from "../core/query/variables";
import { completeWrite, parseKeys, planWrite, type WriteEntry, type WritePlan } from "../core/query/write";
import type { Database, Row, Runner, TransactionRunner } from "../platform/postgres";
import { collectionFor } from "./access";
import type { CommittedWrite, Data, PendingWrite, RawQuery, WriteBody } from "./door";
import { readGroups } from "./aggregate";
import { explainRead } from "./explain";
import { optionsFor, readAll, readItem, readPage, type ReadParts } from "./read";
import type { Snapshot } from "./snapshot";
import { afterCommit, type Again, followSchema, retryStale } from "./stale";
import type { Totals } from "./totals";

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
};

/** Opens the door. */
export function createData(parts: DataParts): Data {
  const listeners: Listeners = { before: [], after: [] };
  const announce = (writes: readonly CommittedWrite[]): Promise<void> =>
    afterCommit(async () => {
      for (const { collection } of writes) parts.totals.touched(collection);
      for (const write of writes) for (const listener of listeners.after) await listener(write);
    });
  const again = retryStale(parts);
  const door = doorOn(parts, {
    runner: parts.database,
    again,
    attempt: (work) => work(),
    listeners,
    committed: (write) => announce([write]),
    transaction: async (work) => {
      const writes: CommittedWrite[] = [];
      const result = await parts.database.transaction((runner) => {
        writes.length = 0;
        return work(runner, (write) => void writes.push(write));
      });
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
    work: (runner: TransactionRunner, committed: (write: CommittedWrite) => void) => Promise<T>,
  ) => Promise<T>;
};

function doorOn(parts: DataParts, mode: Mode): Data {
  const { runner } = mode;
  const bindingOf = (actor: Actor, inputs?: readonly (string | null)[]): Binding => ({
    actor,
    now: parts.now(),
    ...(inputs && { inputs }),
  });

  const pending = (write: PendingWrite): void => {
    for (const listener of mode.listeners.before) listener(write);
  };

  const { again } = mode;
  const totals = runner === parts.database ? parts.totals : null;
  const reading: ReadParts = { ...parts, runner, again, totals };
  const read: Data["read"] = (actor, collection, query, signal) =>
    (isAggregate(query) ? readGroups : readPage)(reading, actor, collection, query, signal);

  /** Tries the targets in turn. `keyed`: every row of the plan names a row that must be there. */
  const write = async (
    actor: Actor,
    plan: WritePlan,
    { filter, keyed, stamp }: { filter?: unknown; keyed?: true; stamp?: WriteBody | undefined },
    compile: typeof compileCreate,
  ): Promise<readonly ItemId[]> => {
    const { schema, rules } = parts.snapshot();
    const condition =
      filter === undefined ? null : planCondition(schema, plan.collection, parseFilter(filter));
    const targets = authorizeWrite(
      plan.collection,
      plan.action,
      plan.columns,
      condition,
      accessOf(rules, schema, actor),
    );
    const writeTo = async (target: AuthorizedTarget): Promise<readonly ItemId[]> => {
      const complete = completeWrite(plan, target, bindingOf(actor), stamp);
      const statement = compile(target, complete, schema.version);
      const bound = bind(statement, bindingOf(actor, [encodeRows(complete)]));
      const ids = keysOf(await runner.run(bound, optionsFor(actor)));
      if (keyed && ids.length < plan.rows.length) throw notFound();
      return ids;
    };
    if (targets.length === 1) return writeTo(targets[0]);
    const refusals: AppError[] = [];
    for (const target of targets) {
      try {
        return await mode.attempt(() => writeTo(target));
      } catch (error) {
        if (!(error instanceof AppError && tryNext.has(error.code))) throw error;
        refusals.push(error);
      }
    }
    throw refusals[0] ?? notFound();
  };

  const create: Data["create"] = async (actor, name, bodies, stamp) => {
    if (bodies.length === 0) return [];
    pending({ actor, collection: name, action: "create", ids: [], bodies });
    const collection = collectionFor(parts.snapshot(), actor, name, "create");
    const plan = planWrite(
      collection,
      "create",
      bodies.map((data) => ({ data })),
    );
    const ids = await write(actor, plan, { stamp }, compileCreate);
    await mode.committed({ collection: name, action: "create", ids });
    return ids;
  };

  const update: Data["update"] = async (actor, name, entries) => {
    if (entries.length === 0) return [];
    if (entries.length > 1 && runner === parts.database)
      return transaction((rows) => rows.update(actor, name, entries));
    pending({
      actor,
      collection: name,
      action: "update",
      ids: entries.map(({ id }) => id),
      bodies: entries.map(({ data }) => data),
    });
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    const plan = planWrite(
      collection,
      "update",
      entries.map(({ id, data }): WriteEntry => ({ key: id, data })),
    );
    const ids = await write(actor, plan, { keyed: true }, compileUpdate);
    await mode.committed({ collection: name, action: "update", ids });
    return ids;
  };

  const updateWhere: Data["updateWhere"] = async (actor, name, filter, data) => {
    pending({ actor, collection: name, action: "update", ids: [], bodies: [data] });
    const plan = planWrite(collectionFor(parts.snapshot(), actor, name, "update"), "update", [{ data }]);
    const ids = await write(actor, plan, { filter }, compileUpdate);
    if (ids.length > 0) await mode.committed({ collection: name, action: "update", ids });
    return ids;
  };

  const remove: Data["remove"] = async (actor, name, ids) => {
    if (ids.length === 0) return [];
    if (ids.length > 1 && runner === parts.database)
      return transaction((rows) => rows.remove(actor, name, ids));
    pending({ actor, collection: name, action: "delete", ids, bodies: [] });
    const { schema, rules } = parts.snapshot();
    const collection = collectionFor(parts.snapshot(), actor, name, "delete");
    const [target] = authorizeWrite(collection, "delete", [], null, accessOf(rules, schema, actor));
    const keys = parseKeys(collection, ids);
    const bound = bind(compileRemove(target, schema.version), bindingOf(actor, [encodeKeys(keys)]));
    const removed = keysOf(await runner.run(bound, optionsFor(actor)));
    if (removed.length < keys.length) throw notFound();
    await mode.committed({ collection: name, action: "delete", ids: removed });
    return removed;
  };

  const transaction: Data["transaction"] = (work) =>
    mode.transaction((inner, committed) =>
      work(
        doorOn(parts, {
          runner: inner,
          again: (once) => once(),
          attempt: inner.savepoint,
          listeners: mode.listeners,
          committed,
          transaction: (nested) => nested(inner, committed),
        }),
      ),
    );

  return {
    read,
    readOne: (actor, collection, id, query = {}) => readItem(reading, actor, collection, id, query),
    stream: (actor, collection, query, signal) => readAll(reading, actor, collection, query, signal),
    find: async <T>(actor: Actor, collection: string, query: RawQuery) =>
      JSON.parse((await read(actor, collection, query)).json) as readonly T[],
    explain: (asker, caller, explained) => explainRead(reading, asker, caller, explained),
    requireRight: (actor, name, action) => void collectionFor(parts.snapshot(), actor, name, action),
    create,
    update,
    updateWhere,
    remove,
    transaction,
    beforeWrite: (listener) => void mode.listeners.before.push(listener),
    onWrite: (listener) => void mode.listeners.after.push(listener),
  };
}

/** Refusals that another grant, with other default values, may not share. */
const tryNext: ReadonlySet<ErrorCode> = new Set([
  "FORBIDDEN",
  "NOT_FOUND",
  "VALIDATION_ERROR",
  "REQUIRED_FIELD",
]);

function keysOf(rows: readonly Row[]): readonly ItemId[] {
  return rows.map((row) => row[0] as ItemId);
}

function notFound(): AppError {
  return new AppError("NOT_FOUND", "Item not found");
}
