/** How the values of a column become values of another type, and back: nothing is rounded or cut unseen. */
import type { FieldType } from "@baasix/types";
import { castType, type FieldShape, isJson, isSpatial, itemShape, jsonExpression, sqlType } from "./fields";
import { rangeObject } from "./ranges";

/** SQL that converts. `back` null: every value survives, so nothing has to be compared. */
export type Conversion = {
  readonly forth: (sql: string) => string;
  readonly back: ((sql: string) => string) | null;
};

const textTypes: readonly FieldType[] = [
  "SUID",
  "String",
  "Text",
  "HTML",
  "CiText",
  "TOKEN",
  "Enum",
  "VIRTUAL",
];
const wholeTypes: readonly FieldType[] = ["Integer", "BigInt"];

/** Types of which every value fits into the named one. */
const widenings: Partial<Record<FieldType, readonly FieldType[]>> = {
  Integer: ["BigInt", "Double"],
  Float: ["Double", "Real"],
  Real: ["Double", "Float"],
  Date: ["DateTime", "DateTime_NO_TZ"],
  DateTime: ["DateTime_NO_TZ"],
  DateTime_NO_TZ: ["DateTime"],
};

/** The way from one type to another, or null when there is none (an Array has no single value). */
export function conversion(from: FieldShape, to: FieldShape): Conversion | null {
  if (isSpatial(from) || isSpatial(to)) return spatialConversion(from, to);
  if (from.type === "Range" || to.type === "Range") return rangeConversion(from, to);
  if (isJson(to)) return { forth: (sql) => `to_jsonb(${sql})`, back: null };
  if (from.type === "Array" || to.type === "Array") return arrayConversion(from, to);
  if (isText(to)) return textConversion(from, to);
  const forth = (sql: string): string => cast(from, to, sql);
  return { forth, back: widens(from, to) ? null : (sql) => cast(to, from, sql) };
}

/** Between geometries of one coordinate system; to JSON as GeoJSON. */
function spatialConversion(from: FieldShape, to: FieldShape): Conversion | null {
  if (isJson(to)) return { forth: (sql) => `to_jsonb(${jsonExpression(sql, from)})`, back: null };
  if (!isSpatial(from) || !isSpatial(to) || from.srid !== to.srid) return null;
  return { forth: (sql) => `${sql}::${sqlType(to)}`, back: null };
}

/** Ranges over other bounds, by the way of their text; to JSON as they are answered, to text as PostgreSQL writes them. */
function rangeConversion(from: FieldShape, to: FieldShape): Conversion | null {
  if (isJson(to)) {
    const object = (sql: string): string =>
      rangeObject(sql, from.items, (bound) => jsonExpression(bound, itemShape(from)));
    // No sub-select is allowed where a column becomes another type.
    return { forth: (sql) => `case when ${sql} is not null then to_jsonb(${object(sql)}) end`, back: null };
  }
  if (from.type === "Range" && isText(to) && to.length === null) {
    return { forth: (sql) => `${sql}::text`, back: (sql) => `${sql}::${sqlType(from)}` };
  }
  if (to.type !== "Range" || !(from.type === "Range" || isText(from))) return null;
  const forth = (sql: string): string => `${sql}::text::${sqlType(to)}`;
  return { forth, back: (sql) => `${sql}::text::${sqlType(from)}` };
}

function arrayConversion(from: FieldShape, to: FieldShape): Conversion | null {
  if (to.type !== "Array") {
    return isText(to) && to.length === null ? { forth: (sql) => `to_jsonb(${sql})::text`, back: null } : null;
  }
  if (isJson(from)) return null;
  if (from.type === "Array") {
    return {
      forth: (sql) => `${sql}::text[]::${sqlType(to)}`,
      back: (sql) => `${sql}::text[]::${castType(from)}`,
    };
  }
  const item = conversion(from, itemShape(to));
  if (!item) return null;
  const { forth, back } = item;
  return {
    forth: (sql) => `case when ${sql} is not null then array[${forth(sql)}]::${sqlType(to)} end`,
    back: back && ((sql) => back(`(${sql})[1]`)),
  };
}

function textConversion(from: FieldShape, to: FieldShape): Conversion {
  const text = (sql: string): string => (isText(from) ? `${sql}::text` : asText(from, sql));
  if (to.length === null) {
    return { forth: text, back: isJson(from) ? (sql) => `to_jsonb(${sql})` : null };
  }
  const { length } = to;
  const grows = isText(from) && from.length !== null && from.length <= length;
  return grows
    ? { forth: text, back: null }
    : {
        forth: (sql) => `left(${text(sql)}, ${length})`,
        back: (sql) => (isText(from) ? sql : cast(to, from, sql)),
      };
}

function isText({ type }: FieldShape): boolean {
  return textTypes.includes(type);
}

/** JSON's spelling: instants as ISO 8601, JSON strings without their quotes. */
function asText(from: FieldShape, sql: string): string {
  if (isJson(from)) return `${sql} #>> '{}'`;
  return from.type === "DateTime" ? `to_jsonb(${sql}) #>> '{}'` : `${sql}::text`;
}

function widens(from: FieldShape, to: FieldShape): boolean {
  if (to.type === "Decimal" && wholeTypes.includes(from.type)) return to.precision === null;
  if (to.type === "Decimal" && from.type === "Decimal") {
    if (to.precision === null) return true;
    if (from.precision === null) return false;
    const [scale, wanted] = [from.scale ?? 0, to.scale ?? 0];
    return wanted >= scale && to.precision - wanted >= from.precision - scale;
  }
  return widenings[from.type]?.includes(to.type) ?? false;
}

function cast(from: FieldShape, to: FieldShape, sql: string): string {
  const target = sqlType(to);
  if (isText(to)) return asText(from, sql);
  if (isText(from)) return `${sql}::${target}`;
  if (isJson(from)) return `(${sql} #>> '{}')::${target}`;
  if (isJson(to)) return `to_jsonb(${sql})`;
  if (from.type === "DateTime" && ["Date", "Time", "Time_NO_TZ"].includes(to.type)) {
    return `(${sql} at time zone 'UTC')::${target}`;
  }
  if (from.type === "DateTime" && to.type === "DateTime_NO_TZ") return `(${sql} at time zone 'UTC')`;
  if (from.type === "DateTime_NO_TZ" && to.type === "DateTime") return `(${sql} at time zone 'UTC')`;
  if (from.type === "DateTime_NO_TZ" && to.type === "Date") return `${sql}::${target}`;
  if (from.type === "DateTime_NO_TZ" && (to.type === "Time" || to.type === "Time_NO_TZ"))
    return `${sql}::${target}`;
  if (from.type === "Date" && to.type === "DateTime") return `(${sql}::timestamp at time zone 'UTC')`;
  if (isNumber(from) && isNumber(to)) return `${sql}::${target}`;
  if (from.type === "Boolean" && isNumber(to)) return `${sql}::integer::${target}`;
  if (isNumber(from) && to.type === "Boolean") return `(${sql} <> 0)`;
  if (from.type === to.type) return `${sql}::${target}`;
  return `${sql}::text::${target}`;
}

function isNumber({ type }: FieldShape): boolean {
  return ["Integer", "BigInt", "Decimal", "Double", "Float", "Real"].includes(type);
}
