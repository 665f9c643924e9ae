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
  type ReadShape,
} from "../core/query/compile";
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
  if (plan.count !== "exact") {
    const rows = await parts.runner.run(bind(compiled(prepared, pageShape(plan, null)), binding), options);
    const estimated =
      plan.count === "estimated" ? await estimate(parts, prepared, rows, binding, options) : null;
    return pageAnswer(plan, rows, estimated);
  }
  const counting = remembering(parts.totals, compiled(prepared, "count"), binding);
  const known = counting?.known() ?? null;
  const rows = await parts.runner.run(
    bind(compiled(prepared, known === null ? "list" : pageShape(plan, known)), binding),
    options,
  );
  const told = known ?? (await totalOf(parts, prepared, rows, binding, options));
  if (known === null) counting?.remember(told);
  return pageAnswer(plan, rows, told);
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
 * the whole; without it there is no bound.
 */
export async function* readAll(
  parts: ReadParts,
  actor: Actor,
  collection: string,
  query: RawQuery,
  signal?: AbortSignal,
): AsyncGenerator<readonly string[]> {
  collectionFor(parts.snapshot(), actor, collection, "read");
  let left = wholeLimit(query.limit);
  let cursor: string | null = "";
  while (cursor !== null && left > 0) {
    const batch = { ...query, limit: Math.min(left, readLimits.maximum), cursor, count: "none" };
    const { plan, rows }: Walked = await parts.again(() => walk(parts, actor, collection, batch, signal));
    left -= rows.length;
    if (rows.length > 0) yield rows.map((row) => String(row[0]));
    cursor = nextCursor(plan, rows);
  }
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
  return { plan: { ...authorized, cursor: { after } }, version: schema.version, statements: new Map() };
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

function pageAnswer(plan: AuthorizedRead, rows: readonly Row[], totalCount: number | null): ReadAnswer {
  return {
    json: joinRows(rows),
    totalCount,
    estimated: plan.count === "estimated",
    truncated: rows.some((row) => row[1] === true),
    ...(plan.cursor !== null && { nextCursor: nextCursor(plan, rows) }),
  };
}

/** The cursor behind a full page; null behind the last one. */
export function nextCursor(plan: AuthorizedRead, rows: readonly Row[]): string | null {
  const keys = rows.at(-1)?.[3];
  return plan.limit > 0 && rows.length === plan.limit && typeof keys === "string"
    ? encodeCursor(plan.sort, keys)
    : null;
}

/** The total that a page with rows carries. An empty page carries none: the first page then says 0, a later one counts. */
async function totalOf(
  { runner }: ReadParts,
  prepared: Prepared,
  rows: readonly Row[],
  binding: Binding,
  options: RunOptions | undefined,
): Promise<number> {
  if (rows[0]) return Number(rows[0][2]);
  if (isFirst(prepared.plan) && prepared.plan.limit > 0) return 0;
  const counted = await runner.run(bind(compiled(prepared, "count"), binding), options);
  return Number(counted[0]?.[0] ?? 0);
}

/** The planner's guess; exact where the page itself tells. */
async function estimate(
  { runner }: ReadParts,
  prepared: Prepared,
  rows: readonly Row[],
  binding: Binding,
  options: RunOptions | undefined,
): Promise<number> {
  const { plan } = prepared;
  if (rows.length < plan.limit && !plan.cursor?.after && (rows.length > 0 || isFirst(plan)))
    return plan.offset + rows.length;
  const answer = await runner.run(bind(compiled(prepared, "estimate"), binding), options);
  const guess = answer[0]?.[0] as readonly { readonly Plan: { readonly "Plan Rows": number } }[] | undefined;
  return Math.max(plan.offset + rows.length, guess?.[0]?.Plan["Plan Rows"] ?? 0);
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
  readonly statements: Map<ReadShape, CompiledRead>;
  /** The count, which the list takes in. */
  counted?: Counted;
};

/** The statement of a shape. */
export function compiled(prepared: Prepared, shape: ReadShape): CompiledRead {
  const { plan, version, statements } = prepared;
  let statement = statements.get(shape);
  if (statement) return statement;
  if (shape === "count") statement = prepared.counted ??= compileCount(plan, version);
  else if (shape === "list")
    statement = compileRead(plan, shape, version, (prepared.counted ??= compileCount(plan, version)));
  else statement = compileRead(plan, shape, version);
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
  return { plan, version: schema.version, statements: new Map() };
}

/** A statement for a caller without an account may run this long, in ms; others have the limit of the pool. */
const publicTimeout = 5000;
const publicOptions: RunOptions = { timeout: publicTimeout, guest: true };

/** Limits of an actor's statements. */
export function optionsFor(actor: Actor, signal?: AbortSignal): RunOptions | undefined {
  if (!signal) return actor.kind === "anonymous" ? publicOptions : undefined;
  return actor.kind === "anonymous" ? { ...publicOptions, signal } : { signal };
}

function joinRows(rows: readonly Row[]): string {
  let json = "[";
  for (let i = 0; i < rows.length; i++) json += i === 0 ? rows[i]?.[0] : `,${rows[i]?.[0]}`;
  return `${json}]`;
}
