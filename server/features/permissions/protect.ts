/** The roles that the server itself relies on stay. */
import { administratorRole, publicRole, type Rules } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { PendingWrite } from "../../data";

/**
 * Refuses a write that would take one of them away. Only administrators come so far: the policy refuses all others.
 * @throws AppError FORBIDDEN
 */
export function protectRights({ actor, collection, action, ids, bodies }: PendingWrite, rules: Rules): void {
  const mayWrite = actor.kind === "system" || (actor.kind === "user" && actor.admin);
  if (collection !== "baasix_Role" || !mayWrite) return;
  const named = ids.map((id) => rules.roles.get(String(id).toLowerCase())?.role.name);
  if (!named.some((name) => name === administratorRole || name === publicRole)) return;
  if (action === "delete") throw new AppError("FORBIDDEN", "System roles cannot be deleted");
  if (bodies.some((body) => "name" in body && !named.includes(String(body.name)))) {
    throw new AppError("FORBIDDEN", "System role names cannot be changed");
  }
}
