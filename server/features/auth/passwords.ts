/** Passwords: which are accepted, and their hashes. */
import { availableParallelism } from "node:os";
import pLimit from "p-limit";
import { AppError } from "../../core/errors";

/** Characters. */
export const passwordLength = { min: 8, max: 128 } as const;

// At least 19 MiB, 2 passes, 1 lane. Verifying takes its parameters from the hash.
const parameters = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

/** What is wrong with a password, as a sentence for its owner; null when it is accepted. */
export function passwordFault(password: string): string | null {
  if (!password.isWellFormed() || password.includes("\0"))
    return "Password contains characters that cannot be used";
  // Code points: a character outside the basic plane is one, not two. Cut first, so that a megabyte is not counted.
  const { length } = Array.from(password.slice(0, passwordLength.max * 2 + 1));
  if (length < passwordLength.min) return `Password must be at least ${passwordLength.min} characters`;
  if (length > passwordLength.max) return `Password must be at most ${passwordLength.max} characters`;
  return null;
}

export type Passwords = {
  /**
   * The argon2id hash, in PHC text form. @throws AppError VALIDATION_ERROR for a password that is not accepted,
   * UNAVAILABLE when too many wait.
   */
  readonly hash: (password: string) => Promise<string>;
  /**
   * True when the password gives the hash. Without a hash it answers false after the same work, so that time does not
   * tell whether there is one. @throws AppError UNAVAILABLE when too many wait.
   */
  readonly verify: (password: string, hash: string | null) => Promise<boolean>;
};

/** How many hashes at once, and how many may wait; beyond that sign-ins are told to come back. */
export type PasswordOptions = { readonly concurrency?: number; readonly queue?: number };

/** Hashing off the thread, at most one job a core, with a short queue. */
export function createPasswords({
  concurrency = availableParallelism(),
  queue = 32,
}: PasswordOptions = {}): Passwords {
  const limit = pLimit(concurrency);
  const nobody = unmatchedHash();
  const enqueue = <T>(work: () => Promise<T>): Promise<T> => {
    if (limit.activeCount + limit.pendingCount >= concurrency + queue) {
      throw new AppError("UNAVAILABLE", "Too many sign-ins at once; try again in a moment", {
        retryAfter: 1,
      });
    }
    return limit(work);
  };
  return {
    hash: async (password) => {
      const fault = passwordFault(password);
      if (fault !== null) {
        throw new AppError("VALIDATION_ERROR", fault, [{ field: "password", message: fault, rule: "len" }]);
      }
      return enqueue(() => Bun.password.hash(password, parameters));
    },
    verify: async (password, hash) => {
      const possible = passwordFault(password) === null;
      const matches = await enqueue(() =>
        Bun.password.verify(possible ? password : "impossible", hash ?? nobody),
      );
      return possible && hash !== null && matches;
    },
  };
}

/** A hash of the usual parameters that no known password gives: salt and digest are both random. */
function unmatchedHash(): string {
  const part = () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
      .toString("base64")
      .replace(/=+$/, "");
  return `$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=1$${part()}$${part()}`;
}
