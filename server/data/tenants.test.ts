/** Tenants in the schema: what a start with them makes of a database that had none, and what stays when they are gone. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError } from "../core/errors";
import type { Tenants } from "../core/schema/model";
import { type Database, openDatabase } from "../platform/postgres";
import { testDatabase } from "../testing/postgres";
import { openSnapshot, type SnapshotStore } from "./snapshot";

setDefaultTimeout(60_000);

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function empty(): Promise<Database> {
  const made = await testDatabase();
  open.push(made.drop);
  const database = await openDatabase(made.address, { shortPool: 2, slowPool: 2 });
  open.push(database.close);
  return database;
}

const rows = async (database: Database, text: string) =>
  (await database.run({ text, params: [] })).map((row) => [...row]);
const tenants: Tenants = { ignored: new Set(["shared"]) };
const record = (collectionName: string, schema: Omit<SchemaDefinition, "name">): SchemaRecord => ({
  collectionName,
  schema: { name: collectionName, ...schema },
});
const put = (store: SnapshotStore, ...records: readonly SchemaRecord[]) =>
  store.changeSchema(() => ({ put: records, remove: [] }));
const told = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof AppError ? `${error.code} ${error.message}` : String(error);
};

const items = record("items", {
  fields: {
    name: { type: "String", unique: true },
    kind: { type: "String" },
    number: { type: "Integer" },
    other: { type: "String", unique: true },
  },
  indexes: [
    { fields: ["kind", "number"], unique: true },
    { name: "whole", fields: ["number"], unique: true, nullsNotDistinct: true },
    { fields: ["kind"] },
  ],
});
const shared = record("shared", { fields: { name: { type: "String", unique: true } } });
const T = "11111111-1111-4111-8111-111111111111";
const U = "22222222-2222-4222-8222-222222222222";

/** Everything that a start could change. */
const state = (database: Database) =>
  rows(
    database,
    `select "collectionName", schema::text, "fieldOrder"::text, xmin::text from "baasix_SchemaDefinition" ` +
      `union all select tablename, indexname, indexdef, null from pg_indexes where schemaname = 'public' ` +
      `union all select conrelid::regclass::text, conname, pg_get_constraintdef(oid), null from pg_constraint order by 1, 2`,
  );

const insert = (database: Database, values: string): Promise<string> =>
  told(
    database.run({
      text: `insert into "items" ("name", "kind", "number", "tenant_Id") values (${values})`,
      params: [],
    }),
  );

