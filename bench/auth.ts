/**
 * `bun bench/auth.ts [--rounds 5] [--seconds 3]`: what knowing who asks costs, and what sign-ins cost others.
 * First the same item by an anonymous caller and by an account that comes by header, cookie and API token, in turns: the
 * difference of the server's CPU per request is what the credential costs. Then sign-ins from 4 connections, beside bare
 * argon2id checks in this process on the idle machine, by Bun and by the library that the server takes; and meanwhile four
 * readers who pause 5 ms between two reads.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { verify } from "@node-rs/argon2";
import { median, printTable, spread } from "./figures";
import type { Latencies, ReadWish } from "./pool-reader";
import { cpuOf } from "./process-cost";
import { emptyFolder, serve } from "./server-process";
import { admin, buildShop, caller, fillShop, sampleIds, signIn, user } from "./shop";
import { runWrk } from "./wrk";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "3" } },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

const folder = emptyFolder();
// Anonymous callers share half of the pool: with this one nobody waits for a connection.
const env = { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password, DATABASE_POOL_MAX: "32" };
console.error("making the shop …");
const ours = await serve(folder.path, env);
await buildShop(ours.url);
await fillShop(folder.path, 20_000);
const call = caller(ours.url, await signIn(ours.url, admin));
const roles = new Map(
  (
    await call<{ data: readonly { id: string; name: string }[] }>("GET", "/items/baasix_Role?fields=id,name")
  ).data.map(({ id, name }) => [name, id] as const),
);
await call("POST", "/permissions", {
  role_Id: roles.get("public"),
  collection: "products",
  action: "read",
  fields: ["*"],
  conditions: { status: { eq: "active" } },
});
const accounts = Array.from({ length: 16 }, (_, n) => ({ ...user, email: `user${n}@example.com` }));
for (const account of accounts) await caller(ours.url, null)("POST", "/auth/register", account);
const token = await signIn(ours.url, user);
const robot = await call<{ data: { token: string } }>("POST", "/auth/tokens", {
  name: "bench",
  role_Id: roles.get("user"),
});

const ways: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["nobody", {}],
  ["an account, bearer token", { authorization: `Bearer ${token}` }],
  ["an account, cookie", { cookie: `token=${token}` }],
  ["a program, API token", { authorization: `Bearer ${robot.data.token}` }],
];
const fields = "id,name,price,stock";
const paths = (await sampleIds(folder.path, "products", 2000)).map(
  (id) => `/items/products/${id}?fields=${fields}`,
);
const requests = paths.map((path) => ({ method: "GET", path }));
const costs = ways.map((): number[] => []);
// Round -1 warms up.
for (let round = -1; round < rounds; round++) {
  for (const [place, [name, headers]] of ways.entries()) {
    const before = cpuOf(ours.pid);
    const figures = await runWrk({ url: ours.url, headers, requests, connections: 16, seconds });
    if (figures.errors > 0) throw new Error(`${name}: ${figures.errors} errors`);
    if (round >= 0) costs[place]?.push(((cpuOf(ours.pid) - before) * 1000) / figures.requests);
  }
}
const beyond = (place: number) => costs[place]?.map((cost, round) => cost - (costs[0]?.[round] ?? NaN)) ?? [];
printTable(
  ["who asks for one item", "server CPU µs/req", "more than nobody", "goal"],
  ways.map(([name], place) => [
    name,
    spread(costs[place] ?? [], 1),
    place === 0 ? "" : spread(beyond(place), 1),
    place === 0 ? "" : "25",
  ]),
);

const lanes = availableParallelism();
const hash = await Bun.password.hash(user.password, {
  algorithm: "argon2id",
  memoryCost: 19_456,
  timeCost: 2,
});
const verifiers = {
  bun: () => Bun.password.verify(user.password, hash),
  library: () => verify(hash, user.password),
};
/** Checks a second, as many at once as there are cores, with nothing around them. */
async function checkBare(by: keyof typeof verifiers): Promise<number> {
  let checks = 0;
  const from = performance.now();
  const lane = async (): Promise<void> => {
    for (; performance.now() < from + seconds * 1000; checks++) await verifiers[by]();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (checks * 1000) / (performance.now() - from);
}

const reader = new Worker(new URL("pool-reader.ts", import.meta.url));
const read = (): Promise<Latencies> =>
  new Promise((resolve) => {
    reader.once("message", resolve);
    reader.postMessage({
      urls: paths.map((path) => ours.url + path),
      headers: { authorization: `Bearer ${token}` },
      readers: 4,
      pause: 5,
      seconds,
    } satisfies ReadWish);
  });
const signIns = () =>
  runWrk({
    url: ours.url,
    headers: { "content-type": "application/json" },
    requests: accounts.map(({ email, password }) => ({
      method: "POST",
      path: "/auth/login",
      body: JSON.stringify({ email, password }),
    })),
    connections: 4,
    seconds,
  });

const bare = { bun: [] as number[], library: [] as number[] };
const logins: number[] = [];
const alone: Latencies[] = [];
const during: Latencies[] = [];
for (let round = 0; round < rounds; round++) {
  for (const by of ["bun", "library"] as const) bare[by].push(await checkBare(by));
  const { perSecond, errors } = await signIns();
  if (errors > 0) throw new Error(`${errors} sign-ins failed`);
  logins.push(perSecond);
  alone.push(await read());
  const meanwhile = signIns();
  during.push(await read());
  await meanwhile;
}
const ratio = (by: keyof typeof bare) =>
  spread(
    logins.map((perSecond, round) => perSecond / (bare[by][round] ?? NaN)),
    2,
  );
console.log("");
printTable(
  ["argon2id, 19 MiB, 2 passes", "a second", "of Bun's limit", "goal", "of the library's"],
  [
    [`bare checks by Bun, ${lanes} at once`, spread(bare.bun, 1), "1", "", ""],
    [`bare checks by the library, ${lanes} at once`, spread(bare.library, 1), "", "", "1"],
    ["sign-ins, 4 connections", spread(logins, 1), ratio("bun"), "1", ratio("library")],
  ],
);
const row = (name: string, figures: readonly Latencies[], rise: string, goal: string): string[] => {
  const of = (key: "p50" | "p99" | "longest") =>
    spread(
      figures.map((each) => each[key]),
      2,
    );
  const errors = figures.reduce((sum, each) => sum + each.errors, 0);
  return [name, of("p50"), of("p99"), of("longest"), String(errors), rise, goal];
};
const p99 = (figures: readonly Latencies[]) => median(figures.map((each) => each.p99));
console.log("");
printTable(
  ["get by id, 4 readers", "p50 ms", "p99 ms", "longest ms", "errors", "p99 rises by", "goal"],
  [row("alone", alone, "", ""), row("beside sign-ins", during, (p99(during) / p99(alone)).toFixed(2), "3")],
);
await reader.terminate();
await ours.end();
folder.remove();
