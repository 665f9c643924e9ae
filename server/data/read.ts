/** Reading through the door: parse → plan → authorize → compile → run, for one row, a page, or all pages in turn. */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { AppError } from "../core/errors";
import { type AuthorizedRead, authorizeRead } from "../core/query/authorize";
import {
  compileCount,
  type CompiledRead,
  compileRead,
  type Counted,
  type ReadForm,
  type ReadShape,
} from "../core/query/compile";
import { selectedNames } from "../core/query/compileSelect";
import { decodeCursor, encodeCursor } from "../core/query/cursor";
import { parseRead, readLimits } from "../core/query/parse";
import { planRead } from "../core/query/plan";
import type { Statement } from "../core/query/statement";
import { bind, type Binding, followsTime } from "../core/query/variables";
import { parseKey } from "../core/query/write";
import type { Row, RunOptions, Runner } from "../platform/postgres";
import { collectionFor } from "./access";
import type { RawQuery, ReadAnswer, ReadOneAnswer } from "./door";
import { keepByShape, type Kept, type KeptCounts } from "./kept";
import type { Snapshot } from "./snapshot";
import type { Again } from "./stale";
import type { Totals } from "./totals";

/** What reading needs. `totals` null: nothing is remembered (inside a transaction). */
export type ReadParts = {
  readonly runner: Runner;
  readonly again: Again;
  readonly snapshot: () => Snapshot;
  readonly now: () => number;
  readonly totals: Totals | null;
};

/** A page of items. An aborted `signal` cancels the statement. */
export async function readPage(
  parts: ReadParts,
  actor: Actor,
  collection: string,
  query: RawQuery,
  signal?: AbortSignal,
): Promise<ReadAnswer> {
  const { made: prepared, inputs } = preparePage(parts.snapshot(), actor, collection, query);
  const { plan } = prepared;
  const options = optionsFor(actor, signal);
  const binding: Binding = { actor, now: parts.now(), inputs };
  const read = async (shape: ReadShape): Promise<PageRow> =>
    pageRow(await parts.runner.run(bind(compiled(prepared, shape, "array"), binding), options));
  if (plan.count !== "exact") {
    const page = await read(pageShape(plan, null));
    const estimated =
      plan.count === "estimated" ? await estimate(parts, prepared, page.items, binding, options) : null;
    return pageAnswer(plan, page, estimated);
  }
  const counting = remembering(parts.totals, compiled(prepared, "count"), binding);
  const known = counting?.known() ?? null;
  if (known !== null) return pageAnswer(plan, await read(pageShape(plan, known)), known);
  const page = await read("list");
  counting?.remember(Number(page.total));
  return pageAnswer(plan, page, Number(page.total));
}

/** The one row that a page comes in. */
type PageRow = {
  readonly json: string;
  readonly truncated: boolean;
  readonly total: unknown;
  readonly lastKeys: unknown;
  readonly items: number;
};

function pageRow(rows: readonly Row[]): PageRow {
  const [json, cut, total, lastKeys, items] = rows[0] ?? [];
  return {
    json: typeof json === "string" ? json : "[]",
    truncated: cut === true,
    total,
    lastKeys,
    items: Number(items),
  };
}

/** So many matches are soon looked up. */
const fewMatches = 10_000;

/** How a page without its total is read. A walk of unknown length looks up all that matches at no step. */
export function pageShape({ search, cursor }: AuthorizedRead, total: number | null): ReadShape {
  if (search === null) return "page";
  return (total === null ? cursor === null : total <= fewMatches) ? "matches" : "page";
}

/** One item by key. @throws AppError NOT_FOUND when it is missing or not visible. */
export async function readItem(
  parts: ReadParts,
  actor: Actor,
  collection: string,
  id: ItemId,
  query: RawQuery,
): Promise<ReadOneAnswer> {
  const key = parseKey(collectionFor(parts.snapshot(), actor, collection, "read"), id);
  const { made, inputs } = preparePage(parts.snapshot(), actor, collection, query);
  const binding: Binding = { actor, now: parts.now(), inputs: [key, ...inputs.slice(1)] };
  const rows = await parts.runner.run(bind(compiled(made, "one"), binding), optionsFor(actor));
  const [json, cut, version] = rows[0] ?? [];
  if (typeof json !== "string") throw new AppError("NOT_FOUND", "Item not found");
  return { json, truncated: cut === true, version: String(version) };
}

