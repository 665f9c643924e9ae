/** Hooks that ask the server about who is signed in: as what, where, and what that one may do. */
import type { Action, BaasixError, MemberTenant, MeResult, Rights, SessionUser } from "@baasix/sdk";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { type ReadOptions, useReading } from "./items";
import { useBaasix } from "./provider";
import { rightsQuery, sessionQuery, tenantsQuery } from "./queries";
import { type Right, rightTo } from "./rights";

/** All options of `useQuery` but those that are given already. */
export type AccountOptions<Data, Selected> = Omit<ReadOptions<Data, Selected>, "live">;

/**
 * The session as the server sees it: user, tenant, roles. `data` is null when nobody is signed in, and there is no request
 * then. It is asked for again when it is older than 30 seconds; `useAuth` knows the user without asking.
 */
export function useSession<Data = MeResult | null>(
  options: AccountOptions<MeResult | null, Data> = {},
): UseQueryResult<Data, BaasixError> {
  const client = useBaasix();
  return useQuery(useReading(client, sessionQuery(client), options)) as UseQueryResult<Data, BaasixError>;
}

/** The user of the session, null when nobody is signed in: as it was kept on this side until the server has answered. */
export function useUser<Data = SessionUser | null>(
  options: AccountOptions<MeResult | null, Data> = {},
): UseQueryResult<Data, BaasixError> {
  const { user, tenant } = useBaasix().auth.state;
  return useSession({
    select: (session) => (session?.user ?? null) as Data,
    placeholderData: user ? { user, tenant, role: null, roles: [], permissions: [] } : undefined,
    ...options,
  });
}

/** What the one who is signed in, or the public, may do. Asked for again when it is older than 30 seconds. */
export function useRights<Data = Rights>(
  options: AccountOptions<Rights, Data> = {},
): UseQueryResult<Data, BaasixError> {
  const client = useBaasix();
  return useQuery(useReading(client, rightsQuery(client), options)) as UseQueryResult<Data, BaasixError>;
}

/** What `usePermission` gives. */
export type UsePermissionResult = Right & {
  /** True until the rights are known: nothing is allowed until then. */
  readonly isPending: boolean;
  readonly error: BaasixError | null;
};

/**
 * Whether an action on a collection (with `field`: on that column or path) may be offered; `conditional`: on some items alone.
 * All components share one request.
 */
export function usePermission(collection: string, action: Action, field?: string): UsePermissionResult {
  const { data, isPending, error } = useRights({
    select: (rights) => rightTo(rights, collection, action, field),
  });
  return { allowed: data?.allowed ?? false, conditional: data?.conditional ?? false, isPending, error };
}

/** The organisations that the account may enter; `useAuth().switchTenant` does. */
export function useTenants<Data = readonly MemberTenant[]>(
  options: AccountOptions<readonly MemberTenant[], Data> = {},
): UseQueryResult<Data, BaasixError> {
  const client = useBaasix();
  return useQuery(useReading(client, tenantsQuery(client), options)) as UseQueryResult<Data, BaasixError>;
}
