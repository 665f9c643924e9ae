/** What a start makes of a database: functions, built-in tables, roles, the publication; and what it reads there. */
import { AppError } from "../core/errors";
import { buildSchema, recordsOf, storedSchema } from "../core/schema/define";
import { type Change, diffSchemas } from "../core/schema/diff";
import type { Schema, Tenants } from "../core/schema/model";
import { sameJson } from "../core/schema/same";
import {
  changePublication,
  createPublication,
  hasDefinitions,
  hasPublication,
  lacksGenerated,
  lacksRoles,
  limitRoles,
  loadDefinitions,
  loadRights,
  loadSystemNote,
  lockTimeout,
  publishedTables,
  publishGenerated,
  putDefinitions,
  putSystemVersion,
  readDefinitions,
  readRights,
  readSystemNote,
  type Rights,
  seedRoles,
  type SystemNote,
  takeSchemaLock,
  writeNothing,
} from "../core/schema/store";
import { systemCollections, systemVersion } from "../core/schema/system";
import { type Database, type Runner, sqlState, StartError } from "../platform/postgres";
import { ensureAuditBulk } from "./auditLog";
import { ensureExtensions } from "./extensions";
import { ensureFunctions } from "./functions";
import { runChanges } from "./migrate";
import { ensurePlaces } from "./places";
import { ensureTriggers } from "./triggers";

const turnTimeout = 30_000;
const seeds = [
  { name: "administrator", description: "May do everything", admin: true, ofTenants: false },
  { name: "user", description: "Signed-in users", admin: false, ofTenants: true },
  { name: "public", description: "Callers without an account", admin: false, ofTenants: false },
];

/** What there is. `published` false: the database has no publication. */
export type Prepared = {
  readonly published: boolean;
  readonly schema: Schema;
  readonly rights: Rights;
};

/**
 * Makes or upgrades what is ours in the database, and reads it. Where all is there, as at most starts, it is only
 * looked at, without waiting for anybody. `tableTimeout`: how long a change waits for a table, ms. With `tenants` the
 * collections of users that lack it get their tenant.
 * @throws AppError when the stored definitions cannot be understood: the server must not start without them. StartError for those
 * of a newer version.
 */
export async function prepareDatabase(
  database: Database,
  tableTimeout: number,
  tenants: Tenants | null,
): Promise<Prepared> {
  return (await lookAround(database, tenants)) ?? (await makeReady(database, tableTimeout, tenants));
}

/** The same steps, in a transaction that may not write: null when one of them would, or fails. */
async function lookAround(database: Database, tenants: Tenants | null): Promise<Prepared | null> {
  try {
    return await database.transaction(async (runner) => {
      await runner.run(writeNothing);
      const looking: Runner = {
        run: (statement) => {
          // PostgreSQL would refuse it, too, and write an error into its log.
          if (!statement.text.startsWith("select ")) throw new Unready();
          return runner.run(statement);
        },
      };
      const noted = await requireOurs(looking);
      const published = await ensurePublication(looking);
      const extensions = await ensureExtensions(looking);
      const schema = await bootstrap(looking, noted, published, extensions, tenants);
      return { published, schema, rights: readRights(await looking.run(loadRights)) };
    });
  } catch (error) {
    if (error instanceof StartError) throw error;
    // Whatever else it was: the way that makes things ready mends it, or fails and tells.
    return null;
  }
}

/** Something is not as it should be. */
class Unready extends Error {}

async function makeReady(
  database: Database,
  tableTimeout: number,
  tenants: Tenants | null,
): Promise<Prepared> {
  const published = await ensurePublication(database);
  const extensions = await ensureExtensions(database);
  const schema = await database.transaction(
    async (runner) => {
      await takeTurn(runner, tableTimeout);
      return bootstrap(runner, await requireOurs(runner), published, extensions, tenants);
    },
    { pool: "slow" },
  );
  return { published, schema, rights: readRights(await database.run(loadRights)) };
}

/** One at a time over all instances, to the end of the transaction. `tableTimeout`: how long it then waits for a table, ms. */
export async function takeTurn(runner: Runner, tableTimeout: number): Promise<void> {
  await runner.run(lockTimeout(turnTimeout));
  await runner.run(takeSchemaLock);
  await runner.run(lockTimeout(tableTimeout));
}

