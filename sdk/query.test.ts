import { expect, test } from "bun:test";
import type { Query } from "@baasix/types";
import { QueryBuilder } from "./query";

type Post = { id: string; title: string; views: number };

function recorder() {
  const seen: Query<Post>[] = [];
  const builder = new QueryBuilder<Post>(async (query) => {
    seen.push(query);
    return { data: [{ id: "1", title: "a", views: 1 }], totalCount: 7 };
  });
  return { seen, builder };
}

const base = recorder().builder;
const cases: [string, QueryBuilder<Post>, Query<Post>][] = [
  ["nothing", base, {}],
  ["fields as arguments", base.select("id", "title"), { fields: ["id", "title"] }],
  ["fields as a list", base.fields(["id", "title"]), { fields: ["id", "title"] }],
  ["one filter", base.filter({ views: { gt: 1 } }), { filter: { views: { gt: 1 } } }],
  [
    "two filters must both hold",
    base.where({ views: { gt: 1 } }).filter({ title: "a" }),
    { filter: { AND: [{ views: { gt: 1 } }, { title: "a" }] } },
  ],
  ["sort", base.sort({ views: "desc" }), { sort: { views: "desc" } }],
  ["orderBy with a direction", base.orderBy("views", "desc"), { sort: "views:desc" }],
  ["orderBy as sort", base.orderBy(["-views", "title"]), { sort: ["-views", "title"] }],
  ["page", base.limit(10).page(2), { limit: 10, page: 2 }],
  ["offset", base.limit(10).offset(20), { limit: 10, offset: 20 }],
  ["soft-deleted too", base.withDeleted(), { paranoid: false }],
];

test.each(cases)("builds %s", (_name, builder, query) => {
  expect(builder.getQuery()).toEqual(query);
});

test("a step leaves the builder it is called on alone", () => {
  const { builder } = recorder();
  const all = builder.filter({ views: { gt: 1 } });
  all.filter({ title: "a" }).limit(1);
  expect(all.getQuery()).toEqual({ filter: { views: { gt: 1 } } });
});

test("runs what it holds", async () => {
  const { builder, seen } = recorder();
  const query = builder.filter({ views: 1 }).sort("title").limit(50).page(3);
  expect(await query.get()).toEqual({ data: [{ id: "1", title: "a", views: 1 }], totalCount: 7 });
  expect(await query.first()).toEqual({ id: "1", title: "a", views: 1 });
  expect(await query.count()).toBe(7);
  expect(seen).toEqual([
    { filter: { views: 1 }, sort: "title", limit: 50, page: 3 },
    { filter: { views: 1 }, sort: "title", limit: 1, page: 3 },
    { filter: { views: 1 }, limit: 0 },
  ]);
});
