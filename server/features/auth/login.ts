/** `POST /auth/login`. Nothing in text, status or time tells an unknown address from a wrong password. */
import { AppError } from "../../core/errors";
import { findByEmail, normalizeEmail } from "./accounts";
import type { LoginBody } from "./model";
import { createRoleFilter, rolesOf } from "./roles";
import {
  barred,
  countClient,
  describeSignIn,
  openSession,
  type Origin,
  type SignedIn,
  type SignInParts,
} from "./sign-in";

/**
 * Signs an account in.
 * @throws AppError INVALID_CREDENTIALS `Incorrect password.` for an unknown address and for a wrong password alike;
 * FORBIDDEN, once the password is proven, for an account that is not active or has no role that may be used from there;
 * RATE_LIMITED; UNAVAILABLE.
 */
export async function login(parts: SignInParts, body: LoginBody, origin: Origin): Promise<SignedIn> {
  countClient(parts, origin.client);
  const email = normalizeEmail(body.email);
  const attempt = await parts.attempts.begin(email ?? "");
  try {
    const { account, hash } = await findByEmail(parts.data, email);
    const proven = await parts.passwords.verify(body.password, hash);
    attempt.settle({ failed: !proven });
    if (!proven || account === null) throw new AppError("INVALID_CREDENTIALS", "Incorrect password.");
    if (account.status !== "active") throw barred(account);
    const roles = createRoleFilter(await rolesOf(parts.data, account.id))(origin.client);
    const opened = await parts.data.transaction((rows) =>
      openSession(parts, rows, account, { type: body.authType, roles, aal: 1 }, origin),
    );
    return await describeSignIn(parts, opened, account, roles);
  } finally {
    // A try that ended before its outcome was known (the database was away) is nobody's failure.
    attempt.settle(null);
  }
}
