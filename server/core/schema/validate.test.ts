/** The value rules, with the texts that clients know. */
import { describe, expect, test } from "bun:test";
import type { FieldDefinition } from "@baasix/types";
import { buildSchema } from "./define";
import { toWire } from "./fields";
import { checkRules } from "./validate";
import { compareDecimals } from "./values";

function check(definition: FieldDefinition, value: unknown): readonly string[] {
  const schema = buildSchema(1, [{ collectionName: "c", schema: { name: "C", fields: { x: definition } } }]);
  const field = schema.collections.get("c")?.fields.get("x");
  if (!field) throw new Error("no field");
  return checkRules(field, toWire(value, field)).map(({ message }) => message);
}

const rows: readonly (readonly [definition: FieldDefinition, value: unknown, messages: readonly string[]])[] =
  [
    [{ type: "Integer", validate: { min: 0, max: 120 } }, 120, []],
    [{ type: "Integer", validate: { min: 0, max: 120 } }, -1, ["Value -1 is less than minimum 0"]],
    [{ type: "Integer", validate: { min: 0, max: 120 } }, "121", ["Value 121 is greater than maximum 120"]],
    [{ type: "Integer", validate: { min: 0 } }, null, []],
    [
      { type: "BigInt", validate: { max: 9007199254740992 } },
      "9007199254740993",
      ["Value 9007199254740993 is greater than maximum 9007199254740992"],
    ],
    [
      { type: "Decimal", validate: { max: 0.3 } },
      "0.30000000000000000001",
      ["Value 0.30000000000000000001 is greater than maximum 0.3"],
    ],
    [{ type: "Decimal", validate: { max: 999999.99 } }, "999999.99", []],
    [{ type: "Double", validate: { isInt: true } }, 1.5, ["Value 1.5 must be an integer"]],
    [{ type: "Double", validate: { isInt: true } }, 2e20, []],
    [{ type: "Double", validate: { min: -1e300 } }, -1e301, ["Value -1e+301 is less than minimum -1e+300"]],
    [
      { type: "Array_Integer", validate: { min: 1 } },
      [1, 0, null],
      ["Array element [1]: Value 0 is less than minimum 1"],
    ],
    [{ type: "String", validate: { notEmpty: true } }, " \t", ["Field cannot be empty"]],
    [{ type: "String", validate: { len: [2, 3] } }, "😀", ["Value must be at least 2 characters long"]],
    [{ type: "String", validate: { len: [2, 3] } }, "abcd", ["Value must be at most 3 characters long"]],
    [{ type: "String", validate: { isEmail: true } }, "a@b.example", []],
    [{ type: "String", validate: { isEmail: true } }, "a@b", ["Invalid email format"]],
    [{ type: "String", validate: { isUrl: true } }, "https://example.com/a?b=c", []],
    [{ type: "String", validate: { isUrl: true } }, "example.com", ["Invalid URL format"]],
    [{ type: "String", validate: { isUrl: true } }, "javascript:alert(1)", ["Invalid URL format"]],
    [{ type: "Text", validate: { is: "^[a-z]+$" } }, "abc", []],
    [{ type: "Text", validate: { matches: "^[a-z]+$" } }, "ab1", ["Value does not match required pattern"]],
    [
      { type: "Text", validate: { matches: "^a*$" } },
      "a".repeat(10_001),
      ["Value is longer than 10000 characters, and a pattern is tried on no more"],
    ],
    [{ type: "Array_Decimal", validate: { max: 1 } }, ["0.5", "1.00"], []],
    [{ type: "Range_Integer", validate: { min: 0, max: 9 } }, { lower: 0, upper: 9 }, []],
    [
      { type: "Range_Integer", validate: { min: 0, max: 9 } },
      { lower: -1, upper: 10 },
      ["Lower bound: Value -1 is less than minimum 0", "Upper bound: Value 10 is greater than maximum 9"],
    ],
    [{ type: "Range_Integer", validate: { min: 0 } }, { lower: null, upper: 3 }, []],
    [{ type: "Range_Integer", validate: { min: 0 } }, { empty: true }, []],
    [
      { type: "Range_Decimal", validate: { isInt: true } },
      { lower: "1.5", upper: "2.0" },
      ["Lower bound: Value 1.5 must be an integer"],
    ],
    [{ type: "HTML", validate: { notEmpty: true } }, "", ["Field cannot be empty"]],
    [{ type: "CiText", validate: { len: [2, 3] } }, "a", ["Value must be at least 2 characters long"]],
    [
      { type: "Array_String", validate: { notEmpty: true } },
      ["a", ""],
      ["Array element [1]: Field cannot be empty"],
    ],
  ];

describe("rules", () => {
  for (const [definition, value, messages] of rows) {
    test(`${JSON.stringify(definition.validate)} on ${JSON.stringify(value)}`, () => {
      expect(check(definition, value)).toEqual([...messages]);
    });
  }
});

test("decimals are compared exactly", () => {
  expect(compareDecimals("-0.5", "-0.49")).toBe(-1);
  expect(compareDecimals("1e3", "1000.000")).toBe(0);
  expect(compareDecimals("-0", "0.0")).toBe(0);
  expect(compareDecimals("123456789012345678901", "123456789012345678900")).toBe(1);
});
