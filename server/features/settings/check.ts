/** Which settings a tenant may not set for itself. */
import { AppError } from "../../core/errors";
import type { PendingWrite } from "../../data";
import { toLabel } from "../mail";

/** Mails lead there, with what opens accounts in the address. */
const addresses = ["project_url", "app_url", "project_logo_url"];

/**
 * Refuses addresses in settings from others than administrators, whatever a permission says: whoever names the address that a mail
 * leads to gets what is in the link. A name must be none that mail programs make a link of.
 * @throws AppError FORBIDDEN, VALIDATION_ERROR
 */
export function checkSettings({ actor, collection, action, bodies }: PendingWrite): void {
  if (collection !== "baasix_Settings" || action === "delete") return;
  if (actor.kind === "system" || (actor.kind === "user" && actor.admin)) return;
  for (const body of bodies) {
    const named = addresses.find((name) => body[name] !== undefined && body[name] !== null);
    if (named !== undefined)
      throw new AppError("FORBIDDEN", `${named}: only administrators say where mails lead`);
    const { project_name: name } = body;
    if (typeof name !== "string" || toLabel(name, 100) === name.trim()) continue;
    const message = "must be a name, in which no mail program finds an address";
    throw new AppError("VALIDATION_ERROR", `project_name: ${message}`, {
      code: "VALIDATION_ERROR",
      errors: [{ field: "project_name", message, rule: "settings" }],
    });
  }
}
