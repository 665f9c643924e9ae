/** One entry of `fields` that declares a column → Field. SQL defaults stay text here; `define.ts` resolves them. */
import type { FieldDefinition, FieldType } from "@baasix/types";
import { AppError, suggestion } from "../errors";
import {
  bareShape,
  type FieldShape,
  fieldTypeNames,
  generatedDefaults,
  heldTypeNames,
  isJson,
  isSpatial,
  readTypeName,
  toWire,
} from "./fields";
import { defaultSrid } from "./geometry";
import type { Field, FieldDefault } from "./model";
import { invalid } from "./names";
import { type Entries, readCount, readFlag, readList, readObject, readWords } from "./readers";
import { readRules } from "./validate";
import { showValue } from "./values";

/** Every key that an entry of `fields` may have. */
export const fieldKeys = [
  "type",
  "primaryKey",
  "allowNull",
  "unique",
  "immutable",
  "defaultValue",
  "default",
  "values",
  "calculated",
  "validate",
  "description",
  "comment",
  "hidden",
  "SystemGenerated",
  "relType",
  "target",
  "foreignKey",
  "targetKey",
  "as",
  "constraints",
  "scope",
  "polymorphic",
  "tables",
  "through",
  "otherKey",
  "onDelete",
  "onUpdate",
  "showAs",
  "displayFormat",
  "displayOptions",
] as const satisfies readonly (
  keyof FieldDefinition | "through" | "otherKey" | "showAs" | "displayFormat" | "displayOptions"
)[];

const longestText = 10_485_760;
const keyTypes: readonly FieldType[] = ["UUID", "SUID", "String", "Text", "Integer", "BigInt"];

/**
 * Reads a column. `system` allows what only built-in collections have (`hidden`).
 * @throws AppError INVALID_SCHEMA with the place and the mend.
 */
export function readField(name: string, entries: Entries, place: string, system: boolean): Field {
  const shape = readShape(entries, place);
  const primaryKey = readFlag(entries, "primaryKey", place, false);
  if (primaryKey && !keyTypes.includes(shape.type)) {
    throw invalid(`${place}.type`, `a primary key is one of ${keyTypes.join(", ")}, not ${shape.type}`);
  }
  const hidden = readFlag(entries, "hidden", place, false);
  if (hidden && !system) {
    throw invalid(
      `${place}.hidden`,
      "only built-in collections have hidden fields; use the fields of permissions",
    );
  }
  const generated = readCalculated(entries, shape, place);
  const fallback = readDefault(entries, shape, place);
  if (generated !== null && (primaryKey || fallback !== null)) {
    throw invalid(
      `${place}.calculated`,
      `a calculated field is no primary key and has no defaultValue; remove ${primaryKey ? "primaryKey" : "defaultValue"}`,
    );
  }
  const immutable = readFlag(entries, "immutable", place, false);
  if (generated !== null && immutable)
    throw invalid(`${place}.immutable`, "a calculated field follows the others; remove it");
  const allowNull = readFlag(entries, "allowNull", place, null);
  if (primaryKey && allowNull === true)
    throw invalid(`${place}.allowNull`, "a primary key is never null; remove it");
  return {
    ...shape,
    name,
    primaryKey,
    // A generated number is never null in PostgreSQL.
    allowNull: !primaryKey && fallback?.kind !== "autoincrement" && (allowNull ?? true),
    unique: !primaryKey && readUnique(entries, shape, place),
    perTenant: false,
    immutable,
    default: fallback,
    validate: readRules(entries.get("validate"), shape, `${place}.validate`),
    hidden,
    lowerCase: false,
    generated,
    managed: generated === null ? null : "generated",
    description: readWords(entries, "description", place) ?? readWords(entries, "comment", place),
  };
}

