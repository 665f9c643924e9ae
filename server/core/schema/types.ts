/** THE TABLE OF FIELD TYPES: one entry holds everything that the server knows about a type. */
import type { FieldType, Json } from "@baasix/types";
import { defaultSrid, type GeometryKind, geometryKinds, readGeometry } from "./geometry";
import type { Field, FieldDefault } from "./model";
import {
  readBoolean,
  readDate,
  readDecimal,
  readFloat,
  readInstant,
  readJson,
  readMember,
  readText,
  readTime,
  readUuid,
  readWallClock,
  readWhole,
} from "./values";

/** What a type needs to know of its field. */
export type FieldShape = Pick<
  Field,
  "type" | "length" | "precision" | "scale" | "values" | "items" | "srid"
> &
  Partial<Pick<Field, "lowerCase">>;

/** Which operators work on a type; `core/query/operators.ts` names one per operator. All types know "is null". */
export type OperatorClass = "equality" | "order" | "text" | "list" | "json" | "range" | "geometry";

/** A JSON Schema of OpenAPI 3.1. */
export type JsonSchema = { readonly [key: string]: Json };

/** An extension of PostgreSQL that a type lives in. */
export type Extension = "citext" | "postgis";

/** What the server knows of a type. */
export type ValueType = {
  /** The column's type in PostgreSQL. */
  readonly sqlType: (field: FieldShape) => string;
  /** The type that parameters are cast to: without length and precision, as a cast to those would cut or round. */
  readonly cast: string;
  /** `text` where JSON numbers would lose digits. */
  readonly jsonCast: "text" | null;
  /** How a column is written into JSON where a cast does not do. */
  readonly json?: (sql: string) => string;
  readonly needs?: Extension;
  readonly operators: readonly OperatorClass[];
  /** Generated defaults that make sense; `sql` and `static` always do. */
  readonly defaults: readonly FieldDefault["kind"][];
  /** Rules of `validate` that apply. */
  readonly rules: "number" | "text" | null;
  /** Canonical text of a value that is not null. @throws AppError INVALID_VALUE */
  readonly parse: (value: unknown, field: FieldShape) => string;
  readonly jsonSchema: (field: FieldShape) => JsonSchema;
};

const int32 = { least: -(2n ** 31n), most: 2n ** 31n - 1n };
const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

const plainText: ValueType = {
  sqlType: () => "text",
  cast: "text",
  jsonCast: null,
  operators: ["equality", "order", "text"],
  defaults: [],
  rules: "text",
  parse: (value) => readText(value, null),
  jsonSchema: () => ({ type: "string" }),
};

const real: ValueType = {
  sqlType: () => "real",
  cast: "real",
  jsonCast: null,
  operators: ["equality", "order"],
  defaults: [],
  rules: "number",
  parse: (value) => readFloat(value, 32),
  jsonSchema: () => ({ type: "number", format: "float" }),
};

const json: ValueType = {
  sqlType: () => "jsonb",
  cast: "jsonb",
  jsonCast: null,
  operators: ["json"],
  defaults: [],
  rules: null,
  parse: readJson,
  jsonSchema: () => ({}),
};

const time: ValueType = {
  sqlType: () => "time",
  cast: "time",
  jsonCast: null,
  operators: ["equality", "order"],
  defaults: ["now"],
  rules: null,
  parse: readTime,
  jsonSchema: () => ({ type: "string", pattern: "^\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?$" }),
};

function geometryJsonSchema(kind: GeometryKind | null): JsonSchema {
  const content = kind === "GeometryCollection" ? "geometries" : "coordinates";
  return {
    type: "object",
    required: kind === null ? ["type"] : ["type", content],
    properties: {
      type: { type: "string", enum: kind === null ? [...geometryKinds] : [kind] },
      ...(kind !== "GeometryCollection" && { coordinates: { type: "array" } }),
      ...((kind === null || kind === "GeometryCollection") && { geometries: { type: "array" } }),
    },
  };
}

/** `kind` null: any. More than 17 digits a double does not hold; `0` leaves out what the schema says of the coordinates. */
function geometry(kind: GeometryKind | null, sql: "geometry" | "geography"): ValueType {
  return {
    sqlType: ({ srid }) => `${sql}(${kind ?? "Geometry"},${srid ?? defaultSrid})`,
    cast: sql,
    jsonCast: null,
    json: (column) => `st_asgeojson(${column}, 17, 0)::json`,
    operators: ["geometry"],
    defaults: [],
    rules: null,
    parse: (value, { srid }) =>
      readGeometry(value, { kind, srid: srid ?? defaultSrid, onEarth: sql === "geography" }),
    jsonSchema: () => geometryJsonSchema(kind),
    needs: "postgis",
  };
}

