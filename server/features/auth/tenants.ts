/** Tenants as accounts meet them: which they may enter, going from one to another, and founding one. */
import type { MemberTenant, Tenant } from "@baasix/types";
import { system, type UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, PendingWrite, Rows } from "../../data";
import { findAccount } from "./accounts";
import { entryOf, notAMember, type TenantConfig } from "./entry";
import { newTenant } from "./model";
import { findRole, type HeldRole, membershipsOf, noSuchRole } from "./roles";
import {
  countClient,
  describeSignIn,
  lockAccount,
  openSession,
  type Origin,
  type SignInParts,
  type SignInResult,
} from "./sign-in";
import { invalidToken } from "./tokens";

const joining = system("whoever founds a tenant, or is invited, is no member of it yet");
const listing = system("everyone may know the tenants of the own account");

/** @throws AppError BAD_REQUEST where there are no tenants */
export function requireTenants({ MULTI_TENANT }: Pick<TenantConfig, "MULTI_TENANT">): void {
  if (!MULTI_TENANT) throw new AppError("BAD_REQUEST", "Multi-tenant mode is not enabled");
}

/** The tenants that an account may enter, the one that it joined first first. */
export async function tenantsOf(data: Data, user: string): Promise<readonly MemberTenant[]> {
  const roles = new Map<string, { readonly id: string; readonly name: string }[]>();
  for (const { role, tenant } of await membershipsOf(data, user)) {
    if (tenant === null || !role.isTenantSpecific) continue;
    const { id, name } = role;
    roles.set(tenant, [...(roles.get(tenant) ?? []), { id, name }]);
  }
  const found = await data.find<Tenant>(listing, "baasix_Tenant", {
    filter: { id: { in: [...roles.keys()] } },
    fields: ["id", "name"],
    limit: -1,
  });
  return [...roles].flatMap(([id, held]) => {
    const tenant = found.find((one) => one.id === id);
    const [role] = held;
    return tenant && role ? [{ ...tenant, role, roles: held }] : [];
  });
}

/**
 * Opens a session in another tenant (null: in none) in place of the one that asks, which ends with it; its kind and what it has
 * proven are handed on. `first` is done in the same transaction before, with the account locked.
 * @throws AppError FORBIDDEN `Access denied for specified tenant`, and as `openSession`; VALIDATION_ERROR for an account that is
 * in no tenant; UNAUTHORIZED when the session has ended meanwhile
 */
export async function switchTenant(
  parts: SignInParts,
  actor: UserActor,
  tenant: string | null,
  origin: Origin,
  first: (rows: Data) => Promise<void> = () => Promise.resolve(),
): Promise<SignInResult> {
  const { clock, data, sessions } = parts;
  const done = await data.transaction(async (rows) => {
    await lockAccount(rows, actor.id, clock());
    await first(rows);
    const before = await sessions.endForSuccessor(rows, actor.id, actor.session);
    const entry = await entryOf(parts, rows, actor.id, tenant, origin.client).catch(
      async (error: unknown) => {
        throw await forNobodyInTenants(rows, actor.id, error);
      },
    );
    return { entry, opened: await openSession(parts, rows, actor, { ...before, entry }, origin) };
  });
  const account = await findAccount(data, actor.id);
  if (account === null) throw invalidToken();
  return describeSignIn(parts, done.opened, account, done.entry);
}

/** The contract has words of its own for accounts that see all tenants, and are members of none. */
async function forNobodyInTenants(rows: Data, user: string, error: unknown): Promise<unknown> {
  if (!(error instanceof AppError) || error.message !== notAMember().message) return error;
  const memberships = await membershipsOf(rows, user);
  const isBeyond = memberships.length > 0 && memberships.every(({ role }) => !role.isTenantSpecific);
  return isBeyond
    ? new AppError("VALIDATION_ERROR", "Cannot switch tenant for non-tenant-specific role")
    : error;
}

/** A role, and where it is held; null: everywhere. */
export type NewMembership = { readonly role: string; readonly tenant: string | null };

