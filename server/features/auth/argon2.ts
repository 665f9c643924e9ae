/**
 * argon2id (RFC 9106) in the runtime's pool of threads. A native library does it in less than half the time that Bun's own
 * takes (`bench/auth.ts`); where it cannot be loaded, Bun does it. Both write and read the same text.
 */

/** What `@node-rs/argon2` offers of what is used here. */
type Native = {
  readonly hash: (
    password: string,
    options: { readonly memoryCost: number; readonly timeCost: number; readonly parallelism: number },
  ) => Promise<string>;
  readonly verify: (hash: string, password: string) => Promise<boolean>;
};

/** KiB, and passes over them; in one lane. */
export type Argon2Cost = { readonly memoryCost: number; readonly timeCost: number };

/** Makes hashes and compares passwords with them. */
export type Argon2 = {
  /** The argon2id hash in PHC text form, with a random salt. */
  readonly hash: (password: string, cost: Argon2Cost) => Promise<string>;
  /** True when the password gives the hash, of whatever kind Bun reads. @throws Error for a text that is no hash */
  readonly verify: (password: string, hash: string) => Promise<boolean>;
};

/** `load`: gives the native library; asked when the first hash is wanted, so that a server starts without it. */
export function createArgon2(
  load: () => Promise<Native> = async () => await import("@node-rs/argon2"),
): Argon2 {
  let native: Promise<Native | null> | null = null;
  // It is a file that is written and mapped when it is loaded: a system may forbid either.
  const loaded = (): Promise<Native | null> => (native ??= load().catch(() => null));
  return {
    hash: async (password, cost) => {
      const library = await loaded();
      return library
        ? library.hash(password, { ...cost, parallelism: 1 })
        : Bun.password.hash(password, { algorithm: "argon2id", ...cost });
    },
    verify: async (password, hash) => {
      const library = hash.startsWith("$argon2id$") ? await loaded() : null;
      return library ? library.verify(hash, password) : Bun.password.verify(password, hash);
    },
  };
}
