/** Other names for collections and fields on a real database: data, definitions, rights and the database itself follow. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FieldDefinition, SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError } from "../core/errors";
import type { Rename } from "../core/schema/rename";
import { type Database, openDatabase } from "../platform/postgres";
import { testDatabase } from "../testing/postgres";
import { openSnapshot, type SnapshotStore } from "./snapshot";

let database: Database;
let store: SnapshotStore;
let drop: () => Promise<void>;

beforeAll(async () => {
  const made = await testDatabase();
  drop = made.drop;
  database = await openDatabase(made.address, { shortPool: 2, slowPool: 2 });
  store = await openSnapshot(database);
});
afterAll(async () => {
  await database.close();
  await drop();
});

const number = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } as const;
const rows = async (text: string) => (await database.run({ text, params: [] })).map((row) => [...row]);
const rename = (...renames: readonly Rename[]) =>
  store.changeSchema(() => ({ put: [], remove: [], renames }));
const record = (
  name: string,
  fields: { readonly [field: string]: FieldDefinition },
  more: Partial<SchemaDefinition> = {},
): SchemaRecord => ({ collectionName: name, schema: { name, timestamps: false, fields, ...more } });
const put = (...records: readonly SchemaRecord[]) =>
  store.changeSchema(() => ({ put: records, remove: [] }), { force: true });
const definition = (name: string): SchemaDefinition => {
  const found = store.current().schema.collections.get(name);
  if (!found) throw new Error(`no ${name}`);
  return found.definition;
};
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error("expected a refusal");
}

/** Removes all that the tests made. */
const clear = () =>
  store.changeSchema(
    ({ collections }) => ({
      put: [],
      remove: [...collections.values()].flatMap(({ name, system }) => (system ? [] : [name])),
    }),
    { force: true },
  );

/** Every name that the database has for what belongs to our collections. */
async function everyName(): Promise<readonly unknown[]> {
  const found = await rows(`
    select 'column', relname || '.' || attname from pg_class c join pg_attribute on attrelid = c.oid
      where relnamespace = 'public'::regnamespace and relkind = 'r' and attnum > 0 and not attisdropped
    union all select 'constraint', conrelid::regclass::text || '.' || conname from pg_constraint
      where connamespace = 'public'::regnamespace and contype <> 'n'
    union all select 'check', conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) from pg_constraint
      where connamespace = 'public'::regnamespace and contype in ('c', 'f')
    union all select 'index', indexdef from pg_indexes where schemaname = 'public'
    union all select 'sequence', sequencename::text from pg_sequences where schemaname = 'public'
    union all select 'default', adrelid::regclass::text || ' ' || pg_get_expr(adbin, adrelid) from pg_attrdef
    union all select 'published', tablename from pg_publication_tables order by 1, 2`);
  return found.filter(([, name]) => !String(name).includes("baasix_"));
}

/** A shop in which everything names everything. */
const shop = (names: { readonly [name: string]: string } = {}): readonly SchemaRecord[] => {
  const n = (name: string): string => names[name] ?? name;
  return [
    record(
      n("goods"),
      {
        id: number,
        [n("title")]: { type: "String", unique: true },
        [n("price")]: { type: "Decimal", values: { precision: 9, scale: 2 } },
        count: { type: "Integer", defaultValue: 1 },
        state: { type: "Enum", values: ["goods", "gone"], defaultValue: "goods" },
        worth: { type: "Decimal", calculated: names.price ? `"${n("price")}" * count` : "price * count" },
        [n("maker")]: { relType: "BelongsTo", target: n("makers"), foreignKey: n("maker_Id") },
        remarks: {
          relType: "HasMany",
          target: "remarks_junction",
          foreignKey: "item_id",
          constraints: false,
          scope: { collection: n("goods") },
        },
      },
      {
        indexes: [{ fields: [n("price"), "count"] }, { name: "by_hand", fields: [n("title")], unique: true }],
        searchable: { fields: [n("title")] },
      },
    ),
    record(n("makers"), {
      id: number,
      name: { type: "String" },
      [n("made")]: { relType: "HasMany", target: n("goods"), foreignKey: n("maker_Id") },
    }),
    record(
      "remarks_junction",
      {
        id: number,
        makers_id: { type: "Integer" },
        item_id: { type: "Integer", allowNull: false },
        collection: { type: "Enum", values: [n("goods"), n("makers")], allowNull: false },
        goods: {
          relType: "BelongsTo",
          target: n("goods"),
          foreignKey: "item_id",
          constraints: false,
          scope: { collection: n("goods") },
        },
        // Without a scope: the junction tells it from the target.
        makers: { relType: "BelongsTo", target: n("makers"), foreignKey: "item_id", constraints: false },
      },
      { isJunction: true },
    ),
    record("counters", {
      id: number,
      next: {
        type: "Integer",
        defaultValue: {
          type: "SQL",
          value:
            names.price || names.goods
              ? `(SELECT MAX(${names.price ? `"${n("price")}"` : "price"}) + 1 FROM ${names.goods ? `"${n("goods")}"` : "goods"} WHERE state = 'goods')`
              : "(SELECT MAX(price) + 1 FROM goods WHERE state = 'goods')",
        },
      },
    }),
  ];
};

