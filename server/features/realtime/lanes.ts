/**
 * Turns of the statements of live queries, so that they leave connections to requests and nobody holds up others: cheap ones
 * go side by side, dear ones one after the other, each lane in turn by who asks.
 */

/** Statements at a time. */
const width = { fresh: 2, cheap: 2, dear: 1 } as const;
/** Milliseconds from which on a statement is dear. */
const dear = 100;

/**
 * Runs work when it is its turn. `cost`: what the statement took last, in ms; null: it was never run. `asker`: who wants it;
 * of what was never run, each has one at a time.
 */
export type Lanes = <T>(cost: number | null, asker: string, work: () => T | Promise<T>) => Promise<T>;

/** Opens the lanes. */
export function openLanes(): Lanes {
  const fresh = openLane(width.fresh, 1);
  const cheap = openLane(width.cheap);
  const dearOnes = openLane(width.dear);
  return (cost, asker, work) => (cost === null ? fresh : cost > dear ? dearOnes : cheap)(asker, work);
}

type Lane = <T>(asker: string, work: () => T | Promise<T>) => Promise<T>;
type Line = { readonly waiting: (() => void)[]; running: number };

/** Whoever has waited longest since its last turn comes next, however many others wait behind it. */
function openLane(places: number, most = places): Lane {
  const lines = new Map<string, Line>();
  let free = places;

  const next = (): void => {
    // A list of its own: who has had a turn goes to the end of the map.
    for (const [asker, line] of Array.from(lines)) {
      if (free === 0) return;
      const start = line.running < most ? line.waiting.shift() : undefined;
      if (!start) continue;
      lines.delete(asker);
      lines.set(asker, line);
      free--;
      line.running++;
      start();
    }
    const more =
      free > 0 && [...lines.values()].some(({ waiting, running }) => waiting.length > 0 && running < most);
    if (more) next();
  };

  return async (asker, work) => {
    const line = lines.get(asker) ?? { waiting: [], running: 0 };
    lines.set(asker, line);
    await new Promise<void>((resolve) => {
      line.waiting.push(resolve);
      next();
    });
    try {
      return await work();
    } finally {
      free++;
      line.running--;
      if (line.waiting.length + line.running === 0) lines.delete(asker);
      next();
    }
  };
}
