/** Hooks that read items. Each is a query of TanStack Query with the key and function of `queries.ts`. */
import type {
  AggregateQuery,
  AggregateRow,
  Aggregates,
  AnyQuery,
  BaasixError,
  CountMode,
  CountQuery,
  GenericItem,
  GroupTerm,
  ItemId,
  ListResult,
  NameFor,
  Query,
  Selected,
} from "@baasix/sdk";
import {
  type InfiniteData,
  type Query as CachedQuery,
  type QueryKey,
  useInfiniteQuery,
  type UseInfiniteQueryOptions,
  type UseInfiniteQueryResult,
  useQuery,
  useQueryClient,
  type UseQueryOptions,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useEffect } from "react";
import { useAuthState } from "./auth";
import { type AnyAggregate, canonicalQuery } from "./keys";
import { follow, type LiveTarget, mustRead, targetHash } from "./live";
import { cutIntoPages, type Pages, pagesAsOne } from "./live-pages";
import { useBaasix } from "./provider";
import {
  aggregateQuery,
  type AnyBaasix,
  countQuery,
  type Fields,
  infiniteItemsQuery,
  itemQuery,
  itemsQuery,
} from "./queries";
import type { RegisteredItem, RegisteredName } from "./register";

/** Whether the query follows the database by itself, as a live query of `@baasix/sdk`. */
export type LiveOption = boolean;

/** All options of `useQuery` but those that are given already, and `live`. */
export type ReadOptions<Data, Selected> = Omit<
  UseQueryOptions<Data, BaasixError, Selected>,
  "queryKey" | "queryFn" | "queryHash" | "queryKeyHashFn"
> & { readonly live?: LiveOption };

/** All options of `useInfiniteQuery` but those that are given already, and `live`. */
export type InfiniteReadOptions<Page, Selected> = Omit<
  UseInfiniteQueryOptions<Page, BaasixError, Selected, QueryKey, string>,
  | "queryKey"
  | "queryFn"
  | "queryHash"
  | "queryKeyHashFn"
  | "initialPageParam"
  | "getNextPageParam"
  | "getPreviousPageParam"
  | "maxPages"
> & { readonly live?: LiveOption };

/** Options of `useItem`. `primaryKey` (default `id`) is the field that `live` finds the item by. */
export type ItemOptions<Item, Wanted extends Fields<Item>, Data, Selected> = ReadOptions<Data, Selected> & {
  readonly fields?: Wanted;
  readonly primaryKey?: string;
};

/** The matching items of a collection, and how many match in all. */
export function useItems<
  Name extends RegisteredName,
  const Wanted extends Fields<RegisteredItem<Name>> = undefined,
  Count extends CountMode = "exact",
  Data = ListResult<Selected<RegisteredItem<Name>, Wanted>, Count>,
>(
  collection: Name,
  query?: Query<RegisteredItem<Name>, Wanted, Count>,
  options?: ReadOptions<ListResult<Selected<RegisteredItem<Name>, Wanted>, Count>, Data>,
): UseQueryResult<Data, BaasixError>;
export function useItems<Item extends object = never, Data = ListResult<Item>>(
  collection: NameFor<Item>,
  query?: Query<NoInfer<Item>>,
  options?: ReadOptions<ListResult<NoInfer<Item>>, Data>,
): UseQueryResult<Data, BaasixError>;
export function useItems(
  collection: string,
  query: AnyQuery = {},
  options: ReadOptions<ListResult<GenericItem, CountMode>, unknown> = {},
): UseQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = itemsQuery<GenericItem>(client, collection, query as Query);
  return useQuery(
    useReading(client, read, options, () => ({
      queryKey: read.queryKey,
      collection,
      ask: { list: canonicalQuery(query) as AnyQuery },
      dataOf: (result) => result,
    })),
  );
}

/** The matching items of a collection, page after page: `fetchNextPage` reads on. Totals are counted only where the query has a `count`. */
export function useInfiniteItems<
  Name extends RegisteredName,
  const Wanted extends Fields<RegisteredItem<Name>> = undefined,
  Count extends CountMode = "none",
  Data = InfiniteData<ListResult<Selected<RegisteredItem<Name>, Wanted>, Count>, string>,
>(
  collection: Name,
  query?: Query<RegisteredItem<Name>, Wanted, Count>,
  options?: InfiniteReadOptions<ListResult<Selected<RegisteredItem<Name>, Wanted>, Count>, Data>,
): UseInfiniteQueryResult<Data, BaasixError>;
export function useInfiniteItems<
  Item extends object = never,
  Data = InfiniteData<ListResult<Item, CountMode>, string>,
>(
  collection: NameFor<Item>,
  query?: AnyQuery<NoInfer<Item>>,
  options?: InfiniteReadOptions<ListResult<NoInfer<Item>, CountMode>, Data>,
): UseInfiniteQueryResult<Data, BaasixError>;
export function useInfiniteItems(
  collection: string,
  query: AnyQuery = {},
  options: InfiniteReadOptions<ListResult<GenericItem, CountMode>, unknown> = {},
): UseInfiniteQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = infiniteItemsQuery<GenericItem>(client, collection, query);
  const asked = canonicalQuery(query) as AnyQuery;
  const pages = useQueryClient().getQueryData<Pages>(read.queryKey)?.pages.length ?? 1;
  return useInfiniteQuery(
    useReading(client, read, options, () => ({
      queryKey: read.queryKey,
      collection,
      ask: { list: pagesAsOne(asked, pages) },
      dataOf: (result, known) => cutIntoPages(asked, result, known as Pages | undefined),
    })),
  );
}