/** The entries. An Array and a Range have those of what they hold. */
export const types: { readonly [Type in Exclude<FieldType, "Array" | "Range">]: ValueType } = {
  UUID: {
    sqlType: () => "uuid",
    cast: "uuid",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["uuid"],
    rules: null,
    parse: readUuid,
    jsonSchema: () => ({ type: "string", format: "uuid" }),
  },
  SUID: { ...plainText, defaults: ["suid"] },
  String: {
    ...plainText,
    sqlType: ({ length }) => (length === null ? "text" : `varchar(${length})`),
    defaults: ["uuid", "suid"],
    parse: (value, { length }) => readText(value, length),
    jsonSchema: ({ length }) => ({ type: "string", ...(length !== null && { maxLength: length }) }),
  },
  Text: plainText,
  HTML: plainText,
  CiText: { ...plainText, sqlType: () => "citext", cast: "citext", needs: "citext" },
  TOKEN: { ...plainText, defaults: ["uuid", "suid"] },
  Integer: {
    sqlType: () => "integer",
    cast: "integer",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["autoincrement"],
    rules: "number",
    parse: (value) => readWhole(value, int32.least, int32.most),
    jsonSchema: () => ({ type: "integer", format: "int32" }),
  },
  BigInt: {
    sqlType: () => "bigint",
    cast: "bigint",
    jsonCast: "text",
    operators: ["equality", "order"],
    defaults: ["autoincrement"],
    rules: "number",
    parse: (value) => readWhole(value, int64.least, int64.most),
    jsonSchema: () => ({ type: "string", format: "int64", pattern: "^-?[0-9]+$" }),
  },
  Boolean: {
    sqlType: () => "boolean",
    cast: "boolean",
    jsonCast: null,
    operators: ["equality"],
    defaults: [],
    rules: null,
    parse: readBoolean,
    jsonSchema: () => ({ type: "boolean" }),
  },
  DateTime: {
    sqlType: () => "timestamptz",
    cast: "timestamptz",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["now"],
    rules: null,
    parse: readInstant,
    jsonSchema: () => ({ type: "string", format: "date-time" }),
  },
  Date: {
    sqlType: () => "date",
    cast: "date",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["now"],
    rules: null,
    parse: readDate,
    jsonSchema: () => ({ type: "string", format: "date" }),
  },
  DateTime_NO_TZ: {
    sqlType: () => "timestamp",
    cast: "timestamp",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["now"],
    rules: null,
    parse: readWallClock,
    jsonSchema: () => ({
      type: "string",
      pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?$",
    }),
  },
  Time: time,
  Time_NO_TZ: time,
  Decimal: {
    sqlType: ({ precision, scale }) =>
      precision === null ? "numeric" : `numeric(${precision},${scale ?? 0})`,
    cast: "numeric",
    jsonCast: "text",
    operators: ["equality", "order"],
    defaults: [],
    rules: "number",
    parse: (value, { precision, scale }) => readDecimal(value, precision, scale),
    jsonSchema: () => ({ type: "string", format: "decimal" }),
  },
  Double: {
    ...real,
    sqlType: () => "double precision",
    cast: "double precision",
    parse: (value) => readFloat(value, 64),
    jsonSchema: () => ({ type: "number", format: "double" }),
  },
  Float: real,
  Real: real,
  JSON: json,
  JSONB: json,
  Enum: {
    ...plainText,
    rules: null,
    parse: (value, { values }) => readMember(value, values),
    jsonSchema: ({ values }) => ({ type: "string", enum: values }),
  },
  VIRTUAL: plainText,
  Point: geometry("Point", "geometry"),
  LineString: geometry("LineString", "geometry"),
  Polygon: geometry("Polygon", "geometry"),
  MultiPoint: geometry("MultiPoint", "geometry"),
  MultiLineString: geometry("MultiLineString", "geometry"),
  MultiPolygon: geometry("MultiPolygon", "geometry"),
  GeometryCollection: geometry("GeometryCollection", "geometry"),
  Geometry: geometry(null, "geometry"),
  Geography: geometry(null, "geography"),
};
