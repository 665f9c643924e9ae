/** SQL defaults: what is let through, and written how; what is refused, and why. */
import { describe, expect, test } from "bun:test";
import { buildSchema } from "./define";
import { readExpression } from "./expression";

const { collections } = buildSchema(1, [
  {
    collectionName: "items",
    schema: { name: "Item", fields: { sort: { type: "Integer" }, fullName: { type: "Text" } } },
  },
]);
const read = (text: unknown) => readExpression(text, "d", (name) => collections.get(name));

describe("let through", () => {
  const rows: readonly (readonly [given: string, written: string])[] = [
    ["now()", "now()"],
    ["NOW() + INTERVAL '7 days'", "now() + interval '7 days'"],
    ["current_date", "current_date"],
    ["'it''s'", "'it''s'"],
    ["'a;b--c'", "'a;b--c'"],
    [String.raw`'C:\x'`, String.raw`E'C:\\x'`],
    ["1 + 2*3", "1 + 2 * 3"],
    ["-1.5e3", "- 1.5e3"],
    [
      "upper(left('abc', 2)) || '-' || lpad('7', 3, '0')",
      "upper(left('abc', 2)) || '-' || lpad('7', 3, '0')",
    ],
    ["'5'::int", "'5'::int"],
    ["'{1,2}'::integer[]", "'{1,2}'::integer[]"],
    ["'1.239'::numeric(10, 2)", "'1.239'::numeric(10,2)"],
    ["cast('1' AS double precision)", "cast('1' as double precision)"],
    ["array['a', 'b']", "array['a', 'b']"],
    ["jsonb_build_object('a', 1, 'b', null)", "jsonb_build_object('a', 1, 'b', null)"],
    [
      "case when extract(hour from now()) < 12 then 'am' else 'pm' end",
      `case when extract('hour' from now()) < 12 then 'am' else 'pm' end`,
    ],
    ["now() at time zone 'UTC'", "now() at time zone 'UTC'"],
    [
      "1 in (1, 2) and not 3 between 4 and 5 or null is null",
      "1 in (1, 2) and not 3 between 4 and 5 or null is null",
    ],
    ["'a' not like 'b%'", "'a' not like 'b%'"],
    ["(SELECT MAX(sort) + 1 FROM items)", `(select max("sort") + 1 from "items")`],
    [
      'coalesce((select max(items.sort) from "items" where sort < 9 and "fullName" is not null), 0) + 1',
      `coalesce((select max("sort") from "items" where "sort" < 9 and "fullName" is not null), 0) + 1`,
    ],
    ["(select count(*) from items)", `(select count(*) from "items")`],
    [
      "(select max(extract(year from now())) from items)",
      `(select max(extract('year' from now())) from "items")`,
    ],
  ];
  for (const [given, written] of rows) {
    test(given, () => {
      const { sql, subselect } = read(given);
      expect(sql).toBe(written);
      expect(subselect).toBe(given.toLowerCase().includes("select"));
      if (!written.startsWith("E'")) expect(read(sql).sql).toBe(written);
    });
  }
});

describe("refused", () => {
  const rows: readonly (readonly [given: unknown, message: string])[] = [
    ["", "expected an SQL expression as text"],
    [5, "expected an SQL expression as text"],
    ["now(); drop table items", "one expression only"],
    ["now() -- x", "one expression only"],
    ["now() /* x */", "one expression only"],
    ["$$x$$", "one expression only"],
    ["$1", "one expression only"],
    ["now(", "expected"],
    ["now())", "unexpected ')'"],
    ["(now()", "expected ')'"],
    ["'open", "cannot be read at"],
    ["pg_sleep(10)", "function 'pg_sleep' is not allowed"],
    ["pg_read_file('/etc/passwd')", "is not allowed"],
    ["nextval('x')", "is not allowed"],
    ["uper('x')", "did you mean 'upper'?"],
    ["set_config('a','b',false)", "is not allowed"],
    ["query_to_xml('select 1',true,true,'')", "is not allowed"],
    ["pg_catalog.now()", "'pg_catalog' is not allowed here"],
    ["sort", "'sort' is not allowed here; a default knows no columns"],
    ["current_user", "'current_user' is not allowed here"],
    ["'x'::regclass", "cannot cast to 'regclass'"],
    ["'x'::text(a)", "expected its size in digits"],
    ["E'\\x41'", "'E' is not allowed here"],
    ["max(1)", "'max' belongs into a sub-select"],
    ["(select sort from items)", "'sort' must stand inside an aggregate, such as MAX(sort)"],
    ["(select 1 from items)", "a sub-select needs an aggregate"],
    ["(select max(sort), 1 from items)", "exactly one value: unexpected ','"],
    ["(select max(sort))", "a sub-select needs FROM"],
    ["(select max(sort) from itms)", "FROM 'itms': there is no such collection"],
    ["(select max(sort) from baasix_Sessions)", "there is no such collection"],
    ['(select max(token) from "baasix_Sessions")', "there is no such collection"],
    ["(select max(sort) from pg_authid)", "there is no such collection"],
    ["(select max(srt) from items)", "'items' has no field 'srt'; did you mean 'sort'?"],
    ["(select max(sort) from items, items)", "expected ')' before ','"],
    ["(select max(sort) from items limit 1)", "expected ')' before 'limit'"],
    ["(select max(sort) from items union select 1)", "expected ')' before 'union'"],
    ["(select max((select max(sort) from items)) from items)", "may not hold another one"],
    ["(delete from items)", "'delete' is not allowed here"],
    ["(".repeat(40) + "1" + ")".repeat(40), "nested 32 deep"],
    ["1 +", "unexpected 'the end'"],
    ["1 2", "unexpected '2'"],
    ["x".repeat(3000), "2000 characters"],
  ];
  for (const [given, message] of rows) {
    test(String(given).slice(0, 60), () => {
      expect(() => read(given)).toThrow(message);
    });
  }
});
