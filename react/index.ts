export {
  type AccountOptions,
  usePermission,
  type UsePermissionResult,
  useRights,
  useSession,
  useTenants,
  useUser,
} from "./account";
export { useBroadcast, type UseBroadcastResult } from "./broadcast";
export { type SecondFactor, useAuth, type UseAuthResult } from "./auth";
export { useConnection, type UseConnectionResult, useIsConnected } from "./connection";
export {
  type GuardProps,
  RequirePermission,
  type RequirePermissionProps,
  RequireRole,
  type RequireRoleProps,
  SignedIn,
  SignedOut,
} from "./guards";
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
  type CreateOptions,
  type DeleteVariables,
  type ImportVariables,
  type OptimisticCreate,
  type ReorderVariables,
  type UpdateVariables,
  type UpsertVariables,
  useCreateItem,
  useDeleteItem,
  useImportItems,
  useReorder,
  useRestoreItem,
  useUpdateItem,
  useUpsertItem,
  type WriteOptions,
} from "./mutations";
export { type NotificationOptions, useNotifications, type UseNotificationsResult } from "./notifications";
export { isTemporaryId } from "./optimism";
export { usePresence, type UsePresenceResult } from "./presence";
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
  rightsQuery,
  sessionQuery,
  tenantsQuery,
} from "./queries";
export * from "./register";
export { type Right, rightTo } from "./rights";
export { type RoomOptions, type RoomStatus, useRoom, type UseRoomResult } from "./rooms";
export { type SubscriptionOptions, useSubscription, type UseSubscriptionResult } from "./subscription";
export { type AnyTransaction, type ResultsFor, useTransaction } from "./transaction";
export type { Ahead, MutateOptions, MutateResult } from "./write";