describe("switched on", () => {
  test("collections that are there get their tenant, and unique values are unique within one", async () => {
    const database = await empty();
    const before = await openSnapshot(database);
    await put(before, items, shared);
    await database.run({
      text: `insert into "items" ("name", "kind", "number") values ('a', 'k', 1), ('b', 'k', 2), (null, null, null)`,
      params: [],
    });
    await database.run({
      text: `insert into "baasix_Tenant" ("id", "name") values ('${T}', 'T'), ('${U}', 'U')`,
      params: [],
    });

    const { schema } = (await openSnapshot(database, { tenants })).current();
    const collection = schema.collections.get("items");
    expect(collection?.tenant?.name).toBe("tenant_Id");
    expect(Object.keys(collection?.definition.fields ?? {})).toEqual([
      "name",
      "kind",
      "number",
      "other",
      "tenant_Id",
      "tenant",
    ]);
    expect(collection?.relations.get("tenant")).toMatchObject({
      target: "baasix_Tenant",
      onDelete: "RESTRICT",
    });
    expect(schema.collections.get("shared")?.fields.has("tenant_Id")).toBe(false);

    const taken = (fields: string): string => `UNIQUE_VIOLATION items${fields}: another row has`;
    for (const [values, answer] of [
      [`'a', 'k', 1, '${T}'`, "null"],
      [`'a', 'x', 10, '${U}'`, "null"],
      [`'a', 'x', 11, '${T}'`, taken(".name")],
      [`'a', 'x', 11, null`, taken(".name")],
      [`'c', 'k', 1, '${T}'`, taken(" (kind, number)")],
      [`'c', 'l', 1, '${T}'`, taken(".number")],
      // No value is no value, unless the index says otherwise: that one holds a null of nobody already.
      [`null, null, null, '${T}'`, "null"],
      [`null, 'y', null, '${T}'`, taken(".number")],
      [
        `'d', 'l', 3, '${crypto.randomUUID()}'`,
        "FOREIGN_KEY_VIOLATION items.tenant_Id: the row it refers to",
      ],
    ] as const) {
      const said = await insert(database, values);
      expect([values, said.slice(0, answer.length)]).toEqual([values, answer]);
    }
    expect(
      (
        await told(database.run({ text: `delete from "baasix_Tenant" where "id" = '${T}'`, params: [] }))
      ).slice(0, 21),
    ).toBe("FOREIGN_KEY_VIOLATION");

    // A later start finds nothing to do.
    const made = await state(database);
    await openSnapshot(database, { tenants });
    expect(await state(database)).toEqual(made);
  });

  test("switched off the columns stay, and so does what is unique; on again nothing changes", async () => {
    const database = await empty();
    await put(await openSnapshot(database, { tenants }), items, shared);
    await database.run({
      text: `insert into "baasix_Tenant" ("id", "name") values ('${T}', 'T')`,
      params: [],
    });
    expect(await insert(database, `'a', 'k', 1, '${T}'`)).toBe("null");
    expect(await insert(database, `'a', 'k', 1, null`)).toBe("null");
    const made = await state(database);

    const off = await openSnapshot(database);
    expect(off.current().schema.collections.get("items")?.tenant).toBeNull();
    expect(await state(database)).toEqual(made);
    // They are columns like any other: other changes go on.
    const [before] = [off.current().schema.collections.get("items")?.definition];
    if (!before) throw new Error("no definition");
    await put(off, {
      collectionName: "items",
      schema: { ...before, fields: { ...before.fields, more: { type: "Text" } } },
    });
    expect(await insert(database, `'a', 'z', 9, null`)).toStartWith("UNIQUE_VIOLATION items.name");
    expect(await insert(database, `'z', 'z', 9, '${T}'`)).toBe("null");

    const on = await openSnapshot(database, { tenants });
    expect(on.current().schema.collections.get("items")?.tenant?.name).toBe("tenant_Id");
  });

  test("roles of before there were tenants see one each, but for those that are everybody's", async () => {
    const database = await empty();
    const run = (text: string) => database.run({ text, params: [] });
    const { schema } = (await openSnapshot(database)).current();
    // As a server that knew of no tenants has left it.
    const holders = [...schema.collections.values()].filter(({ relations }) => relations.has("tenant"));
    for (const { name, definition } of holders) {
      await run(`alter table "${name}" drop column "tenant_Id"`);
      const { tenant: _gone, ...fields } = definition.fields;
      const indexes = definition.indexes?.filter((index) => !index.fields.includes("tenant_Id")) ?? [];
      const text = JSON.stringify({ ...definition, fields, indexes });
      await run(`update "baasix_SchemaDefinition" set schema = '${text}' where "collectionName" = '${name}'`);
    }
    await run(`create index "baasix_UserRole_user_Id_idx" on "baasix_UserRole" ("user_Id")`);
    await run(`drop table "baasix_Tenant"`);
    await run(`delete from "baasix_SchemaDefinition" where "collectionName" = 'baasix_Tenant'`);
    await run(`insert into "baasix_Role" ("name") values ('editor')`);
    await run(`update "baasix_Role" set "isTenantSpecific" = false`);

    const limited = () =>
      rows(database, `select "name" from "baasix_Role" where "isTenantSpecific" order by "name"`);
    await openSnapshot(database);
    expect(await limited()).toEqual([["editor"], ["user"]]);
    // What an administrator says later stays.
    await run(`update "baasix_Role" set "isTenantSpecific" = false where "name" = 'editor'`);
    await openSnapshot(database, { tenants });
    expect(await limited()).toEqual([["user"]]);
  });

  test("a start is refused where something else has the names", async () => {
    const database = await empty();
    const store = await openSnapshot(database);
    await put(
      store,
      record("shops", { fields: { tenant: { relType: "BelongsTo", target: "renters", foreignKey: "t" } } }),
      record("renters", { fields: { name: { type: "Text" } } }),
    );
    const message =
      "INVALID_SCHEMA shops.fields.tenant: with MULTI_TENANT 'tenant_Id' and 'tenant' say whose a row is; choose another name, or list the collection in TENANT_IGNORED_TABLES";
    expect(await told(openSnapshot(database, { tenants }))).toBe(message);
    const ignoring = await openSnapshot(database, { tenants: { ignored: new Set(["shops"]) } });
    expect(ignoring.current().schema.collections.get("shops")?.tenant).toBeNull();
  });
});

