/** Counting per key in fixed windows of time, in memory and bounded. Knows nothing of requests. */
import { createRecent } from "./recent";

/** The state of one key: how often it was counted in the window that ends at `endsAt` (ms since 1970). */
export type WindowCount = { count: number; endsAt: number };

/** Counts in fixed windows. */
export type WindowCounter = {
  /** Counts one use of `key` at `now` (ms) and gives the state afterwards; valid until the next call. */
  readonly count: (key: string, now: number) => Readonly<WindowCount>;
};

/**
 * A counter whose windows last `interval` ms, each starting with its key's first use. Remembers the `keys` keys that
 * were used last, at least: a flood of new ones makes it forget the quiet.
 */
export function createWindowCounter(interval: number, keys = 10_000): WindowCounter {
  const windows = createRecent<WindowCount>(keys);
  return {
    count: (key, now) => {
      const known = windows.get(key);
      if (known === undefined) {
        const fresh = { count: 1, endsAt: now + interval };
        windows.set(key, fresh);
        return fresh;
      }
      if (now >= known.endsAt) {
        known.count = 0;
        known.endsAt = now + interval;
      }
      known.count++;
      return known;
    },
  };
}
