/** `GET /auth/me`: the caller's own account, roles and permissions. */
import { system, type UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { permissionsOf } from "./accounts";
import { rolesOf, shownRole } from "./roles";

const own = system("everyone may read the own account, whatever the role may read");

/** Milliseconds between two notes of an account's last access: a write per request would be too many. */
const noteEvery = 60_000;

/** The answer as JSON text; columns that are secrets are not in it. @throws AppError NOT_FOUND `User not found` */
export async function describeMe(data: Data, actor: UserActor, now: number): Promise<string> {
  const [{ json: user }, held] = await Promise.all([
    data.readOne(own, "baasix_User", actor.id).catch((error: unknown) => {
      throw error instanceof AppError && error.code === "NOT_FOUND"
        ? new AppError("NOT_FOUND", "User not found")
        : error;
    }),
    rolesOf(data, actor.id),
  ]);
  const roles = held.filter(({ id }) => actor.roles.includes(id)).map(shownRole);
  const permissions = await permissionsOf(data, actor.roles);
  const { lastAccess }: { lastAccess: string | null } = JSON.parse(user);
  if (lastAccess === null || now - Date.parse(lastAccess) >= noteEvery) {
    await data.update(own, "baasix_User", [
      { id: actor.id, data: { lastAccess: new Date(now).toISOString() } },
    ]);
  }
  const told = { role: roles[0] ?? null, roles, permissions, tenant: null };
  return `{"user":${user},${JSON.stringify(told).slice(1)}`;
}
