/** `POST /auth/mfa/verify`: the second half of a sign-in. */
import { AppError } from "../../../core/errors";
import { findAccount } from "../accounts";
import { entryOf } from "../entry";
import { barred, describeSignIn, lockAccount, openSession, type Origin, type SignInResult } from "../sign-in";
import { spendChallenge, tryChallenge } from "./challenges";
import { asTry, type Code, type MfaParts, spendOf, wrongCode } from "./prove";

/**
 * Opens the session of an account that has proven its second factor as well.
 * @throws AppError UNAUTHORIZED for a token that is unknown, used, too old or has had its tries; INVALID_CREDENTIALS
 * `Incorrect code.`; FORBIDDEN for an account that may not come in; RATE_LIMITED
 */
export async function finishSecondStep(
  parts: MfaParts,
  mfaToken: string,
  typed: Code,
  origin: Origin,
): Promise<SignInResult> {
  const { clock, data } = parts;
  const challenge = await tryChallenge(data, { token: mfaToken }, clock());
  const account = challenge && (await findAccount(data, challenge.user));
  if (!challenge?.opens || !account) throw invalidStep();
  const { id, opens } = challenge;
  return asTry(parts, account, origin, async () => {
    const spend = await spendOf(parts, account.id, typed);
    if (account.status !== "active") throw barred(account);
    const { type, tenant } = opens;
    const entry = await entryOf(parts, data, account.id, tenant, origin.client);
    const opened = await data.transaction(async (rows) => {
      await lockAccount(rows, account.id, clock());
      if (!(await spendChallenge(rows, id, clock()))) throw invalidStep();
      if (!(await spend(rows))) throw wrongCode();
      return openSession(parts, rows, account, { type, entry, aal: 2 }, origin);
    });
    return describeSignIn(parts, opened, account, entry);
  });
}

function invalidStep(): AppError {
  return new AppError("UNAUTHORIZED", "Invalid or expired token; sign in again");
}
