/** What `fields` takes: names, and objects that say more about related items. */
import type { Filter } from "./filter";
import type { FieldPath, RelatedItem, RelationName } from "./paths";
import type { Sort } from "./sort";
import type { GenericItem } from "./values";

/** Which related items, with which fields (default `*`), in which order, and how many (0 to 1,000; -1 is the maximum). */
export type InnerRead<Item = GenericItem> = {
  readonly fields?: FieldList<Item>;
  readonly filter?: Filter<Item>;
  readonly sort?: Sort<Item>;
  readonly limit?: number;
};

/** Related items by relation: `{comments: {fields: ["text"], sort: "-createdAt", limit: 5}}`, or `{comments: ["text"]}`. */
export type InnerFields<Item = GenericItem> = {
  readonly [Name in RelationName<Item>]?:
    InnerRead<RelatedItem<Item[Name]>> | FieldList<RelatedItem<Item[Name]>>;
};

/** One wish of `fields`. */
export type FieldWish<Item = GenericItem> = FieldPath<Item> | InnerFields<Item>;

/** What `fields` takes: a list, or names with commas. */
export type FieldList<Item = GenericItem> = readonly FieldWish<Item>[] | string;
