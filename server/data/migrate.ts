/** Runs a list of schema changes inside a transaction: asks what would be lost, then makes them, naming what failed. */
import type { SchemaChange } from "@baasix/types";
import { AppError } from "../core/errors";
import {
  compileChanges,
  type DdlOptions,
  type NeededBy,
  neededExtensions,
  type Step,
} from "../core/schema/ddl";
import { describeChanges } from "../core/schema/describe";
import { nameOfType } from "../core/schema/describe-field";
import type { Change } from "../core/schema/diff";
import type { Extension } from "../core/schema/fields";
import type { Field } from "../core/schema/model";
import { risksOf } from "../core/schema/risk";
import { extensionStates, serverVersion, takenNames } from "../core/schema/store";
import { type Runner, sqlState } from "../platform/postgres";

/** The changes as they are told, with what each would lose or what blocks it, as the data is now. */
export async function assessChanges(
  runner: Runner,
  changes: readonly Change[],
): Promise<readonly SchemaChange[]> {
  await checkExtensions(runner, changes);
  await checkVersion(runner, changes);
  const found = new Map<Change, { readonly loses?: string; readonly blocked?: string }>();
  for (const { change, probe, loses, blocked } of risksOf(changes)) {
    const [row] = await attempt(change, () => runner.run(probe));
    if (row?.[0] === true) found.set(change, loses === undefined ? { blocked } : { loses });
  }
  return describeChanges(changes, found);
}

/** @throws AppError INVALID_SCHEMA naming the index for which the database server is too old */
async function checkVersion(runner: Runner, changes: readonly Change[]): Promise<void> {
  const asking = changes.find((change) => change.kind === "addIndex" && change.index.nullsNotDistinct);
  if (!asking) return;
  const [row] = await runner.run(serverVersion);
  const mistake = refuseNullsNotDistinct(Number(row?.[0]), String(row?.[1]));
  if (mistake !== null) throw new AppError("INVALID_SCHEMA", `${changePlace(asking)}: ${mistake}`);
}

/** Why a server cannot take null as equal to null in an index; null: it can. `number` as in `server_version_num`. */
export function refuseNullsNotDistinct(number: number, version: string): string | null {
  return number >= 150_000 ? null : `nullsNotDistinct needs PostgreSQL 15 or later; this is ${version}`;
}

/** @throws AppError INVALID_SCHEMA naming the field and the extension that the database server does not have. */
async function checkExtensions(runner: Runner, changes: readonly Change[]): Promise<void> {
  const needed = neededExtensions(changes);
  if (needed.size === 0) return;
  const states = new Map(
    (await runner.run(extensionStates([...needed.keys()]))).map(([name, schema]) => [name, schema] as const),
  );
  for (const [name, by] of needed) {
    const schema = states.get(name);
    if (schema === "public" || schema === "pg_catalog" || schema === null) continue;
    throw extensionError(
      name,
      by,
      schema === undefined
        ? "which this database server does not have"
        : `which lies in the schema '${String(schema)}' of the database; it must lie in 'public'`,
    );
  }
}

function extensionError(
  name: Extension,
  { change, field }: NeededBy,
  why: string,
  cause?: unknown,
): AppError {
  const place = `${change.collection.name}.${field.name}`;
  return new AppError(
    "INVALID_SCHEMA",
    `${place}.type: ${nameOfType(field)} needs the extension '${name}' of PostgreSQL, ${why}`,
    { extension: name },
    { cause },
  );
}

/**
 * Refuses changes that cannot be made, and without `force` those that lose data.
 * @throws AppError CONFLICT or DATA_LOSS; `details.changes` is the whole list.
 */
export function checkChanges(changes: readonly SchemaChange[], force: boolean): void {
  const blocked = changes.filter((change) => change.blocked !== undefined);
  if (blocked.length > 0) {
    throw new AppError(
      "CONFLICT",
      blocked.map((change) => `${placeOf(change)}: ${change.blocked}`).join("; "),
      {
        changes,
      },
    );
  }
  const losing = changes.filter((change) => change.loses !== undefined);
  if (losing.length === 0 || force) return;
  const list = losing.map((change) => `${placeOf(change)}: ${change.loses}`).join("; ");
  throw new AppError(
    "DATA_LOSS",
    `This would lose data (${list}). Repeat it with ?force=true to accept the loss.`,
    {
      changes,
    },
  );
}

