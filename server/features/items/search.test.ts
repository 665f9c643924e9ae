/** Searching over HTTP: what is found, in which order, by whom, and by which plan. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { outsider } from "../../testing/postgres";
import { testApp, type TestApp } from "../../testing/app";

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
