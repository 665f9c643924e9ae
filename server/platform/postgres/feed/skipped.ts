/**
 * Transactions of which nobody wanted to be told. The log tells of a commit before everybody can see it: who asks to be told in between
 * reads the state before, and must hear that there was something.
 */
import type { Horizon } from "./horizon";

export type SkippedParts = {
  readonly horizon: Pick<Horizon, "pass">;
  readonly isWanted: (table: string) => boolean;
  /** Hears of tables that are wanted since. */
  readonly onMissed: (tables: ReadonlySet<string>) => void;
  /** Milliseconds for which they are gathered before the database is asked, once for all. */
  readonly pause?: number;
};

/** Transactions that are remembered one by one. Beyond, the last one stands for all. */
const most = 5_000;

export type Skipped = {
  readonly add: (transaction: number, tables: readonly string[]) => void;
  readonly close: () => void;
};

/** Makes an empty memory. */
export function createSkipped({ horizon, isWanted, onMissed, pause = 250 }: SkippedParts): Skipped {
  let gathered: { readonly transaction: number; readonly tables: ReadonlySet<string> }[] = [];
  let timer: ReturnType<typeof setTimeout> | null = null;

  const flush = (): void => {
    timer = null;
    const all = gathered;
    gathered = [];
    for (const { transaction, tables } of all) {
      horizon.pass(transaction, () => {
        const missed = new Set([...tables].filter(isWanted));
        if (missed.size > 0) onMissed(missed);
      });
    }
  };

  return {
    add: (transaction, tables) => {
      if (gathered.length >= most) {
        const union = new Set([...gathered.flatMap((one) => [...one.tables]), ...tables]);
        gathered = [{ transaction, tables: union }];
      } else gathered.push({ transaction, tables: new Set(tables) });
      if (timer !== null) return;
      timer = setTimeout(flush, pause);
      timer.unref();
    },
    close: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      gathered = [];
    },
  };
}
