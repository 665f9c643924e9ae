/**
 * Hashes keep whole cores busy for tens of milliseconds each. Where requests want the same core, the thread that answers them
 * should have it: Linux gives threads a priority of their own, and the runtime's pool, which does the hashing, is named. Half of
 * the reads beside sign-ins are answered in 1.1 ms so, and else in 1.9 (`bench/auth.ts`, two cores).
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";

/** The niceness of the pool's threads (setpriority(2); the thread that answers has 0, less than this comes first). */
export const poolNiceness = 10;

const own = "/proc/self/task";

/**
 * Gives a function to call after a hash: it lowers the pool's threads that there are by then, until there are as many as cores.
 * Where there is no `/proc`, and where it may not be changed, everything stays as it is.
 */
export function createYielding(threads = availableParallelism()): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    try {
      const pool = poolThreads();
      for (const thread of pool) setPriority(thread, poolNiceness);
      isDone = pool.length >= threads;
    } catch {
      isDone = true;
    }
  };
}

/** The ids of the pool's threads in this process. @throws Error where there is no `/proc` */
export function poolThreads(): readonly number[] {
  return readdirSync(own)
    .filter((id) => readFileSync(`${own}/${id}/comm`, "latin1").startsWith("Bun Pool"))
    .map(Number);
}
