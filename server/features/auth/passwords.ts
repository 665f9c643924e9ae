/** Hashes of passwords: made and compared off the thread. Which passwords are accepted is `password-policy.ts`. */
import { availableParallelism } from "node:os";
import pLimit from "p-limit";
import { AppError } from "../../core/errors";
import { type Argon2, createArgon2 } from "./argon2";
import { createYielding } from "./hashing-threads";
import {
  createPasswordPolicy,
  passwordFault,
  type PasswordOwner,
  type PasswordPolicy,
} from "./password-policy";

// At least 19 MiB, 2 passes, 1 lane. Verifying takes its parameters from the hash.
const parameters = { memoryCost: 19_456, timeCost: 2 } as const;

/** One for the process: it loads a library. */
const shared = createArgon2();

export type Passwords = {
  /**
   * The argon2id hash, in PHC text form. @throws AppError VALIDATION_ERROR for a password that is not accepted for the owner,
   * UNAVAILABLE when too many wait.
   */
  readonly hash: (password: string, owner: PasswordOwner) => Promise<string>;
  /** Like `hash`, for a password that was accepted before. @throws AppError UNAVAILABLE when too many wait. */
  readonly rehash: (password: string) => Promise<string>;
  /**
   * True when the password gives the hash. Without a hash it answers false after the same work, so that time does not
   * tell whether there is one. @throws AppError UNAVAILABLE when too many wait.
   */
  readonly verify: (password: string, hash: string | null) => Promise<boolean>;
};

/** How many hashes at once, and how many may wait; beyond that sign-ins are told to come back. */
export type PasswordOptions = {
  readonly concurrency?: number;
  readonly queue?: number;
  /** By default the length alone. */
  readonly policy?: PasswordPolicy;
  readonly argon2?: Argon2;
};

/** A core is left to those who are signed in already: with two hashes at once on two cores, their reads wait three times as long. */
function lanes(cores: number): number {
  return Math.max(1, cores - 1);
}

/** Hashing off the thread, at most one job a core but one, with a short queue. */
export function createPasswords({
  concurrency = lanes(availableParallelism()),
  queue = 32,
  policy = createPasswordPolicy({ PASSWORD_POLICY: "length" }),
  argon2 = shared,
}: PasswordOptions = {}): Passwords {
  const limit = pLimit(concurrency);
  const nobody = unmatchedHash();
  const yieldToRequests = createYielding();
  const enqueue = <T>(work: () => Promise<T>): Promise<T> => {
    if (limit.activeCount + limit.pendingCount >= concurrency + queue) {
      throw new AppError("UNAVAILABLE", "Too many sign-ins at once; try again in a moment", {
        retryAfter: 1,
      });
    }
    return limit(() => work().finally(yieldToRequests));
  };
  const rehash = (password: string) => enqueue(() => argon2.hash(password, parameters));
  return {
    hash: async (password, owner) => {
      await policy.check(password, owner);
      return rehash(password);
    },
    rehash,
    verify: async (password, hash) => {
      const possible = passwordFault(password) === null;
      const matches = await enqueue(() => argon2.verify(possible ? password : "impossible", hash ?? nobody));
      return possible && hash !== null && matches;
    },
  };
}

/** True for a hash that was made in another way than hashes are made now. */
export function isOutdated(hash: string): boolean {
  return !hash.startsWith(`$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=1$`);
}

/** A hash of the usual parameters that no known password gives: salt and digest are both random. */
function unmatchedHash(): string {
  const part = () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
      .toString("base64")
      .replace(/=+$/, "");
  return `$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=1$${part()}$${part()}`;
}