/** Gives an account a role, in a transaction that has locked it; once more changes nothing. */
export async function joinTenant(rows: Data, user: string, { role, tenant }: NewMembership): Promise<void> {
  const place = tenant === null ? { isNull: true } : { eq: tenant };
  const same = [{ user_Id: { eq: user } }, { role_Id: { eq: role } }, { tenant_Id: place }];
  const found = await rows.find(joining, "baasix_UserRole", {
    filter: { AND: same },
    fields: ["id"],
    limit: 1,
  });
  if (found.length > 0) return;
  await rows.create(joining, "baasix_UserRole", [{ user_Id: user, role_Id: role, tenant_Id: tenant }]);
}

/** The role of who founds a tenant. @throws AppError FORBIDDEN where it is no role of tenants: none are founded then */
export async function ownerRole(data: Data, config: TenantConfig): Promise<HeldRole> {
  const { TENANT_OWNER_ROLE, DEFAULT_ROLE_REGISTERED } = config;
  const key = TENANT_OWNER_ROLE === undefined ? "DEFAULT_ROLE_REGISTERED" : "TENANT_OWNER_ROLE";
  const name = TENANT_OWNER_ROLE ?? DEFAULT_ROLE_REGISTERED;
  const role = await findRole(data, name);
  if (role === null) throw noSuchRole(name, key);
  if (role.isTenantSpecific) return role;
  throw new AppError("FORBIDDEN", "Tenants are not founded here; ask an administrator for one");
}

/** Makes a tenant, in the caller's transaction. @throws AppError CONFLICT when another one has the name */
export async function createTenant(rows: Rows, { id, name }: Tenant): Promise<void> {
  await rows.create(joining, "baasix_Tenant", [{ id, name }]).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "UNIQUE_VIOLATION" ? nameTaken(error) : error;
  });
}

/**
 * Refuses names of tenants, at every door to items, that nobody could found one with: what is not seen makes a name look like
 * another's. @throws AppError VALIDATION_ERROR
 */
export function checkTenants({ actor, collection, bodies }: PendingWrite): void {
  if (collection !== "baasix_Tenant" || actor.kind === "system") return;
  for (const { name } of bodies) {
    if (typeof name !== "string") continue;
    const read = newTenant.safeParse({ name });
    if (read.success && read.data.name === name) continue;
    const message = read.error?.issues[0]?.message ?? "must begin and end with what can be seen";
    throw new AppError("VALIDATION_ERROR", `Validation failed: name: ${message}`, {
      code: "VALIDATION_ERROR",
      errors: [{ field: "name", message, rule: "tenant" }],
    });
  }
}

/** Refuses a name that a tenant has, ahead of a registration whose end nobody waits for. @throws AppError CONFLICT */
export async function requireFreeName(data: Data, name: string): Promise<void> {
  const filter = { name: { eq: name } };
  const found = await data.find(joining, "baasix_Tenant", { filter, fields: ["id"], limit: 1 });
  if (found.length > 0) throw nameTaken();
}

/**
 * Makes a tenant of which the caller is the owner. The session stays where it is. Where registration is closed only
 * administrators found tenants.
 * @throws AppError FORBIDDEN; CONFLICT; UNAUTHORIZED when the session has ended meanwhile; RATE_LIMITED
 */
export async function foundTenant(
  parts: SignInParts,
  actor: UserActor,
  name: string,
  origin: Origin,
): Promise<MemberTenant> {
  const { clock, config, data, sessions } = parts;
  if (!config.PUBLIC_REGISTRATION && !actor.admin)
    throw new AppError("FORBIDDEN", "Registration is closed; ask an administrator for a tenant");
  countClient(parts, origin.client);
  const { id: role, name: called } = await ownerRole(data, config);
  const tenant = { id: crypto.randomUUID(), name };
  await data.transaction(async (rows) => {
    await lockAccount(rows, actor.id, clock());
    await sessions.requireOpen(rows, actor.session);
    await createTenant(rows, tenant);
    await joinTenant(rows, actor.id, { role, tenant: tenant.id });
  });
  const named = { id: role, name: called };
  return { ...tenant, role: named, roles: [named] };
}

function nameTaken(cause?: AppError): AppError {
  const message = "There is a tenant with this name";
  return new AppError("CONFLICT", message, [{ field: "tenant.name", message, rule: "unique" }], { cause });
}