describe("a rename gives what the definitions under the new names would give", () => {
  const cases: readonly (readonly [rename: Rename, names: { readonly [name: string]: string }])[] = [
    [{ collection: "goods", field: null, to: "articles" }, { goods: "articles" }],
    [{ collection: "makers", field: null, to: "Firms" }, { makers: "Firms" }],
    [{ collection: "goods", field: "price", to: "order" }, { price: "order" }],
    [{ collection: "goods", field: "title", to: "label" }, { title: "label" }],
    [{ collection: "goods", field: "maker_Id", to: "firm" }, { maker_Id: "firm" }],
    [{ collection: "goods", field: "maker", to: "firm" }, { maker: "firm" }],
    [{ collection: "makers", field: "made", to: "works" }, { made: "works" }],
  ];
  for (const [one, names] of cases) {
    test(`${one.collection}.${one.field} → ${one.to}`, async () => {
      await clear();
      await put(...shop(names));
      const expected = await everyName();
      const wanted = new Map(
        shop(names).map(({ collectionName }) => [collectionName, definition(collectionName)]),
      );
      await clear();
      await put(...shop());
      await database.run({
        text: `insert into goods (title, price) values ('boot', 5), ('hat', 7)`,
        params: [],
      });
      await database.run({ text: `insert into makers (name) values ('ann')`, params: [] });
      await database.run({
        text: `insert into remarks_junction (item_id, collection) values (1, 'goods'), (1, 'makers'), (2, 'goods')`,
        params: [],
      });
      const back: Rename = {
        collection: one.field === null ? one.to : one.collection,
        field: one.field === null ? null : one.to,
        to: one.field ?? one.collection,
      };
      const before = await everyName();
      const [told] = await rename(one);
      expect(told).toMatchObject({
        kind: one.field === null ? "renameCollection" : "renameField",
        to: one.to,
      });
      expect(await everyName()).toEqual(expected);
      for (const [name, schema] of wanted) expect([name, definition(name)]).toEqual([name, schema]);
      const [left, right] = [names.goods ?? "goods", names.makers ?? "makers"];
      expect(
        await rows(`select collection, count(*)::int from remarks_junction group by 1 order by 2`),
      ).toEqual([
        [right, 1],
        [left, 2],
      ]);
      expect(
        await rows(
          `select "${names.title ?? "title"}", "${names.price ?? "price"}"::text, worth::text from "${left}" order by id`,
        ),
      ).toEqual([
        ["boot", "5.00", "5.00"],
        ["hat", "7.00", "7.00"],
      ]);
      // What was read at a later start says the same.
      const later = await openSnapshot(database);
      expect(later.current().schema.collections).toEqual(store.current().schema.collections);
      await rename(back);
      expect(await everyName()).toEqual(before);
    });
  }
});

