/** Operators on places. They are functions of the PostgreSQL extension postgis. */
import { castType, type FieldShape, parseValue } from "../../schema/fields";
import { bound, invalidOperand, readFlag, readParts } from "./operands";
import type { OperandContext, OperandType, Operator } from "./operator";

/** Any geometry may be compared with a field of one kind; the reference system is the field's. */
function readGeometry(value: unknown, { shape }: OperandContext, at: string) {
  const any: FieldShape = { ...shape, type: "Geometry" };
  if (typeof value !== "object" || value === null) throw invalidOperand(at, "GeoJSON", value);
  return bound(parseValue(value, any, at), castType(any));
}

const kindOf = ({ shape }: OperandContext): string => (shape.type === "Geography" ? "geography" : "geometry");

const geometry: OperandType = {
  kind: "geometry",
  schema: {
    type: "object",
    required: ["type"],
    properties: { type: { type: "string" }, coordinates: { type: "array" } },
  },
  read: (operand, context) => ({
    operands: [readGeometry(operand, context, context.at)],
    choice: kindOf(context),
  }),
};

/** A geometry and a distance in metres. */
const distance: OperandType = {
  kind: "distance",
  schema: {
    type: "object",
    required: ["geometry", "distance"],
    properties: {
      geometry: { type: "object" },
      distance: { type: "number", minimum: 0 },
      not: { type: "boolean" },
    },
  },
  read: (operand, context) => {
    const { at } = context;
    const parts = readParts(
      operand,
      ["geometry", "distance", "not"],
      '{"geometry": GeoJSON, "distance": 1000}',
      at,
    );
    const metres = Number(
      typeof parts.distance === "string" && parts.distance.trim() === "" ? NaN : parts.distance,
    );
    if (!Number.isFinite(metres) || metres < 0 || typeof parts.distance === "object")
      throw invalidOperand(`${at}.distance`, "a number of metres, 0 or more", parts.distance);
    const not = parts.not === undefined ? false : readFlag(parts.not, `${at}.not`);
    return {
      operands: [
        readGeometry(parts.geometry, context, `${at}.geometry`),
        bound(String(metres), "double precision"),
      ],
      choice: not ? "not" : "",
    };
  },
};

const entry = (name: string, operand: OperandType, description: string, sql: Operator["sql"]): Operator => ({
  name,
  aliases: [],
  on: ["geometry"],
  operand,
  description: `${description} (postgis)`,
  sql,
});

const planar = (column: string, kind: string): string =>
  kind === "geography" ? `${column}::geometry` : column;
/** Longitude and latitude on the spheroid of WGS 84, where distances are metres. */
export const onEarth = (sql: string): string => `ST_Transform(${sql}::geometry, 4326)::geography`;

export const places: readonly Operator[] = [
  entry(
    "within",
    geometry,
    "lies within the geometry",
    (column, [other], kind) => `ST_Within(${planar(column, kind)}, ${other})`,
  ),
  entry(
    "containsGEO",
    geometry,
    "contains the geometry",
    (column, [other], kind) => `ST_Contains(${planar(column, kind)}, ${other})`,
  ),
  entry(
    "intersects",
    geometry,
    "has a point in common with the geometry",
    (column, [other], kind) => `ST_Intersects(${planar(column, kind)}, ${other})`,
  ),
  entry(
    "nIntersects",
    geometry,
    "negation of intersects",
    (column, [other], kind) => `not ST_Intersects(${planar(column, kind)}, ${other})`,
  ),
  entry(
    "dwithin",
    distance,
    "is at most so many metres away; `not`: farther away",
    (column, [other = "", metres], choice) =>
      `${choice}${choice === "" ? "" : " "}ST_DWithin(${onEarth(column)}, ${onEarth(other)}, ${metres})`,
  ),
];
