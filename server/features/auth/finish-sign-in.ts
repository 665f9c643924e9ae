/** The last step of every way in, once it is proven who it is: may the account come in, and what it is told then. */
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import type { Account } from "./accounts";
import { type AskedTenant, entryOf } from "./entry";
import type { SessionType } from "./session-limits";
import {
  barred,
  describeSignIn,
  openSession,
  type Origin,
  type SignInParts,
  type SignInResult,
} from "./sign-in";

/** What a way in asks for: the kind of session, and where it is to act. */
export type WantedSession = { readonly type: SessionType; readonly tenant: AskedTenant };

/**
 * Opens the session of an account that has proven who it is, or asks for its second factor. `askAgain`: refuses a
 * proof that holds no more, asked once the account is locked: a sign-in that was under way must not outrun a new password,
 * which ends all sessions.
 * @throws AppError FORBIDDEN for an account that is not active, is no member of the tenant, has no role that may be used from
 * there, has as many sessions as it may, or (`details.requiresEmailVerification`) must confirm its mail address first
 */
export async function finishSignIn(
  parts: SignInParts,
  account: Account,
  { type, tenant }: WantedSession,
  origin: Origin,
  askAgain: (rows: Data) => Promise<void> = () => Promise.resolve(),
): Promise<SignInResult> {
  if (account.status !== "active") throw barred(account);
  if (parts.config.REQUIRE_EMAIL_VERIFICATION && !account.emailVerified) throw unverified();
  const entry = await entryOf(parts, parts.data, account.id, tenant, origin.client);
  const opened = await parts.data.transaction(async (rows) => {
    const session = await openSession(parts, rows, account, { type, entry, aal: 1 }, origin);
    await askAgain(rows);
    return session;
  });
  return describeSignIn(parts, opened, account, entry);
}

function unverified(): AppError {
  const message = "Email not verified. Please verify your email before logging in.";
  return new AppError("FORBIDDEN", message, { requiresEmailVerification: true });
}
