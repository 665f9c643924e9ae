/** What an actor may do, as a mark that tells whether it is still the same. */
import type { Actor } from "../../core/access/actor";
import { rolesOf } from "../../core/access/policy";
import type { Rules } from "../../core/access/rules";

/** A short digest of the actor's roles and of what their permissions say; another one after each change of that. */
export function markOfRights(rules: Rules, actor: Actor): string {
  const roles = rolesOf(rules, actor).map(({ role, admin, permissions }) => [
    role.id,
    role.isTenantSpecific,
    role.canInviteRoleIds,
    admin,
    permissions.map((permission) => JSON.stringify({ ...permission, id: null })).toSorted(),
  ]);
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(roles)).digest("base64url").slice(0, 20);
}
