/** One schema change inside its transaction: renames first, then what differs, then what is stored of it. */
import type { SchemaChange, SchemaRecord } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { cleanPermissions } from "../core/access/clean";
import { renamePermissions } from "../core/access/rename";
import type { PermissionRow } from "../core/access/rules";
import { writeEntries } from "../core/query/auditEntries";
import { describeChanges } from "../core/schema/describe";
import { recordsOf } from "../core/schema/define";
import { type Change, diffSchemas } from "../core/schema/diff";
import { applyEdit, type SchemaEdit } from "../core/schema/edit";
import { type LockMode, locksOf } from "../core/schema/locks";
import type { Schema } from "../core/schema/model";
import { type RenamedSchema, renameAll } from "../core/schema/rename";
import { compileRename, renameChange, tablesOf } from "../core/schema/rename-ddl";
import {
  loadRights,
  putDefinitions,
  putPermissions,
  readRights,
  removeDefinitions,
  removePermissions,
  renameDefinition,
  type Rights,
} from "../core/schema/store";
import type { Runner, TransactionRunner } from "../platform/postgres";
import { lockInTries } from "./locks";
import { assessChanges, checkChanges, checkFree, runChanges, runSteps } from "./migrate";
import { ensurePlaces } from "./places";
import { definitionEntries, permissionEntries } from "./schemaEntries";
import { ensureTriggers, restLeading } from "./triggers";

/** What leads from one schema to another: `renames` from `base` to `middle`, `changes` from there to `next`. */
export type PlannedChange = {
  readonly base: Schema;
  readonly renames: readonly RenamedSchema[];
  readonly middle: Schema;
  readonly changes: readonly Change[];
  readonly next: Schema;
  /** Definitions to store, by their names after. */
  readonly put: readonly SchemaRecord[];
  readonly removed: readonly string[];
};

/** Works an edit out. @throws AppError as `renameIn` and `applyEdit` */
export function planChange(base: Schema, edit: SchemaEdit, version: number): PlannedChange {
  const renames = renameAll(base, edit.renames ?? [], version);
  const middle = renames.at(-1)?.schema ?? base;
  const isMore = edit.put.length + edit.remove.length > 0;
  const { schema: next, removed } = isMore
    ? applyEdit(middle, edit, version)
    : { schema: middle, removed: [] };
  const changes = isMore ? diffSchemas(middle, next) : [];
  return { base, renames, middle, changes, next, put: definitionsOf(base, renames, next), removed };
}

/** The definitions of `next` that are not stored already, be it under another name. */
function definitionsOf(
  base: Schema,
  renames: readonly RenamedSchema[],
  next: Schema,
): readonly SchemaRecord[] {
  const called = (name: string): string =>
    renames.reduce((known, { names }) => names.collection(known), name);
  const known = new Map(recordsOf(base).map((one) => [called(one.collectionName), one.schema] as const));
  return recordsOf(next).filter(({ collectionName, schema }) => {
    const stored = known.get(collectionName);
    return stored !== schema && JSON.stringify(schema) !== JSON.stringify(stored);
  });
}

/**
 * How a change is made. `published`: there is a publication. `tableTimeout`: how long a table is waited for, ms. `by`: whose
 * change it is, for the audit log.
 */
export type CarryOptions = {
  readonly force: boolean;
  readonly published: boolean;
  readonly tableTimeout: number;
  readonly by?: Actor | undefined;
};

/** Makes the tables what the plan says. @throws AppError CONFLICT, DATA_LOSS, INVALID_SCHEMA */
export async function carryOut(
  runner: TransactionRunner,
  planned: PlannedChange,
  { force, published, tableTimeout, by }: CarryOptions,
): Promise<readonly SchemaChange[]> {
  const told = await assessRenamed(runner, planned, tableTimeout);
  checkChanges(told, force);
  await runChanges(runner, planned.changes, { published });
  await ensureTriggers(runner, planned.next);
  await ensurePlaces(runner, planned.next);
  await storeDefinitions(runner, planned);
  return [...told, ...(await storeRights(runner, planned, by))];
}

