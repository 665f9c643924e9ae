/** THE TABLE OF FIELD TYPES: one entry holds everything that the server knows about a type. */
import type { FieldType, Json } from "@baasix/types";
import { AppError } from "../errors";
import type { Field, FieldDefault } from "./model";
import {
  arrayText,
  mismatch,
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
  readWhole,
} from "./values";

/** What a type needs to know of its field. */
export type FieldShape = Pick<Field, "type" | "length" | "precision" | "scale" | "values" | "items">;

/** Which operators work on a type; `core/query/operators.ts` names one per operator. All types know "is null". */
export type OperatorClass = "equality" | "order" | "text" | "list";

/** A JSON Schema of OpenAPI 3.1. */
export type JsonSchema = { readonly [key: string]: Json };

type ValueType = {
  /** The column's type in PostgreSQL. */
  readonly sqlType: (field: FieldShape) => string;
  /** The type that parameters are cast to: without length and precision, as a cast to those would cut or round. */
  readonly cast: string;
  /** `text` where JSON numbers would lose digits. */
  readonly jsonCast: "text" | null;
  readonly operators: readonly OperatorClass[];
  /** Generated defaults that make sense; `sql` and `static` always do. */
  readonly defaults: readonly FieldDefault["kind"][];
  /** Rules of `validate` that apply. */
  readonly rules: "number" | "text" | null;
  /** Canonical text of a value that is not null. @throws AppError INVALID_VALUE */
  readonly parse: (value: unknown, field: FieldShape) => string;
  readonly jsonSchema: (field: FieldShape) => JsonSchema;
  readonly typescript: (field: FieldShape) => string;
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
  typescript: () => "string",
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
  typescript: () => "number",
};

const json: ValueType = {
  sqlType: () => "jsonb",
  cast: "jsonb",
  jsonCast: null,
  operators: [],
  defaults: [],
  rules: null,
  parse: readJson,
  jsonSchema: () => ({}),
  typescript: () => "unknown",
};

const types: { readonly [Type in Exclude<FieldType, "Array">]: ValueType } = {
  UUID: {
    sqlType: () => "uuid",
    cast: "uuid",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["uuid"],
    rules: null,
    parse: readUuid,
    jsonSchema: () => ({ type: "string", format: "uuid" }),
    typescript: () => "string",
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
  Integer: {
    sqlType: () => "integer",
    cast: "integer",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["autoincrement"],
    rules: "number",
    parse: (value) => readWhole(value, int32.least, int32.most),
    jsonSchema: () => ({ type: "integer", format: "int32" }),
    typescript: () => "number",
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
    typescript: () => "string",
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
    typescript: () => "boolean",
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
    typescript: () => "string",
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
    typescript: () => "string",
  },
  Time: {
    sqlType: () => "time",
    cast: "time",
    jsonCast: null,
    operators: ["equality", "order"],
    defaults: ["now"],
    rules: null,
    parse: readTime,
    jsonSchema: () => ({ type: "string", pattern: "^\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?$" }),
    typescript: () => "string",
  },
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
    typescript: () => "string",
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
    typescript: ({ values }) => values.map((member) => JSON.stringify(member)).join(" | "),
  },
};

/** Spellings that mean a type. Keys are lower-case; `array_<type>` is an Array of that type. */
const aliases: ReadonlyMap<string, FieldType> = new Map([
  ...[...Object.keys(types), "Array"].map((name) => [name.toLowerCase(), name as FieldType] as const),
  ["html", "Text"],
  ["citext", "Text"],
]);

/** The canonical names, in the order of the documents. */
export const fieldTypeNames: readonly FieldType[] = [...(Object.keys(types) as FieldType[]), "Array"];

/** The types that an Array may hold: lists of JSON are JSON. */
export const itemTypeNames: readonly FieldType[] = fieldTypeNames.filter(
  (name) => name !== "Array" && name !== "JSON" && name !== "JSONB",
);

/** The type that a spelling means, in any letter case; `Array_Integer` also tells the items. Null: none. */
export function readTypeName(
  name: string,
): { readonly type: FieldType; readonly items: FieldType | null } | null {
  const lower = name.toLowerCase();
  if (lower.startsWith("array_")) {
    const items = aliases.get(lower.slice(6));
    return items !== undefined && itemTypeNames.includes(items) ? { type: "Array", items } : null;
  }
  const type = aliases.get(lower);
  return type === undefined ? null : { type, items: null };
}

function entryOf(field: FieldShape): ValueType {
  const type = field.type === "Array" ? field.items : field.type;
  if (type === null || type === "Array") throw new Error("an Array needs the type of its items");
  return types[type];
}

/** The shape of one item of an Array. */
export function itemShape(field: FieldShape): FieldShape {
  return field.items === null ? field : { ...field, type: field.items, items: null };
}

