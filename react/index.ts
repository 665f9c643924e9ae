export { useAuth, type UseAuthResult } from "./auth";
export { useIsConnected } from "./connection";
export {
  type InfiniteReadOptions,
  type ItemOptions,
  type LiveOption,
  type ReadOptions,
  useAggregate,
  useCount,
  useInfiniteItems,
  useItem,
  useItems,
} from "./items";
export { baasixKeys, type CanonicalQuery, type KeyScope } from "./keys";
export {
  type UpdateVariables,
  useCreateItem,
  useDeleteItem,
  useUpdateItem,
  type WriteOptions,
} from "./mutations";
export { BaasixProvider, type BaasixProviderProps, useBaasix } from "./provider";
export {
  aggregateQuery,
  type AggregateQueryOptions,
  type AnyBaasix,
  countQuery,
  type CountQueryOptions,
  infiniteItemsQuery,
  type InfiniteItemsQueryOptions,
  itemQuery,
  type ItemQueryOptions,
  itemsQuery,
  type ItemsQueryOptions,
} from "./queries";
export * from "./register";
