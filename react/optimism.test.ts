import { expect, test } from "bun:test";
import type { GenericItem, ListResult } from "@baasix/sdk";
import { QueryClient } from "@tanstack/react-query";
import { baasixKeys } from "./keys";
import { type Arrangement, isTemporaryId, showCreate, showDelete, showOrder, showUpdate } from "./optimism";

const scope = { url: "http://h", auth: { state: { identity: "ann" } } };

function setUp() {
  const cache = new QueryClient();
  const all = baasixKeys.list(scope, "posts");
  const names = baasixKeys.list(scope, "posts", { fields: ["id", "name"] });
  const one = baasixKeys.detail(scope, "posts", 1);
  const rows = [1, 2, 3].map((id) => ({ id, name: `n${id}`, views: id, author: { id: 7 } }));
  cache.setQueryData(all, { data: rows, totalCount: 3 });
  cache.setQueryData(names, { data: rows.map(({ id, name }) => ({ id, name })), totalCount: 3 });
  cache.setQueryData(one, rows[0]);
  const list = (key: readonly unknown[]) => cache.getQueryData<ListResult<GenericItem>>(key);
  const place = { cache, scope, collection: "posts", primaryKey: "id" };
  return { cache, place, all, names, one, list, rows };
}

test("an update is shown wherever its fields were read, but not an id in the place of an item", () => {
  const { place, all, names, one, list, cache, rows } = setUp();
  const undo = showUpdate(place, "1", { name: "x", views: 9, author: 8, unread: true });
  expect(list(all)?.data[0]).toEqual({ ...rows[0], name: "x", views: 9 });
  expect(list(names)?.data[0]).toEqual({ id: 1, name: "x" });
  expect(cache.getQueryData<GenericItem>(one)).toEqual({ ...rows[0], name: "x", views: 9 });
  undo();
  expect(list(all)?.data).toEqual(rows);
  expect(cache.getQueryData<GenericItem>(one)).toEqual(rows[0]);
});

test.each<[unknown, unknown, boolean]>([
  ["a", "b", true],
  [null, "b", true],
  [{ id: 7, name: "x" }, null, false],
  [{ id: 7, name: "x" }, 8, false],
  [{ id: 7, name: "x" }, { name: "y" }, false],
  [{ id: 7, name: "x" }, { id: 8, name: "y", more: 1 }, true],
  [{ size: 1 }, { size: 2 }, true],
  [["a"], ["b", "c"], true],
  [["a"], [], true],
  [[], ["b"], false],
  [[{ id: 1 }], { create: [{ text: "x" }] }, false],
  [[{ id: 1 }], [2, 3], false],
  [[{ id: 1, text: "x" }], [{ text: "y" }], false],
  [[{ id: 1, text: "x" }], [{ id: 1, text: "y" }], true],
])("where %p was read, whether %p is shown ahead: %p", (read, written, shown) => {
  const cache = new QueryClient();
  const key = baasixKeys.list(scope, "posts");
  cache.setQueryData(key, { data: [{ id: 1, field: read }], totalCount: 1 });
  const place = { cache, scope, collection: "posts", primaryKey: "id" };
  const items = () => cache.getQueryData<ListResult<GenericItem>>(key)?.data ?? [];
  const undo = showUpdate(place, 1, { field: written });
  expect(items()[0]?.field).toEqual(shown ? written : read);
  undo();
  expect(items()).toEqual([{ id: 1, field: read }]);
  showCreate(place, { field: written }, { at: "end", more: { n: 1 } });
  expect(items()[1]).toEqual({ id: expect.any(String), n: 1, ...(shown && { field: written }) });
});

test("taking one change back leaves others and newer values alone", () => {
  const { place, all, list } = setUp();
  const undo = showUpdate(place, 1, { name: "refused", views: 9 });
  showUpdate(place, 2, { name: "second" });
  showUpdate(place, 1, { name: "newer" });
  undo();
  expect(list(all)?.data.map(({ name, views }) => [name, views])).toEqual([
    ["newer", 1],
    ["second", 2],
    ["n3", 3],
  ]);
});

