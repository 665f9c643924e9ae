/**
 * What a write of `baasix_User` may say of an account beyond its names, whoever writes and at whatever door: what is
 * kept of it (metadata), and whether it may come in.
 */
import { type Actor, system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, PendingWrite, Rows, WriteBody, WriteJoin } from "../../data";
import { holdAdministrators, isAdministrator, requireStill } from "./administrators";
import { endChallenges } from "./mfa/challenges";
import { isSmall, mostMetadata } from "./metadata";

const memberships = "baasix_UserRole";
const ending = system("who may not come in any more has no session left");

/** @throws AppError FORBIDDEN for `appMetadata` from anyone but administrators; VALIDATION_ERROR for what is too large */
export function requireMetadata(actor: Actor, body: WriteBody): void {
  if (body.appMetadata !== undefined && !isAdministrator(actor)) {
    throw new AppError("FORBIDDEN", "appMetadata: for administrators to write");
  }
  for (const field of ["userMetadata", "appMetadata"] as const) {
    const value = body[field];
    if (value === undefined || value === null) continue;
    if (typeof value !== "object" || Array.isArray(value)) throw invalid(field, "expected an object");
    if (!isSmall(value)) throw invalid(field, `holds more than ${mostMetadata} bytes of JSON`);
  }
}

/**
 * Gives the work that follows a write of accounts: those that are not active any more lose their sessions, so that none
 * comes back to life with the account.
 * @throws AppError FORBIDDEN for an administrator that would lock itself out
 */
export function followStatus({ actor, ids, bodies }: PendingWrite): ((rows: Rows) => Promise<void>) | null {
  const ended = ids.filter((_, i) => isBarring(bodies[i]));
  if (ended.length === 0) return null;
  for (const id of ended) requireOther(actor, id, "suspended");
  return async (rows) => {
    for (const id of ended) {
      // oxlint-disable-next-line no-await-in-loop -- one connection
      await endChallenges(rows, String(id));
    }
    await rows.removeWhere(ending, "baasix_Sessions", { user_Id: { in: ended } });
  };
}

/** @throws AppError FORBIDDEN for an administrator that deletes the own account by its id */
export function requireOthers({ actor, action, collection, ids }: PendingWrite): void {
  if (collection !== "baasix_User" || action !== "delete") return;
  for (const id of ids) requireOther(actor, id, "deleted");
}

/** An administrator that is gone by a slip of the hand may be the last one. */
function requireOther(actor: Actor, id: unknown, what: string): void {
  if (!isAdministrator(actor) || String(id).toLowerCase() !== actor.id) return;
  throw new AppError("FORBIDDEN", `An administrator's own account cannot be ${what}; another one can do it`);
}

/**
 * Takes part in the writes of memberships: nobody gives up being an administrator, for the same reason.
 * @throws AppError FORBIDDEN
 */
export function joinMemberships(data: Data): void {
  const join: WriteJoin = async ({ actor, action, bodies }, rows) => {
    if (action === "create") return { bodies };
    await holdAdministrators(rows, actor);
    return { bodies, after: () => requireStill(rows, actor) };
  };
  data.joinWrites(memberships, join, { deletes: true });
}

function isBarring(body: WriteBody | undefined): boolean {
  return body?.status !== undefined && body.status !== null && body.status !== "active";
}

function invalid(field: string, message: string): AppError {
  return new AppError("VALIDATION_ERROR", `Validation failed: ${field}: ${message}`, {
    code: "VALIDATION_ERROR",
    errors: [{ field, message, rule: "account" }],
  });
}
