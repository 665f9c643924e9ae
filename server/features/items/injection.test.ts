/**
 * Hostile texts in every place where a request can have a name or a value: never an error of the server, and never an
 * answer with more than the caller may see.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { system } from "../../core/access/actor";
import { testApp, type TestApp } from "../../testing/app";

const server = system("tests of injection");
/** In the rows and the field that the caller may not read; in no answer. */
const secret = "TOPSECRET";

const hostile: readonly string[] = [
  "'",
  "''",
  '"',
  '""',
  "\\",
  "\\'",
  "'; drop table notes; --",
  "' or '1'='1",
  "1 or 1=1",
  '") or true --',
  'title" = title or "id',
  "x' union select secret from notes --",
  "$1",
  "$$",
  "$1::text",
  "%",
  "%25",
  "_",
  "*",
  "**",
  "?",
  "{}",
  "[]",
  "[",
  "{",
  ",",
  ":",
  "-",
  "a\0b",
  "\0",
  "a\ud800b",
  "\udc00",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "a.b",
  "a.b.c.d.e.f.g.h.i.j",
  ".",
  "..",
  "owner..id",
  '"notes"."secret"',
  "notes.secret",
  "public.notes",
  "secret",
  "secret::text",
  "owner.password",
  "parent.secret",
  "ctid",
  "tableoid",
  "pg_sleep(10)",
  "(select secret from notes limit 1)",
  " ",
  "\n",
  "\r\nx: y",
  "\u0000\u0001\u001f\u007f",
  "/* x */",
  "-- x",
  "NULL",
  "null",
  "true",
  "NaN",
  "Infinity",
  "1e999",
  "-0",
  "0x27",
  "9".repeat(400),
  "$COL(secret)",
  "$CURRENT_USER",
  "$CURRENT_USER.password",
  "$CURRENT_TENANT",
  "$NOW",
  "$NOW-DAYS_999999",
  "😀\u202e",
  "ｓｅｃｒｅｔ",
  "x".repeat(2000),
  "(".repeat(300),
];

let app: TestApp;
let token: string;
beforeAll(async () => {
  app = await testApp();
  const user = await app.signUp("reader@example.com");
  token = user.token;
  await app.snapshot.changeSchema(() => ({
    put: [
      {
        collectionName: "notes",
        schema: {
          name: "Note",
          searchable: ["title"],
          fields: {
            id: { type: "Integer", primaryKey: true },
            title: { type: "String" },
            kind: { type: "Enum", values: ["a", "b"] },
            uid: { type: "UUID" },
            count: { type: "BigInt" },
            price: { type: "Decimal" },
            ratio: { type: "Double" },
            flag: { type: "Boolean" },
            at: { type: "DateTime" },
            day: { type: "Date" },
            hour: { type: "Time" },
            tags: { type: "Array_String" },
            span: { type: "Range_Integer" },
            meta: { type: "JSONB" },
            secret: { type: "String" },
            open: { type: "Boolean" },
            parent: { relType: "BelongsTo", target: "notes" },
            children: { relType: "HasMany", target: "notes", foreignKey: "parent_Id" },
          },
        },
      },
    ],
    remove: [],
  }));
  const note = (id: number, open: boolean, more: object) => ({
    id,
    open,
    title: open ? `note ${id}` : secret,
    secret,
    tags: ["a"],
    span: { lower: 1, upper: 5 },
    meta: open ? { a: 1 } : { a: secret },
    ...more,
  });
  await app.data.create(server, "notes", [
    note(1, true, {}),
    note(2, false, {}),
    note(3, true, { parent_Id: 2 }),
  ]);
  const roles = await app.data.find<{ id: string }>(server, "baasix_Role", { filter: { name: "user" } });
  const fields = [
    ..."id title kind uid count price ratio flag at day hour tags span meta open parent_Id".split(" "),
    "parent.title",
    "children.title",
  ];
  const conditions = { open: true };
  for (const action of ["read", "create", "update", "delete"]) {
    await app.data.create(server, "baasix_Permission", [
      { role_Id: roles[0]?.id, collection: "notes", action, fields, conditions },
    ]);
  }
});
afterAll(() => app.close());

/** Percent-encoding also of half a surrogate pair, as the three bytes that some writers make of it. */
function encoded(text: string): string {
  return Array.from(text, (part) => (part.isWellFormed() ? encodeURIComponent(part) : "%ED%A0%80")).join("");
}

const json = (value: unknown): string => encoded(JSON.stringify(value));
const filter = (value: unknown): string => `?filter=${json(value)}`;

