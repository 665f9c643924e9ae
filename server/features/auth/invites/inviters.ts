/** Who may invite whom: judged when an invitation is made, and once more when it is accepted. */
import type { UserActor } from "../../../core/access/actor";
import { administratorRole, publicRole } from "../../../core/access/rules";
import { AppError } from "../../../core/errors";
import type { Data } from "../../../data";
import { findAccount } from "../accounts";
import { type TenantConfig as Tenants, tenantOf } from "../entry";
import { findRoleById, type HeldRole, membershipsOf, rolesIn } from "../roles";

/** Settings; `Config` fits. */
type TenantConfig = Pick<Tenants, "MULTI_TENANT">;

/** What is given: a role, in a tenant or (null) everywhere. */
export type Gift = {
  readonly role: Pick<HeldRole, "id" | "name" | "isTenantSpecific">;
  readonly tenant: string | null;
};

/**
 * The role and the tenant that are meant. A role that belongs to no tenant is given everywhere, any other one where it is
 * said, by default in the tenant of who asks.
 * @throws AppError VALIDATION_ERROR for what cannot be given; for who is no administrator FORBIDDEN, whatever exists
 */
export async function findGift(
  data: Data,
  { MULTI_TENANT }: TenantConfig,
  asker: Pick<UserActor, "admin" | "tenant"> | null,
  asked: { readonly role: string; readonly tenant: string | null | undefined },
): Promise<Gift> {
  const mayAsk = asker === null || asker.admin;
  // Only administrators are told what is there and what is not.
  const refuse = (field: string, message: string) => (mayAsk ? invalid(field, message) : mayNotInvite());
  const given = asked.tenant ?? null;
  if (!MULTI_TENANT && given !== null) throw invalid("tenant_Id", "Multi-tenant mode is not enabled");
  if (!mayAsk && given !== null && given !== asker.tenant) {
    throw new AppError("FORBIDDEN", "You can only invite users to your own tenant");
  }
  const role = await findRoleById(data, asked.role);
  if (role === null || role.name === publicRole) {
    throw refuse("role_Id", "there is no such role to invite with");
  }
  if (!MULTI_TENANT) return { role, tenant: null };
  if (!role.isTenantSpecific) {
    if (given !== null) throw refuse("tenant_Id", "a role that belongs to no tenant is given without one");
    return { role, tenant: null };
  }
  const tenant = given ?? asker?.tenant ?? null;
  if (tenant === null) throw refuse("tenant_Id", "Tenant ID is required");
  if ((await tenantOf(data, tenant)) === null) throw new AppError("NOT_FOUND", "Tenant not found");
  return { role, tenant };
}

/** The roles that an actor may invite with into a tenant; null: any. From an address or token with fewer roles by those alone. */
export async function invitable(
  data: Data,
  config: TenantConfig,
  actor: UserActor,
  tenant: string | null,
): Promise<readonly string[] | null> {
  if (actor.admin) return null;
  const held = rolesIn(await membershipsOf(data, actor.id), tenant, config.MULTI_TENANT);
  return named(held.filter(({ id }) => actor.roles.includes(id)));
}

/** @throws AppError FORBIDDEN for a gift beyond what who asks may give */
export function requireInvitable(roles: readonly string[] | null, { role }: Gift): void {
  if (roles === null) return;
  if (role.name === administratorRole || !roles.includes(role.id)) throw mayNotInvite();
}

/**
 * Whether who invited could still do so: an account that is suspended, gone, or has lost the role that let it, invites
 * nobody any more. Null: whoever runs the server.
 */
export async function mayStillInvite(
  rows: Data,
  config: TenantConfig,
  invitedBy: string | null,
  gift: Gift,
): Promise<boolean> {
  if (config.MULTI_TENANT && gift.role.isTenantSpecific !== (gift.tenant !== null)) return false;
  if (!config.MULTI_TENANT && gift.tenant !== null) return false;
  if (gift.role.name === publicRole) return false;
  if (invitedBy === null) return true;
  const account = await findAccount(rows, invitedBy);
  if (account?.status !== "active") return false;
  const held = rolesIn(await membershipsOf(rows, invitedBy), gift.tenant, config.MULTI_TENANT);
  if (held.some(({ name }) => name === administratorRole)) return true;
  return gift.role.name !== administratorRole && named(held).includes(gift.role.id);
}

/** The roles that these let their holder invite with. */
function named(roles: readonly HeldRole[]): readonly string[] {
  return [...new Set(roles.flatMap(({ canInviteRoleIds }) => canInviteRoleIds ?? []))];
}

function mayNotInvite(): AppError {
  return new AppError("FORBIDDEN", "You don't have permission to invite users with this role");
}

function invalid(field: string, message: string): AppError {
  return new AppError("VALIDATION_ERROR", `${field}: ${message}`, [{ field, message, rule: "reference" }]);
}
