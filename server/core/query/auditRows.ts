/**
 * Reading the audit log: where its entries come from. Those of bulks lie together (`auditBulk.ts`), and are laid out for
 * whoever reads, an entry for each item. What a read says about entries is also said about the rows that hold them,
 * so that only those are laid out in which something can be.
 */
import { auditCollection } from "./audit";
import { auditBulk, bucketOf, mostTogether } from "./auditBulk";
import { compileCondition, compileOperand, type Parameters } from "./compileCondition";
import { compileKeyset, type Keyset } from "./cursor";
import type { Comparison, Planned } from "./planned";
import type { PlannedSort } from "./planSort";
import { quoteName } from "./statement";

/** What is read of a collection. */
type Wanted = {
  readonly collection: { readonly name: string };
  /** What is asked for, and what is open to the actor. */
  readonly where: Planned | null;
  readonly rows: Planned | null;
};

/** What of it: the first `most` in an order, behind the place `after` where a page ended, or one by its key. */
export type Cut = {
  readonly page?: {
    readonly sort: readonly PlannedSort[];
    readonly most: number;
    readonly after: Keyset | null;
  };
  readonly key?: string;
};

/** The table behind a collection, as a FROM item without its alias; for the audit log what gives all of its entries. */
export function rowsOf(wanted: Wanted, parameters: Parameters, cut: () => Cut = () => ({})): string {
  if (wanted.collection.name !== auditCollection) return quoteName(wanted.collection.name);
  return `(select ${own} from ${quoteName(auditCollection)} e union all ${laidOut(bulks(wanted, parameters, cut()))})`;
}

const columns = [
  "createdAt",
  "type",
  "entity",
  "action",
  "userId",
  "tenant_Id",
  "ipaddress",
  "requestId",
  "transactionId",
];
const list = (alias: string): string => columns.map((name) => `${alias}.${quoteName(name)}`).join(", ");
const own = `e.id, e."entityId", e.changes, e.xmin as xmin, ${list("e")}`;

/**
 * The values of one item among those of all: each column's at its place, or the one that all have. A path leads there past all
 * others, which would else be copied for each entry.
 */
const valuesAt = (columnsOf: string): string =>
  `case when ${columnsOf} is not null then coalesce((select jsonb_object_agg(f.key, ` +
  `coalesce(${columnsOf} #> array[f.key, (x.n - 1)::text], ${columnsOf} -> f.key)) ` +
  `from jsonb_object_keys(${columnsOf}) f(key)), '{}') end`;

function laidOut(from: string): string {
  // The document is taken out of its storage once for all of its entries.
  const document =
    `(select b.changes #> b.keys as keys, nullif(b.changes -> 'before', 'null') as was, ` +
    `nullif(b.changes -> 'after', 'null') as becomes offset 0)`;
  return (
    `select b.id + x.n - 1, k.keys ->> (x.n - 1)::integer, jsonb_build_object('before', ${valuesAt("k.was")}, ` +
    `'after', ${valuesAt("k.becomes")}), b."#v", ${list("b")} ` +
    // Of lists in a table PostgreSQL knows the length, and so guesses how many entries there are.
    `from ${from} b, lateral ${document} k, lateral unnest(b.items) with ordinality x(item, n)`
  );
}

/** The rows of bulks in which there can be something that is wanted. */
function bulks({ where, rows }: Wanted, parameters: Parameters, { page, key }: Cut): string {
  const parts = [where, rows]
    .flatMap((one) => (one === null ? [] : conjuncts(one)))
    .map((part) => aboutBulk(part, parameters));
  const known = parts.flatMap((part) => part?.sql ?? []);
  if (key !== undefined) known.push(...holding(key));
  const order = page ? orderOf(page.sort) : null;
  if (page?.after && order !== null) known.push(...remaining(page.sort, page.after, parameters));
  const filter = known.length > 0 ? ` where ${known.join(" and ")}` : "";
  const found = `select b.*, b.xmin as "#v" from ${quoteName(auditBulk)} b${filter}`;
  const isWhole = parts.every((part) => part?.isWhole);
  if (!page || order === null || !isWhole) return `(${found})`;
  // Each of the rows gives an entry at least, and each but those in which bounds of numbers and the cursor lie all of them.
  const first = `${found} order by ${order} limit ${page.most}`;
  const passed = `select b.*, sum(b.n) over (order by ${order} rows unbounded preceding) - b.n as "#s" from (${first}) b`;
  return `(select * from (${passed}) b where "#s" < ${page.most + 3 * mostTogether})`;
}

/** The rows that have an entry behind a cursor: the entries of a row differ by their numbers alone. */
function remaining(sort: readonly PlannedSort[], after: Keyset, { place }: Parameters): readonly string[] {
  const [first] = sort;
  const [key] = after;
  const columnOf = ({ field, descending }: PlannedSort): string =>
    field.name === "id" ? (descending ? "b.id" : lastId) : `b.${quoteName(field.name)}`;
  const behindIt = compileKeyset(sort, sort.map(columnOf), after, place);
  if (first?.field.name !== "id" || key === undefined) return [behindIt];
  // For the index.
  const id = `${place(key)}::bigint`;
  return first.descending ? [`b.id < ${id}`] : behind(id, ">");
}