/** A place: the request that carries the text there. */
type Place = (text: string) => { readonly method?: string; readonly path: string; readonly body?: unknown };
const list =
  (query: (text: string) => string): Place =>
  (text) => ({ path: `/items/notes${query(text)}` });
const operand = (make: (text: string) => unknown): Place => list((text) => filter(make(text)));

const textOperators =
  "eq ne neq not like notLike ilike iLike notILike contains startsWith endsWith startsWiths endsWiths nstartsWith nendsWith nstartsWiths nendsWiths gt gte lt lte is isNull isNotNull".split(
    " ",
  );
const columns =
  "title kind uid count price ratio flag at day hour tags span meta parent parent_Id children".split(" ");
const keyed = "jsonbKeyEquals jsonbKeyNotEquals jsonbKeyGt jsonbKeyGte jsonbKeyLt jsonbKeyLte".split(" ");

const places: Readonly<Record<string, Place>> = {
  "a collection": (text) => ({ path: `/items/${encoded(text)}` }),
  "a key": (text) => ({ path: `/items/notes/${encoded(text)}` }),
  "a parameter": list((text) => `?${encoded(text)}=1`),
  "an object of parameters": list((text) => `?filter[${encoded(text)}][${encoded(text)}]=${encoded(text)}`),
  fields: list((text) => `?fields=${encoded(text)}`),
  "fields, as JSON": list((text) => `?fields=${json([text, `-${text}`])}`),
  "fields behind a relation": list((text) => `?fields=${encoded(`parent.${text}`)}`),
  "fields as an object": list(
    (text) =>
      `?fields=${json([{ children: { fields: [text], filter: { title: text }, sort: text, limit: text } }])}`,
  ),
  sort: list((text) => `?sort=${encoded(text)}`),
  "sort, as JSON": list((text) => `?sort=${json({ [text]: "asc" })}`),
  "a direction": list((text) => `?sort=${encoded(`title:${text}`)}`),
  "a direction, as JSON": list((text) => `?sort=${json({ title: text })}`),
  "sort behind a relation": list((text) => `?sort=${encoded(`parent.${text}`)}`),
  "a distance": list(
    (text) => `?sort=${json({ _distance: { target: [text, text], column: text, direction: text } })}`,
  ),
  limit: list((text) => `?limit=${encoded(text)}`),
  page: list((text) => `?page=${encoded(text)}`),
  offset: list((text) => `?offset=${encoded(text)}`),
  cursor: list((text) => `?cursor=${encoded(text)}`),
  "a made cursor": list(
    (text) => `?cursor=${Buffer.from(JSON.stringify(["id", [text]])).toString("base64url")}`,
  ),
  count: list((text) => `?count=${encoded(text)}`),
  paranoid: list((text) => `?paranoid=${encoded(text)}`),
  search: list((text) => `?search=${encoded(text)}`),
  "fuzzy search": list((text) => `?searchMode=fuzzy&search=${encoded(text)}`),
  searchFields: list((text) => `?search=note&searchFields=${encoded(text)}`),
  searchMode: list((text) => `?search=note&searchMode=${encoded(text)}`),
  export: list((text) => `?export=${encoded(text)}`),
  relConditions: list((text) => `?fields=*,children.*&relConditions=${json({ [text]: { title: 1 } })}`),
  "relConditions, the condition": list(
    (text) => `?fields=*,children.*&relConditions=${json({ children: { [text]: text } })}`,
  ),
  "relConditions, the value": list(
    (text) => `?fields=*,children.*&relConditions=${json({ children: { title: text } })}`,
  ),
  "an alias of an aggregate": list(
    (text) => `?aggregate=${json({ [text]: { function: "count", field: "*" } })}`,
  ),
  "a function": list((text) => `?aggregate=${json({ n: { function: text, field: "id" } })}`),
  "a field of an aggregate": list((text) => `?aggregate=${json({ n: { function: "max", field: text } })}`),
  groupBy: list(
    (text) => `?aggregate=${json({ n: { function: "count", field: "*" } })}&groupBy=${encoded(text)}`,
  ),
  "a part of a date": list(
    (text) =>
      `?aggregate=${json({ n: { function: "count", field: "*" } })}&groupBy=${encoded(`date:${text}:at`)}`,
  ),
  having: list(
    (text) =>
      `?aggregate=${json({ n: { function: "count", field: "*" } })}&groupBy=title&having=${json({ [text]: text })}`,
  ),
  "a filter that is no JSON": list((text) => `?filter=${encoded(text)}`),
  "a path": operand((text) => ({ [text]: "x" })),
  "a path with $": operand((text) => ({ [`$${text}$`]: { ne: null } })),
  "a path behind a relation": operand((text) => ({ [`parent.${text}`]: { isNull: false } })),
  "a path in a list": operand((text) => ({ children: { [text]: text } })),
  "an operator": operand((text) => ({ title: { [text]: text } })),
  "a cast": operand((text) => ({ title: { cast: text, ne: "x" } })),
  "a member of AND": operand((text) => ({ AND: [{ [text]: text }] })),
  "AND itself": operand((text) => ({ AND: text, OR: text, NOT: text })),
  "a column reference": operand((text) => ({ title: { ne: `$COL(${text})` } })),
  "a path in a column reference": operand((text) => ({ title: { ne: `$COL(parent.${text})` } })),
  "a cast in a column reference": operand((text) => ({ title: { ne: `$COL(title::${text})` } })),
  "a path of a variable": operand((text) => ({ title: { ne: `$CURRENT_USER.${text}` } })),
  "a path of the role": operand((text) => ({ title: { notIn: [`$CURRENT_ROLE.${text}`] } })),
  "a unit": operand((text) => ({ at: { gt: `$NOW-${text}_1` } })),
  in: operand((text) => ({ title: { in: [text, { [text]: text }] } })),
  "in, as text": operand((text) => ({ title: { in: text } })),
  notIn: operand((text) => ({ title: { notIn: [text] } })),
  between: operand((text) => ({ title: { between: [text, text] } })),
  items: operand((text) => ({
    tags: { arraycontains: [text], arraycontained: text, arrayoverlaps: [[text]] },
  })),
  "an item": operand((text) => ({ NOT: { tags: { arraycontains: text } } })),
  "a range": operand((text) => ({ span: { rangeContains: text } })),
  "a bound": operand((text) => ({ span: { rangeOverlaps: { lower: text, upper: text } } })),
  "a key of a range": operand((text) => ({ span: { rangeOverlaps: { [text]: 1 } } })),
  "a document": operand((text) => ({ meta: { jsonbNotContains: { [text]: [text, { a: text }] } } })),
  "a key in JSON": operand((text) => ({ meta: { jsonbHasKey: text } })),
  "keys in JSON": operand((text) => ({ NOT: { meta: { jsonbHasAnyKeys: [text, "b"] } } })),
  "a key that is null": operand((text) => ({ meta: { jsonbKeyIsNull: text } })),
  "keys and values": operand((text) => ({ meta: { jsonbKeyNotIn: { key: text, values: [text, 1, null] } } })),
  "a pattern in JSON": operand((text) => ({ NOT: { meta: { jsonbKeyLike: { key: "a", pattern: text } } } })),
  "a JSON path": operand((text) => ({ meta: { jsonbPathExists: text } })),
  "a JSON path inside": operand((text) => ({ meta: { jsonbPathMatch: `$."${text}" == "${text}"` } })),
  "a pattern in a JSON path": operand((text) => ({
    meta: { jsonbPathExists: `$.a ? (@ like_regex "${text}")` },
  })),
  "variables of a JSON path": operand((text) => ({
    meta: { jsonbPathExists: { path: "$.a ? (@ != $x)", vars: { x: text, [text]: text } } },
  })),
  "the length of an array": operand((text) => ({
    meta: { jsonbArrayLength: { path: text, op: text, value: text } },
  })),
  "a type in JSON": operand((text) => ({ meta: { jsonbTypeOf: { path: text, type: text } } })),
  "a path in JSON": operand((text) => ({
    meta: { jsonbDeepValue: { path: [text, "a"], value: text, op: "ne" } },
  })),
  "a sign": operand((text) => ({ meta: { jsonbDeepValue: { path: ["a"], value: text, op: text } } })),
  "a key of an operand": operand((text) => ({
    meta: { jsonbKeyEquals: { key: "a", value: 1, [text]: text } },
  })),
  GeoJSON: operand((text) => ({ title: { within: { type: text, coordinates: [text] } } })),
  ...Object.fromEntries(
    keyed.map((name) => [name, operand((text) => ({ meta: { [name]: { key: text, value: text } } }))]),
  ),
  ...Object.fromEntries(
    columns.flatMap((column) => [
      [`a bare value of ${column}`, operand((text) => ({ [column]: text }))],
      [`not ${column}`, operand((text) => ({ NOT: { [column]: { eq: text } } }))],
      [`${column} in`, operand((text) => ({ [column]: { notIn: [text] } }))],
      [`${column} as text`, operand((text) => ({ [column]: { cast: "text", ne: text } }))],
      [`${column} behind a relation`, operand((text) => ({ [`parent.${column}`]: { ne: text } }))],
    ]),
  ),
  ...Object.fromEntries(
    textOperators.map((name) => [`title ${name}`, operand((text) => ({ title: { [name]: text } }))]),
  ),
  ...Object.fromEntries(
    textOperators.map((name) => [
      `brackets, title ${name}`,
      list((text) => `?filter[title][${name}]=${encoded(text)}`),
    ]),
  ),
  "a name to write": (text) => ({ method: "PATCH", path: "/items/notes/1", body: { [text]: text } }),
  "a value to write": (text) => ({ method: "PATCH", path: "/items/notes/1", body: { title: text } }),
  "values to write": (text) => ({
    method: "PATCH",
    path: "/items/notes/1",
    body: { tags: [text], meta: { a: text, [text]: 1 }, span: text },
  }),
  "the key to write": (text) => ({
    method: "PATCH",
    path: `/items/notes/${encoded(text)}`,
    body: { title: "x" },
  }),
  "fields of what was written": (text) => ({
    method: "PATCH",
    path: `/items/notes/1?fields=${encoded(text)}`,
    body: {},
  }),
  "the key to delete": (text) => ({ method: "DELETE", path: `/items/notes/x${encoded(text)}` }),
  "keys to delete": (text) => ({ method: "DELETE", path: "/items/notes/bulk", body: [text, 99] }),
};