test("a delete is taken back to its place, unless the item is there again", () => {
  const { place, all, list, cache, rows } = setUp();
  const undo = showDelete(place, 2);
  expect(list(all)).toMatchObject({ data: [{ id: 1 }, { id: 3 }], totalCount: 2 });
  undo();
  expect(list(all)).toEqual({ data: rows, totalCount: 3 });
  const again = showDelete(place, 2);
  cache.setQueryData(all, { data: rows, totalCount: 3 });
  again();
  expect(list(all)).toEqual({ data: rows, totalCount: 3 });
});

test("what has left the cache does not come back", () => {
  const { place, all, cache } = setUp();
  const undo = [showUpdate(place, 1, { name: "x" }), showDelete(place, 2)];
  cache.clear();
  for (const each of undo) each();
  expect(cache.getQueryData(all)).toBeUndefined();
  expect(cache.getQueryCache().getAll()).toEqual([]);
});

test("lists that are read page after page show changes too, and only counted totals change", () => {
  const { place, cache, rows } = setUp();
  const key = baasixKeys.walk(scope, "posts", { limit: 2 });
  const [first, second, third] = rows;
  const pages = [
    { data: [first, second], totalCount: 3, nextCursor: "2" },
    { data: [third], nextCursor: null },
  ];
  const before = { pages, pageParams: ["", "2"] };
  cache.setQueryData(key, before);
  const undo = showUpdate(place, 3, { name: "x" });
  expect(cache.getQueryData<typeof before>(key)).toMatchObject({
    pages: [{ data: [{ name: "n1" }, { name: "n2" }] }, { data: [{ name: "x" }], nextCursor: null }],
  });
  undo();
  const again = showDelete(place, 2);
  expect(cache.getQueryData<typeof before>(key)).toEqual({
    pages: [
      { data: [first], totalCount: 2, nextCursor: "2" },
      { data: [third], nextCursor: null },
    ],
    pageParams: ["", "2"],
  });
  again();
  expect(cache.getQueryData<typeof before>(key)).toEqual(before);
});

test.each<[string, "start" | "end", object, boolean]>([
  ["the start of the first page", "start", {}, true],
  ["the start, sorted or not", "start", { sort: "-name", limit: 3 }, true],
  ["not the start of a later page", "start", { page: 2, limit: 3 }, false],
  ["the end of what is there", "end", { sort: "name" }, true],
  [
    "not the end of a page that more follows",
    "end",
    { limit: 3, offset: 0, filter: null, sort: "views" },
    false,
  ],
  ["no list with a filter", "start", { filter: { views: 1 } }, false],
  ["no list with a search", "end", { search: "n" }, false],
])("a new item is shown at %s", (_, at, query, shown) => {
  const { cache, place, rows, list } = setUp();
  const key = baasixKeys.list(scope, "posts", query);
  const totalCount = "limit" in query ? 9 : 3;
  cache.setQueryData(key, { data: rows, totalCount });
  const { undo, confirm } = showCreate(place, { name: "new" }, { at });
  const item = list(key)?.data.at(at === "start" ? 0 : -1);
  expect([item?.name === "new", isTemporaryId(item?.id), list(key)?.totalCount]).toEqual([
    shown,
    shown,
    totalCount + (shown ? 1 : 0),
  ]);
  confirm(4);
  if (shown) expect(list(key)?.data.find(({ id }) => id === 4)?.name).toBe("new");
  cache.setQueryData(key, { data: rows, totalCount });
  const again = showCreate(place, { name: "new" }, { at, lists: () => true });
  again.undo();
  undo();
  expect(list(key)).toEqual({ data: rows, totalCount });
});

test("a new item is shown on the first or the last page, where the application says so", () => {
  const { cache, place, rows } = setUp();
  const key = baasixKeys.walk(scope, "posts", { filter: { views: 1 } });
  const [first, second, third] = rows;
  const before = {
    pages: [
      { data: [first, second], nextCursor: "2" },
      { data: [third], nextCursor: null },
    ],
    pageParams: ["", "2"],
  };
  cache.setQueryData(key, before);
  const names = () =>
    cache.getQueryData<typeof before>(key)?.pages.map(({ data }) => data.map((item) => item?.name));
  const lists = ({ filter }: { filter?: unknown }) => filter !== undefined;
  const undo = [
    showCreate(place, { name: "a" }, { at: "start", lists }).undo,
    showCreate(place, { name: "z" }, { at: "end", lists }).undo,
  ];
  expect(names()).toEqual([
    ["a", "n1", "n2"],
    ["n3", "z"],
  ]);
  for (const each of undo) each();
  expect(cache.getQueryData<typeof before>(key)).toEqual(before);
});

