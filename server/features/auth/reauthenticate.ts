/**
 * `POST /auth/reauthenticate`: the password once more, or a code that is mailed to an account without one, so that the session
 * may do what asks for a fresh proof.
 */
import { z } from "zod";
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { findAccount, hashOf } from "./accounts";
import { queueLetter } from "./mailed";
import { invalidOneTime } from "./one-time";
import { countClient, type Origin, requireLocal, type SignInParts } from "./sign-in";
import { invalidToken } from "./tokens";
import { tryOwn } from "./tries";

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
  return noteProof(parts, actor);
}

/** What a code is kept with: whoever reads another address by now is not who it was mailed to. */
const mailedSchema = z.object({ email: z.string() });

/**
 * Mails a code of six digits and 5 minutes to the caller's own address, for this session alone.
 * @throws AppError RATE_LIMITED; MAIL_NOT_CONFIGURED; FORBIDDEN where mails are no way in
 */
export async function requestConfirmCode(parts: SignInParts, actor: UserActor): Promise<void> {
  const { config, data, mail, oneTimes } = parts;
  requireLocal(config);
  const account = await findAccount(data, actor.id);
  if (account === null) throw invalidToken();
  mail.requireWay();
  mail.limits.take(account.email);
  await data.transaction(async (rows) => {
    const { email } = account;
    const input = { kind: "confirm-code", subject: actor.session, data: { email } } as const;
    const { text: code, expiresAt } = await oneTimes.createCode(rows, input, "digits");
    await queueLetter(
      parts,
      rows,
      account,
      { type: "confirmCode", values: { code, expiresAt } },
      actor.tenant,
    );
  });
}

/**
 * The same proof by such a code.
 * @throws AppError INVALID_CREDENTIALS `Invalid or expired token`; RATE_LIMITED; UNAUTHORIZED when the session ended
 */
export async function reauthenticateByCode(
  parts: SignInParts,
  actor: UserActor,
  code: string,
  origin: Origin,
): Promise<number> {
  requireLocal(parts.config);
  countClient(parts, origin.client);
  const typed = code.replace(/\s+/g, "");
  const proven = await parts.oneTimes.consumeCode(parts.data, "confirm-code", actor.session, typed);
  const account = await findAccount(parts.data, actor.id);
  if (mailedSchema.safeParse(proven?.data).data?.email !== account?.email || !account) throw invalidOneTime();
  return noteProof(parts, actor);
}

/** Notes that the session's owner was proven now; gives the time (ms since 1970). @throws AppError UNAUTHORIZED when it ended */
export async function noteProof(
  { sessions }: Pick<SignInParts, "sessions">,
  { session }: Pick<UserActor, "session">,
): Promise<number> {
  const authenticatedAt = await sessions.proveAgain(session);
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
  const attempt = await tryOwn(parts.attempts, { id: actor.id, email });
  try {
    const hash = await hashOf(parts.data, actor.id);
    const proven = await parts.passwords.verify(password, hash);
    attempt.settle({ failed: !proven });
    if (!proven) throw new AppError("INVALID_CREDENTIALS", refusal);
  } finally {
    attempt.settle(null);
  }
}
