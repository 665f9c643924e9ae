/** Writing through the door: parse → plan → authorize → compile → run, for one row, many, or all that a filter finds. */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { isJudgedByOthers } from "../core/access/tenants";
import { AppError } from "../core/errors";
import { keepingOf } from "../core/query/auditBulk";
import { leadsOn } from "../core/query/auditTrigger";
import { compileRemove, compileRestore, encodeKeys } from "../core/query/compileRemove";
import { compileCreate, compileUpdate } from "../core/query/compileWrite";
import { parseFilter } from "../core/query/filter";
import type { Named } from "../core/query/nestedBody";
import { type Planned, planCondition } from "../core/query/plan";
import { restricts } from "../core/query/upsert";
import { parseKeys, planWrite, readVersion } from "../core/query/write";
import type { Collection, Field } from "../core/schema/model";
import type { Runner } from "../platform/postgres";
import { collectionFor } from "./access";
import type {
  CommittedWrite,
  Data,
  PendingWrite,
  Rows,
  TransactionOptions,
  WriteBody,
  WriteJoin,
} from "./door";
import { type CompileWrite, fewRows, type Job, jobOf, perform } from "./perform";
import type { Snapshot } from "./snapshot";
import type { Turns } from "./turns";

/** What writing needs of the door that it is part of. */
export type WriteParts = {
  readonly runner: Runner;
  readonly snapshot: () => Snapshot;
  readonly now: () => number;
  /** See `compileUpdate`. */
  readonly returnsOld: boolean;
  /** Runs `work` so that its failure undoes what it did and no more. */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T>;
  /** Runs `work` on a door inside a transaction: this one, where it is inside already. */
  readonly transaction: Data["transaction"];
  readonly isInside: boolean;
  readonly pending: (write: PendingWrite) => void;
  readonly joinOf: (collection: string, action: PendingWrite["action"]) => WriteJoin | undefined;
  readonly committed: (write: CommittedWrite) => Promise<void> | void;
  /** Many rows are planned in turns. */
  readonly turns: Turns;
  /** What the bodies say of related items, where they are the items of a nested write (`nested.ts`). */
  readonly related?: RelatedWrite;
};

/** `named`: what the request names; `places`: of the bodies in the request, null where they are its own list. */
export type RelatedWrite = { readonly named: Named; readonly places: readonly string[] | null };

/**
 * The flat writes of a door. `createNew`: as `create`, leaving out rows whose values exist already, in these columns that
 * are unique together or in any unique ones; null leaves none out. `places`: of the bodies in the request, where they are not
 * its list as it came.
 */
export type Writes = Pick<
  Rows,
  "create" | "update" | "updateWhere" | "remove" | "removeWhere" | "restore"
> & {
  readonly createNew: (
    actor: Actor,
    collection: string,
    bodies: readonly WriteBody[],
    unique: readonly Field[] | "any" | null,
    places?: readonly string[],
  ) => Promise<readonly ItemId[]>;
};

type CreateOptions = {
  readonly stamp?: WriteBody | undefined;
  readonly skip?: readonly Field[] | "any" | undefined;
  readonly places?: readonly string[] | undefined;
};

