import { describe, expect, test } from "bun:test";
import { adminOf, blogSchema, rulesFor, userOf } from "../../testing/blog";
import { type Actor, system } from "../access/actor";
import { accessOf } from "../access/policy";
import type { Rules } from "../access/rules";
import { AppError } from "../errors";
import { authorizeRead } from "./authorize";
import { compileRead, type ReadForm, type ReadShape } from "./compile";
import { parseRead } from "./parse";
import { planRead } from "./plan";
import { bind, type CompiledStatement } from "./variables";

const user = userOf("user-1");
const admin = adminOf("user-2");

function compile(
  query: Record<string, unknown>,
  {
    actor = admin,
    rules = rulesFor([]),
    shape = "list",
    form = "rows",
  }: { actor?: Actor; rules?: Rules; shape?: ReadShape; form?: ReadForm } = {},
): CompiledStatement {
  const plan = planRead(blogSchema, parseRead("posts", query));
  return compileRead(authorizeRead(plan, accessOf(rules, blogSchema, actor)), shape, 7, null, form);
}

function refusal(query: Record<string, unknown>, actor: Actor, rules: Rules): string {
  try {
    compile(query, { actor, rules });
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
}

/** The condition of a filter, as it stands in the statement that counts. */
function condition(filter: unknown): readonly [string, readonly (string | null)[]] {
  const statement = compile({ filter }, { shape: "count" });
  const { text, params } = bind(statement, { actor: user, now: Date.parse("2026-11-20T12:00:00Z") });
  return [text.replace(/^.*? where /, ""), params];
}

describe("statements", () => {
  test("one row by key", () => {
    expect(compile({ fields: "title" }, { shape: "one" })).toMatchObject({
      text: '/* s7 */ select row_to_json(r.*)::text, false, t0.xmin::text from "posts" t0, lateral (select t0."title" as "title") r where t0."id" = $1::integer',
      params: [{ kind: "input", index: 0 }],
    });
  });
  test("a page with its total, sorted by a related field, big numbers as text", () => {
    expect(compile({ fields: "price,views", sort: "-author.name", limit: 20, page: 2 }).text).toBe(
      '/* s7 */ select row_to_json(r.*)::text, false, case when count(*) over () < 20 then 20 + count(*) over () else (select count(*) from "posts" t0) end, null from (' +
        'select t1."price"::text as "price", t1."views"::text as "views" from "posts" t1 ' +
        'left join "authors" t2 on t2."id" = t1."author_Id" order by t2."name" desc, t1."id" limit 20 offset 20) r',
    );
  });
  test("relations are expanded for the rows of the page alone, in the same statement", () => {
    expect(compile({ fields: "id,author.name,comments.text", limit: 20 }).text).toBe(
      '/* s7 */ select (select row_to_json(r.*) from (select t2."id" as "id", t2_0.j as "author", t2_1.j as "comments") r)::text, ' +
        'coalesce(t2_1.c, false), case when count(*) over () < 20 then 0 + count(*) over () else (select count(*) from "posts" t0) end, null from (' +
        'select t1."id", t1."author_Id" from "posts" t1 order by t1."id" limit 20) t2 ' +
        "left join lateral (select row_to_json(x.*) as j from (" +
        'select t3."name" as "name", t3."id" as "id" from "authors" t3 where t3."id" = t2."author_Id" limit 1) x) t2_0 on true ' +
        "left join lateral (select coalesce(json_agg(x.*), '[]'::json) as j, count(*) >= 500 as c from (" +
        'select t4."text" as "text", t4."id" as "id" from "comments" t4 ' +
        'where t4."post_Id" = t2."id" and t4."deletedAt" is null order by t4."id" limit 500) x) t2_1 on true',
    );
  });
  test("a page as one array counts itself, unless it begins behind the end", () => {
    const text = (query: Record<string, unknown>) =>
      compile({ fields: "title", ...query }, { form: "array" }).text;
    expect(text({ limit: 20 })).toBe(
      '/* s7 */ select json_agg(r.*)::text, false, case when count(*) < 20 then 0 + count(*) else (select count(*) from "posts" t0) end, null, count(*) from (' +
        'select t1."title" as "title" from "posts" t1 order by t1."id" limit 20) r',
    );
    expect(text({ limit: 20, page: 2 })).toContain(
      "case when count(*) between 1 and 19 then 20 + count(*) else (",
    );
    expect(text({ limit: 0 })).toContain('false, (select count(*) from "posts" t0), null');
  });
  test("a page as one array tells of lists that were cut, and where its last item stands", () => {
    const { text } = compile(
      { fields: "id,comments.id", limit: 20, cursor: "", count: "none" },
      { form: "array", shape: "page" },
    );
    expect(text).toStartWith(
      '/* s7 */ select json_agg((select row_to_json(r.*) from (select t1."id" as "id", t1_0.j as "comments") r))::text, ' +
        'bool_or(coalesce(t1_0.c, false)), null, (array_agg(t1."#k"))[count(*)], count(*) from (',
    );
  });
  test("lists in lists share the rows of one answer, and tell when they reach their bound", () => {
    const { text } = compile({ fields: "author.posts.comments.id", limit: 1 });
    expect([...text.matchAll(/limit (\d+)/g)].map((match) => match[1])).toEqual(["1", "100", "100", "1"]);
    expect(text).toContain("count(*) >= 100 or coalesce(bool_or(x.c), false) as c");
    const wide = compile({ fields: "comments.post.comments.post.comments.id", limit: 10 }).text;
    // 10 rows, and three lists inside each other with 10 items each: 10,000.
    expect([...wide.matchAll(/limit (\d+)/g)].map((match) => Number(match[1])).filter((n) => n > 1)).toEqual([
      10, 10, 10, 10,
    ]);
  });
});

describe("conditions", () => {
  const table: [string, unknown, string, (string | null)[]][] = [
    ["a bare value is eq", { title: "x" }, '(t0."title" = $1::text)', ["x"]],
    ["null is tested as null", { title: null }, '(t0."title" is null)', []],
    ["ne null", { title: { ne: null } }, '(t0."title" is not null)', []],
    ["a decimal is bound as text", { price: { gte: 1.5 } }, '(t0."price" >= $1::numeric)', ["1.5"]],
    [
      "several operators",
      { views: { gt: 1, lte: "9007199254740993" } },
      '((t0."views" > $1::bigint) and (t0."views" <= $2::bigint))',
      ["1", "9007199254740993"],
    ],
    ["in", { id: { in: [1, "2"] } }, '(t0."id" = any($1::integer[]))', ['{"1","2"}']],
    ["notIn", { title: { nin: ['a"b', "c\\d"] } }, '(t0."title" <> all($1::text[]))', ['{"a\\"b","c\\\\d"}']],
    [
      "in with a variable",
      { title: { in: ["a", "$CURRENT_USER"] } },
      '(t0."title" = any(array[$1::text, $2::text]::text[]))',
      ["a", "user-1"],
    ],
    [
      "between",
      { price: { between: [1, 2] } },
      '(t0."price" between $1::numeric and $2::numeric)',
      ["1", "2"],
    ],
    [
      "like without a wildcard",
      { title: { like: "a_b" } },
      "(t0.\"title\" like $1::text escape '')",
      ["%a_b%"],
    ],
    ["like with one", { title: { iLike: "a%" } }, "(t0.\"title\" ilike $1::text escape '')", ["a%"]],
    [
      "contains is literal",
      { title: { contains: "5%_\\" } },
      '(t0."title" ilike $1::text)',
      ["%5\\%\\_\\\\%"],
    ],
    ["isNull false", { title: { isNull: "false" } }, '(t0."title" is not null)', []],
    ["NOT", { NOT: { published: true } }, 'not ((t0."published" = $1::boolean))', ["true"]],
    ["no alternative matches nothing", { OR: [] }, "false", []],
    ["$NOW", { at: { gt: "$NOW-DAYS_1" } }, '(t0."at" > $1::timestamptz)', ["2026-11-19T12:00:00.000Z"]],
    [
      "a to-one path",
      { "author.name": "x" },
      'exists (select 1 from "authors" t1 where t1."id" = t0."author_Id" and (t1."name" = $1::text))',
      ["x"],
    ],
    [
      "a to-one path that tests for null also holds without a related row",
      { author: { name: { isNull: true } } },
      'not (exists (select 1 from "authors" t1 where t1."id" = t0."author_Id" and (t1."name" is not null)))',
      [],
    ],
    [
      "a list, soft-deleted rows aside",
      { "comments.text": { startsWith: "x" } },
      'exists (select 1 from "comments" t1 where t1."post_Id" = t0."id" and t1."deletedAt" is null and (t1."text" ilike $1::text))',
      ["x%"],
    ],
    [
      "a to-one path below NOT is looked up, so that without a related row it is unknown",
      { NOT: { "author.name": { eq: "x" } } },
      'not (((select t1."name" from "authors" t1 where t1."id" = t0."author_Id" limit 1) = $1::text))',
      ["x"],
    ],
    [
      "another column",
      { title: { ne: "$COL(author.mail)" } },
      '(t0."title" <> (select t1."mail" from "authors" t1 where t1."id" = t0."author_Id" limit 1))',
      [],
    ],
    [
      "another column of the same related row",
      { "comments.id": { gt: "$COL(comments.post_Id)" } },
      'exists (select 1 from "comments" t1 where t1."post_Id" = t0."id" and t1."deletedAt" is null and (t1."id" > t1."post_Id"))',
      [],
    ],
    ["a cast", { at: { cast: "date", eq: "2026-11-20" } }, '(t0."at"::date = $1::date)', ["2026-11-20"]],
    [
      "a cast that may fail",
      { title: { cast: "integer", gt: 1 } },
      '((case when baasix_castable(t0."title"::text, \'integer\') then t0."title"::text::integer end) > $1::integer)',
      ["1"],
    ],
    [
      "a path from the user's row",
      { title: "$CURRENT_USER.email" },
      '(t0."title" = (select t1."email"::text from "baasix_User" t1 where t1."id" = $1::uuid limit 1))',
      ["user-1"],
    ],
    [
      "a path through a list, unknown without a user",
      { title: { notIn: "$CURRENT_USER.userRoles.role.name" } },
      '(t0."title" <> all((select array(select v from (select t3."name"::text from "baasix_UserRole" t2, "baasix_Role" t3 ' +
        'where t2."user_Id" = t1."id" and t3."id" = t2."role_Id") as r(v) where v is not null) ' +
        'from "baasix_User" t1 where t1."id" = $1::uuid limit 1)::text[]))',
      ["user-1"],
    ],
    [
      "a list below NOT, unknown without a user",
      { NOT: { "comments.text": "$CURRENT_USER" } },
      'not ((case when $1::text is not null then exists (select 1 from "comments" t1 where t1."post_Id" = t0."id" ' +
        'and t1."deletedAt" is null and (t1."text" = $1::text)) end))',
      ["user-1"],
    ],
    ["no tenant", { title: { ne: "$CURRENT_TENANT" } }, '(t0."title" <> $1::text)', [null]],
    ["a relation's name stands for its key", { author: { eq: 3 } }, '(t0."author_Id" = $1::integer)', ["3"]],
  ];
  test.each(table)("%s", (_, filter, text, params) => expect(condition(filter)).toEqual([text, params]));
});

describe("what the schema does not know is refused with the nearest name", () => {
  const table: [Record<string, unknown>, string][] = [
    [
      { filter: { pric: 1 } },
      "UNKNOWN_FIELD filter.pric: 'posts' has no field 'pric'; did you mean 'price'?",
    ],
    [
      { filter: { price: { gtt: 1 } } },
      "UNKNOWN_OPERATOR filter.price: unknown operator 'gtt'; did you mean 'gt'?",
    ],
    [{ filter: { price: { gt: 1, gtt: 1 } } }, "UNKNOWN_OPERATOR filter.price.gtt: unknown operator 'gtt'"],
    [{ filter: { "author.nam": 1 } }, "UNKNOWN_FIELD filter.author.nam: 'authors' has no field 'nam'"],
    [{ filter: { __proto__x: 1 } }, "UNKNOWN_FIELD"],
    [
      { filter: { published: { gt: true } } },
      "INVALID_QUERY filter.published.gt: the operator 'gt' does not work",
    ],
    [{ filter: { id: { in: 5 } } }, "INVALID_VALUE filter.id.in: expected a list"],
    [{ filter: { id: "x" } }, "INVALID_VALUE filter.id: expected a whole number"],
    [{ filter: { id: { gt: null } } }, "INVALID_VALUE filter.id.gt: expected a value"],
    [{ filter: { id: { between: [1] } } }, "INVALID_VALUE filter.id.between: expected a list of two values"],
    [{ filter: { title: "$CURRENT_USR" } }, "INVALID_VALUE filter.title: unknown variable"],
    [{ filter: { at: "$NOW+YEARS_1001" } }, "INVALID_VALUE filter.at: '$NOW+YEARS_1001' is more than"],
    [{ filter: { at: "$NOW-SECONDS_999999" } }, "accepted"],
    [{ filter: { title: { eq: "a\0b" } } }, "INVALID_VALUE filter.title.eq"],
    [{ filter: { title: { like: "a\ud800" } } }, "INVALID_VALUE filter.title.like"],
    [{ filter: { comments: { eq: 1 } } }, "INVALID_QUERY filter.comments.eq: 'comments' is a list"],
    [{ sort: "comments.text" }, "INVALID_QUERY sort: 'comments' is a list"],
    [{ sort: "nam" }, "UNKNOWN_FIELD sort"],
    [{ fields: "author.nam" }, "UNKNOWN_FIELD fields[0]"],
  ];
  test.each(table)("%j", (query, expected) =>
    expect(refusal(query, admin, rulesFor([]))).toStartWith(expected),
  );
});

describe("permissions", () => {
  const read = { collection: "posts", action: "read" } as const;
  const rules = rulesFor([
    { ...read, fields: ["id", "title", "author.name"], conditions: { published: true } },
    {
      collection: "comments",
      action: "read",
      fields: ["id", "text", "post_Id"],
      conditions: { approved: true },
    },
  ]);
  test("no permission, no rows", () => {
    expect(refusal({}, user, rulesFor([]))).toBe(
      "FORBIDDEN You don't have permission to read items in 'posts'",
    );
    expect(refusal({}, { kind: "anonymous" }, rules)).toStartWith("FORBIDDEN");
  });
  test("the row condition stands beside the client's filter", () => {
    const { text } = compile(
      { fields: "id", filter: { OR: [{ title: "a" }] } },
      { actor: user, rules, shape: "count" },
    );
    expect(text).toEndWith('where (t0."published" = $1::boolean) and ((t0."title" = $2::text))');
  });
  test("a wildcard gives what is readable, in the row and in related ones", () => {
    const { text } = compile({ fields: "*,author.*,comments.*" }, { actor: user, rules });
    expect([...text.matchAll(/ as "(\w+)"/g)].map((match) => match[1])).toEqual([
      "id",
      "title",
      "author",
      "comments",
      "name",
      "id",
      "text",
      "post_Id",
    ]);
    expect(text).toContain('t4."approved" = $2::boolean');
  });
  const named: [Record<string, unknown>, string][] = [
    [{ fields: "secret" }, "field 'secret' of 'posts'"],
    [{ fields: "author.mail" }, "field 'mail' of 'authors'"],
    [{ filter: { secret: "x" } }, "field 'secret' of 'posts'"],
    [{ filter: { NOT: { OR: [{ title: "a" }, { secret: "x" }] } } }, "field 'secret' of 'posts'"],
    [{ filter: { "author.mail": "x" } }, "field 'mail' of 'authors'"],
    [{ filter: { author: { mail: { isNull: true } } } }, "field 'mail' of 'authors'"],
    [{ filter: { author: 3 } }, "field 'author_Id' of 'posts'"],
    [{ filter: { "comments.approved": true } }, "field 'approved' of 'comments'"],
    [{ filter: { "comments.post.secret": "x" } }, "field 'secret' of 'posts'"],
    [{ sort: "secret" }, "field 'secret' of 'posts'"],
    [{ sort: "author.mail" }, "field 'mail' of 'authors'"],
  ];
  test.each(named)("naming an unreadable field is refused: %j", (query, what) => {
    expect(refusal(query, user, rules)).toStartWith("FORBIDDEN");
    expect(refusal(query, user, rules)).toEndWith(`You don't have permission to read ${what}`);
  });
  test("a relation opens only with the key that joins it", () => {
    const noKey = rulesFor([
      { ...read, fields: ["id", "title"] },
      { collection: "authors", action: "read" },
    ]);
    expect(refusal({ fields: "author.name" }, user, noKey)).toContain("read field 'author' of 'posts'");
    const withKey = rulesFor([
      { ...read, fields: ["id", "author_Id"] },
      { collection: "authors", action: "read" },
    ]);
    expect(refusal({ fields: "author.name" }, user, withKey)).toBe("accepted");
  });
  test("a permission that cannot be understood allows nothing", () => {
    const broken = rulesFor([{ ...read, conditions: { gone: 1 } }]);
    expect(broken.problems).toHaveLength(1);
    expect(refusal({}, user, broken)).toStartWith("FORBIDDEN");
  });
  test("a variable without a value finds nothing", () => {
    const own = rulesFor([{ ...read, conditions: { title: "$CURRENT_USER" } }]);
    const statement = compile({}, { actor: user, rules: own, shape: "count" });
    expect(bind(statement, { actor: { kind: "anonymous" }, now: 0 }).params).toEqual([null]);
  });
  test("the server itself sees everything", () => {
    expect(refusal({ fields: "secret" }, system("a test"), rules)).toBe("accepted");
  });
});
