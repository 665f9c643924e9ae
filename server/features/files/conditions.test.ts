import { describe, expect, test } from "bun:test";
import { matchesTag, parseRange } from "./conditions";

describe("parseRange of 100 bytes", () => {
  const cases: readonly [string | null, ReturnType<typeof parseRange>][] = [
    [null, "whole"],
    ["bytes=0-0", { start: 0, end: 0 }],
    ["bytes=0-99", { start: 0, end: 99 }],
    ["bytes=10-", { start: 10, end: 99 }],
    ["bytes=90-1000", { start: 90, end: 99 }],
    ["bytes=-1", { start: 99, end: 99 }],
    ["bytes=-1000", { start: 0, end: 99 }],
    ["Bytes = 5 - 6", { start: 5, end: 6 }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=100-200", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=6-5", "whole"],
    ["bytes=-", "whole"],
    ["bytes=0-1,5-6", "whole"],
    ["bytes=a-b", "whole"],
    ["bytes=1", "whole"],
    ["items=0-1", "whole"],
    ["bytes=0x1-2", "whole"],
    ["bytes=--1", "whole"],
    ["bytes=99999999999999999999-", "whole"],
  ];
  test.each(cases)("%p", (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected);
  });

  test("nothing can be cut out of an empty file", () => {
    expect(parseRange("bytes=0-", 0)).toBe("unsatisfiable");
    expect(parseRange("bytes=-5", 0)).toBe("unsatisfiable");
  });
});

test.each([
  [null, false],
  ['"a"', true],
  ['W/"a"', true],
  ['"b", "a"', true],
  ["*", true],
  ['"b"', false],
  ["a", false],
  ["", false],
])("If-None-Match %p: %p", (header, expected) => {
  expect(matchesTag(header, '"a"')).toBe(expected);
});