/** Makes the writes of a door. */
export function writesOf(parts: WriteParts): Writes {
  const { pending, committed } = parts;
  const updateStatement: CompileWrite = (target, plan, version, form) =>
    compileUpdate(target, plan, version, { ...form, returnsOld: parts.returnsOld });

  const create = (
    actor: Actor,
    name: string,
    bodies: readonly WriteBody[],
    options: CreateOptions,
  ): Promise<readonly ItemId[]> => {
    const join = joinFor(parts, actor, name, "create");
    return join
      ? createJoined(join, actor, name, bodies, options)
      : createPlain(actor, name, bodies, options);
  };

  const createJoined = async (
    join: WriteJoin,
    actor: Actor,
    name: string,
    bodies: readonly WriteBody[],
    options: CreateOptions,
  ): Promise<readonly ItemId[]> => {
    if (bodies.length === 0) return [];
    if (!parts.isInside)
      return inside(parts, actor, name, "create", (rows) => rows.create(actor, name, bodies, options.stamp));
    const write = { actor, collection: name, action: "create", ids: [], bodies } as const;
    return joined(parts, join, write, (own) => createPlain(actor, name, own, options));
  };

  const createPlain = async (
    actor: Actor,
    name: string,
    bodies: readonly WriteBody[],
    { stamp, skip, places }: CreateOptions,
  ): Promise<readonly ItemId[]> => {
    if (bodies.length === 0) return [];
    pending({ actor, collection: name, action: "create", ids: [], bodies });
    if (bodies.length > fewRows) await parts.turns();
    const collection = collectionFor(parts.snapshot(), actor, name, "create");
    const plan = planWrite(
      collection,
      "create",
      bodies.map((data) => ({ data })),
      places ?? parts.related?.places,
    );
    const compile: CompileWrite = (target, complete, version, form) =>
      compileCreate(target, complete, version, { ...form, skip });
    const ids = await perform(parts, jobOf(parts, actor, plan, null, compile, { stamp, skip }));
    if (ids.length > 0) await committed({ collection: name, action: "create", ids });
    return ids;
  };

  const update: Rows["update"] = async (actor, name, entries) => {
    if (entries.length === 0) return [];
    if ((entries.length > 1 || holds(parts, actor, name, "update")) && !parts.isInside)
      return inside(parts, actor, name, "update", (rows) => rows.update(actor, name, entries));
    const join = joinFor(parts, actor, name, "update");
    if (!join) return updatePlain(actor, name, entries);
    if (!parts.isInside)
      return inside(parts, actor, name, "update", (rows) => rows.update(actor, name, entries));
    const ids = entries.map(({ id }) => id);
    const write = {
      actor,
      collection: name,
      action: "update",
      ids,
      bodies: entries.map(({ data }) => data),
    } as const;
    return joined(parts, join, write, (bodies) =>
      updatePlain(
        actor,
        name,
        entries.map((entry, i) => ({ ...entry, data: bodies[i] ?? {} })),
      ),
    );
  };

  const updatePlain: Rows["update"] = async (actor, name, entries) => {
    pending({
      actor,
      collection: name,
      action: "update",
      ids: entries.map(({ id }) => id),
      bodies: entries.map(({ data }) => data),
    });
    if (entries.length > fewRows) await parts.turns();
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    const plan = planWrite(
      collection,
      "update",
      entries.map(({ id, data, version }) => ({ key: id, data, version })),
      parts.related?.places,
    );
    const job = jobOf(parts, actor, plan, null, updateStatement);
    const held = holds(parts, actor, name, "update") ? plan.rows.flatMap(({ key }) => key ?? []) : null;
    const ids = await perform(parts, { ...job, held });
    await committed({ collection: name, action: "update", ids });
    return inOrder(
      ids,
      plan.rows.map(({ key }) => key),
    );
  };

  const updateWhere: Rows["updateWhere"] = async (actor, name, filter, data) => {
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    const condition = conditionOf(parts.snapshot(), collection, filter);
    if (goesByKey(collection, actor))
      return inside(parts, actor, name, "update", async (rows) => {
        const ids = await findKeys(rows, actor, collection, filter);
        return rows.update(
          actor,
          name,
          ids.map((id) => ({ id, data })),
        );
      });
    const join = joinFor(parts, actor, name, "update");
    if (!join) return updateWherePlain(actor, name, condition, data);
    if (!parts.isInside)
      return inside(parts, actor, name, "update", (rows) => rows.updateWhere(actor, name, filter, data));
    const write = { actor, collection: name, action: "update", ids: [], bodies: [data] } as const;
    return joined(parts, join, write, ([own = {}]) => updateWherePlain(actor, name, condition, own));
  };

  const updateWherePlain = async (
    actor: Actor,
    name: string,
    condition: Planned,
    data: WriteBody,
  ): Promise<readonly ItemId[]> => {
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    pending({ actor, collection: name, action: "update", ids: [], bodies: [data] });
    const plan = planWrite(collection, "update", [{ data }]);
    const ids = await perform(parts, jobOf(parts, actor, plan, condition, updateStatement));
    if (ids.length > 0) await committed({ collection: name, action: "update", ids });
    return ids;
  };

  const remove: Rows["remove"] = async (actor, name, ids, options = {}) => {
    if (ids.length === 0) return [];
    const join = joinFor(parts, actor, name, "delete");
    const isHeld = holds(parts, actor, name, "delete");
    if ((ids.length > 1 || isHeld || join) && !parts.isInside)
      return inside(parts, actor, name, "delete", (rows) => rows.remove(actor, name, ids, options));
    if (!join) return removePlain(actor, name, ids, options);
    const write = { actor, collection: name, action: "delete", ids, bodies: [] } as const;
    return joined(parts, join, write, () => removePlain(actor, name, ids, options));
  };

  const removePlain: Rows["remove"] = async (actor, name, ids, options = {}) => {
    const isHeld = holds(parts, actor, name, "delete");
    pending({ actor, collection: name, action: "delete", ids, bodies: [] });
    const collection = collectionFor(parts.snapshot(), actor, name, "delete");
    const keys = parseKeys(collection, ids);
    const wanted = readVersion(options.version);
    const form = {
      permanent: options.permanent === true,
      single: keys.length === 1,
      versioned: wanted !== null,
      leadsOn: leadsOn(parts.snapshot().schema, collection),
      keeping: keepingOf(keys.length),
    };
    const removed = await perform(parts, {
      actor,
      collection,
      action: "delete",
      columns: [],
      condition: null,
      rows: keys.length,
      form: form.single ? `delete ${form.permanent} ${form.versioned}` : null,
      held: isHeld ? keys : null,
      prepare: (target, version) => ({
        compile: () => compileRemove(target, form, version),
        input: encodeKeys(keys),
        wanted,
      }),
    });
    await committed({ collection: name, action: "delete", ids: removed });
    return inOrder(removed, keys);
  };

  const removeWhere: Rows["removeWhere"] = async (actor, name, filter, options = {}) => {
    const collection = collectionFor(parts.snapshot(), actor, name, "delete");
    const condition = conditionOf(parts.snapshot(), collection, filter);
    if (goesByKey(collection, actor))
      return inside(parts, actor, name, "delete", async (rows) =>
        rows.remove(actor, name, await findKeys(rows, actor, collection, filter), options),
      );
    const isHeld = holds(parts, actor, name, "delete");
    if (isHeld && !parts.isInside)
      return inside(parts, actor, name, "delete", (rows) => rows.removeWhere(actor, name, filter, options));
    pending({ actor, collection: name, action: "delete", ids: [], bodies: [] });
    const form = {
      permanent: options.permanent === true,
      single: false,
      versioned: false,
      leadsOn: leadsOn(parts.snapshot().schema, collection),
      keeping: "each",
    } as const;
    const ids = await perform(parts, {
      actor,
      collection,
      action: "delete",
      columns: [],
      condition,
      rows: Infinity,
      form: null,
      held: isHeld ? "matching" : null,
      prepare: (target, version) => ({ compile: () => compileRemove(target, form, version), input: null }),
    });
    if (ids.length > 0) await committed({ collection: name, action: "delete", ids });
    return ids;
  };

  const restore: Rows["restore"] = async (actor, name, ids) => {
    if (ids.length === 0) return [];
    if (ids.length > 1 && !parts.isInside)
      return inside(parts, actor, name, "update", (rows) => rows.restore(actor, name, ids));
    pending({ actor, collection: name, action: "update", ids, bodies: [] });
    const collection = collectionFor(parts.snapshot(), actor, name, "update");
    const mark = collection.fields.get("deletedAt");
    if (!collection.paranoid || !mark) {
      throw new AppError("INVALID_QUERY", `'${name}' keeps no deleted items (it is not 'paranoid')`);
    }
    const keys = parseKeys(collection, ids);
    const restored = await perform(parts, {
      actor,
      collection,
      action: "update",
      columns: [mark],
      condition: null,
      rows: keys.length,
      form: null,
      prepare: (target, version) => ({
        compile: () =>
          compileRestore(target, { single: keys.length === 1, keeping: keepingOf(keys.length) }, version),
        input: encodeKeys(keys),
      }),
    });
    await committed({ collection: name, action: "update", ids: restored });
    return inOrder(restored, keys);
  };

  return {
    create: (actor, name, bodies, stamp) => create(actor, name, bodies, { stamp }),
    createNew: (actor, name, bodies, skip, places) =>
      create(actor, name, bodies, { skip: skip ?? undefined, places }),
    update,
    updateWhere,
    remove,
    removeWhere,
    restore,
  };
}

