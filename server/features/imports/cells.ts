/** The columns of a CSV file: what each is called, and how its cells become values of the field's type. */
import { AppError, suggestion } from "../../core/errors";
import { isJson, isSpatial } from "../../core/schema/fields";
import type { Collection, Field } from "../../core/schema/model";
import { isPrototypeKey } from "../../core/schema/values";
import { checkJson } from "../../http";
import { type Cell, plainText } from "../items";

/** The most columns of a file: as many as a table can have. */
const mostColumns = 1600;

/** A column of the file. `read` gives the value to write of a cell; undefined: nothing is written. */
export type Column = { readonly name: string; readonly read: (cell: Cell) => unknown };

/**
 * The columns that the first row of a file names: fields, and relations (whose cells hold a key, or JSON of the related
 * items).
 * @throws AppError UNKNOWN_FIELD with the nearest name, BAD_REQUEST
 */
export function readHeader(collection: Collection, names: readonly string[]): readonly Column[] {
  if (names.length > mostColumns) {
    throw new AppError(
      "BAD_REQUEST",
      `Invalid CSV format: at most ${mostColumns} columns, got ${names.length}`,
    );
  }
  const seen = new Set<string>();
  return names.map((name, index) => {
    const place = `column ${index + 1}`;
    if (name === "") throw new AppError("BAD_REQUEST", `Invalid CSV format: ${place} has no name`);
    if (seen.has(name)) throw new AppError("BAD_REQUEST", `Invalid CSV format: '${name}' names two columns`);
    seen.add(name);
    return { name, read: readerOf(collection, name, place) };
  });
}

function readerOf(collection: Collection, name: string, place: string): Column["read"] {
  const field = isPrototypeKey(name) ? undefined : collection.fields.get(name);
  if (field && !field.hidden) return field.managed === "deletedAt" ? readDeleted : readers(field);
  if (collection.relations.has(name)) return readRelated;
  const relation = name.includes(".") ? collection.relations.get(name.split(".", 1)[0] ?? "") : undefined;
  if (relation) {
    throw new AppError(
      "UNKNOWN_FIELD",
      `${place}: '${name}' is a field of another collection; name the column '${relation.name}', with a key or JSON in its cells`,
    );
  }
  const valid = [...collection.fields.values()].filter((one) => !one.hidden).map((one) => one.name);
  const near = suggestion(name, [...valid, ...collection.relations.keys()]);
  throw new AppError("UNKNOWN_FIELD", `${place}: '${collection.name}' has no field '${name}'${near}`);
}

function readers(field: Field): Column["read"] {
  // Null is no value of such a field: an empty cell says nothing.
  const blank = !field.allowNull && field.default !== null ? undefined : null;
  if (textTypes.has(field.type)) return (cell) => (cell === null ? blank : plainText(cell));
  const read = readerByType(field);
  return (cell) => {
    const text = cell?.trim() ?? "";
    return text === "" ? blank : read(text);
  };
}

function readerByType(field: Field): (text: string) => unknown {
  if (field.type === "Array" || isSpatial(field) || isJson(field)) return readParsed;
  if (field.type === "Range") return (text) => (text.startsWith("{") ? readParsed(text) : text);
  if (field.type === "Boolean") return readSwitch;
  return (text) => text;
}

/** Types for which a cell `""` is an empty text; for all others there is nothing in it. */
const textTypes: ReadonlySet<string> = new Set(["SUID", "String", "Text", "HTML", "CiText", "TOKEN", "Enum"]);

/** JSON where it is JSON; else the text, which the field judges. */
function readParsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const switches: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  t: true,
  f: false,
  yes: true,
  no: false,
  "1": true,
  "0": false,
};

function readSwitch(text: string): unknown {
  const word = text.toLowerCase();
  return Object.hasOwn(switches, word) ? switches[word] : text;
}

/** A file with deleted items in it has no place to go; one that only names the column is like any other. */
function readDeleted(cell: Cell): unknown {
  return cell === null || cell === "" ? undefined : cell;
}

function readRelated(cell: Cell): unknown {
  const text = cell?.trim() ?? "";
  if (text === "") return null;
  if (!/^[[{]/.test(text)) return text;
  const value = readParsed(text);
  checkJson(value);
  return value;
}
