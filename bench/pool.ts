/**
 * `bun bench/pool.ts [--writers 64] [--size 100] [--seconds 8] [--rounds 3]`: a user who reads single items while others
 * create in bulk, with a pool of ten connections. Prints the latency of the reads alone and during, and what was written.
 * The reads come from a thread of their own, so that the load that this program makes is not in their figures; each of four
 * readers pauses 5 ms between two, as a user does: readers without a pause measure how much of the machine they get.
 */
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { median, printTable, spread } from "./figures";
import { emptyFolder, serve } from "./server-process";
import { admin, buildShop, fillShop, sampleIds, signIn, user } from "./shop";
import type { Latencies, ReadWish } from "./pool-reader";

const { values: options } = parseArgs({
  options: {
    writers: { type: "string", default: "64" },
    size: { type: "string", default: "100" },
    seconds: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
  },
});
const writers = Number(options.writers);
const size = Number(options.size);
const seconds = Number(options.seconds);

const folder = emptyFolder();
const env = { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password, DATABASE_POOL_MAX: "10" };
console.error("making the shop …");
const first = await serve(folder.path, env);
await buildShop(first.url);
await fillShop(folder.path, 20_000);
await first.end();
const ours = await serve(folder.path, env);
const headers = { authorization: `Bearer ${await signIn(ours.url, user)}` };
const urls = (await sampleIds(folder.path, "products", 1000)).map((id) => `${ours.url}/items/products/${id}`);

const body = JSON.stringify(
  Array.from({ length: size }, (_, n) => ({ number: n, note: `note ${n}`, amount: "12.50" })),
);

/** Writes without a pause until told; gives how many bulks were made, and the statuses of others. */
async function writeUntil(isOver: () => boolean): Promise<{ made: number; others: Map<number, number> }> {
  let made = 0;
  const others = new Map<number, number>();
  const writer = async (): Promise<void> => {
    while (!isOver()) {
      const answer = await fetch(`${ours.url}/items/orders/bulk`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
      });
      await answer.arrayBuffer();
      if (answer.status === 201) made++;
      else others.set(answer.status, (others.get(answer.status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return { made, others };
}

const reader = new Worker(new URL("pool-reader.ts", import.meta.url));
const read = (): Promise<Latencies> =>
  new Promise((resolve) => {
    reader.once("message", resolve);
    reader.postMessage({ urls, headers, readers: 4, pause: 5, seconds } satisfies ReadWish);
  });

const alone: Latencies[] = [];
const during: Latencies[] = [];
const bulks: number[] = [];
const refused = new Map<number, number>();
for (let round = 0; round < Number(options.rounds); round++) {
  alone.push(await read());
  let isOver = false;
  const writing = writeUntil(() => isOver);
  during.push(await read());
  isOver = true;
  const { made, others } = await writing;
  bulks.push(made / seconds);
  for (const [status, count] of others) refused.set(status, (refused.get(status) ?? 0) + count);
}

const row = (name: string, figures: readonly Latencies[], goal: string): string[] => [
  name,
  String(figures.reduce((sum, { count }) => sum + count, 0)),
  spread(
    figures.map(({ p50 }) => p50),
    2,
  ),
  spread(
    figures.map(({ p99 }) => p99),
    2,
  ),
  spread(
    figures.map(({ longest }) => longest),
    0,
  ),
  String(figures.reduce((sum, { errors }) => sum + errors, 0)),
  goal,
];
printTable(
  ["get by id, 4 readers", "reads", "p50 ms", "p99 ms", "longest ms", "errors", "goal p99 ms"],
  [row("alone", alone, ""), row(`beside ${writers} bulk creates of ${size}`, during, "50")],
);
const told = [...refused].map(([status, count]) => `${count} × ${status}`).join(", ");
console.log(
  `\n${(median(bulks) * size).toFixed(0)} items/s written, ${median(bulks).toFixed(0)} requests/s${told && `; others: ${told}`}`,
);
await reader.terminate();
await ours.end();
folder.remove();