/** True for rows that tenants share, where a role of one writes them: see `isJudgedByOthers`. */
function holds({ snapshot }: WriteParts, actor: Actor, name: string, action: Job["action"]): boolean {
  if (actor.kind !== "user" || actor.tenant === null) return false;
  const collection = snapshot().schema.collections.get(name);
  return collection !== undefined && isJudgedByOthers(collection, action);
}

/** Work of several statements, for which nobody holds a connection who has no right here at all. */
function inside<T>(
  { snapshot, transaction }: WriteParts,
  actor: Actor,
  name: string,
  action: Job["action"],
  work: (rows: Data) => Promise<T>,
): Promise<T> {
  collectionFor(snapshot(), actor, name, action);
  return transaction(work, guestOf(actor));
}

/** What takes part in the actor's writes of a collection. The server's own are what they are. */
function joinFor(
  { joinOf }: WriteParts,
  actor: Actor,
  name: string,
  action: Job["action"],
): WriteJoin | undefined {
  return actor.kind === "system" ? undefined : joinOf(name, action);
}

/** A write that a feature takes part in; inside a transaction. Nobody is heard who has no right here at all. */
async function joined(
  { snapshot, transaction }: WriteParts,
  join: WriteJoin,
  write: PendingWrite,
  plain: (bodies: readonly WriteBody[]) => Promise<readonly ItemId[]>,
): Promise<readonly ItemId[]> {
  collectionFor(snapshot(), write.actor, write.collection, write.action);
  const { bodies, after } = await transaction((rows) => join(write, rows));
  const ids = await plain(bodies);
  await after?.(ids);
  return ids;
}

