/**
 * What the server knows of collections and rights at one moment, and the only place where that changes. A snapshot is
 * replaced whole, after the database has committed.
 */
import type { SchemaChange, SchemaRecord } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { parseRules, type Rules } from "../core/access/rules";
import { AppError } from "../core/errors";
import { buildSchema, recordsOf, storedSchema } from "../core/schema/define";
import { type Change, diffSchemas } from "../core/schema/diff";
import type { SchemaEdit } from "../core/schema/edit";
import type { Schema } from "../core/schema/model";
import { createPlaces } from "../core/schema/places";
import { sameJson } from "../core/schema/same";
import {
  changePublication,
  createCastable,
  createPublication,
  createEvaluate,
  createRefuse,
  createRefuseWith,
  hasDefinitions,
  hasPublication,
  lacksGenerated,
  limitRoles,
  loadDefinitions,
  loadRights,
  lockTimeout,
  publishedTables,
  publishGenerated,
  putDefinitions,
  readDefinitions,
  readRights,
  type Rights,
  seedRoles,
  takeSchemaLock,
} from "../core/schema/store";
import { systemCollections } from "../core/schema/system";
import { type Database, type Runner, sqlState } from "../platform/postgres";
import { ensureAuditTriggers } from "./auditTriggers";
import { ensureExtensions, ensureSearchFunctions } from "./extensions";
import {
  assessRenamed,
  carryOut,
  followRights,
  planChange,
  type PlannedChange,
  tellRenames,
  tellRights,
} from "./change";
import { type IndexReport, makeMissing } from "./indexes";
import { assessChanges, runChanges } from "./migrate";
import { ensurePlaces } from "./places";

/** One moment. `version` grows with every change of schema or rules; `schema.version` with those of the schema. */
export type Snapshot = { readonly schema: Schema; readonly rules: Rules; readonly version: number };

/** `tableTimeout`: how long a change waits for a table in use, ms; 5 s unless told. */
export type SnapshotOptions = { readonly tableTimeout?: number };

/** `force`: accept that data is lost. `dryRun`: only tell what would change. `by`: whose change it is, for the audit log. */
export type ChangeOptions = { readonly force?: boolean; readonly dryRun?: boolean; readonly by?: Actor };

export type SnapshotStore = {
  /** The snapshot as it is now. A request takes it once. */
  readonly current: () => Snapshot;
  /**
   * Changes definitions, tables and the permissions that name what goes, in one transaction; then swaps the snapshot.
   * One change at a time over all instances; waits at most 30 s for its turn and 5 s for a table.
   * @param edit makes the edit from the schema as it is then; may throw AppError
   * @returns what changed, or with `dryRun` what would, with `loses` and `blocked`
   * @throws AppError INVALID_SCHEMA, CONFLICT, DATA_LOSS
   */
  readonly changeSchema: (
    edit: (schema: Schema) => SchemaEdit,
    options?: ChangeOptions,
  ) => Promise<readonly SchemaChange[]>;
  /** Makes the indexes that definitions ask for and the database lacks. @throws AppError CONFLICT */
  readonly makeIndexes: () => Promise<IndexReport>;
  /** Reads roles and permissions anew. */
  readonly reloadRules: () => Promise<void>;
  /** Reads definitions, roles and permissions anew: another instance may have changed them. */
  readonly reloadSchema: () => Promise<void>;
  /** Calls back after each swap. Returns the function that stops. */
  readonly onChange: (listener: (snapshot: Snapshot) => void) => () => void;
};

const turnTimeout = 30_000;
const defaultTableTimeout = 5_000;
const seeds = [
  { name: "administrator", description: "May do everything", admin: true, ofTenants: false },
  { name: "user", description: "Signed-in users", admin: false, ofTenants: true },
  { name: "public", description: "Callers without an account", admin: false, ofTenants: false },
];

/**
 * Makes or upgrades the built-in tables, then loads everything.
 * @throws AppError when the stored definitions cannot be understood: the server must not start without them.
 */
export async function openSnapshot(
  database: Database,
  { tableTimeout = defaultTableTimeout }: SnapshotOptions = {},
): Promise<SnapshotStore> {
  const published = await ensurePublication(database);
  const extensions = await ensureExtensions(database);
  const parts: StoreParts = { database, published, tableTimeout, extensions };
  const records = await database.transaction((runner) => bootstrap(runner, parts), { pool: "slow" });
  const rights = readRights(await database.run(loadRights));
  return createStore(parts, buildSchema(1, records, undefined, extensions), rights);
}

/** `published` false: the database has no publication. */
type StoreParts = {
  readonly database: Database;
  readonly published: boolean;
  readonly tableTimeout: number;
  readonly extensions: ReadonlySet<string>;
};

