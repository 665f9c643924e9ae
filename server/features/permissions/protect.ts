/** What a write of rights may not do: take away roles that the server relies on, or promise what no role has. */
import { administratorRole, checkGrantable, publicRole, type Rules } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { PendingWrite, WriteBody } from "../../data";
import { createAddressList } from "../../http";

/**
 * Judges a write before it is planned. Only administrators come so far: the policy refuses all others.
 * @throws AppError FORBIDDEN, VALIDATION_ERROR
 */
export function protectRights({ actor, collection, action, ids, bodies }: PendingWrite, rules: Rules): void {
  const mayWrite = actor.kind === "system" || (actor.kind === "user" && actor.admin);
  if (!mayWrite) return;
  if (collection === "baasix_Permission") {
    for (const body of bodies) if (typeof body.collection === "string") checkGrantable(body.collection);
  }
  if (collection !== "baasix_Role") return;
  const named = ids.map((id) => rules.roles.get(String(id).toLowerCase())?.role.name);
  named.forEach((name, i) => {
    if (name !== administratorRole && name !== publicRole) return;
    if (action === "delete") throw new AppError("FORBIDDEN", "System roles cannot be deleted");
    const body = bodies[i];
    if (body && "name" in body && body.name !== name)
      throw new AppError("FORBIDDEN", "System role names cannot be changed");
  });
  bodies.forEach((body, i) => {
    checkRole(body, named[i]);
    checkInvited(body, rules);
  });
}

/** An id that is of no role yet may be of one that the same transaction makes; it lets nobody invite until then. */
function checkInvited({ canInviteRoleIds: ids }: WriteBody, rules: Rules): void {
  if (!Array.isArray(ids)) return;
  for (const id of ids) {
    const name = rules.roles.get(String(id).toLowerCase())?.role.name;
    if (name === administratorRole || name === publicRole) {
      throw invalid("canInviteRoleIds", `'${name}' is for nobody to invite with but administrators`);
    }
  }
}

/**
 * Judges the settings of a role. `name`: of the role as it is; none for a new one.
 * @throws AppError VALIDATION_ERROR
 */
export function checkRole(body: WriteBody, name: string | undefined): void {
  const isAdministrator = name === administratorRole;
  if (body.adminAccess !== undefined && isTrue(body.adminAccess) !== isAdministrator) {
    throw invalid(
      "adminAccess",
      `only the role '${administratorRole}' has it; give the account that role instead`,
    );
  }
  if (isTrue(body.isTenantSpecific) && (isAdministrator || name === publicRole)) {
    throw invalid("isTenantSpecific", `'${name}' belongs to no tenant`);
  }
  if (isTrue(body.enforceTotp) && name === publicRole) {
    throw invalid("enforceTotp", `'${publicRole}' is for those who have not signed in`);
  }
  const list = body.ipWhitelist;
  if (list === undefined || list === null) return;
  if (!Array.isArray(list) || !list.every((entry) => typeof entry === "string")) return;
  if (list.length > 0 && name === publicRole) {
    throw invalid("ipWhitelist", `'${publicRole}' is for everyone, wherever they are`);
  }
  if (list.length > 0 && isAdministrator) {
    const mend = "keep other addresses out before they reach the server";
    throw invalid("ipWhitelist", `an address that is gone would lock every administrator out; ${mend}`);
  }
  try {
    createAddressList(list, "ipWhitelist");
  } catch (error) {
    throw error instanceof AppError
      ? invalid("ipWhitelist", error.message.replace(/^ipWhitelist: /, ""))
      : error;
  }
}

/** Anything but a plain no: what the flag means exactly is judged later. */
function isTrue(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== "false";
}

function invalid(field: string, message: string): AppError {
  return new AppError("VALIDATION_ERROR", `${field}: ${message}`, {
    code: "VALIDATION_ERROR",
    errors: [{ field, message, rule: "role" }],
  });
}
