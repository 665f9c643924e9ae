/** Shows a change before the server has confirmed it, and takes it back, item by item, when it refuses. */
import type { GenericItem, ItemId, ListResult } from "@baasix/sdk";
import type { QueryClient, QueryKey } from "@tanstack/react-query";
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
  for (const [key, list] of cachedLists(place)) {
    const before = list.data.find((item) => isItem(place, item, id));
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
  for (const [key, list] of cachedLists(place)) {
    const index = list.data.findIndex((item) => isItem(place, item, id));
    const item = list.data[index];
    if (!item) continue;
    editList(place, key, ({ data, totalCount }) => ({
      data: data.filter((other) => !isItem(place, other, id)),
      totalCount: totalCount - 1,
    }));
    undone.push(() =>
      editList(place, key, (now) =>
        now.data.some((other) => isItem(place, other, id))
          ? now
          : {
              data: [...now.data.slice(0, index), item, ...now.data.slice(index)],
              totalCount: now.totalCount + 1,
            },
      ),
    );
  }
  return () => undone.forEach((undo) => undo());
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

function cachedLists({ cache, scope, collection }: CachedPlace): [QueryKey, ListResult<GenericItem>][] {
  return cache
    .getQueriesData<ListResult<GenericItem>>({ queryKey: baasixKeys.lists(scope, collection) })
    .filter((entry): entry is [QueryKey, ListResult<GenericItem>] => Array.isArray(entry[1]?.data));
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
  editList(place, key, ({ data, totalCount }) => ({
    data: data.map((item) => (isItem(place, item, id) ? edit(item) : item)),
    totalCount,
  }));
}

function editList(
  { cache }: CachedPlace,
  key: QueryKey,
  edit: (list: ListResult<GenericItem>) => ListResult<GenericItem>,
): void {
  // A list that is no longer cached stays so.
  cache.setQueryData<ListResult<GenericItem>>(key, (list) => (list ? edit(list) : undefined));
}
