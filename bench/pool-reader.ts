/** The thread of `pool.ts` that reads single items and tells how long each took. */
import { parentPort } from "node:worker_threads";

/** What to read. Times: `pause` in ms, between two reads of one reader. */
export type ReadWish = {
  readonly urls: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly readers: number;
  readonly pause: number;
  readonly seconds: number;
};

/** Latencies in ms. `errors`: answers other than 200. */
export type Latencies = {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  readonly errors: number;
};

parentPort?.on("message", async ({ urls, headers, readers, pause, seconds }: ReadWish) => {
  const end = performance.now() + seconds * 1000;
  const took: number[] = [];
  let errors = 0;
  const reader = async (_: unknown, number: number): Promise<void> => {
    for (let n = number; performance.now() < end; n += readers) {
      const from = performance.now();
      const answer = await fetch(urls[n % urls.length] ?? "", { headers });
      await answer.arrayBuffer();
      took.push(performance.now() - from);
      if (answer.status !== 200) errors++;
      await Bun.sleep(pause);
    }
  };
  await Promise.all(Array.from({ length: readers }, reader));
  took.sort((a, b) => a - b);
  const at = (part: number): number => took[Math.min(took.length - 1, Math.floor(took.length * part))] ?? NaN;
  const told: Latencies = { count: took.length, p50: at(0.5), p99: at(0.99), longest: at(1), errors };
  parentPort?.postMessage(told);
});
