/** What some calls ask of their caller beyond a right: to be a person, and to have proven it lately. */
import type { Actor, UserActor } from "../../core/access/actor";
import { requireUser } from "../../core/access/guards";
import { AppError } from "../../core/errors";

export { requireUser };

/** Milliseconds for which a proof of who one is counts as fresh. */
const freshness = 15 * 60_000;

/** The account that asks, signed in as a person does. @throws AppError UNAUTHORIZED, FORBIDDEN for an API token */
export function requireSession(actor: Actor): UserActor {
  const user = requireUser(actor);
  if (user.via !== "session")
    throw new AppError("FORBIDDEN", "An API token may not do this; sign in instead");
  return user;
}

/** The administrator that asks, signed in as a person does. @throws AppError UNAUTHORIZED, FORBIDDEN */
export function requireAdministrator(
  actor: Actor,
  refusal = "Access denied. Administrators only.",
): UserActor {
  const user = requireSession(actor);
  if (!user.admin) throw new AppError("FORBIDDEN", refusal);
  return user;
}

/**
 * Refuses a session in which no secret was proven lately: at sign-in, or with `POST /auth/reauthenticate`. `now` in ms
 * since 1970.
 * @throws AppError REAUTHENTICATION_REQUIRED; UNAUTHORIZED, FORBIDDEN for who cannot prove anything
 */
export function requireFresh(actor: Actor, now: number): void {
  const { authenticatedAt } = requireSession(actor);
  if (now - authenticatedAt < freshness) return;
  throw new AppError(
    "REAUTHENTICATION_REQUIRED",
    "Confirm who you are (POST /auth/reauthenticate, or sign in again): the last proof is more than 15 minutes old",
    { maxAge: freshness / 1000 },
  );
}