/** How an actor's transactions wait for a connection. */
export function guestOf({ kind }: Actor): TransactionOptions {
  return { guest: kind === "anonymous" };
}

/** What a write by filter is about. @throws AppError INVALID_QUERY for a filter that leaves nothing out */
function conditionOf({ schema }: Snapshot, collection: Collection, filter: unknown): Planned {
  const parsed = filter === undefined || filter === null ? null : parseFilter(filter);
  if (parsed === null || !restricts(parsed)) {
    throw new AppError("INVALID_QUERY", "filter: say which items are meant; an empty filter never means all");
  }
  return planCondition(schema, collection, parsed);
}

/** What listens before writes of the built-in collections judges the items that are named; of these, none does. */
function goesByKey({ system, name }: Collection, actor: Actor): boolean {
  return system && name !== "baasix_Notification" && actor.kind !== "system";
}

async function findKeys(
  rows: Rows,
  actor: Actor,
  collection: Collection,
  filter: unknown,
): Promise<readonly ItemId[]> {
  const { name, primaryKey } = collection;
  const { json, totalCount } = await rows.read(actor, name, { filter, fields: [primaryKey.name], limit: -1 });
  const found = JSON.parse(json) as readonly Readonly<Record<string, ItemId>>[];
  if ((totalCount ?? 0) > found.length) {
    throw new AppError("QUERY_TOO_COMPLEX", `filter: at most ${found.length} items of '${name}' at once`);
  }
  return found.flatMap((row) => row[primaryKey.name] ?? []);
}

/** The keys as the database gave them, in the order in which they were asked for. */
function inOrder(ids: readonly ItemId[], keys: readonly (string | null)[]): readonly ItemId[] {
  if (ids.length < 2) return ids;
  const known = new Map(ids.map((id) => [String(id), id] as const));
  const ordered = keys.map((key) => known.get(key ?? ""));
  return ordered.every((id) => id !== undefined) && ordered.length === ids.length ? ordered : ids;
}
