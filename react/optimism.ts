/** Shows a change before the server has confirmed it, and takes it back, item by item, when it refuses. */
import type { CountMode, GenericItem, ItemId, ListResult } from "@baasix/sdk";
import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import { baasixKeys, type CanonicalQuery, type KeyScope } from "./keys";
import { same } from "./same";

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
    // The cache keeps copies of what it is given.
    const old = Object.keys(shown).filter((field) => same(item[field], shown[field]));
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
    removeItem(place, key, id);
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

const temporary = "temporary:";
let created = 0;

/** Whether an id stands for a new item that the server has not answered for yet. */
export function isTemporaryId(id: unknown): boolean {
  return typeof id === "string" && id.startsWith(temporary);
}

/**
 * Puts a new item at one end of lists: by default of those whose query says nothing of which items they show. `more` is what
 * is known of it beside its data.
 */
export function showCreate(
  place: CachedPlace,
  data: GenericItem,
  {
    at,
    more = {},
    lists = showsAll,
  }: {
    readonly at: "start" | "end";
    readonly more?: GenericItem;
    readonly lists?: ((query: CanonicalQuery) => boolean) | undefined;
  },
): { readonly undo: Undo; readonly confirm: (id: unknown) => void } {
  const id = temporary + ++created;
  const keys: QueryKey[] = [];
  for (const [key, pages] of cachedLists(place)) {
    const query = queryOf(key);
    const first = !query.offset && (query.page ?? 1) <= 1;
    const last = pages.at(-1);
    const whole = first && last && (last.nextCursor === null || last.data.length === last.totalCount);
    if (!(at === "start" ? first : whole) || !lists(query)) continue;
    keys.push(key);
    const other = pages.flatMap((page) => page.data)[0];
    const plain = Object.entries(data).filter(([field, value]) => fits(other?.[field], value));
    const shown = { ...Object.fromEntries(plain), ...more, [place.primaryKey]: id };
    const end = at === "start" ? 0 : pages.length - 1;
    editLists(place, key, (list, page) => ({
      ...list,
      data: page !== end ? list.data : at === "start" ? [shown, ...list.data] : [...list.data, shown],
      totalCount: shift(list.totalCount, 1),
    }));
  }
  return {
    undo: () => keys.forEach((key) => removeItem(place, key, id)),
    confirm(real) {
      for (const key of keys) replaceItem(place, key, id, (item) => ({ ...item, [place.primaryKey]: real }));
    },
  };
}

/** Ids in their new order, or one item and where it goes. */
export type Arrangement =
  readonly ItemId[] | { readonly item: ItemId; readonly to: ItemId; readonly mode?: "before" | "after" };

/** Puts items into a new order wherever a list is in that of the field `sort`. Places keep their values of it. */
export function showOrder(place: CachedPlace, arrangement: Arrangement): Undo {
  const undone: (() => void)[] = [];
  for (const [key, pages] of cachedLists(place)) {
    const [first] = queryOf(key).sort ?? [];
    if (first !== "sort:asc" && first !== "sort:desc") continue;
    const turn = (ids: readonly string[]) => (first === "sort:asc" ? ids : [...ids].reverse());
    const before = idsOf(place, pages);
    const after = turn(arrange(turn(before), arrangement));
    setOrder(place, key, after);
    undone.push(() => {
      const now = idsOf(place, listsOf(place.cache.getQueryData<CachedLists>(key)));
      if (now.join() === after.join()) setOrder(place, key, before);
    });
  }
  return () => undone.forEach((undo) => undo());
}

/** The new order of ids, as far as the arrangement is about them. */
function arrange(ids: readonly string[], arrangement: Arrangement): readonly string[] {
  if (!("item" in arrangement)) {
    const listed = [...new Set(arrangement.map(String))].filter((id) => ids.includes(id));
    let next = 0;
    return ids.map((id) => (listed.includes(id) ? (listed[next++] ?? id) : id));
  }
  const [item, to] = [String(arrangement.item), String(arrangement.to)];
  if (item === to || !ids.includes(item) || !ids.includes(to)) return ids;
  const others = ids.filter((id) => id !== item);
  const at = others.indexOf(to) + (arrangement.mode === "after" ? 1 : 0);
  return [...others.slice(0, at), item, ...others.slice(at)];
}

function setOrder(place: CachedPlace, key: QueryKey, ids: readonly string[]): void {
  const items = listsOf(place.cache.getQueryData<CachedLists>(key)).flatMap(({ data }) => data);
  const byId = new Map(items.map((item) => [String(item[place.primaryKey]), item]));
  const ordered = items.map((before, i) => {
    const item = byId.get(ids[i] ?? "") ?? before;
    return "sort" in before && "sort" in item ? { ...item, sort: before.sort } : item;
  });
  let from = 0;
  editLists(place, key, (list) => ({ ...list, data: ordered.slice(from, (from += list.data.length)) }));
}

function idsOf({ primaryKey }: CachedPlace, pages: readonly Page[]): string[] {
  return pages.flatMap(({ data }) => data.map((item) => String(item[primaryKey])));
}

function queryOf(key: QueryKey): CanonicalQuery {
  return (key.at(-1) ?? {}) as CanonicalQuery;
}

function showsAll({ filter, search }: CanonicalQuery): boolean {
  return search === undefined && (filter === undefined || filter === null);
}

type Page = ListResult<GenericItem, CountMode>;
/** A list, or its pages. */
type CachedLists = Page | InfiniteData<Page>;

/** A total that was not counted stays so. */
function shift(total: number | undefined, by: number): number | undefined {
  return total === undefined ? undefined : total + by;
}

/** The part of a change that can be shown: fields that were read, with what could have been read. */
function shownChange(item: GenericItem, change: GenericItem): GenericItem {
  return Object.fromEntries(
    Object.entries(change).filter(([field, value]) => field in item && fits(item[field], value)),
  );
}

/**
 * Whether a written value looks like the one that was read: related items are written as ids, in part, or as changes to a
 * list, and a component that shows them expects them whole. What cannot be told apart is not shown ahead.
 */
function fits(read: unknown, written: unknown): boolean {
  if (!isNested(read) || !isNested(written)) return !isNested(read) && !isNested(written);
  if (!Array.isArray(read) || !Array.isArray(written)) {
    return (
      !Array.isArray(read) && !Array.isArray(written) && Object.keys(read).every((key) => key in written)
    );
  }
  return written.every((member) => read.length > 0 && fits(read[0], member));
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null;
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

function removeItem(place: CachedPlace, key: QueryKey, id: ItemId): void {
  const lists = listsOf(place.cache.getQueryData<CachedLists>(key));
  if (!lists.some(({ data }) => data.some((item) => isItem(place, item, id)))) return;
  editLists(place, key, (list) => ({
    ...list,
    data: list.data.filter((item) => !isItem(place, item, id)),
    totalCount: shift(list.totalCount, -1),
  }));
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
