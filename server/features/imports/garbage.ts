/** Keeps the memory of an import flat. */

/** At most about one part in so many of the time goes into collecting. */
const share = 10;
/** Batches between two collections, at least. */
const apart = 8;

/**
 * Makes a function to call after each batch. A batch lives longer than what the collector takes for young, so that its garbage
 * would wait until the heap has doubled (measured: 200,000 rows, 160 MB more without, 80 with); a server with a
 * large heap, for which collecting takes long, is collected as much more seldom.
 */
export function createSweeper(): () => void {
  let batches = 0;
  let next = 0;
  // What else the machine does makes single times longer, never shorter.
  let least = Infinity;
  return () => {
    const began = performance.now();
    if (++batches < apart || began < next) return;
    Bun.gc(true);
    least = Math.min(least, performance.now() - began);
    next = began + share * least;
    batches = 0;
  };
}
