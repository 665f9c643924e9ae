/** Relations, indexes and names that change, over HTTP on a real database: definitions, tables and data afterwards. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { IndexMigration, SchemaDefinition, SchemaRecord } from "@baasix/types";
import { type Answer, testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const admin = (method: string, path: string, body?: unknown): Promise<Answer> =>
  app.call(method, path, { token: app.admin, ...(body !== undefined && { body }) });
const read = async (name: string): Promise<SchemaDefinition> =>
  ((await app.ok("GET", `/schemas/${name}`)).body as { data: SchemaRecord }).data.schema;
const refusal = async (method: string, path: string, body?: unknown): Promise<string> => {
  const { status, body: answer } = await admin(method, path, body);
  const { error } = answer as { error: { code: string; message: string } };
  return `${status} ${error.code} ${error.message}`;
};
const sql = async (text: string): Promise<readonly unknown[]> =>
  (await app.database.run({ text, params: [] })).map((row) => row[0]);
const tables = () => sql("select tablename::text from pg_tables where schemaname = 'public' order by 1");
const indexes = (table: string) =>
  sql(`select indexname::text from pg_indexes where tablename = '${table}' order by 1`);
const key = { id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } } };
const define = (name: string, fields: object = {}, more: object = {}) =>
  app.ok("POST", "/schemas", {
    collectionName: name,
    schema: { name, timestamps: false, fields: { ...key, ...fields }, ...more },
  });
const relate = (name: string, body: object) => app.ok("POST", `/schemas/${name}/relationships`, body);
const item = (name: string, body: object) => app.ok("POST", `/items/${name}`, body);

describe("a relation that is deleted leaves nothing", () => {
  const rows: readonly (readonly [
    what: string,
    body: object,
    field: string,
    fill: readonly [string, object] | null,
  ])[] = [
    ["M2O", { type: "M2O", name: "tag", target: "tags", alias: "notes" }, "tag", ["notes", { tag_Id: 1 }]],
    ["O2O", { type: "O2O", name: "tag", target: "tags", alias: "note" }, "tag", ["notes", { tag_Id: 1 }]],
    [
      "M2O to itself",
      { type: "M2O", name: "up", target: "notes", alias: "down" },
      "up",
      ["notes", { up_Id: 1 }],
    ],
    [
      "M2M",
      { type: "M2M", name: "tags", target: "tags", alias: "notes" },
      "tags",
      ["notes_tags_tags_junction", { notes_id: 1, tags_id: 1 }],
    ],
    [
      "M2M to itself",
      { type: "M2M", name: "seen", target: "notes", alias: "seenBy" },
      "seen",
      ["notes_notes_seen_junction", { notes_id: 1, notes_id_2: 1 }],
    ],
    [
      "M2M with users",
      { type: "M2M", name: "readers", target: "baasix_User", alias: "notes" },
      "readers",
      null,
    ],
    [
      "M2A",
      { type: "M2A", name: "about", tables: ["tags", "notes"], alias: "told" },
      "about",
      ["notes_about_junction", { notes_id: 1, collection: "tags", item_id: 1 }],
    ],
  ];
  for (const [what, body, field, fill] of rows) {
    test(what, async () => {
      await define("notes");
      await define("tags");
      const before = [await tables(), await read("notes"), await read("tags"), await indexes("notes")];
      const user = await read("baasix_User");
      await relate("notes", body);
      await item("notes", {});
      await item("tags", {});
      const path = `/schemas/notes/relationships/${field}`;
      if (fill) {
        await item(...fill);
        const made = [await tables(), await read("notes")];
        expect(await refusal("DELETE", path)).toStartWith("409 DATA_LOSS");
        expect([await tables(), await read("notes")]).toEqual(made);
      }
      const done = await app.ok("DELETE", `${path}?force=true`);
      expect(done.body).toEqual({ message: "Relationship deleted successfully" });
      expect([await tables(), await read("notes"), await read("tags"), await indexes("notes")]).toEqual(
        before,
      );
      expect(await read("baasix_User")).toEqual(user);
      await app.ok("DELETE", "/schemas/notes");
      await app.ok("DELETE", "/schemas/tags");
    });
  }

  test("with the index and the search that name its key; the way back of M2A goes alone", async () => {
    await define("tags");
    await define("notes", { text: { type: "Text" } });
    await relate("notes", { type: "M2O", name: "tag", target: "tags" });
    await app.ok("POST", "/schemas/notes/indexes", { fields: ["tag_Id", "text"] });
    await relate("notes", { type: "M2A", name: "about", tables: ["tags"], alias: "told" });
    await app.ok("DELETE", "/schemas/notes/relationships/tag");
    expect((await read("notes")).indexes).toEqual([]);
    await app.ok("DELETE", "/schemas/tags/relationships/told");
    expect(await tables()).toContain("notes_about_junction");
    expect((await read("tags")).fields).not.toHaveProperty("told");
    await app.ok("DELETE", "/schemas/notes/relationships/about");
    for (const name of ["notes", "tags"]) await app.ok("DELETE", `/schemas/${name}`);
  });
});

describe("a relation that is changed", () => {
  beforeAll(async () => {
    await define("people");
    await define("pets");
    await define("plants");
    await define("words", { id: { type: "String", primaryKey: true } });
    await define("books", { title: { type: "String" } });
    await relate("books", { type: "M2O", name: "author", target: "people" });
    await relate("books", { type: "M2M", name: "readers", target: "people", alias: "reads" });
    await relate("books", { type: "M2A", name: "about", tables: ["people", "pets"], alias: "told" });
    for (const name of ["people", "people", "pets", "plants", "books"]) await item(name, {});
  });
  const change = (field: string, body: object, query = "") =>
    app.ok("PATCH", `/schemas/books/relationships/${field}${query}`, body);
  const rule = async (column: string, table = "books") =>
    (
      await sql(`select pg_get_constraintdef(oid) from pg_constraint where conname = 'fk_${table}_${column}'`)
    )[0];

  test("what happens when a row goes", async () => {
    expect(await rule("author_Id")).toContain("ON DELETE SET NULL");
    const done = await change("author", { onDelete: "CASCADE", onUpdate: "CASCADE" });
    expect(done.body).toEqual({ message: "Relationship updated successfully" });
    expect(await rule("author_Id")).toBe(
      `FOREIGN KEY ("author_Id") REFERENCES people(id) ON UPDATE CASCADE ON DELETE CASCADE`,
    );
    await change("readers", { onDelete: "RESTRICT" });
    for (const column of ["books_id", "people_id"])
      expect(await rule(column, "books_people_readers_junction")).toContain("ON DELETE RESTRICT");
    await change("readers", { onDelete: "CASCADE" });
  });

  test("its key and what is told of it", async () => {
    await change("author", { allowNull: true, unique: true, description: "Who wrote it" });
    expect((await read("books")).fields.author).toMatchObject({ unique: true, description: "Who wrote it" });
    expect(await indexes("books")).toContain("books_author_Id_key");
    await change("author", { unique: false, description: null });
    expect((await read("books")).fields.author).not.toHaveProperty("description");
    expect(await indexes("books")).not.toContain("books_author_Id_key");
  });

  test("the way back: made, renamed with the rights that name it, taken away", async () => {
    await change("author", { alias: "books" });
    expect((await read("people")).fields.books).toMatchObject({ relType: "HasMany", target: "books" });
    await app.ok("POST", "/permissions", {
      role_Id: await app.roleId("user"),
      collection: "people",
      action: "read",
      fields: ["*", "books.title"],
      conditions: { books: { title: "x" } },
    });
    await change("author", { alias: "works" });
    expect((await read("people")).fields).not.toHaveProperty("books");
    expect((await read("people")).fields.works).toMatchObject({ foreignKey: "author_Id" });
    const permissions = (await app.ok("GET", "/permissions?filter[collection]=people")).body;
    expect(permissions).toMatchObject({
      data: [{ fields: ["*", "works.title"], conditions: { works: { title: "x" } } }],
    });
    await change("author", { alias: null });
    expect((await read("people")).fields).not.toHaveProperty("works");
    expect((await app.ok("GET", "/permissions?filter[collection]=people")).body).toMatchObject({ data: [] });
    await change("readers", { alias: "hasRead" });
    expect((await read("people")).fields).toHaveProperty("hasRead");
    expect((await read("people")).fields).not.toHaveProperty("reads");
  });

  test("the way back of every kind: made, called otherwise, taken away", async () => {
    await define("trees");
    await define("leaves");
    const tree = (field: string, body: object) =>
      app.ok("PATCH", `/schemas/trees/relationships/${field}`, body);
    const relations = async (name: string) =>
      Object.entries((await read(name)).fields).flatMap(([field, { relType, foreignKey }]) =>
        relType === undefined ? [] : [`${field} ${relType} ${foreignKey}`],
      );
    await relate("trees", { type: "O2M", name: "leaves", target: "leaves", alias: "tree" });
    await tree("leaves", { alias: "holder", onDelete: "CASCADE" });
    expect(await relations("leaves")).toEqual(["holder BelongsTo tree_Id"]);
    expect(await rule("tree_Id", "leaves")).toContain("ON DELETE CASCADE");
    expect(await refusal("PATCH", "/schemas/trees/relationships/leaves", { alias: null })).toBe(
      "400 INVALID_SCHEMA alias: 'leaves.holder' holds the key; delete that relation",
    );
    await relate("trees", { type: "M2O", name: "up", target: "trees", alias: "down" });
    await tree("up", { alias: "below" });
    await relate("trees", { type: "O2O", name: "twin", target: "trees" });
    await tree("twin", { alias: "other" });
    await relate("trees", { type: "M2M", name: "near", target: "trees" });
    await tree("near", { alias: "nearTo" });
    await tree("near", { alias: "around" });
    expect(await relations("trees")).toEqual([
      "leaves HasMany tree_Id",
      "up BelongsTo up_Id",
      "below HasMany up_Id",
      "twin BelongsTo twin_Id",
      "other HasOne twin_Id",
      "near HasMany trees_id",
      "around HasMany trees_id_2",
    ]);
    for (const field of ["up", "twin", "near"]) await tree(field, { alias: null });
    expect(await relations("trees")).toEqual([
      "leaves HasMany tree_Id",
      "up BelongsTo up_Id",
      "twin BelongsTo twin_Id",
      "near HasMany trees_id",
    ]);
  });

  test("M2A: collections more, and fewer when none of their rows is left, or by force", async () => {
    await item("books_about_junction", { books_id: 1, collection: "pets", item_id: 1 });
    await item("books_about_junction", { books_id: 1, collection: "people", item_id: 1 });
    await change("about", { tables: ["people", "pets", "plants"] });
    expect((await read("plants")).fields.told).toMatchObject({ scope: { collection: "plants" } });
    await item("books_about_junction", { books_id: 1, collection: "plants", item_id: 1 });
    expect((await app.ok("GET", "/items/plants?fields=told.books.title")).body).toMatchObject({
      data: [{ told: [{ books: { title: null } }] }],
    });
    const fewer = { tables: ["plants", "people"] };
    expect(await refusal("PATCH", "/schemas/books/relationships/about", fewer)).toBe(
      "409 DATA_LOSS This would lose data (books_about_junction.collection: the items of 'books_about_junction' whose " +
        "'collection' is 'pets'). Repeat it with ?force=true to accept the loss.",
    );
    expect((await read("books")).fields.about).toMatchObject({ tables: ["people", "pets", "plants"] });
    await change("about", fewer, "?force=true");
    expect(await sql(`select collection from books_about_junction order by id`)).toEqual([
      "people",
      "plants",
    ]);
    expect((await read("books_about_junction")).fields).not.toHaveProperty("pets");
    expect((await read("pets")).fields).not.toHaveProperty("told");
    expect((await read("books")).fields.about).toMatchObject(fewer);
    await app.ok("DELETE", "/schemas/pets");
  });

  const refused: readonly (readonly [field: string, body: object, expected: string])[] = [
    ["nobody", { onDelete: "CASCADE" }, "404 NOT_FOUND 'books' has no relation 'nobody'"],
    ["author", { onDelete: "EXPLODE" }, "400 "],
    ["author", { nonsense: 1 }, "400 "],
    ["author", { target: "plants" }, "400 INVALID_SCHEMA target: makes it another relation"],
    ["author", { tables: ["people"] }, "400 INVALID_SCHEMA tables: belongs to a relation of type M2A"],
    ["author", { alias: "id" }, "409 CONFLICT alias: 'people' has a field 'id' already"],
    ["author", { alias: "order" }, "400 INVALID_SCHEMA alias: 'order' is reserved"],
    ["about", { tables: [] }, "400 INVALID_SCHEMA tables: expected a list of 1 to 50"],
    ["about", { tables: ["people", "word"] }, "400 INVALID_SCHEMA tables[1]: unknown collection 'word'"],
    ["about", { tables: ["people", "words"] }, "400 INVALID_SCHEMA tables: their keys must be of one type"],
    ["about", { unique: true }, "400 INVALID_SCHEMA unique: the key is 'books_about_junction.books_id'"],
    [
      "author",
      { allowNull: false, onDelete: "SET NULL" },
      "400 INVALID_SCHEMA schema.fields.author.onDelete",
    ],
    ["author", { allowNull: false }, "409 CONFLICT books.author_Id: some items have no value"],
  ];
  for (const [field, body, expected] of refused) {
    test(`is refused: ${field} ${JSON.stringify(body)}`, async () => {
      const before = await read("books");
      if (JSON.stringify(body) === '{"allowNull":false}') await change("author", { onDelete: "RESTRICT" });
      expect(await refusal("PATCH", `/schemas/books/relationships/${field}`, body)).toStartWith(expected);
      if (expected.startsWith("400")) expect(await read("books")).toEqual(before);
    });
  }
});

describe("indexes", () => {
  beforeAll(async () => {
    await define("goods", {
      a: { type: "Integer" },
      b: { type: "Text" },
      tags: { type: "Array_String" },
      season: { type: "Range_Date" },
      detail: { type: "JSON" },
    });
    for (const body of [{ a: 1, b: "x" }, { a: 1, b: "x" }, { a: 2 }, { a: 2 }]) await item("goods", body);
  });
  const made: readonly (readonly [body: object, name: string, definition: string])[] = [
    [{ fields: ["a"] }, "goods_a_idx", "USING btree (a)"],
    [{ fields: ["b", "a"], name: "by_both" }, "by_both", "USING btree (b, a)"],
    [{ fields: ["tags"], type: "gin" }, "goods_tags_idx", "USING gin (tags)"],
    [{ fields: ["detail"], type: "gin" }, "goods_detail_idx", "USING gin (detail)"],
    [{ fields: ["season"], type: "gist" }, "goods_season_idx", "USING gist (season)"],
    [{ fields: ["a"], type: "hash", name: "by_hash" }, "by_hash", "USING hash (a)"],
    [{ fields: ["a"], type: "brin", name: "by_brin" }, "by_brin", "USING brin (a) WITH (autosummarize"],
    [{ fields: ["id", "b"], unique: true, nullsNotDistinct: true }, "goods_id_b_idx", "NULLS NOT DISTINCT"],
  ];
  for (const [body, name, definition] of made) {
    test(`${name}: made, kept in the definition, dropped`, async () => {
      const added = await app.ok("POST", "/schemas/goods/indexes", body);
      expect([added.status, added.body]).toEqual([201, { message: "Index added successfully" }]);
      expect((await sql(`select indexdef from pg_indexes where indexname = '${name}'`))[0]).toContain(
        definition,
      );
      expect((await read("goods")).indexes).toEqual([body as never]);
      expect((await app.ok("POST", "/schemas/goods/indexes", body)).status).toBe(201);
      expect((await read("goods")).indexes).toHaveLength(1);
      const { indexes: _left, ...silent } = await read("goods");
      await app.ok("PATCH", "/schemas/goods", { schema: silent });
      expect((await read("goods")).indexes).toHaveLength(1);
      const gone = await app.ok("DELETE", `/schemas/goods/indexes/${name}`);
      expect(gone.body).toEqual({ message: "Index removed successfully" });
      expect(await indexes("goods")).toEqual(["goods_pkey"]);
      expect((await read("goods")).indexes).toEqual([]);
    });
  }
  const refused: readonly (readonly [
    method: string,
    path: string,
    body: object | undefined,
    expected: string,
  ])[] = [
    [
      "POST",
      "",
      { fields: ["a", "b"], unique: true },
      "409 CONFLICT goods (a, b): some values occur more than once",
    ],
    [
      "POST",
      "",
      { fields: ["a", "b"], unique: true, nullsNotDistinct: true },
      "409 CONFLICT goods (a, b): some values occur more than once",
    ],
    [
      "POST",
      "",
      { fields: ["a"], nullsNotDistinct: true },
      "400 INVALID_SCHEMA schema.indexes[0].nullsNotDistinct",
    ],
    [
      "POST",
      "",
      { fields: ["c"] },
      "400 INVALID_SCHEMA schema.indexes[0].fields[0]: 'c' is not a field of 'goods'",
    ],
    ["POST", "", { fields: ["a"], type: "gin" }, "400 INVALID_SCHEMA goods (a): "],
    [
      "POST",
      "",
      { fields: ["a"], type: "gin", unique: true },
      "400 INVALID_SCHEMA schema.indexes[0].type: a unique",
    ],
    [
      "POST",
      "",
      { fields: ["a"], name: "x; drop table" },
      "400 INVALID_SCHEMA schema.indexes[0].name: expected a name",
    ],
    ["POST", "", { fields: ["a"], name: "goods_pkey" }, "400 INVALID_SCHEMA goods: the name 'goods_pkey'"],
    ["POST", "", { fields: ["a"], type: "quick" }, "400 "],
    ["POST", "", { fields: [] }, "400 "],
    ["DELETE", "/nothing", undefined, "404 NOT_FOUND 'goods' has no index 'nothing'"],
  ];
  for (const [method, path, body, expected] of refused) {
    test(`refused: ${method} ${path} ${JSON.stringify(body) ?? ""}`, async () => {
      expect(await refusal(method, `/schemas/goods/indexes${path}`, body)).toStartWith(expected);
      expect(await indexes("goods")).toEqual(["goods_pkey"]);
    });
  }

  test("that follow from something else are not dropped by name; those dropped by hand are made again", async () => {
    await define(
      "parts",
      { code: { type: "String", unique: true }, text: { type: "Text" } },
      { searchable: ["text"] },
    );
    await relate("parts", { type: "M2O", name: "good", target: "goods" });
    for (const name of ["parts_good_Id_idx", "parts_searchable", "parts_code_key"])
      expect(await refusal("DELETE", `/schemas/parts/indexes/${name}`)).toStartWith(
        `400 INVALID_SCHEMA ${name}: `,
      );
    await sql(`drop index "parts_good_Id_idx"`);
    await sql(`drop index "parts_searchable"`);
    const { body } = await app.ok("POST", "/schemas/indexes/migrate");
    const { message, summary, details } = body as IndexMigration;
    expect([message, summary.created, summary.errors]).toEqual(["Index migration completed", 2, 0]);
    expect(details.created).toContainEqual({
      collection: "parts",
      indexName: "parts_good_Id_idx",
      field: "good_Id",
    });
    expect(await indexes("parts")).toContain("parts_searchable");
    const again = (await app.ok("POST", "/schemas/indexes/migrate")).body as IndexMigration;
    expect(again.summary).toEqual({ created: 0, skipped: summary.skipped + 2, errors: 0 });
  });
});

describe("names", () => {
  test("of a collection and of a field, over their routes and in a whole definition", async () => {
    await define("old", { first: { type: "String" }, second: { type: "Integer" } });
    await item("old", { first: "a", second: 1 });
    const dry = await app.ok("POST", "/schemas/old/rename?dryRun=true", { to: "fresh" });
    expect(dry.body).toMatchObject({ changes: [{ kind: "renameCollection", from: "old", to: "fresh" }] });
    expect((await app.ok("POST", "/schemas/old/rename", { to: "fresh" })).body).toEqual({
      message: "Schema renamed successfully",
    });
    expect(await refusal("GET", "/items/old")).toStartWith("404");
    expect((await app.ok("POST", "/schemas/fresh/fields/first/rename", { to: "title" })).body).toEqual({
      message: "Field renamed successfully",
    });
    const fields = { ...key, title: { type: "String" }, number: { type: "BigInt" } };
    await app.ok("PATCH", "/schemas/fresh", {
      schema: { name: "Fresh", timestamps: false, fields },
      renames: { second: "number" },
    });
    expect((await app.ok("GET", "/items/fresh")).body).toMatchObject({
      data: [{ id: 1, title: "a", number: "1" }],
    });
    expect(
      await refusal("PATCH", "/schemas/fresh", { schema: { fields }, renames: { second: "x" } }),
    ).toStartWith("404 NOT_FOUND 'fresh' has no field 'second'");
    expect(await refusal("POST", "/schemas/fresh/rename", { to: "goods" })).toStartWith("409 CONFLICT");
  });
});

test("a field may have any name that statements use for themselves", async () => {
  const names = [
    "a",
    "c",
    "k",
    "r",
    "w",
    "t1",
    "before",
    "after",
    "old",
    "new",
    "place",
    "item",
    "json",
    "total",
    ..."xpdj",
  ];
  await define("any", Object.fromEntries(names.map((name) => [name, { type: "Integer" }])), {
    paranoid: true,
  });
  const body = Object.fromEntries(names.map((name, i) => [name, i]));
  await item("any", body);
  await app.ok("PATCH", "/items/any/1", { c: 7 });
  await app.ok("PATCH", "/items/any/bulk", [{ id: 1, before: 8 }]);
  const read = await app.ok("GET", `/items/any?filter={"after":7}&sort=w&count=exact`);
  expect(read.body).toMatchObject({ data: [{ ...body, c: 7, before: 8 }], totalCount: 1 });
  await app.ok("DELETE", "/items/any/1");
});

test("nobody but administrators", async () => {
  const { token } = await app.signUp("nobody@example.com");
  const routes = [
    ["PATCH", "/schemas/goods/relationships/x", {}],
    ["POST", "/schemas/goods/indexes", { fields: ["a"] }],
    ["DELETE", "/schemas/goods/indexes/x"],
    ["POST", "/schemas/indexes/migrate"],
    ["POST", "/schemas/goods/rename", { to: "x" }],
    ["POST", "/schemas/goods/fields/a/rename", { to: "x" }],
    ["GET", "/schemas-export"],
    ["POST", "/schemas-preview-import", { schemas: [] }],
    ["POST", "/schemas-import", { schemas: [] }],
  ] as const;
  for (const [method, path, body] of routes) {
    const given = body === undefined ? {} : { body };
    expect((await app.call(method, path, { token, ...given })).status).toBe(403);
    expect((await app.call(method, path, given)).status).toBe(401);
  }
});