test.each<[Arrangement, string, string]>([
  [[4, 2, 1], "4 2 3 1", "1 3 2 4"],
  [["2", "1"], "2 1 3 4", "4 3 1 2"],
  [[9, 3, 1, 3], "3 2 1 4", "4 1 2 3"],
  [{ item: 1, to: 3 }, "2 1 3 4", "4 3 1 2"],
  [{ item: 1, to: 3, mode: "after" }, "2 3 1 4", "4 1 3 2"],
  [{ item: 4, to: 1, mode: "before" }, "4 1 2 3", "3 2 1 4"],
  [{ item: 4, to: 9 }, "1 2 3 4", "4 3 2 1"],
  [{ item: 2, to: 2 }, "1 2 3 4", "4 3 2 1"],
])("an order %p is shown where lists are in that order, and taken back", (arrangement, rising, falling) => {
  const cache = new QueryClient();
  const place = { cache, scope, collection: "posts", primaryKey: "id" };
  const rows = [1, 2, 3, 4].map((id) => ({ id, sort: id * 10 }));
  const [up, down, other, pages] = [
    baasixKeys.list(scope, "posts", { sort: "sort" }),
    baasixKeys.list(scope, "posts", { sort: "-sort,id" }),
    baasixKeys.list(scope, "posts", { sort: "name" }),
    baasixKeys.walk(scope, "posts", { sort: { sort: "ASC" }, limit: 3 } as object),
  ];
  cache.setQueryData(up, { data: rows, totalCount: 4 });
  cache.setQueryData(down, { data: rows.toReversed(), totalCount: 4 });
  cache.setQueryData(other, { data: rows, totalCount: 4 });
  const paged = { pages: [{ data: rows.slice(0, 3) }, { data: rows.slice(3) }], pageParams: ["", "x"] };
  cache.setQueryData(pages, paged);
  const read = (key: readonly unknown[]) => cache.getQueryData<ListResult<GenericItem>>(key)?.data ?? [];
  const ids = (key: readonly unknown[]) =>
    read(key)
      .map(({ id }) => id)
      .join(" ");
  const undo = showOrder(place, arrangement);
  expect([ids(up), ids(down), ids(other)]).toEqual([rising, falling, "1 2 3 4"]);
  expect(read(up).map(({ sort }) => sort)).toEqual([10, 20, 30, 40]);
  expect(read(down).map(({ sort }) => sort)).toEqual([40, 30, 20, 10]);
  const shown = cache.getQueryData<typeof paged>(pages)?.pages.map(({ data }) => data.map(({ id }) => id));
  expect(shown?.map((page) => page.length)).toEqual([3, 1]);
  expect(shown?.flat().join(" ")).toBe(rising);
  cache.setQueryData(other, { data: [], totalCount: 0 });
  undo();
  expect([ids(up), ids(down)]).toEqual(["1 2 3 4", "4 3 2 1"]);
  expect(cache.getQueryData<typeof paged>(pages)).toEqual(paged);
});

test("an order is not taken back over a newer one", () => {
  const cache = new QueryClient();
  const place = { cache, scope, collection: "posts", primaryKey: "id" };
  const key = baasixKeys.list(scope, "posts", { sort: "sort" });
  cache.setQueryData(key, { data: [1, 2, 3].map((id) => ({ id })), totalCount: 3 });
  const undo = showOrder(place, [3, 1]);
  showOrder(place, [2, 3]);
  undo();
  const { data = [] } = cache.getQueryData<ListResult<GenericItem>>(key) ?? {};
  expect(data.map(({ id }) => id)).toEqual([2, 3, 1]);
});
