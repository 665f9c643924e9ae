/** THE DOOR: the one pipeline from an actor and a request to rows, top to bottom. */
import type { Action, ItemId } from "@baasix/types";
import { accessOf, refusal } from "../core/access/policy";
import { type Actor, roleKey } from "../core/access/actor";
import { AppError } from "../core/errors";
import { authorizeRead, authorizeWrite } from "../core/query/authorize";
import { compileRead, type ReadShape } from "../core/query/compile";
import {
  compileCreate,
  compileRemove,
  compileUpdate,
  encodeKeys,
  encodeRows,
} from "../core/query/compileWrite";
import { parseFilter } from "../core/query/filter";
import { parseRead } from "../core/query/parse";
import { findCollection, planCondition, planRead } from "../core/query/plan";
import { bind, type Binding, type CompiledStatement } from "../core/query/variables";
import {
  completeWrite,
  parseKey,
  parseKeys,
  planWrite,
  type WriteEntry,
  type WritePlan,
} from "../core/query/write";
import type { Collection } from "../core/schema/model";
import type { Database, Row, RunOptions, Runner } from "../platform/postgres";
import type { CommittedWrite, Data, PendingWrite, RawQuery, ReadOneAnswer, WriteBody } from "./door";
import type { Snapshot } from "./snapshot";

/** What the door needs: the database, the current snapshot, and the time in milliseconds since 1970. */
export type DataParts = {
  readonly database: Database;
  readonly snapshot: () => Snapshot;
  readonly now: () => number;
};

type Listeners = {
  readonly before: ((write: PendingWrite) => void)[];
  readonly after: ((write: CommittedWrite) => Promise<void> | void)[];
};

