/** Hooks that read items. Each is a query of TanStack Query with the key and function of `queries.ts`. */
import type { BaasixError, GenericItem, ItemId, ListResult, NameFor, Query } from "@baasix/sdk";
import {
  hashKey,
  type Query as CachedQuery,
  type QueryKey,
  type UseQueryOptions,
  type UseQueryResult,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect } from "react";
import { useAuthState } from "./auth";
import { canonicalQuery } from "./keys";
import { follow, type LiveTarget } from "./live";
import { patchItem, patchList } from "./live-patch";
import { liveView } from "./live-view";
import { useBaasix } from "./provider";
import { type AnyBaasix, itemQuery, itemsQuery } from "./queries";
import type { RegisteredItem, RegisteredName } from "./register";

/**
 * Whether changes arrive by themselves. A list that shows or is filtered by related items names their
 * collections in `also`: a change there means reading again.
 */
export type LiveOption = boolean | { readonly also: readonly string[] };

/** All options of `useQuery` but those that are given already, and `live`. */
export type ReadOptions<Data, Selected> = Omit<
  UseQueryOptions<Data, BaasixError, Selected>,
  "queryKey" | "queryFn" | "queryHash" | "queryKeyHashFn"
> & { readonly live?: LiveOption };

/** Options of `useItem`. `primaryKey` (default `id`) is the field that `live` finds the item by. */
export type ItemOptions<Item, Selected> = ReadOptions<Item, Selected> & {
  readonly fields?: Query<Item>["fields"];
  readonly primaryKey?: string;
};

const none: readonly string[] = [];

/** The matching items of a collection, and how many match in all. */
export function useItems<Name extends RegisteredName, Selected = ListResult<RegisteredItem<Name>>>(
  collection: Name,
  query?: Query<RegisteredItem<Name>>,
  options?: ReadOptions<ListResult<RegisteredItem<Name>>, Selected>,
): UseQueryResult<Selected, BaasixError>;
export function useItems<Item extends object = never, Selected = ListResult<Item>>(
  collection: NameFor<Item>,
  query?: Query<NoInfer<Item>>,
  options?: ReadOptions<ListResult<NoInfer<Item>>, Selected>,
): UseQueryResult<Selected, BaasixError>;
export function useItems(
  collection: string,
  query: Query = {},
  options: ReadOptions<ListResult<GenericItem>, unknown> = {},
): UseQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = itemsQuery<GenericItem>(client, collection, query);
  return useRead(client, read, options, (also) => {
    const asked = canonicalQuery(query);
    return {
      queryKey: read.queryKey,
      collection,
      view: liveView(asked),
      also,
      patch: (data, change, primaryKey) =>
        patchList(data as ListResult<GenericItem>, asked, change, primaryKey),
    };
  });
}

/** One item of a collection. Its error is NOT_FOUND also when it may not be seen. */
export function useItem<Name extends RegisteredName, Selected = RegisteredItem<Name>>(
  collection: Name,
  id: ItemId,
  options?: ItemOptions<RegisteredItem<Name>, Selected>,
): UseQueryResult<Selected, BaasixError>;
export function useItem<Item extends object = never, Selected = Item>(
  collection: NameFor<Item>,
  id: ItemId,
  options?: ItemOptions<NoInfer<Item>, Selected>,
): UseQueryResult<Selected, BaasixError>;
export function useItem(
  collection: string,
  id: ItemId,
  { fields, primaryKey = "id", ...options }: ItemOptions<GenericItem, unknown> = {},
): UseQueryResult<unknown, BaasixError> {
  const client = useBaasix();
  const read = itemQuery<GenericItem>(client, collection, id, fields);
  return useRead(client, read, options, (also) => ({
    queryKey: read.queryKey,
    collection,
    view: liveView({ ...canonicalQuery<GenericItem>({ fields }), filter: { [primaryKey]: { eq: id } } }),
    also,
    patch: (data, change, key) => patchItem(data as GenericItem, change, key),
  }));
}

/** A query that waits until it is known who is signed in, and is followed when it is to be live. */
function useRead<Data, Key extends QueryKey>(
  client: AnyBaasix,
  read: { readonly queryKey: Key },
  { live = false, ...options }: ReadOptions<Data, unknown>,
  target: (also: readonly string[]) => LiveTarget,
): UseQueryResult<unknown, BaasixError> {
  const { isLoading } = useAuthState(client);
  const merged = {
    ...read,
    ...options,
    ...(isLoading && { enabled: false }),
    placeholderData: ownPlaceholder(read.queryKey, options.placeholderData),
  } as UseQueryOptions<Data, BaasixError, unknown>;
  const result = useQuery(merged);
  const followed = live !== false && !isLoading && options.enabled !== false;
  useFollow(client, followed ? target(typeof live === "object" ? live.also : none) : null);
  return result;
}

function useFollow(client: AnyBaasix, target: LiveTarget | null): void {
  const cache = useQueryClient();
  const hash = target && hashKey([target.queryKey, target.also]);
  useEffect(
    () => (target ? follow(client, cache, target) : undefined),
    // The hash stands for the target: it is made anew at each rendering.
    [client, cache, hash],
  );
}

/** A placeholder function (`keepPreviousData`) that is never shown what another user has read. */
function ownPlaceholder<Data>(
  queryKey: QueryKey,
  placeholder: UseQueryOptions<Data, BaasixError, unknown>["placeholderData"],
): unknown {
  if (typeof placeholder !== "function") return placeholder;
  const given = placeholder as (
    previous: Data | undefined,
    query: CachedQuery<Data, BaasixError> | undefined,
  ) => Data | undefined;
  return (previous: Data | undefined, query: CachedQuery<Data, BaasixError> | undefined) =>
    query && sameScope(query.queryKey, queryKey) ? given(previous, query) : given(undefined, undefined);
}

/** The server and the user. */
function sameScope(one: QueryKey, other: QueryKey): boolean {
  return one[1] === other[1] && one[2] === other[2];
}
