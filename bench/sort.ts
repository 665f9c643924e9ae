/**
 * `bun bench/sort.ts [items]`: what giving an item its place costs a create (a collection with `sortEnabled` beside one
 * without, each holding 20,000 items), one at a time and 64 at once; and how long a move takes, by how many items hand on
 * their places. The rounds alternate; medians of three with the range.
 */
import { printTable, spread } from "./figures";
import { emptyFolder, serve } from "./server-process";
import { admin, caller, signIn } from "./shop";

const count = Number(process.argv[2] ?? 20_000);
const rounds = 3;
const folder = emptyFolder();
const server = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
const call = caller(server.url, await signIn(server.url, admin));
const names = ["plain", "sorted"] as const;
for (const name of names) {
  const fields = { id: { type: "Integer", primaryKey: true }, name: { type: "String" } };
  const schema = { name, fields, sortEnabled: name === "sorted" };
  await call("POST", "/schemas", { collectionName: name, schema });
  for (let from = 0; from < count; from += 1000) {
    const body = Array.from({ length: Math.min(1000, count - from) }, (_, i) => ({
      id: from + i,
      name: "x",
    }));
    await call("POST", `/items/${name}/bulk`, body);
  }
}

let next = count;
/** Creates a second, with so many requests on their way. */
async function creates(name: string, total: number, atOnce: number): Promise<number> {
  let left = total;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await call("POST", `/items/${name}`, { id: next++, name: "x" });
    }),
  );
  return (total / (performance.now() - began)) * 1000;
}

const rates = new Map<string, number[]>();
for (let round = 0; round <= rounds; round++) {
  for (const atOnce of [1, 64]) {
    for (const name of names) {
      const rate = await creates(name, atOnce === 1 ? 500 : 2000, atOnce);
      // The first round warms up.
      if (round > 0) rates.set(`${name} ${atOnce}`, [...(rates.get(`${name} ${atOnce}`) ?? []), rate]);
    }
  }
}
const of = (name: string, atOnce: number): readonly number[] => rates.get(`${name} ${atOnce}`) ?? [];
printTable(
  ["creates/s", "without places", "with places", "ratio of the medians"],
  [1, 64].map((atOnce) => [
    atOnce === 1 ? "one at a time" : `${atOnce} at once`,
    spread(of("plain", atOnce)),
    spread(of("sorted", atOnce)),
    (middle(of("sorted", atOnce)) / middle(of("plain", atOnce))).toFixed(2),
  ]),
);

const rows: string[][] = [];
for (const distance of [1, 10, 100, 1000, 10_000].filter((far) => far < count)) {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now();
    const ids = round % 2 === 0 ? { item: 0, to: distance } : { item: 0, to: 1 };
    await call("POST", "/utils/sort/sorted", { ...ids, mode: round % 2 === 0 ? "after" : "before" });
    if (round > 0) times.push(performance.now() - began);
  }
  rows.push([distance.toLocaleString("en-US"), spread(times, 1)]);
}
console.log();
printTable(["items that hand on their place", "ms a move"], rows);
await server.end();
folder.remove();

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
