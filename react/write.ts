/** What all writing hooks share: whose write it is, its key, what is shown ahead of the answer, what is read again. */
import type { BaasixError, WriteOptions as CallOptions } from "@baasix/sdk";
import {
  type MutationFunctionContext,
  type MutationKey,
  type QueryClient,
  useMutation,
  type UseMutationOptions,
  type UseMutationResult,
  useQueryClient,
} from "@tanstack/react-query";
import { useAuthState } from "./auth";
import { baasixKeys } from "./keys";
import type { CachedPlace, Undo } from "./optimism";
import { useBaasix } from "./provider";
import { type AnyBaasix, asIdentity } from "./queries";

/** What is shown before the server has answered: how it is taken back, and what the answer changes of it. */
export type Ahead = { readonly undo: Undo; readonly confirm?: (answer: unknown) => void };

/** All options of `useMutation` but those that are given already, and what concerns the cache. */
export type MutateOptions<Data, Variables> = Omit<
  UseMutationOptions<Data, BaasixError, Variables, Ahead | undefined>,
  "mutationFn" | "mutationKey" | "onMutate"
> & {
  /** Other collections whose queries show what is written: read again too. */
  readonly also?: readonly string[];
};

/** What a writing hook gives. */
export type MutateResult<Data, Variables> = UseMutationResult<
  Data,
  BaasixError,
  Variables,
  Ahead | undefined
>;

/** A write: where it belongs, how it is made, what it shows ahead, and which collections it changes. */
export type Work<Data, Variables> = {
  readonly mutationKey: (client: AnyBaasix) => MutationKey;
  readonly run: (client: AnyBaasix, variables: Variables, options: CallOptions) => Promise<Data>;
  readonly show?: (place: Omit<CachedPlace, "collection" | "primaryKey">, variables: Variables) => Ahead;
  readonly changes: (variables: Variables) => readonly string[];
};

// TanStack Query makes one context for all tries of a `mutate`.
const keys = new WeakMap<MutationFunctionContext, string>();

/** One key for each `mutate`, the same whenever it is tried again: the write is made once. */
function keyOf(context: MutationFunctionContext): string {
  const key = keys.get(context) ?? newKey();
  keys.set(context, key);
  return key;
}

/** A UUID, as callers without an account need one. `crypto` has none on pages without TLS and in React Native. */
function newKey(): string {
  if (typeof crypto !== "undefined" && "randomUUID" in crypto) return crypto.randomUUID();
  const digit = () => Math.floor(Math.random() * 16).toString(16);
  return "00000000-0000-4000-8000-000000000000".replaceAll("0", digit);
}

/** A mutation of TanStack Query that writes as the user who is signed in now. */
export function useWrite<Data, Variables>(
  { also = [], ...options }: MutateOptions<Data, Variables>,
  { mutationKey, run, show, changes }: Work<Data, Variables>,
): MutateResult<Data, Variables> {
  const client = useBaasix();
  const cache = useQueryClient();
  const { identity } = useAuthState(client);
  const isMine = () => client.auth.state.identity === identity;
  const key = mutationKey(client);
  return useMutation<Data, BaasixError, Variables, Ahead | undefined>({
    ...options,
    mutationKey: key,
    mutationFn: (variables, context) =>
      asIdentity(client, identity, () => run(client, variables, { idempotencyKey: keyOf(context) })),
    async onMutate(variables) {
      if (!show || !isMine()) return undefined;
      // A reading under way would bring back what is about to change.
      await Promise.all(
        changes(variables).map((collection) =>
          cache.cancelQueries({ queryKey: baasixKeys.items(client, collection) }),
        ),
      );
      return show({ cache, scope: client }, variables);
    },
    onError(...args) {
      if (isMine()) args[2]?.undo();
      return options.onError?.(...args);
    },
    onSuccess(...args) {
      if (isMine()) args[2]?.confirm?.(args[0]);
      return options.onSuccess?.(...args);
    },
    onSettled(...args) {
      if (isMine()) readAgain(cache, client, key, [...changes(args[2]), ...also]);
      return options.onSettled?.(...args);
    },
  });
}

/** Reads collections again, each when its last write has settled: an earlier reading would undo what the next shows. */
function readAgain(
  cache: QueryClient,
  client: AnyBaasix,
  own: MutationKey,
  collections: readonly string[],
): void {
  for (const collection of new Set(collections)) {
    const queryKey = baasixKeys.items(client, collection);
    // The one that settles counts as long as its callbacks run.
    const settling = queryKey.every((part, i) => part === own[i]) ? 1 : 0;
    if (cache.isMutating({ mutationKey: queryKey }) > settling) continue;
    void cache.invalidateQueries({ queryKey });
  }
}
