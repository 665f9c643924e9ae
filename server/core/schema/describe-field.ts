/** A field in the words of definitions. */
import type { FieldDefinition, Json } from "@baasix/types";
import type { FieldShape } from "./fields";
import { defaultSrid } from "./geometry";
import type { Field } from "./model";

/** The values that a CHECK allows, of an Enum or an Array of Enum. */
export function allowedValues(field: Field): readonly string[] | null {
  return field.type === "Enum" || field.items === "Enum" ? field.values : null;
}

/** A type as people write it: `String(255)`, `Decimal(10,2)`, `Array(Integer)`, `Range(Date)`, `Point(3857)`. */
export function nameOfType(field: FieldShape): string {
  const srid = field.srid === defaultSrid ? null : field.srid;
  const sizes =
    field.length ?? srid ?? (field.precision === null ? null : `${field.precision},${field.scale ?? 0}`);
  const sized = `${field.items ?? field.type}${sizes === null ? "" : `(${sizes})`}`;
  return field.items === null ? sized : `${field.type}(${sized})`;
}

/** A field as a definition says it, for answers. */
export function describeField(field: Field): FieldDefinition {
  const sizes = {
    ...(field.items !== null && { type: field.items }),
    ...(field.length !== null && { length: field.length }),
    ...(field.precision !== null && { precision: field.precision, scale: field.scale ?? 0 }),
    ...(field.items === "Enum" && { values: field.values }),
    ...(field.srid !== null && { srid: field.srid }),
  };
  return {
    type: field.type,
    ...(field.primaryKey && { primaryKey: true }),
    ...(!field.allowNull && !field.primaryKey && { allowNull: false }),
    ...(field.unique && { unique: true }),
    ...(field.immutable && { immutable: true }),
    ...(field.type === "Enum" && { values: field.values }),
    ...(Object.keys(sizes).length > 0 && { values: sizes }),
    ...(field.generated !== null && { calculated: field.generated }),
    ...(field.default !== null && field.default.kind !== "next" && { defaultValue: describeDefault(field) }),
    ...(Object.keys(field.validate).length > 0 && { validate: field.validate }),
    ...(field.description !== null && { description: field.description }),
  };
}

const defaultNames = { uuid: "UUIDV4", suid: "SUID", now: "NOW", autoincrement: "AUTOINCREMENT" } as const;

/** A default as a definition says it; null when there is none. */
export function describeDefault(field: Field): FieldDefinition["defaultValue"] {
  const made = field.default;
  // What `sortEnabled` makes is told by that flag.
  if (made === null || made.kind === "next") return null;
  if (made.kind === "sql") return { type: "SQL", value: made.expression };
  return made.kind === "static" ? { value: made.value as Json } : { type: defaultNames[made.kind] };
}
