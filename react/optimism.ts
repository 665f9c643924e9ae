/** Shows a change before the server has confirmed it, and takes it back, item by item, when it refuses. */
import type { CountMode, GenericItem, ItemId, ListResult } from "@baasix/sdk";
import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import { baasixKeys, type KeyScope } from "./keys";

/** Takes back what was shown ahead, as far as nothing newer has come in its place. */
export type Undo = () => void;

/** An item in the cached lists and items of the user who is signed in. */
export type CachedPlace = {
  readonly cache: QueryClient;
  readonly scope: KeyScope;
  readonly collection: string;
  readonly primaryKey: string;
};

/** Puts the new values of an item wherever the cache shows it. */
export function showUpdate(place: CachedPlace, id: ItemId, change: GenericItem): Undo {
  const undone: (() => void)[] = [];
  const edit = (item: GenericItem): GenericItem => ({ ...item, ...shownChange(item, change) });
  const restore = (item: GenericItem, before: GenericItem): GenericItem => {
    const shown = shownChange(before, change);
    const old = Object.keys(shown).filter((field) => item[field] === shown[field]);
    return { ...item, ...Object.fromEntries(old.map((field) => [field, before[field]])) };
  };
  for (const [key, pages] of cachedLists(place)) {
    const before = pages.flatMap(({ data }) => data).find((item) => isItem(place, item, id));
    if (!before) continue;
    replaceItem(place, key, id, edit);
    undone.push(() => replaceItem(place, key, id, (item) => restore(item, before)));
  }
  for (const [key, before] of cachedItems(place, id)) {
    place.cache.setQueryData(key, edit(before));
    undone.push(() =>
      place.cache.setQueryData<GenericItem>(key, (item) => (item ? restore(item, before) : undefined)),
    );
  }
  return () => undone.forEach((undo) => undo());
}

/** Takes an item from the lists that show it. */
export function showDelete(place: CachedPlace, id: ItemId): Undo {
  const undone: (() => void)[] = [];
  for (const [key, pages] of cachedLists(place)) {
    const page = pages.findIndex(({ data }) => data.some((item) => isItem(place, item, id)));
    const index = pages[page]?.data.findIndex((item) => isItem(place, item, id)) ?? -1;
    const item = pages[page]?.data[index];
    if (!item) continue;
    editLists(place, key, (list) => ({
      ...list,
      data: list.data.filter((other) => !isItem(place, other, id)),
      totalCount: shift(list.totalCount, -1),
    }));
    undone.push(() => {
      const now = listsOf(place.cache.getQueryData<CachedLists>(key));
      if (now.some(({ data }) => data.some((other) => isItem(place, other, id)))) return;
      editLists(place, key, (list, at) => ({
        ...list,
        data: at === page ? [...list.data.slice(0, index), item, ...list.data.slice(index)] : list.data,
        totalCount: shift(list.totalCount, 1),
      }));
    });
  }
  return () => undone.forEach((undo) => undo());
}

type Page = ListResult<GenericItem, CountMode>;
/** A list, or its pages. */
type CachedLists = Page | InfiniteData<Page>;

/** A total that was not counted stays so. */
function shift(total: number | undefined, by: number): number | undefined {
  return total === undefined ? undefined : total + by;
}

/** The part of a change that can be shown: fields that were read, and not ids in the place of related items. */
function shownChange(item: GenericItem, change: GenericItem): GenericItem {
  const isNested = (value: unknown) => typeof value === "object" && value !== null;
  return Object.fromEntries(
    Object.entries(change).filter(
      ([field, value]) => field in item && isNested(item[field]) === isNested(value),
    ),
  );
}

function listsOf(cached: CachedLists | undefined): readonly Page[] {
  if (cached === undefined) return [];
  const lists = "pages" in cached ? cached.pages : [cached];
  return lists.filter(({ data }) => Array.isArray(data));
}

function cachedLists({ cache, scope, collection }: CachedPlace): [QueryKey, readonly Page[]][] {
  return [baasixKeys.lists(scope, collection), baasixKeys.walks(scope, collection)].flatMap((queryKey) =>
    cache
      .getQueriesData<CachedLists>({ queryKey })
      .map(([key, cached]): [QueryKey, readonly Page[]] => [key, listsOf(cached)]),
  );
}

function cachedItems({ cache, scope, collection }: CachedPlace, id: ItemId): [QueryKey, GenericItem][] {
  return cache
    .getQueriesData<GenericItem>({ queryKey: [...baasixKeys.details(scope, collection), String(id)] })
    .filter((entry): entry is [QueryKey, GenericItem] => entry[1] !== undefined);
}

function isItem({ primaryKey }: CachedPlace, item: GenericItem, id: ItemId): boolean {
  return String(item[primaryKey]) === String(id);
}

function replaceItem(
  place: CachedPlace,
  key: QueryKey,
  id: ItemId,
  edit: (item: GenericItem) => GenericItem,
): void {
  editLists(place, key, (list) => ({
    ...list,
    data: list.data.map((item) => (isItem(place, item, id) ? edit(item) : item)),
  }));
}

function editLists({ cache }: CachedPlace, key: QueryKey, edit: (list: Page, page: number) => Page): void {
  cache.setQueryData<CachedLists>(key, (cached) => {
    // A list that is no longer cached stays so.
    if (!cached) return undefined;
    return "pages" in cached ? { ...cached, pages: cached.pages.map(edit) } : edit(cached, 0);
  });
}
