import { expect, test } from "bun:test";
import { liveView } from "./live-view";

test.each<[string, Record<string, unknown> | undefined, boolean]>([
  ["no filter", undefined, true],
  ["own columns", { a: 1, b: { gt: 2, lte: 5 }, c: { in: ["x", "y"] }, d: null }, true],
  ["groups of own columns", { OR: [{ a: 1 }, { NOT: { b: { isNull: true } } }], AND: [{ c: 1 }] }, true],
  ["the user's own id", { author_Id: { eq: "$CURRENT_USER" } }, true],
  ["the user's role", { role_Id: "$CURRENT_ROLE.id" }, true],
  ["the time", { at: { gte: "$NOW-DAYS_30" } }, false],
  ["a field of the user", { team: "$CURRENT_USER.team" }, false],
  ["another column", { a: { gt: "$COL(b)" } }, false],
  ["a dotted path", { "author.name": "x" }, false],
  ["a delimited path", { $author$: "x" }, false],
  ["a related item", { author: { name: "x" } }, false],
  ["a related item inside a group", { OR: [{ a: 1 }, { NOT: { author: { name: "x" } } }] }, false],
  ["an operator that is not known", { a: { near: 1 } }, false],
  ["a variable in a list", { a: { in: [1, "$COL(b)"] } }, false],
])("%s", (_name, filter, exact) => {
  const view = liveView({ filter, fields: ["a"] });
  expect(view).toEqual(exact ? { ...(filter && { filter }), fields: ["a"], exact } : { exact });
});

test("soft-deleted items cannot be followed", () => {
  expect(() => liveView({ paranoid: false })).toThrow("paranoid");
});

test("where a search or conditions on related items decide, every change is heard and nothing is mended", () => {
  expect(liveView({ search: "words", filter: { a: 1 } })).toEqual({ exact: false });
  expect(liveView({ fields: ["a", { tags: { limit: 1 } }] })).toEqual({ exact: false });
  expect(liveView({ relConditions: { tags: { a: 1 } } })).toEqual({ exact: false });
});
