/** Query options for loaders, prefetching and suspense; the hooks are made of the same. No React in here. */
import {
  type AggregateQuery,
  type AggregateRow,
  type Aggregates,
  type AnyQuery,
  type Baasix,
  BaasixError,
  type ChangePayload,
  type CountMode,
  type CountQuery,
  type FieldList,
  type GenericItem,
  type GroupTerm,
  type ItemId,
  type Items,
  type ListResult,
  type LiveOptions,
  type MemberTenant,
  type MeResult,
  type NameFor,
  type Query,
  type Rights,
  type Selected,
  type StopLive,
  type StopSubscription,
  type SubscribeOptions,
  type TransactionOperation,
  type TransactionResult,
  type WriteOptions,
} from "@baasix/sdk";
import { type InfiniteData, infiniteQueryOptions, type QueryKey, queryOptions } from "@tanstack/react-query";
import { type AnyAggregate, baasixKeys } from "./keys";
import type { RegisteredItem, RegisteredName } from "./register";

/** What is used of a client, whatever its collections. */
export type AnyBaasix = Pick<Baasix, "url" | "auth"> & {
  readonly permissions: Pick<Baasix["permissions"], "me">;
  readonly notifications: Pick<Baasix["notifications"], "markAsSeen" | "delete">;
  readonly items: <Item extends object = never>(collection: NameFor<Item>) => Items<Item>;
  readonly transaction: (
    operations: readonly TransactionOperation[],
    options?: WriteOptions,
  ) => Promise<readonly TransactionResult[]>;
  readonly realtime: Pick<Baasix["realtime"], "isConnected" | "onConnectionChange"> & {
    readonly liveQuery: <Item extends object = never>(
      collection: NameFor<Item>,
      query: Query<NoInfer<Item>>,
      callback: (result: ListResult<NoInfer<Item>>) => void,
      options?: LiveOptions,
    ) => StopLive;
    readonly liveAggregate: <Item extends object = never>(
      collection: NameFor<Item>,
      query: AggregateQuery<NoInfer<Item>>,
      callback: (rows: GenericItem[]) => void,
      options?: LiveOptions,
    ) => StopLive;
    readonly subscribe: <Item extends object = never>(
      collection: NameFor<Item>,
      options: SubscribeOptions<NoInfer<Item>>,
      callback: (payload: ChangePayload<NoInfer<Item>>) => void,
    ) => StopSubscription;
  };
};

/** A read of a list or an item: key and function. */
export type ItemRead<Data> = {
  readonly queryKey: QueryKey;
  readonly queryFn: (context: { readonly signal: AbortSignal }) => Promise<Data>;
  readonly retry: (failures: number, error: BaasixError) => boolean;
};

/** Runs `work` if `identity` is still the one signed in, so that nobody acts as another. */
export async function asIdentity<Result>(
  client: Pick<AnyBaasix, "auth">,
  identity: string | null,
  work: () => Promise<Result>,
): Promise<Result> {
  ensureIdentity(client, identity);
  return work();
}

function ensureIdentity({ auth }: Pick<AnyBaasix, "auth">, identity: string | null): void {
  if (auth.state.identity === identity) return;
  throw new BaasixError("The user signed out or changed", { status: 0, code: "SESSION_CHANGED" });
}

/** The same for what is read: nobody's answer comes under another's key. */
function readingAs(client: AnyBaasix) {
  const { identity } = client.auth.state;
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = await asIdentity(client, identity, work);
    ensureIdentity(client, identity);
    return result;
  };
}

/** Another try only for what may pass. */
export function retryRetryable(failures: number, error: BaasixError): boolean {
  return error instanceof BaasixError && error.isRetryable && failures < 3;
}

/** What `fields` of a query may be. */
export type Fields<Item> = FieldList<Item> | undefined;

