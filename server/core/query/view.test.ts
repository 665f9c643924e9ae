import { describe, expect, test } from "bun:test";
import { adminOf, blogSchema, rulesFor, userOf } from "../../testing/blog";
import { accessOf } from "../access/policy";
import { authorizeRead } from "./authorize";
import { findCollection } from "./plan";
import {
  bindJudge,
  compileJudge,
  dependenciesOf,
  encodeChanges,
  planView,
  settle,
  touches,
  wholeChange,
} from "./view";

const user = userOf("7");
const rules = rulesFor([
  { collection: "posts", action: "read", conditions: { secret: { eq: "$CURRENT_USER" } } },
]);

test("the statement reads the rows as values, and parameters as columns of a set", () => {
  const plan = planView(blogSchema, {
    collection: "posts",
    fields: ["title"],
    filter: { title: { ne: "x" } },
  });
  const statement = compileJudge(authorizeRead(plan, accessOf(rules, blogSchema, user)), 7);
  const condition = (row: string) => `(${row}."secret" = v.p0::text) and (${row}."title" <> v.p1::text)`;
  const columns = ["id", "title", "price", "views", "secret", "published", "at", "author_Id"]
    .map((name) => `t."${name}"`)
    .join(", ");
  const rows = (source: string) =>
    `select c.n as "#", c.a is not null as "#u", ${columns} from "#change" c cross join lateral ` +
    `jsonb_populate_record(null::"posts", c.${source}) t where c.${source} is not null`;
  expect(statement).toEqual({
    version: 7,
    text:
      `with "#change" as materialized (select c.n, c.o, c.a from jsonb_to_recordset($1::text::jsonb) as c(n integer, o jsonb, a jsonb)), ` +
      `"#set" as materialized (select s.* from json_to_recordset($2::text::json) as s(n integer, p0 text, p1 text)), ` +
      `"#old" as materialized (${rows("o")}), "#new" as materialized (${rows("a")}) ` +
      `select v.n, t0."#", (select row_to_json(r.*)::text from (select t0."id" as "id") r), null::text, ` +
      `case when t0."#u" then (select row_to_json(r.*)::text from (select t0."id" as "id", t0."title" as "title") r) end ` +
      `from "#old" t0 cross join "#set" v where ${condition("t0")} union all ` +
      `select v.n, t1."#", null::text, (select row_to_json(r.*)::text from (select t1."id" as "id", t1."title" as "title") r), null::text ` +
      `from "#new" t1 cross join "#set" v where ${condition("t1")}`,
    params: [{ kind: "currentUser" }, { kind: "value", text: "x" }],
  });
});

test("sets hold what is known of the actor; times are filled in when judging", () => {
  const params = settle([{ kind: "currentUser" }, { kind: "now", offset: -1000 }], user);
  expect(params).toEqual([
    { kind: "value", text: "7" },
    { kind: "now", offset: -1000 },
  ]);
  const now = Date.parse("2026-11-20T12:00:00Z");
  expect(bindJudge({ version: 3, text: "select 1", params: [] }, "[]", [params, params], now)).toEqual({
    text: "/* s3 */ select 1",
    params: [
      "[]",
      '[{"n":0,"p0":"7","p1":"2026-11-20T11:59:59.000Z"},{"n":1,"p0":"7","p1":"2026-11-20T11:59:59.000Z"}]',
    ],
  });
});

describe("rows", () => {
  const comments = findCollection(blogSchema, "comments");
  const row = { id: "1", text: 'a"b', approved: "t", post_Id: null, deletedAt: null };

  test("travel as text, without nulls and without columns that are no fields", () => {
    const change = wholeChange(comments, { action: "create", before: null, after: { ...row, other: "x" } });
    expect(encodeChanges(comments, change ? [change] : [])).toBe(
      '[{"n":0,"o":null,"a":{"id":"1","text":"a\\"b","approved":"t"}}]',
    );
  });

  const { text: _, ...partial } = row;
  test.each([
    ["create", null, row, { old: null, now: row }],
    ["update", row, partial, { old: row, now: row }],
    ["delete", row, null, { old: row, now: null }],
    ["update", null, row, null],
    ["update", { id: "1" }, row, null],
    ["delete", { id: "1" }, null, null],
    ["delete", null, null, null],
    ["create", null, partial, null],
  ] as const)("%s from %j to %j", (action, before, after, whole) => {
    expect(wholeChange(comments, { action, before, after })).toEqual(whole);
  });
});

describe("a view depends on", () => {
  const admin = adminOf("1");
  const dependencies = (request: { filter?: unknown; fields?: unknown }): string[] => {
    const plan = planView(blogSchema, { collection: "posts", ...request });
    const read = authorizeRead(plan, accessOf(rules, blogSchema, admin));
    return [...dependenciesOf(read)].map(
      ([name, { columns, created }]) => `${name}${created ? "+" : ""}: ${[...columns].sort().join(" ")}`,
    );
  };
  test.each([
    ["nothing but its rows", {}, []],
    ["what its filter reads of related rows", { filter: { "author.name": "x" } }, ["authors: id name"]],
    [
      "rows of a list, which may be created",
      { filter: { "comments.text": "x" } },
      ["comments+: deletedAt post_Id text"],
    ],
    [
      "what it shows of them",
      { fields: ["author.mail", "comments.id"] },
      ["authors: id mail", "comments+: deletedAt id post_Id"],
    ],
    [
      "columns that it looks up, and those that it compares with",
      { filter: { NOT: { "author.name": "$COL(author.mail)" } } },
      ["authors: id mail name"],
    ],
    [
      "the row of the account",
      { filter: { OR: [{ title: { in: ["$CURRENT_USER.userRoles.role.name"] } }] } },
      ["baasix_User: id", "baasix_UserRole+: role_Id user_Id", "baasix_Role: id name"],
    ],
    [
      "rows of its own collection, reached through others",
      { filter: { "author.posts.title": "x" } },
      ["authors: id", "posts+: author_Id title"],
    ],
  ] as const)("%s", (_name, request, expected) => {
    expect(dependencies(request)).toEqual([...expected]);
  });

  test("changes of those columns, deletions, and creations in lists", () => {
    const columns = new Set(["a", "b"]);
    const one = { columns, created: false };
    const row = { a: "1", b: null, c: "x" };
    const { a: _, ...partial } = row;
    const update = (after: Record<string, string | null>) =>
      ({ action: "update", before: row, after }) as const;
    expect(touches(one, update({ ...row, c: "y" }))).toBe(false);
    expect(touches(one, update({ ...row, b: "y" }))).toBe(true);
    expect(touches(one, update(partial))).toBe(false);
    expect(touches(one, { ...update(row), before: null })).toBe(true);
    expect(touches(one, { action: "delete", before: row, after: null })).toBe(true);
    expect(touches(one, { action: "create", before: null, after: row })).toBe(false);
    expect(touches({ columns, created: true }, { action: "create", before: null, after: row })).toBe(true);
  });
});
