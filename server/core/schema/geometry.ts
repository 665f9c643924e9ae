/** GeoJSON (RFC 7946) of two dimensions, read strictly → EWKT, the text that PostGIS reads. */
import { AppError } from "../errors";
import { mismatch, showValue } from "./values";

/** The kinds of geometry, as GeoJSON names them. */
export const geometryKinds = [
  "Point",
  "LineString",
  "Polygon",
  "MultiPoint",
  "MultiLineString",
  "MultiPolygon",
  "GeometryCollection",
] as const;
export type GeometryKind = (typeof geometryKinds)[number];

/** True for a field type of PostGIS, other than Geography. */
export function isGeometryType(type: string): boolean {
  return type === "Geometry" || geometryKinds.some((kind) => kind === type);
}

/** WGS 84, the coordinates of GPS and of GeoJSON. */
export const defaultSrid = 4326;

/** `kind` null: any. `onEarth`: longitude and latitude, which PostgreSQL would otherwise bend into their bounds. */
export type GeometryRules = {
  readonly kind: GeometryKind | null;
  readonly srid: number;
  readonly onEarth: boolean;
};

const members: readonly string[] = ["type", "coordinates", "geometries", "bbox", "crs"];

/**
 * Reads a geometry, for a Point also `{x, y}`.
 * @returns `SRID=4326;POINT(8.5 47.4)`
 * @throws AppError INVALID_VALUE with the place inside the geometry
 */
export function readGeometry(value: unknown, rules: GeometryRules): string {
  return `SRID=${rules.srid};${geometryText(value, rules, "")}`;
}

function geometryText(value: unknown, rules: GeometryRules, place: string): string {
  const expected = `a GeoJSON ${rules.kind ?? "geometry"}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw mismatch(expected, value);
  const entries = new Map<string, unknown>(Object.entries(value));
  if (entries.has("x") && entries.size === 2 && entries.has("y") && (rules.kind ?? "Point") === "Point") {
    return `POINT(${position([entries.get("x"), entries.get("y")], rules, "")})`;
  }
  const kind = geometryKinds.find((name) => name === entries.get("type"));
  if (kind === undefined || (rules.kind !== null && kind !== rules.kind)) {
    throw wrong(expected, entries.get("type"), `${place}type`);
  }
  const unknown = [...entries.keys()].find((name) => !members.includes(name));
  if (unknown !== undefined) throw wrong(`only ${members.join(", ")}`, unknown, place);
  checkReference(entries.get("crs"), rules.srid, `${place}crs`);
  if (kind !== "GeometryCollection")
    return plainText(kind, entries.get("coordinates"), rules, `${place}coordinates`);
  const parts = list(entries.get("geometries"), `${place}geometries`);
  return tagged(
    "GEOMETRYCOLLECTION",
    parts.map((part, i) => memberText(part, rules, `${place}geometries[${i}].`)),
  );
}

/** PostGIS writes no collection inside a collection as GeoJSON: it could be stored, but never be read. */
function memberText(value: unknown, rules: GeometryRules, place: string): string {
  if (nested(value, "type") === "GeometryCollection") {
    throw wrong("no collection inside a collection", "GeometryCollection", `${place}type`);
  }
  return geometryText(value, { ...rules, kind: null }, place);
}

/** What older writers of GeoJSON, PostGIS among them, say of the coordinates. It must be what the field says. */
function checkReference(crs: unknown, srid: number, place: string): void {
  if (crs === undefined || crs === null) return;
  const name = String(nested(nested(crs, "properties"), "name"));
  if (!new RegExp(`^(urn:ogc:def:crs:)?EPSG:{1,2}${srid}$`).test(name))
    throw wrong(`EPSG:${srid}`, name, place);
}

function nested(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

type Plain = Exclude<GeometryKind, "GeometryCollection">;

function plainText(kind: Plain, value: unknown, rules: GeometryRules, place: string): string {
  const each = (read: (item: unknown, at: string) => string): string[] =>
    list(value, place).map((item, i) => `(${read(item, `${place}[${i}]`)})`);
  switch (kind) {
    case "Point":
      return tagged("POINT", list(value, place).length === 0 ? [] : [position(value, rules, place)]);
    case "LineString":
      return tagged("LINESTRING", line(value, rules, place, 2));
    case "Polygon":
      return tagged("POLYGON", rings(value, rules, place));
    case "MultiPoint":
      return tagged(
        "MULTIPOINT",
        each((item, at) => position(item, rules, at)),
      );
    case "MultiLineString":
      return tagged(
        "MULTILINESTRING",
        each((item, at) => filled(line(item, rules, at, 2), at)),
      );
    case "MultiPolygon":
      return tagged(
        "MULTIPOLYGON",
        each((item, at) => filled(rings(item, rules, at), at)),
      );
  }
}

function tagged(tag: string, parts: readonly string[]): string {
  return parts.length === 0 ? `${tag} EMPTY` : `${tag}(${parts.join(",")})`;
}

function filled(parts: readonly string[], place: string): string {
  if (parts.length === 0) throw wrong("at least one part", [], place);
  return parts.join(",");
}

function rings(value: unknown, rules: GeometryRules, place: string): string[] {
  return list(value, place).map((ring, i) => {
    const at = `${place}[${i}]`;
    const positions = line(ring, rules, at, 4);
    if (positions[0] !== positions.at(-1)) {
      throw new AppError("INVALID_VALUE", `expected a ring that ends where it begins at '${at}'`);
    }
    return `(${positions.join(",")})`;
  });
}

function line(value: unknown, rules: GeometryRules, place: string, least: number): string[] {
  const positions = list(value, place).map((item, i) => position(item, rules, `${place}[${i}]`));
  // Only a whole geometry may be empty.
  if (positions.length < least && (positions.length > 0 || least > 2)) {
    throw wrong(`at least ${least} positions`, value, place);
  }
  return positions;
}

function position(value: unknown, { onEarth }: GeometryRules, place: string): string {
  const expected = onEarth ? "[longitude, latitude]" : "[x, y]";
  if (!Array.isArray(value) || value.length !== 2) throw wrong(expected, value, place);
  const [x, y]: readonly unknown[] = value;
  if (typeof x !== "number" || typeof y !== "number" || !Number.isFinite(x) || !Number.isFinite(y)) {
    throw wrong(`${expected} of numbers`, typeof x === "number" ? y : x, place);
  }
  if (onEarth && (Math.abs(x) > 180 || Math.abs(y) > 90)) {
    throw wrong("a longitude from -180 to 180 and a latitude from -90 to 90", `${x}, ${y}`, place);
  }
  return `${x} ${y}`;
}

function list(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong("a list", value, place);
}

function wrong(expected: string, value: unknown, place: string): AppError {
  const at = place === "" ? "" : ` at '${place}'`;
  return new AppError("INVALID_VALUE", `expected ${expected}${at}, got ${showValue(value)}`);
}