/** The same field without length, precision and scale: for operands of filters, which may exceed the column. */
export function operandShape(field: FieldShape): FieldShape {
  return { ...field, length: null, precision: null, scale: null };
}

/** The column's type in PostgreSQL, for DDL and for `json_to_recordset`. */
export function sqlType(field: FieldShape): string {
  return `${entryOf(field).sqlType(field)}${field.type === "Array" ? "[]" : ""}`;
}

/** The type to cast a parameter to: `$1::numeric`. A list operand is `$1::<cast>[]`. */
export function castType(field: FieldShape): string {
  return `${entryOf(field).cast}${field.type === "Array" ? "[]" : ""}`;
}

/** A column as it goes into a JSON answer: BigInt and Decimal as text, so that every digit arrives. */
export function jsonExpression(sql: string, field: FieldShape): string {
  const cast = entryOf(field).jsonCast;
  return cast === null ? sql : `${sql}::${cast}${field.type === "Array" ? "[]" : ""}`;
}

/** The classes of operators that work on the field. */
export function operatorClasses(field: FieldShape): readonly OperatorClass[] {
  return field.type === "Array" ? ["list"] : entryOf(field).operators;
}

/** True when an operator of this class works on the field. */
export function supports(field: FieldShape, operators: OperatorClass | "any"): boolean {
  return operators === "any" || operatorClasses(field).includes(operators);
}

/** The kinds of generated default that suit the field. */
export function generatedDefaults(field: FieldShape): readonly FieldDefault["kind"][] {
  return field.type === "Array" ? [] : entryOf(field).defaults;
}

/** Whether the rules of `validate` for numbers or for text apply to the field's values (to each item of an Array). */
export function ruleFamily(field: FieldShape): "number" | "text" | null {
  return entryOf(field).rules;
}

/**
 * Checks a value from the wire strictly; gives the text to bind as `$1::<castType>`, or null for null.
 * An Array gives the text of a PostgreSQL array.
 * @throws AppError INVALID_VALUE "[place: ]expected …, got …"; undefined counts as a wrong value.
 */
export function parseValue(value: unknown, field: FieldShape, place?: string): string | null {
  return placed(place, () => {
    if (value === null) return null;
    return field.type === "Array" ? arrayText(readItems(value, field)) : entryOf(field).parse(value, field);
  });
}

/** What goes into the JSON record of a write: text, JSON itself for JSON fields, a list for Arrays, null. */
export type WireValue = Json;

/**
 * Checks a value like `parseValue` and gives what `json_to_recordset` turns into exactly that value, with the column
 * declared as `sqlType`. JSON null is SQL NULL, also for a JSON field.
 * @throws AppError INVALID_VALUE
 */
export function toWire(value: unknown, field: FieldShape, place?: string): WireValue {
  return placed(place, () => {
    if (value === null) return null;
    if (field.type === "Array") return readItems(value, field);
    const text = entryOf(field).parse(value, field);
    return isJson(field) ? (value as Json) : text;
  });
}

/** True for JSON and JSONB. */
export function isJson(field: FieldShape): boolean {
  return field.type === "JSON" || field.type === "JSONB";
}

function readItems(value: unknown, field: FieldShape): (string | null)[] {
  if (!Array.isArray(value)) throw mismatch("a list", value);
  const [entry, shape] = [entryOf(field), itemShape(field)];
  return value.map((item: unknown, index) =>
    item === null ? null : placed(`[${index}]`, () => entry.parse(item, shape)),
  );
}

function placed<T>(place: string | undefined, work: () => T): T {
  if (place === undefined) return work();
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const separator = error.message.startsWith("[") ? "" : ": ";
    throw new AppError(error.code, `${place}${separator}${error.message}`, error.details);
  }
}

/** JSON Schema (OpenAPI 3.1) of the field's values as they are answered; says null where the field may be null. */
export function jsonSchema(field: FieldShape & Pick<Field, "allowNull" | "description">): JsonSchema {
  const entry = entryOf(field);
  const value: JsonSchema =
    field.type === "Array"
      ? { type: "array", items: entry.jsonSchema(itemShape(field)) }
      : entry.jsonSchema(field);
  const described = field.description === null ? value : { ...value, description: field.description };
  if (!field.allowNull || described.type === undefined) return described;
  const members = described.enum;
  return {
    ...described,
    type: [described.type, "null"],
    ...(Array.isArray(members) && { enum: [...(members as Json[]), null] }),
  };
}

/** The TypeScript type of the field's values, without `| null`. */
export function typescriptType(field: FieldShape): string {
  const type = entryOf(field).typescript(itemShape(field));
  if (field.type !== "Array") return type;
  return type.includes(" ") ? `(${type})[]` : `${type}[]`;
}