/**
 * All items that match, in batches of JSON texts: walks by cursor, so that neither the server nor a connection holds more
 * than one batch, however slowly it is taken. A row that stays as it is comes exactly once. `limit` in the query bounds
 * the whole; without it there is no bound. Ends with the names of what each item shows.
 */
export async function* readAll(
  parts: ReadParts,
  actor: Actor,
  collection: string,
  query: RawQuery,
  signal?: AbortSignal,
): AsyncGenerator<readonly string[], readonly string[]> {
  collectionFor(parts.snapshot(), actor, collection, "read");
  let left = wholeLimit(query.limit);
  let names: readonly string[] = [];
  let cursor: string | null = "";
  while (cursor !== null && left > 0) {
    const batch = { ...query, limit: Math.min(left, readLimits.maximum), cursor, count: "none" };
    const { plan, rows }: Walked = await parts.again(() => walk(parts, actor, collection, batch, signal));
    left -= rows.length;
    names = selectedNames(plan.select);
    if (rows.length > 0) yield rows.map((row) => String(row[0]));
    cursor = nextCursor(plan, rows.length, rows.at(-1)?.[3]);
  }
  return names;
}

type Walked = { readonly plan: Prepared["plan"]; readonly rows: readonly Row[] };

/** One batch of a walk. */
async function walk(
  parts: ReadParts,
  actor: Actor,
  collection: string,
  batch: RawQuery,
  signal?: AbortSignal,
): Promise<Walked> {
  const prepared: Prepared = prepareWalk(parts.snapshot(), actor, collection, batch);
  const rows = await parts.runner.run(bind(compiled(prepared, "page"), { actor, now: parts.now() }), {
    ...optionsFor(actor, signal),
    pool: "slow",
    // Of long statements nobody may start as many as there are connections: schema changes wait in the same pool.
    guest: !(actor.kind === "system" || (actor.kind === "user" && actor.admin)),
  });
  return { plan: prepared.plan, rows };
}

/** The keys in its cursors never leave the server, so that they may be ones that the actor may not read. */
function prepareWalk(
  { schema, rules }: Snapshot,
  actor: Actor,
  collection: string,
  query: RawQuery,
): Prepared {
  const { cursor, ...read } = parseRead(collection, query);
  const plan = planRead(schema, { ...read, cursor: null });
  const authorized = authorizeRead(plan, accessOf(rules, schema, actor));
  const after = cursor ? decodeCursor(authorized.sort, cursor) : null;
  return { plan: { ...authorized, cursor: { after } }, version: schema.version, statements: noStatements() };
}

/** How many rows `readAll` gives; a page's maximum does not bound it. @throws AppError INVALID_QUERY */
function wholeLimit(value: unknown): number {
  if (value === undefined || value === "") return Infinity;
  // A query string may hold an object, which need not have a text.
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && Number(text) === -1) return Infinity;
  if (typeof text === "string" && /^\d{1,15}$/.test(text)) return Number(text);
  throw new AppError("INVALID_QUERY", "limit: expected a whole number of at least -1");
}

function pageAnswer(plan: AuthorizedRead, page: PageRow, totalCount: number | null): ReadAnswer {
  const { json, truncated, items, lastKeys } = page;
  return {
    json,
    totalCount,
    estimated: plan.count === "estimated",
    truncated,
    ...(plan.cursor !== null && { nextCursor: nextCursor(plan, items, lastKeys) }),
  };
}

/** The cursor behind a full page of so many items; null behind the last one. `lastKeys`: the sort keys of its last item. */
export function nextCursor(plan: AuthorizedRead, items: number, lastKeys: unknown): string | null {
  return plan.limit > 0 && items === plan.limit && typeof lastKeys === "string"
    ? encodeCursor(plan.sort, lastKeys)
    : null;
}

