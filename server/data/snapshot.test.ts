/** The snapshot on real databases: the first start and later ones, upgrades, several instances, and rights that follow. */
import { afterEach, describe, expect, test } from "bun:test";
import type { FieldDefinition, SchemaRecord } from "@baasix/types";
import { AppError } from "../core/errors";
import { takeSchemaLock } from "../core/schema/store";
import { systemCollections, systemVersion } from "../core/schema/system";
import { type Database, type DatabaseAddress, openDatabase, StartError } from "../platform/postgres";
import { testDatabase, testServer } from "../testing/postgres";
import { openSnapshot } from "./snapshot";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function connect(address: DatabaseAddress): Promise<Database> {
  const database = await openDatabase(address, { shortPool: 2, slowPool: 2 });
  open.push(database.close);
  return database;
}

async function empty(): Promise<{ database: Database; address: DatabaseAddress }> {
  const made = await testDatabase();
  open.push(made.drop);
  return { database: await connect(made.address), address: made.address };
}

const rows = async (database: Database, text: string) =>
  (await database.run({ text, params: [] })).map((row) => [...row]);
const record = (name: string, fields: { readonly [field: string]: FieldDefinition } = {}): SchemaRecord => ({
  collectionName: name,
  schema: { name, fields },
});
const put =
  (...records: readonly SchemaRecord[]) =>
  () => ({ put: records, remove: [] });
const caught = async (work: Promise<unknown>): Promise<AppError> => {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw error ?? new Error("expected an error");
};

/** Everything that a start takes care of, but the tables. */
const ours = async (database: Database) => [
  await rows(
    database,
    "select case when p.prokind = 'f' then pg_get_functiondef(p.oid) end, t.tgname, t.tgrelid::regclass::text from pg_proc p " +
      "left join pg_trigger t on t.tgfoid = p.oid where pronamespace = 'public'::regnamespace and proname like 'baasix%' order by 1, 3",
  ),
  await rows(database, `select name, "adminAccess" from "baasix_Role" order by 1`),
  await rows(
    database,
    "select tablename from pg_publication_tables where pubname = 'baasix_realtime' order by 1",
  ),
  await rows(
    database,
    `select "collectionName", schema::text, "fieldOrder"::text from "baasix_SchemaDefinition" order by 1`,
  ),
];

