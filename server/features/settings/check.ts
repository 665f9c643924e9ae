/** Which settings a tenant may not set for itself. */
import { AppError } from "../../core/errors";
import type { PendingWrite } from "../../data";

/** Mails lead there, with what opens accounts in the address. */
const addresses = ["project_url", "app_url", "project_logo_url"];

/**
 * Refuses addresses in settings from others than administrators, whatever a permission says: whoever names the address that a mail
 * leads to gets what is in the link.
 * @throws AppError FORBIDDEN
 */
export function checkSettings({ actor, collection, action, bodies }: PendingWrite): void {
  if (collection !== "baasix_Settings" || action === "delete") return;
  if (actor.kind === "system" || (actor.kind === "user" && actor.admin)) return;
  for (const body of bodies) {
    const named = addresses.find((name) => body[name] !== undefined && body[name] !== null);
    if (named !== undefined)
      throw new AppError("FORBIDDEN", `${named}: only administrators say where mails lead`);
  }
}
