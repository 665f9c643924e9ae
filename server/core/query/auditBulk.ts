/**
 * The entries of a bulk, kept together: one row of `baasix_AuditBulk` holds those of up to 128 items, their values by column.
 * A row, a place in three indexes and a JSON document for each item cost more than the items themselves. Readers are given an
 * entry for each item (`auditRows.ts`).
 */
import { isOneText } from "../schema/fields";
import type { Collection, Field } from "../schema/model";
import { quoteLiteral, quoteName, type Statement } from "./statement";

/** Where the entries of bulks lie. No collection: nobody names it. */
export const auditBulk = "baasix_AuditBulk";

/**
 * Most items that one row tells of, and the distance of two numbers that the log gives: the entries of such a row have its
 * number and those behind it.
 */
export const mostTogether = 128;

/**
 * Bytes after which another row begins: what was there may be long, and a document of PostgreSQL holds 256 MiB. What is new is
 * bounded by the request.
 */
const longTogether = 16 * 1024 * 1024;

/** A statement that names so many rows or fewer makes an entry of its own for each of them. */
const fewRows = 20;

/** How entries are kept: each by itself, all in one row, or in a row for each `mostTogether` of them. */
export type Keeping = "each" | "together" | "inParts";

/** How a statement that names so many rows keeps its entries. */
export function keepingOf(rows: number): Keeping {
  if (rows <= fewRows) return "each";
  return rows <= mostTogether ? "together" : "inParts";
}

/** A value of an entry: the field, and its expression over the row `w` that was written. */
export type EntryValue = readonly [field: Field, sql: string];

/** What the entries of a bulk say. `shared`: columns of all of them; `tenant`: the expression of one, null without. */
export type BulkEntries = {
  readonly collection: Collection;
  readonly before: readonly EntryValue[] | null;
  readonly after: readonly EntryValue[] | null;
  readonly shared: Readonly<Record<string, string>>;
  readonly tenant: { readonly column: string; readonly sql: string } | null;
  readonly keeping: Exclude<Keeping, "each">;
};

/** The part of a statement that writes them, over the rows of `"#w"`. */
export function compileBulkEntries({
  collection,
  before,
  after,
  shared,
  tenant,
  keeping,
}: BulkEntries): string {
  const { primaryKey } = collection;
  const path = keyPath(primaryKey, before, after);
  const lists = [
    ...(before ?? []).map(([field, sql], i) => ({ name: `"#b${i}"`, field, sql })),
    ...(after ?? []).map(([field, sql], i) => ({ name: `"#a${i}"`, field, sql })),
  ];
  const sizes = before === null ? [] : lists.filter(({ field }) => isLong(field));
  const grouped = [
    ...(keeping === "inParts" ? ['x."#p"'] : []),
    ...(sizes.length > 0 ? ['x."#s"'] : []),
    ...(tenant ? ['x."#t"'] : []),
  ];
  const rows = [
    `w.${quoteName(primaryKey.name)}::text as "#k"`,
    ...lists.map(({ name, sql }) => `${sql} as ${name}`),
    ...(tenant ? [`${tenant.sql} as "#t"`] : []),
    ...(keeping === "inParts" ? [`(row_number() over () - 1) / ${mostTogether} as "#p"`] : []),
    ...(sizes.length > 0 ? [`${sizeUntil(sizes.map(({ sql }) => sql))} / ${longTogether} as "#s"`] : []),
  ];
  const together = [
    'count(*) as "#n"',
    'array_agg(hashtext(x."#k")) as "#h"',
    `array_agg(${bucketOf('x."#k"')}) as "#m"`,
    ...(path === "keys" ? ['array_agg(x."#k") as "#k"'] : []),
    ...(tenant ? ['x."#t"'] : []),
    ...lists.map(({ name, field }) => `${gathered(field, `x.${name}`)} as ${name}`),
  ];
  const record = (values: readonly EntryValue[] | null, letter: string): readonly string[] =>
    values?.length
      ? [values.map(([{ name }], i) => `g."#${letter}${i}" as ${quoteName(name)}`).join(", ")]
      : [];
  const named = (values: readonly EntryValue[] | null, name: string): string =>
    `${values === null ? "null::jsonb" : values.length === 0 ? "'{}'::jsonb" : `"#${name}"`} as ${name}`;
  const parts = [
    ...record(before, "b").map((list) => `lateral (select ${list}) "#before"`),
    ...record(after, "a").map((list) => `lateral (select ${list}) "#after"`),
    `lateral (select ${named(before, "before")}, ${named(after, "after")}${path === "keys" ? ', g."#k" as keys' : ""}) "#c"`,
  ];
  const columns: readonly (readonly [name: string, sql: string])[] = [
    ...Object.entries(shared).map(([name, sql]) => [quoteName(name), sql] as const),
    ["n", 'g."#n"'],
    ["items", 'g."#h"'],
    ["buckets", 'g."#m"'],
    ["keys", quoteLiteral(path === "keys" ? "{keys}" : `{${path},${primaryKey.name}}`)],
    ["changes", 'to_jsonb("#c")'],
    ...(tenant ? [[tenant.column, 'g."#t"'] as const] : []),
  ];
  return (
    `insert into ${quoteName(auditBulk)} (${columns.map(([name]) => name).join(", ")}) ` +
    `select ${columns.map(([, sql]) => sql).join(", ")} from (select ${together.join(", ")} ` +
    `from (select ${rows.join(", ")} from "#w" w) x${grouped.length > 0 ? ` group by ${grouped.join(", ")}` : ""} ` +
    // Distinct values let PostgreSQL go from group to group; else it would hold all of them at once.
    `having ${sizes.length > 0 ? 'count(distinct x."#s")' : "count(*)"} > 0) g, ${parts.join(", ")}`
  );
}

