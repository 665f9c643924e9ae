/** A new password for an account that knows the old one, or at the word of an administrator. */
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { type Account, findAccount, hashOf, setPassword } from "./accounts";
import { isServiceAccount } from "./api-tokens";
import { requireFresh } from "./fresh";
import { provePassword } from "./reauthenticate";
import { forgiveAll } from "./tries";
import { lockAccount, type Origin, requireLocal, type SignInParts } from "./sign-in";

/**
 * Changes the password of who asks. All other sessions end, and so does what was mailed to come in.
 * @throws AppError INVALID_CREDENTIALS `Current password is incorrect`; VALIDATION_ERROR; RATE_LIMITED; UNAVAILABLE
 */
export async function changePassword(
  parts: SignInParts,
  actor: UserActor,
  { currentPassword, newPassword }: { readonly currentPassword: string; readonly newPassword: string },
  origin: Origin,
): Promise<void> {
  requireLocal(parts.config);
  await provePassword(parts, actor, currentPassword, origin, "Current password is incorrect");
  const account = await findAccount(parts.data, actor.id);
  if (account === null) throw noSuchUser();
  await replacePassword(parts, account, newPassword, actor.session);
  await parts.sessions.proveAgain(actor.session);
}

/** The refusal of a change that names no password. */
export const passwordsMissing = "Current and new password are required";

/**
 * Gives an account that has no password its first one, with a fresh proof. All other sessions end, and so does what was mailed to
 * come in.
 * @throws AppError VALIDATION_ERROR, also where it has one; REAUTHENTICATION_REQUIRED; UNAVAILABLE
 */
export async function chooseFirstPassword(
  parts: SignInParts,
  actor: UserActor,
  password: string,
): Promise<void> {
  requireLocal(parts.config);
  const account = await findAccount(parts.data, actor.id);
  if (account === null) throw noSuchUser();
  await requireNone(parts.data, actor.id);
  requireFresh(actor, parts.clock());
  await replacePassword(parts, account, password, actor.session, (rows) => requireNone(rows, actor.id));
}

async function requireNone(rows: Data, user: string): Promise<void> {
  if ((await hashOf(rows, user)) !== null) throw new AppError("VALIDATION_ERROR", passwordsMissing);
}

/**
 * Sets the password of any account, which ends its sessions: of one's own all but this one.
 * @throws AppError NOT_FOUND `User not found`; VALIDATION_ERROR, also for a service account; UNAVAILABLE
 */
export async function changePasswordOf(
  parts: SignInParts,
  actor: UserActor,
  { userId, newPassword }: { readonly userId: string; readonly newPassword: string },
): Promise<void> {
  const account = await findAccount(parts.data, userId);
  if (account === null) throw noSuchUser();
  if (await isServiceAccount(parts.data, account.id)) {
    throw new AppError("VALIDATION_ERROR", "Service accounts have no password; they use API tokens");
  }
  await replacePassword(parts, account, newPassword, account.id === actor.id ? actor.session : null);
  forgiveAll(parts.attempts, account);
}

async function replacePassword(
  { clock, data, oneTimes, passwords, sessions }: SignInParts,
  account: Account,
  password: string,
  keep: string | null,
  askAgain: (rows: Data) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const hash = await passwords.hash(password, account);
  await data.transaction(async (rows) => {
    await lockAccount(rows, account.id, clock());
    if (keep !== null) await sessions.requireOpen(rows, keep);
    await askAgain(rows);
    await setPassword(rows, account.id, hash);
    await sessions.endAll(account.id, keep, rows);
    await oneTimes.end(rows, account.email, ["password-reset", "magic-link", "otp"]);
  });
}

function noSuchUser(): AppError {
  return new AppError("NOT_FOUND", "User not found");
}
