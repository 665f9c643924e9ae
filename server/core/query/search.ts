/** A search: the words that are looked for, and in which fields. Parsed and planned here; `compileSearch.ts` makes it SQL. */
import { AppError } from "../errors";
import type { Collection, Field, Schema } from "../schema/model";
import { defaultSearchFields, isSearchable } from "../schema/search";
import type { Search, SearchWords } from "./ast";
import { findColumn } from "./find";
import { readWritten, type WrittenReader } from "./holes";
import { isAbsent, parseFlag, textList } from "./parameters";
import type { Planned } from "./planned";
import type { Param } from "./variables";

/** Size limits of a search: characters, words, named fields. */
export const searchLimits = { length: 500, words: 32, fields: 32 } as const;

/** A field that is searched. `at` is null when nobody named it: then it is left out where it may not be read. */
export type SearchedField = {
  readonly field: Field;
  readonly at: string | null;
  readonly guard: Planned | null;
};

/**
 * A search against one schema. `words`: all of them as one parameter, `each` one by one; both empty when the text has
 * no word, and then nothing matches. `relevance`: the best matches come first.
 */
export type PlannedSearch = {
  readonly mode: Search["mode"];
  readonly words: Param;
  readonly each: readonly Param[];
  readonly fields: readonly SearchedField[];
  readonly relevance: boolean;
};

/**
 * Reads `search`, `searchFields`, `searchMode` and `sortByRelevance`. Null: no search. Whatever is neither letter nor
 * digit separates words.
 * @throws AppError INVALID_QUERY, QUERY_TOO_COMPLEX
 */
export function parseSearch(query: Readonly<Record<string, unknown>>): Search | null {
  const mode = parseMode(query.searchMode);
  const wanted = parseFlag(query.sortByRelevance, "sortByRelevance", null);
  const words = readWritten(query.search, wordsReader);
  if (words === null) return null;
  const sorted = !isAbsent(query.sort);
  const walks = query.cursor !== undefined && query.cursor !== null;
  if (wanted === true && walks && !sorted) {
    throw new AppError(
      "INVALID_QUERY",
      "sortByRelevance: a walk by cursor goes along fields; give a sort, or use page",
    );
  }
  return {
    mode,
    words,
    fields: isAbsent(query.searchFields) ? null : parseFields(query.searchFields),
    relevance: !sorted && !walks && (wanted ?? mode === "fuzzy"),
  };
}

/** Null: nothing is searched for. How many words there are decides the SQL. */
const wordsReader: WrittenReader<SearchWords | null> = {
  read: readWords,
  split: (words) => {
    if (words === null) return { form: "none", texts: [] };
    const texts = [words.all, ...words.each].flatMap((param) =>
      param.kind === "value" && param.text !== null ? [param.text] : [],
    );
    return { form: String(words.each.length), texts };
  },
  join: (_, [all, ...each]) => (all === undefined ? null : { all, each }),
};

function readWords(value: unknown): SearchWords | null {
  const text = readText(value);
  if (text === null) return null;
  const words = text.normalize("NFC").match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  if (words.length > searchLimits.words) {
    throw new AppError("QUERY_TOO_COMPLEX", `search: at most ${searchLimits.words} words`);
  }
  return {
    all: { kind: "value", text: words.join(" ") },
    each: words.map((word) => ({ kind: "value", text: word })),
  };
}

function parseMode(value: unknown): Search["mode"] {
  if (isAbsent(value)) return "words";
  if (value === "words" || value === "fuzzy") return value;
  throw new AppError("INVALID_QUERY", "searchMode: expected words or fuzzy");
}

function readText(value: unknown): string | null {
  if (isAbsent(value)) return null;
  if (typeof value !== "string" && typeof value !== "number") {
    throw new AppError("INVALID_QUERY", "search: expected one text");
  }
  const text = String(value).trim();
  if (text.length > searchLimits.length) {
    throw new AppError("QUERY_TOO_COMPLEX", `search: at most ${searchLimits.length} characters`);
  }
  return text === "" ? null : text;
}

function parseFields(value: unknown): NonNullable<Search["fields"]> {
  const names = [...new Set(textList(value, "searchFields"))];
  if (names.length === 0 || names.length > searchLimits.fields) {
    throw new AppError("INVALID_QUERY", `searchFields: expected 1 to ${searchLimits.fields} fields`);
  }
  return names.map((name, i) => ({ name, at: `searchFields[${i}]` }));
}

/** Resolves a search. @throws AppError UNKNOWN_FIELD, INVALID_QUERY */
export function planSearch(schema: Schema, collection: Collection, search: Search): PlannedSearch {
  if (search.mode === "fuzzy" && !schema.extensions.has("pg_trgm")) {
    throw new AppError(
      "INVALID_QUERY",
      "searchMode: fuzzy needs the extension pg_trgm, which this database does not have",
    );
  }
  const fields =
    search.fields?.map(({ name, at }) => ({ field: searchedField(collection, name, at), at, guard: null })) ??
    searchedByDefault(collection).map((field) => ({ field, at: null, guard: null }));
  return {
    mode: search.mode,
    words: search.words.all,
    each: search.words.each,
    fields,
    relevance: search.relevance,
  };
}

function searchedByDefault({ searchable, fields }: Collection): readonly Field[] {
  if (searchable === null) return defaultSearchFields(fields.values());
  return searchable.fields.flatMap((name) => fields.get(name) ?? []);
}

function searchedField(collection: Collection, name: string, at: string): Field {
  if (name.includes(".")) {
    throw new AppError(
      "INVALID_QUERY",
      `${at}: a search looks into the fields of '${collection.name}' itself; filter by '${name}' instead`,
    );
  }
  const field = findColumn(collection, name, at);
  if (isSearchable(field)) return field;
  throw new AppError(
    "INVALID_QUERY",
    `${at}: '${name}' is ${field.type}; a search looks into text, UUID, Integer and BigInt`,
  );
}