describe("permissions follow", () => {
  const author = { relType: "BelongsTo", target: "people" } as const;
  type Row = {
    readonly collection: string;
    readonly fields?: unknown;
    readonly conditions?: unknown;
    readonly relConditions?: unknown;
    readonly defaultValues?: unknown;
  };
  const cases: readonly (readonly [rename: Rename, row: Row, after: Partial<Row>])[] = [
    [
      { collection: "texts", field: "state", to: "phase" },
      {
        collection: "texts",
        fields: ["state", "author.name", "*"],
        conditions: { OR: [{ state: "open" }, { NOT: { state: { in: ["a", "state"] } } }] },
        defaultValues: { state: "open", title: "state" },
      },
      {
        fields: ["phase", "author.name", "*"],
        conditions: { OR: [{ phase: "open" }, { NOT: { phase: { in: ["a", "state"] } } }] },
        defaultValues: { phase: "open", title: "state" },
      },
    ],
    [
      { collection: "people", field: "team", to: "crew" },
      {
        collection: "texts",
        fields: ["author.team", "author.*"],
        conditions: {
          "author.team": { eq: "$COL(author.team::text)" },
          $author$: { team: { cast: "text", ne: "$COL(people.team)" } },
          title: { ne: "$COL(state)" },
        },
        relConditions: { author: { team: "x", NOT: { team: { eq: "$COL(team)" } } } },
      },
      {
        fields: ["author.crew", "author.*"],
        conditions: {
          "author.crew": { eq: "$COL(author.crew::text)" },
          $author$: { crew: { cast: "text", ne: "$COL(people.crew)" } },
          title: { ne: "$COL(state)" },
        },
        relConditions: { author: { crew: "x", NOT: { crew: { eq: "$COL(crew)" } } } },
      },
    ],
    [
      { collection: "texts", field: "author", to: "writer" },
      {
        collection: "texts",
        fields: ["author.*", "author_Id"],
        conditions: { author: { team: { eq: "$COL(author.name)" } }, author_Id: { isNotNull: true } },
        relConditions: { AND: [{ "author.name": "x" }] },
      },
      {
        fields: ["writer.*", "author_Id"],
        conditions: { writer: { team: { eq: "$COL(writer.name)" } }, author_Id: { isNotNull: true } },
        relConditions: { AND: [{ "writer.name": "x" }] },
      },
    ],
    [
      { collection: "people", field: null, to: "persons" },
      {
        collection: "people",
        conditions: { texts: { title: { ne: "$COL(people.name)" } } },
        defaultValues: { name: "$CURRENT_USER.email" },
      },
      {
        collection: "persons",
        conditions: { texts: { title: { ne: "$COL(persons.name)" } } },
        defaultValues: { name: "$CURRENT_USER.email" },
      },
    ],
    [
      { collection: "baasix_User", field: "person", to: "being" },
      { collection: "people", conditions: { team: { eq: "$CURRENT_USER.person.team" } } },
      { conditions: { team: { eq: "$CURRENT_USER.being.team" } } },
    ],
    [{ collection: "people", field: "team", to: "crew" }, { collection: "texts", fields: ["title"] }, {}],
  ];
  for (const [one, row, after] of cases) {
    test(`${one.collection}.${one.field}: ${JSON.stringify(row)}`, async () => {
      await put(
        record("people", {
          id: number,
          name: { type: "String" },
          team: { type: "String" },
          user: { relType: "BelongsTo", target: "baasix_User", foreignKey: "user_Id", unique: true },
          texts: { relType: "HasMany", target: "texts", foreignKey: "author_Id" },
        }),
        record("texts", { id: number, title: { type: "String" }, state: { type: "String" }, author }),
        {
          collectionName: "baasix_User",
          schema: {
            ...definition("baasix_User"),
            fields: {
              ...definition("baasix_User").fields,
              person: { relType: "HasOne", target: "people", foreignKey: "user_Id", SystemGenerated: true },
            },
          },
        },
      );
      const given = { fields: null, conditions: null, relConditions: null, defaultValues: null, ...row };
      const stored = `select "collection", "fields", "conditions", "relConditions", "defaultValues" from "baasix_Permission"`;
      await database.run({ text: `delete from "baasix_Permission"`, params: [] });
      await database.run({
        text:
          `insert into "baasix_Permission" ("role_Id", "collection", "action", "fields", "conditions", "relConditions", "defaultValues") ` +
          `select r."id", p."collection", 'create', p."fields", p."conditions", p."relConditions", p."defaultValues" from "baasix_Role" r, ` +
          `json_to_record($1::text::json) as p("collection" text, "fields" jsonb, "conditions" jsonb, "relConditions" jsonb, "defaultValues" jsonb) where r."name" = 'user'`,
        params: [JSON.stringify(given)],
      });
      await store.reloadRules();
      expect(store.current().rules.problems).toEqual([]);
      const told = await rename(one);
      expect(store.current().rules.problems).toEqual([]);
      const expected = { ...given, ...after };
      const [read] = await rows(`select row_to_json(p)::text from (${stored}) p`);
      expect(JSON.parse(String(read?.[0]))).toEqual(expected);
      expect(told.some(({ kind }) => kind === "changePermission")).toBe(Object.keys(after).length > 0);
      await clear();
    });
  }
});