/** False where the role may not make a publication: everything works but the feed of changes. */
async function ensurePublication(runner: Runner): Promise<boolean> {
  const [row] = await runner.run(hasPublication);
  try {
    if (row?.[0] !== true) await runner.run(createPublication);
    const [lacking] = await runner.run(lacksGenerated);
    if (lacking?.[0] === true) await runner.run(publishGenerated);
    return true;
  } catch (error) {
    // Another instance may have been first, or do the same at this moment (XX000, "tuple concurrently updated"); a role
    // without the right does without.
    const state = sqlState(error);
    if (state === "42710" || state === "23505" || state === "XX000") return true;
    if (state === "42501") return row?.[0] === true;
    throw error;
  }
}

async function bootstrap(
  runner: Runner,
  noted: SystemNote,
  published: boolean,
  extensions: ReadonlySet<string>,
  tenants: Tenants | null,
): Promise<Schema> {
  await ensureFunctions(runner, extensions);
  const [there] = await runner.run(hasDefinitions);
  const stored = there?.[0] === true ? readDefinitions(await runner.run(loadDefinitions)) : [];
  const next = buildSchema(1, stored, undefined, extensions, tenants);
  const before = new Map(stored.map((record) => [record.collectionName, record.schema]));
  const otherwise = recordsOf(next).filter(
    ({ collectionName, schema }) => !sameJson(before.get(collectionName), schema),
  );
  // The same definitions make the same tables.
  const isSame = otherwise.length === 0 && before.size === next.collections.size;
  const changes = isSame ? [] : diffSchemas(storedSchema(stored), next);
  checkUpgrade(changes);
  await runChanges(runner, changes, { published: false });
  await ensureAuditBulk(runner);
  await ensureTriggers(runner, next);
  await ensurePlaces(runner, next);
  const put = (keepsApart(changes) ? recordsOf(next) : otherwise).filter(
    ({ collectionName }) => systemCollections.has(collectionName) || tenants !== null,
  );
  if (put.length > 0) await runner.run(putDefinitions(put));
  if (stored.length > 0 && !before.has("baasix_Tenant")) await runner.run(limitRoles);
  const [lacking] = await runner.run(lacksRoles(seeds));
  if (lacking?.[0] === true) await runner.run(seedRoles(seeds));
  if (published) await publishAll(runner, next);
  if (noted.version < systemVersion && noted.mayChange) await runner.run(putSystemVersion(systemVersion));
  return next;
}

/**
 * Gives what is noted of the built-in collections. Asked before anything is read or changed that a newer version may have made
 * otherwise.
 * @throws StartError for a newer one
 */
async function requireOurs(runner: Runner): Promise<SystemNote> {
  const note = readSystemNote(await runner.run(loadSystemNote));
  const { version } = note;
  if (version <= systemVersion) return note;
  throw new StartError(
    `this database was made by a newer version: its system collections have the number ${version}, this version knows ${systemVersion}; start that version or a newer one`,
  );
}

/** Whether hidden fields have a place of their own from now on: all definitions are stored anew then. */
function keepsApart(changes: readonly Change[]): boolean {
  return changes.some((change) => change.kind === "addField" && change.field.name === "hiddenFields");
}

/** An upgrade only adds. What would be dropped was made by a newer version, whose data this one must not touch. */
function checkUpgrade(changes: readonly Change[]): void {
  const drop = changes.find(({ kind }) => kind === "dropCollection" || kind === "dropField");
  if (!drop) return;
  const what = "field" in drop ? `${drop.collection.name}.${drop.field.name}` : drop.collection.name;
  throw new AppError(
    "CONFLICT",
    `This database was written by a newer version (it knows ${what}); start that version or a newer one`,
  );
}

/** A publication that came later, or was changed by hand, is brought in step. */
async function publishAll(runner: Runner, schema: Schema): Promise<void> {
  const present = new Set((await runner.run(publishedTables)).map(([name]) => String(name)));
  for (const { name, realtime } of schema.collections.values()) {
    if (realtime !== present.has(name)) await runner.run(changePublication(realtime ? "add" : "drop", name));
  }
}