const shortTypes: ReadonlySet<string> = new Set([
  "UUID",
  "SUID",
  "Integer",
  "BigInt",
  "Float",
  "Real",
  "Double",
  "Decimal",
  "Boolean",
  "Date",
  "DateTime",
  "DateTime_NO_TZ",
  "Time",
  "Time_NO_TZ",
  "Enum",
  "Range",
]);

/** Values of such a field may be so long that those of some items are too many for one document. */
function isLong({ type, length }: Field): boolean {
  return !shortTypes.has(type) && (length === null || length > 1000);
}

/** Length of the values of all rows until here, in bytes. Of long texts it is known without reading them. */
function sizeUntil(values: readonly string[]): string {
  const lengths = values.map((sql) => `coalesce(octet_length((${sql})::text), 0)`);
  return `(sum((${lengths.join(" + ")})::bigint) over (rows unbounded preceding))::bigint`;
}

/** The bucket in which items are looked up: see `createAuditBulk`. */
export function bucketOf(key: string): string {
  return `(hashtext(${key}) & 8191)::smallint`;
}

/** Where the keys of the items are: among the values (a key is of a type whose text in JSON is its own), or in a list of their own. */
function keyPath(
  key: Field,
  before: readonly EntryValue[] | null,
  after: readonly EntryValue[] | null,
): "before" | "after" | "keys" {
  const holds = (values: readonly EntryValue[] | null): boolean =>
    values?.some(([field]) => field === key) ?? false;
  return holds(after) ? "after" : holds(before) ? "before" : "keys";
}

/**
 * The values of a column, as a list; as itself one that all items have, which times are as a rule that the server gives: to
 * write a time out takes longer than most else.
 */
function gathered(field: Field, value: string): string {
  if (!isPlain(field)) return `jsonb_agg(${value})`;
  if (field.managed === null || field.type !== "DateTime") return `array_agg(${value})`;
  const isOne = `count(${value}) = count(*) and min(${value}) = max(${value})`;
  return `case when ${isOne} then to_jsonb(min(${value})) else to_jsonb(array_agg(${value})) end`;
}

/** Arrays of such values are dearer to make of JSON than of themselves; arrays of arrays must be of one length. */
function isPlain(field: Field): boolean {
  return isOneText(field) && field.type !== "Range" && field.generated === null;
}

const log = quoteName("baasix_AuditLog");
/** What numbers the entries, as PostgreSQL calls it. */
const numbers = quoteName("baasix_AuditLog_id_seq");
const plain = (text: string): Statement => ({ text, params: [] });

/** One row of [it is there, the distance between two numbers of the log]. */
export const hasAuditBulk: Statement = plain(
  `select to_regclass(${quoteLiteral(quoteName(auditBulk))}) is not null, seqincrement::text from pg_sequence ` +
    `where seqrelid = ${quoteLiteral(numbers)}::regclass`,
);

/** Leaves room between the numbers of the log for the entries of a bulk. */
export const widenNumbers: Statement = plain(
  `alter table ${log} alter column id set increment by ${mostTogether}`,
);

/**
 * Makes the table. What is in `changes` is not compressed: that takes longer than writing it. `items` holds a hash of each
 * key, `buckets` a short one, which is what the index has: of few values it takes in many places at once, where each new one
 * would be a place of its own. One row in a hundred has the bucket of a key, and the hash tells which of them has the item.
 */
export const createAuditBulk: readonly Statement[] = [
  `create table ${quoteName(auditBulk)} (id bigint primary key default nextval(${quoteLiteral(numbers)}::regclass), ` +
    `"createdAt" timestamptz not null default now(), "type" varchar(64) not null, "entity" varchar(63) not null, ` +
    `"action" text not null, n integer not null, items integer[] not null, buckets smallint[] not null, keys text[] not null, changes jsonb not null, ` +
    `"userId" uuid, "tenant_Id" uuid, "ipaddress" text, "requestId" text, "transactionId" text)`,
  `alter table ${quoteName(auditBulk)} alter column changes set storage external, ` +
    `alter column items set storage main, alter column buckets set storage main`,
  `create index "baasix_AuditBulk_buckets_idx" on ${quoteName(auditBulk)} using gin (buckets)`,
].map(plain);

/** Deletes some of the oldest entries from before a time; gives how many. Others who do so at once are not waited for. */
export function removeOldest(table: "each" | "together", before: string): Statement {
  const name = table === "each" ? log : quoteName(auditBulk);
  const [most, count] = table === "each" ? [1000, "count(*)"] : [100, "coalesce(sum(n), 0)"];
  return {
    text:
      `with gone as (delete from ${name} where id = any(array(select id from ${name} where "createdAt" < $1::timestamptz ` +
      `order by id limit ${most} for update skip locked)) returning ${table === "each" ? "id" : "n"}) select ${count}::int from gone`,
    params: [before],
  };
}
