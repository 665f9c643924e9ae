/** The statements of views that reach other rows: their texts, and what is bound to them. */
import { expect, test } from "bun:test";
import { blogSchema, rulesFor, userOf } from "../../testing/blog";
import { accessOf } from "../access/policy";
import { authorizeRead } from "./authorize";
import { bindLook, bindSurvey, compileLook, compileSurvey, reachesOthers, surveyed } from "./look";
import { planView, settle } from "./view";

const user = userOf("7");
const rules = rulesFor([
  { collection: "posts", action: "read", conditions: { secret: { eq: "$CURRENT_USER" } } },
  { collection: "authors", action: "read" },
  { collection: "baasix_User", action: "read" },
]);
const read = (request: { filter?: unknown; fields?: unknown }) =>
  authorizeRead(planView(blogSchema, { collection: "posts", ...request }), accessOf(rules, blogSchema, user));
const ofAnn = read({ filter: { "author.name": "Ann" }, fields: ["title"] });

test.each([
  ["its own columns and the account", { filter: { title: "x" } }, false],
  ["columns of others that it shows", { fields: ["title", "author.name"] }, false],
  ["columns of others that it asks for", { filter: { "author.name": "x" } }, true],
  ["the row of the account", { filter: { title: "$CURRENT_USER.email" } }, true],
] as const)("who is in a view is decided by others or not: %s", (_name, request, expected) => {
  expect(reachesOthers(read(request))).toBe(expected);
});

test("a look reads the rows of the keys as a list would, for all sets of parameters", () => {
  const { text, params } = compileLook(ofAnn, 7);
  const condition = (row: string, author: string): string =>
    `(${row}."secret" = v.p0::text) and exists (select 1 from "authors" ${author} where ${author}."id" = ${row}."author_Id" and (${author}."name" = v.p1::text))`;
  const columns = ["id", "title", "price", "views", "secret", "published", "at", "author_Id"];
  expect(text).toBe(
    `with "#change" as materialized (select c.n, c.o, c.a from jsonb_to_recordset($1::text::jsonb) as c(n integer, o jsonb, a jsonb)), ` +
      `"#set" as materialized (select s.* from json_to_recordset($2::text::json) as s(n integer, p0 text, p1 text)), ` +
      `"#old" as materialized (select c.n as "#", c.a is not null as "#u", ${columns.map((name) => `t."${name}"`).join(", ")} ` +
      `from "#change" c cross join lateral jsonb_populate_record(null::"posts", c.o) t where c.o is not null), ` +
      `"#now" as materialized (select t.* from "posts" t where t."id" = any(array(select e::integer from jsonb_array_elements_text($3::text::jsonb) e))) ` +
      `select v.n, t0."#", null::text, (select row_to_json(r.*)::text from (select t0."id" as "id") r), null::text ` +
      `from "#old" t0 cross join "#set" v where ${condition("t0", "t1")} union all ` +
      `select v.n, null::integer, t2."id"::text, null::text, (select row_to_json(r.*)::text from (select t2."id" as "id", t2."title" as "title") r) ` +
      `from "#now" t2 cross join "#set" v where ${condition("t2", "t3")}`,
  );
  const sets = [settle(params, user), settle(params, { ...user, id: "8" })];
  expect(bindLook({ version: 7, text: "select 1", params }, "[]", sets, 0, ["1", 'a"b'])).toEqual({
    text: "/* s7 */ select 1",
    params: ["[]", '[{"n":0,"p0":"7","p1":"Ann"},{"n":1,"p0":"8","p1":"Ann"}]', '["1","a\\"b"]'],
  });
});

test("a survey reads all rows up to its bound, and the texts of those whose marks are new", () => {
  const { text, params } = compileSurvey(ofAnn, 7);
  expect(text).toContain(`from "posts" t0 where (t0."secret" = $2::text) and `);
  expect(text).toContain(` limit ${surveyed + 1})`);
  const settled = settle(params, user);
  expect(bindSurvey({ version: 7, text: "select 1", params }, settled, 0, null).params).toEqual([
    null,
    "7",
    "Ann",
  ]);
  expect(
    bindSurvey({ version: 7, text: "select 1", params }, settled, 0, new Map([["1", "m"]])).params,
  ).toEqual(['[{"k":"1","m":"m"}]', "7", "Ann"]);
});
