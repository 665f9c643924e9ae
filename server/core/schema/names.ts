/** Which names a definition may use, and the names that we give to what belongs to a table. */
import { createHash } from "node:crypto";
import { AppError } from "../errors";
import { isPrototypeKey, showValue } from "./values";

/** Longest name that PostgreSQL keeps whole, in bytes. */
const longestName = 63;
const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const systemColumns: ReadonlySet<string> = new Set(["tableoid", "xmin", "xmax", "cmin", "cmax", "ctid"]);
const filterWords: ReadonlySet<string> = new Set(["AND", "OR", "NOT"]);

/** Names that `POST /schemas/:collection/relationships` refuses, in any letter case. */
const reservedRelations: ReadonlySet<string> = new Set(
  (
    "user group order limit offset where select insert update delete table from join left right inner outer cross " +
    "natural using on"
  ).split(" "),
);

/** An INVALID_SCHEMA error at a place of the definition. */
export function invalid(place: string, message: string): AppError {
  return new AppError("INVALID_SCHEMA", `${place}: ${message}`);
}

/**
 * Checks an identifier: letters, digits and `_`, not starting with a digit, at most 63 bytes.
 * @throws AppError INVALID_SCHEMA
 */
export function checkIdentifier(name: unknown, place: string): string {
  if (typeof name !== "string" || !identifier.test(name) || isPrototypeKey(name)) {
    throw invalid(
      place,
      `expected a name of letters, digits and '_' (at most ${longestName}, not starting with a digit), got ${showValue(name)}`,
    );
  }
  return name;
}

/** True for names that belong to the server or to PostgreSQL. */
export function isReservedCollection(name: string): boolean {
  return /^(baasix|pg)_/i.test(name);
}

/** Checks the name of a user's collection; only a junction may be called `…_junction`. @throws AppError INVALID_SCHEMA */
export function checkCollectionName(name: unknown, place: string, junction: boolean): string {
  const checked = checkIdentifier(name, place);
  if (isReservedCollection(checked)) {
    throw invalid(
      place,
      `'${checked}': names that begin with 'baasix_' or 'pg_' are reserved; choose another`,
    );
  }
  if (!junction && /_junction$/i.test(checked)) {
    throw invalid(
      place,
      `'${checked}': names that end in '_junction' are those of junctions; choose another, or say "isJunction": true`,
    );
  }
  return checked;
}

/** Checks the name of a field or relation. @throws AppError INVALID_SCHEMA */
export function checkFieldName(name: unknown, place: string): string {
  const checked = checkIdentifier(name, place);
  if (systemColumns.has(checked)) {
    throw invalid(place, `'${checked}' is a system column of PostgreSQL; choose another name`);
  }
  if (filterWords.has(checked))
    throw invalid(place, `'${checked}' has a meaning in filters; choose another name`);
  return checked;
}

/** Checks the name of a relationship (or its alias) on a collection. @throws AppError INVALID_SCHEMA */
export function checkRelationName(name: unknown, collection: string, place: string): string {
  const checked = checkFieldName(name, place);
  if (reservedRelations.has(checked.toLowerCase())) {
    throw invalid(place, `'${checked}' is reserved; choose another name, such as '${checked}Ref'`);
  }
  if (checked === collection) {
    throw invalid(place, `'${checked}' is the name of the collection itself; choose another name`);
  }
  return checked;
}

/** Joins names with `_`; a result over 63 bytes is cut and made unique by a hash of the whole. */
export function joinNames(...parts: readonly string[]): string {
  const name = parts.join("_");
  if (name.length <= longestName) return name;
  const hash = createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 8);
  return `${name.slice(0, longestName - 9)}_${hash}`;
}

/** Names of what belongs to a column. They are the same at every start, so that they can be found again. */
export const nameOf = {
  primaryKey: (table: string): string => joinNames(table, "pkey"),
  unique: (table: string, column: string): string => joinNames(table, column, "key"),
  check: (table: string, column: string): string => joinNames(table, column, "values"),
  reference: (table: string, column: string): string => joinNames("fk", table, column),
  index: (table: string, columns: readonly string[]): string => joinNames(table, ...columns, "idx"),
  search: (table: string): string => joinNames(table, "searchable"),
  fuzzySearch: (table: string): string => joinNames(table, "searchable", "fuzzy"),
  sequence: (table: string, column: string): string => joinNames(table, column, "seq"),
} as const;
