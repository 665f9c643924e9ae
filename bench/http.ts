/**
 * `bun bench/http.ts [workload …] [--rounds 3] [--seconds 3] [--warm 4] [--connections 16] [--rows 100000]`: our executable beside the
 * floor (`floor.ts`), on the same PostgreSQL, in turns, as a user who is no administrator and has a row condition. Both are
 * warmed first (`--warm 4`, seconds; the compilers of JavaScript still work after two): what a process compiles in its first moments is no part of what a request costs.
 * Every kind of answer is compared with the floor's before it is timed. Trust the ratios and the CPU, not the req/s.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median, printTable, spread } from "./figures";
import { cpuOf, cpuOfTree, residentOf } from "./process-cost";
import { emptyFolder, embeddedOf, serve, serveFloor } from "./server-process";
import { admin, buildShop, caller, fillArticles, fillShop, sampleIds, signIn, user } from "./shop";
import { type Workload, defineWorkloads } from "./workloads";
import { type Figures, type PreparedRequest, runWrk } from "./wrk";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    connections: { type: "string", default: "16" },
    rows: { type: "string", default: "100000" },
    warm: { type: "string", default: "4" },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const connections = Number(options.connections);
const warm = Number(options.warm);

const folder = emptyFolder();
const cwd = folder.path;
const env = { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password };

console.error("making the shop …");
const first = await serve(cwd, env);
await buildShop(first.url);
await fillShop(cwd, Number(options.rows));
if (positionals.length === 0 || positionals.some((name) => /^R6t?$/.test(name)))
  await fillArticles(cwd, Number(options.rows));
await first.end();

// A server that did not see the bulk load.
const ours = await serve(cwd, env);
const database = embeddedOf(cwd);
const picture = await makePicture(join(cwd, "picture.jpg"));
const floor = await serveFloor({ SOCKET: database.socket, IMAGE: picture });
const headers = { authorization: `Bearer ${await signIn(ours.url, user)}` };
const jsonHeaders = { ...headers, "content-type": "application/json" };

const workloads = defineWorkloads({
  products: await sampleIds(cwd, "products", 2000),
  orders: await sampleIds(cwd, "orders", 2000),
  file: await uploadPicture(),
});
const chosen =
  positionals.length === 0 ? workloads : workloads.filter(({ name }) => positionals.includes(name));
const rows: string[][] = [];
for (const workload of chosen) {
  await compare(workload);
  const figures = { ours: [] as Cost[], floor: [] as Cost[] };
  if (warm > 0 && !workload.once)
    for (const side of ["floor", "ours"] as const) await measure(workload, side, 0, warm);
  for (let round = 0; round < rounds; round++) {
    figures.floor.push(await measure(workload, "floor", round));
    figures.ours.push(await measure(workload, "ours", round));
  }
  const ratio =
    median(figures.ours.map(({ perSecond }) => perSecond)) /
    median(figures.floor.map(({ perSecond }) => perSecond));
  rows.push(
    row(workload, "floor", figures.floor, "1.00"),
    row(workload, "baasix", figures.ours, ratio.toFixed(2)),
  );
  console.error(`${workload.name}: ${ratio.toFixed(2)}`);
}
printTable(
  [
    "workload",
    "target",
    "req/s median (range)",
    "p50 ms",
    "p99 ms",
    "errors",
    "server CPU ms/req",
    "PG CPU ms/req",
    "ratio",
    "goal",
  ],
  rows,
);
console.log(
  `\nRSS after load: baasix ${residentOf(ours.pid).toFixed(0)} MB, floor ${residentOf(floor.pid).toFixed(0)} MB`,
);
await floor.end();
await ours.end();
folder.remove();

type Cost = Figures & { readonly server: number; readonly database: number };

async function measure(
  workload: Workload,
  side: "ours" | "floor",
  round: number,
  duration = seconds,
): Promise<Cost> {
  const pid = side === "ours" ? ours.pid : floor.pid;
  const before = { server: cpuOf(pid), database: cpuOfTree(database.pid) };
  const figures = await runWrk({
    url: side === "ours" ? ours.url : floor.url,
    headers: workload[side].some(({ body }) => body !== undefined) ? jsonHeaders : headers,
    requests: workload.once ? part(workload[side], round) : workload[side],
    connections: workload.connections ?? connections,
    seconds: duration,
  });
  const each = (used: number) => used / Math.max(1, figures.requests);
  return {
    ...figures,
    server: each(cpuOf(pid) - before.server),
    database: each(cpuOfTree(database.pid) - before.database),
  };
}

function beginning(value: unknown): string {
  return JSON.stringify(value).slice(0, 1000);
}

/** The round's own share of a list. */
function part<T>(list: readonly T[], round: number): readonly T[] {
  const size = Math.floor(list.length / rounds);
  return list.slice(round * size, (round + 1) * size);
}

function row(workload: Workload, target: string, figures: readonly Cost[], ratio: string): string[] {
  const of = (key: keyof Cost, digits: number) => median(figures.map((cost) => cost[key])).toFixed(digits);
  const errors = figures.reduce((sum, cost) => sum + cost.errors, 0);
  const isFloor = target === "floor";
  return [
    isFloor ? `${workload.name} ${workload.what}` : workload.name,
    target,
    spread(figures.map((cost) => cost.perSecond)),
    of("p50", 2),
    of("p99", 2),
    String(errors),
    of("server", 3),
    of("database", 3),
    ratio,
    isFloor ? "" : workload.goal,
  ];
}

/** Asks both once and stops when the answers differ where they must not. */
async function compare({ name, ours: [mine], floor: [theirs], same }: Workload): Promise<void> {
  const ask = async (url: string, request: PreparedRequest | undefined) => {
    const answer = await fetch(`${url}${request?.path ?? ""}`, {
      method: request?.method ?? "GET",
      headers: request?.body === undefined ? headers : jsonHeaders,
      ...(request?.body === undefined ? {} : { body: request.body }),
    });
    if (!answer.ok)
      throw new Error(`${name}: ${url}${request?.path} answered ${answer.status}: ${await answer.text()}`);
    return same ? same(await answer.json()) : null;
  };
  const [a, b] = [await ask(ours.url, mine), await ask(floor.url, theirs)];
  if (!Bun.deepEquals(a, b))
    throw new Error(`${name}: the answers differ:\n${beginning(a)}\n${beginning(b)}`);
}

async function makePicture(path: string): Promise<string> {
  const { default: sharp } = await import("sharp");
  const noise = sharp({
    create: {
      width: 1600,
      height: 1200,
      channels: 3,
      background: "#468",
      noise: { type: "gaussian", mean: 128, sigma: 20 },
    },
  });
  await noise.jpeg({ quality: 85 }).toFile(path);
  return path;
}

async function uploadPicture(): Promise<string> {
  const form = new FormData();
  form.append("file", new File([await Bun.file(picture).bytes()], "picture.jpg"));
  const call = caller(ours.url, await signIn(ours.url, admin));
  return (await call<{ data: { id: string } }>("POST", "/files", form)).data.id;
}
