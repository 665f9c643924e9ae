/** Where a sign-in leads: into one tenant or into none, with the roles that count there and may be used from there. */
import type { Tenant } from "@baasix/types";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { belongsTo, createRoleFilter, type HeldRole, type Membership, membershipsOf, rolesIn } from "./roles";

const naming = system("who acts in a tenant is told its name");

/** Settings; `Config` fits. */
export type TenantConfig = {
  readonly MULTI_TENANT: boolean;
  /** The role of who founds a tenant, by name; undefined: that of new accounts. */
  readonly TENANT_OWNER_ROLE?: string | undefined;
  readonly DEFAULT_ROLE_REGISTERED: string;
};

/** `roles`: the one that the account has had longest first; with tenants there may be none. */
export type Entry = { readonly tenant: Tenant | null; readonly roles: readonly HeldRole[] };

/** A tenant by its id; null: in none; undefined: where the account comes in when nobody says. */
export type AskedTenant = string | null | undefined;

/**
 * The entry of an account, from a network address: to be asked once it has proven who it is. When nobody says where, the oldest
 * membership says, of those whose roles may be used from there. Without `MULTI_TENANT` what is asked for says nothing.
 * @throws AppError FORBIDDEN `Access denied for specified tenant` without a membership there, whether there is such a tenant or
 * not; when no role may be used from the address; and without `MULTI_TENANT` when there is no role
 */
export async function entryOf(
  { config: { MULTI_TENANT } }: { readonly config: TenantConfig },
  rows: Data,
  user: string,
  asked: AskedTenant,
  address: string,
): Promise<Entry> {
  const memberships = await membershipsOf(rows, user);
  const tenant = MULTI_TENANT ? whereTo(memberships, asked, address) : null;
  if (!belongsTo(memberships, tenant, MULTI_TENANT)) throw notAMember();
  const roles = rolesIn(memberships, tenant, MULTI_TENANT);
  if (MULTI_TENANT && roles.length === 0) return { tenant: null, roles };
  const usable = createRoleFilter(roles)(address);
  return { tenant: await tenantOf(rows, tenant), roles: usable };
}

function whereTo(memberships: readonly Membership[], asked: AskedTenant, address: string): string | null {
  if (asked !== undefined) return asked?.toLowerCase() ?? null;
  const counting = memberships.filter(({ role, tenant }) => role.isTenantSpecific === (tenant !== null));
  if (counting.length === 0) return null;
  const usable = createRoleFilter(counting.map(({ role }) => role))(address).map(({ id }) => id);
  return counting.find(({ role }) => usable.includes(role.id))?.tenant ?? null;
}

/** The tenant with an id, or null. */
export async function tenantOf(rows: Data, id: string | null): Promise<Tenant | null> {
  if (id === null) return null;
  const found = await rows.find<Tenant>(naming, "baasix_Tenant", {
    filter: { id: { eq: id } },
    fields: ["id", "name"],
    limit: 1,
  });
  return found[0] ?? null;
}

/** The refusal of a tenant that the account is no member of. */
export function notAMember(): AppError {
  return new AppError("FORBIDDEN", "Access denied for specified tenant");
}
