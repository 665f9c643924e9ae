/** `POST /auth/reauthenticate`: the password once more, so that the session may do what asks for a fresh proof. */
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { findAccount, findByEmail, normalizeEmail } from "./accounts";
import { countClient, type Origin, type SignInParts } from "./sign-in";
import { invalidToken } from "./tokens";

/**
 * Notes the proof with the session; gives its time (ms since 1970). Tries count with those of sign-in.
 * @throws AppError INVALID_CREDENTIALS `Incorrect password.`; RATE_LIMITED; UNAVAILABLE; UNAUTHORIZED when the session ended
 */
export async function reauthenticate(
  parts: SignInParts,
  actor: UserActor,
  password: string,
  origin: Origin,
): Promise<number> {
  await provePassword(parts, actor, password, origin);
  const authenticatedAt = await parts.sessions.proveAgain(actor.session);
  if (authenticatedAt === null) throw invalidToken();
  return authenticatedAt;
}

/**
 * Asks an account for its password. Tries count with those of sign-in.
 * @throws AppError INVALID_CREDENTIALS with `refusal`; RATE_LIMITED; UNAVAILABLE
 */
export async function provePassword(
  parts: SignInParts,
  actor: Pick<UserActor, "id">,
  password: string,
  origin: Origin,
  refusal = "Incorrect password.",
): Promise<void> {
  countClient(parts, origin.client);
  const { email } = (await findAccount(parts.data, actor.id)) ?? { email: "" };
  const attempt = await parts.attempts.begin(normalizeEmail(email) ?? "");
  try {
    const { hash } = await findByEmail(parts.data, email);
    const proven = await parts.passwords.verify(password, hash);
    attempt.settle({ failed: !proven });
    if (!proven) throw new AppError("INVALID_CREDENTIALS", refusal);
  } finally {
    attempt.settle(null);
  }
}