/** One item of a collection. Its error is NOT_FOUND also when it may not be seen. */
export function useItem<
  Name extends RegisteredName,
  const Wanted extends Fields<RegisteredItem<Name>> = undefined,
  Data = Selected<RegisteredItem<Name>, Wanted>,
>(
  collection: Name,
  id: ItemId,
  options?: ItemOptions<RegisteredItem<Name>, Wanted, Selected<RegisteredItem<Name>, Wanted>, Data>,
): UseQueryResult<Data, BaasixError>;
export function useItem<Item extends object = never, Data = Item>(
  collection: NameFor<Item>,
  id: ItemId,
  options?: ItemOptions<NoInfer<Item>, Fields<NoInfer<Item>>, NoInfer<Item>, Data>,
): UseQueryResult<Data, BaasixError>;
export function useItem(
  collection: string,
  id: ItemId,
  {
    fields,
    primaryKey = "id",
    ...options
  }: ItemOptions<GenericItem, Fields<GenericItem>, GenericItem, unknown> = {},
): UseQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = itemQuery<GenericItem>(client, collection, id, fields);
  return useQuery(
    useReading(client, read, options, () => ({
      queryKey: read.queryKey,
      collection,
      ask: { list: { fields, filter: { [primaryKey]: { eq: id } }, limit: 1, count: "none" } },
      // Why there is none, only a reading of the item tells.
      dataOf: ({ data: [item] }) => item ?? mustRead,
    })),
  );
}

/** How many items of a collection match. */
export function useCount<Name extends RegisteredName, Data = number>(
  collection: Name,
  query?: CountQuery<RegisteredItem<Name>>,
  options?: ReadOptions<number, Data>,
): UseQueryResult<Data, BaasixError>;
export function useCount<Item extends object = never, Data = number>(
  collection: NameFor<Item>,
  query?: CountQuery<NoInfer<Item>>,
  options?: ReadOptions<number, Data>,
): UseQueryResult<Data, BaasixError>;
export function useCount(
  collection: string,
  query: CountQuery = {},
  options: ReadOptions<number, unknown> = {},
): UseQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = countQuery<GenericItem>(client, collection, query);
  return useQuery(
    useReading(client, read, options, () => ({
      queryKey: read.queryKey,
      collection,
      ask: { list: { ...query, limit: 0 } },
      dataOf: ({ totalCount }) => totalCount,
    })),
  );
}

/** Values that are worked out of the matching items of a collection, in all or by group. */
export function useAggregate<
  Name extends RegisteredName,
  const Values extends Aggregates<RegisteredItem<Name>>,
  const Groups extends readonly GroupTerm<RegisteredItem<Name>>[] = [],
  Exact extends boolean = false,
  Data = AggregateRow<RegisteredItem<Name>, Values, Groups, Exact>[],
>(
  collection: Name,
  query: AggregateQuery<RegisteredItem<Name>, Values, Groups, Exact>,
  options?: ReadOptions<AggregateRow<RegisteredItem<Name>, Values, Groups, Exact>[], Data>,
): UseQueryResult<Data, BaasixError>;
export function useAggregate<Item extends object = never, Data = GenericItem[]>(
  collection: NameFor<Item>,
  query: AggregateQuery<NoInfer<Item>>,
  options?: ReadOptions<GenericItem[], Data>,
): UseQueryResult<Data, BaasixError>;
export function useAggregate(
  collection: string,
  query: AnyAggregate,
  options: ReadOptions<GenericItem[], unknown> = {},
): UseQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = aggregateQuery<GenericItem>(client, collection, query as AggregateQuery);
  return useQuery(
    useReading(client, read, options, () => ({
      queryKey: read.queryKey,
      collection,
      ask: { groups: query as AggregateQuery },
      dataOf: ({ data }) => data,
    })),
  );
}

/** Options of a query that waits until it is known who is signed in, and is followed when it is to be live. */
export function useReading<Read extends { readonly queryKey: QueryKey }, Options extends Reading>(
  client: AnyBaasix,
  read: Read,
  { live = false, ...options }: Options,
  target?: () => LiveTarget,
): Read & Options {
  const { isLoading } = useAuthState(client);
  const followed = live !== false && !isLoading && options.enabled !== false;
  useFollow(client, (followed && target?.()) || null);
  return {
    ...read,
    ...options,
    ...(isLoading && { enabled: false }),
    placeholderData: ownPlaceholder(read.queryKey, options.placeholderData),
  } as unknown as Read & Options;
}

/** What is looked at of the options. */
type Reading = { readonly live?: LiveOption; readonly enabled?: unknown; readonly placeholderData?: unknown };

function useFollow(client: AnyBaasix, target: LiveTarget | null): void {
  const cache = useQueryClient();
  const hash = target && targetHash(target);
  useEffect(
    () => (target ? follow(client, cache, target) : undefined),
    // The hash stands for the target: it is made anew at each rendering.
    [client, cache, hash],
  );
}

/** A placeholder function (`keepPreviousData`) that is never shown what another user has read. */
function ownPlaceholder(queryKey: QueryKey, placeholder: unknown): unknown {
  if (typeof placeholder !== "function") return placeholder;
  return (previous: unknown, query: CachedQuery | undefined) =>
    query && queryKey.slice(0, 4).every((part, place) => query.queryKey[place] === part)
      ? placeholder(previous, query)
      : placeholder(undefined, undefined);
}