describe("a permission that means nothing does not come to mean something", () => {
  const cases: readonly (readonly [rename: Rename, row: string])[] = [
    [{ collection: "safes", field: "code", to: "hint" }, `'safes', 'read', '["owner", "hint"]', null`],
    [{ collection: "safes", field: "code", to: "hint" }, `'safes', 'read', '[]', '{"hint": {"gt": 1}}'`],
    [{ collection: "safes", field: null, to: "boxes" }, `'boxes', 'delete', null, null`],
  ];
  for (const [one, row] of cases) {
    test(row, async () => {
      await clear();
      await put(record("safes", { id: number, owner: { type: "String" }, code: { type: "Integer" } }));
      await database.run({ text: `delete from "baasix_Permission"`, params: [] });
      await database.run({
        text:
          `insert into "baasix_Permission" ("role_Id", "collection", "action", "fields", "conditions") ` +
          `select r."id", ${row} from "baasix_Role" r where r."name" = 'user'`,
        params: [],
      });
      expect(await refusal(rename(one))).toMatch(/^CONFLICT permission .* cannot follow the new name/);
    });
  }
  afterAll(() => database.run({ text: `delete from "baasix_Permission"`, params: [] }));
});

describe("is refused", () => {
  const cases: readonly (readonly [rename: Rename, message: RegExp])[] = [
    [{ collection: "nothing", field: null, to: "x" }, /^NOT_FOUND Schema not found/],
    [{ collection: "boxes", field: "lid", to: "x" }, /^NOT_FOUND 'boxes' has no field 'lid'; did you mean/],
    [{ collection: "boxes", field: null, to: "lids" }, /^CONFLICT to: there is a collection 'lids'/],
    [{ collection: "boxes", field: null, to: "boxes" }, /^INVALID_SCHEMA to: 'boxes' is its name/],
    [{ collection: "boxes", field: null, to: "baasix_x" }, /^INVALID_SCHEMA to: .* reserved/],
    [{ collection: "boxes", field: null, to: "a_junction" }, /^INVALID_SCHEMA to: .*junctions/],
    [{ collection: "boxes", field: null, to: "strange" }, /^CONFLICT 'strange' exists in the database/],
    [{ collection: "boxes", field: "size", to: "lids" }, /^CONFLICT to: 'boxes' has a field 'lids'/],
    [{ collection: "boxes", field: "size", to: "sort" }, /^CONFLICT to: 'boxes' has a field 'sort'/],
    [{ collection: "boxes", field: "size", to: "ctid" }, /^INVALID_SCHEMA to: .*system column/],
    [{ collection: "boxes", field: "size", to: 'x" y' }, /^INVALID_SCHEMA to: expected a name/],
    [{ collection: "boxes", field: "lids", to: "table" }, /^INVALID_SCHEMA to: .*reserved/],
    [
      { collection: "boxes", field: "createdAt", to: "born" },
      /^INVALID_SCHEMA boxes.createdAt: "timestamps"/,
    ],
    [{ collection: "boxes", field: "deletedAt", to: "gone" }, /^INVALID_SCHEMA boxes.deletedAt: "paranoid"/],
    [{ collection: "boxes", field: "userCreated_Id", to: "by" }, /^INVALID_SCHEMA .*"usertrack"/],
    [{ collection: "boxes", field: "sort", to: "place" }, /^INVALID_SCHEMA .*"sortEnabled"/],
    [{ collection: "baasix_User", field: null, to: "users" }, /^INVALID_SCHEMA baasix_User: it is built in/],
    [
      { collection: "baasix_User", field: "email", to: "mail" },
      /^INVALID_SCHEMA baasix_User.email: it is built in/,
    ],
    [{ collection: "baasix_User", field: "password", to: "pass" }, /^NOT_FOUND/],
  ];
  beforeAll(async () => {
    await put(
      record(
        "boxes",
        {
          id: number,
          size: { type: "Integer" },
          lids: { relType: "HasMany", target: "lids", foreignKey: "box_Id" },
        },
        { timestamps: true, paranoid: true, usertrack: true, sortEnabled: true },
      ),
      record("lids", { id: number, box: { relType: "BelongsTo", target: "boxes" } }),
    );
    await database.run({ text: "create table strange (id integer)", params: [] });
  });
  for (const [one, message] of cases) {
    test(`${one.collection}.${one.field} → ${one.to}`, async () => {
      const before = await everyName();
      expect(await refusal(rename(one))).toMatch(message);
      expect(await everyName()).toEqual(before);
    });
  }
});

