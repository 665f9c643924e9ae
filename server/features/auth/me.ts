/** `GET /auth/me`: the caller's own account, roles and permissions. */
import { system, type UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { permissionsOf } from "./accounts";
import { type TenantConfig, tenantOf } from "./entry";
import { membershipsOf, rolesIn, shownRole } from "./roles";

const own = system("everyone may read the own account, whatever the role may read");

/** Milliseconds between two notes of an account's last access: a write per request would be too many. */
const noteEvery = 60_000;

/** What it takes. `clock` in ms since 1970. */
export type MeParts = {
  readonly data: Data;
  readonly config: Pick<TenantConfig, "MULTI_TENANT">;
  readonly clock: () => number;
};

/** The answer as JSON text; columns that are secrets are not in it. @throws AppError NOT_FOUND `User not found` */
export async function describeMe({ data, config, clock }: MeParts, actor: UserActor): Promise<string> {
  const now = clock();
  const [{ json: user }, memberships, tenant] = await Promise.all([
    data.readOne(own, "baasix_User", actor.id).catch((error: unknown) => {
      throw error instanceof AppError && error.code === "NOT_FOUND"
        ? new AppError("NOT_FOUND", "User not found")
        : error;
    }),
    membershipsOf(data, actor.id),
    tenantOf(data, actor.tenant),
  ]);
  const held = rolesIn(memberships, actor.tenant, config.MULTI_TENANT);
  const roles = held.filter(({ id }) => actor.roles.includes(id)).map(shownRole);
  const permissions = await permissionsOf(data, actor.roles);
  const { lastAccess }: { lastAccess: string | null } = JSON.parse(user);
  if (lastAccess === null || now - Date.parse(lastAccess) >= noteEvery) {
    await data.update(own, "baasix_User", [
      { id: actor.id, data: { lastAccess: new Date(now).toISOString() } },
    ]);
  }
  const told = { role: roles[0] ?? null, roles, permissions, tenant };
  return `{"user":${user},${JSON.stringify(told).slice(1)}`;
}