describe("starting", () => {
  test("makes the built-in tables, roles and helpers once", async () => {
    const { database } = await empty();
    const first = await openSnapshot(database);
    const state = () =>
      rows(
        database,
        `select "collectionName", "updatedAt"::text, xmin::text from "baasix_SchemaDefinition" order by 1`,
      );
    const before = await state();
    const second = await openSnapshot(database);
    expect(await state()).toEqual(before);
    expect(before).toHaveLength(systemCollections.size);
    expect(second.current().schema).toEqual(first.current().schema);
    expect([...second.current().rules.roles.values()].map(({ role }) => role.name)).toEqual([
      "administrator",
      "public",
      "user",
    ]);
    const published = await rows(
      database,
      "select tablename from pg_publication_tables where pubname = 'baasix_realtime' order by 1",
    );
    const live = [...systemCollections].filter(([, { definition }]) => definition.realtime !== false);
    expect(published.flat()).toEqual(live.map(([name]) => name).toSorted());
    const refused = await caught(database.run({ text: "select baasix_refuse('no')", params: [] }));
    expect([refused.code, refused.message]).toEqual(["FORBIDDEN", "no"]);
  });

  test("of several instances at the same moment leaves one set of tables", async () => {
    const { address } = await empty();
    const databases = await Promise.all([connect(address), connect(address), connect(address)]);
    const stores = await Promise.all(databases.map((database) => openSnapshot(database)));
    expect(stores.map((store) => store.current().rules.roles.size)).toEqual([3, 3, 3]);
  });

  test("where all is there waits for nobody and writes nothing", async () => {
    const { database, address } = await empty();
    await openSnapshot(database);
    const other = await connect(address);
    await other.transaction(async (runner) => {
      await runner.run(takeSchemaLock);
      const [before] = await rows(
        database,
        "select pg_current_xact_id_if_assigned(), pg_snapshot_xmax(pg_current_snapshot())::text",
      );
      await openSnapshot(database);
      const [after] = await rows(
        database,
        "select pg_current_xact_id_if_assigned(), pg_snapshot_xmax(pg_current_snapshot())::text",
      );
      expect(after).toEqual(before);
    });
  });

  test("mends what somebody changed by hand", async () => {
    const { database } = await empty();
    await openSnapshot(database);
    const before = await ours(database);
    for (const change of [
      `drop function baasix_refuse(text)`,
      `drop function baasix_refuse(text, text, text)`,
      `create or replace function baasix_refuse(message text) returns boolean language plpgsql as 'begin return true; end'`,
      `alter function baasix_castable(text, text) security definer set search_path = public`,
      `create or replace function baasix_words(content text) returns text language sql immutable as 'select content'`,
      `drop function baasix_take_places(regclass, text, bigint, bigint)`,
      `drop trigger baasix_audit on "baasix_UserRole"`,
      `delete from "baasix_Role" where name = 'public'`,
      `update "baasix_Role" set "adminAccess" = false where name = 'administrator'`,
      `drop publication baasix_realtime`,
      `alter publication baasix_realtime drop table "baasix_Role"`,
      `update "baasix_SchemaDefinition" set schema = schema || '{"name": "X"}' where "collectionName" = 'baasix_User'`,
    ]) {
      await rows(database, change);
      const changed = await ours(database);
      expect({ change, changed }).not.toEqual({ change, changed: before });
      await openSnapshot(database);
      expect({ change, is: await ours(database) }).toEqual({ change, is: before });
    }
  });

  test("adds what a newer version knows", async () => {
    const { database } = await empty();
    await openSnapshot(database);
    await rows(database, `alter table "baasix_User" drop column "phone"`);
    await rows(
      database,
      `update "baasix_SchemaDefinition" set schema = schema #- '{fields,phone}' where "collectionName" = 'baasix_User'`,
    );
    for (const name of ["baasix_File", "baasix_Notification"]) {
      await rows(database, `drop table "${name}"`);
      await rows(database, `delete from "baasix_SchemaDefinition" where "collectionName" = '${name}'`);
    }
    const store = await openSnapshot(database);
    expect(await rows(database, `select "phone" from "baasix_User"`)).toEqual([]);
    expect(await rows(database, `select "filename" from "baasix_File"`)).toEqual([]);
    expect(await rows(database, `select "seenAt" from "baasix_Notification"`)).toEqual([]);
    const told = "select 1 from pg_publication_tables where tablename = 'baasix_Notification'";
    expect(await rows(database, told)).toEqual([[1]]);
    expect(store.current().schema.collections.get("baasix_User")?.fields.has("phone")).toBe(true);
  });

  test("keeps hidden fields apart in a database that had them among the others", async () => {
    const { database } = await empty();
    await openSnapshot(database);
    const stored = `select "collectionName", schema::text from "baasix_SchemaDefinition" order by 1`;
    const before = await rows(database, stored);
    expect(JSON.stringify(before)).not.toContain("previousToken");
    await rows(
      database,
      `update "baasix_SchemaDefinition" set schema = jsonb_set(schema, '{fields}', (schema -> 'fields') || ` +
        `(coalesce("hiddenFields", '{}') - 'hiddenFields'))`,
    );
    await rows(database, `alter table "baasix_SchemaDefinition" drop column "hiddenFields"`);
    expect(JSON.stringify(await rows(database, stored))).toContain("previousToken");
    await openSnapshot(database);
    expect(await rows(database, stored)).toEqual(before);
  });

  test("notes the version of its collections, also in a database that had no note", async () => {
    const { database } = await empty();
    await openSnapshot(database);
    const noted = () => rows(database, `select obj_description('"baasix_SchemaDefinition"'::regclass)`);
    const note = [[`baasix system collections ${systemVersion}`]];
    expect(await noted()).toEqual(note);
    for (const other of ["null", "'ours'", "'baasix system collections 0'"]) {
      await rows(database, `comment on table "baasix_SchemaDefinition" is ${other}`);
      await openSnapshot(database);
      expect(await noted()).toEqual(note);
    }
  });

  test("refuses a database with the number of a newer version before it reads or mends anything", async () => {
    const { database } = await empty();
    await openSnapshot(database);
    const newer = systemVersion + 1;
    for (const change of [
      `comment on table "baasix_SchemaDefinition" is 'baasix system collections ${newer}'`,
      // What this version would put back, and what it could not read.
      `create or replace function baasix_refuse(message text) returns boolean language plpgsql as 'begin return true; end'`,
      `drop publication baasix_realtime`,
      `alter table "baasix_User" alter column "phone" type varchar(50)`,
      `update "baasix_SchemaDefinition" set schema = jsonb_set(schema, '{fields,phone}', '{"type":"Telephone"}') where "collectionName" = 'baasix_User'`,
    ]) {
      await rows(database, change);
    }
    const before = await ours(database);
    const refused = openSnapshot(database);
    await expect(refused).rejects.toBeInstanceOf(StartError);
    await expect(refused).rejects.toThrow(
      `this database was made by a newer version: its system collections have the number ${newer}, this version knows ${systemVersion}; start that version or a newer one`,
    );
    expect(await ours(database)).toEqual(before);
  });

  test("refuses a database of a newer version and leaves it alone", async () => {
    const { database } = await empty();
    await openSnapshot(database);
    await rows(database, `alter table "baasix_User" add column "shoeSize" integer`);
    await rows(
      database,
      `update "baasix_SchemaDefinition" set schema = jsonb_set(schema, '{fields,shoeSize}', '{"type":"Integer"}') where "collectionName" = 'baasix_User'`,
    );
    const refused = await caught(openSnapshot(database));
    expect(refused.message).toBe(
      "This database was written by a newer version (it knows baasix_User.shoeSize); start that version or a newer one",
    );
    expect(await rows(database, `select "shoeSize" from "baasix_User"`)).toEqual([]);
  });

  test("works for a role that may not make publications", async () => {
    const { database, address } = await empty();
    const { maintenance } = await testServer();
    if (address.kind !== "socket" || maintenance.kind !== "socket") throw new Error("expected sockets");
    const owner = await connect({ ...maintenance, database: address.database });
    const role = `modest_${address.database}`;
    await owner.run({ text: `create role "${role}" login`, params: [] });
    await owner.run({ text: `grant create, usage on schema public to "${role}"`, params: [] });
    const modest = await connect({ ...address, user: role });
    const store = await openSnapshot(modest);
    await store.changeSchema(put(record("posts", { title: { type: "String" } })));
    expect(await rows(modest, "select * from pg_publication")).toEqual([]);
    expect(await rows(database, "select relreplident from pg_class where relname = 'posts'")).toEqual([
      ["f"],
    ]);
    await owner.run({ text: `drop owned by "${role}"`, params: [] });
    await owner.run({ text: `drop role "${role}"`, params: [] });
  });

  test("starts for a role that owns nothing on a database in which no number was noted yet", async () => {
    const { database, address } = await empty();
    const { maintenance } = await testServer();
    if (address.kind !== "socket" || maintenance.kind !== "socket") throw new Error("expected sockets");
    await openSnapshot(database);
    await rows(database, `comment on table "baasix_SchemaDefinition" is null`);
    const owner = await connect({ ...maintenance, database: address.database });
    const role = `guest_${address.database}`;
    for (const text of [
      `create role "${role}" login`,
      `grant usage on schema public to "${role}"`,
      `grant select, insert, update, delete on all tables in schema public to "${role}"`,
      `grant usage on all sequences in schema public to "${role}"`,
    ])
      await owner.run({ text, params: [] });
    const guest = await connect({ ...address, user: role });
    expect((await openSnapshot(guest)).current().schema.collections.has("baasix_User")).toBe(true);
    await openSnapshot(database);
    expect(await rows(database, `select obj_description('"baasix_SchemaDefinition"'::regclass)`)).toEqual([
      [`baasix system collections ${systemVersion}`],
    ]);
    await owner.run({ text: `drop owned by "${role}"`, params: [] });
    await owner.run({ text: `drop role "${role}"`, params: [] });
  });

  test("brings a publication in step that came late", async () => {
    const { database } = await empty();
    const store = await openSnapshot(database);
    await store.changeSchema(
      put(record("posts"), { collectionName: "quiet", schema: { name: "Q", fields: {}, realtime: false } }),
    );
    await rows(database, "drop publication baasix_realtime");
    await openSnapshot(database);
    const [published] = await rows(
      database,
      "select array_to_json(array_agg(tablename order by 1))::text from pg_publication_tables where tablename not like 'baasix%'",
    );
    expect(published).toEqual(['["posts"]']);
  });
});

