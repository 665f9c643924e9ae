/**
 * Casts of columns, a closed table. A value that cannot become the type reads as null: an error would tell of rows that
 * its reader may not see.
 */
import { AppError, suggestion } from "../errors";
import { bareShape, castType, type FieldShape } from "../schema/fields";
import type { Cast } from "./planned";

/** Kinds of types that casts and comparisons tell apart. */
export type Family =
  | "text"
  | "whole"
  | "decimal"
  | "float"
  | "boolean"
  | "date"
  | "timestamp"
  | "time"
  | "uuid"
  | "json"
  | "list"
  | "range"
  | "geometry";

const families: ReadonlyMap<string, Family> = new Map([
  ...["text", "citext", "varchar"].map((name) => [name, "text"] as const),
  ...["smallint", "integer", "bigint"].map((name) => [name, "whole"] as const),
  ["numeric", "decimal"],
  ...["real", "double precision"].map((name) => [name, "float"] as const),
  ["boolean", "boolean"],
  ["date", "date"],
  ...["timestamp", "timestamptz"].map((name) => [name, "timestamp"] as const),
  ...["time", "timetz"].map((name) => [name, "time"] as const),
  ["uuid", "uuid"],
  ["jsonb", "json"],
  ["json", "json"],
  ...["geometry", "geography"].map((name) => [name, "geometry"] as const),
]);

/** The family of a type, by what its parameters are cast to. */
export function familyOf(shape: FieldShape): Family {
  const type = castType(shape);
  if (type.endsWith("[]")) return "list";
  return families.get(type) ?? (type.endsWith("range") ? "range" : "text");
}

/** SQL from one family to the type; `text` forms check first. Missing: PostgreSQL has no such cast. */
type Way = (column: string) => string;
type Target = {
  readonly names: readonly string[];
  readonly shape: FieldShape;
  readonly ways: Partial<Readonly<Record<Family, Way>>>;
};

/** What numbers in JSON are compared as. */
export const numberShape = bareShape("Decimal");

const same: Way = (column) => column;
const to =
  (type: string): Way =>
  (column) =>
    `${column}::${type}`;

/** Any text, where it can be read as the type. */
const read =
  (type: string, text: Way = same): Way =>
  (column) =>
    `(case when baasix_castable(${text(column)}::text, '${type}') then ${text(column)}::text::${type} end)`;
const scalar: Way = (column) => `(${column} #>> '{}')`;

/** A number, where the type can hold it. `past` is the first number beyond. */
const bounded =
  (type: string, least: string, past: string): Way =>
  (column) =>
    `(case when ${column} >= ${least} and ${column} < ${past} then ${column}::${type} end)`;

const whole = (type: string, least: string, past: string): Target["ways"] => ({
  text: read(type),
  whole: bounded(type, least, past),
  decimal: bounded(type, least, past),
  float: bounded(type, least, past),
  boolean: (column) => `${column}::integer::${type}`,
  json: read(type, scalar),
});

const real = (type: string): Target["ways"] => ({
  text: read(type),
  whole: to(type),
  decimal: read(type),
  float: type === "real" ? read(type) : to(type),
  boolean: (column) => `${column}::integer::${type}`,
  json: read(type, scalar),
});

/** Farther dates have no timestamp. */
const instant =
  (type: string): Way =>
  (column) =>
    `(case when ${column} < date '294276-01-01' then ${column}::${type} end)`;

const list = (type: string): Target["ways"] => ({ text: read(type), list: read(type) });

const asText: Target["ways"] = Object.fromEntries(
  (
    [
      "text",
      "whole",
      "decimal",
      "float",
      "boolean",
      "date",
      "timestamp",
      "time",
      "uuid",
      "json",
      "list",
      "range",
    ] as const
  ).map((family) => [family, to("text")] as const),
);

