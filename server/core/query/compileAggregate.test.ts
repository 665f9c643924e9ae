import { describe, expect, test } from "bun:test";
import { blogDefinitions, blogSchema, roles } from "../../testing/blog";
import { system } from "../access/actor";
import { accessOf } from "../access/policy";
import { parseRules } from "../access/rules";
import { buildSchema } from "../schema/define";
import type { Schema } from "../schema/model";
import { parseAggregate } from "./aggregate";
import { authorizeAggregate, authorizeRead } from "./authorize";
import { compileRead } from "./compile";
import { compileAggregate } from "./compileAggregate";
import { parseRead } from "./parse";
import { planRead } from "./plan";
import { planAggregate } from "./planAggregate";
import { bind, type CompiledStatement } from "./variables";

const actor = system("a test");

function accessTo(schema: Schema) {
  return accessOf(parseRules(roles, [], schema), schema, actor);
}

function textOf(compiled: CompiledStatement): readonly [string, readonly (string | null)[]] {
  const { text, params } = bind(compiled, { actor, now: 0 });
  return [text, params];
}

function groups(query: Record<string, unknown>): readonly [string, readonly (string | null)[]] {
  const plan = planAggregate(blogSchema, parseAggregate("posts", query));
  return textOf(compileAggregate(authorizeAggregate(plan, accessTo(blogSchema)), 7));
}

describe("aggregates", () => {
  const total = { n: { function: "count", field: "*" }, price: { function: "sum", field: "price" } };

  test("groups of columns and related columns are one scan; names of the answer are parameters", () => {
    const [text, params] = groups({
      aggregate: total,
      groupBy: "author.name",
      filter: { published: true },
      having: { n: { gt: 1 } },
      sort: "-n",
      limit: 20,
    });
    expect(text).toBe(
      '/* s7 */ with "#g" as materialized (select * from (' +
        "select k0, count(*) as a0, sum(v1) as a1 from (" +
        'select t1."name" as k0, t0."price" as v1 from "posts" t0 left join "authors" t1 on t1."id" = t0."author_Id" ' +
        'where (t0."published" = $1::boolean)) b group by k0) t2 where (t2."a0" > $2::numeric)), ' +
        '"#p" as (select *, row_number() over (order by a0 desc, k0) as "#" from "#g" order by "#" limit 20 offset 0), ' +
        '"#n" as (select greatest(1, 10000 / greatest(1, count(*) * 1))::integer as n from "#p") ' +
        "select coalesce(json_agg(json_build_object($3::text, p.k0, $4::text, p.k0, $5::text, p.a0, $6::text, p.a1) " +
        `order by p."#"), '[]'::json)::text, (select count(*) from "#g"), false from "#p" p`,
    );
    expect(params).toEqual(["true", "1", "author.name", "author_name", "n", "price"]);
  });

  test("parts of dates are taken in UTC", () => {
    const [text] = groups({ groupBy: "date:month:at" });
    expect(text).toContain(
      `select extract(month from t0."at" at time zone 'UTC')::integer as k0 from "posts" t0`,
    );
  });

  test("values of lists are worked out on their own and joined by group", () => {
    const [text] = groups({
      aggregate: { ...total, comments: { function: "count", field: "comments.id" } },
      groupBy: "published",
    });
    expect(text).toContain(
      'with "#b" as materialized (select dense_rank() over (order by k0) as g, r.* from (' +
        'select t0."published" as k0, t0."id" as r0 from "posts" t0) r), ' +
        '"#f0" as (select g, count(*) as a0, sum(v1) as a1 from (' +
        'select s.g, s.r0, t1."id" as r1, t1."price" as v1 from (select distinct g, r0 from "#b") s ' +
        'cross join "posts" t1 where t1."id" = s.r0) b group by g), ' +
        '"#f1" as (select g, count(v0) as a2 from (' +
        'select s.g, s.r0, t3."id" as r1, t3."id" as v0 from (select distinct g, r0 from "#b") s ' +
        'cross join "posts" t2 join "comments" t3 on t3."post_Id" = t2."id" and t3."deletedAt" is null ' +
        'where t2."id" = s.r0) b group by g) ' +
        "select b.k0, coalesce(f0.a0, 0) as a0, f0.a1 as a1, coalesce(f1.a2, 0) as a2 " +
        'from (select distinct on (g) g, k0 from "#b" order by g) b ' +
        'left join "#f0" f0 on f0.g = b.g left join "#f1" f1 on f1.g = b.g',
    );
  });

  test("the collections that decide the answer are told", () => {
    const plan = planAggregate(
      blogSchema,
      parseAggregate("posts", { groupBy: "author.name", filter: { "comments.approved": true } }),
    );
    const { collections } = compileAggregate(authorizeAggregate(plan, accessTo(blogSchema)), 7);
    expect([...collections].toSorted()).toEqual(["authors", "comments", "posts"]);
  });
});

