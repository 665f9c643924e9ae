/** THE TABLE of how each field type looks in an answer, as TypeScript. A type that the protocol gains must get its entry here. */
import type { FieldType } from "@baasix/types";

const text = "string";
const number = "number";
/** Text that holds a number: every digit is kept. */
const numberText = "`${number}`";

const shape = (kind: string, coordinates: string) =>
  `Geometry & { type: "${kind}"; coordinates: ${coordinates} }`;

/** Types whose values look the same whatever the field says. */
const plain: { readonly [Type in Exclude<FieldType, "Enum" | "Array" | "Range">]: string } = {
  UUID: text,
  SUID: text,
  String: text,
  Text: text,
  HTML: text,
  CiText: text,
  TOKEN: text,
  Integer: number,
  BigInt: numberText,
  Boolean: "boolean",
  DateTime: text,
  DateTime_NO_TZ: text,
  Date: text,
  Time: text,
  Time_NO_TZ: text,
  Decimal: numberText,
  Double: number,
  Float: number,
  Real: number,
  JSON: "unknown",
  JSONB: "unknown",
  VIRTUAL: text,
  Point: shape("Point", "number[]"),
  LineString: shape("LineString", "number[][]"),
  Polygon: shape("Polygon", "number[][][]"),
  MultiPoint: shape("MultiPoint", "number[][]"),
  MultiLineString: shape("MultiLineString", "number[][][]"),
  MultiPolygon: shape("MultiPolygon", "number[][][][]"),
  GeometryCollection: 'Geometry & { type: "GeometryCollection" }',
  Geometry: "Geometry",
  Geography: "Geometry",
};

const bySpelling: ReadonlyMap<string, string> = new Map(
  Object.entries(plain).map(([type, written]) => [type.toLowerCase(), written]),
);

/**
 * The TypeScript type of a field's values, without `| null`. `type` in any letter case, with the spellings `Array_<type>` and
 * `Range_<type>`; `values` as the definition has them. A type that is not known is `unknown`.
 */
export function wireType(type: string, values: unknown): string {
  const lower = type.toLowerCase();
  const [holder, held] = /^(array|range)(?:_(.+))?$/.exec(lower)?.slice(1) ?? [];
  if (holder === "array") return `${inBrackets(heldType(held, values))}[]`;
  if (holder === "range") return `RangeValue<${heldType(held, values)}>`;
  return lower === "enum" ? enumType(values) : (bySpelling.get(lower) ?? "unknown");
}

/** Names of the protocol that a written type may use. */
export const protocolNames: readonly string[] = ["Geometry", "RangeValue"];

/** In brackets where something follows, when the type has parts. */
export function inBrackets(type: string): string {
  return / [|&] /.test(type) ? `(${type})` : type;
}

function heldType(named: string | undefined, values: unknown): string {
  const type = named ?? property(values, "type");
  return typeof type === "string" ? wireType(type, values) : "unknown";
}

function enumType(values: unknown): string {
  const list = Array.isArray(values) ? values : property(values, "values");
  if (!Array.isArray(list) || list.length === 0) return text;
  return list.map((value) => JSON.stringify(String(value))).join(" | ");
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
