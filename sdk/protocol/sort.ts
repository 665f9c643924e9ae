/** Sort orders. */
import type { ValuePath } from "./paths";
import type { GenericItem } from "./values";

/** `asc` or `desc`, in any letter case. */
export type SortDirection = "asc" | "desc" | "ASC" | "DESC";

/** One term of a sort list: `name`, `-name`, `name:desc`. */
export type SortTerm<Item = GenericItem> =
  ValuePath<Item> | `-${ValuePath<Item>}` | `${ValuePath<Item>}:${SortDirection}`;

/** The distance of a place from a point, nearest first; `target` is longitude and latitude. */
export type DistanceTerm<Item = GenericItem> = {
  readonly target: readonly [number, number];
  readonly column: ValuePath<Item>;
  readonly direction?: SortDirection;
};

/**
 * Sort order. Documented spellings: `{createdAt: "desc"}`, `["-createdAt", "name"]`, `"-createdAt,name"`,
 * `"createdAt:desc"`. Null sorts as PostgreSQL does: last ascending, first descending.
 */
export type Sort<Item = GenericItem> = SortTerms<Item> | readonly SortTerm<Item>[] | string;

type SortTerms<Item> = string extends keyof Item
  ? { readonly [path: string]: SortDirection | DistanceTerm | undefined }
  : { readonly [Path in ValuePath<Item>]?: SortDirection } & { readonly _distance?: DistanceTerm<Item> };