describe("definitions", () => {
  const entry = { type: "UUID" } as const;
  const relation = { relType: "BelongsTo", target: "baasix_Tenant", foreignKey: "tenant_Id" } as const;
  const wrong: readonly (readonly [string, SchemaDefinition["fields"]])[] = [
    ["tenant_Id", { tenant_Id: { type: "String" } }],
    ["tenant_Id", { tenant_Id: { type: "UUID", primaryKey: true } }],
    ["tenant", { tenant: { type: "Text" } }],
    ["tenant", { tenant: { relType: "BelongsTo", target: "baasix_User", foreignKey: "tenant_Id" } }],
    ["owner", { owner: { relType: "BelongsTo", target: "baasix_User", foreignKey: "tenant_Id" } }],
  ];
  const fine: readonly SchemaDefinition["fields"][] = [
    {},
    { tenant_Id: entry },
    { tenant_Id: entry, tenant: relation },
    { tenant: { ...relation, onDelete: "CASCADE" } },
  ];

  test("are given their tenant, whatever they say of it", async () => {
    const store = await openSnapshot(await empty(), { tenants });
    for (const [name, fields] of wrong) {
      const said = await told(put(store, record("things", { fields })));
      expect(said).toStartWith(`INVALID_SCHEMA schema.fields.${name}: with MULTI_TENANT`);
    }
    for (const fields of fine) {
      await put(store, record("things", { fields: { name: { type: "Text" }, ...fields } }));
      const things = store.current().schema.collections.get("things");
      expect(things?.definition.fields.tenant).toEqual({
        ...relation,
        onDelete: "RESTRICT",
        SystemGenerated: true,
      });
      expect(things?.tenant?.type).toBe("UUID");
    }
  });

  test("keep it: it cannot be renamed or taken away", async () => {
    const store = await openSnapshot(await empty(), { tenants });
    await put(store, items);
    for (const field of ["tenant_Id", "tenant"]) {
      const renames = [{ collection: "items", field, to: "other_name" }];
      const said = await told(store.changeSchema(() => ({ put: [], remove: [], renames })));
      expect(said).toBe(
        `INVALID_SCHEMA items.${field}: it says whose a row is, and the server knows it by this name`,
      );
    }
    await put(store, record("items", { fields: { name: { type: "String", unique: true } } })).catch(() => {});
    expect(store.current().schema.collections.get("items")?.fields.has("tenant_Id")).toBe(true);
    // The collection itself and what is unique in it may be called otherwise.
    await store.changeSchema(() => ({
      put: [],
      remove: [],
      renames: [
        { collection: "items", field: "name", to: "title" },
        { collection: "items", field: null, to: "goods" },
      ],
    }));
    expect(store.current().schema.collections.get("goods")?.fields.get("title")).toMatchObject({
      unique: true,
      perTenant: true,
    });
  });
});