/** False where the role may not make a publication: everything works but the feed of changes. */
async function ensurePublication(database: Database): Promise<boolean> {
  const [row] = await database.run(hasPublication);
  try {
    if (row?.[0] !== true) await database.run(createPublication);
    const [lacking] = await database.run(lacksGenerated);
    if (lacking?.[0] === true) await database.run(publishGenerated);
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

async function takeTurn(runner: Runner, tableTimeout: number): Promise<void> {
  await runner.run(lockTimeout(turnTimeout));
  await runner.run(takeSchemaLock);
  await runner.run(lockTimeout(tableTimeout));
}

async function bootstrap(
  runner: Runner,
  { published, tableTimeout, extensions }: StoreParts,
): Promise<readonly SchemaRecord[]> {
  await takeTurn(runner, tableTimeout);
  await runner.run(createRefuse);
  for (const statement of createPlaces) await runner.run(statement);
  await runner.run(createRefuseWith);
  await runner.run(createEvaluate);
  await runner.run(createCastable);
  await ensureSearchFunctions(runner, extensions);
  const [there] = await runner.run(hasDefinitions);
  const stored = there?.[0] === true ? readDefinitions(await runner.run(loadDefinitions)) : [];
  const next = buildSchema(1, stored);
  const changes = diffSchemas(storedSchema(stored), next);
  checkUpgrade(changes);
  await runChanges(runner, changes, { published: false });
  await ensureAuditTriggers(runner, next);
  await ensurePlaces(runner, next);
  const before = new Map(stored.map((record) => [record.collectionName, record.schema]));
  const put = recordsOf(next).filter(
    ({ collectionName, schema }) =>
      systemCollections.has(collectionName) && !sameJson(before.get(collectionName), schema),
  );
  if (put.length > 0) await runner.run(putDefinitions(put));
  if (stored.length > 0 && !before.has("baasix_Tenant")) await runner.run(limitRoles);
  await runner.run(seedRoles(seeds));
  if (published) await publishAll(runner, next);
  return recordsOf(next);
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

function createStore(
  { database, published, tableTimeout }: StoreParts,
  firstSchema: Schema,
  firstRights: Rights,
): SnapshotStore {
  let rights = firstRights;
  let snapshot: Snapshot = {
    schema: firstSchema,
    rules: parseRules(rights.roles, rights.permissions, firstSchema),
    version: 1,
  };
  const listeners = new Set<(snapshot: Snapshot) => void>();

  function swap(schema: Schema, loaded: Rights): void {
    if (schema === snapshot.schema && loaded.text === rights.text) return;
    const rules = parseRules(loaded.roles, loaded.permissions, schema);
    rights = loaded;
    snapshot = { schema, rules, version: snapshot.version + 1 };
    for (const listener of listeners) listener(snapshot);
  }

  // One at a time: what was read earlier never replaces what was read later, and waiting takes no connection.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  }

  /** The schema of these definitions: the one we have, when it says the same. */
  function schemaOf(records: readonly SchemaRecord[]): Schema {
    const { schema } = snapshot;
    const known = [...schema.collections.values()];
    const stored = new Map(records.map((record) => [record.collectionName, record.schema] as const));
    const isSame =
      known.length === stored.size &&
      known.every(({ name, definition }) => sameJson(stored.get(name), definition));
    return isSame ? schema : buildSchema(schema.version + 1, records, undefined, schema.extensions);
  }

  async function reloadSchema(): Promise<void> {
    const [definitions, loaded] = await database.transaction(
      async (runner) => [await runner.run(loadDefinitions), await runner.run(loadRights)] as const,
    );
    swap(schemaOf(readDefinitions(definitions)), readRights(loaded));
  }

  async function change(
    edit: (schema: Schema) => SchemaEdit,
    force: boolean,
    by: Actor | undefined,
  ): Promise<readonly SchemaChange[]> {
    const done = await database.transaction(
      async (runner) => {
        await takeTurn(runner, tableTimeout);
        const base = schemaOf(readDefinitions(await runner.run(loadDefinitions)));
        const version = Math.max(base.version, snapshot.schema.version) + 1;
        const planned = planChange(base, edit(base), version);
        const told = await carryOut(runner, planned, { force, published, tableTimeout, by });
        return { told, schema: planned.next, rights: readRights(await runner.run(loadRights)) };
      },
      { pool: "slow" },
    );
    swap(done.schema, done.rights);
    return done.told;
  }

  /** When the connection broke, the commit may have happened: the database is asked. */
  async function afterFailure(error: unknown): Promise<never> {
    const unsure = error instanceof AppError && (error.code === "UNAVAILABLE" || error.code === "TIMEOUT");
    try {
      if (unsure) await reloadSchema();
    } catch {
      // Still out of reach: the feed's gap reads everything anew once it is back.
    }
    throw error;
  }

  async function dryRun(edit: (schema: Schema) => SchemaEdit): Promise<readonly SchemaChange[]> {
    const { schema } = snapshot;
    const planned = planChange(schema, edit(schema), schema.version + 1);
    const told = await (planned.renames.length > 0 && planned.changes.length > 0
      ? tryRenamed(planned)
      : assessChanges(
          { run: (statement) => database.run(statement, { pool: "slow" }) },
          planned.changes,
        ).then((assessed) => [...tellRenames(planned.renames), ...assessed]));
    return [...told, ...tellRights(rights, followRights(rights, planned))];
  }

  /** The questions to the data name what is called anew: it is, and then nothing of it is kept. */
  async function tryRenamed(planned: PlannedChange): Promise<readonly SchemaChange[]> {
    let told: readonly SchemaChange[] = [];
    const undone = new Error("a dry run keeps nothing");
    try {
      await database.transaction(
        async (runner) => {
          await takeTurn(runner, tableTimeout);
          told = await assessRenamed(runner, planned, tableTimeout);
          throw undone;
        },
        { pool: "slow" },
      );
    } catch (error) {
      if (error !== undone) throw error;
    }
    return told;
  }

  return {
    current: () => snapshot,
    changeSchema: (edit, { force = false, dryRun: only = false, by } = {}) =>
      only ? dryRun(edit) : inTurn(() => change(edit, force, by).catch(afterFailure)),
    makeIndexes: () =>
      inTurn(() =>
        database.transaction(
          async (runner) => {
            await takeTurn(runner, tableTimeout);
            const schema = schemaOf(readDefinitions(await runner.run(loadDefinitions)));
            return makeMissing(runner, schema, tableTimeout);
          },
          { pool: "slow" },
        ),
      ),
    reloadRules: () => inTurn(async () => swap(snapshot.schema, readRights(await database.run(loadRights)))),
    reloadSchema: () => inTurn(reloadSchema),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
