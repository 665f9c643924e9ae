/** What a field is, asked of the table of types: its column, its values, its form in JSON. */
import type { FieldType, Json } from "@baasix/types";
import { AppError } from "../errors";
import { isGeometryType } from "./geometry";
import type { Field, FieldDefault } from "./model";
import { boundTypeNames, rangeJson, rangeSqlType, readRange } from "./ranges";
import {
  type Extension,
  type FieldShape,
  type JsonSchema,
  type OperatorClass,
  types,
  type ValueType,
} from "./types";
import { arrayText, mismatch } from "./values";

export type { Extension, FieldShape, JsonSchema, OperatorClass } from "./types";

/** Spellings that mean a type. Keys are lower-case; `array_<type>` is an Array of that type, `range_<type>` a Range. */
const aliases: ReadonlyMap<string, FieldType> = new Map(
  [...Object.keys(types), "Array", "Range"].map((name) => [name.toLowerCase(), name as FieldType] as const),
);

/** The canonical names, in the order of the documents. */
export const fieldTypeNames: readonly FieldType[] = [
  ...(Object.keys(types) as FieldType[]),
  "Array",
  "Range",
];

/** The types that an Array may hold: lists of JSON are JSON, and several shapes are a shape. */
const itemTypeNames: readonly FieldType[] = fieldTypeNames.filter(
  (name) =>
    !["Array", "Range", "JSON", "JSONB", "VIRTUAL", "Geography"].includes(name) && !isGeometryType(name),
);

/** The types that an Array or a Range may hold. */
export function heldTypeNames(type: "Array" | "Range"): readonly FieldType[] {
  return type === "Array" ? itemTypeNames : boundTypeNames;
}

/** The type that a spelling means, in any letter case; `Array_Integer`, `Range_Date` also tell the items. Null: none. */
export function readTypeName(
  name: string,
): { readonly type: FieldType; readonly items: FieldType | null } | null {
  const lower = name.toLowerCase();
  for (const type of ["Array", "Range"] as const) {
    if (!lower.startsWith(`${type.toLowerCase()}_`)) continue;
    const items = aliases.get(lower.slice(type.length + 1));
    return items !== undefined && heldTypeNames(type).includes(items) ? { type, items } : null;
  }
  const type = aliases.get(lower);
  return type === undefined ? null : { type, items: null };
}

function entryOf(field: FieldShape): ValueType {
  const type = isHolder(field) ? field.items : field.type;
  if (type === null || type === "Array" || type === "Range") {
    throw new Error(`an ${field.type} needs the type of what it holds`);
  }
  return types[type];
}

/** True for a type that is made of another one. */
function isHolder({ type }: FieldShape): boolean {
  return type === "Array" || type === "Range";
}

/** The shape of a type of which nothing more is said. */
export function bareShape(type: FieldShape["type"], items: FieldShape["items"] = null): FieldShape {
  return { type, length: null, precision: null, scale: null, values: [], items, srid: null };
}

/** The shape of one item of an Array, or of a bound of a Range. */
export function itemShape(field: FieldShape): FieldShape {
  return field.items === null ? field : { ...field, type: field.items, items: null };
}

/** The same field without length, precision and scale: for operands of filters, which may exceed the column. */
export function operandShape(field: FieldShape): FieldShape {
  return { ...field, length: null, precision: null, scale: null };
}

/** The column's type in PostgreSQL, for DDL and for `json_to_recordset`. */
export function sqlType(field: FieldShape): string {
  if (field.type === "Range") return rangeSqlType(field.items);
  return `${entryOf(field).sqlType(field)}${field.type === "Array" ? "[]" : ""}`;
}

/** The type to cast a parameter to: `$1::numeric`. A list operand is `$1::<cast>[]`. */
export function castType(field: FieldShape): string {
  if (field.type === "Range") return rangeSqlType(field.items);
  return `${entryOf(field).cast}${field.type === "Array" ? "[]" : ""}`;
}

/** The extension of PostgreSQL that the column's type is of; null: none. */
export function extensionOf(field: FieldShape): Extension | null {
  return entryOf(field).needs ?? null;
}