function readUnique(entries: Entries, shape: FieldShape, place: string): boolean {
  const unique = readFlag(entries, "unique", place, false);
  if (unique && (isJson(shape) || isSpatial(shape)))
    throw invalid(`${place}.unique`, `${shape.type} values cannot be unique; use another type`);
  return unique;
}

/** The expression as it was written; `define.ts` reads it, as it names other fields. */
function readCalculated(entries: Entries, { type }: FieldShape, place: string): string | null {
  const expression = readWords(entries, "calculated", place);
  if (expression === null && type === "VIRTUAL") {
    throw invalid(
      `${place}.calculated`,
      `a VIRTUAL field needs an SQL expression over other fields, such as "firstName" || ' ' || "lastName"`,
    );
  }
  return expression;
}

function readShape(entries: Entries, place: string): FieldShape {
  const written = entries.get("type");
  const at = `${place}.type`;
  if (typeof written !== "string") {
    throw invalid(at, `expected one of ${fieldTypeNames.join(", ")}, got ${showValue(written)}`);
  }
  const found = readTypeName(written);
  if (!found) {
    const hint = suggestion(written, fieldTypeNames) || `; known are ${fieldTypeNames.join(", ")}`;
    throw invalid(at, `unknown type ${showValue(written)}${hint}`);
  }
  return readSizes(found, entries.get("values"), place);
}

function readSizes(
  { type, items }: { readonly type: FieldType; readonly items: FieldType | null },
  values: unknown,
  place: string,
): FieldShape {
  const at = `${place}.values`;
  const plain = bareShape(type);
  if (type === "Enum") return { ...plain, values: readMembers(values, at) };
  if (type === "Array" || type === "Range") return readItemSizes(type, items, values, place);
  if (isSpatial(plain)) return { ...plain, srid: readSrid(values, at) };
  if (values === undefined || values === null) return plain;
  if (type === "String") {
    const sizes = readObject(values, at, ["length", "stringLength"]);
    const length =
      readCount(sizes, "length", at, 1, longestText) ?? readCount(sizes, "stringLength", at, 1, longestText);
    return { ...plain, length };
  }
  if (type === "Decimal") return { ...plain, ...readPrecision(values, at) };
  throw invalid(at, `${type} takes no values; String takes {"length"}, Decimal {"precision", "scale"}`);
}

function readPrecision(values: unknown, at: string): Pick<FieldShape, "precision" | "scale"> {
  const sizes = readObject(values, at, ["precision", "scale"]);
  const precision = readCount(sizes, "precision", at, 1, 1000);
  const scale = readCount(sizes, "scale", at, 0, precision ?? 1000);
  if (precision === null && scale !== null) {
    throw invalid(`${at}.precision`, 'scale needs a precision, such as {"precision": 10, "scale": 2}');
  }
  return { precision, scale: precision === null ? null : (scale ?? 0) };
}

/** The highest number that PostGIS allows. */
const highestSrid = 999_999;

function readSrid(values: unknown, at: string): number {
  if (values === undefined || values === null) return defaultSrid;
  const sizes = readObject(values, at, ["srid"]);
  return readCount(sizes, "srid", at, 1, highestSrid) ?? defaultSrid;
}

function readItemSizes(
  holder: "Array" | "Range",
  named: FieldType | null,
  values: unknown,
  place: string,
): FieldShape {
  const at = `${place}.values`;
  const held = heldTypeNames(holder);
  const entries =
    values === undefined || values === null
      ? new Map<string, unknown>()
      : readObject(values, at, ["type", "length", "precision", "scale", "values"]);
  const written = entries.get("type");
  const found = typeof written === "string" ? readTypeName(written) : null;
  const items = named ?? found?.type ?? null;
  if (items === null || !held.includes(items) || (named !== null && found !== null && named !== found.type)) {
    throw invalid(
      `${at}.type`,
      `expected the type of the ${holder === "Array" ? "items" : "bounds"}, such as {"type": "${holder === "Array" ? "String" : "Date"}"}; one of ${held.join(", ")}` +
        (written === undefined ? "" : `; got ${showValue(written)}`),
    );
  }
  const sizes = Object.fromEntries([...entries].filter(([key]) => key !== "type"));
  const item = readSizes(
    { type: items, items: null },
    items === "Enum" ? (sizes.values ?? null) : Object.keys(sizes).length === 0 ? null : sizes,
    place,
  );
  return { ...item, type: holder, items };
}

