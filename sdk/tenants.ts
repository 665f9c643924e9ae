/** The organisations that an account is a member of, on servers with `MULTI_TENANT`. */
import type {
  AuthMode,
  LoginResult,
  MemberTenant,
  NewTenantInput,
  NewTenantResult,
  SwitchTenantInput,
  TenantsResult,
} from "@baasix/types";
import type { CallOptions, Http } from "./http";
import type { Session } from "./session";

/** What the calls need. */
export type TenantParts = { readonly http: Http; readonly session: Session; readonly authMode: AuthMode };

/** The calls. */
export function createTenants({ http, session, authMode }: TenantParts) {
  return {
    /** The tenants that the account may enter, the one that it joined first first. */
    async getTenants(options?: CallOptions): Promise<readonly MemberTenant[]> {
      return (await http<TenantsResult>({ ...options, path: "/auth/tenants" })).tenants;
    },
    /** Founds a tenant; `switchTenant` enters it. @throws BaasixError UNIQUE_VIOLATION, FORBIDDEN */
    async createTenant(body: NewTenantInput, options?: CallOptions): Promise<MemberTenant> {
      return (await http<NewTenantResult>({ ...options, method: "POST", path: "/auth/tenants", body }))
        .tenant;
    },
    /**
     * Enters a tenant: this client, and the other pages that share its session, go on with a session there, and the one
     * before has ended. Requests under way fail with SESSION_CHANGED.
     * @throws BaasixError FORBIDDEN for one that the account is no member of
     */
    switchTenant: (tenantId: string, options?: CallOptions): Promise<LoginResult> =>
      http({
        ...options,
        method: "POST",
        path: "/auth/switch-tenant",
        body: { tenant_Id: tenantId, authMode } satisfies SwitchTenantInput,
        within: (work) => session.swap(work, true),
      }),
  };
}
