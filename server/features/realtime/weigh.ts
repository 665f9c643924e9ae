/** Which live queries a change concerns: those that read what changed, of rows that are or were among theirs. */
import { touches } from "../../core/query/dependencies";
import type { Judge, LiveQuery, View } from "../../data";
import type { RowChange } from "../../platform/postgres";

export type WeighParts<Live> = {
  /** Those that read a collection. */
  readonly readersOf: (collection: string) => Iterable<Live>;
  readonly queryOf: (live: Live) => LiveQuery;
  /** It will be run anyway. */
  readonly isDue: (live: Live) => boolean;
  readonly wake: (live: Live) => void;
  readonly judge: Judge["judge"];
};

/** So many queries are run at a change without asking whether it concerns them. */
const few = 4;
/** At more changes at a time nobody asks either: a bulk concerns most. */
const bulk = 100;
/** Milliseconds between two judgements of one table: a query rests as long. */
const pause = 50;

/** Makes the function that wakes whom changes concern. */
export function createWeigher<Live>(parts: WeighParts<Live>): (changes: readonly RowChange[]) => void {
  const { readersOf, queryOf, isDue, wake, judge } = parts;
  /** Changes of the tables that are being judged, which wait until that is done. */
  const judging = new Map<string, RowChange[]>();

  const weigh = (table: string, rows: readonly RowChange[]): void => {
    const doubtful: Live[] = [];
    for (const live of readersOf(table)) {
      if (isDue(live)) continue;
      const { collection, reads, members } = queryOf(live);
      const related = reads.related.get(table);
      if (related && rows.some((row) => touches(related, row))) wake(live);
      else if (collection === table && rows.some((row) => touches(reads.own, row))) {
        if (members === null) wake(live);
        else doubtful.push(live);
      }
    }
    if (doubtful.length <= few || rows.length > bulk) doubtful.forEach(wake);
    else void judgeThen(table, doubtful, rows);
  };

  /**
   * Wakes those among whose rows a change was or is: one statement for all that differ in values alone. Changes that come
   * meanwhile are weighed together.
   */
  const judgeThen = async (
    table: string,
    lives: readonly Live[],
    rows: readonly RowChange[],
  ): Promise<void> => {
    const waiting = judging.get(table);
    if (waiting) {
      if (waiting.length < bulk) waiting.push(...rows);
      else lives.forEach(wake);
      return;
    }
    const later: RowChange[] = [];
    judging.set(table, later);
    const rested = Bun.sleep(pause);
    const judged = lives.map((live) => queryOf(live).members as View);
    const judgement = await judge(judged, rows).catch(() => null);
    const concerned = new Set(judgement?.verdicts.map(({ view }) => view));
    const isUntold = judgement === null || judgement.untold;
    lives.forEach((live, place) => {
      if (isUntold || concerned.has(place) || judgement.failures.has(judged[place] as View)) wake(live);
    });
    await rested;
    judging.delete(table);
    if (later.length > 0) weigh(table, later);
  };

  return (changes) => {
    for (const [table, rows] of Map.groupBy(changes, (change) => change.table)) weigh(table, rows);
  };
}