/** Reads as the user who is signed in now: key, function, and when to try again. */
function readAs<Data>(
  client: AnyBaasix,
  queryKey: QueryKey,
  read: (signal: AbortSignal) => Promise<Data>,
): ItemRead<Data> {
  const reading = readingAs(client);
  return {
    queryKey,
    queryFn: ({ signal }) => reading(() => read(signal)),
    retry: retryRetryable,
  };
}

/** Options of a list read as the user who is signed in now. */
export function itemsQuery<
  Name extends RegisteredName,
  const Wanted extends Fields<RegisteredItem<Name>> = undefined,
  Count extends CountMode = "exact",
>(
  client: AnyBaasix,
  collection: Name,
  query?: Query<RegisteredItem<Name>, Wanted, Count>,
): ItemsQueryOptions<Selected<RegisteredItem<Name>, Wanted>, Count>;
export function itemsQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  query?: Query<NoInfer<Item>>,
): ItemsQueryOptions<Item>;
export function itemsQuery(client: AnyBaasix, collection: string, query: AnyQuery = {}) {
  return listOptions<GenericItem, CountMode>(
    readAs(client, baasixKeys.list(client, collection, query), (signal) =>
      client.items<GenericItem>(collection).find(query, { signal }),
    ),
  );
}

/**
 * Options of a list read page after page (`limit` items each), for `useInfiniteQuery`. Totals are counted only where the
 * query has a `count`.
 */
export function infiniteItemsQuery<
  Name extends RegisteredName,
  const Wanted extends Fields<RegisteredItem<Name>> = undefined,
  Count extends CountMode = "none",
>(
  client: AnyBaasix,
  collection: Name,
  query?: Query<RegisteredItem<Name>, Wanted, Count>,
): InfiniteItemsQueryOptions<Selected<RegisteredItem<Name>, Wanted>, Count>;
export function infiniteItemsQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  query?: AnyQuery<NoInfer<Item>>,
): InfiniteItemsQueryOptions<Item, CountMode>;
export function infiniteItemsQuery(client: AnyBaasix, collection: string, query: AnyQuery = {}) {
  const reading = readingAs(client);
  const asked: AnyQuery = { count: "none", ...query };
  return pagesOptions<GenericItem, CountMode>(
    baasixKeys.walk(client, collection, asked),
    ({ pageParam: cursor, signal }) =>
      reading(() => client.items<GenericItem>(collection).find({ ...asked, cursor }, { signal })),
  );
}

/** Options of counting items as the user who is signed in now. */
export function countQuery<Name extends RegisteredName>(
  client: AnyBaasix,
  collection: Name,
  query?: CountQuery<RegisteredItem<Name>>,
): CountQueryOptions;
export function countQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  query?: CountQuery<NoInfer<Item>>,
): CountQueryOptions;
export function countQuery(client: AnyBaasix, collection: string, query: CountQuery = {}) {
  return countOptions(
    readAs(client, baasixKeys.count(client, collection, query), (signal) =>
      client.items<GenericItem>(collection).count(query, { signal }),
    ),
  );
}

/** Options of an aggregate as the user who is signed in now. */
export function aggregateQuery<
  Name extends RegisteredName,
  const Values extends Aggregates<RegisteredItem<Name>>,
  const Groups extends readonly GroupTerm<RegisteredItem<Name>>[] = [],
  Exact extends boolean = false,
>(
  client: AnyBaasix,
  collection: Name,
  query: AggregateQuery<RegisteredItem<Name>, Values, Groups, Exact>,
): AggregateQueryOptions<AggregateRow<RegisteredItem<Name>, Values, Groups, Exact>>;
export function aggregateQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  query: AggregateQuery<NoInfer<Item>>,
): AggregateQueryOptions<GenericItem>;
export function aggregateQuery(client: AnyBaasix, collection: string, query: AnyAggregate) {
  return aggregateOptions<GenericItem>(
    readAs(client, baasixKeys.aggregate(client, collection, query), (signal) =>
      client.items<GenericItem>(collection).aggregate(query as AggregateQuery, { signal }),
    ),
  );
}

