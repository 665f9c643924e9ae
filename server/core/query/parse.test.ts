import { describe, expect, test } from "bun:test";
import { AppError } from "../errors";
import { parseFilter } from "./filter";
import { parseRead } from "./parse";

const terms = (sort: unknown) =>
  parseRead("c", { sort }).sort.map((term) => `${term.descending ? "-" : ""}${term.path.join(".")}`);
const wishes = (fields: unknown) =>
  parseRead("c", { fields }).fields.map((wish) => `${wish.exclude ? "-" : ""}${wish.path.join(".")}`);
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
};

describe("sort is understood in every documented spelling", () => {
  const table: [unknown, string[]][] = [
    ["name", ["name"]],
    ["-name", ["-name"]],
    ["name:desc", ["-name"]],
    ["name:ASC,-price", ["name", "-price"]],
    ['{"createdAt":"desc"}', ["-createdAt"]],
    ['["-a","b"]', ["-a", "b"]],
    [{ a: "DESC", "author.name": "asc" }, ["-a", "author.name"]],
    [
      ["-a", "b:desc"],
      ["-a", "-b"],
    ],
    [
      [{ a: "desc" }, { field: "b", direction: "desc" }],
      ["-a", "-b"],
    ],
    [{ field: "asc" }, ["field"]],
    [undefined, []],
  ];
  test.each(table)("%j", (sort, expected) => expect(terms(sort)).toEqual(expected));
});

describe("fields are understood as list, JSON text and comma text", () => {
  const table: [unknown, string[]][] = [
    [undefined, ["*"]],
    ["a,b", ["a", "b"]],
    ['["a","rel.*"]', ["a", "rel.*"]],
    [
      ["a", "b,c"],
      ["a", "b", "c"],
    ],
    ["*,-secret", ["*", "-secret"]],
  ];
  test.each(table)("%j", (fields, expected) => expect(wishes(fields)).toEqual(expected));
});

describe("paging", () => {
  const table: [Record<string, unknown>, [number, number]][] = [
    [{}, [100, 0]],
    [{ limit: "-1" }, [1000, 0]],
    [{ limit: 0 }, [0, 0]],
    [{ limit: "20", page: "3" }, [20, 40]],
    [{ page: 2 }, [100, 100]],
    [{ limit: 5, offset: "7" }, [5, 7]],
  ];
  test.each(table)("%j", (query, expected) => {
    const read = parseRead("c", query);
    expect([read.limit, read.offset]).toEqual(expected);
  });
});

describe("what is not understood is refused", () => {
  const deep = (levels: number): unknown => (levels === 0 ? { a: 1 } : { AND: [deep(levels - 1)] });
  const table: [string, Record<string, unknown>, string][] = [
    ["unknown parameter", { filtr: "{}" }, "INVALID_QUERY unknown parameter 'filtr'; did you mean 'filter'?"],
    ["bad JSON", { filter: "{" }, "INVALID_QUERY filter: not valid JSON"],
    ["a filter that is no object", { filter: "[1]" }, "INVALID_QUERY filter: expected an object"],
    ["OR that is no list", { filter: { OR: { a: 1 } } }, "INVALID_QUERY filter.OR: expected a list"],
    ["no operator", { filter: { a: {} } }, "INVALID_QUERY filter.a: expected an operator"],
    ["empty name in a path", { filter: { "a..b": 1 } }, "INVALID_QUERY filter.a..b: empty name"],
    ["too deep", { filter: deep(12) }, "QUERY_TOO_COMPLEX"],
    [
      "too many conditions",
      { filter: { OR: Array.from({ length: 201 }, () => ({ a: 1 })) } },
      "QUERY_TOO_COMPLEX",
    ],
    ["limit too large", { limit: 1001 }, "INVALID_QUERY limit: at most 1000"],
    ["limit as text", { limit: "many" }, "INVALID_QUERY limit: expected a whole number"],
    ["fractional limit", { limit: "1.5" }, "INVALID_QUERY limit"],
    ["page 0", { page: "0" }, "INVALID_QUERY page"],
    ["page and offset", { page: 1, offset: 2 }, "INVALID_QUERY offset: give either"],
    ["negative offset", { offset: -1 }, "INVALID_QUERY offset"],
    ["sort direction", { sort: { a: "up" } }, "INVALID_QUERY sort.a: the direction"],
    ["nine sort terms", { sort: "a,b,c,d,e,f,g,h,i" }, "QUERY_TOO_COMPLEX sort"],
    ["fields of numbers", { fields: [1] }, "INVALID_QUERY fields"],
    ["eight relations", { fields: "a.b.c.d.e.f.g.h.i" }, "QUERY_TOO_COMPLEX"],
  ];
  test.each(table)("%s", (_, query, expected) =>
    expect(refusal(() => parseRead("c", query))).toStartWith(expected),
  );
});

describe("filters", () => {
  test("keys beside AND and OR count", () => {
    const parsed = parseFilter({ a: 1, OR: [{ b: 2 }], NOT: { c: 3 } });
    expect(parsed.kind === "all" && parsed.items.map((item) => item.kind)).toEqual(["compare", "any", "not"]);
  });
  test("keys of one object that open the same relation speak of one related row", () => {
    expect(parseFilter({ "tags.a": 1, "tags.b": { gt: 2, lt: 3 } })).toMatchObject({
      kind: "within",
      relation: "tags",
      item: { kind: "all", items: [{ column: "a" }, { column: "b" }, { column: "b" }] },
    });
    expect(parseFilter({ AND: [{ "tags.a": 1 }, { "tags.b": 2 }] })).toMatchObject({
      items: [{ relation: "tags" }, { relation: "tags" }],
    });
  });
  test("$path$ is the same as path", () => {
    expect(parseFilter({ "$a.b$": 1 })).toMatchObject({
      kind: "within",
      relation: "a",
      item: { column: "b" },
    });
  });
  test("names of the prototype are names like any other", () => {
    expect(parseFilter(JSON.parse('{"__proto__": 1}'))).toMatchObject({ column: "__proto__" });
    expect(refusal(() => parseFilter(JSON.parse('{"a": {"__proto__": {}}}')))).toStartWith("INVALID_QUERY");
  });
});

test("a cast beside an operator is never dropped, whatever it is", () => {
  expect(parseFilter({ a: { cast: { b: 1 }, eq: 2 } })).toMatchObject({ cast: { type: { b: 1 } } });
  expect(parseFilter({ a: { cast: { b: 1 } } })).toMatchObject({ kind: "within", relation: "a" });
});
