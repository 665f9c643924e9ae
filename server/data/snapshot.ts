/**
 * What the server knows of collections and rights at one moment, and the only place where that changes. A snapshot is
 * replaced whole, after the database has committed.
 */
import type { SchemaChange, SchemaRecord } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { parseRules, type Rules } from "../core/access/rules";
import { AppError } from "../core/errors";
import { buildSchema } from "../core/schema/define";
import type { SchemaEdit } from "../core/schema/edit";
import type { Schema, Tenants } from "../core/schema/model";
import { sameJson } from "../core/schema/same";
import { loadDefinitions, loadRights, readDefinitions, readRights, type Rights } from "../core/schema/store";
import type { Database } from "../platform/postgres";
import { prepareDatabase, takeTurn } from "./bootstrap";
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
import { assessChanges } from "./migrate";

/** One moment. `version` grows with every change of schema or rules; `schema.version` with those of the schema. */
export type Snapshot = { readonly schema: Schema; readonly rules: Rules; readonly version: number };

/** `tableTimeout`: how long a change waits for a table in use, ms; 5 s unless told. `tenants`: null where there are none. */
export type SnapshotOptions = { readonly tableTimeout?: number; readonly tenants?: Tenants | null };

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

const defaultTableTimeout = 5_000;
/**
 * Makes or upgrades the built-in tables, then loads everything.
 * @throws AppError when the stored definitions cannot be understood: the server must not start without them.
 */
export async function openSnapshot(
  database: Database,
  { tableTimeout = defaultTableTimeout, tenants = null }: SnapshotOptions = {},
): Promise<SnapshotStore> {
  const { published, schema, rights } = await prepareDatabase(database, tableTimeout, tenants);
  return createStore({ database, published, tableTimeout }, schema, rights);
}

/** `published` false: the database has no publication. */
type StoreParts = {
  readonly database: Database;
  readonly published: boolean;
  readonly tableTimeout: number;
};

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
    return isSame
      ? schema
      : buildSchema(schema.version + 1, records, undefined, schema.extensions, schema.tenants);
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