const targets: readonly Target[] = [
  { names: ["text", "varchar"], shape: bareShape("Text"), ways: asText },
  {
    // As in PostgreSQL: without a length it is one character long.
    names: ["char", "character"],
    shape: bareShape("Text"),
    ways: Object.fromEntries(
      (Object.keys(asText) as Family[]).map((family) => [
        family,
        (column: string) => `left(${column}::text, 1)`,
      ]),
    ),
  },
  {
    names: ["integer", "int"],
    shape: bareShape("Integer"),
    ways: whole("integer", "-2147483648", "2147483648"),
  },
  {
    names: ["bigint"],
    shape: bareShape("BigInt"),
    ways: whole("bigint", "-9223372036854775808", "9223372036854775808"),
  },
  { names: ["smallint"], shape: bareShape("Integer"), ways: whole("smallint", "-32768", "32768") },
  {
    names: ["decimal", "numeric"],
    shape: bareShape("Decimal"),
    ways: {
      text: read("numeric"),
      whole: to("numeric"),
      decimal: same,
      float: to("numeric"),
      boolean: (column) => `${column}::integer::numeric`,
      json: read("numeric", scalar),
    },
  },
  { names: ["real"], shape: bareShape("Real"), ways: real("real") },
  { names: ["double precision", "float"], shape: bareShape("Double"), ways: real("double precision") },
  {
    names: ["boolean", "bool"],
    shape: bareShape("Boolean"),
    ways: {
      text: read("boolean"),
      whole: (column) => `(${column} <> 0)`,
      decimal: (column) => `(${column} <> 0)`,
      float: (column) => `(${column} <> 0)`,
      boolean: same,
      json: read("boolean", scalar),
    },
  },
  {
    names: ["date"],
    shape: bareShape("Date"),
    ways: { text: read("date"), date: same, timestamp: to("date"), json: read("date", scalar) },
  },
  {
    names: ["timestamp"],
    shape: bareShape("DateTime_NO_TZ"),
    ways: {
      text: read("timestamp"),
      date: instant("timestamp"),
      timestamp: to("timestamp"),
      json: read("timestamp", scalar),
    },
  },
  {
    names: ["timestamptz"],
    shape: bareShape("DateTime"),
    ways: {
      text: read("timestamptz"),
      date: instant("timestamptz"),
      timestamp: to("timestamptz"),
      json: read("timestamptz", scalar),
    },
  },
  {
    names: ["time"],
    shape: bareShape("Time"),
    ways: {
      text: read("time"),
      date: (column) => `(case when ${column} is not null then time '00:00' end)`,
      timestamp: to("time"),
      time: to("time"),
      json: read("time", scalar),
    },
  },
  {
    names: ["timetz"],
    shape: bareShape("Time"),
    ways: {
      text: read("timetz"),
      timestamp: (column) => `${column}::timestamptz::timetz`,
      time: to("timetz"),
      json: read("timetz", scalar),
    },
  },
  {
    names: ["uuid"],
    shape: bareShape("UUID"),
    ways: { text: read("uuid"), uuid: same, json: read("uuid", scalar) },
  },
  {
    names: ["jsonb", "json"],
    shape: bareShape("JSONB"),
    ways: {
      ...Object.fromEntries(
        (Object.keys(asText) as Family[]).map((family) => [
          family,
          (column: string) => `to_jsonb(${column})`,
        ]),
      ),
      text: read("jsonb"),
      json: same,
    },
  },
  {
    names: ["text[]", "varchar[]"],
    shape: bareShape("Array", "Text"),
    ways: { text: read("text[]"), list: to("text[]") },
  },
  { names: ["integer[]"], shape: bareShape("Array", "Integer"), ways: list("integer[]") },
  { names: ["bigint[]"], shape: bareShape("Array", "BigInt"), ways: list("bigint[]") },
  { names: ["uuid[]"], shape: bareShape("Array", "UUID"), ways: list("uuid[]") },
];

const byName: ReadonlyMap<string, Target> = new Map(
  targets.flatMap((target) => target.names.map((name) => [name, target] as const)),
);

/** The names that `cast` understands, in any letter case. */
export const castNames: readonly string[] = [...byName.keys()];

/**
 * The cast of a column.
 * @throws AppError INVALID_QUERY for an unknown type, with the nearest known one, and for a type that the column's never is.
 */
export function planCast(name: unknown, from: FieldShape, at: string): Cast {
  const target =
    typeof name === "string" ? byName.get(name.trim().toLowerCase().replace(/\s+/g, " ")) : undefined;
  if (!target) {
    const shown = typeof name === "string" ? name.slice(0, 40).toWellFormed() : typeof name;
    const near = typeof name === "string" ? suggestion(shown, castNames) : "";
    throw new AppError(
      "INVALID_QUERY",
      `${at}: unknown cast '${shown}'${near}; known are ${castNames.join(", ")}`,
    );
  }
  const family = familyOf(from);
  const way = target.ways[family];
  if (!way) {
    const possible = targets.filter(({ ways }) => ways[family]).flatMap(({ names }) => names);
    const others = possible.length > 0 ? `; it can be cast to ${possible.join(", ")}` : "";
    throw new AppError(
      "INVALID_QUERY",
      `${at}: a field of type ${from.type} cannot be cast to ${target.names[0]}${others}`,
    );
  }
  return { shape: target.shape, sql: way };
}

const numbers: ReadonlySet<Family> = new Set(["whole", "decimal", "float"]);
const moments: ReadonlySet<Family> = new Set(["date", "timestamp"]);

/** True when PostgreSQL compares the two types as they are. */
export function comparable(left: FieldShape, right: FieldShape): boolean {
  const [a, b] = [familyOf(left), familyOf(right)];
  if (a === "list" || a === "range") return castType(left) === castType(right);
  return (
    (a === b && a !== "geometry") || (numbers.has(a) && numbers.has(b)) || (moments.has(a) && moments.has(b))
  );
}
