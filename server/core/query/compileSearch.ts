/** A search as SQL: which rows match, and how well. */
import type { Collection } from "../schema/model";
import { searchVector, similarText } from "../schema/search";
import { column, compileCondition, type Parameters } from "./compileCondition";
import type { PlannedSearch, SearchedField } from "./search";
import { quoteName } from "./statement";

/**
 * When the words become a query. `planned`: while PostgreSQL plans, which may then choose by how often they come, and plans
 * anew for each search. `once`: while it runs, so that one plan serves all words; for what goes to the index anyway.
 */
export type WordsBecome = "planned" | "once";

/** The condition that a row of `alias` matches. */
export function compileSearch(
  search: PlannedSearch,
  collection: Collection,
  alias: string,
  parameters: Parameters,
  become: WordsBecome,
): string {
  if (search.each.length === 0 || search.fields.length === 0) return "false";
  if (search.mode === "fuzzy") return similar(search, alias, parameters);
  const query = searchQuery(search, parameters);
  const wanted = become === "once" ? `(select ${query})` : query;
  const indexed = indexedVector(search, collection, alias);
  if (indexed?.whole) return `${indexed.vector} @@ ${wanted}`;
  const own = `${searchVector(columnsOf(search, alias, parameters))} @@ ${wanted}`;
  // What is found in some of the fields is found in all of them: the index narrows, the second condition decides.
  return indexed ? `(${indexed.vector} @@ ${wanted} and ${own})` : own;
}

/** How well a row matches: a number, more is better. Earlier fields weigh more than later ones. */
export function compileRelevance(search: PlannedSearch, alias: string, parameters: Parameters): string {
  if (search.each.length === 0 || search.fields.length === 0) return "0::real";
  const columns = columnsOf(search, alias, parameters);
  if (search.mode === "fuzzy") return similarity(search, columns, parameters);
  const vectors = columns.map(
    (one, i) => `setweight(${searchVector([one])}, '${weights[i] ?? weights.at(-1)}')`,
  );
  const words = `plainto_tsquery('simple', baasix_words(${parameters.place(search.words)}::text))`;
  // In sub-selects, or a plan that serves all words would make the queries for each row.
  return `baasix_search_rank(${vectors.join(" || ")}, (select ${searchQuery(search, parameters)}), (select ${words}))`;
}

const weights = ["A", "B", "C", "D"] as const;

function searchQuery({ words }: PlannedSearch, parameters: Parameters): string {
  return `baasix_search_query(${parameters.place(words)}::text)`;
}

function columnsOf({ fields }: PlannedSearch, alias: string, parameters: Parameters): readonly string[] {
  return fields.map(({ field, guard }) => column(field, guard, alias, parameters));
}

/** The expression of the collection's index, where it holds every searched field. `whole`: and those alone, on all rows. */
function indexedVector(
  { fields }: PlannedSearch,
  { searchable }: Collection,
  alias: string,
): { readonly vector: string; readonly whole: boolean } | null {
  if (searchable === null || !fields.every(({ field }) => searchable.fields.includes(field.name)))
    return null;
  return {
    vector: searchVector(searchable.fields.map((name) => `${alias}.${quoteName(name)}`)),
    whole: fields.length === searchable.fields.length && fields.every(({ guard }) => guard === null),
  };
}

/** Every word is like a part of some field, by the trigrams that they share. */
function similar(search: PlannedSearch, alias: string, parameters: Parameters): string {
  const words = search.each.map((word) => {
    const wanted = similarText(parameters.place(word));
    const fields = search.fields.map((one) => similarField(one, wanted, alias, parameters));
    return `(${fields.join(" or ")})`;
  });
  return words.join(" and ");
}

/** A guard stands beside the comparison, not inside: the index is on the column. */
function similarField(
  { field, guard }: SearchedField,
  wanted: string,
  alias: string,
  parameters: Parameters,
): string {
  const like = `${wanted} <% ${similarText(`${alias}.${quoteName(field.name)}`)}`;
  return guard === null ? like : `(${compileCondition(guard, alias, parameters)} and ${like})`;
}

function similarity(search: PlannedSearch, columns: readonly string[], parameters: Parameters): string {
  const words = search.each.map((word) => {
    const wanted = similarText(parameters.place(word));
    const best = columns.map((one) => `word_similarity(${wanted}, ${similarText(one)})`);
    return `coalesce(greatest(${best.join(", ")}), 0)`;
  });
  return `(${words.join(" + ")})`;
}
