import { describe, expect, test } from "bun:test";
import { assert, constantFrom, property, string } from "fast-check";
import { checkText, fillText, mapTexts, type ReadText } from "./references";

const names = new Map([["first", 0]]);
const result = { id: 7, data: { text: "two words", list: [1, null, { deep: true }], "odd name": "x" } };
const read = fillText(names, [() => result]);
const fill = (value: unknown, reader: ReadText = read) => mapTexts(value, "data", "at", reader);

/** What the SDK does to text that is not its own. */
const escape = (text: string) => text.replaceAll("{{", "\\{{");

test.each<[unknown, unknown]>([
  ["{{0.id}}", 7],
  ["{{ first.id }}", 7],
  ["{{0.data.list}}", [1, null, { deep: true }]],
  ["{{0.data.list.1}}", null],
  ["{{0.data.list.2.deep}}", true],
  ["{{0.data.odd name}}", "x"],
  ["{{0.id}}{{0.id}}", "77"],
  ["{{{0.id}}}", "{7}"],
  ["{{0.data.text}}, {{first.data.list.2.deep}}", "two words, true"],
  ["\\{{0.id}} {{0.id}}", "{{0.id}} 7"],
  ["{{0.id", "{{0.id"],
  ["{{a{b}}", "{{a{b}}"],
  [
    [{ a: "{{0.id}}" }, "b"],
    [{ a: 7 }, "b"],
  ],
  [null, null],
])("%p becomes %p", (value, filled) => {
  expect(fill(value)).toEqual(filled);
});

const anything = string({ unit: constantFrom("{", "}", "\\", ".", "0", "a", " ", "é"), maxLength: 24 });

describe("whatever text there is", () => {
  test("escaped, it stays what it was", () => {
    assert(property(anything, (text) => expect(fill(escape(text))).toBe(text)));
  });

  test("it is checked before as it is filled after: what passes the check leads somewhere or nowhere", () => {
    const check = checkText(names, 1, 1);
    const refusal = (work: () => unknown): string => {
      try {
        work();
        return "";
      } catch (error) {
        return error instanceof Error ? error.message : "";
      }
    };
    assert(
      property(anything, (text) => {
        const before = refusal(() => fill(text, check));
        const after = refusal(() => fill(text));
        if (before === "") expect(after).toMatch(/^$|leads nowhere|has no text/);
        else expect(after).toBe(before);
      }),
    );
  });
});
