/** `POST /auth/mfa/factors/:id/verify`: an open session proves a factor, for the first time or once more. */
import type { MfaFactorSummary } from "@baasix/types";
import type { UserActor } from "../../../core/access/actor";
import { AppError } from "../../../core/errors";
import { type Account, findAccount } from "../accounts";
import { entryOf } from "../entry";
import { requireFresh } from "../fresh";
import { describeSignIn, lockAccount, openSession, type Origin, type SignInResult } from "../sign-in";
import { spendChallenge, tryChallenge } from "./challenges";
import { noteFactor } from "./note";
import { tellOwner } from "./notice";
import { asTry, matchOf, type MfaParts, wrongCode } from "./prove";
import { replaceRecoveryCodes } from "./recovery-codes";
import { listFactors } from "./rows";

/** What is brought. `challengeId`: of a challenge of this session and factor, where one was asked for. */
export type Verification = {
  readonly factor: string;
  readonly code: string;
  readonly challengeId: string | null;
};

/** A new session; and with the first factor of an account the recovery codes. */
export type Verified = {
  readonly result: SignInResult;
  readonly factor: MfaFactorSummary;
  readonly recoveryCodes: readonly string[] | null;
};

/**
 * Proves a factor. The session is replaced by a new one, which has proven two factors; the first proof of a factor makes it
 * count, takes a fresh sign-in, and ends the other sessions of the account.
 * @throws AppError NOT_FOUND for another one's factor; INVALID_CREDENTIALS `Incorrect code.`; UNAUTHORIZED for a challenge or
 * session that has ended; REAUTHENTICATION_REQUIRED; RATE_LIMITED
 */
export async function verifyFactor(
  parts: MfaParts,
  actor: UserActor,
  { factor: id, code, challengeId }: Verification,
  origin: Origin,
): Promise<Verified> {
  const { clock, data } = parts;
  const account = await findAccount(data, actor.id);
  const known = (await listFactors(data, actor.id)).find((factor) => factor.id === id);
  if (!account || !known) throw noSuchFactor();
  if (known.status === "unverified") requireFresh(actor, clock());
  const challenge = { id: challengeId ?? "", user: actor.id, session: actor.session, factor: id };
  if (challengeId !== null && (await tryChallenge(data, challenge, clock())) === null) {
    throw new AppError("UNAUTHORIZED", "Invalid or expired challenge; ask for another one");
  }
  return asTry(parts, account, origin, async () => {
    const match = await matchOf(parts, actor.id, code, id);
    const entry = await entryOf(parts, data, actor.id, actor.tenant, origin.client);
    const done = await data.transaction(async (rows) => {
      await lockAccount(rows, actor.id, clock());
      if (challengeId !== null && !(await spendChallenge(rows, challengeId, clock()))) throw wrongCode();
      if (!(await parts.factors.spend(rows, match))) throw wrongCode();
      const isNew = match.status === "unverified";
      const others = (await listFactors(rows, actor.id)).filter(
        (factor) => factor.status === "verified" && factor.id !== id,
      );
      const recoveryCodes = isNew && others.length === 0 ? await replaceRecoveryCodes(rows, actor.id) : null;
      if (isNew) {
        await noteFactor(rows, actor, "create", known);
        await tellOwner(parts, rows, actor.id, "added", known.friendlyName);
      }
      const { type } = await parts.sessions.endForSuccessor(rows, actor.id, actor.session);
      if (isNew) await parts.sessions.endAll(actor.id, null, rows);
      const opened = await openSession(parts, rows, account, { type, entry, aal: 2 }, origin);
      return { opened, recoveryCodes };
    });
    const result = await describeSignIn(parts, done.opened, account satisfies Account, entry);
    const { type, friendlyName } = known;
    return { result, factor: { id, type, friendlyName }, recoveryCodes: done.recoveryCodes };
  });
}

/** The refusal of a factor that is not there, or not the caller's. */
export function noSuchFactor(): AppError {
  return new AppError("NOT_FOUND", "Factor not found");
}
