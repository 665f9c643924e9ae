/** Hooks that write items. What they change is shown at once, and read again when the server has answered. */
import type { BaasixError, GenericItem, ItemId, ItemInput, NameFor } from "@baasix/sdk";
import {
  type QueryClient,
  type UseMutationOptions,
  type UseMutationResult,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { useAuthState } from "./auth";
import { baasixKeys } from "./keys";
import { type CachedPlace, showDelete, showUpdate, type Undo } from "./optimism";
import { useBaasix } from "./provider";
import { type AnyBaasix, asIdentity } from "./queries";
import type { RegisteredItem, RegisteredName } from "./register";

/** Options of `useMutation`, and what concerns the cache. */
export type WriteOptions<Data, Variables> = Omit<
  UseMutationOptions<Data, BaasixError, Variables, Undo | undefined>,
  "mutationFn" | "mutationKey" | "onMutate"
> & {
  /** Whether updates and deletes are shown before the server has answered; default true. */
  readonly optimistic?: boolean;
  /** The field that tells items apart; default `id`. */
  readonly primaryKey?: string;
  /** Other collections whose queries show these items: read again too. */
  readonly also?: readonly string[];
};

/** What `mutate` of `useUpdateItem` takes. */
export type UpdateVariables<Item> = { readonly id: ItemId; readonly data: ItemInput<Item> };

type Result<Data, Variables> = UseMutationResult<Data, BaasixError, Variables, Undo | undefined>;

/** Creates items: `mutate(data)`; the answer is the new id. */
export function useCreateItem<Name extends RegisteredName>(
  collection: Name,
  options?: WriteOptions<ItemId, ItemInput<RegisteredItem<Name>>>,
): Result<ItemId, ItemInput<RegisteredItem<Name>>>;
export function useCreateItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: WriteOptions<ItemId, ItemInput<Item>>,
): Result<ItemId, ItemInput<Item>>;
export function useCreateItem(
  collection: string,
  options: WriteOptions<ItemId, ItemInput> = {},
): Result<ItemId, ItemInput> {
  return useWrite("create", collection, options, {
    run: (client, data) => client.items<GenericItem>(collection).create(data),
  });
}

/** Changes items: `mutate({ id, data })`. */
export function useUpdateItem<Name extends RegisteredName>(
  collection: Name,
  options?: WriteOptions<ItemId, UpdateVariables<RegisteredItem<Name>>>,
): Result<ItemId, UpdateVariables<RegisteredItem<Name>>>;
export function useUpdateItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: WriteOptions<ItemId, UpdateVariables<Item>>,
): Result<ItemId, UpdateVariables<Item>>;
export function useUpdateItem(
  collection: string,
  options: WriteOptions<ItemId, UpdateVariables<GenericItem>> = {},
): Result<ItemId, UpdateVariables<GenericItem>> {
  return useWrite("update", collection, options, {
    run: (client, { id, data }) => client.items<GenericItem>(collection).update(id, data),
    show: (place, { id, data }) => showUpdate(place, id, data),
  });
}

/** Deletes items: `mutate(id)`. */
export function useDeleteItem<Name extends RegisteredName>(
  collection: Name,
  options?: WriteOptions<void, ItemId>,
): Result<void, ItemId>;
export function useDeleteItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: WriteOptions<void, ItemId>,
): Result<void, ItemId>;
export function useDeleteItem(
  collection: string,
  options: WriteOptions<void, ItemId> = {},
): Result<void, ItemId> {
  return useWrite("delete", collection, options, {
    run: (client, id) => client.items<GenericItem>(collection).delete(id),
    show: showDelete,
  });
}

type Work<Data, Variables> = {
  readonly run: (client: AnyBaasix, variables: Variables) => Promise<Data>;
  readonly show?: (place: CachedPlace, variables: Variables) => Undo;
};

function useWrite<Data, Variables>(
  action: string,
  collection: string,
  { optimistic = true, primaryKey = "id", also = [], ...options }: WriteOptions<Data, Variables>,
  { run, show }: Work<Data, Variables>,
): Result<Data, Variables> {
  const client = useBaasix();
  const cache = useQueryClient();
  const { identity } = useAuthState(client);
  const family = baasixKeys.items(client, collection);
  const isMine = () => client.auth.state.identity === identity;
  return useMutation<Data, BaasixError, Variables, Undo | undefined>({
    ...options,
    mutationKey: [...family, action],
    mutationFn: (variables) => asIdentity(client, identity, () => run(client, variables)),
    async onMutate(variables) {
      if (!show || !optimistic || !isMine()) return undefined;
      // A reading under way would bring back what is about to change.
      await cache.cancelQueries({ queryKey: family });
      return show({ cache, scope: client, collection, primaryKey }, variables);
    },
    onError(...args) {
      if (isMine()) args[2]?.();
      return options.onError?.(...args);
    },
    onSettled(...args) {
      if (isMine()) readAgain(cache, client, [collection, ...also]);
      return options.onSettled?.(...args);
    },
  });
}

/** Reads collections again, each when its last write has settled: an earlier reading would undo what the next shows. */
function readAgain(cache: QueryClient, client: AnyBaasix, collections: readonly string[]): void {
  for (const collection of collections) {
    const queryKey = baasixKeys.items(client, collection);
    if (cache.isMutating({ mutationKey: queryKey }) > 1) continue;
    void cache.invalidateQueries({ queryKey });
  }
}
