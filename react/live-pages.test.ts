import { expect, test } from "bun:test";
import { mustRead, type LiveResult } from "./live";
import { cutIntoPages, type Pages, pagesAsOne } from "./live-pages";

const result = (ids: string, nextCursor: string | null): LiveResult =>
  ({ data: [...ids].map((id) => ({ id })), nextCursor }) as unknown as LiveResult;
const known = (...pages: readonly (readonly [ids: string, cursor: string | null])[]): Pages => ({
  pages: pages.map(([ids, cursor]) => result(ids, cursor)),
  pageParams: ["", ...pages.slice(0, -1).map(([, cursor]) => String(cursor))],
});
const told = (pages: Pages | typeof mustRead) =>
  pages === mustRead
    ? "read"
    : pages.pages
        .map(({ data, nextCursor }) => `${data.map(({ id }) => String(id)).join("")}>${nextCursor}`)
        .join(" ");

test.each([
  [{ limit: 3 }, 1, { limit: 3 }],
  [{ limit: 3 }, 4, { limit: 12 }],
  [{}, 2, { limit: 200 }],
  [{ limit: -1 }, 2, { limit: 1000 }],
  [{ limit: 300, count: "exact" as const }, 9, { limit: 1000, count: "exact" as const }],
])("%j of %d pages is asked as one", (query, pages, asked) => {
  expect(pagesAsOne(query, pages)).toEqual({ count: "none", cursor: "", ...asked });
});

test.each<[string, LiveResult, Pages | undefined, string]>([
  ["a first page", result("abc", "c"), undefined, "abc>c"],
  ["a first page that is all", result("ab", null), undefined, "ab>null"],
  ["an empty list", result("", null), known(["abc", "c"], ["d", null]), ">null"],
  [
    "a new item pushes the others on",
    result("xabcde", "e"),
    known(["abc", "1"], ["def", "2"]),
    "xab>1 cde>e",
  ],
  ["a page that is no longer needed goes", result("abc", null), known(["abc", "1"], ["d", null]), "abc>null"],
  ["more pages than were asked for", result("abc", "c"), known(["abc", "1"], ["def", "2"]), "read"],
])("%s", (_name, answer, before, expected) => {
  const pages = cutIntoPages({ limit: 3 }, answer, before);
  expect(told(pages)).toBe(expected);
  if (pages !== mustRead) expect(pages.pageParams).toHaveLength(pages.pages.length);
});

test("what is longer than one answer is read", () => {
  expect(cutIntoPages({ limit: 600 }, result("a", null), known(["a", "1"], ["b", null]))).toBe(mustRead);
});