describe("changing", () => {
  test("swaps once, after the commit, and keeps the order of fields over a restart", async () => {
    const { database } = await empty();
    const store = await openSnapshot(database);
    const seen: number[] = [];
    const stop = store.onChange(({ version }) => void seen.push(version));
    const fields = { zeta: { type: "Text" }, b: { type: "Text" }, alpha: { type: "Text" } };
    const before = store.current();
    await store.changeSchema(put(record("posts", fields)));
    expect(before.schema.collections.has("posts")).toBe(false);
    expect(seen).toEqual([2]);
    const swapped = store.current();
    await store.reloadSchema();
    await store.reloadRules();
    expect(store.current()).toBe(swapped);
    stop();
    const names = (await openSnapshot(database)).current().schema.collections.get("posts")?.fields.keys();
    expect([...(names ?? [])]).toEqual(["id", "zeta", "b", "alpha", "createdAt", "updatedAt"]);
  });

  test("changes at once take turns, also over instances, and none is lost", async () => {
    const { database, address } = await empty();
    const [here, there] = [await openSnapshot(database), await openSnapshot(await connect(address))];
    await here.changeSchema(put(record("posts")));
    const add = (store: typeof here, name: string) =>
      store.changeSchema((schema) => {
        const definition = schema.collections.get("posts")?.definition;
        if (!definition) throw new Error("no posts");
        return put({
          collectionName: "posts",
          schema: { ...definition, fields: { ...definition.fields, [name]: { type: "Text" } } },
        })();
      });
    const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
    await Promise.all(names.map((name, index) => add(index % 2 ? here : there, name)));
    await Promise.all([here.reloadSchema(), there.reloadSchema()]);
    for (const store of [here, there]) {
      expect([...(store.current().schema.collections.get("posts")?.fields.keys() ?? [])]).toEqual(
        expect.arrayContaining(names),
      );
    }
    const columns = await rows(
      database,
      "select count(*)::int from information_schema.columns where table_name = 'posts'",
    );
    expect(columns).toEqual([[15]]);
  });

  test("two of the same name: one is made, one is told", async () => {
    const { database, address } = await empty();
    const stores = [await openSnapshot(database), await openSnapshot(await connect(address))];
    const results = await Promise.allSettled(
      stores.map((store) =>
        store.changeSchema((schema) => {
          if (schema.collections.has("posts")) throw new AppError("SCHEMA_EXISTS", "exists");
          return put(record("posts"))();
        }),
      ),
    );
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("a failure leaves tables, definitions and snapshot as they were", async () => {
    const { database } = await empty();
    const store = await openSnapshot(database);
    const before = store.current();
    const failed = await caught(
      store.changeSchema(
        put(
          record("fine"),
          record("broken", { x: { type: "Integer", defaultValue: { type: "SQL", value: "now()" } } }),
        ),
      ),
    );
    expect(failed.code).toBe("INVALID_SCHEMA");
    expect(store.current()).toBe(before);
    expect(
      await rows(
        database,
        `select to_regclass('fine')::text, (select count(*)::int from "baasix_SchemaDefinition")`,
      ),
    ).toEqual([[null, systemCollections.size]]);
  });

  test("a dry run tells and changes nothing", async () => {
    const { database } = await empty();
    const store = await openSnapshot(database);
    const told = await store.changeSchema(put(record("posts", { a: { type: "Text", allowNull: false } })), {
      dryRun: true,
    });
    expect(told).toMatchObject([
      { kind: "createCollection", collection: "posts", to: { a: { type: "Text", allowNull: false } } },
    ]);
    expect(store.current().schema.collections.has("posts")).toBe(false);
    expect(await rows(database, "select to_regclass('posts')::text")).toEqual([[null]]);
  });
});

describe("rights follow", () => {
  test("permissions that name what goes are cleaned in the same transaction", async () => {
    const { database } = await empty();
    const store = await openSnapshot(database);
    await store.changeSchema(
      put(record("posts", { title: { type: "Text" }, state: { type: "Text" } }), record("other")),
    );
    const grant = (collection: string, action: string, fields: string, conditions: string) =>
      rows(
        database,
        `insert into "baasix_Permission" ("role_Id", collection, action, fields, conditions)
         select id, '${collection}', '${action}', '${fields}', ${conditions} from "baasix_Role" where name = 'user'`,
      );
    await grant("posts", "read", '["*"]', `'{"state": "open"}'`);
    await grant("posts", "update", '["title", "state"]', "null");
    await grant("other", "read", '["*"]', "null");
    await store.reloadRules();
    const user = () => [...store.current().rules.roles.values()].find(({ role }) => role.name === "user");
    expect(user()?.grants.get("posts")?.size).toBe(2);

    const told = await store.changeSchema(put(record("posts", { title: { type: "Text" } })));
    expect(told).toMatchObject([
      { kind: "dropField", field: "state" },
      { kind: "changePermission", collection: "posts", from: { role: "user", action: "update" } },
      { kind: "dropPermission", collection: "posts", from: { role: "user", action: "read" } },
    ]);
    const stored = `select collection, action, fields::text from "baasix_Permission" order by 1, 2`;
    expect(await rows(database, stored)).toEqual([
      ["other", "read", '["*"]'],
      ["posts", "update", '["title"]'],
    ]);
    expect([...(user()?.grants.get("posts")?.keys() ?? [])]).toEqual(["update"]);
    expect(store.current().rules.problems).toEqual([]);

    await store.changeSchema(() => ({ put: [], remove: ["posts"] }));
    await store.changeSchema(put(record("posts", { title: { type: "Text" }, state: { type: "Text" } })));
    expect(user()?.grants.has("posts")).toBe(false);
    expect(await rows(database, stored)).toEqual([["other", "read", '["*"]']]);
  });
});
