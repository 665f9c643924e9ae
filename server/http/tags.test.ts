import { expect, test } from "bun:test";
import { namesTag, readTags, strongTags } from "./tags";

const tag = (opaque: string, weak = false) => ({ weak, opaque });

test.each<[string, ReturnType<typeof readTags>]>([
  ['"a"', [tag("a")]],
  ['W/"a"', [tag("a", true)]],
  ['"a", W/"b,c" ,"d"', [tag("a"), tag("b,c", true), tag("d")]],
  [', "a",,', [tag("a")]],
  ['""', [tag("")]],
  [" * ", "*"],
  ["", null],
  [",", null],
  ["a", null],
  ['"a', null],
  ['"a" "b"', null],
  ['w/"a"', null],
  ['"a b"', null],
  ['*, "a"', null],
])("%p holds %p", (header, tags) => {
  expect(readTags(header)).toEqual(tags);
});

test("a weak comparison for reading, a strong one for writing", () => {
  expect(namesTag('"x", W/"a"', "a")).toBe(true);
  expect(namesTag("*", "a")).toBe(true);
  expect(namesTag('"b"', "a")).toBe(false);
  expect(namesTag("a", "a")).toBe(false);
  expect(namesTag(null, "a")).toBe(false);
  expect(strongTags('"x", W/"a"')).toEqual(["x"]);
  expect(strongTags('W/"a"')).toEqual([]);
  expect(strongTags("*")).toBeNull();
  expect(strongTags(null)).toBeNull();
  expect(() => strongTags("a")).toThrow("If-Match: expected tags in quotes");
});