/** The order of rows that holds for their entries, too; null where there is none. */
function orderOf(sort: readonly PlannedSort[]): string | null {
  const isShared = sort.every(
    ({ hops, guard, from, field }) =>
      hops.length === 0 && guard === null && !from && (field.name === "id" || columns.includes(field.name)),
  );
  if (!isShared) return null;
  return sort
    .map(({ field, descending }) => `b.${quoteName(field.name)}${descending ? " desc" : ""}`)
    .join(", ");
}

function conjuncts(where: Planned): readonly Planned[] {
  return where.kind === "all" ? where.items.flatMap(conjuncts) : [where];
}

/** What a condition on entries says of the rows that hold them. `isWhole`: a row of which it holds has such an entry. */
type Said = { readonly sql: readonly string[]; readonly isWhole: boolean };

/** Null: nothing that is known. */
function aboutBulk(part: Planned, parameters: Parameters): Said | null {
  if (isAbout(part, (field) => columns.includes(field)))
    return { sql: [compileCondition(part, "b", parameters)], isWhole: true };
  if (part.kind === "any") return aboutAny(part.items, parameters);
  if (part.kind !== "compare" || !isBare(part)) return null;
  const [operand, second] = part.operands;
  if (!operand || part.operands.some(({ kind }) => kind === "column")) return null;
  const value = (of = operand): string => compileOperand(of, parameters);
  const { name } = part.operator;
  if (part.field.name === "entityId") {
    if (name === "eq") return { sql: holdingItem(value()), isWhole: false };
    if (name === "in") return { sql: holdingItems(value()), isWhole: false };
  }
  if (part.field.name === "id") {
    if (name === "eq") return { sql: holding(value()), isWhole: false };
    if (name === "in") return { sql: [holdingOne(value())], isWhole: false };
    if (name === "between" && second)
      return { sql: [...behind(value(), ">="), `b.id <= ${value(second)}`], isWhole: true };
    if (name === "lt") return { sql: [`b.id < ${value()}`], isWhole: true };
    if (name === "lte") return { sql: [`b.id <= ${value()}`], isWhole: true };
    if (name === "gt") return { sql: behind(value(), ">"), isWhole: true };
    if (name === "gte") return { sql: behind(value(), ">="), isWhole: true };
  }
  return null;
}

/** Null where one of the conditions says nothing of the rows: there an entry can be in any. */
function aboutAny(items: readonly Planned[], parameters: Parameters): Said | null {
  const said = items.map((item) => conjuncts(item).map((part) => aboutBulk(part, parameters)));
  const each = said.map((parts) => parts.flatMap((part) => part?.sql ?? []));
  if (each.length === 0 || each.some(({ length }) => length === 0)) return null;
  return { sql: [`(${each.map((sql) => `(${sql.join(" and ")})`).join(" or ")})`], isWhole: false };
}

function holding(id: string): readonly string[] {
  return [`b.id <= ${id}`, startsBefore(id)];
}

/** For each number the one row that can have it. */
function holdingOne(ids: string): string {
  const nearest = `select max(m.id) from ${quoteName(auditBulk)} m where m.id <= i`;
  return `b.id = any(array(select (${nearest}) from unnest(${ids}) i))`;
}

function holdingItem(key: string): readonly string[] {
  return [`b.buckets @> array[${bucketOf(key)}]`, `b.items @> array[hashtext(${key})]`];
}

function holdingItems(keys: string): readonly string[] {
  return [
    `b.buckets && array(select ${bucketOf("i")} from unnest(${keys}) i)`,
    `b.items && array(select hashtext(i) from unnest(${keys}) i)`,
  ];
}

/** Rows whose last entry is behind a number; the first part is one for the index. */
function behind(id: string, sign: ">" | ">="): readonly string[] {
  return [startsBefore(id), `${lastId} ${sign} ${id}`];
}

/** What holds of the row that has a number, and of all behind it. Numbers are positive; of the lowest nothing can be taken. */
function startsBefore(id: string): string {
  return `b.id > greatest(${id}, 0) - ${mostTogether}`;
}

const lastId = "b.id + b.n - 1";

function isBare({ hops, guard, cast }: Comparison): boolean {
  return hops.length === 0 && guard === null && cast === null;
}

/** A condition that names these columns of the row alone, and no others in its operands. */
function isAbout(part: Planned, has: (field: string) => boolean): boolean {
  switch (part.kind) {
    case "all":
    case "any":
      return part.items.every((item) => isAbout(item, has));
    case "not":
      return isAbout(part.item, has);
    case "compare":
      return (
        part.hops.length === 0 &&
        part.guard === null &&
        has(part.field.name) &&
        part.operands.every(({ kind }) => kind === "param")
      );
    default:
      return false;
  }
}