/** Opens the door. */
export function createData(parts: DataParts): Data {
  const listeners: Listeners = { before: [], after: [] };
  const announce = async (writes: readonly CommittedWrite[]): Promise<void> => {
    for (const write of writes) for (const listener of listeners.after) await listener(write);
  };
  return doorOn(parts, {
    runner: parts.database,
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
}

/** How statements run: each alone, or all in one transaction whose writes are told after the commit. */
type Mode = {
  readonly runner: Runner;
  readonly listeners: Listeners;
  readonly committed: (write: CommittedWrite) => Promise<void> | void;
  readonly transaction: <T>(
    work: (runner: Runner, committed: (write: CommittedWrite) => void) => Promise<T>,
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

  const read: Data["read"] = async (actor, collection, query, signal) => {
    const options = optionsFor(actor, signal);
    const statement = readStatement(parts.snapshot(), actor, collection, query, "list");
    const rows = await runner.run(bind(statement, bindingOf(actor)), options);
    const first = rows[0];
    if (first) {
      return {
        json: joinRows(rows),
        totalCount: Number(first[2]),
        truncated: rows.some((row) => row[1] === true),
      };
    }
    if (statement.first) return { json: "[]", totalCount: 0, truncated: false };
    // The page is empty, and with it the column that carries the total.
    const count = readStatement(parts.snapshot(), actor, collection, query, "count");
    const counted = await runner.run(bind(count, bindingOf(actor)), options);
    return { json: "[]", totalCount: Number(counted[0]?.[0] ?? 0), truncated: false };
  };

  const readOne = async (
    actor: Actor,
    collection: string,
    id: ItemId,
    query: RawQuery = {},
  ): Promise<ReadOneAnswer> => {
    const key = parseKey(collectionFor(parts.snapshot(), actor, collection, "read"), id);
    const statement = readStatement(parts.snapshot(), actor, collection, query, "one");
    const rows = await runner.run(bind(statement, bindingOf(actor, [key])), optionsFor(actor));
    const [json, cut] = rows[0] ?? [];
    if (typeof json !== "string") throw notFound();
    return { json, truncated: cut === true };
  };

  const write = async (
    actor: Actor,
    plan: WritePlan,
    filter: unknown,
    compile: typeof compileCreate,
    stamp?: WriteBody,
  ): Promise<readonly ItemId[]> => {
    const { schema, rules } = parts.snapshot();
    const condition =
      filter === undefined ? null : planCondition(schema, plan.collection, parseFilter(filter));
    const target = authorizeWrite(
      plan.collection,
      plan.action,
      plan.columns,
      condition,
      accessOf(rules, schema, actor),
    );
    const complete = completeWrite(plan, target, bindingOf(actor), stamp);
    const statement = compile(target, complete, schema.version);
    const bound = bind(statement, bindingOf(actor, [encodeRows(complete)]));
    return keysOf(await runner.run(bound, optionsFor(actor)));
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
    const ids = await write(actor, plan, undefined, compileCreate, stamp);
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
    const ids = await write(actor, plan, undefined, compileUpdate);
    if (ids.length < plan.rows.length) throw notFound();
    await mode.committed({ collection: name, action: "update", ids });
    return ids;
  };

  const updateWhere: Data["updateWhere"] = async (actor, name, filter, data) => {
    pending({ actor, collection: name, action: "update", ids: [], bodies: [data] });
    const plan = planWrite(collectionFor(parts.snapshot(), actor, name, "update"), "update", [{ data }]);
    const ids = await write(actor, plan, filter, compileUpdate);
    if (ids.length > 0) await mode.committed({ collection: name, action: "update", ids });
    return ids;
  };

  const remove: Data["remove"] = async (actor, name, ids) => {
    if (ids.length === 0) return [];
    if (ids.length > 1 && runner === parts.database)
      return transaction((rows) => rows.remove(actor, name, ids));
    pending({ actor, collection: name, action: "delete", ids, bodies: [] });
    const { schema, rules } = parts.snapshot();
    const collection = findCollection(schema, name);
    const target = authorizeWrite(collection, "delete", [], null, accessOf(rules, schema, actor));
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
          listeners: mode.listeners,
          committed,
          transaction: (nested) => nested(inner, committed),
        }),
      ),
    );

  return {
    read,
    readOne,
    find: async <T>(actor: Actor, collection: string, query: RawQuery) =>
      JSON.parse((await read(actor, collection, query)).json) as readonly T[],
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

/** parse → plan → authorize → compile. Kept per snapshot and role, for as long as the snapshot lives. */
function readStatement(
  snapshot: Snapshot,
  actor: Actor,
  collection: string,
  query: RawQuery,
  shape: ReadShape,
): KeptStatement {
  const kept = keptStatements(snapshot);
  const key = `${roleKey(actor)} ${shape} ${collection} ${JSON.stringify(query)}`;
  const known = kept.get(key);
  if (known) return known;
  collectionFor(snapshot, actor, collection, "read");
  const { schema, rules } = snapshot;
  const plan = planRead(schema, parseRead(collection, query));
  const compiled = compileRead(authorizeRead(plan, accessOf(rules, schema, actor)), shape, schema.version);
  const statement: KeptStatement = { ...compiled, first: plan.offset === 0 && plan.limit > 0 };
  if (key.length <= keptKeyLength) {
    if (kept.size >= keptStatementCount) kept.clear();
    kept.set(key, statement);
  }
  return statement;
}

/** `first`: the first page, with room for rows; when it is empty, nothing matches. */
type KeptStatement = CompiledStatement & { readonly first: boolean };

const keptStatementCount = 2000;
const keptKeyLength = 2000;
const statements = new WeakMap<Snapshot, Map<string, KeptStatement>>();

function keptStatements(snapshot: Snapshot): Map<string, KeptStatement> {
  let kept = statements.get(snapshot);
  if (!kept) statements.set(snapshot, (kept = new Map()));
  return kept;
}

/** A statement for a caller without an account may run this long, in ms; others have the limit of the pool. */
const publicTimeout = 5000;
const publicOptions: RunOptions = { timeout: publicTimeout };

function optionsFor(actor: Actor, signal?: AbortSignal): RunOptions | undefined {
  if (!signal) return actor.kind === "anonymous" ? publicOptions : undefined;
  return actor.kind === "anonymous" ? { signal, timeout: publicTimeout } : { signal };
}

/** Denies before the request is looked at: who has no right on the collection learns nothing about its fields. */
function collectionFor(snapshot: Snapshot, actor: Actor, name: string, action: Action): Collection {
  const { schema, rules } = snapshot;
  const collection = findCollection(schema, name);
  if (accessOf(rules, schema, actor)(collection, action) === null) throw refusal(collection, action);
  return collection;
}

function joinRows(rows: readonly Row[]): string {
  let json = "[";
  for (let i = 0; i < rows.length; i++) json += i === 0 ? rows[i]?.[0] : `,${rows[i]?.[0]}`;
  return `${json}]`;
}

function keysOf(rows: readonly Row[]): readonly ItemId[] {
  return rows.map((row) => row[0] as ItemId);
}

function notFound(): AppError {
  return new AppError("NOT_FOUND", "Item not found");
}
