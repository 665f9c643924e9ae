/** The query language as it travels: plain objects that may be written by hand or made by the SDK's builder. */
import type { Filter, RelConditions } from "./filter";
import type { FieldList } from "./fields";
import type { FieldName } from "./paths";
import type { Sort } from "./sort";
import type { GenericItem } from "./values";

/** How `totalCount` comes about: counted, guessed by PostgreSQL's planner, or left out. */
export type CountMode = "exact" | "estimated" | "none";

/** Parameters that choose items: those of lists, counts, exports and aggregates. */
export type Choice<Item = GenericItem> = {
  readonly filter?: Filter<Item>;
  /** All words, also as beginnings of words and in other grammatical forms. */
  readonly search?: string;
  /** Where to search; default all text of the collection. */
  readonly searchFields?: readonly FieldName<Item>[] | string;
  /** `fuzzy` forgives mistakes of writing and answers the nearest first; default `words`. */
  readonly searchMode?: "words" | "fuzzy";
  /** `false` includes soft-deleted items of a `paranoid` collection. */
  readonly paranoid?: boolean;
};

/** Parameters of a count. */
export type CountQuery<Item = GenericItem> = Choice<Item> & { readonly count?: Exclude<CountMode, "none"> };

/**
 * Parameters of a list read. `limit` defaults to 100, at most 1,000; `-1` is the maximum. `page` starts at 1.
 * `Fields` and `Count` say what the answer holds.
 */
export type Query<
  Item = GenericItem,
  Fields extends FieldList<Item> | undefined = FieldList<Item> | undefined,
  Count extends CountMode = "exact" | "estimated",
> = Choice<Item> & {
  readonly fields?: Fields;
  readonly relConditions?: RelConditions<Item>;
  readonly sort?: Sort<Item>;
  /** Best matches of `search` first, where no `sort` is given. */
  readonly sortByRelevance?: boolean;
  readonly limit?: number;
  readonly page?: number;
  readonly offset?: number;
  /** Walks the list page by page: empty for the first page, then the `nextCursor` of the page before. */
  readonly cursor?: string;
  /** Default `exact`. */
  readonly count?: Count;
};

/**
 * Answer of a list read. `totalCount` counts the matching items before paging (a guess where `estimated`);
 * `nextCursor` is there on a walk by cursor, null behind the last page; `truncated` tells that lists of related
 * items inside were cut, as one answer holds about 10,000 rows.
 */
export type ListResult<Item, Count extends CountMode = "exact" | "estimated"> = {
  readonly data: Item[];
  readonly totalCount: Count extends "none" ? undefined : number;
  readonly estimated?: true;
  readonly nextCursor?: string | null;
  readonly truncated?: true;
};
