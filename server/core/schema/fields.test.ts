/** Every field type: what it reads, what it refuses, and that values survive the trip through PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Database, openDatabase } from "../../platform/postgres";
import { outsider, testDatabase } from "../../testing/postgres";
import { AppError } from "../errors";
import {
  bareShape,
  castType,
  isOneText,
  type FieldShape,
  fieldTypeNames,
  jsonExpression,
  jsonSchema,
  parseValue,
  readTypeName,
  sqlType,
  supports,
  toWire,
} from "./fields";
import { arrayText } from "./values";

const shape = (type: FieldShape["type"], more: Partial<FieldShape> = {}): FieldShape => ({
  ...bareShape(type),
  ...more,
});
const money = shape("Decimal", { precision: 10, scale: 2 });
const state = shape("Enum", { values: ["draft", "it's", "out"] });
const list = (items: FieldShape["items"], more: Partial<FieldShape> = {}) =>
  shape("Array", { items, ...more });

const range = (items: FieldShape["items"], more: Partial<FieldShape> = {}) =>
  shape("Range", { items, ...more });

const good: readonly (readonly [field: FieldShape, value: unknown, text: string | null])[] = [
  [shape("Integer"), 5, "5"],
  [shape("Integer"), "-2147483648", "-2147483648"],
  [shape("Integer"), 1e3, "1000"],
  [shape("Integer"), null, null],
  [shape("BigInt"), "9223372036854775807", "9223372036854775807"],
  [shape("BigInt"), "+007", "7"],
  [shape("BigInt"), 9007199254740991, "9007199254740991"],
  [shape("BigInt"), 12n, "12"],
  [shape("Decimal"), "123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"],
  [shape("Decimal"), 1e21, "1000000000000000000000"],
  [shape("Decimal"), 1.5e-7, "0.00000015"],
  [shape("Decimal"), "-.5", "-0.5"],
  [shape("Decimal"), "1.50", "1.50"],
  [money, 19.99, "19.99"],
  [money, "12345678.900", "12345678.900"],
  [shape("Double"), "1e300", "1e300"],
  [shape("Double"), 0.1, "0.1"],
  [shape("Float"), 3.5, "3.5"],
  [shape("String", { length: 2 }), "😀😀", "😀😀"],
  [shape("Text"), "", ""],
  [shape("Boolean"), "false", "false"],
  [shape("UUID"), "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  [shape("Date"), "2024-02-29", "2024-02-29"],
  [shape("DateTime"), "2026-11-20T09:13:51.123456+02:00", "2026-11-20T09:13:51.123456+02:00"],
  [shape("DateTime"), "2026-11-20T09:13:51", "2026-11-20T09:13:51Z"],
  [shape("DateTime"), "2026-11-20 09:13", "2026-11-20T09:13:00Z"],
  [shape("DateTime"), "20261120T091351Z", "2026-11-20T09:13:51Z"],
  [shape("DateTime"), "2026-11-20", "2026-11-20T00:00:00Z"],
  [shape("DateTime"), "2026-11-20T09:13:51-0330", "2026-11-20T09:13:51-03:30"],
  [shape("DateTime"), new Date(0), "1970-01-01T00:00:00.000Z"],
  [shape("Time"), "09:13", "09:13"],
  [shape("Time"), "23:59:59.999999", "23:59:59.999999"],
  [shape("JSON"), { a: [1, null, "x"] }, '{"a":[1,null,"x"]}'],
  [shape("JSONB"), "text", '"text"'],
  [state, "it's", "it's"],
  [list("Integer"), [1, null, "3"], '{"1",NULL,"3"}'],
  [list("String"), ['a"b', "c\\d", "", "null"], '{"a\\"b","c\\\\d","","null"}'],
  [list("Text"), [], "{}"],
  [shape("HTML"), "<b>é</b>", "<b>é</b>"],
  [shape("CiText"), "Ann", "Ann"],
  [shape("TOKEN"), "a-b_c", "a-b_c"],
  [shape("DateTime_NO_TZ"), "2026-11-20T09:13:51.5", "2026-11-20T09:13:51.5"],
  [shape("DateTime_NO_TZ"), "2026-11-20T09:13:51.123Z", "2026-11-20T09:13:51.123"],
  [shape("DateTime_NO_TZ"), new Date(0), "1970-01-01T00:00:00.000"],
  [shape("DateTime_NO_TZ"), "2026-11-20", "2026-11-20T00:00:00"],
  [shape("Time_NO_TZ"), "09:13", "09:13"],
  [range("Integer"), { lower: 1, upper: 5 }, '["1","5"]'],
  [range("Integer"), { lower: 1, upper: 5, upperInclusive: false }, '["1","5")'],
  [range("Integer"), { lower: null, upper: 5 }, '(,"5"]'],
  [range("Integer"), { lower: null, upper: null }, "(,)"],
  [range("Integer"), { upper: 5 }, '(,"5"]'],
  [range("Integer"), { lower: 3, upper: 3, lowerInclusive: false }, '("3","3"]'],
  [range("Integer"), { empty: true }, "empty"],
  [
    range("Integer"),
    { lower: null, upper: null, lowerInclusive: false, upperInclusive: false, empty: true },
    "empty",
  ],
  [range("Integer"), "[1,6)", '["1","6")'],
  [range("Integer"), "empty", "empty"],
  [range("Decimal"), { lower: "0.10", upper: 1e3 }, '["0.10","1000"]'],
  [range("DateTime"), '["2026-11-20 09:00:00+00",)', '["2026-11-20T09:00:00+00:00",)'],
  [
    range("DateTime"),
    { lower: "2026-11-20T10:00:00+02:00", upper: "2026-11-20T08:00:00Z" },
    '["2026-11-20T10:00:00+02:00","2026-11-20T08:00:00Z"]',
  ],
  [range("Time"), { lower: "09:00", upper: "09:00:00" }, '["09:00","09:00:00"]'],
];

const bad: readonly (readonly [field: FieldShape, value: unknown, message: string])[] = [
  [shape("Integer"), 1.5, "expected a whole number from -2147483648 to 2147483647, got 1.5"],
  [shape("Integer"), 2147483648, "expected a whole number from -2147483648 to 2147483647, got 2147483648"],
  [shape("Integer"), "12abc", "got '12abc'"],
  [shape("Integer"), "", "got an empty text"],
  [shape("Integer"), true, "got true"],
  [shape("Integer"), [1], "got a list of 1"],
  [shape("BigInt"), 9007199254740992, "as a string (a JSON number loses digits)"],
  [shape("BigInt"), "9223372036854775808", "to 9223372036854775807, got '9223372036854775808'"],
  [shape("Decimal"), "1,5", "expected a decimal number"],
  [shape("Decimal"), "NaN", "expected a decimal number"],
  [shape("Decimal"), ".", "expected a decimal number"],
  [shape("Decimal"), "1e9999", "at most 1000 digits"],
  [money, "19.999", "expected at most 2 decimal places, got '19.999'"],
  [money, 123456789, "expected at most 8 digits before the decimal point"],
  [shape("Double"), Number.NaN, "expected a number, got NaN"],
  [shape("Double"), "1e400", "a number that 64 bits can hold"],
  [shape("Real"), 1e39, "a number that 32 bits can hold"],
  [shape("Real"), "1e-60", "a number that 32 bits can hold"],
  [shape("String", { length: 2 }), "😀😀😀", "expected at most 2 characters, got 3"],
  [shape("String"), 5, "expected text, got 5"],
  [shape("Text"), "a\0b", "without NUL"],
  [shape("Text"), "a\ud800", "unpaired surrogates"],
  [shape("Boolean"), 1, "expected true or false, got 1"],
  [shape("UUID"), "x".repeat(500), `got '${"x".repeat(80)}…'`],
  [shape("Date"), "2026-02-30", "expected a date YYYY-MM-DD that exists"],
  [shape("Date"), "2023-02-29", "expected a date"],
  [shape("Date"), "2026-11-20T00:00:00Z", "expected a date"],
  [shape("Date"), "20261120", "expected a date"],
  [shape("Date"), "0000-01-01", "expected a date"],
  [shape("DateTime"), "yesterday", "expected an ISO 8601 date and time"],
  [shape("DateTime"), "2026-13-01T00:00:00Z", "expected an ISO 8601"],
  [shape("DateTime"), "2026-11-20T24:00:00Z", "expected an ISO 8601"],
  [shape("DateTime"), "2026-11-20T09:13:51+19:00", "offsets reach from -15:59"],
  [shape("DateTime"), 1700000000000, "expected an ISO 8601"],
  [shape("DateTime"), new Date(Number.NaN), "got a Date that is not valid"],
  [shape("Time"), "9:13", "expected a time"],
  [shape("Time"), "25:00", "expected a time"],
  [shape("Time"), "09:13:51+02:00", "expected a time"],
  [
    shape("JSON"),
    JSON.parse('{"a":[{"__proto__":1}]}'),
    "expected JSON at 'a.0' without the key '__proto__'",
  ],
  [shape("JSON"), { a: undefined, b: 1n }, "expected a JSON value at 'b', got 1"],
  [shape("JSON"), "a\0", "without NUL"],
  [state, "gone", "expected one of 'draft', 'it's', 'out', got 'gone'"],
  [list("Integer"), "1,2", "expected a list, got '1,2'"],
  [list("Integer"), [1, 2.5], "[1]: expected a whole number"],
  [shape("Text"), undefined, "expected text, got nothing"],
  [shape("DateTime_NO_TZ"), "2026-11-20T09:13:51+02:00", "date and time without an offset"],
  [shape("DateTime_NO_TZ"), "2026-11-20T09:13:51+00:00", "date and time without an offset"],
  [
    shape("DateTime_NO_TZ"),
    "now",
    "date and time without an offset, such as 2026-11-20T09:13:51.123, got 'now'",
  ],
  [range("Integer"), 5, "expected a range such as"],
  [range("Integer"), [1, 5], "expected a range such as"],
  [range("Integer"), {}, "expected a range such as"],
  [range("Integer"), "1-5", "expected a range such as"],
  [range("Integer"), "[1,2", "expected a range such as"],
  [range("Integer"), '["1","2\\","3"]', "expected a range such as"],
  [range("Integer"), { from: 1, to: 2 }, "expected only lower, upper, lowerInclusive, upperInclusive, empty"],
  [range("Integer"), JSON.parse('{"lower":1,"__proto__":{}}'), "expected only lower, upper"],
  [range("Integer"), { lower: 1, upperInclusive: 1 }, "expected true or false as upperInclusive, got 1"],
  [range("Integer"), { lower: "x", upper: 1 }, "lower: expected a whole number"],
  [range("Integer"), { lower: 5, upper: 1 }, "Lower bound (5) cannot be greater than upper bound (1)"],
  [range("BigInt"), { lower: "9223372036854775807", upper: "9223372036854775806" }, "Lower bound (9"],
  [range("Decimal"), { lower: "0.2", upper: "0.19" }, "Lower bound (0.2)"],
  [range("Date"), { lower: "2026-11-21", upper: "2026-11-20" }, "Lower bound (2026-11-21)"],
  [
    range("DateTime"),
    { lower: "2026-11-20T08:00:00.000001Z", upper: "2026-11-20T10:00:00+02:00" },
    "Lower bound (2026-11-20T08:00:00.000001Z)",
  ],
  [range("Time"), { lower: "09:00:00.000001", upper: "09:00" }, "Lower bound (09:00:00.000001)"],
];

describe("reading", () => {
  for (const [field, value, text] of good) {
    test(`${field.type} reads ${Bun.inspect(value)}`, () => expect(parseValue(value, field)).toBe(text));
  }
  for (const [field, value, message] of bad) {
    test(`${field.type} refuses ${Bun.inspect(value).slice(0, 60)}`, () => {
      const error = caught(() => parseValue(value, field));
      expect(error.code).toBe("INVALID_VALUE");
      expect(error.message).toContain(message);
      expect(caught(() => toWire(value, field)).message).toBe(error.message);
    });
  }
  test("a place stands before the message", () => {
    expect(caught(() => parseValue("x", shape("Integer"), "filter.age.gt")).message).toStartWith(
      "filter.age.gt: expected a whole number",
    );
    expect(caught(() => parseValue(["x"], list("Integer"), "tags")).message).toStartWith("tags[0]: expected");
  });
});

test("type names are read in any letter case, with their aliases", () => {
  expect(readTypeName("ENUM")).toEqual({ type: "Enum", items: null });
  expect(readTypeName("Array_String")).toEqual({ type: "Array", items: "String" });
  expect(readTypeName("HTML")).toEqual({ type: "HTML", items: null });
  expect(readTypeName("range_datetime_no_tz")).toEqual({ type: "Range", items: "DateTime_NO_TZ" });
  expect(readTypeName("range_uuid")).toBeNull();
  expect(readTypeName("array_json")).toBeNull();
  expect(readTypeName("constructor")).toBeNull();
  expect(fieldTypeNames).toHaveLength(34);
});

test("what a type shows to the outside", () => {
  const said = { allowNull: true, description: null };
  expect(jsonSchema({ ...state, ...said })).toEqual({
    type: ["string", "null"],
    enum: ["draft", "it's", "out", null],
  });
  expect(jsonSchema({ ...list("BigInt"), allowNull: false, description: "ids" })).toEqual({
    type: "array",
    items: { type: "string", format: "int64", pattern: "^-?[0-9]+$" },
    description: "ids",
  });
  expect(jsonSchema({ ...shape("Point"), ...said })).toEqual({
    type: ["object", "null"],
    required: ["type", "coordinates"],
    properties: { type: { type: "string", enum: ["Point"] }, coordinates: { type: "array" } },
  });
  expect(jsonSchema({ ...range("BigInt"), ...said })).toMatchObject({
    type: ["object", "null"],
    properties: { lower: { type: ["string", "null"], format: "int64" }, upperInclusive: { default: true } },
  });
  expect(sqlType(shape("Polygon", { srid: 3857 }))).toBe("geometry(Polygon,3857)");
  expect(sqlType(shape("Geography"))).toBe("geography(Geometry,4326)");
  expect(supports(shape("Boolean"), "order")).toBe(false);
  expect(supports(shape("JSON"), "any")).toBe(true);
  expect(castType(money)).toBe("numeric");
  expect(sqlType(list("Decimal", { precision: 10, scale: 2 }))).toBe("numeric(10,2)[]");
});

function caught(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

function closed<Bound>(lower: Bound, upper: Bound) {
  return { lower, upper, lowerInclusive: true, upperInclusive: true };
}

function open<Bound>(lower: Bound, upper: Bound) {
  return { lower, upper, lowerInclusive: false, upperInclusive: false };
}

const trips: readonly (readonly [field: FieldShape, value: unknown, answer?: unknown])[] = [
  [shape("UUID"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  [shape("SUID"), "b2x-_9"],
  [shape("String", { length: 5 }), "häß 😀"],
  [shape("Text"), "line\n\"quoted\" \\ 'single' {a,b} NULL"],
  [shape("Text"), ""],
  [shape("Integer"), -2147483648],
  [shape("BigInt"), "9223372036854775807"],
  [shape("BigInt"), "-9223372036854775808"],
  [shape("Boolean"), false],
  [shape("DateTime"), "2026-11-20T11:13:51.123456+02:00", "2026-11-20T09:13:51.123456+00:00"],
  [shape("DateTime"), "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"],
  [shape("Date"), "2026-03-29"],
  [shape("Time"), "23:59:59.999999"],
  [shape("Decimal"), "123456789012345678901234567890.123456789"],
  [money, "12345678.90"],
  [money, 0.1, "0.10"],
  [shape("Double"), 0.1],
  [shape("Double"), "1e300", 1e300],
  [shape("Float"), 0.1],
  [shape("Real"), -3.4e38],
  [shape("JSON"), { a: [1, "2", null, { b: true }], "": 0 }],
  [shape("JSONB"), 'a "string"'],
  [shape("JSONB"), 12.5],
  [shape("JSONB"), false],
  [shape("JSONB"), []],
  [shape("JSONB"), null],
  [state, "it's"],
  [list("Integer"), [1, null, 3]],
  [list("BigInt"), ["9223372036854775807", null]],
  [list("Decimal"), ["0.10"]],
  [list("String"), ['a"b', "c\\d", "", "NULL", null, "{x,y}"]],
  [list("UUID"), []],
  [list("Boolean"), [true, false]],
  [list("DateTime"), ["2026-11-20T09:13:51Z"], ["2026-11-20T09:13:51+00:00"]],
  [list("Enum", { values: ["a"] }), ["a"]],
  [list("Text"), null],
  [shape("HTML"), "<p title='x'>\"</p>"],
  [shape("CiText"), "ÄbC"],
  [shape("TOKEN"), "a-b_c"],
  [shape("DateTime_NO_TZ"), "2026-11-20T09:13:51.123456"],
  [shape("DateTime_NO_TZ"), "0001-01-01T00:00:00Z", "0001-01-01T00:00:00"],
  [shape("Time_NO_TZ"), "00:00", "00:00:00"],
  [shape("VIRTUAL"), "text"],
  [list("CiText"), ["a", "A", null]],
  [list("Double"), [0.1, 1e300]],
  [list("Date"), ["2026-11-20", null]],
  [list("DateTime_NO_TZ"), ["2026-11-20T09:13:51"]],
  [list("Time"), ["09:13:00"]],
  [list("Time_NO_TZ"), ["09:13:00.5"]],
  [range("Integer"), closed(1, 5)],
  [range("Integer"), { lower: 1, upper: 6, upperInclusive: false }, closed(1, 5)],
  [range("Integer"), { lower: 0, upper: 5, lowerInclusive: false }, closed(1, 5)],
  [range("Integer"), closed(-2147483648, 2147483646)],
  [range("Integer"), { lower: null, upper: 5 }, { ...closed(null, 5), lowerInclusive: false }],
  [range("Integer"), { lower: 5 }, { ...closed(5, null), upperInclusive: false }],
  [range("Integer"), { lower: null, upper: null }, open(null, null)],
  [range("Integer"), { empty: true }, { ...open(null, null), empty: true }],
  [range("Integer"), { lower: 5, upper: 5, lowerInclusive: false }, { ...open(null, null), empty: true }],
  [range("Integer"), null],
  [range("BigInt"), closed("-9223372036854775808", "9223372036854775806")],
  [range("Decimal"), closed("0.10", "123456789012345678901234567890.5")],
  [range("Decimal"), open("1", "1.5")],
  [range("Double"), closed(0.1, 1e300)],
  [range("Double"), { ...closed(-5e-324, 2), upperInclusive: false }],
  [range("Date"), closed("2026-02-28", "2026-03-01")],
  [
    range("Date"),
    { lower: "2026-02-28", upper: "2026-03-01", upperInclusive: false },
    closed("2026-02-28", "2026-02-28"),
  ],
  [
    range("DateTime"),
    open("2026-11-20T11:00:00.000001+02:00", "2026-11-21T00:00:00Z"),
    open("2026-11-20T09:00:00.000001+00:00", "2026-11-21T00:00:00+00:00"),
  ],
  [range("DateTime_NO_TZ"), closed("2026-11-20T09:00:00", "2026-11-20T10:00:00.5")],
  [range("Time"), { ...closed("09:00:00", "17:30:00"), upperInclusive: false }],
  [range("Time_NO_TZ"), closed("00:00:00", "23:59:59.999999")],
];

describe("through PostgreSQL", () => {
  let database: Database;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const made = await testDatabase();
    drop = made.drop;
    await outsider(
      made.address,
      "create extension citext",
      "create type baasix_timerange as range (subtype = time)",
    );
    database = await openDatabase(made.address, { shortPool: 1, slowPool: 1 });
  });
  afterAll(async () => {
    await database.close();
    await drop();
  });

  for (const [field, value, answer = value] of trips) {
    const type = sqlType(field);
    test(`${type} keeps ${Bun.inspect(value)}`, async () => {
      const record = JSON.stringify([{ v: toWire(value, field) }]);
      const [row] = await database.run({
        text:
          `select json_build_object('v', ${jsonExpression("r.v", field)})::text, r.v is null, ` +
          `r.v is not distinct from $2::text::${castType(field)} ` +
          `from json_to_recordset($1::text::json) as r(v ${type})`,
        params: [record, parseValue(value, field)],
      });
      expect(JSON.parse(String(row?.[0])).v).toEqual(answer);
      expect(row?.[1]).toBe(value === null);
      expect(row?.[2]).toBe(true);
      if (!isOneText(field)) return;
      const [listed] = await database.run({
        text:
          `select json_build_object('v', ${jsonExpression("r.v", field)})::text, r.v is null ` +
          `from (select c.v::${type} as v from unnest($1::${castType(field)}[]) as c(v)) r`,
        params: [arrayText([toWire(value, field) as string | null])],
      });
      expect(listed).toEqual(row?.slice(0, 2));
    });
  }
});
