/** Second factors of an account: begun, removed, and what else its owner or an administrator does about them. */
import type { MfaChallenge, MfaLevel, NewMfaFactor } from "@baasix/types";
import { system, type UserActor } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import type { Data } from "../../../data";
import { findAccount } from "../accounts";
import { asksForSecondFactor, membershipsOf } from "../roles";
import { lockAccount } from "../sign-in";
import { openChallenge } from "./challenges";
import { removeAllFactors, removeFactor } from "./factors";
import { noteFactor } from "./note";
import { tellOwner } from "./notice";
import type { MfaParts } from "./prove";
import { countRecoveryCodes, replaceRecoveryCodes } from "./recovery-codes";
import { listFactors, verifiedFactors } from "./rows";
import { noSuchFactor } from "./verify";

const lowering = system("a session without a second factor has proven one");

/** Begins a factor. @throws AppError MFA_REQUIRED for a session that lacks the second factor that the account has; CONFLICT */
export async function enrollFactor(
  { clock, data, factors, sessions }: MfaParts,
  actor: UserActor,
  friendlyName: string,
): Promise<NewMfaFactor> {
  const account = await findAccount(data, actor.id);
  if (account === null) throw new AppError("NOT_FOUND", "User not found");
  return data.transaction(async (rows) => {
    await lockAccount(rows, actor.id, clock());
    await sessions.requireOpen(rows, actor.session);
    if ((await verifiedFactors(rows, actor.id)).length > 0) requireBoth(actor);
    return factors.enroll(rows, actor.id, { friendlyName, account: account.email });
  });
}

/** Asks for a code of an own factor. @throws AppError NOT_FOUND */
export async function challengeFactor(
  { clock, data }: MfaParts,
  actor: UserActor,
  factor: string,
): Promise<MfaChallenge> {
  const known = (await listFactors(data, actor.id)).some(({ id }) => id === factor);
  if (!known) throw noSuchFactor();
  const asked = { user: actor.id, session: actor.session, factor };
  const { id, expiresAt } = await data.transaction((rows) => openChallenge(rows, asked, clock()));
  return { id, factorId: factor, expiresAt };
}

/**
 * Removes an own factor; a verified one from a session that has proven two, which ends the other sessions.
 * @throws AppError NOT_FOUND; MFA_REQUIRED; FORBIDDEN for the last one when a role asks for one
 */
export async function unenrollFactor(parts: MfaParts, actor: UserActor, factor: string): Promise<void> {
  const { clock, data, sessions } = parts;
  await data.transaction(async (rows) => {
    await lockAccount(rows, actor.id, clock());
    await sessions.requireOpen(rows, actor.session);
    const all = await listFactors(rows, actor.id);
    const known = all.find(({ id }) => id === factor);
    if (!known) throw noSuchFactor();
    if (known.status === "unverified") return removeFactor(rows, actor.id, factor);
    requireBoth(actor);
    const isLast = !all.some(({ id, status }) => id !== factor && status === "verified");
    if (isLast && (await membershipsOf(rows, actor.id)).some(({ role }) => asksForSecondFactor(role))) {
      throw new AppError(
        "FORBIDDEN",
        "Your role asks for a second factor: add another one before you remove this",
      );
    }
    await removeFactor(rows, actor.id, factor);
    await noteFactor(rows, actor, "delete", known);
    await tellOwner(parts, rows, actor.id, "removed", known.friendlyName);
    await sessions.endAll(actor.id, actor.session, rows);
    if (!isLast) return;
    // Were a role to ask for a second factor one day, this session could not be taken to have one.
    await rows.updateWhere(lowering, "baasix_Sessions", { id: { eq: actor.session } }, { aal: 1 });
  });
}

/** Gives ten new recovery codes; the old ones are dead, and the other sessions end. @throws AppError MFA_REQUIRED, CONFLICT */
export async function renewRecoveryCodes(parts: MfaParts, actor: UserActor): Promise<readonly string[]> {
  const { clock, data, sessions } = parts;
  return data.transaction(async (rows) => {
    await lockAccount(rows, actor.id, clock());
    await sessions.requireOpen(rows, actor.session);
    if ((await verifiedFactors(rows, actor.id)).length === 0)
      throw new AppError("CONFLICT", "There is no second factor that recovery codes could stand in for");
    requireBoth(actor);
    await sessions.endAll(actor.id, actor.session, rows);
    await tellOwner(parts, rows, actor.id, "codes");
    return replaceRecoveryCodes(rows, actor.id);
  });
}

/** How much the session has proven, and could. */
export async function describeLevel(data: Data, actor: UserActor): Promise<MfaLevel> {
  const [verified, held, recoveryCodesLeft] = await Promise.all([
    verifiedFactors(data, actor.id),
    membershipsOf(data, actor.id),
    countRecoveryCodes(data, actor.id),
  ]);
  const asked = held.some(({ role }) => actor.roles.includes(role.id) && asksForSecondFactor(role));
  return {
    currentLevel: actor.aal === 2 ? "aal2" : "aal1",
    nextLevel: actor.aal === 2 || asked || verified.length > 0 ? "aal2" : "aal1",
    mfaEnrollmentRequired: asked && verified.length === 0 && actor.aal === 1,
    recoveryCodesLeft,
  };
}

/**
 * Takes all factors from a user who lost them; all sessions of the user end. Gives how many factors there were.
 * @throws AppError NOT_FOUND; FORBIDDEN for one's own, for which one proves a factor
 */
export async function resetFactors(parts: MfaParts, admin: UserActor, user: string): Promise<number> {
  const { clock, data, sessions } = parts;
  if (user === admin.id)
    throw new AppError("FORBIDDEN", "Remove your own factors with DELETE /auth/mfa/factors/:id");
  if ((await findAccount(data, user)) === null) throw new AppError("NOT_FOUND", "User not found");
  return data.transaction(async (rows) => {
    await lockAccount(rows, user, clock());
    const all = await listFactors(rows, user);
    await removeAllFactors(rows, user);
    for (const factor of all) {
      // oxlint-disable-next-line no-await-in-loop -- in one transaction, a handful
      await noteFactor(rows, admin, "delete", factor, user);
    }
    if (all.some(({ status }) => status === "verified")) await tellOwner(parts, rows, user, "taken");
    await sessions.endAll(user, null, rows);
    return all.length;
  });
}

function requireBoth(actor: UserActor): void {
  if (actor.aal === 2) return;
  throw new AppError(
    "MFA_REQUIRED",
    "This takes a session that has proven the second factor: sign in with it",
  );
}
