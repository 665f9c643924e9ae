import { expect, test } from "bun:test";
import type { GenericItem } from "@baasix/types";
import { type AnyQuery, createQuery, type QueryBuilder } from "./query";

type Post = { id: string; title: string; views: number; deletedAt: string | null; tags: Tag[] };
type Tag = { id: string; name: string };

/** Pages of at most two of the items 1 to `count`, as the server gives them to a walk by cursor. */
function recorder(count = 5) {
  const seen: GenericItem[] = [];
  const builder = createQuery<Post>({
    async find(query) {
      seen.push(query);
      const from = Number(query.cursor ?? 0);
      const items = Array.from({ length: count }, (_, i) => ({ id: String(i + 1) }));
      const limit = query.limit ?? 2;
      const data = items.slice(from, from + limit);
      const more = from + limit < count;
      return {
        data,
        totalCount: query.count === "none" ? undefined : count,
        ...(query.cursor !== undefined && { nextCursor: more ? String(from + limit) : null }),
      } as never;
    },
    async aggregate(query) {
      seen.push(query);
      return [];
    },
    async export(query = {}) {
      seen.push(query);
      return new ReadableStream();
    },
  });
  return { seen, builder };
}

const base = recorder().builder;
const cases: [string, { getQuery(): unknown }, AnyQuery<Post>][] = [
  ["nothing", base, {}],
  ["fields as arguments", base.select("id", "title"), { fields: ["id", "title"] }],
  ["fields as a list", base.fields(["id", "title"]), { fields: ["id", "title"] }],
  ["one filter", base.filter({ views: { gt: 1 } }), { filter: { views: { gt: 1 } } }],
  [
    "two filters must both hold",
    base.where({ views: { gt: 1 } }).filter({ title: "a" }),
    { filter: { AND: [{ views: { gt: 1 } }, { title: "a" }] } },
  ],
  ["an operator", base.gte("views", 5), { filter: { views: { gte: 5 } } }],
  ["an operator without an operand", base.isNull("deletedAt"), { filter: { deletedAt: { isNull: true } } }],
  [
    "a chain of operators, through relations, in one list",
    base.gte("views", 5).in("title", ["a", "b"]).like("tags.name", "x%").filter({ title: "c" }),
    {
      filter: {
        AND: [
          { views: { gte: 5 } },
          { title: { in: ["a", "b"] } },
          { "tags.name": { like: "x%" } },
          { title: "c" },
        ],
      },
    },
  ],
  [
    "operators beside a filter that has a list of its own and more",
    base.filter({ AND: [{ title: "a" }], views: 1 }).eq("id", "1"),
    { filter: { AND: [{ AND: [{ title: "a" }], views: 1 }, { id: { eq: "1" } }] } },
  ],
  ["sort", base.sort({ views: "desc" }), { sort: { views: "desc" } }],
  ["orderBy with a direction", base.orderBy("views", "desc"), { sort: "views:desc" }],
  ["orderBy as sort", base.orderBy(["-views", "title"]), { sort: ["-views", "title"] }],
  ["page", base.limit(10).page(2), { limit: 10, page: 2 }],
  ["offset", base.limit(10).offset(20), { limit: 10, offset: 20 }],
  ["soft-deleted too", base.withDeleted(), { paranoid: false }],
  ["how to count", base.withCount("estimated"), { count: "estimated" }],
  [
    "a search",
    base.search("a b", ["title"], { sortByRelevance: true }),
    { search: "a b", searchFields: ["title"], sortByRelevance: true },
  ],
  [
    "conditions on related items",
    base.relFilter({ tags: { name: "a" } }).relFilter({ tags: { name: "b" } }),
    { relConditions: { tags: { AND: [{ name: "a" }, { name: "b" }] } } },
  ],
];

test.each(cases)("builds %s", (_name, builder, query) => {
  expect(JSON.parse(JSON.stringify(builder.getQuery()))).toEqual(query);
});

test("a step leaves the builder it is called on alone", () => {
  const { builder } = recorder();
  const all = builder.filter({ views: { gt: 1 } });
  all.filter({ title: "a" }).limit(1).eq("title", "b");
  expect(all.getQuery()).toEqual({ filter: { views: { gt: 1 } } });
});

test("an operator without its value is refused: all items would match", () => {
  const untyped = base as unknown as QueryBuilder;
  expect(() => untyped.eq("title", undefined)).toThrow("eq: a value is missing");
});

test("runs what it holds", async () => {
  const { builder, seen } = recorder();
  const query = builder.eq("views", 1).sort("title").limit(50).page(3);
  const filter = { views: { eq: 1 } };
  expect((await query.get()).totalCount).toBe(5);
  expect(await query.first()).toMatchObject({ id: "1" });
  expect(await query.exists()).toBe(true);
  expect(await query.count()).toBe(5);
  expect(await query.search("x").withCount("estimated").count()).toBe(5);
  await query.aggregate({ aggregate: { n: { function: "count", field: "*" } }, filter: { title: "a" } });
  await query.export("csv");
  expect(JSON.parse(JSON.stringify(seen))).toEqual([
    { filter, sort: "title", limit: 50, page: 3 },
    { filter, sort: "title", limit: 1, count: "none" },
    { filter, sort: "title", limit: 1, count: "none" },
    { filter, limit: 0, count: "exact" },
    { filter, search: "x", limit: 0, count: "estimated" },
    { aggregate: { n: { function: "count", field: "*" } }, filter: { AND: [filter, { title: "a" }] } },
    { filter, sort: "title", limit: 50, page: 3, format: "csv" },
  ]);
});

test("single wants exactly one", async () => {
  expect(await recorder(1).builder.single()).toMatchObject({ id: "1" });
  await expect(recorder(0).builder.single()).rejects.toMatchObject({ code: "NOT_FOUND", status: 404 });
  await expect(recorder(2).builder.single()).rejects.toMatchObject({ code: "NOT_SINGLE" });
  expect(await recorder(0).builder.first()).toBeNull();
  expect(await recorder(0).builder.exists()).toBe(false);
});

test("walks all pages, and no further than it is asked", async () => {
  const { builder, seen } = recorder();
  const ids: string[] = [];
  for await (const { id } of builder.limit(2).all()) ids.push(id);
  expect(ids).toEqual(["1", "2", "3", "4", "5"]);
  expect(seen.map(({ cursor, count }) => [cursor, count])).toEqual([
    ["", "none"],
    ["2", "none"],
    ["4", "none"],
  ]);
  seen.length = 0;
  for await (const page of builder.limit(2).withCount("exact").pages()) {
    expect(page.totalCount).toBe(5);
    break;
  }
  expect(seen).toHaveLength(1);
});
