/**
 * What `searchable` of a definition means: the fields that a search looks into, the indexes that serve it, and the SQL
 * that both the index and the search are written with. They must be the same text, or PostgreSQL finds no index.
 */
import { quoteName } from "../query/statement";
import { type FieldShape, supports } from "./fields";
import type { Field, Index, SearchIndex } from "./model";
import { invalid, nameOf } from "./names";
import { type Entries, readFlag, readList, readObject } from "./readers";

const mostFields = 32;
const otherTypes: readonly string[] = ["UUID", "Integer", "BigInt"];

/** True for a field that a search can look into: text, and what people look up by its text, such as an id or a number. */
export function isSearchable(field: FieldShape): boolean {
  return supports(field, "text") || otherTypes.includes(field.type);
}

/** The fields that a search looks into when neither the request nor the definition names any. */
export function defaultSearchFields(fields: Iterable<Field>): readonly Field[] {
  return [...fields].filter((field) => !field.hidden && (supports(field, "text") || field.type === "UUID"));
}

/**
 * Reads `searchable`: `true` (every text field), a list of fields, or `{fields, fuzzy}`. Null: no index.
 * @throws AppError INVALID_SCHEMA
 */
export function readSearchable(
  entries: Entries,
  fields: ReadonlyMap<string, Field>,
  place: string,
): SearchIndex | null {
  const value = entries.get("searchable");
  const at = `${place}.searchable`;
  if (Array.isArray(value)) return { fields: readFields(value, fields, at), fuzzy: false };
  if (typeof value !== "object" || value === null) {
    return readFlag(entries, "searchable", place, false)
      ? { fields: allText(fields, at), fuzzy: false }
      : null;
  }
  const detail = readObject(value, at, ["fields", "fuzzy"]);
  const named = readList(detail.get("fields"), `${at}.fields`, mostFields);
  return {
    fields: named === null ? allText(fields, at) : readFields(named, fields, `${at}.fields`),
    fuzzy: readFlag(detail, "fuzzy", at, false),
  };
}

function allText(fields: ReadonlyMap<string, Field>, at: string): readonly string[] {
  const names = [...fields.values()]
    .filter((field) => !field.hidden && supports(field, "text"))
    .map(({ name }) => name);
  if (names.length === 0) throw invalid(at, "the collection has no text field; name the fields to search");
  return checkCount(names, at);
}

function readFields(
  list: readonly unknown[],
  fields: ReadonlyMap<string, Field>,
  at: string,
): readonly string[] {
  if (list.length === 0) throw invalid(at, "expected at least one field, or false");
  const names = list.map((name, position) => {
    const field = typeof name === "string" ? fields.get(name) : undefined;
    if (!field || field.hidden) throw invalid(`${at}[${position}]`, `'${String(name)}' is not a field here`);
    if (isSearchable(field)) return field.name;
    throw invalid(
      `${at}[${position}]`,
      `'${field.name}' is ${field.type}; a search looks into text, ${otherTypes.join(", ")}`,
    );
  });
  const twice = names.find((name, position) => names.indexOf(name) !== position);
  if (twice !== undefined) throw invalid(at, `'${twice}' is named twice`);
  return checkCount(names, at);
}

function checkCount(names: readonly string[], at: string): readonly string[] {
  if (names.length > mostFields) throw invalid(at, `at most ${mostFields} fields; name those that matter`);
  return names;
}

/** The indexes of a searchable collection. */
export function searchIndexes(collection: string, { fields, fuzzy }: SearchIndex): readonly Index[] {
  const words: Index = { name: nameOf.search(collection), fields, unique: false, kind: "search" };
  return fuzzy ? [words, { ...words, name: nameOf.fuzzySearch(collection), kind: "fuzzy" }] : [words];
}

/** What a search index is made on, after `create index … on table`. */
export function searchIndexBody({ fields, kind }: Index): string {
  const columns = fields.map(quoteName);
  return kind === "fuzzy"
    ? `using gin (${columns.map((column) => `(${similarText(column)}) gin_trgm_ops`).join(", ")})`
    : `using gin ((${searchVector(columns)}))`;
}

/** The words of some columns as a `tsvector`; a column without a value has none. */
export function searchVector(columns: readonly string[]): string {
  return `baasix_search_vector(${columns.map((column) => `coalesce(${column}::text, '')`).join(" || ' ' || ")})`;
}

/** A column as trigrams compare it. */
export function similarText(column: string): string {
  return `baasix_likeness(${column}::text)`;
}
