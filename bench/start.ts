/**
 * `bun bench/start.ts`: how long it takes from starting the process to the first answered request, first ever and later,
 * beside a hand-written server with nothing behind it; the size of the executable; the memory of an idle server.
 */
import { statSync } from "node:fs";
import { printTable, spread } from "./figures";
import { proportionalOf, residentOf, treeOf } from "./process-cost";
import { emptyFolder, executable, serve, serveFloor } from "./server-process";

const rounds = Number(process.argv[2] ?? 5);

/** Runs a start to its first answered request; gives ms. */
async function timed<T extends { readonly url: string }>(path: string, start: () => Promise<T>) {
  const before = performance.now();
  const server = await start();
  const answer = await fetch(`${server.url}${path}`);
  await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return { ms: performance.now() - before, server };
}

const first: number[] = [];
const later: number[] = [];
const floor: number[] = [];
const memory = { server: [] as number[], database: [] as number[] };
for (let round = 0; round < rounds; round++) {
  const folder = emptyFolder();
  const fresh = await timed("/health", () => serve(folder.path));
  first.push(fresh.ms);
  await fresh.server.end();
  const again = await timed("/health", () => serve(folder.path));
  later.push(again.ms);
  // Idle: what is left when the start-up work has settled.
  await Bun.sleep(3000);
  memory.server.push(residentOf(again.server.pid));
  memory.database.push(proportionalOf(treeOf(again.server.pid).filter((pid) => pid !== again.server.pid)));
  await again.server.end();
  folder.remove();
  const hand = await timed("/ping", () => serveFloor({}));
  floor.push(hand.ms);
  await hand.server.end();
}

printTable(
  ["figure", "median (range)", "goal"],
  [
    ["first start in an empty folder, ms", spread(first), "1,500"],
    ["later start, ms", spread(later), "150"],
    ["hand-written server (bun, no database), ms", spread(floor), ""],
    ["executable, MB", (statSync(executable).size / 1e6).toFixed(1), "170"],
    ["server process idle, RSS in MB", spread(memory.server), "100"],
    ["PostgreSQL idle, all processes, PSS in MB", spread(memory.database), ""],
  ],
);
