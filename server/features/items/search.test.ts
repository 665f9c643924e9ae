/** Searching over HTTP: what is found, in which order, by whom, and by which plan. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { testApp, type TestApp } from "../../testing/app";

setDefaultTimeout(60_000);

type Row = { id: number; title: string };
type List = { data: Row[]; totalCount: number };

let app: TestApp;
const id = { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } };

/** `articles` has an index, `notes` the same rows without. */
const articles: readonly Record<string, unknown>[] = [
  { title: "Running shoes", body: "Light and fast", code: "WIDGET-001" },
  { title: "A runner's diary", body: "Mail ann@example.com or see www.example.org/path?q=1", code: "W-2" },
  { title: "Crème brûlée", body: "Café Zürich, São Tomé; Straße; smørrebrød", code: "ÉCLAIR.7" },
  { title: "Android tablets", body: "the best of the year 2024", code: "AB_12.50" },
  { title: "Universities", body: "happy students; a happier teacher", code: "x" },
  { title: "Art", body: null, code: null },
  { title: "Artificial light", body: "art art art and more art", code: null },
  { title: "日本語のテキスト", body: "привет мир", code: null },
  { title: "Keyboard", body: "you receive it tomorrow", code: null },
];

beforeAll(async () => {
  app = await testApp();
  for (const [collectionName, searchable] of [
    ["articles", { fields: ["title", "body", "code"], fuzzy: true }],
    ["notes", undefined],
  ] as const) {
    const fields = { id, title: { type: "String" }, body: { type: "Text" }, code: { type: "String" } };
    const answer = await app.call("POST", "/schemas", {
      token: app.admin,
      body: { collectionName, schema: { name: "A", timestamps: false, fields, searchable } },
    });
    expect(answer.text).toBe('{"message":"Schema created successfully"}');
    const made = await app.call("POST", `/items/${collectionName}/bulk`, {
      token: app.admin,
      body: articles,
    });
    expect(made.status).toBe(201);
  }
});
afterAll(() => app.close());

async function list(
  query: Record<string, string>,
  collection = "articles",
  token = app.admin,
): Promise<List> {
  const answer = await app.call("GET", `/items/${collection}?${new URLSearchParams(query).toString()}`, {
    token,
  });
  if (answer.status !== 200) throw new Error(`${JSON.stringify(query)}: ${answer.status} ${answer.text}`);
  return answer.body as List;
}
const ids = async (query: Record<string, string>, collection?: string) =>
  (await list(query, collection)).data.map((row) => row.id);

describe("what is found, with an index and without", () => {
  const table: [what: string, search: string, expected: number[]][] = [
    ["a whole word", "tablets", [4]],
    ["a beginning", "tab", [4]],
    ["any letter case", "ANDROID", [4]],
    ["another form of the word", "run", [1, 2]],
    ["a form that stands in no row", "runs", [1, 2]],
    ["a beginning that is longer than the stem", "runni", [1]],
    ["a stem that is not the beginning of the word", "happy", [5]],
    ["typing on the way to a word", "universi", [5]],
    ["all words, from any field", "shoes light", [1]],
    ["all words, not any", "shoes tablets", []],
    ["without accents", "creme brulee", [3]],
    ["with accents that the text does not have", "tàblets", [4]],
    ["letters that are no letter with a mark", "smorrebrod strasse", [3]],
    ["common words do not count beside others", "the tablets of", [4]],
    ["a common word alone is a beginning", "an", [1, 2, 4, 7]],
    ["part of a mail address", "example", [2]],
    ["a mail address", "ann@example.com", [2]],
    ["a host", "www.example.org", [2]],
    ["a path", "org/path", [2]],
    ["a code with a hyphen", "WIDGET-001", [1]],
    ["the end of a code", "001", [1]],
    ["a number", "2024", [4]],
    ["the beginning of a number", "202", [4]],
    ["a code with underscore and point", "ab_12.50", [4]],
    ["another script", "привет", [8]],
    ["the beginning in another script", "日本", [8]],
    ["a decomposed accent", "Cafe\u0301", [3]],
    ["nothing like it", "zzz", []],
  ];
  test.each(table)("%s: %s", async (_, search, expected) => {
    expect(await ids({ search })).toEqual(expected);
    expect(await ids({ search }, "notes")).toEqual(expected);
    expect((await list({ search, limit: "0" })).totalCount).toBe(expected.length);
  });
});

