/** Gives the client to the hooks below, and takes what one user read out of the cache before the next is there. */
import type { Baasix, MeResult } from "@baasix/sdk";
import { QueryClient, QueryClientContext, QueryClientProvider } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { baasixKeys, isOwnKey } from "./keys";
import type { AnyBaasix } from "./queries";
import type { RegisteredCollections } from "./register";

const BaasixContext = createContext<AnyBaasix | null>(null);

/** Properties of the provider. */
export type BaasixProviderProps = {
  readonly client: AnyBaasix;
  /** Default: that of a QueryClientProvider above, else one of its own. */
  readonly queryClient?: QueryClient;
  readonly children?: ReactNode;
};

/** Puts a client at the disposal of the hooks below it. */
export function BaasixProvider({ client, queryClient, children }: BaasixProviderProps): ReactNode {
  const above = useContext(QueryClientContext);
  const [own] = useState(() => new QueryClient());
  const cache = queryClient ?? above ?? own;
  useEffect(() => keepToIdentity(client, cache), [client, cache]);
  return (
    <BaasixContext.Provider value={client}>
      <QueryClientProvider client={cache}>{children}</QueryClientProvider>
    </BaasixContext.Provider>
  );
}

/** The client of the provider above. @throws Error without one */
export function useBaasix(): Baasix<RegisteredCollections> {
  const client = useContext(BaasixContext);
  if (!client) throw new Error("useBaasix needs a <BaasixProvider client={...}> above it");
  // The provider takes any client; `Register` says what its collections are.
  return client as Baasix<RegisteredCollections>;
}

/** Whenever another identity is signed in: removes queries and mutations of all others. Returns how to stop. */
export function keepToIdentity(client: AnyBaasix, cache: QueryClient): () => void {
  const removeOthers = () => {
    if (client.auth.state.isLoading) return;
    const other = (key: readonly unknown[] | undefined) => isOwnKey(client, key) === false;
    const stale = { predicate: ({ queryKey }: { queryKey: readonly unknown[] }) => other(queryKey) };
    void cache.cancelQueries(stale);
    cache.removeQueries(stale);
    for (const mutation of cache.getMutationCache().getAll()) {
      if (other(mutation.options.mutationKey)) cache.getMutationCache().remove(mutation);
    }
  };
  removeOthers();
  return client.auth.onStateChange((event) => {
    removeOthers();
    // The same user again, but perhaps with other rights.
    if (event === "SIGNED_IN" || event === "TENANT_SWITCHED")
      void cache.invalidateQueries({ queryKey: baasixKeys.user(client) });
    const { user, tenant } = client.auth.state;
    if (event === "USER_UPDATED" && user)
      cache.setQueryData<MeResult | null>(
        baasixKeys.session(client),
        (session) => session && { ...session, user, tenant },
      );
  });
}
