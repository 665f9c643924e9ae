/** Counting per key in fixed windows of time, in memory and bounded. Knows nothing of requests. */

/** The state of one key: how often it was counted in the window that ends at `endsAt` (ms since 1970). */
export type WindowCount = { count: number; endsAt: number };

/** Counts in fixed windows. */
export type WindowCounter = {
  /** Counts one use of `key` at `now` (ms) and gives the state afterwards; valid until the next call. */
  readonly count: (key: string, now: number) => Readonly<WindowCount>;
};

/**
 * A counter whose windows last `interval` ms, each starting with its key's first use.
 * Holds at most `maxKeys`: when full, windows that have ended go first, then the oldest.
 */
export function createWindowCounter(interval: number, maxKeys = 10_000): WindowCounter {
  const windows = new Map<string, WindowCount>();
  let sweptAt = 0;
  return {
    count: (key, now) => {
      const known = windows.get(key);
      if (known) {
        if (now >= known.endsAt) {
          known.count = 0;
          known.endsAt = now + interval;
        }
        known.count++;
        return known;
      }
      if (windows.size >= maxKeys) {
        // One sweep an interval: a flood of new keys must not pay for a walk over all of them each time.
        if (now - sweptAt >= interval) {
          sweptAt = now;
          for (const [old, { endsAt }] of windows) if (now >= endsAt) windows.delete(old);
        }
        if (windows.size >= maxKeys) dropFirst(windows);
      }
      const fresh = { count: 1, endsAt: now + interval };
      windows.set(key, fresh);
      return fresh;
    },
  };
}

function dropFirst(windows: Map<string, WindowCount>): void {
  for (const key of windows.keys()) {
    windows.delete(key);
    return;
  }
}
