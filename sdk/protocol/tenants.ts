/** Wire shapes of tenants (organisations) as accounts meet them. All of it is for servers with `MULTI_TENANT`. */
import type { AuthMode } from "./auth";

/** An organisation, as sign-in names it. */
export type Tenant = { readonly id: string; readonly name: string };

type NamedRole = { readonly id: string; readonly name: string };

/** A tenant that the account may act in. `role`: the one that it has had longest there; `roles`: all that it has there. */
export type MemberTenant = Tenant & { readonly role: NamedRole; readonly roles: readonly NamedRole[] };

/** Answer of `GET /auth/tenants`: the tenants that the account may enter, the one that it joined first first. */
export type TenantsResult = { readonly tenants: readonly MemberTenant[] };

/** What a new tenant is made of: a name that no other has, one line of 255 characters at most. */
export type NewTenantInput = { readonly name: string };

/** Answer of `POST /auth/tenants`. The session stays where it is: `POST /auth/switch-tenant` enters the new tenant. */
export type NewTenantResult = { readonly message: string; readonly tenant: MemberTenant };

/**
 * Body of `POST /auth/switch-tenant`. Its answer is a `LoginResult`: a new session in place of the one that asked, which has
 * ended. What came by cookie is answered by cookie, whatever `authMode` says.
 */
export type SwitchTenantInput = { readonly tenant_Id: string; readonly authMode?: AuthMode };
