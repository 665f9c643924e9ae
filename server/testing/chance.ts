/** Chance in tests: numbers that look random and are the same for the same seed (mulberry32), so that a failure comes again. */

export type Chance = {
  /** A number from 0 on, below 1. */
  readonly next: () => number;
  /** A whole number from 0 on, below `n`. */
  readonly below: (n: number) => number;
  /** True in that share of all cases. */
  readonly sometimes: (share: number) => boolean;
  readonly one: <T>(list: readonly T[]) => T;
  /** At least one and at most so many; some may come twice. */
  readonly some: <T>(list: readonly T[], most: number) => T[];
};

export function chance(seed: number): Chance {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const one = <T>(list: readonly T[]): T => {
    if (list.length === 0) throw new Error("there is nothing to take one of");
    return list[below(list.length)] as T;
  };
  return {
    next,
    below,
    sometimes: (share) => next() < share,
    one,
    some: (list, most) => Array.from({ length: 1 + below(most) }, () => one(list)),
  };
}

/** Another seed at each run, which a failure tells; `SEED=… bun test` repeats one. */
export function seedOfRun(): number {
  return Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
}
