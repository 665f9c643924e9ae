import { describe, expect, test } from "bun:test";
import { changesOf, parseRecord } from "./record";

test.each<[text: string, values: readonly (string | null)[]]>([
  ["()", [null]],
  ["(,)", [null, null]],
  ['("")', [""]],
  ["(1,two,)", ["1", "two", null]],
  ['("a,b","say ""x""","c:\\\\d","(")', ["a,b", 'say "x"', "c:\\d", "("]],
  ['("\\\\""\\\\",,"")', ['\\"\\', null, ""]],
  ['("{1,2}"," ",é)', ["{1,2}", " ", "é"]],
])("%s is a row", (text, values) => {
  expect(parseRecord(text)).toEqual(values);
});

test.each(["", "1,2", "(1", '("1)', '("1"'])("%j is none", (text) => {
  expect(() => parseRecord(text)).toThrow(RangeError);
});

describe("what a statement did", () => {
  const told = (
    were: readonly string[] | null,
    became: readonly string[] | null,
    key: readonly string[] = ["id"],
  ) =>
    changesOf({ table: "notes", columns: ["id", null, "text"], were, became }, key).map(
      ({ action, before, after }) => [action, before, after] as const,
    );
  const one = { id: "1", text: "a" };
  const two = { id: "2", text: "b" };

  test.each<[string, ReturnType<typeof told>, unknown[]]>([
    [
      "rows that came",
      told(null, ["(1,x,a)", "(2,x,b)"]),
      [
        ["create", null, one],
        ["create", null, two],
      ],
    ],
    ["rows that went", told(["(1,x,a)"], null), [["delete", one, null]]],
    [
      "rows that changed, whatever their order",
      told(["(2,x,b)", "(1,x,a)"], ["(1,x,b)", "(2,x,a)"]),
      [
        ["update", one, { ...one, text: "b" }],
        ["update", two, { ...two, text: "a" }],
      ],
    ],
    [
      "a row with another key has left, and another has come",
      told(["(1,x,a)"], ["(2,x,a)"]),
      [
        ["delete", one, null],
        ["create", null, { ...two, text: "a" }],
      ],
    ],
    [
      "two rows that changed keys",
      told(["(1,x,a)", "(2,x,b)"], ["(2,x,a)", "(1,x,b)"]),
      [
        ["update", two, { ...two, text: "a" }],
        ["update", one, { ...one, text: "b" }],
      ],
    ],
    ...[[], ["was_id"]].map((key): [string, ReturnType<typeof told>, unknown[]] => [
      `rows whose key is not known (${key.join()})`,
      told(["(1,x,a)", "(2,x,b)"], ["(2,x,b)", "(1,x,a)"], key),
      [
        ["delete", one, null],
        ["delete", two, null],
        ["create", null, two],
        ["create", null, one],
      ],
    ]),
  ])("%s", (_, changes, expected) => {
    expect(changes).toEqual(expected as never);
  });

  test("a row of other columns than were told is none", () => {
    expect(() => told(["(1,x)"], null)).toThrow(RangeError);
  });
});
