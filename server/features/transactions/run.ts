/** Runs the operations of a transaction one after the other, each with the caller's own rights, all of them or none. */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Schema } from "../../core/schema/model";
import { type Data, guestOf, type WriteBody } from "../../data";
import { checkJson } from "../../http";
import {
  changeItems,
  isDeletion,
  itemText,
  type KeepsDeleted,
  listText,
  readEntry,
  readOn,
  readVersion,
  writtenItems,
} from "../items";
import { requireAccount } from "../sort";
import { fill, type Operation, type Transaction } from "./model";
import { fillText, type Result } from "./references";

/** Most characters that all results have together. */
const answerLimit = 16 * 1024 * 1024;

/** Whose operations. An aborted `signal` ends reads, and where it is not under a key the whole. */
export type Caller = {
  readonly actor: Actor;
  readonly keepsDeleted: KeepsDeleted;
  readonly schema: () => Schema;
  readonly signal: AbortSignal;
};

/**
 * Gives the results as JSON texts, in order.
 * @throws AppError of the operation that failed, with `details.operation`; nothing is written then.
 */
export function runTransaction(
  data: Data,
  caller: Caller,
  { operations, names }: Transaction,
): Promise<readonly string[]> {
  // Called again after a deadlock: it begins with nothing.
  const perform = async (rows: Data): Promise<readonly string[]> => {
    const results: Result[] = [];
    const texts: string[] = [];
    const read = fillText(names, results);
    let size = 0;
    await takeTurns(rows, caller.actor, operations);
    for (const [index, operation] of operations.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      const text = await performing(index, async () => {
        const filled = fill(operation, index, caller.schema(), read);
        return run(rows, caller, filled, `operations[${index}]`);
      });
      size += text.length;
      if (size > answerLimit)
        throw new AppError("QUERY_TOO_COMPLEX", "operations: the results are larger than 16 MiB; read less");
      texts.push(text);
      results.push(resultOf(text));
    }
    return texts;
  };
  return data.transaction(perform, { ...guestOf(caller.actor), signal: caller.signal });
}

/** What a sort that is refused says; in its place it says so again. */
const refusals: ReadonlySet<string> = new Set(["BAD_REQUEST", "FORBIDDEN", "UNKNOWN_COLLECTION"]);

/** Those who sort a collection take turns. Whoever waits for one holds nothing yet that the one before may want. */
async function takeTurns(rows: Data, actor: Actor, operations: readonly Operation[]): Promise<void> {
  if (actor.kind === "anonymous") return;
  const sorted = operations.flatMap(({ action, collection }) => (action === "sort" ? [collection] : []));
  for (const collection of [...new Set(sorted)].toSorted()) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- in one order
      await rows.reorder(actor, collection, []);
    } catch (error) {
      if (!(error instanceof AppError && refusals.has(error.code))) throw error;
    }
  }
}

function resultOf(text: string): Result {
  let value: unknown;
  return () => (value ??= JSON.parse(text));
}

/** Tells of an error which operation it is of; its code, and so its status, stays. */
async function performing(index: number, work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const place = `operations[${index}]`;
    const message = error.message.startsWith(place) ? error.message : `${place}: ${error.message}`;
    throw new AppError(error.code, message, detailsOf(error.details, index), { cause: error });
  }
}

function detailsOf(details: unknown, operation: number): object {
  if (Array.isArray(details)) return { operation, errors: details };
  return typeof details === "object" && details !== null ? { ...details, operation } : { operation };
}

async function run(rows: Data, caller: Caller, operation: Operation, place: string): Promise<string> {
  const { actor, keepsDeleted, signal } = caller;
  const { collection } = operation;
  const target = { rows, actor, collection, keepsDeleted };
  switch (operation.action) {
    case "create": {
      const { data, query } = operation;
      checkJson(data);
      const ids = await rows.create(actor, collection, Array.isArray(data) ? data : [data]);
      return Array.isArray(data) ? several(ids) : one(target, { id: first(ids) }, query?.fields);
    }
    case "update": {
      const { id, filter, data, query } = operation;
      checkJson(data);
      if (filter !== undefined)
        return several(await rows.updateWhere(actor, collection, filter, data as WriteBody));
      if (Array.isArray(data)) {
        const entries = data.map((entry, i) =>
          readEntry(entry as { id: ItemId }, `${place}.data[${i}].version`),
        );
        return several(await changeItems(target, entries));
      }
      const version = readVersion(operation.version, `${place}.version`);
      const entry = { id: id ?? "", data, ...(version !== undefined && { version }) };
      const changed = { id: first(await changeItems(target, [entry])) };
      return one(target, changed, query?.fields, isDeletion(data) && keepsDeleted(collection));
    }
    case "delete": {
      const { id, filter, permanent } = operation;
      const options = permanent === true ? { permanent } : {};
      if (filter !== undefined) return several(await rows.removeWhere(actor, collection, filter, options));
      if (Array.isArray(id)) return several(await rows.remove(actor, collection, id, options));
      const version = readVersion(operation.version, `${place}.version`);
      const removed = await rows.remove(actor, collection, [id ?? ""], {
        ...options,
        ...(version !== undefined && { version }),
      });
      return JSON.stringify({ id: first(removed) });
    }
    case "upsert": {
      const { on, filter, data, query } = operation;
      checkJson(data);
      const bodies = Array.isArray(data) ? data : [data];
      const named = on === undefined ? { filter } : { on: readOn(on) };
      const upserted = await rows.upsert(actor, collection, named, bodies);
      if (!Array.isArray(data))
        return one(target, { ...upserted[0], id: upserted[0]?.id ?? "" }, query?.fields);
      const written = writtenItems(upserted.map(({ id }) => id));
      return JSON.stringify({ ...written, created: upserted.map(({ created }) => created) });
    }
    case "restore": {
      const { id, query } = operation;
      const restored = await rows.restore(actor, collection, Array.isArray(id) ? id : [id]);
      return Array.isArray(id) ? several(restored) : one(target, { id: first(restored) }, query?.fields);
    }
    case "sort": {
      requireAccount(actor);
      const { id, to, mode = "before" } = operation;
      if (Array.isArray(id)) return several(await rows.reorder(actor, collection, id));
      return JSON.stringify({
        id,
        newSort: await rows.move(actor, collection, { item: id, to: to ?? "", mode }),
      });
    }
    case "read": {
      const { id, query = {} } = operation;
      if (id === undefined) return listText(await rows.read(actor, collection, query, signal));
      const item = await rows.readOne(actor, collection, id, query);
      return `${itemText(item).slice(0, -1)},"version":"${item.version}"}`;
    }
  }
}

function several(ids: readonly ItemId[]): string {
  return JSON.stringify(writtenItems(ids));
}

/** Every verb of the door gives a key for each item, or refuses. */
function first(ids: readonly ItemId[]): ItemId {
  const [id] = ids;
  if (id === undefined) throw new AppError("NOT_FOUND", "Item not found");
  return id;
}

type Target = Parameters<typeof changeItems>[0] & { readonly rows: Data };

/** What became of one item, with the item in `data` where fields were asked for. */
async function one(
  { rows, actor, collection }: Target,
  result: { readonly id: ItemId; readonly created?: boolean },
  fields: unknown,
  mayBeDeleted = false,
): Promise<string> {
  const text = JSON.stringify(result);
  if (fields === undefined) return text;
  const query = mayBeDeleted ? { fields, paranoid: false } : { fields };
  const item = itemText(await rows.readOne(actor, collection, result.id, query));
  return `${text.slice(0, -1)},${item.slice(1)}`;
}