/** Calls everything by its new name and tells the rest as the data then is. The tables stay locked. */
export async function assessRenamed(
  runner: TransactionRunner,
  { base, renames, changes, next }: PlannedChange,
  tableTimeout: number,
): Promise<readonly SchemaChange[]> {
  await lockInTries(runner, allLocks(base, renames, changes), tableTimeout);
  const made = changes.flatMap(({ kind, collection }) =>
    kind === "createCollection" ? [collection.name] : [],
  );
  const taken = renames.flatMap(({ rename }) => (rename.field === null ? [rename.to] : []));
  await checkFree(runner, [...made, ...taken]);
  await restLeading(runner, next);
  for (const renamed of renames) await runSteps(runner, compileRename(renamed));
  return [...tellRenames(renames), ...(await assessChanges(runner, changes))];
}

/** The renames as they are told. */
export function tellRenames(renames: readonly RenamedSchema[]): readonly SchemaChange[] {
  return describeChanges(renames.map(renameChange));
}

/** By the names that the tables have at the start. */
function allLocks(
  base: Schema,
  renames: readonly RenamedSchema[],
  changes: readonly Change[],
): ReadonlyMap<string, LockMode> {
  let original = new Map([...base.collections.keys()].map((name) => [name, name] as const));
  const locks = new Map<string, LockMode>();
  for (const renamed of renames) {
    for (const table of tablesOf(renamed)) locks.set(original.get(table) ?? table, "access exclusive");
    original = new Map(
      [...original].map(([name, first]) => [renamed.names.collection(name), first] as const),
    );
  }
  for (const [table, mode] of locksOf(changes)) {
    const name = original.get(table) ?? table;
    if (!locks.has(name)) locks.set(name, mode);
  }
  return locks;
}

async function storeDefinitions(runner: Runner, { renames, put, removed }: PlannedChange): Promise<void> {
  for (const { rename } of renames) {
    if (rename.field === null) await runner.run(renameDefinition(rename.collection, rename.to));
  }
  if (put.length > 0) await runner.run(putDefinitions(put));
  if (removed.length > 0) await runner.run(removeDefinitions(removed));
}

async function storeRights(
  runner: Runner,
  planned: PlannedChange,
  by: Actor | undefined,
): Promise<readonly SchemaChange[]> {
  const rights = readRights(await runner.run(loadRights));
  const { changed, removed } = followRights(rights, planned);
  const entries = [
    ...definitionEntries(planned),
    ...permissionEntries(rights.permissions, { changed, removed }),
  ];
  if (entries.length > 0) await runner.run(writeEntries(entries, by));
  if (changed.length > 0) await runner.run(putPermissions(changed));
  if (removed.length > 0) await runner.run(removePermissions(removed.map(({ id }) => id)));
  return tellRights(rights, { changed, removed });
}

type FollowedRights = ReturnType<typeof cleanPermissions>;

/** The permissions that have to be stored anew or go. @throws AppError CONFLICT for one that cannot follow a rename */
export function followRights(
  { permissions }: Rights,
  { renames, middle, next }: PlannedChange,
): FollowedRights {
  const renamed = new Map<string, PermissionRow>();
  let rows = permissions;
  for (const step of renames) {
    for (const row of renamePermissions(rows, step)) renamed.set(row.id, row);
    rows = permissions.map((row) => renamed.get(row.id) ?? row);
  }
  const { changed, removed } = cleanPermissions(rows, middle, next);
  for (const row of changed) renamed.set(row.id, row);
  for (const { id } of removed) renamed.delete(id);
  return { changed: [...renamed.values()], removed };
}

/** What happens to permissions, as it is told. */
export function tellRights({ roles }: Rights, { changed, removed }: FollowedRights): readonly SchemaChange[] {
  const nameOf = (id: string): string => roles.find((role) => role.id === id)?.name ?? id;
  return [
    ...changed.map((row) => ["changePermission", row] as const),
    ...removed.map((row) => ["dropPermission", row] as const),
  ].map(([kind, row]) => ({
    kind,
    collection: row.collection,
    from: { role: nameOf(row.role_Id), action: row.action },
  }));
}
