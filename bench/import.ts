/**
 * `bun bench/import.ts [rows]`: imports a CSV file (200,000 rows of six columns, the caller has a row condition, every row is
 * audited) in one transaction, beside a program that reads the same file with the same parser and writes it by hand in
 * statements of 1,000 rows; prints rows a second and how much the server's memory grew meanwhile.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse";
import { printTable } from "./figures";
import { cpuOf, cpuOfTree, residentOf } from "./process-cost";
import { connectTo, embeddedOf, emptyFolder, serve } from "./server-process";
import { admin, caller, signIn, user } from "./shop";

const wanted = Number(process.argv[2] ?? 200_000);
const folder = emptyFolder();
const file = join(folder.path, "articles.csv");
await Bun.write(file, csv(wanted));

const server = await serve(folder.path, { ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password });
const call = caller(server.url, await signIn(server.url, admin));
for (const name of ["articles", "by_hand"]) await makeCollection(name);
await allowUser();
await caller(server.url, null)("POST", "/auth/register", user);
const token = await signIn(server.url, user);

const bytes = `${(Bun.file(file).size / 1e6).toFixed(1)} MB`;
const rows: string[][] = [["by hand, without checks and audit", ...(await byHand()), ""]];
for (const [way, query] of [
  ["import-csv", ""],
  ["the same with dryRun=true and on=sku", "?dryRun=true&on=sku"],
  ["the same with on=sku", "?on=sku"],
] as const) {
  rows.push([way, ...(await byServer(query))]);
}
printTable(
  [
    `${wanted.toLocaleString("en-US")} rows, ${bytes}`,
    "s",
    "rows/s",
    "CPU of PostgreSQL, s",
    "CPU of the program, s",
    "RSS, most growth in MB",
  ],
  rows,
);
const { totalCount } = await call<{ totalCount: number }>("GET", "/items/articles?limit=1");
const audited = await call<{ totalCount: number }>(
  "GET",
  `/items/baasix_AuditLog?limit=1&filter=${encodeURIComponent('{"entity":"articles"}')}`,
);
console.log(`${totalCount} items, ${audited.totalCount} audit entries`);
await server.end();
folder.remove();

async function makeCollection(name: string): Promise<void> {
  const fields = {
    id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
    sku: { type: "String", unique: true, allowNull: false, values: { length: 40 } },
    name: { type: "String", allowNull: false },
    price: { type: "Decimal", values: { precision: 10, scale: 2 }, validate: { min: 0 } },
    stock: { type: "Integer" },
    active: { type: "Boolean" },
    added: { type: "Date" },
  };
  await call("POST", "/schemas", { collectionName: name, schema: { name, fields } });
}

async function allowUser(): Promise<void> {
  const filter = encodeURIComponent(JSON.stringify({ name: "user" }));
  const { data } = await call<{ data: readonly { id: string }[] }>(
    "GET",
    `/items/baasix_Role?filter=${filter}`,
  );
  for (const action of ["create", "read", "update"]) {
    const conditions = { stock: { gte: 0 } };
    await call("POST", "/permissions", {
      collection: "articles",
      action,
      fields: ["*"],
      conditions,
      role_Id: data[0]?.id,
    });
  }
}

function csv(count: number): string {
  let text = "sku,name,price,stock,active,added\n";
  for (let n = 0; n < count; n++) {
    const day = String(1 + (n % 28)).padStart(2, "0");
    text += `SKU-${n},"Article, number ${n}",${((n * 7919) % 100_000) / 100},${n % 500},${n % 2 === 0},2026-11-${day}\n`;
  }
  return text;
}

async function byServer(query: string): Promise<string[]> {
  const before = residentOf(server.pid);
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, residentOf(server.pid))), 50);
  const began = start(server.pid);
  const response = await fetch(`${server.url}/items/articles/import-csv${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "text/csv" },
    body: Bun.file(file),
  });
  const answer = await response.text();
  const taken = began();
  clearInterval(watch);
  if (!response.ok) throw new Error(`import answered ${response.status} ${answer.slice(0, 1000)}`);
  return [...taken, (most - before).toFixed(0)];
}

/** What one program needs that trusts the file. */
async function byHand(): Promise<string[]> {
  const sql = connectTo(folder.path);
  const began = start(process.pid);
  await sql.begin(async (transaction) => {
    let batch: string[][] = [];
    const write = () =>
      transaction.unsafe(
        `insert into by_hand (sku, name, price, stock, active, added)
          select r.sku, r.name, r.price, r.stock, r.active, r.added from json_to_recordset($1::text::json)
          as r(sku varchar(40), name text, price numeric(10,2), stock int, active boolean, added date)`,
        [JSON.stringify(batch)],
      );
    for await (const record of createReadStream(file).pipe(parse({ columns: true }))) {
      batch.push(record as string[]);
      if (batch.length < 1000) continue;
      await write();
      batch = [];
    }
    if (batch.length > 0) await write();
  });
  const taken = began();
  await sql.close();
  return [...taken];
}

/** Begins to measure; gives the function that tells seconds, rows a second, and the CPU of PostgreSQL and of a process. */
function start(pid: number): () => readonly string[] {
  const database = embeddedOf(folder.path).pid;
  const [began, databaseCpu, processCpu] = [performance.now(), cpuOfTree(database), cpuOf(pid)];
  return () => {
    const seconds = (performance.now() - began) / 1000;
    const rate = Math.round(wanted / seconds).toLocaleString("en-US");
    const cpu = [cpuOfTree(database) - databaseCpu, cpuOf(pid) - processCpu];
    return [seconds.toFixed(1), rate, ...cpu.map((ms) => (ms / 1000).toFixed(1))];
  };
}
