import { expect, test } from "bun:test";
import type { Query } from "@baasix/sdk";
import { hashKey } from "@tanstack/react-query";
import { baasixKeys, canonicalQuery, type CanonicalQuery, isOwnKey, type KeyScope } from "./keys";

const scope = (identity: string | null) => ({ url: "http://h", auth: { state: { identity } } });

test.each<[string, Query, CanonicalQuery]>([
  ["nothing", {}, {}],
  ["undefined parts", { filter: undefined, limit: undefined }, {}],
  ["sort as an object", { sort: { b: "DESC", a: "asc" } }, { sort: ["b:desc", "a:asc"] }],
  [
    "a distance",
    { sort: { _distance: { target: [1, 2], column: "at" }, a: "ASC" } },
    { sort: [{ _distance: { target: [1, 2], column: "at" } }, "a:asc"] },
  ],
  ["sort as a list", { sort: ["-b", "a", "c:DESC"] }, { sort: ["b:desc", "a:asc", "c:desc"] }],
  ["sort as text", { sort: "-b, a" }, { sort: ["b:desc", "a:asc"] }],
  ["an empty sort", { sort: {} }, {}],
  ["fields as text", { fields: "a, b.c" }, { fields: ["a", "b.c"] }],
  [
    "related items",
    { fields: ["a", { b: "c, d", e: { fields: ["f"], sort: "-g", limit: 1 } }] },
    { fields: ["a", { b: { fields: ["c", "d"] }, e: { fields: ["f"], sort: ["g:desc"], limit: 1 } }] },
  ],
  [
    "what is searched",
    { search: "a b", searchFields: "x, y" as never },
    { search: "a b", searchFields: ["x", "y"] },
  ],
  ["the rest as it is", { filter: { a: 1 }, limit: 1, page: 2 }, { filter: { a: 1 }, limit: 1, page: 2 }],
])("brings %s into one form", (_name, query, canonical) => {
  expect(canonicalQuery(query)).toEqual(canonical);
});

test("keys begin with the server, the tenant and the user, and widen step by step", () => {
  const list = baasixKeys.list(scope("ann"), "posts", { sort: "-a", limit: 2 });
  expect(list).toEqual([
    "baasix",
    "http://h",
    null,
    "ann",
    "items",
    "posts",
    "list",
    { sort: ["a:desc"], limit: 2 },
  ]);
  expect(baasixKeys.detail(scope(null), "posts", 7, ["a"])).toEqual([
    "baasix",
    "http://h",
    null,
    null,
    "items",
    "posts",
    "item",
    "7",
    ["a"],
  ]);
  const filter = { a: 1 };
  const family = ["baasix", "http://h", null, "ann", "items", "posts"];
  expect(baasixKeys.walk(scope("ann"), "posts", { count: "none", filter })).toEqual([
    ...family,
    "pages",
    { count: "none", filter },
  ] as never);
  expect(baasixKeys.count(scope("ann"), "posts", { filter })).toEqual([
    ...family,
    "count",
    { filter },
  ] as never);
  const aggregate = { n: { function: "count", field: "*" } } as const;
  expect(
    baasixKeys.aggregate(scope("ann"), "posts", { aggregate, sort: { n: "DESC" }, having: undefined }),
  ).toEqual([...family, "aggregate", { aggregate, sort: ["n:desc"] }] as never);
  for (const wider of [
    baasixKeys.server(scope("ann")),
    baasixKeys.user(scope("ann")),
    baasixKeys.items(scope("ann"), "posts"),
    baasixKeys.lists(scope("ann"), "posts"),
  ]) {
    expect(list.slice(0, wider.length)).toEqual([...wider]);
  }
});

test("whose a key is", () => {
  const inTenant = (tenant: string | null, user = "ann") => ({
    url: "http://h",
    auth: { state: { identity: `${user}@${tenant}`, user: { id: user }, tenant: tenant && { id: tenant } } },
  });
  const mine = inTenant("t1") as KeyScope;
  const key = baasixKeys.list(mine, "posts");
  expect(key.slice(0, 4)).toEqual(["baasix", "http://h", "t1", "ann"]);
  expect(isOwnKey(mine, key)).toBe(true);
  for (const other of [inTenant("t2"), inTenant("t1", "bob"), inTenant(null), scope(null)])
    expect(isOwnKey(other as KeyScope, key)).toBe(false);
  expect(isOwnKey({ ...mine, url: "http://other" }, key)).toBeNull();
  expect([isOwnKey(mine, ["todos"]), isOwnKey(mine, undefined)]).toEqual([null, null]);
});

test("the order of sort terms makes another key, that of filter members does not", () => {
  const key = (query: Query) => hashKey(baasixKeys.list(scope("ann"), "posts", query));
  expect(key({ sort: { a: "asc", b: "asc" } })).not.toBe(key({ sort: { b: "asc", a: "asc" } }));
  expect(key({ sort: { a: "asc", b: "desc" } })).toBe(key({ sort: "a,-b" }));
  expect(key({ filter: { a: 1, b: 2 } })).toBe(key({ filter: { b: 2, a: 1 } }));
});
