/** The last step of every way in, once it is proven who it is: may the account come in, and what it is told then. */
import { AppError } from "../../core/errors";
import type { Account } from "./accounts";
import { createRoleFilter, rolesOf } from "./roles";
import type { SessionType } from "./session-limits";
import {
  barred,
  describeSignIn,
  openSession,
  type Origin,
  type SignInParts,
  type SignInResult,
} from "./sign-in";

/**
 * Opens the session of an account that has proven who it is, or asks for its second factor.
 * @throws AppError FORBIDDEN for an account that is not active, has no role that may be used from there, has as many sessions
 * as it may, or (`details.requiresEmailVerification`) must confirm its mail address first
 */
export async function finishSignIn(
  parts: SignInParts,
  account: Account,
  type: SessionType,
  origin: Origin,
): Promise<SignInResult> {
  if (account.status !== "active") throw barred(account);
  if (parts.config.REQUIRE_EMAIL_VERIFICATION && !account.emailVerified) throw unverified();
  const roles = createRoleFilter(await rolesOf(parts.data, account.id))(origin.client);
  const opened = await parts.data.transaction((rows) =>
    openSession(parts, rows, account, { type, roles, aal: 1 }, origin),
  );
  return describeSignIn(parts, opened, account, roles);
}

function unverified(): AppError {
  const message = "Email not verified. Please verify your email before logging in.";
  return new AppError("FORBIDDEN", message, { requiresEmailVerification: true });
}
