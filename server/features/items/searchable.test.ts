/** The indexes behind searches: made, used, changed and dropped with the definition; and databases that lack an extension. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Actor, system } from "../../core/access/actor";
import { accessOf } from "../../core/access/policy";
import { authorizeRead } from "../../core/query/authorize";
import { compileRead, type ReadShape } from "../../core/query/compile";
import { parseRead } from "../../core/query/parse";
import { planRead } from "../../core/query/plan";
import { bind } from "../../core/query/variables";
import { openSnapshot, tellMissing } from "../../data";
import { type Database, openDatabase } from "../../platform/postgres";
import { testApp, type TestApp } from "../../testing/app";
import { externalServer, outsider } from "../../testing/postgres";

setDefaultTimeout(60_000);

let app: TestApp;
let database: Database;
const actor = system("a test");
const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };
const fields = {
  id,
  title: { type: "String" },
  body: { type: "Text" },
  status: { type: "Enum", values: ["on", "off"] },
};
const rows = 20_000;

beforeAll(async () => {
  app = await testApp();
  database = await openDatabase(app.address, { shortPool: 1, slowPool: 1 });
  await define("books", { fields: ["title", "body"], fuzzy: true });
  // One row in a hundred says "rare", every one "common".
  await outsider(
    app.address,
    `insert into books (title, body, status) select 'word' || n || ' common', 'text ' || md5(n::text) ||
      case when n % 100 = 0 then ' rare' else '' end, 'on' from generate_series(1, ${rows}) n`,
    "analyze books",
  );
});
afterAll(async () => {
  await database.close();
  await app.close();
});

async function define(collectionName: string, searchable: unknown, change = false): Promise<string> {
  const schema = { name: "Book", timestamps: false, fields, searchable };
  const answer = change
    ? await app.call("PATCH", `/schemas/${collectionName}`, { token: app.admin, body: { schema } })
    : await app.call("POST", "/schemas", { token: app.admin, body: { collectionName, schema } });
  const { error } = answer.body as { error?: { message: string } };
  return error ? `${answer.status} ${error.message}` : "done";
}

async function indexes(table: string): Promise<readonly string[]> {
  const found = (await outsider(
    app.address,
    `select indexdef from pg_indexes where tablename = '${table}' and indexname like '%searchable%' order by indexname`,
  )) as { indexdef: string }[];
  return found.map(({ indexdef }) =>
    indexdef.replace(/^CREATE INDEX (\w+) ON public\.\w+ USING gin /, "$1 "),
  );
}

/** Names of the indexes that PostgreSQL reads for a query, by the very statement that the server would run. */
async function indexesRead(
  query: Record<string, unknown>,
  {
    shape = "list",
    who = actor,
    collection = "books",
  }: { shape?: ReadShape; who?: Actor; collection?: string } = {},
): Promise<readonly string[]> {
  const { schema, rules } = app.snapshot.current();
  const plan = authorizeRead(planRead(schema, parseRead(collection, query)), accessOf(rules, schema, who));
  const { text, params } = bind(compileRead(plan, shape, schema.version), { actor: who, now: 0 });
  const [row] = await database.run({ text: `explain (format json) ${text}`, params });
  return [...JSON.stringify(row?.[0]).matchAll(/"Index Name":\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
}

describe("the plan of a search on enough rows", () => {
  const words = "books_searchable";
  const fuzzy = "books_searchable_fuzzy";
  const table: [what: string, query: Record<string, unknown>, shape: ReadShape, index: string][] = [
    ["a rare word", { search: "rare" }, "list", words],
    ["its total", { search: "rare" }, "count", words],
    ["by relevance", { search: "rare", sortByRelevance: true }, "page", words],
    ["a beginning", { search: "word777" }, "page", words],
    ["two words", { search: "common rare" }, "list", words],
    [
      "beside a filter and a sort",
      { search: "rare", filter: { status: "on" }, sort: "-title" },
      "page",
      words,
    ],
    ["the fields in another order", { search: "rare", searchFields: ["body", "title"] }, "page", words],
    [
      "some of its fields: narrowed by all of them",
      { search: "rare", searchFields: ["body"] },
      "page",
      words,
    ],
    ["a fuzzy word", { search: "keyboard", searchMode: "fuzzy" }, "page", fuzzy],
    [
      "a fuzzy word in one field",
      { search: "keyboard", searchMode: "fuzzy", searchFields: "title" },
      "count",
      fuzzy,
    ],
  ];
  test.each(table)("%s", async (_, query, shape, index) => {
    expect(new Set(await indexesRead(query, { shape }))).toContain(index);
  });
  test("a field without an index is read row by row, and finds the same", async () => {
    expect(await indexesRead({ search: "rare", searchFields: "body,status" }, { shape: "count" })).toEqual(
      [],
    );
    const count = async (query: string) =>
      (
        (await app.call("GET", `/items/books?limit=0&${query}`, { token: app.admin })).body as {
          totalCount: number;
        }
      ).totalCount;
    expect(await count("search=rare")).toBe(rows / 100);
    expect(await count("search=rare&searchFields=body,status")).toBe(rows / 100);
    expect(await count("search=rare&searchFields=body")).toBe(rows / 100);
    expect(await count("search=rare&searchFields=title")).toBe(0);
    expect(await count("search=word19999")).toBe(1);
    expect(await count("search=word1999&searchFields=title")).toBe(11);
  });
});

describe("an index is what the definition says", () => {
  test("made, changed and dropped", async () => {
    expect(await define("notes", undefined)).toBe("done");
    expect(await indexes("notes")).toEqual([]);
    expect(await define("notes", true, true)).toBe("done");
    expect(await indexes("notes")).toEqual([
      expect.stringMatching(/^notes_searchable \(baasix_search_vector\(.*title.*body.*status.*\)\)$/),
    ]);
    expect(await define("notes", ["body"], true)).toBe("done");
    expect(await indexes("notes")).toEqual([
      "notes_searchable (baasix_search_vector(COALESCE(body, ''::text)))",
    ]);
    expect(await define("notes", { fields: ["body"], fuzzy: true }, true)).toBe("done");
    expect(await indexes("notes")).toEqual([
      "notes_searchable (baasix_search_vector(COALESCE(body, ''::text)))",
      "notes_searchable_fuzzy (baasix_likeness(body) gin_trgm_ops)",
    ]);
    expect(await define("notes", false, true)).toBe("done");
    expect(await indexes("notes")).toEqual([]);
  });
  test("a definition that is read may be sent back", async () => {
    const body = {
      collectionName: "echo",
      schema: { name: "E", fields: { t: { type: "Text" } }, searchable: ["t"] },
    };
    await app.call("POST", "/schemas", { token: app.admin, body });
    const read = await app.call("GET", "/schemas/echo", { token: app.admin });
    const { schema } = (read.body as { data: { schema: Record<string, unknown> } }).data;
    expect(schema.searchable).toEqual(["t"]);
    const sent = await app.call("PATCH", "/schemas/echo?dryRun=true", { token: app.admin, body: { schema } });
    const { changes } = sent.body as { changes: readonly { kind: string }[] };
    expect(changes.map(({ kind }) => kind)).toEqual(["changeDefinition"]);
  });
  test("a field keeps its index when its type changes, and takes it along when it goes", async () => {
    const send = (own: unknown, searchable: unknown, query = "") =>
      app.call("PATCH", `/schemas/moving${query}`, {
        token: app.admin,
        body: { schema: { name: "M", timestamps: false, fields: { id, ...(own as object) }, searchable } },
      });
    await app.call("POST", "/schemas", {
      token: app.admin,
      body: {
        collectionName: "moving",
        schema: {
          name: "M",
          timestamps: false,
          fields: { id, a: { type: "Integer" }, b: { type: "Text" } },
          searchable: ["a", "b"],
        },
      },
    });
    await app.call("POST", "/items/moving", { token: app.admin, body: { a: 42, b: "forty-two" } });
    expect((await send({ a: { type: "String" }, b: { type: "Text" } }, ["a", "b"])).text).toContain(
      "updated",
    );
    const found = async (search: string) =>
      (
        (await app.call("GET", `/items/moving?search=${search}`, { token: app.admin })).body as {
          totalCount: number;
        }
      ).totalCount;
    expect([await found("42"), await found("forty")]).toEqual([1, 1]);
    expect(await indexes("moving")).toHaveLength(1);
    // Said anew it is a mistake; said as before it goes with the field.
    const stuck = await send({ a: { type: "String" } }, ["b", "a"], "?force=true");
    expect((stuck.body as { error: unknown }).error).toMatchObject({
      code: "INVALID_SCHEMA",
      message: "schema.searchable[0]: 'b' is not a field here",
    });
    expect((await send({ a: { type: "String" } }, ["a", "b"], "?force=true")).text).toContain("updated");
    expect(await indexes("moving")).toEqual([
      expect.stringMatching(/^moving_searchable \(baasix_search_vector\(COALESCE\(.*a.*\)\)\)$/),
    ]);
    expect([await found("42"), await found("forty")]).toEqual([1, 0]);
  });

  const refused: [unknown, string][] = [
    [[], "schema.searchable: expected at least one field, or false"],
    [["titel"], "schema.searchable[0]: 'titel' is not a field here"],
    [["title", "title"], "schema.searchable: 'title' is named twice"],
    [[5], "schema.searchable[0]: '5' is not a field here"],
    ["title", "schema.searchable: expected true or false, got 'title'"],
    [{ fields: ["title"], fuzzi: true }, "schema.searchable.fuzzi: unknown key; did you mean 'fuzzy'?"],
    [{ fuzzy: "maybe" }, "schema.searchable.fuzzy: expected true or false"],
    [['title"); --'], "schema.searchable[0]"],
  ];
  test.each(refused)("%j is refused", async (searchable, message) => {
    expect(await define("wrong", searchable)).toStartWith(`400 ${message}`);
  });
  test("types that hold no words", async () => {
    const schema = { name: "W", fields: { ok: { type: "Boolean" } }, searchable: ["ok"] };
    const answer = await app.call("POST", "/schemas", {
      token: app.admin,
      body: { collectionName: "wrong", schema },
    });
    expect(answer.text).toContain("'ok' is Boolean; a search looks into text, UUID, Integer, BigInt");
    const none = await app.call("POST", "/schemas", {
      token: app.admin,
      body: { collectionName: "wrong", schema: { ...schema, searchable: true } },
    });
    expect(none.text).toContain("schema.searchable: the collection has no text field");
  });
});

test("text of any length can be stored; what lies far behind is not found", async () => {
  const words = Array.from({ length: 200_000 }, (_, n) => `w${n}ä`).join(" ");
  const made = await app.call("POST", "/items/books", {
    token: app.admin,
    body: { title: "huge", body: words },
  });
  expect(made.status).toBe(201);
  const ids = async (search: string) =>
    (
      (await app.call("GET", `/items/books?search=${search}&fields=id`, { token: app.admin })).body as {
        data: unknown[];
      }
    ).data;
  expect(await ids("huge w100a")).toHaveLength(1);
  expect(await ids("huge w199999a")).toEqual([]);
});

test("when the functions change, their indexes are made anew at the next start", async () => {
  const found = async () =>
    (
      await database.run({
        text: "select count(*) from books where baasix_search_vector(coalesce(\"title\"::text, '') || ' ' || coalesce(\"body\"::text, '')) @@ to_tsquery('simple', 'rare')",
        params: [],
      })
    )[0]?.[0];
  const before = await found();
  await outsider(
    app.address,
    "create or replace function baasix_words(content text) returns text language plpgsql immutable strict parallel safe as $$ begin return ''; end $$",
    "reindex table books",
  );
  expect(Number(await found())).toBe(0);
  await openSnapshot(database);
  expect(await found()).toEqual(before);
});

test("a database whose role may not create extensions searches without them, and says so", async () => {
  const server = await externalServer();
  await outsider(
    { kind: "url", url: server.url },
    "create role guest login",
    "create schema if not exists public",
    "grant all on schema public to guest",
  );
  const url = server.url.replace(/\/\/[^@]*@/, "//guest@");
  const guest = await openDatabase({ kind: "url", url }, { shortPool: 2, slowPool: 1 });
  try {
    const snapshot = await openSnapshot(guest);
    expect(tellMissing(snapshot.current().schema.extensions)).toEqual([
      expect.stringContaining("no extension unaccent in the schema public"),
      expect.stringContaining("searchMode=fuzzy is refused"),
    ]);
    const put = (searchable: unknown) =>
      snapshot.changeSchema(() => ({
        put: [
          {
            collectionName: "places",
            schema: {
              name: "P",
              timestamps: false,
              fields: { id: { type: "Integer", primaryKey: true }, t: { type: "Text" } },
              searchable,
            } as never,
          },
        ],
        remove: [],
      }));
    await put(["t"]);
    await guest.run({
      text: "insert into places values (1, 'Café Zürich'), (2, 'Øster Straße')",
      params: [],
    });
    const { schema, rules } = snapshot.current();
    const find = async (query: Record<string, unknown>) => {
      const plan = authorizeRead(
        planRead(schema, parseRead("places", query)),
        accessOf(rules, schema, actor),
      );
      const found = await guest.run(bind(compileRead(plan, "page", schema.version), { actor, now: 0 }));
      return found.map(([json]) => (JSON.parse(String(json)) as { id: number }).id);
    };
    expect(await find({ search: "cafe zurich" })).toEqual([1]);
    expect(await find({ search: "CAFÉ" })).toEqual([1]);
    expect(await find({ search: "Straße" })).toEqual([2]);
    await expect(find({ search: "cafe", searchMode: "fuzzy" })).rejects.toMatchObject({
      code: "INVALID_QUERY",
      message: "searchMode: fuzzy needs the extension pg_trgm, which this database does not have",
    });
    await expect(put({ fields: ["t"], fuzzy: true })).rejects.toMatchObject({
      code: "INVALID_SCHEMA",
      message: "schema.searchable.fuzzy: it needs the extension pg_trgm, which this database does not have",
    });
  } finally {
    await guest.close();
    await server.stop();
  }
});
