/** How often a password may be tried: a few failures per account and time, whoever tries. In memory and bounded. */
import { AppError } from "../../core/errors";

/** One try. Exactly one of the two is called, when its outcome is known; `failed: false` forgives earlier failures. */
export type Attempt = { readonly settle: (outcome: { readonly failed: boolean } | null) => void };

export type Attempts = {
  /**
   * Asks to try. Tries that are under way count as failures until they end, so that many at once are no way around
   * the limit: the next one waits for them.
   * @throws AppError RATE_LIMITED with `retryAfter` seconds when the account has had its failures.
   */
  readonly begin: (account: string) => Promise<Attempt>;
  /** Forgets failures: the password of the account is another one now. */
  readonly forgive: (account: string) => void;
};

export type AttemptOptions = {
  /** Failures per account within `interval` ms. */
  readonly limit: number;
  readonly interval: number;
  readonly clock: () => number;
  readonly maxAccounts?: number;
};

type State = { failures: number[]; running: number; waiting: (() => void)[] };

const maxWaiting = 100;

/** Makes a limiter. Beyond `maxAccounts` it forgets the accounts that were tried longest ago. */
export function createAttempts({ limit, interval, clock, maxAccounts = 10_000 }: AttemptOptions): Attempts {
  const accounts = new Map<string, State>();

  const stateOf = (account: string): State => {
    const state = accounts.get(account) ?? { failures: [], running: 0, waiting: [] };
    accounts.delete(account);
    accounts.set(account, state);
    if (accounts.size > maxAccounts) forgetOldest(accounts);
    return state;
  };

  const settle = (account: string, state: State, outcome: { readonly failed: boolean } | null): void => {
    state.running--;
    if (outcome?.failed === true) state.failures.push(clock());
    if (outcome?.failed === false) state.failures = [];
    for (const wake of state.waiting.splice(0)) wake();
    if (state.running === 0 && state.failures.length === 0 && accounts.get(account) === state)
      accounts.delete(account);
  };

  return {
    begin: async (account) => {
      for (;;) {
        const state = stateOf(account);
        const now = clock();
        state.failures = state.failures.filter((time) => now - time < interval);
        const [first] = state.failures;
        if (first !== undefined && state.failures.length >= limit)
          throw tooMany((first + interval - now) / 1000);
        if (state.failures.length + state.running < limit) {
          state.running++;
          let settled = false;
          return {
            settle: (outcome) => {
              if (settled) return;
              settled = true;
              settle(account, state, outcome);
            },
          };
        }
        if (state.waiting.length >= maxWaiting) throw tooMany(1);
        await new Promise<void>((wake) => state.waiting.push(wake));
      }
    },
    forgive: (account) => {
      const state = accounts.get(account);
      if (state) state.failures = [];
    },
  };
}

/** The refusal that says when to come back. */
export function tooMany(seconds: number): AppError {
  const retryAfter = Math.max(1, Math.ceil(seconds));
  return new AppError("RATE_LIMITED", `Too many attempts; try again in ${retryAfter} s`, { retryAfter });
}

function forgetOldest(accounts: Map<string, State>): void {
  for (const [account, state] of accounts) {
    if (state.running > 0) continue;
    accounts.delete(account);
    return;
  }
}
