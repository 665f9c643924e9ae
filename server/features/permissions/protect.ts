/** What no permission can open: the roles that the server itself relies on, and who may hand out rights. */
import { administratorRole, publicRole, type Rules } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { PendingWrite } from "../../data";

const rightsCollections: ReadonlySet<string> = new Set(["baasix_Role", "baasix_Permission"]);

/**
 * Refuses a write that would take the server's own roles away, and writes of roles and permissions by others than
 * administrators. (Who may make administrators is a condition of the rules.)
 * @throws AppError FORBIDDEN
 */
export function protectRights({ actor, collection, action, ids, bodies }: PendingWrite, rules: Rules): void {
  const free = actor.kind === "system" || (actor.kind === "user" && actor.admin);
  if (rightsCollections.has(collection) && !free) {
    throw new AppError("FORBIDDEN", "Access denied. Administrators only.");
  }
  if (collection !== "baasix_Role") return;
  const named = ids.map((id) => rules.roles.get(String(id).toLowerCase())?.role.name);
  if (!named.some((name) => name === administratorRole || name === publicRole)) return;
  if (action === "delete") throw new AppError("FORBIDDEN", "System roles cannot be deleted");
  if (bodies.some((body) => "name" in body && !named.includes(String(body.name)))) {
    throw new AppError("FORBIDDEN", "System role names cannot be changed");
  }
}
