/**
 * How tries at an account are counted: for the name that was typed, which is told when it had too many, and for the account
 * behind it, whichever of its names was typed. That the account had too many is told to nobody who has not proven to be let in:
 * tries by username would else tell which address the name belongs to.
 */
import { AppError } from "../../core/errors";
import { normalizeEmail, type SignInName } from "./accounts";
import type { Attempt, Attempts } from "./attempts";

/** Whom a try is at. */
type Tried = { readonly id: string; readonly email: string };

/** A try by a typed name. @throws AppError RATE_LIMITED when the name has had its failures */
export function tryName(attempts: Attempts, name: SignInName): Promise<Attempt> {
  return attempts.begin("email" in name ? name.email : `@${name.username}`);
}

/** The same try for the account behind the name; null: it has had its failures, which must look like a wrong password. */
export async function tryBehind(attempts: Attempts, account: string): Promise<Attempt | null> {
  try {
    return await attempts.begin(keyOf(account));
  } catch (error) {
    if (error instanceof AppError && error.code === "RATE_LIMITED") return null;
    throw error;
  }
}

/**
 * A try by who is let in already, or has proven the password: at that, or at a second factor.
 * @throws AppError RATE_LIMITED when the account, or its address, has had its failures
 */
export async function tryOwn(attempts: Attempts, { id, email }: Tried): Promise<Attempt> {
  const typed = await attempts.begin(normalizeEmail(email) ?? "");
  try {
    return both(typed, await attempts.begin(keyOf(id)));
  } catch (error) {
    typed.settle(null);
    throw error;
  }
}

/** Two that end alike. */
function both(one: Attempt, other: Attempt): Attempt {
  return {
    settle: (outcome) => {
      one.settle(outcome);
      other.settle(outcome);
    },
  };
}

/** Forgets the failures at an account: its password is another one now. */
export function forgiveAll(attempts: Attempts, account: Tried & { readonly username: string | null }): void {
  attempts.forgive(account.email);
  attempts.forgive(keyOf(account.id));
  if (account.username !== null) attempts.forgive(`@${account.username}`);
}

function keyOf(account: string): string {
  return `#${account}`;
}
