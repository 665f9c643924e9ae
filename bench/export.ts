/**
 * `bun bench/export.ts [rows]`: exports a whole collection (1,000,000 rows, the caller has a row condition) as NDJSON and CSV,
 * beside a hand-written cursor over the same rows in one process; prints rows a second and how much the server's memory
 * grew meanwhile.
 */
import { printTable } from "./figures";
import { residentOf } from "./process-cost";
import { connectTo, emptyFolder, serve } from "./server-process";
import { admin, buildShop, fillShop, signIn, user } from "./shop";

const wanted = Number(process.argv[2] ?? 1_000_000);
const folder = emptyFolder();
const env = { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password };
console.error("making the shop …");
const first = await serve(folder.path, env);
await buildShop(first.url);
await fillShop(folder.path, wanted);
await first.end();

const server = await serve(folder.path, env);
const token = await signIn(server.url, user);
const rows: string[][] = [["hand-written cursor", ...(await byHand()), ""]];
for (const format of ["ndjson", "csv"]) rows.push([`export=${format}`, ...(await byServer(format))]);
printTable(["way", "rows", "rows/s", "RSS of the server, most growth in MB"], rows);
await server.end();
folder.remove();

async function byServer(format: string): Promise<string[]> {
  const before = residentOf(server.pid);
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, residentOf(server.pid))), 50);
  const began = performance.now();
  const response = await fetch(`${server.url}/items/products?export=${format}&fields=id,name,price,stock`, {
    headers: { authorization: `Bearer ${token}` },
  });
  let lines = 0;
  for await (const chunk of response.body ?? []) for (const byte of chunk) if (byte === 10) lines++;
  const taken = (performance.now() - began) / 1000;
  clearInterval(watch);
  if (!response.ok) throw new Error(`export answered ${response.status}`);
  return figures(format === "csv" ? lines - 1 : lines, taken, (most - before).toFixed(0));
}

/** What one process needs that fetches from a cursor of its own and writes nothing. */
async function byHand(): Promise<string[]> {
  const sql = connectTo(folder.path);
  const began = performance.now();
  let count = 0;
  await sql.begin(async (transaction) => {
    await transaction.unsafe(`declare c cursor for select row_to_json(x)::text from
      (select id, name, price::text, stock from products where status = 'active' order by id) x`);
    for (let batch = 1; batch > 0; count += batch)
      batch = (await transaction.unsafe("fetch 1000 from c").values()).length;
  });
  const taken = (performance.now() - began) / 1000;
  await sql.close();
  return figures(count, taken);
}

function figures(count: number, seconds: number, ...rest: string[]): string[] {
  return [count.toLocaleString("en-US"), Math.round(count / seconds).toLocaleString("en-US"), ...rest];
}