describe("any text is safe", () => {
  const texts = [
    ..."!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "''",
    "'",
    "a'b",
    "it's",
    "\\",
    "a\\",
    "\\'",
    "a & b",
    "a | b",
    "!a",
    "a <-> b",
    "a:*",
    "a:*A",
    "(a",
    "a)",
    "a b:",
    ":*",
    "& |",
    "'a' & 'b'",
    "a' || 'b",
    "'; drop table articles; --",
    "$1",
    "$CURRENT_USER",
    "%",
    "a%",
    "_",
    "*",
    "**",
    "\0",
    "a\0b",
    "\u00a0",
    "\u2028",
    "\t\n\r",
    "\ud83d\ude00",
    "\u200b",
    "¿Qué?",
    "«a»",
    "“a”",
    "½",
    "ŉ",
    "ʼ",
    "x²",
    "№ 5",
    "ﬁ",
    "İ",
    "1e5abc",
    "0x1F",
    "1.5.2",
    "-001",
    "+1",
    "<b>a</b>",
    "a&amp;b",
    "http://",
    "@",
    "#tag",
    "__proto__",
    "constructor",
    "\u0301",
    "e\u0301",
    "𝒳",
    "क्षि",
    "ไทย",
    "עִברִית",
  ];
  test.each(texts)("%j", async (search) => {
    for (const searchMode of ["words", "fuzzy"]) {
      for (const collection of ["articles", "notes"]) {
        const { data, totalCount } = await list({ search, searchMode, sortByRelevance: "true" }, collection);
        expect(data).toHaveLength(totalCount);
        // What holds no word finds nothing; nothing at all is no search.
        const words = search.trim() === "" ? null : /[\p{L}\p{N}\p{M}]/u.test(search);
        if (words !== true) expect(totalCount).toBe(words === null ? articles.length : 0);
      }
    }
  });
  test("half a surrogate pair in a body of our own", async () => {
    const { system } = await import("../../core/access/actor");
    expect(await app.data.find(system("a test"), "articles", { search: "\ud83d" })).toEqual([]);
    expect(await app.data.find(system("a test"), "articles", { search: "tab\ud83d" })).toHaveLength(1);
  });

  const refused: [Record<string, string>, string][] = [
    [{ search: "x".repeat(501) }, "QUERY_TOO_COMPLEX search: at most 500 characters"],
    [{ search: "a ".repeat(33) }, "QUERY_TOO_COMPLEX search: at most 32 words"],
    [{ search: "a", searchMode: "fuzy" }, "INVALID_QUERY searchMode"],
    [{ search: "a", sortByRelevance: "maybe" }, "INVALID_QUERY sortByRelevance"],
    [{ search: "a", sortByRelevance: "true", cursor: "" }, "INVALID_QUERY sortByRelevance: a walk by cursor"],
    [
      { search: "a", searchFields: "titel" },
      "UNKNOWN_FIELD searchFields[0]: 'articles' has no field 'titel'; did you mean 'title'?",
    ],
    [{ search: "a", searchFields: "title,,," + "x".repeat(3) }, "UNKNOWN_FIELD searchFields[1]"],
    [
      { search: "a", searchFields: "author.name" },
      "INVALID_QUERY searchFields[0]: a search looks into the fields of",
    ],
    [{ search: "a", searchFields: "[1]" }, "INVALID_QUERY searchFields"],
    [{ search: "a", searchFields: "[" }, "INVALID_QUERY searchFields: not valid JSON"],
    [{ search: "a", searchFields: 'title"); --' }, "UNKNOWN_FIELD searchFields[0]"],
  ];
  test.each(refused)("%j is refused", async (query, expected) => {
    const answer = await app.call("GET", `/items/articles?${new URLSearchParams(query).toString()}`, {
      token: app.admin,
    });
    const { error } = answer.body as { error: { code: string; message: string } };
    expect(answer.status).toBe(400);
    expect(`${error.code} ${error.message}`).toStartWith(expected);
  });
  test("a repeated search is refused, a field of another type too", async () => {
    const twice = await app.call("GET", "/items/articles?search=a&search=b", { token: app.admin });
    expect(twice.status).toBe(400);
    const flag = await app.call("GET", "/items/baasix_User?search=a&searchFields=emailVerified", {
      token: app.admin,
    });
    expect((flag.body as { error: unknown }).error).toMatchObject({
      code: "INVALID_QUERY",
      message:
        "searchFields[0]: 'emailVerified' is Boolean; a search looks into text, UUID, Integer and BigInt",
    });
  });
});

