/** Every operator, on every type that it works on, run on PostgreSQL: direct, below NOT, and through relations. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FieldDefinition, SchemaRecord } from "@baasix/types";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { operators, operatorTable, worksOn } from "../../core/query/operators";
import { bareShape, fieldTypeNames } from "../../core/schema/fields";
import { testApp, type TestApp } from "../../testing/app";

const actor = system("tests of operators");

/** A column, with the values of rows 1 to 3 in ascending order; row 4 has none. */
type Ordered = readonly [name: string, field: FieldDefinition, values: readonly [unknown, unknown, unknown]];

const texts = ["Alpha_1%", "beta\\2 mid", "gamma x"] as const;
const moments = ["2026-01-01T10:00:00", "2026-06-15T12:30:00.5", "2027-01-01T00:00:00"] as const;
const uuid = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`;
const range = (...bounds: readonly unknown[]) => {
  const one = (lower: unknown, upper: unknown) => ({
    lower,
    upper,
    upperInclusive: false,
  });
  return [one(bounds[0], bounds[1]), one(bounds[1], bounds[2]), one(bounds[2], bounds[3])] as const;
};

const textColumns: readonly Ordered[] = [
  ["string", { type: "String" }, texts],
  ["short", { type: "String", values: { length: 20 } }, texts],
  ["text", { type: "Text" }, texts],
  ["html", { type: "HTML" }, texts],
  ["token", { type: "TOKEN" }, texts],
  ["suid", { type: "SUID" }, texts],
  ["state", { type: "Enum", values: [...texts] }, texts],
];
const plainColumns: readonly Ordered[] = [
  ["uuid", { type: "UUID" }, [uuid(1), uuid(2), uuid(3)]],
  ["whole", { type: "Integer" }, [-5, 0, 7]],
  ["big", { type: "BigInt" }, ["-9007199254740993", 5, "9007199254740993"]],
  ["exact", { type: "Decimal", values: { precision: 10, scale: 2 } }, ["-1.50", 2, "19.99"]],
  ["double", { type: "Double" }, [-0.1, 0.25, 1e10]],
  ["float", { type: "Float" }, [-0.5, 0.25, 100]],
  ["real", { type: "Real" }, [-0.5, 0.25, 100]],
  ["moment", { type: "DateTime" }, [`${moments[0]}Z`, `${moments[1]}+02:00`, `${moments[2]}Z`]],
  ["wall", { type: "DateTime_NO_TZ" }, moments],
  ["day", { type: "Date" }, ["2026-01-01", "2026-06-15", "2027-01-01"]],
  ["time", { type: "Time" }, ["08:00:00", "12:30:00.5", "23:59:59"]],
  ["clock", { type: "Time_NO_TZ" }, ["08:00:00", "12:30:00.5", "23:59:59"]],
];
const rangeColumns: readonly Ordered[] = [
  ["wholes", { type: "Range_Integer" }, range(0, 10, 20, 30)],
  ["bigs", { type: "Range_BigInt" }, range(0, "10", 20, 30)],
  ["exacts", { type: "Range_Decimal" }, range(0, "1.5", "2.5", 9)],
  ["doubles", { type: "Range_Double" }, range(0, 1.5, 2.5, 9)],
  ["days", { type: "Range_Date" }, range("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01")],
  [
    "moments",
    { type: "Range_DateTime" },
    range(...["01", "02", "03", "04"].map((m) => `2026-${m}-01T00:00:00Z`)),
  ],
  [
    "walls",
    { type: "Range_DateTime_NO_TZ" },
    range(...["01", "02", "03", "04"].map((m) => `2026-${m}-01T00:00:00`)),
  ],
  ["times", { type: "Range_Time" }, range("08:00", "09:00", "10:00", "11:00")],
  ["clocks", { type: "Range_Time_NO_TZ" }, range("08:00", "09:00", "10:00", "11:00")],
];
const orderedColumns = [...textColumns, ...plainColumns, ...rangeColumns];

/** Lists: row 1 has the first item, row 2 the first two, row 3 an empty list; row 4 none. */
const listColumns: readonly (readonly [string, FieldDefinition, readonly [unknown, unknown, unknown]])[] = [
  ["strings", { type: "Array_String" }, ["a", 'b "q" {,}', "c\\d"]],
  ["shorts", { type: "Array", values: { type: "String", length: 20 } }, ["a", "b", "c"]],
  ["integers", { type: "Array_Integer" }, [1, 2, 3]],
  ["bigints", { type: "Array_BigInt" }, ["9007199254740993", 2, 3]],
  ["decimals", { type: "Array_Decimal" }, ["1.5", 2, 3]],
  ["reals", { type: "Array_Double" }, [1.5, 2, 3]],
  ["flags", { type: "Array_Boolean" }, [true, false, false]],
  ["uuids", { type: "Array_UUID" }, [uuid(1), uuid(2), uuid(3)]],
  ["dates", { type: "Array_Date" }, ["2026-01-01", "2026-01-02", "2026-01-03"]],
  ["instants", { type: "Array_DateTime" }, moments.map((at) => `${at}Z`) as [string, string, string]],
  ["hours", { type: "Array_Time" }, ["08:00", "09:00", "10:00"]],
];

const documents = [
  {
    name: "Ann",
    age: 30,
    ok: true,
    tags: ["a", "b"],
    deep: { list: [{ n: 1 }, { n: 2 }], when: "2026-05-01" },
    none: null,
  },
  { name: "bob", age: 4.5, ok: false, tags: ["b"], deep: { list: [], when: "2026-01-01" }, "odd\"'key": 1 },
  { name: "5", age: "30", tags: "a" },
];

const columns: Record<string, FieldDefinition> = {
  id: { type: "Integer", primaryKey: true },
  box_Id: { type: "Integer", SystemGenerated: true },
  box: { relType: "BelongsTo", target: "boxes", foreignKey: "box_Id" },
  flag: { type: "Boolean" },
  data: { type: "JSONB" },
  json: { type: "JSON" },
  made: { type: "VIRTUAL", calculated: "string || '!'" },
  ...Object.fromEntries(orderedColumns.map(([name, field]) => [name, field])),
  // What `$COL` compares with: the value of row 2 in each row.
  ...Object.fromEntries(orderedColumns.map(([name, field]) => [`${name}2`, field])),
  ...Object.fromEntries(listColumns.map(([name, field]) => [name, field])),
};

const collections: readonly SchemaRecord[] = [
  {
    collectionName: "boxes",
    schema: {
      name: "Box",
      timestamps: false,
      fields: {
        id: { type: "Integer", primaryKey: true },
        things: { relType: "HasMany", target: "things", foreignKey: "box_Id" },
      },
    },
  },
  { collectionName: "things", schema: { name: "Thing", timestamps: false, fields: columns } },
  {
    collectionName: "links",
    schema: {
      name: "Link",
      timestamps: false,
      fields: {
        id: { type: "Integer", primaryKey: true },
        thing_Id: { type: "Integer", SystemGenerated: true },
        thing: { relType: "BelongsTo", target: "things", foreignKey: "thing_Id" },
      },
    },
  },
];

function rowOf(n: 1 | 2 | 3): Record<string, unknown> {
  const row: Record<string, unknown> = { id: n, box_Id: n === 3 ? 2 : 1 };
  for (const [name, , values] of orderedColumns) {
    row[name] = values[n - 1];
    row[`${name}2`] = values[1];
  }
  for (const [name, , items] of listColumns) row[name] = n === 3 ? [] : items.slice(0, n);
  row.flag = n === 1 ? true : n === 2 ? false : null;
  row.data = row.json = documents[n - 1];
  return row;
}

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
  await app.snapshot.changeSchema(() => ({ put: [...collections], remove: [] }));
  await app.data.create(actor, "boxes", [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }]);
  await app.data.create(actor, "things", [rowOf(1), rowOf(2), rowOf(3), { id: 4, box_Id: 3 }]);
  // Link n leads to thing n; link 5 to none.
  const links = [1, 2, 3, 4, null].map((thing_Id, i) => ({ id: i + 1, thing_Id }));
  await app.data.create(actor, "links", links);
});
afterAll(() => app.close());

async function ids(collection: string, filter: unknown): Promise<readonly number[]> {
  const rows = await app.data.find<{ id: number }>(actor, collection, { filter, fields: "id", sort: "id" });
  return rows.map(({ id }) => id);
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "accepted";
}

/** A condition on a column, the rows that meet it, and those where it is unknown (default: row 4, unless it is met). */
type Case = readonly [
  column: string,
  condition: unknown,
  rows: readonly number[],
  unknown?: readonly number[],
];

function orderedCases([name, field, [low, middle, high]]: Ordered): readonly Case[] {
  const other = `$COL(${name}2)`;
  const isText = typeof low === "string" && texts.includes(low as (typeof texts)[0]);
  const cases: Case[] = [
    [name, middle === null || typeof middle === "object" ? { eq: middle } : middle, [2]],
    [name, { eq: middle }, [2]],
    [name, { ne: middle }, [1, 3]],
    [name, { neq: low }, [2, 3]],
    [name, { not: high }, [1, 2]],
    [name, { gt: middle }, [3]],
    [name, { gte: middle }, [2, 3]],
    [name, { lt: middle }, [1]],
    [name, { lte: middle }, [1, 2]],
    [name, { gt: low, lt: high }, [2]],
    [name, { in: [low, high] }, [1, 3]],
    [name, { in: [] }, [], []],
    [name, { notIn: [low] }, [2, 3]],
    [name, { nin: [] }, [1, 2, 3, 4], []],
    [name, { between: [low, middle] }, [1, 2]],
    [name, { notBetween: [low, middle] }, [3]],
    [name, { eq: other }, [2]],
    [name, { ne: other }, [1, 3]],
    [name, { gt: other }, [3]],
    [name, { gte: other }, [2, 3]],
    [name, { lt: other }, [1]],
    [name, { lte: `$COL(things.${name}2)` }, [1, 2]],
    ...nullCases(name),
  ];
  if (!isText) return cases;
  const patterns =
    field.type === "Enum" || name === "short" || name === "string"
      ? textCases(name)
      : textCases(name).slice(0, 14);
  return [...cases, ...patterns];
}

function nullCases(name: string): readonly Case[] {
  return [
    [name, null, [4], []],
    [name, { eq: null }, [4], []],
    [name, { ne: null }, [1, 2, 3], []],
    [name, { is: null }, [4], []],
    [name, { isNull: true }, [4], []],
    [name, { isNull: "false" }, [1, 2, 3], []],
    [name, { isNotNull: "true" }, [1, 2, 3], []],
    [name, { notNull: false }, [4], []],
  ];
}

function textCases(name: string): readonly Case[] {
  return [
    [name, { like: "mid" }, [2]],
    [name, { notLike: "Alpha" }, [2, 3]],
    [name, { ilike: "ALPHA" }, [1]],
    [name, { iLike: "%X" }, [3]],
    [name, { notILike: "alpha%" }, [2, 3]],
    [name, { contains: "_1%" }, [1]],
    [name, { startsWith: "ALPHA_" }, [1]],
    [name, { endsWith: " X" }, [3]],
    [name, { startsWiths: "Alpha" }, [1]],
    [name, { endsWiths: "1%" }, [1]],
    [name, { nstartsWith: "alpha" }, [2, 3]],
    [name, { nendsWith: "X" }, [1, 2]],
    [name, { nstartsWiths: "alpha" }, [1, 2, 3]],
    [name, { nendsWiths: "x" }, [1, 2]],
    [name, { like: "mi_" }, [2]],
    [name, { like: "Alpha%" }, [1]],
    [name, { like: "%a" }, []],
    [name, { like: "alpha" }, []],
    [name, { like: "\\" }, [2]],
    [name, { like: "a\\%" }, []],
    [name, { notIlike: "%" }, []],
    [name, { contains: "\\2" }, [2]],
    [name, { contains: "" }, [1, 2, 3]],
    [name, { contains: 1 }, [1]],
    [name, { startsWith: "%" }, []],
    [name, { startsWiths: "alpha" }, []],
    [name, { endsWiths: "X" }, []],
    [name, { like: "' or true --" }, []],
  ];
}

const booleanCases: readonly Case[] = [
  ["flag", true, [1], [3, 4]],
  ["flag", { eq: "false" }, [2], [3, 4]],
  ["flag", { ne: true }, [2], [3, 4]],
  ["flag", { in: [true, false] }, [1, 2], [3, 4]],
  ["flag", { notIn: [true] }, [2], [3, 4]],
  ["flag", { is: true }, [1], []],
  ["flag", { is: "false" }, [2], []],
  ["flag", { is: null }, [3, 4], []],
  ["flag", { isNull: true }, [3, 4], []],
  ["flag", { isNotNull: true }, [1, 2], []],
];

function listCases([name, , [first, second, third]]: (typeof listColumns)[number]): readonly Case[] {
  return [
    [name, [first], [1]],
    [name, { eq: [first, second] }, [2]],
    [name, { ne: [first] }, [2, 3]],
    [name, { eq: [] }, [3]],
    [name, { arraycontains: [second] }, [2]],
    [name, { arraycontains: first }, [1, 2]],
    [name, { arrayContains: [] }, [1, 2, 3]],
    [name, { contains: [first, second] }, [2]],
    [name, { arraycontained: [first, second] }, [1, 2, 3]],
    [name, { arraycontained: first }, [1, 3]],
    [name, { arrayContained: [] }, [3]],
    [name, { arrayoverlaps: [second, third] }, [2]],
    [name, { arrayOverlaps: [] }, []],
    ...nullCases(name),
  ];
}

function rangeCases([name, , [low, middle, high]]: Ordered): readonly Case[] {
  const bounds = middle as { lower: unknown; upper: unknown };
  const whole = { lower: (low as typeof bounds).lower, upper: bounds.upper, upperInclusive: false };
  return [
    [name, { rangeContains: bounds.lower }, [2]],
    [name, { contains: bounds.lower }, [2]],
    [name, { rangeContains: middle }, [2]],
    [name, { rangeContainedBy: whole }, [1, 2]],
    [name, { rangeOverlaps: whole }, [1, 2]],
    [name, { rangeOverlaps: { lower: bounds.upper } }, [3]],
    [name, { rangeBefore: middle }, [1]],
    [name, { rangeAfter: middle }, [3]],
    [name, { rangeAdjacent: middle }, [1, 3]],
    [name, { rangeContains: high }, [3]],
  ];
}

function documentCases(name: string): readonly Case[] {
  const unknown = (rows: readonly number[], unknown: readonly number[]) => [rows, unknown] as const;
  return [
    [name, { eq: documents[2] }, [3]],
    [name, { ne: documents[2] }, [1, 2]],
    [name, { jsonbContains: { ok: true } }, [1]],
    [name, { jsonbContains: { tags: ["b"] } }, [1, 2]],
    [name, { contains: { deep: { list: [{ n: 2 }] } } }, [1]],
    [name, { jsonbContainedBy: { name: "5", age: "30", tags: "a", more: 1 } }, [3]],
    [name, { jsonbNotContains: { ok: true } }, [2, 3]],
    [name, { jsonbHasKey: "ok" }, [1, 2]],
    [name, { jsonbHasKey: "odd\"'key" }, [2]],
    [name, { jsonbHasAnyKeys: ["none", "odd\"'key"] }, [1, 2]],
    [name, { jsonbHasAnyKeys: "none" }, [1]],
    [name, { jsonbHasAnyKeys: [] }, []],
    [name, { jsonbHasAllKeys: ["ok", "deep"] }, [1, 2]],
    [name, { jsonbHasAllKeys: [] }, [1, 2, 3]],
    [name, { jsonbKeyEquals: { key: "name", value: "Ann" } }, [1]],
    [name, { jsonbKeyEquals: { key: "age", value: 30 } }, [1]],
    [name, { jsonbKeyEquals: { key: "age", value: "30" } }, [1, 3]],
    [name, { jsonbKeyEquals: { key: "age", value: 4.5 } }, [2]],
    [name, { jsonbKeyEquals: { key: "ok", value: false } }, ...unknown([2], [3, 4])],
    [name, { jsonbKeyEquals: { key: "none", value: null } }, [1, 2, 3, 4], []],
    [name, { jsonbKeyEquals: { key: "odd\"'key", value: 1 } }, ...unknown([2], [1, 3, 4])],
    [name, { jsonbKeyNotEquals: { key: "name", value: "Ann" } }, [2, 3, 4], []],
    [name, { jsonbKeyNotEquals: { key: "ok", value: true } }, [2, 3, 4], []],
    [name, { jsonbKeyNotEquals: { key: "ok", value: null } }, [1, 2], []],
    [name, { jsonbKeyGt: { key: "age", value: 4.5 } }, ...unknown([1], [3, 4])],
    [name, { jsonbKeyGte: { key: "age", value: "4.5" } }, ...unknown([1, 2], [3, 4])],
    [name, { jsonbKeyLt: { key: "age", value: 30 } }, ...unknown([2], [3, 4])],
    [name, { jsonbKeyLte: { key: "age", value: 30 } }, ...unknown([1, 2], [3, 4])],
    [name, { jsonbKeyGt: { key: "name", value: "B" } }, [2]],
    [name, { jsonbKeyIn: { key: "name", values: ["Ann", "bob"] } }, [1, 2]],
    [name, { jsonbKeyIn: { key: "age", values: [30, 4.5] } }, [1, 2]],
    [name, { jsonbKeyIn: { key: "ok", values: [true, null] } }, [1, 3, 4], []],
    [name, { jsonbKeyIn: { key: "name", values: [] } }, [], []],
    [name, { jsonbKeyNotIn: { key: "name", values: ["Ann"] } }, [2, 3]],
    [name, { jsonbKeyNotIn: { key: "age", values: [30] } }, [2, 3]],
    [name, { jsonbKeyNotIn: { key: "name", values: [] } }, [1, 2, 3, 4], []],
    [name, { jsonbKeyLike: { key: "name", pattern: "an%" } }, [1]],
    [name, { jsonbKeyLike: { key: "name", pattern: "nn" } }, []],
    [name, { jsonbKeyIsNull: "none" }, [1, 2, 3, 4], []],
    [name, { jsonbKeyIsNotNull: "ok" }, [1, 2], []],
    [name, { jsonbPathExists: "$.deep.list[*] ? (@.n > 1)" }, [1]],
    [name, { jsonbPathExists: { path: "$.deep.list[*] ? (@.n == $n)", vars: { n: 1 } } }, [1]],
    [name, { jsonbPathMatch: "$.age == 30" }, ...unknown([1], [3, 4])],
    [name, { jsonbPathMatch: { path: "$.name == $who", vars: { who: "bob" } } }, [2]],
    [name, { jsonbArrayLength: { path: "tags", op: "gte", value: 2 } }, ...unknown([1], [3, 4])],
    [name, { jsonbArrayLength: { path: "tags", op: "eq", value: "1" } }, ...unknown([2], [3, 4])],
    [name, { jsonbArrayLength: { op: "eq", value: 0 } }, ...unknown([], [1, 2, 3, 4])],
    [name, { jsonbTypeOf: { path: "tags", type: "array" } }, [1, 2]],
    [name, { jsonbTypeOf: { path: "none", type: "null" } }, ...unknown([1], [2, 3, 4])],
    [name, { jsonbTypeOf: { type: "object" } }, [1, 2, 3]],
    [name, { jsonbTypeOf: "array" }, []],
    [name, { jsonbDeepValue: { path: ["deep", "list", 0, "n"], value: 1 } }, ...unknown([1], [2, 3, 4])],
    [
      name,
      { jsonbDeepValue: { path: ["deep", "list", "1", "n"], value: 1, op: "gt" } },
      ...unknown([1], [2, 3, 4]),
    ],
    [
      name,
      { jsonbDeepValue: { path: ["deep", "when"], value: "2026-02-01", op: "lt" } },
      ...unknown([2], [3, 4]),
    ],
    [name, { jsonbDeepValue: { path: ["deep", "when"], value: "05", op: "like" } }, ...unknown([1], [3, 4])],
    [name, { jsonbDeepValue: { path: ["name"], value: "B%", op: "ilike" } }, [2]],
    [name, { jsonbDeepValue: { path: ["deep"], value: null } }, [3, 4], []],
    [name, { jsonbDeepValue: { path: ["deep"], value: null, op: "ne" } }, [1, 2], []],
    [name, { jsonbDeepValue: { path: ["ok"], value: true, op: "ne" } }, [2, 3, 4], []],
    ...nullCases(name),
  ];
}

/** Columns read as another type. What cannot be read is null. */
const castCases: readonly Case[] = [
  ["whole", { cast: "text", startsWith: "-" }, [1]],
  ["whole", { cast: "VARCHAR", like: "7" }, [3]],
  ["string", { cast: "char", eq: "b" }, [2]],
  ["double", { cast: "integer", eq: 0 }, [1, 2], [3, 4]],
  ["exact", { cast: "int", eq: 2 }, [2]],
  ["big", { cast: "int", gte: 0 }, [2], [1, 3, 4]],
  ["big", { cast: "bigint", gt: 5 }, [3]],
  ["whole", { cast: "smallint", lt: 0 }, [1]],
  ["double", { cast: "numeric", eq: "0.25" }, [2]],
  ["text", { cast: "decimal", gt: 0 }, [], [1, 2, 3, 4]],
  ["whole", { cast: "real", gt: 0.5 }, [3]],
  ["whole", { cast: "double  precision", gt: 0.5 }, [3]],
  ["exact", { cast: "float", lt: 0 }, [1]],
  ["whole", { cast: "boolean", eq: true }, [1, 3]],
  ["flag", { cast: "int", eq: 1 }, [1], [3, 4]],
  ["flag", { cast: "bool", is: true }, [1], []],
  ["moment", { cast: "date", eq: "2026-06-15" }, [2]],
  ["moment", { cast: "time", gt: "10:29" }, [2]],
  ["moment", { cast: "timetz", lt: "00:01" }, [3]],
  ["moment", { cast: "timestamp", lt: "2026-06-15T10:30:00" }, [1]],
  ["day", { cast: "timestamptz", gt: "2026-06-15T00:00:00Z" }, [3]],
  ["day", { cast: "time", eq: "00:00" }, [1, 2, 3]],
  ["wall", { cast: "date", in: ["2027-01-01"] }, [3]],
  ["uuid", { cast: "text", endsWith: "2" }, [2]],
  ["string", { cast: "uuid", isNull: true }, [1, 2, 3, 4], []],
  ["string", { cast: "jsonb", isNotNull: true }, [], []],
  ["whole", { cast: "json", jsonbTypeOf: "number" }, [1, 2, 3]],
  ["data", { cast: "text", contains: "Ann" }, [1]],
  ["data", { cast: "integer", isNull: true }, [1, 2, 3, 4], []],
  ["integers", { cast: "text[]", arraycontains: "2" }, [2]],
  ["strings", { cast: "varchar[]", arraycontains: ["a"] }, [1, 2]],
  ["bigints", { cast: "integer[]", arraycontained: [] }, [3], [1, 2, 4]],
  ["integers", { cast: "bigint[]", arraycontains: "1" }, [1, 2]],
  ["uuids", { cast: "uuid[]", arrayoverlaps: uuid(2) }, [2]],
  ["wholes", { cast: "text", eq: "[0,10)" }, [1]],
  ["moment", { cast: "date", eq: "$COL(day)" }, [1, 2, 3]],
  ["day", { eq: "$COL(moment::date)" }, [1, 2, 3]],
  ["time", { lt: "$COL(clock::time)" }, []],
  ["whole", { lt: "$COL(double)" }, [1, 2, 3]],
  ["day", { lt: "$COL(moment)" }, [1, 2]],
  ["whole", { cast: "text", eq: "$COL(exact::text)" }, []],
];

const cases: readonly Case[] = [
  ...orderedColumns.flatMap(orderedCases),
  ...rangeColumns.flatMap(rangeCases),
  ...booleanCases,
  ...listColumns.flatMap(listCases),
  ...documentCases("data"),
  ...documentCases("json"),
  ...castCases,
  ["made", { endsWith: "!" }, [1, 2, 3]],
  ["made", { gt: "b" }, [2, 3]],
];

describe("direct", () => {
  test.each(cases.map(([column, condition, rows]) => [column, condition, rows] as const))(
    "%s %j",
    async (column, condition, rows) => {
      expect(await ids("things", { [column]: condition })).toEqual([...rows]);
    },
  );
});

/** One column of each class: the way of a condition does not depend on its type. */
const representatives = new Set(["string", "whole", "moment", "flag", "strings", "days", "data"]);

const unknownRows = ([, , rows, unknown]: Case): readonly number[] =>
  unknown ?? (rows.includes(4) ? [] : [4]);

describe("below NOT and through relations", () => {
  const some = [...cases.filter(([column]) => representatives.has(column)), ...castCases];
  test.each(some.map((one) => [one[0], one[1], one] as const))("%s %j", async (column, condition, one) => {
    const [, , rows] = one;
    const unknown = unknownRows(one);
    const not = [1, 2, 3, 4].filter((id) => !rows.includes(id) && !unknown.includes(id));
    expect(await ids("things", { NOT: { [column]: condition } })).toEqual(not);
    expect(await ids("things", { NOT: { NOT: { [column]: condition } } })).toEqual([...rows]);
    // To-one: the columns of a missing row are null, as those of row 4 are.
    const path = { [`thing.${column}`]: moved(condition, "thing.") };
    const linked = (things: readonly number[]) => (things.includes(4) ? [...things, 5] : things);
    expect(await ids("links", path)).toEqual([...linked(rows)]);
    expect(await ids("links", { NOT: path })).toEqual([...linked(not)]);
    // To-many: some related row; box 1 has things 1 and 2, box 2 thing 3, box 3 thing 4, box 4 none.
    const boxOf: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 3 };
    const boxes = [...new Set(rows.map((id) => boxOf[id] ?? 0))].sort();
    const list = { things: { [column]: moved(condition, "things.") } };
    expect(await ids("boxes", list)).toEqual(boxes);
    expect(await ids("boxes", { NOT: list })).toEqual([1, 2, 3, 4].filter((id) => !boxes.includes(id)));
  });
});

/** `$COL` names begin at the collection that the filter is about. */
function moved(condition: unknown, prefix: string): unknown {
  const text = JSON.stringify(condition);
  return JSON.parse(text.replaceAll("$COL(things.", "$COL(").replaceAll("$COL(", `$COL(${prefix}`));
}

test("each operator is tried on each type that it works on", () => {
  const fields = new Map(Object.entries(columns));
  const tried = new Set(
    cases.flatMap(([column, condition]) => {
      const names =
        typeof condition === "object" && condition !== null && !Array.isArray(condition)
          ? Object.keys(condition)
          : ["eq"];
      if (names.includes("cast")) return [];
      return names.map(
        (name) => `${operators.get(name)?.name} ${String(fields.get(column)?.type).split("_")[0]}`,
      );
    }),
  );
  const untested = [
    "CiText",
    "Geometry",
    "Geography",
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
    "VIRTUAL",
    "DateTime_NO_TZ",
    "Time_NO_TZ",
  ];
  const missing = operatorTable.flatMap((entry) =>
    fieldTypeNames
      .filter(
        (type) =>
          !untested.includes(type) && worksOn(entry, bareShape(type)) && !tried.has(`${entry.name} ${type}`),
      )
      .map((type) => `${entry.name} ${type}`),
  );
  expect(missing).toEqual([]);
  const aliases = [...operators.keys()].filter(
    (name) => !JSON.stringify(cases.map(([, condition]) => condition)).includes(`"${name}"`),
  );
  expect(aliases.filter((name) => !operators.get(name)?.on.includes("geometry"))).toEqual([]);
});

describe("what is wrong is said, with what would work", () => {
  const table: readonly (readonly [unknown, string])[] = [
    [
      { whole: { jsonbContain: 1 } },
      "UNKNOWN_OPERATOR filter.whole: unknown operator 'jsonbContain'; did you mean 'jsonbContains'?",
    ],
    [
      { whole: { like: "1" } },
      "INVALID_QUERY filter.whole.like: the operator 'like' does not work on a field of type Integer; it works on SUID, String, Text",
    ],
    [
      { string: { jsonbHasKey: "a" } },
      "INVALID_QUERY filter.string.jsonbHasKey: the operator 'jsonbHasKey' does not work on a field of type String; it works on JSON, JSONB",
    ],
    [
      { strings: { in: ["a"] } },
      "INVALID_QUERY filter.strings.in: the operator 'in' does not work on a field of type Array",
    ],
    [
      { string: { within: { type: "Point", coordinates: [1, 2] } } },
      "INVALID_QUERY filter.string.within: the operator 'within' needs the PostgreSQL extension 'postgis'",
    ],
    [
      { string: { cast: "integr", eq: 1 } },
      "INVALID_QUERY filter.string.cast: unknown cast 'integr'; did you mean 'integer'?",
    ],
    [{ string: { cast: "", eq: 1 } }, "INVALID_QUERY filter.string.cast: unknown cast ''"],
    [{ string: { cast: 5, eq: 1 } }, "INVALID_QUERY filter.string.cast: unknown cast 'number'"],
    [{ string: { cast: "text" } }, "INVALID_QUERY filter.string: expected an operator beside cast"],
    [
      { string: { cast: "text; drop table things", eq: 1 } },
      "INVALID_QUERY filter.string.cast: unknown cast",
    ],
    [
      { flag: { cast: "date", eq: 1 } },
      "INVALID_QUERY filter.flag.cast: a field of type Boolean cannot be cast to date; it can be cast to text",
    ],
    [{ string: { cast: "integer", eq: "x" } }, "INVALID_VALUE filter.string.eq: expected a whole number"],
    [
      { data: { jsonbKeyEquals: "a" } },
      'INVALID_VALUE filter.data.jsonbKeyEquals: expected an object such as {"key": "a", "value": 1}',
    ],
    [
      { data: { jsonbKeyEquals: { ky: "a", value: 1 } } },
      "INVALID_VALUE filter.data.jsonbKeyEquals.ky: expected one of the keys key, value; did you mean 'key'?",
    ],
    [
      { data: { jsonbKeyEquals: { key: "a", value: {} } } },
      "INVALID_VALUE filter.data.jsonbKeyEquals.value: expected null, a text",
    ],
    [
      { data: { jsonbKeyEquals: { key: "a\0", value: 1 } } },
      "INVALID_VALUE filter.data.jsonbKeyEquals.key: expected text without NUL",
    ],
    [
      { data: { jsonbKeyGt: { key: "a", value: true } } },
      "INVALID_VALUE filter.data.jsonbKeyGt.value: expected a number or a text",
    ],
    [
      { data: { jsonbKeyIn: { key: "a", values: "x" } } },
      "INVALID_VALUE filter.data.jsonbKeyIn.values: expected a list",
    ],
    [
      { data: { jsonbArrayLength: { op: "above", value: 1 } } },
      "INVALID_VALUE filter.data.jsonbArrayLength.op: expected one of eq, ne, gt",
    ],
    [
      { data: { jsonbTypeOf: { type: "aray" } } },
      "INVALID_VALUE filter.data.jsonbTypeOf.type: expected one of object, array, string, number, boolean, null; did you mean 'array'?",
    ],
    [
      { data: { jsonbDeepValue: { path: [], value: 1 } } },
      "INVALID_VALUE filter.data.jsonbDeepValue.path: expected a list of keys",
    ],
    [{ data: { jsonbPathExists: "$.[" } }, "INVALID_VALUE A JSON path is not valid."],
    [{ data: { jsonbPathExists: '$ ? (@ like_regex "(")' } }, "INVALID_VALUE"],
    [
      { data: { jsonbContains: { __proto__x: "$CURRENT_USR" } } },
      "INVALID_VALUE filter.data.jsonbContains.__proto__x: unknown variable '$CURRENT_USR'; did you mean '$CURRENT_USER'?",
    ],
    [
      { wholes: { rangeContains: "x" } },
      "INVALID_VALUE filter.wholes.rangeContains: expected a whole number",
    ],
    [
      { wholes: { rangeOverlaps: { lower: 5, upper: 1 } } },
      "INVALID_VALUE filter.wholes.rangeOverlaps: Lower bound (5)",
    ],
    [
      { integers: { arraycontains: ["x"] } },
      "INVALID_VALUE filter.integers.arraycontains[0]: expected a whole number",
    ],
    [
      { whole: { eq: "$COL(wholes)" } },
      "INVALID_QUERY filter.whole.eq: a value of type Integer cannot be compared with '$COL(wholes)' of type Range",
    ],
    [
      { whole: { eq: "$COL(string)" } },
      "INVALID_QUERY filter.whole.eq: a value of type Integer cannot be compared with '$COL(string)' of type String; cast one of them",
    ],
    [
      { whole: { eq: "$COL(hole)" } },
      "UNKNOWN_FIELD filter.whole.eq: 'things' has no field 'hole'; did you mean 'whole'?",
    ],
    [{ whole: { eq: "$COL(box.things.whole)" } }, "INVALID_QUERY filter.whole.eq: 'things' is a list"],
    [{ whole: { eq: "$COL(double::integr)" } }, "INVALID_QUERY filter.whole.eq: unknown cast 'integr'"],
    [{ whole: { eq: "$COL()" } }, "INVALID_VALUE filter.whole.eq: unknown variable '$COL()'"],
    [{ whole: { eq: "$COL(a" } }, "INVALID_VALUE filter.whole.eq: unknown variable"],
    [
      { whole: { in: ["$COL(whole2)"] } },
      "INVALID_QUERY filter.whole.in[0]: $COL works with eq, ne, gt, gte, lt and lte",
    ],
    [{ string: { like: "$COL(text)" } }, "INVALID_QUERY filter.string.like: $COL works with eq"],
    [
      { whole: { eq: "$NOW" } },
      "INVALID_VALUE filter.whole.eq: '$NOW' cannot be compared with a field of type Integer",
    ],
    [{ whole: { eq: "$CURRENT_USER" } }, "INVALID_VALUE filter.whole.eq: '$CURRENT_USER' cannot be compared"],
    [{ moment: { gt: "$NOW-FORTNIGHTS_1" } }, "INVALID_VALUE filter.moment.gt: unknown variable"],
    [
      { moment: { gt: "$NOW-YEARS_999999" } },
      "INVALID_VALUE filter.moment.gt: '$NOW-YEARS_999999' is more than 1,000 years",
    ],
    [{ flag: { is: 1 } }, "INVALID_VALUE filter.flag.is: expected null, true or false"],
    [{ whole: { is: true } }, "INVALID_VALUE filter.whole.is: expected null"],
    [{ whole: { isNull: null } }, "INVALID_VALUE filter.whole.isNull: expected true or false"],
    [{ whole: { between: [1] } }, "INVALID_VALUE filter.whole.between: expected a list of two values"],
    [{ whole: { in: 1 } }, "INVALID_VALUE filter.whole.in: expected a list of values"],
    [{ whole: { in: [null] } }, "INVALID_VALUE filter.whole.in[0]: expected a value"],
  ];
  test.each(table)("%j", async (filter, expected) => {
    expect(await refusal(ids("things", filter))).toStartWith(expected);
  });
});
