/** What a code or a recovery code must go through: the limits that it shares with passwords, then its use, once. */
import { AppError } from "../../../core/errors";
import type { Data } from "../../../data";
import type { Account } from "../accounts";
import { countClient, type Origin, type SignInParts } from "../sign-in";
import { tryOwn } from "../tries";
import type { Factors, Match } from "./factors";
import { spendRecoveryCode } from "./recovery-codes";

/** What the verbs of second factors work with. */
export type MfaParts = SignInParts & { readonly factors: Factors };

/** What somebody typed. */
export type Code = { readonly code: string } | { readonly recoveryCode: string };

/** How a code is used up, inside the transaction that it opens something in. False: it is not good, or not any more. */
export type Spend = (rows: Data) => Promise<boolean>;

/**
 * Does work that stands or falls with a code, as one try among those at the account's password: it counts when it fails for the
 * code (INVALID_CREDENTIALS), and forgives when it succeeds.
 * @throws AppError RATE_LIMITED, and what the work throws
 */
export async function asTry<Result>(
  parts: SignInParts,
  account: Pick<Account, "id" | "email">,
  origin: Origin,
  work: () => Promise<Result>,
): Promise<Result> {
  countClient(parts, origin.client);
  const attempt = await tryOwn(parts.attempts, account);
  try {
    const result = await work();
    attempt.settle({ failed: false });
    return result;
  } catch (error) {
    if (error instanceof AppError && error.code === "INVALID_CREDENTIALS") attempt.settle({ failed: true });
    throw error;
  } finally {
    // A try that ended before its outcome was known is nobody's failure.
    attempt.settle(null);
  }
}

/** How to use up what was typed, of any verified factor of an account. @throws AppError INVALID_CREDENTIALS */
export async function spendOf(parts: MfaParts, user: string, typed: Code): Promise<Spend> {
  if ("recoveryCode" in typed) {
    return (rows) => spendRecoveryCode(rows, user, typed.recoveryCode, parts.clock());
  }
  const match = await matchOf(parts, user, typed.code, "verified");
  return (rows) => parts.factors.spend(rows, match);
}

/** What a code is right for. @throws AppError INVALID_CREDENTIALS */
export async function matchOf(
  { factors }: MfaParts,
  user: string,
  code: string,
  factor: string | "verified",
): Promise<Match> {
  const match = await factors.match(user, code, factor);
  if (match === null) throw wrongCode();
  return match;
}

/** The refusal of a code: wrong, of another time, or used before. */
export function wrongCode(): AppError {
  return new AppError("INVALID_CREDENTIALS", "Incorrect code.");
}
