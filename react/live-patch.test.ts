import { expect, test } from "bun:test";
import type { ChangeAction, GenericItem } from "@baasix/sdk";
import type { CanonicalQuery } from "./keys";
import { patchCount, patchItem, patchList, patchPages } from "./live-patch";

const a = { id: 1, name: "a", rank: 1 };
const b = { id: 2, name: "b", rank: 2 };

test.each<[string, CanonicalQuery, GenericItem[], number, ChangeAction, GenericItem, GenericItem[] | string]>(
  [
    ["an update in place", {}, [a, b], 2, "update", { ...b, name: "c" }, [a, { ...b, name: "c" }]],
    ["on a later page too", { page: 3 }, [a, b], 9, "update", { ...b, name: "c" }, [a, { ...b, name: "c" }]],
    ["an update of some fields", {}, [a], 1, "update", { id: 1, name: "c" }, [{ ...a, name: "c" }]],
    ["an update that changes nothing", {}, [a, b], 2, "update", { ...b }, "keep"],
    [
      "what is sorted by stays",
      { sort: ["rank:asc"] },
      [a],
      1,
      "update",
      { ...a, name: "c" },
      [{ ...a, name: "c" }],
    ],
    ["what is sorted by changes", { sort: ["rank:asc"] }, [a], 1, "update", { ...a, rank: 9 }, "read"],
    ["what is sorted by was not read", { sort: ["at:desc"] }, [a], 1, "update", { ...a, name: "c" }, "read"],
    [
      "sorted by a related item",
      { sort: ["author.name:asc"] },
      [a],
      1,
      "update",
      { ...a, name: "c" },
      "read",
    ],
    [
      "sorted by a distance",
      { sort: [{ _distance: { target: [1, 2], column: "at" } }] },
      [a],
      1,
      "update",
      { ...a, name: "c" },
      "read",
    ],
    ["an update of an item elsewhere", {}, [a], 2, "update", b, "read"],
    ["a new item", {}, [a], 1, "create", b, "read"],
    ["a new item that is here already", {}, [a, b], 2, "create", { ...b }, "keep"],
    ["a delete from all there is", {}, [a, b], 2, "delete", { id: 1 }, [b]],
    ["a delete from a page", { limit: 2 }, [a, b], 3, "delete", { id: 1 }, "read"],
    ["a delete from a later page", { page: 2, limit: 1 }, [a], 1, "delete", { id: 1 }, "read"],
    ["a delete behind an offset", { offset: 1 }, [a], 1, "delete", { id: 1 }, "read"],
    ["a delete of what is gone already", {}, [a], 1, "delete", { id: 2 }, "keep"],
    [
      "an update with another list of related items",
      {},
      [{ ...a, tags: [] }],
      1,
      "update",
      { ...a, tags: [{ id: 7 }] },
      "read",
    ],
    ["a change without a key", {}, [a], 1, "update", { name: "c" }, "read"],
    ["items without keys", {}, [{ name: "a" }], 1, "delete", { id: 1 }, "read"],
  ],
)("%s", (_name, query, data, totalCount, action, change, expected) => {
  const decision = patchList({ data, totalCount }, query, { action, data: change }, "id");
  const total = action === "delete" ? totalCount - 1 : totalCount;
  expect(decision).toEqual(
    Array.isArray(expected)
      ? { kind: "patch", data: { data: expected, totalCount: total } }
      : { kind: expected as "keep" | "read" },
  );
});

test.each<[ChangeAction, GenericItem, GenericItem | "read"]>([
  ["update", { id: 1, name: "c" }, { ...a, name: "c" }],
  ["delete", { id: 1 }, "read"],
  ["update", { id: 2, name: "c" }, "read"],
])("an item by itself: %s %p", (action, data, expected) => {
  expect(patchItem(a, { action, data }, "id")).toEqual(
    expected === "read" ? { kind: "read" } : { kind: "patch", data: expected },
  );
});

const pages = {
  pages: [
    { data: [a], totalCount: 2, nextCursor: "1" },
    { data: [b], totalCount: 2, nextCursor: null },
  ],
  pageParams: ["", "1"],
};
test.each<[string, CanonicalQuery, ChangeAction, GenericItem, unknown]>([
  [
    "an update on any page",
    { sort: ["rank:asc"] },
    "update",
    { ...b, name: "c" },
    { ...pages, pages: [pages.pages[0], { ...pages.pages[1], data: [{ ...b, name: "c" }] }] },
  ],
  ["an update of what is sorted by", { sort: ["rank:asc"] }, "update", { ...b, rank: 0 }, "read"],
  ["an update that changes nothing", {}, "update", { ...a }, "keep"],
  ["an update of an item further on", {}, "update", { id: 3, name: "d" }, "read"],
  ["a new item", {}, "create", { id: 3, name: "d" }, "read"],
  ["a delete", {}, "delete", { id: 1 }, "read"],
])("pages: %s", (_name, query, action, data, expected) => {
  const decision = patchPages(pages, query, { action, data }, "id");
  expect(decision.kind === "patch" ? decision.data : decision.kind).toEqual(expected);
});

test("a count stays while items change inside it", () => {
  const kinds = (["create", "update", "delete"] as const).map((action) => patchCount({ action }).kind);
  expect(kinds).toEqual(["read", "keep", "read"]);
});