/** The planner's guess; exact where the page itself tells. */
async function estimate(
  { runner }: ReadParts,
  prepared: Prepared,
  items: number,
  binding: Binding,
  options: RunOptions | undefined,
): Promise<number> {
  const { plan } = prepared;
  if (items < plan.limit && !plan.cursor?.after && (items > 0 || isFirst(plan))) return plan.offset + items;
  const answer = await runner.run(bind(compiled(prepared, "estimate"), binding), options);
  const guess = answer[0]?.[0] as readonly { readonly Plan: { readonly "Plan Rows": number } }[] | undefined;
  return Math.max(plan.offset + items, guess?.[0]?.Plan["Plan Rows"] ?? 0);
}

function isFirst(plan: AuthorizedRead): boolean {
  return plan.offset === 0 && !plan.cursor?.after;
}

/** The memory of one bound count; null where its total may not be remembered. */
function remembering(totals: Totals | null, count: CompiledRead, binding: Binding) {
  // A total that depends on the time of asking is another one every millisecond.
  if (totals === null || count.params.some(followsTime)) return null;
  const key = keyOf(bind(count, binding));
  const stamp = totals.begin(count.collections);
  return {
    known: () => totals.known(key),
    remember: (total: number) => totals.remember(key, count.collections, stamp, total),
  };
}

function keyOf({ text, params }: Statement): string {
  return `${text} ${JSON.stringify(params)}`;
}

/** A read that was planned and authorized; its statements are compiled when they are first wanted. */
export type Prepared = {
  readonly plan: AuthorizedRead;
  readonly version: number;
  readonly statements: Readonly<Record<ReadForm, Map<ReadShape, CompiledRead>>>;
  /** The count, which the list takes in: that of one form, as it grows with it. */
  counted?: Counted;
};

function noStatements(): Prepared["statements"] {
  return { rows: new Map(), array: new Map() };
}

/** The statement of a shape, its items in the given form. */
export function compiled(prepared: Prepared, shape: ReadShape, form: ReadForm = "rows"): CompiledRead {
  const { plan, version } = prepared;
  const statements = prepared.statements[form];
  let statement = statements.get(shape);
  if (statement) return statement;
  if (shape === "count") statement = prepared.counted ??= compileCount(plan, version);
  else if (shape === "list" && form === "array")
    statement = compileRead(plan, shape, version, (prepared.counted ??= compileCount(plan, version)), form);
  else statement = compileRead(plan, shape, version, null, form);
  statements.set(shape, statement);
  return statement;
}

const kept = keepByShape<Prepared>();

/** How often a plan was found, and how often one had to be made. */
export function planCounts(snapshot: Snapshot): KeptCounts {
  return kept.counts(snapshot);
}

/** The plan of a query, kept per snapshot, roles and shape for as long as the snapshot lives, and what to bind in it. */
export function preparePage(
  snapshot: Snapshot,
  actor: Actor,
  collection: string,
  query: RawQuery,
): Kept<Prepared> {
  return kept.take(snapshot, actor, collection, query, (read) => planOf(snapshot, actor, collection, read));
}

/** parse → plan → authorize. */
function planOf(snapshot: Snapshot, actor: Actor, collection: string, query: RawQuery): Prepared {
  collectionFor(snapshot, actor, collection, "read");
  const { schema, rules } = snapshot;
  const read = planRead(schema, parseRead(collection, query));
  const plan = authorizeRead(read, accessOf(rules, schema, actor));
  return { plan, version: schema.version, statements: noStatements() };
}

/** A statement for a caller without an account may run this long, in ms; others have the limit of the pool. */
const publicTimeout = 5000;
const publicOptions: RunOptions = { timeout: publicTimeout, guest: true };

/** Limits of an actor's statements. */
export function optionsFor(actor: Actor, signal?: AbortSignal): RunOptions | undefined {
  if (!signal) return actor.kind === "anonymous" ? publicOptions : undefined;
  return actor.kind === "anonymous" ? { ...publicOptions, signal } : { signal };
}
