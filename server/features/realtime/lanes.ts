/**
 * Turns of the statements of live queries, so that they leave connections to requests and dear ones hold up nobody else:
 * cheap ones go side by side, dear ones one after the other, and those that were never run wait for others of their asker.
 */
import pLimit from "p-limit";

/** Statements at a time. */
const width = { fresh: 2, cheap: 2, dear: 1 } as const;
/** Milliseconds from which on a statement is dear. */
const dear = 100;

/** `cost`: what the statement took last, in ms; null: it was never run, and `asker` wants it. */
export type Lanes = <T>(cost: number | null, asker: string, work: () => T | Promise<T>) => Promise<T>;

/** Opens the lanes. */
export function openLanes(): Lanes {
  const fresh = pLimit(width.fresh);
  const cheap = pLimit(width.cheap);
  const dearOnes = pLimit(width.dear);
  /** One at a time for each who asks, however many they ask for. */
  const turns = new Map<string, ReturnType<typeof pLimit>>();
  return async (cost, asker, work) => {
    if (cost !== null) return (cost > dear ? dearOnes : cheap)(work);
    const turn = turns.get(asker) ?? pLimit(1);
    turns.set(asker, turn);
    try {
      return await turn(() => fresh(work));
    } finally {
      if (turn.activeCount + turn.pendingCount === 0) turns.delete(asker);
    }
  };
}
