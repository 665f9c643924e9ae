import { expect, test } from "bun:test";
import type { GenericItem, ListResult } from "@baasix/sdk";
import { QueryClient } from "@tanstack/react-query";
import { baasixKeys } from "./keys";
import { showDelete, showUpdate } from "./optimism";

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
