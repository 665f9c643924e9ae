export { useAuth, type UseAuthResult } from "./auth";
export { useIsConnected } from "./connection";
export { type ItemOptions, type LiveOption, type ReadOptions, useItem, useItems } from "./items";
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
  type AnyBaasix,
  itemQuery,
  type ItemQueryOptions,
  itemsQuery,
  type ItemsQueryOptions,
} from "./queries";
export * from "./register";