test("several renames wait for each other, and go with other changes; a dry run keeps nothing", async () => {
  await put(record("spots", { id: number, a: { type: "Integer" }, b: { type: "Integer" } }));
  await database.run({ text: "insert into spots (a, b) values (1, 2)", params: [] });
  const edit = () => ({
    renames: [
      { collection: "spots", field: "a", to: "b" },
      { collection: "spots", field: "b", to: "c" },
    ],
    put: [record("spots", { id: number, b: { type: "Text" }, c: { type: "Integer" } })],
    remove: [],
  });
  const told = await store.changeSchema(edit, { dryRun: true });
  expect(told.map(({ kind, field }) => [kind, field])).toEqual([
    ["renameField", "c"],
    ["renameField", "b"],
    ["changeType", "b"],
  ]);
  expect(await rows("select a, b from spots")).toEqual([[1, 2]]);
  expect(await store.changeSchema(edit)).toEqual(told);
  expect(await rows("select b, c from spots")).toEqual([["1", 2]]);
});

test("what keys do by themselves is still told, in the names after", async () => {
  await clear();
  await put(
    record("owners", { id: number, name: { type: "String" } }),
    record("pets", {
      id: number,
      name: { type: "String" },
      owner: { relType: "BelongsTo", target: "owners", onDelete: "CASCADE" },
    }),
  );
  await database.run({ text: "insert into owners (name) values ('ann')", params: [] });
  await database.run({ text: `insert into pets (name, "owner_Id") values ('rex', 1)`, params: [] });
  await rename(
    { collection: "pets", field: null, to: "animals" },
    { collection: "animals", field: "name", to: "called" },
    { collection: "owners", field: null, to: "people" },
  );
  await database.run({ text: "delete from people", params: [] });
  expect(await rows("select count(*)::int from animals")).toEqual([[0]]);
  const [entry] = await rows(
    `select "entity", "changes" -> 'before' ->> 'called' from "baasix_AuditLog" order by "id" desc`,
  );
  expect(entry).toEqual(["animals", "rex"]);
});

test("a primary key that nobody declared can be called otherwise", async () => {
  await put(
    record("plain", { a: { type: "Integer" } }),
    record("held", { plain: { relType: "BelongsTo", target: "plain" } }),
  );
  await rename({ collection: "plain", field: "id", to: "key" });
  expect(await rows("insert into plain (a) values (1) returning key is not null")).toEqual([[true]]);
  expect(definition("plain").fields.key).toMatchObject({ type: "UUID", primaryKey: true });
});
