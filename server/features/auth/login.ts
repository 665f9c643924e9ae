/** `POST /auth/login`. Nothing in text, status or time tells an unknown name from a wrong password. */
import { AppError } from "../../core/errors";
import { findByName, hashOf, replaceHash, signInName } from "./accounts";
import type { Attempt } from "./attempts";
import { finishSignIn } from "./finish-sign-in";
import type { LoginBody } from "./model";
import { isOutdated } from "./passwords";
import { countClient, type Origin, requireLocal, type SignInParts, type SignInResult } from "./sign-in";
import { tryBehind, tryName } from "./tries";

/**
 * Signs an account in, by its mail address or its username.
 * @throws AppError INVALID_CREDENTIALS `Incorrect password.` for an unknown name and for a wrong password alike;
 * FORBIDDEN, once the password is proven, for an account that may not come in; RATE_LIMITED; UNAVAILABLE.
 */
export async function login(parts: SignInParts, body: LoginBody, origin: Origin): Promise<SignInResult> {
  requireLocal(parts.config);
  countClient(parts, origin.client);
  const name = signInName(body.name);
  const attempt = await tryName(parts.attempts, name);
  let behind: Attempt | null = null;
  try {
    const { account, hash } = await findByName(parts.data, name);
    behind = account && (await tryBehind(parts.attempts, account.id));
    const proven = await parts.passwords.verify(body.password, behind === null ? null : hash);
    const settle = (failed: boolean): void => {
      attempt.settle({ failed });
      behind?.settle({ failed });
    };
    if (!proven || account === null) {
      settle(true);
      throw incorrect();
    }
    const wanted = { type: body.authType, tenant: body.tenant_Id };
    const result = await finishSignIn(parts, account, wanted, origin, async (rows) => {
      const now = await hashOf(rows, account.id);
      if (now !== hash && !(await parts.passwords.verify(body.password, now))) throw incorrect();
    });
    if (hash !== null && isOutdated(hash)) renewHash(parts, account.id, hash, body.password);
    // A right password forgives wrong ones, but no wrong codes: who has it alone would get any number of tries at them.
    if (!("mfaToken" in result)) settle(false);
    return result;
  } finally {
    // A try that ended before its outcome was known (the database was away) is nobody's failure.
    attempt.settle(null);
    behind?.settle(null);
  }
}

function incorrect(): AppError {
  return new AppError("INVALID_CREDENTIALS", "Incorrect password.");
}

/** Brings a hash up to the parameters in use, after the answer. */
function renewHash(
  { data, errands, passwords }: SignInParts,
  user: string,
  before: string,
  password: string,
): void {
  try {
    errands.take("a password could not be hashed anew", async () =>
      replaceHash(data, user, before, await passwords.rehash(password)),
    );
  } catch {
    // Too much to do now; the next sign-in tries again.
  }
}