/** Options of reading one item as the user who is signed in now. */
export function itemQuery<
  Name extends RegisteredName,
  const Wanted extends Fields<RegisteredItem<Name>> = undefined,
>(
  client: AnyBaasix,
  collection: Name,
  id: ItemId,
  fields?: Wanted,
): ItemQueryOptions<Selected<RegisteredItem<Name>, Wanted>>;
export function itemQuery<Item extends object = never>(
  client: AnyBaasix,
  collection: NameFor<Item>,
  id: ItemId,
  fields?: Fields<NoInfer<Item>>,
): ItemQueryOptions<Item>;
export function itemQuery(client: AnyBaasix, collection: string, id: ItemId, fields?: Query["fields"]) {
  return oneOptions<GenericItem>(
    readAs(client, baasixKeys.detail(client, collection, id, fields), (signal) =>
      client.items<GenericItem>(collection).findOne(id, { fields, signal }),
    ),
  );
}

/** Milliseconds that what one may and is counts as known: many components ask, and each would ask again. */
const accountStaleTime = 30_000;

/** Options of asking the server who is signed in, as what and where; null when nobody is. */
export const sessionQuery = (client: AnyBaasix) =>
  queryOptions<MeResult | null, BaasixError>({
    ...readAs(client, baasixKeys.session(client), async (signal) =>
      client.auth.state.isAuthenticated ? client.auth.getSession({ signal }) : null,
    ),
    staleTime: accountStaleTime,
  });

/** Options of asking what the one who is signed in may do. */
export const rightsQuery = (client: AnyBaasix) =>
  queryOptions<Rights, BaasixError>({
    ...readAs(client, baasixKeys.rights(client), (signal) => client.permissions.me({ signal })),
    staleTime: accountStaleTime,
  });

/** Options of listing the organisations that the account may enter. */
export const tenantsQuery = (client: AnyBaasix) =>
  queryOptions<readonly MemberTenant[], BaasixError>(
    readAs(client, baasixKeys.tenants(client), (signal) => client.auth.getTenants({ signal })),
  );

// `queryOptions` marks the key with the type of its data, for `queryClient.getQueryData`.
const listOptions = <Item, Count extends CountMode>(read: ItemRead<ListResult<Item, Count>>) =>
  queryOptions<ListResult<Item, Count>, BaasixError>(read);
const oneOptions = <Item>(read: ItemRead<Item>) => queryOptions<Item, BaasixError>(read);
const countOptions = (read: ItemRead<number>) => queryOptions<number, BaasixError>(read);
const aggregateOptions = <Row>(read: ItemRead<Row[]>) => queryOptions<Row[], BaasixError>(read);
const pagesOptions = <Item, Count extends CountMode>(
  queryKey: QueryKey,
  queryFn: (context: {
    readonly pageParam: string;
    readonly signal: AbortSignal;
  }) => Promise<ListResult<Item, Count>>,
) =>
  infiniteQueryOptions<
    ListResult<Item, Count>,
    BaasixError,
    InfiniteData<ListResult<Item, Count>, string>,
    QueryKey,
    string
  >({
    queryKey,
    queryFn,
    initialPageParam: "",
    getNextPageParam: ({ nextCursor }) => nextCursor,
    retry: retryRetryable,
  });

/** What `itemsQuery` gives. */
export type ItemsQueryOptions<Item, Count extends CountMode = "exact"> = ReturnType<
  typeof listOptions<Item, Count>
>;

/** What `infiniteItemsQuery` gives. */
export type InfiniteItemsQueryOptions<Item, Count extends CountMode = "none"> = ReturnType<
  typeof pagesOptions<Item, Count>
>;

/** What `itemQuery` gives. */
export type ItemQueryOptions<Item> = ReturnType<typeof oneOptions<Item>>;

/** What `countQuery` gives. */
export type CountQueryOptions = ReturnType<typeof countOptions>;

/** What `aggregateQuery` gives. */
export type AggregateQueryOptions<Row> = ReturnType<typeof aggregateOptions<Row>>;