function readMembers(values: unknown, at: string): readonly string[] {
  const listed =
    typeof values === "object" && values !== null && !Array.isArray(values)
      ? readObject(values, at, ["values"]).get("values")
      : values;
  const members = readList(listed, at, 1000);
  if (members === null || members.length === 0) {
    throw invalid(at, 'an Enum needs its values, such as ["draft", "published"]');
  }
  const texts = members.map((member, index) => {
    if (typeof member !== "string" || member === "" || member.length > 255) {
      throw invalid(`${at}[${index}]`, `expected text of 1 to 255 characters, got ${showValue(member)}`);
    }
    return member;
  });
  const twice = texts.find((text, index) => texts.indexOf(text) !== index);
  if (twice !== undefined) throw invalid(at, `${showValue(twice)} is named twice`);
  return texts;
}

const generators = {
  UUIDV4: "uuid",
  SUID: "suid",
  NOW: "now",
  AUTOINCREMENT: "autoincrement",
  SQL: "sql",
} as const;
const generatorNames = Object.keys(generators) as (keyof typeof generators)[];

function readDefault(entries: Entries, shape: FieldShape, place: string): FieldDefault | null {
  const key = entries.has("defaultValue") ? "defaultValue" : "default";
  const at = `${place}.${key}`;
  if (entries.has("defaultValue") && entries.has("default")) {
    throw invalid(`${place}.default`, "the same as defaultValue; give one of them");
  }
  const value = entries.get(key);
  if (value === undefined || value === null) return null;
  if ((value === "now()" || value === "now") && generatedDefaults(shape).includes("now"))
    return { kind: "now" };
  if (typeof value === "object" && !Array.isArray(value)) {
    const named = readObject(value, at, null);
    if (typeof named.get("type") === "string") return readGenerator(named, shape, at);
    if (named.size === 1 && named.has("value")) return readStatic(named.get("value"), shape, at);
  }
  return readStatic(value, shape, at);
}

function readGenerator(named: Entries, shape: FieldShape, at: string): FieldDefault {
  const written = String(named.get("type"));
  const name = generatorNames.find((known) => known === written.toUpperCase());
  if (!name) {
    const hint = suggestion(written, generatorNames) || `; known are ${generatorNames.join(", ")}`;
    throw invalid(
      `${at}.type`,
      `unknown default ${showValue(written)}${hint} (a fixed value goes into {"value": …})`,
    );
  }
  const kind = generators[name];
  readObject(Object.fromEntries(named), at, kind === "sql" ? ["type", "value"] : ["type"]);
  if (kind === "sql") return { kind, expression: readWords(named, "value", at) ?? "" };
  if (!generatedDefaults(shape).includes(kind)) {
    const fitting = fieldTypeNames.filter(
      (type) =>
        type !== "Array" &&
        type !== "Range" &&
        generatedDefaults({ ...shape, type, items: null }).includes(kind),
    );
    throw invalid(at, `${name} suits ${fitting.join(", ")}; this field is ${shape.type}`);
  }
  return { kind };
}

function readStatic(value: unknown, shape: FieldShape, at: string): FieldDefault | null {
  if (value === null) return null;
  try {
    const wire = toWire(value, shape);
    // The text of PostGIS is not read back; GeoJSON is.
    return { kind: "static", value: isSpatial(shape) ? value : wire };
  } catch (error) {
    if (error instanceof AppError) throw invalid(at, error.message);
    throw error;
  }
}
