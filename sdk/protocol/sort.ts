/** Sort orders. */
import type { ValuePath } from "./paths";
import type { GenericItem } from "./values";

/** `asc` or `desc`, in any letter case. */
export type SortDirection = "asc" | "desc" | "ASC" | "DESC";

/** One term of a sort list: `name`, `-name`, `name:desc`. */
export type SortTerm<Item = GenericItem> =
  ValuePath<Item> | `-${ValuePath<Item>}` | `${ValuePath<Item>}:${SortDirection}`;

/**
 * Sort order. Documented spellings: `{createdAt: "desc"}`, `["-createdAt", "name"]`, `"-createdAt,name"`,
 * `"createdAt:desc"`. Null sorts as PostgreSQL does: last ascending, first descending.
 */
export type Sort<Item = GenericItem> =
  { readonly [Path in ValuePath<Item>]?: SortDirection } | readonly SortTerm<Item>[] | string;