const visible = [1, 3];

async function send({ method = "GET", path, body }: ReturnType<Place>): Promise<void> {
  const answer = await app.call(method, path, { token, ...(body !== undefined && { body }) });
  const shown = `${method} ${path.slice(0, 300)} ${JSON.stringify(body)?.slice(0, 300)}`;
  if (answer.status >= 500) throw new Error(`${answer.status} ${answer.text}\n${shown}`);
  if (answer.text.includes(secret)) throw new Error(`${answer.text}\n${shown}`);
  const { data, totalCount, error } = (answer.body ?? {}) as {
    data?: unknown;
    totalCount?: number;
    error?: { code?: unknown };
  };
  if (answer.status >= 400) expect([shown, typeof error?.code]).toEqual([shown, "string"]);
  else if (Array.isArray(data) && method === "GET") {
    const ids = data.flatMap((row: { id?: number }) => (row.id === undefined ? [] : [row.id]));
    expect([shown, ids.filter((id) => !visible.includes(id))]).toEqual([shown, []]);
    expect([shown, (totalCount ?? 0) <= visible.length]).toEqual([shown, true]);
  }
}

describe("a hostile text as", () => {
  test.each(Object.entries(places))("%s", async (_name, place) => {
    const requests = hostile.map(place);
    if (requests.every(({ method }) => method === undefined)) await Promise.all(requests.map(send));
    else for (const request of requests) await send(request);
  });

  test("all of them: nothing is gone, and nothing changed that may not", async () => {
    const rows = await app.data.find<{ id: number; secret: string }>(server, "notes", { sort: "id" });
    expect(rows.map(({ id, secret: kept }) => [id, kept])).toEqual([1, 2, 3].map((id) => [id, secret]));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("values are what they are", async () => {
    for (const text of hostile) {
      if (text.includes("\0") || !text.isWellFormed() || text.startsWith("$C") || text.startsWith("$N"))
        continue;
      const written = await app.call("PATCH", "/items/notes/3", {
        token,
        body: { title: text, meta: { [`k${text}`]: text } },
      });
      expect([text, written.status]).toEqual([text, 200]);
      for (const condition of [
        { title: text },
        { title: { in: [text, "other"] } },
        { title: { contains: text } },
        { title: { startsWiths: text } },
        { title: { endsWiths: text } },
        { meta: { jsonbContains: { [`k${text}`]: text } } },
        { meta: { jsonbHasKey: `k${text}` } },
        { meta: { jsonbKeyEquals: { key: `k${text}`, value: text } } },
        { meta: { jsonbKeyIn: { key: `k${text}`, values: [text] } } },
        { meta: { jsonbDeepValue: { path: [`k${text}`], value: text } } },
      ]) {
        const answer = await app.call(
          "GET",
          `/items/notes${filter({ AND: [condition, { id: 3 }] })}&fields=id`,
          { token },
        );
        expect([condition, answer.body]).toEqual([condition, { data: [{ id: 3 }], totalCount: 1 }]);
      }
    }
  });
});
