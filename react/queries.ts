/** Query options for loaders, prefetching and suspense; the hooks are made of the same. No React in here. */
import {
  type Baasix,
  BaasixError,
  type ChangePayload,
  type GenericItem,
  type ItemId,
  type Items,
  type ListResult,
  type NameFor,
  type Query,
  type SubscribeOptions,
} from "@baasix/sdk";
import { type QueryKey, queryOptions } from "@tanstack/react-query";
import { baasixKeys } from "./keys";
import type { RegisteredItem, RegisteredName } from "./register";

/** What is used of a client, whatever its collections. */
export type AnyBaasix = Pick<Baasix, "url" | "auth"> & {
  readonly items: <Item extends object = never>(collection: NameFor<Item>) => Items<Item>;
  readonly realtime: Pick<Baasix["realtime"], "isConnected" | "onConnectionChange"> & {
    readonly subscribe: <Item extends object = never>(
      collection: NameFor<Item>,
      options: SubscribeOptions<NoInfer<Item>>,
      callback: (payload: ChangePayload<NoInfer<Item>>) => void,
    ) => () => void;
  };
};

/** A read of a list or an item: key and function. */
export type ItemRead<Data> = {
  readonly queryKey: QueryKey;
  readonly queryFn: (context: { readonly signal: AbortSignal }) => Promise<Data>;
  readonly retry: (failures: number, error: BaasixError) => boolean;
};

/** Runs `work` if `identity` is still the one signed in, so that nobody's answer comes under another's key. */
export function asIdentity<Result>(
  client: Pick<AnyBaasix, "auth">,
  identity: string | null,
  work: () => Promise<Result>,
): Promise<Result> {
  if (client.auth.state.identity === identity) return work();
  return Promise.reject(
    new BaasixError("The user signed out or changed", { status: 0, code: "SESSION_CHANGED" }),
  );
}

/** Another try only for what may pass. */
export function retryRetryable(failures: number, error: BaasixError): boolean {
  return error instanceof BaasixError && error.isRetryable && failures < 3;
}

/** Options of a list read as the user who is signed in now. */
export function itemsQuery<Name extends RegisteredName>(
  client: AnyBaasix,
  collection: Name,
  query?: Query<RegisteredItem<Name>>,
): ItemsQueryOptions<RegisteredItem<Name>>;
export function itemsQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  query?: Query<NoInfer<Item>>,
): ItemsQueryOptions<Item>;
export function itemsQuery(client: AnyBaasix, collection: string, query: Query = {}) {
  const { identity } = client.auth.state;
  return listOptions<GenericItem>({
    queryKey: baasixKeys.list(client, collection, query),
    queryFn: ({ signal }) =>
      asIdentity(client, identity, () => client.items<GenericItem>(collection).find(query, { signal })),
    retry: retryRetryable,
  });
}

/** Options of reading one item as the user who is signed in now. */
export function itemQuery<Name extends RegisteredName>(
  client: AnyBaasix,
  collection: Name,
  id: ItemId,
  fields?: Query<RegisteredItem<Name>>["fields"],
): ItemQueryOptions<RegisteredItem<Name>>;
export function itemQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  id: ItemId,
  fields?: Query<NoInfer<Item>>["fields"],
): ItemQueryOptions<Item>;
export function itemQuery(client: AnyBaasix, collection: string, id: ItemId, fields?: Query["fields"]) {
  const { identity } = client.auth.state;
  return oneOptions<GenericItem>({
    queryKey: baasixKeys.detail(client, collection, id, fields),
    queryFn: ({ signal }) =>
      asIdentity(client, identity, () =>
        client.items<GenericItem>(collection).findOne(id, { fields, signal }),
      ),
    retry: retryRetryable,
  });
}

// `queryOptions` marks the key with the type of its data, for `queryClient.getQueryData`.
const listOptions = <Item>(read: ItemRead<ListResult<Item>>) =>
  queryOptions<ListResult<Item>, BaasixError>(read);
const oneOptions = <Item>(read: ItemRead<Item>) => queryOptions<Item, BaasixError>(read);

/** What `itemsQuery` gives. */
export type ItemsQueryOptions<Item> = ReturnType<typeof listOptions<Item>>;

/** What `itemQuery` gives. */
export type ItemQueryOptions<Item> = ReturnType<typeof oneOptions<Item>>;
