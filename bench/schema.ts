/**
 * `bun bench/schema.ts [rows]`: adds nullable fields to a table of 1,000,000 rows over HTTP while readers ask for its rows
 * without pause, beside the same ALTER TABLE by hand in the same run; then renames one. Prints how long each took, and the
 * slowest read meanwhile.
 */
import { printTable, spread } from "./figures";
import { connectTo, emptyFolder, serve } from "./server-process";
import { admin, signIn } from "./shop";

const wanted = Number(process.argv[2] ?? 1_000_000);
const rounds = 7;
const folder = emptyFolder();
const server = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
const token = await signIn(server.url, admin);

async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

console.error(`making ${wanted} rows …`);
type Fields = Record<string, object>;
let fields: Fields = {
  id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
  name: { type: "String" },
  price: { type: "Decimal", values: { precision: 10, scale: 2 } },
};
const schema = () => ({ name: "Big", fields });
await call("POST", "/schemas", { collectionName: "big", schema: schema() });
const sql = connectTo(folder.path, 2);
await sql.unsafe(
  `insert into big (name, price) select 'item ' || n, n % 1000 from generate_series(1, ${wanted}) n`,
);
await sql.unsafe("analyze big");

/** Runs changes while four readers go on; gives the ms of each change and of the slowest read, and how many there were. */
async function measure(change: ((round: number) => Promise<unknown>) | null) {
  const traffic = { goes: true };
  let slowest = 0;
  let count = 0;
  const reader = async (seed: number): Promise<void> => {
    for (let n = seed; traffic.goes; n += 7919) {
      const began = performance.now();
      await call(
        "GET",
        n % 2 === 0 ? `/items/big/${(n % wanted) + 1}` : `/items/big?limit=20&sort=-id&count=none`,
      );
      slowest = Math.max(slowest, performance.now() - began);
      count++;
    }
  };
  const readers = [1, 2, 3, 4].map(reader);
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await Bun.sleep(100);
    const began = performance.now();
    await change?.(round);
    taken.push(performance.now() - began);
  }
  await Bun.sleep(100);
  traffic.goes = false;
  await Promise.all(readers);
  return { taken, slowest, count };
}

const row = (what: string, { taken, slowest, count }: Awaited<ReturnType<typeof measure>>, goal: string) => [
  what,
  spread(taken, 1),
  goal,
  slowest.toFixed(1),
  String(count),
];
const quiet = await measure(null);
const byHand = await measure((round) => sql.unsafe(`alter table big add column hand${round} text`));
const added = await measure((round) => {
  fields = { ...fields, [`field${round}`]: { type: "String" } };
  return call("PATCH", "/schemas/big", { schema: schema() });
});
const renamed = await measure((round) =>
  call("POST", `/schemas/big/fields/field${round}/rename`, { to: `other${round}` }),
);
printTable(
  [
    `a table of ${wanted.toLocaleString("en-US")} rows`,
    "ms, median (range)",
    "goal",
    "slowest read, ms",
    "reads",
  ],
  [
    ["reads alone", "", "", quiet.slowest.toFixed(1), String(quiet.count)],
    row("ALTER TABLE … ADD COLUMN by hand", byHand, ""),
    row("PATCH /schemas/big: one nullable field more", added, "100"),
    row("POST …/fields/:field/rename", renamed, ""),
  ],
);
await sql.end();
await server.end();
folder.remove();