/** A column as it goes into a JSON answer: BigInt and Decimal as text, so that every digit arrives. */
export function jsonExpression(sql: string, field: FieldShape): string {
  const { jsonCast, json } = entryOf(field);
  if (field.type === "Range") {
    return rangeJson(sql, field.items, (bound) => jsonExpression(bound, itemShape(field)));
  }
  if (json) return json(sql);
  return jsonCast === null ? sql : `${sql}::${jsonCast}${field.type === "Array" ? "[]" : ""}`;
}

/** The classes of operators that work on the field. */
export function operatorClasses(field: FieldShape): readonly OperatorClass[] {
  if (field.type === "Range") return ["equality", "order", "range"];
  return field.type === "Array" ? ["list"] : entryOf(field).operators;
}

/** True when an operator of this class works on the field. */
export function supports(field: FieldShape, operators: OperatorClass | "any"): boolean {
  return operators === "any" || operatorClasses(field).includes(operators);
}

/** The kinds of generated default that suit the field. */
export function generatedDefaults(field: FieldShape): readonly FieldDefault["kind"][] {
  return isHolder(field) ? [] : entryOf(field).defaults;
}

/**
 * Whether the rules of `validate` for numbers or for text apply to the field's values (to each item of an Array, to both
 * bounds of a Range).
 */
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
    return field.type === "Array" ? arrayText(readItems(value, field)) : readOne(value, field);
  });
}

/** What goes into the JSON record of a write: text, JSON itself for JSON fields, a list for Arrays, null. */
export type WireValue = Json;

/**
 * Checks a value like `parseValue` and gives what `json_to_recordset` turns into exactly that value, with the column
 * declared as `sqlType`. See `isOneText`, too. JSON null is SQL NULL, also for a JSON field.
 * @throws AppError INVALID_VALUE
 */
export function toWire(value: unknown, field: FieldShape, place?: string): WireValue {
  return placed(place, () => wireReader(field)(value));
}

/** `toWire` of one field, for many values. */
export function wireReader(field: FieldShape): (value: unknown) => WireValue {
  if (field.type === "Array") return (value) => (value === null ? null : readItems(value, field));
  if (isHolder(field) || field.lowerCase) return (value) => (value === null ? null : readOne(value, field));
  const { parse } = entryOf(field);
  if (!isJson(field)) return (value) => (value === null ? null : parse(value, field));
  return (value) => {
    if (value !== null) parse(value, field);
    return value as Json;
  };
}

/** True where `toWire` gives a text or null, and a cast to `castType` turns that into the value. */
export function isOneText(field: FieldShape): boolean {
  return field.type !== "Array" && !isJson(field) && !isSpatial(field);
}

/** True for JSON and JSONB. */
export function isJson(field: FieldShape): boolean {
  return field.type === "JSON" || field.type === "JSONB";
}

/** True for the types of PostGIS. */
export function isSpatial(field: FieldShape): boolean {
  return operatorClasses(field).includes("geometry");
}

function readOne(value: unknown, field: FieldShape): string {
  const entry = entryOf(field);
  if (field.type !== "Range") {
    return field.lowerCase
      ? entry.parse(typeof value === "string" ? value.trim().toLowerCase() : value, field)
      : entry.parse(value, field);
  }
  const shape = itemShape(field);
  return readRange(value, field.items, (bound, side) => placed(side, () => entry.parse(bound, shape)));
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
  const value =
    field.type === "Array"
      ? { type: "array", items: entry.jsonSchema(itemShape(field)) }
      : field.type === "Range"
        ? rangeSchema(entry.jsonSchema(itemShape(field)))
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

function rangeSchema(bound: JsonSchema): JsonSchema {
  const side = { ...bound, type: [bound.type ?? "string", "null"] };
  return {
    type: "object",
    properties: {
      lower: side,
      upper: side,
      lowerInclusive: { type: "boolean", default: true },
      upperInclusive: { type: "boolean", default: true },
      empty: { type: "boolean", default: false },
    },
  };
}