describe("searches", () => {
  const schema: Schema = {
    ...buildSchema(
      7,
      blogDefinitions.map((record) =>
        record.collectionName === "comments"
          ? { ...record, schema: { ...record.schema, searchable: ["text"] } }
          : record,
      ),
    ),
    extensions: new Set(["unaccent", "pg_trgm"]),
  };

  function condition(collection: string, query: Record<string, unknown>) {
    const plan = planRead(schema, parseRead(collection, { ...query, paranoid: false }));
    const [text, params] = textOf(compileRead(authorizeRead(plan, accessTo(schema)), "count", 7));
    return [text.replace(/^.*? where /, ""), params];
  }

  const table: [
    what: string,
    collection: string,
    query: Record<string, unknown>,
    text: string,
    params: string[],
  ][] = [
    [
      "the words are one parameter, the expression is that of the index",
      "comments",
      { search: "a 'b' & c:*" },
      `baasix_search_vector(coalesce(t0."text"::text, '')) @@ (select baasix_search_query($1::text))`,
      ["a b c"],
    ],
    [
      "without an index every text and UUID field is read",
      "authors",
      { search: "x" },
      `baasix_search_vector(coalesce(t0."name"::text, '') || ' ' || coalesce(t0."mail"::text, '') || ' ' || coalesce(t0."account"::text, '')) @@ (select baasix_search_query($1::text))`,
      ["x"],
    ],
    [
      "a field that the index does not have",
      "comments",
      { search: "x", searchFields: "text,id" },
      `baasix_search_vector(coalesce(t0."text"::text, '') || ' ' || coalesce(t0."id"::text, '')) @@ (select baasix_search_query($1::text))`,
      ["x"],
    ],
    ["no word", "comments", { search: "!" }, "false", []],
    [
      "fuzzy words one by one",
      "authors",
      { search: "ab cd", searchMode: "fuzzy", searchFields: "name" },
      `(baasix_likeness($1::text) <% baasix_likeness(t0."name"::text)) and (baasix_likeness($2::text) <% baasix_likeness(t0."name"::text))`,
      ["ab", "cd"],
    ],
  ];
  test.each(table)("%s", (_, collection, query, text, params) =>
    expect(condition(collection, query)).toEqual([text, params]),
  );

  test.each([
    ["list", "@@ (select baasix_search_query($1::text))"],
    ["matches", "@@ (select baasix_search_query($1::text))"],
    ["page", "@@ baasix_search_query($1::text)"],
    ["estimate", "@@ baasix_search_query($1::text)"],
  ] as const)("what is planned without the words, and what with them: %s", (shape, text) => {
    const plan = planRead(schema, parseRead("comments", { search: "x", fields: "id" }));
    expect(compileRead(authorizeRead(plan, accessTo(schema)), shape, 7).text).toContain(text);
  });

  test("relevance is the first sort key", () => {
    const plan = planRead(
      schema,
      parseRead("authors", { search: "x", searchFields: "name,mail", sortByRelevance: true, fields: "id" }),
    );
    const [text] = textOf(compileRead(authorizeRead(plan, accessTo(schema)), "page", 7));
    expect(text).toContain(
      `order by baasix_search_rank(setweight(baasix_search_vector(coalesce(t0."name"::text, '')), 'A') || ` +
        `setweight(baasix_search_vector(coalesce(t0."mail"::text, '')), 'B'), (select baasix_search_query($1::text)), ` +
        `(select plainto_tsquery('simple', baasix_words($1::text)))) desc, t0."id" limit 100`,
    );
  });
});