describe("where is searched", () => {
  const table: [string, string, number[]][] = [
    ["art", "title", [6, 7]],
    ["art", "body", [7]],
    ["art", "title,body", [6, 7]],
    ["art", '["body","title"]', [6, 7]],
    ["art", "code,body,title", [6, 7]],
    ["shoes light", "title", []],
    ["shoes light", "title,body", [1]],
    ["3", "id", [3]],
    ["android 4", "id,title", [4]],
  ];
  test.each(table)("%s in %s", async (search, searchFields, expected) => {
    for (const collection of ["articles", "notes"]) {
      expect(await ids({ search, searchFields }, collection)).toEqual(expected);
    }
  });
  test("a repeated parameter", async () => {
    const answer = await app.call("GET", "/items/articles?search=art&searchFields=title&searchFields=body", {
      token: app.admin,
    });
    expect((answer.body as List).totalCount).toBe(2);
  });
  test("an id is found by its beginning, where the collection asks for no index", async () => {
    const answer = await app.call("GET", "/items/baasix_Role", { token: app.admin });
    const [role] = (answer.body as { data: { id: string; name: string }[] }).data;
    const found = await list({ search: String(role?.id) }, "baasix_Role");
    expect(found.data.map((row) => String(row.id))).toEqual([String(role?.id)]);
  });
  test("beside filter, sort, fields, page and count", async () => {
    const all = await list({ search: "art", sort: "-id", fields: "id" });
    expect(all).toEqual({ data: [{ id: 7 }, { id: 6 }] as Row[], totalCount: 2 });
    expect(await ids({ search: "art", filter: '{"id":{"gt":6}}' })).toEqual([7]);
    expect(await list({ search: "art", limit: "1", page: "2", fields: "id", sort: "id" })).toEqual({
      data: [{ id: 7 }] as Row[],
      totalCount: 2,
    });
    expect((await list({ search: "art", count: "estimated" })).totalCount).toBe(2);
  });
  test("a walk by cursor and an export give what a list gives", async () => {
    const seen: number[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: List & { nextCursor?: string | null } = await list({ search: "a", limit: "2", cursor });
      seen.push(...page.data.map((row) => row.id));
      cursor = page.nextCursor ?? null;
    }
    expect(seen).toEqual(await ids({ search: "a" }));
    for (const searchMode of ["words", "fuzzy"]) {
      const query = new URLSearchParams({
        search: "art",
        searchMode,
        export: "ndjson",
        fields: "id",
      }).toString();
      const answer = await app.call("GET", `/items/articles?${query}`, { token: app.admin });
      expect(answer.text.trim().split("\n")).toEqual(['{"id":6}', '{"id":7}']);
    }
  });
});

describe("a page is the same with its total and without", () => {
  const searches: readonly Record<string, string>[] = [{ search: "a" }, { search: "art" }, { search: "zzz" }];
  const views: readonly Record<string, string>[] = [
    {},
    { sort: "-title" },
    { sort: "code", limit: "2", page: "2" },
    { sort: "-code", limit: "2", cursor: "" },
    { sortByRelevance: "true", limit: "2" },
    { sortByRelevance: "true", searchMode: "fuzzy", offset: "1" },
    { filter: '{"id":{"lt":5}}', sort: "-id", fields: "title" },
    { sort: "-title", limit: "2", cursor: "", fields: "title" },
    { sort: "-code", limit: "2", fields: "title" },
  ];
  const table = searches.flatMap((search) => views.map((view) => ({ ...search, ...view })));
  test.each(table)("%j", async (query) => {
    const { totalCount: _, ...first } = await list({ ...query, count: "exact" });
    // The total is known by now.
    const { totalCount: __, ...again } = await list({ ...query, count: "exact" });
    const without = await list({ ...query, count: "none" });
    expect([first, again]).toEqual([without, without]);
    const { nextCursor } = first as { nextCursor?: string | null };
    if (!nextCursor) return;
    const { totalCount, ...second } = await list({ ...query, cursor: nextCursor });
    const alone: object = await list({ ...query, cursor: nextCursor, count: "none" });
    expect<object>(second).toEqual(alone);
    expect(totalCount).toBe((await list(query)).totalCount);
  });
});

describe("the best matches come first when asked for", () => {
  const table: [what: string, query: Record<string, string>, expected: number[]][] = [
    ["a whole word before a beginning", { search: "art", searchFields: "title" }, [6, 7]],
    ["the first field before the second", { search: "light", searchFields: "title,body" }, [7, 1]],
    ["as the fields are named", { search: "light", searchFields: "body,title" }, [1, 7]],
  ];
  test.each(table)("%s", async (_, query, expected) => {
    for (const collection of ["articles", "notes"]) {
      expect(await ids({ ...query, sortByRelevance: "true" }, collection)).toEqual(expected);
    }
  });
  test("a sort that is given wins, and without a search there is none", async () => {
    expect(await ids({ search: "light", sortByRelevance: "true", sort: "id" })).toEqual([1, 7]);
    expect(await ids({ sortByRelevance: "true", limit: "3" })).toEqual([1, 2, 3]);
    expect(await ids({ search: "light", sortByRelevance: "false" })).toEqual([1, 7]);
  });
  test("also with related rows and pages", async () => {
    const page = await list({
      search: "light",
      sortByRelevance: "true",
      searchFields: "title,body",
      limit: "1",
      page: "2",
    });
    expect(page.data.map((row) => row.id)).toEqual([1]);
  });
});

describe("a fuzzy search forgives", () => {
  const table: [what: string, search: string, best: number][] = [
    ["a missing letter", "keybord", 9],
    ["a letter too many", "keyboardd", 9],
    ["another letter", "kayboard", 9],
    ["two letters in the wrong order", "recieve", 9],
    ["letter case and accents", "CREME BRULE", 3],
    ["a mistake in each of two words", "runing sheos", 1],
    ["nothing, where nothing is wrong", "android", 4],
    ["another script", "приветт", 8],
  ];
  test.each(table)("%s: %s", async (_, search, best) => {
    for (const collection of ["articles", "notes"]) {
      expect((await ids({ search, searchMode: "fuzzy" }, collection))[0]).toBe(best);
    }
    expect(await ids({ search: "qqqqq", searchMode: "fuzzy" })).toEqual([]);
  });
});
