/** What a change does to a list or item that is on the screen: mended in place where that is certainly right. Pure. */
import type { ChangePayload, GenericItem, ListResult } from "@baasix/sdk";
import type { InfiniteData } from "@tanstack/react-query";
import type { CanonicalQuery } from "./keys";

/** The data stays, becomes other data, or must be read again. */
export type Decision =
  { readonly kind: "keep" | "read" } | { readonly kind: "patch"; readonly data: unknown };

const keep: Decision = { kind: "keep" };
const read: Decision = { kind: "read" };

/**
 * Judges a change in the view of a list. An item on the list may be replaced where it stands if nothing it is
 * sorted by has changed; it may be taken away if the list holds all there is. Where a new item belongs is the
 * database's to say (collations, ties), as is what follows a page that lost an item.
 */
export function patchList(
  list: ListResult<GenericItem>,
  { sort = [], offset = 0, page = 1 }: CanonicalQuery,
  { action, data }: Pick<ChangePayload, "action" | "data">,
  primaryKey: string,
): Decision {
  const id: unknown = data[primaryKey];
  if (id === undefined || list.truncated || !list.data.every((item) => primaryKey in item)) return read;
  const index = list.data.findIndex((item) => item[primaryKey] === id);
  const before = list.data[index];
  const whole = offset === 0 && page <= 1 && list.data.length === list.totalCount;
  if (action === "delete") {
    if (!whole) return read;
    if (!before) return keep;
    const data = list.data.filter((item) => item !== before);
    return patch({ ...list, data, totalCount: list.totalCount - 1 });
  }
  if (!before) return read;
  const after = { ...before, ...data };
  // No field stands for a distance: such a list is read again.
  const fields = sort.map((term) => (typeof term === "string" ? term.slice(0, term.lastIndexOf(":")) : ""));
  if (!fields.every((field) => field in before && same(before[field], after[field]))) return read;
  // Related lists are cut by the size of the whole answer, which a change does not know.
  if (Object.keys(data).some((field) => isRelatedList(after[field]) && !same(before[field], after[field]))) {
    return read;
  }
  return same(before, after)
    ? keep
    : patch({ ...list, data: list.data.map((item) => (item === before ? after : item)) });
}

/** Judges a change of an item that is shown by itself. */
export function patchItem(
  item: GenericItem,
  { action, data }: Pick<ChangePayload, "action" | "data">,
  primaryKey: string,
): Decision {
  if (action === "delete" || !(primaryKey in item) || item[primaryKey] !== data[primaryKey]) return read;
  return patch({ ...item, ...data });
}

/** Judges a change in the view of a list that is read page after page: as in a list where an item stays in its place. */
export function patchPages(
  all: InfiniteData<ListResult<GenericItem>>,
  query: CanonicalQuery,
  change: Pick<ChangePayload, "action" | "data">,
  primaryKey: string,
): Decision {
  const id: unknown = change.data[primaryKey];
  const index = all.pages.findIndex(({ data }) => data.some((item) => item[primaryKey] === id));
  const page = all.pages[index];
  if (change.action !== "update" || !page) return read;
  const decision = patchList(page, query, change, primaryKey);
  if (decision.kind !== "patch") return decision;
  return patch({ ...all, pages: all.pages.map((each, i) => (i === index ? decision.data : each)) });
}

/** Judges a change in the view of a count. */
export function patchCount({ action }: Pick<ChangePayload, "action">): Decision {
  return action === "update" ? keep : read;
}

function patch(data: unknown): Decision {
  return { kind: "patch", data };
}

function isRelatedList(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === "object";
}

/** Whether two values of JSON are equal. */
export function same(before: unknown, after: unknown): boolean {
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}
