/**
 * Transactions of which nobody wanted to be told. The log tells of a commit before everybody can see it: who asks to be told in between
 * reads the state before, and must hear that there was something.
 */
import type { Horizon } from "./horizon";

export type SkippedParts = {
  readonly horizon: Pick<Horizon, "pass">;
  /** Hears of a table that has changed since it was asked for, though the change was told before. */
  readonly onMissed: (table: string) => void;
  readonly now?: () => number;
};

/** Transactions that are remembered, and for how many ms: they can be seen after a fraction of one. */
const most = 5_000;
const kept = 1_000;

export type Skipped = {
  readonly add: (transaction: number, tables: readonly string[]) => void;
  /** Somebody wants to be told of a table, and reads it from now on. Costs nothing where it has not changed just now. */
  readonly watching: (table: string) => void;
};

/** Makes an empty memory. */
export function createSkipped({
  horizon,
  onMissed,
  now = performance.now.bind(performance),
}: SkippedParts): Skipped {
  let gathered: { readonly transaction: number; readonly tables: readonly string[]; readonly at: number }[] =
    [];

  return {
    add: (transaction, tables) => {
      gathered.push({ transaction, tables, at: now() });
      if (gathered.length >= most * 2) gathered = gathered.slice(-most);
    },
    watching: (table) => {
      const since = now() - kept;
      gathered = gathered.filter(({ at }) => at >= since);
      for (const { transaction, tables } of gathered) {
        if (!tables.includes(table)) continue;
        horizon.pass(transaction, (isLate) => {
          if (isLate) onMissed(table);
        });
      }
    },
  };
}
