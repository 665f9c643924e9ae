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

/** The roles of an account, the one that it has had longest first: by the time of its membership, then by its id. */
export async function rolesOf(data: Data, user: string): Promise<readonly HeldRole[]> {
  const found = await data.find<{ role: HeldRole | null }>(reading, "baasix_UserRole", {
    filter: { user_Id: { eq: user } },
    fields: fields.map((name) => `role.${name}`),
    sort: ["createdAt", "id"],
    limit: -1,
  });
  return found.flatMap(({ role }) => role ?? []);
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