function placeOf({ collection, field }: SchemaChange): string {
  return field === undefined ? collection : `${collection}.${field}`;
}

/** @throws AppError CONFLICT where the database has something of that name already, which is no collection */
export async function checkFree(runner: Runner, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const taken = await runner.run(takenNames(names));
  if (taken.length === 0) return;
  throw new AppError(
    "CONFLICT",
    `'${String(taken[0]?.[0])}' exists in the database already and is not a collection; choose another name`,
  );
}

/** Makes the changes. @throws AppError naming the collection and field at which PostgreSQL refused. */
export function runChanges(runner: Runner, changes: readonly Change[], options: DdlOptions): Promise<void> {
  return runSteps(runner, compileChanges(changes, options));
}

/** Runs the statements of changes in turn. @throws AppError as `runChanges` */
export async function runSteps(runner: Runner, steps: readonly Step[]): Promise<void> {
  for (const { change, statement } of steps) await attempt(change, () => runner.run(statement));
}

async function attempt<T>(change: Change, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(change, error) ?? error;
  }
}

/** What PostgreSQL's refusal means for the one who asked for the change; null: not their doing. */
function explain(change: Change, error: unknown): AppError | null {
  const state = sqlState(error);
  if (state === null) return null;
  const [needed] = state === "42501" ? neededExtensions([change]) : [];
  if (needed) {
    const why = "which the database role may not install; let an administrator of the database do it";
    return extensionError(...needed, why, error);
  }
  const place = changePlace(change);
  const conflict = (message: string) =>
    new AppError("CONFLICT", `${place}: ${message}`, null, { cause: error });
  if (state === "23505") return conflict("some values occur more than once; make them unique first");
  if (state === "23503")
    return conflict("some items hold a key that does not exist; mend or clear them first");
  if (state === "23502") return conflict("some items have no value; fill them first, or give a defaultValue");
  if (state === "23514") return conflict("some items break the new rule; change them first");
  if (state === "55P03") return conflict("the table is in use by another change; try again");
  if (state === "42P07") return conflict("a name that it needs is taken in the database; choose another");
  if (state === "42501") return conflict("the database role may not make this change");
  if (state === "42P17") {
    return new AppError(
      "INVALID_SCHEMA",
      `${place}: a calculated field must follow from its row alone (no now() or random(); || and coalesce in place of ` +
        `concat): ${rootMessage(error)}`,
      null,
      { cause: error },
    );
  }
  if (state === "0A000") return conflict(rootMessage(error));
  if (state === "2BP01") return conflict("something else in the database depends on it");
  if (change.kind === "changeType" && state.startsWith("22")) {
    return conflict(`some values cannot become ${change.to.type}; change or clear them first`);
  }
  if (/^(22|42)/.test(state)) {
    return new AppError("INVALID_SCHEMA", `${place}: ${refusedPart(change)}: ${rootMessage(error)}`, null, {
      cause: error,
    });
  }
  return null;
}

/** What of a change PostgreSQL did not like: expressions are all that it has not seen before. */
function refusedPart(change: Change): string {
  const field = fieldOf(change);
  const fields = field
    ? [field]
    : change.kind === "createCollection"
      ? [...change.collection.fields.values()]
      : [];
  if (fields.some(({ generated }) => generated !== null)) return "an SQL expression cannot be used";
  const isDefault = field?.default?.kind === "sql" || change.kind === "createCollection";
  return isDefault ? "the default cannot be used" : "refused";
}

function rootMessage(error: unknown): string {
  const cause = error instanceof AppError ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

function changePlace(change: Change): string {
  if (change.kind === "addIndex") return `${change.collection.name} (${change.index.fields.join(", ")})`;
  if (change.kind === "renameField") return `${change.collection.name}.${change.now}`;
  const field = fieldOf(change)?.name ?? ("relation" in change ? change.relation.name : undefined);
  if (change.kind === "changeRelation") return `${change.collection.name}.${change.to.name}`;
  return field === undefined ? change.collection.name : `${change.collection.name}.${field}`;
}

function fieldOf(change: Change): Field | null {
  if ("field" in change) return change.field;
  return "to" in change && "type" in change.to ? change.to : null;
}
