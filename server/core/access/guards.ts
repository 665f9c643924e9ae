/**
 * Guards for code beyond the doors to rows, which ask the permissions by themselves: pages, routes and jobs of an application
 * that embeds the server. Pure: an actor goes in; what is missing is an error that says so. Neither an anonymous visitor, nor the
 * server itself, nor what is not known, has anything that is asked for here.
 */
import { AppError } from "../errors";
import type { Actor, UserActor } from "./actor";

/** How much a sign-in proved: one factor, or two. */
export type AssuranceLevel = "aal1" | "aal2";

/** True for a signed-in account with the role: by its name, letter case and all, or by its id. Never true for `public`. */
export function hasRole(actor: Actor, role: string): boolean {
  if (actor.kind !== "user" || role === "") return false;
  return actor.roles.includes(role) || (actor.roleNames ?? []).includes(role);
}

/** True for an account with the role `administrator`, by which it may do everything. */
export function isAdmin(actor: Actor): boolean {
  return actor.kind === "user" && actor.admin;
}

/** The account that asks, as a person or by an API token. @throws AppError UNAUTHORIZED */
export function requireUser(actor: Actor): UserActor {
  if (actor.kind !== "user") throw new AppError("UNAUTHORIZED", "Unauthorized");
  return actor;
}

/**
 * The account that asks, which must have the role: a name or an id. Administrators have no other roles than they have; name
 * `administrator` too where they may (`requireAnyRole`).
 * @throws AppError UNAUTHORIZED, FORBIDDEN with `details.roles`
 */
export function requireRole(actor: Actor, role: string): UserActor {
  return requireAnyRole(actor, [role]);
}

/** The same for any of several roles; of none nobody has one. @throws AppError UNAUTHORIZED, FORBIDDEN with `details.roles` */
export function requireAnyRole(actor: Actor, roles: readonly string[]): UserActor {
  const user = requireUser(actor);
  if (roles.some((role) => hasRole(user, role))) return user;
  const asked = roles.length === 1 ? `the role '${roles[0]}'` : `one of the roles ${listed(roles)}`;
  throw new AppError("FORBIDDEN", `This takes ${asked}`, { roles });
}

/** The account that asks, whose mail address must be confirmed. @throws AppError UNAUTHORIZED, FORBIDDEN with `details.requiresEmailVerification` */
export function requireVerifiedEmail(actor: Actor): UserActor {
  const user = requireUser(actor);
  if (user.verified) return user;
  throw new AppError("FORBIDDEN", "Confirm your mail address first (POST /auth/email/verify)", {
    requiresEmailVerification: true,
  });
}

/**
 * The account that asks, in a session that has proven as much. An API token stands for no person, who could prove a second factor.
 * @throws AppError UNAUTHORIZED; MFA_REQUIRED for a session that may prove more; FORBIDDEN for an API token
 */
export function requireAssurance(actor: Actor, level: AssuranceLevel): UserActor {
  const user = requireUser(actor);
  if (level === "aal1" || (level === "aal2" && user.aal === 2 && user.via === "session")) return user;
  if (user.via !== "session")
    throw new AppError("FORBIDDEN", "An API token proves no second factor; sign in instead");
  throw new AppError(
    "MFA_REQUIRED",
    "This takes a session that has proven the second factor: sign in with it",
  );
}

function listed(roles: readonly string[]): string {
  return roles.length === 0 ? "of an empty list" : roles.map((role) => `'${role}'`).join(", ");
}
