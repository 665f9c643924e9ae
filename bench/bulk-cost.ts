/**
 * `bun bench/bulk-cost.ts`: what a bulk create of 100 rows is made of in PostgreSQL. The statements of W3 are built up piece by
 * piece, on tables of their own, in turns on one connection; what is told is the CPU of its backend per statement. Behind them
 * what they would cost with an entry of its own for each row.
 */
import { readFileSync } from "node:fs";
import { median, printTable } from "./figures";
import { connectTo, emptyFolder, serve } from "./server-process";

const rounds = Number(process.argv[2] ?? 60);
const rows = 100;

const folder = emptyFolder();
const server = await serve(folder.path);
const sql = connectTo(folder.path);
const [[pid]] = (await sql.unsafe("SELECT pg_backend_pid()").values()) as [[number]];

/** CPU that the backend has used so far, ms. */
const used = () => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;

const orders = `(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), number integer NOT NULL, note text, amount numeric(10,2),
  "createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL DEFAULT now())`;
const key = "UNIQUE INDEX ON %s (id)";
const items = `INDEX ON %s USING hash ("entityId")`;
const times = `INDEX ON %s USING brin ("createdAt") WITH (autosummarize = on)`;
/** The audit log with all of its columns and these of its indexes. */
const log = (name: string, ...indexes: readonly string[]) => [
  `CREATE TABLE ${name} (LIKE "baasix_AuditLog" INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING CONSTRAINTS)`,
  ...indexes.map((index) => `CREATE ${index.replace("%s", name)}`),
];
for (const text of [
  `CREATE TABLE bulk_orders ${orders}`,
  ...log("log_all", key, items, times),
  ...["bulk_bare", "bulk_all"].map(
    (name) => `CREATE TABLE ${name} (LIKE "baasix_AuditBulk" INCLUDING DEFAULTS INCLUDING STORAGE)`,
  ),
  "CREATE UNIQUE INDEX ON bulk_all (id)",
  "CREATE INDEX ON bulk_all USING gin (buckets)",
])
  await sql.unsafe(text);

const byRecord = `SELECT r.number, r.note, r.amount FROM json_to_recordset($1::text::json) AS r(number int, note text, amount numeric)`;
const byColumn = `SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::numeric[])`;
const written = `WITH w AS (INSERT INTO bulk_orders (id, number, note, amount) ${byColumn} RETURNING *)`;
const keys = `SELECT json_agg(w.id)::text FROM w`;
const shared = `'019b0000-0000-7000-8000-000000000000'::uuid, '127.0.0.1', 'abcdefghijkl', pg_current_xact_id()::text`;
const names = `"userId", "ipaddress", "requestId", "transactionId"`;
const each = `${written}, a AS (INSERT INTO log_all ("type", "entity", "entityId", "action", "changes", ${names})
    SELECT 'data', 'orders', w.id::text, 'create', to_jsonb(c), ${shared} FROM w,
      LATERAL (SELECT w.id, w.number, w.note, w.amount::text AS amount, w."createdAt", w."updatedAt") r,
      LATERAL (SELECT NULL::jsonb AS before, r AS after) c) ${keys}`;
/** A column as a list, or the one time that all rows have. */
const time = (name: string) =>
  `CASE WHEN min(w."${name}") = max(w."${name}") THEN to_jsonb(min(w."${name}")) ELSE to_jsonb(array_agg(w."${name}")) END AS "${name}"`;
const together = (name: string, changes: string) =>
  `${written}, a AS (INSERT INTO ${name} (type, entity, action, n, items, buckets, keys, changes, ${names})
    SELECT 'data', 'orders', 'create', g.n, g.items, g.buckets, '{after,id}', ${changes}, ${shared} FROM
      (SELECT count(*) AS n, array_agg(hashtext(w.id::text)) AS items,
        array_agg((hashtext(w.id::text) & 8191)::smallint) AS buckets, array_agg(w.id) AS id, array_agg(w.number) AS number,
        array_agg(w.note) AS note, array_agg(w.amount::text) AS amount, ${time("createdAt")}, ${time("updatedAt")} FROM w) g,
      LATERAL (SELECT g.id, g.number, g.note, g.amount, g."createdAt", g."updatedAt") r,
      LATERAL (SELECT NULL::jsonb AS before, r AS after) c) ${keys}`;

const steps: readonly (readonly [what: string, text: string])[] = [
  [
    "the floor: rows as records, keys by the database",
    `WITH w AS (INSERT INTO bulk_orders (number, note, amount) ${byRecord} RETURNING id) ${keys}`,
  ],
  ["rows by column, with their keys", `${written} ${keys}`],
  ["+ one row for all entries, that says nothing", together("bulk_bare", "'{}'::jsonb")],
  ["+ the rows as JSON, by column", together("bulk_bare", "to_jsonb(c)")],
  ["+ found by item and by number: what a bulk is", together("bulk_all", "to_jsonb(c)")],
  ["instead: an entry of its own for each row, with its indexes", each],
];

const numbers = Array.from({ length: rows }, (_, n) => n);
const records = JSON.stringify(
  numbers.map((n) => ({ number: n, note: `Order ${n}`, amount: (n / 100).toFixed(2) })),
);
const list = (value: (n: number) => unknown) => `{${numbers.map((n) => `"${String(value(n))}"`).join(",")}}`;
const columns = () => [
  list(() => crypto.randomUUID()),
  list((n) => n),
  list((n) => `Order ${n}`),
  list((n) => (n / 100).toFixed(2)),
];

const costs = steps.map((): number[] => []);
for (let round = -5; round < rounds; round++) {
  for (const [step, [, text]] of steps.entries()) {
    const params = step === 0 ? [records] : columns();
    const before = used();
    await sql.unsafe(text, params).values();
    if (round >= 0) costs[step]?.push(used() - before);
  }
}
const medians = costs.map(median);
printTable(
  ["PostgreSQL, 100 rows", "CPU ms", "more than before", "of the floor"],
  steps.map(([what], step) => [
    what,
    (medians[step] ?? 0).toFixed(3),
    step === 0 ? "" : ((medians[step] ?? 0) - (medians[step - 1] ?? 0)).toFixed(3),
    ((medians[step] ?? 0) / (medians[0] ?? 1)).toFixed(2),
  ]),
);
await sql.close();
await server.end();
folder.remove();
