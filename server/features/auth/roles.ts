/** The roles of an account: in which order they count, and from where they may be used. */
import type { AuthRole } from "@baasix/types";
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { createAddressList } from "../../http";

const reading = system("sign-in and every request ask which roles an account has");

/** A role that an account has. `ipWhitelist`: addresses and ranges from which alone it counts; null or none: from anywhere. */
export type HeldRole = AuthRole & {
  readonly ipWhitelist: readonly string[] | null;
  /** Who has it must have proven two factors. */
  readonly enforceTotp: boolean;
};

const fields = [
  "id",
  "name",
  "description",
  "icon",
  "appAccess",
  "isTenantSpecific",
  "canInviteRoleIds",
  "ipWhitelist",
  "enforceTotp",
];

/** A role that an account has, and where: in one tenant; null: everywhere. */
export type Membership = { readonly role: HeldRole; readonly tenant: string | null };

/** The memberships of an account, the oldest first: by their time, then by their ids. */
export async function membershipsOf(data: Data, user: string): Promise<readonly Membership[]> {
  const found = await data.find<{ role: HeldRole | null; tenant_Id: string | null }>(
    reading,
    "baasix_UserRole",
    {
      filter: { user_Id: { eq: user } },
      fields: ["tenant_Id", ...fields.map((name) => `role.${name}`)],
      sort: ["createdAt", "id"],
      limit: -1,
    },
  );
  return found.flatMap(({ role, tenant_Id: tenant }) => (role === null ? [] : [{ role, tenant }]));
}

/**
 * The roles that count in a tenant (null: in none), in the order of the memberships: those of the tenant, and those that see
 * all tenants and are held everywhere. What is held otherwise gives nothing: a role of tenants without one, a role that sees
 * all tenants in one of them, and without tenants whatever was held in one.
 */
export function rolesIn(
  memberships: readonly Membership[],
  tenant: string | null,
  multiTenant: boolean,
): readonly HeldRole[] {
  return memberships
    .filter((one) =>
      multiTenant && one.role.isTenantSpecific
        ? one.tenant !== null && one.tenant === tenant
        : one.tenant === null,
    )
    .map(({ role }) => role);
}

/** True in no tenant (null), and in one where the account has a role of tenants. */
export function belongsTo(
  memberships: readonly Membership[],
  tenant: string | null,
  multiTenant: boolean,
): boolean {
  if (tenant === null) return true;
  return multiTenant && memberships.some((one) => one.tenant === tenant && one.role.isTenantSpecific);
}

/** The role with a name, or null. */
export function findRole(data: Data, name: string): Promise<HeldRole | null> {
  return oneRole(data, { name: { eq: name } });
}

/** The role with an id (a UUID), or null. */
export function findRoleById(data: Data, id: string): Promise<HeldRole | null> {
  return oneRole(data, { id: { eq: id } });
}

async function oneRole(data: Data, filter: object): Promise<HeldRole | null> {
  const found = await data.find<HeldRole>(reading, "baasix_Role", { filter, fields, limit: 1 });
  return found[0] ?? null;
}

/** The refusal when a configured role is missing: the operator's mistake, so the log has the name and the client has not. */
export function noSuchRole(name: string, setting = "DEFAULT_ROLE_REGISTERED"): AppError {
  return new AppError(
    "INTERNAL_ERROR",
    "The role of new accounts does not exist; an administrator must make it",
    null,
    { cause: new Error(`${setting}: there is no role '${name}'`) },
  );
}

/** True when a role is for those alone who have proven two factors. */
export function asksForSecondFactor({ enforceTotp }: HeldRole): boolean {
  return enforceTotp;
}

/** True when a role is bound to addresses. */
export function isBound({ ipWhitelist }: HeldRole): boolean {
  return ipWhitelist !== null && ipWhitelist.length > 0;
}

/**
 * Gives the roles that count for an address; a list that cannot be read lets nobody in. Made once an account, as lists are
 * compiled here.
 */
export function createRoleFilter(
  roles: readonly HeldRole[],
): (address: string) => readonly [HeldRole, ...HeldRole[]] {
  const lists = roles.map((role) => ({ role, includes: isBound(role) ? listOf(role) : null }));
  return (address) => {
    const [first, ...rest] = lists.flatMap(({ role, includes }) =>
      includes === null || includes(address) ? [role] : [],
    );
    if (first) return [first, ...rest];
    throw roles.length === 0
      ? new AppError("FORBIDDEN", "Account has no role; an administrator can give it one")
      : new AppError("FORBIDDEN", "None of your roles may be used from this address");
  };
}

function listOf({ ipWhitelist }: HeldRole): (address: string) => boolean {
  try {
    return createAddressList(ipWhitelist ?? [], "ipWhitelist");
  } catch {
    return () => false;
  }
}

/** A role as answers show it. */
export function shownRole(role: HeldRole): AuthRole {
  const { id, name, description, icon, appAccess, isTenantSpecific, canInviteRoleIds } = role;
  return { id, name, description, icon, appAccess, isTenantSpecific, canInviteRoleIds };
}
