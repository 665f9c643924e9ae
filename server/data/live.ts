/**
 * The door to answers that are kept up to date: a read, authorized as any other and opened once, which is run again
 * whenever something that it reads has changed. Queries with equal keys have equal answers at any time.
 */
import type { Actor } from "../core/access/actor";
import { accessOf } from "../core/access/policy";
import { AppError } from "../core/errors";
import { isAggregate } from "../core/query/aggregate";
import type { AuthorizedAggregate, AuthorizedRead } from "../core/query/authorize";
import { compileGroupTexts } from "../core/query/compileAggregate";
import type { ReadShape } from "../core/query/compile";
import { groupDependencies, listDependencies, type Reads } from "../core/query/dependencies";
import {
  bind,
  type Binding,
  type CompiledStatement,
  followsTime,
  settleParam,
} from "../core/query/variables";
import { compileMembership, type JudgeStatement } from "../core/query/view";
import type { Row } from "../platform/postgres";
import { collectionFor } from "./access";
import { type PreparedGroups, prepareGroups } from "./aggregate";
import type { DataParts } from "./data";
import type { RawQuery } from "./door";
import type { View } from "./judge";
import { compiled, nextCursor, optionsFor, pageShape, type Prepared, preparePage } from "./read";
import type { Snapshot } from "./snapshot";

/** An answer whose rows are JSON texts of their own. The rest as in `ReadAnswer`; a live total is never a guess. */
export type LiveAnswer = {
  readonly rows: readonly string[];
  readonly totalCount: number | null;
  readonly truncated: boolean;
  readonly nextCursor?: string | null;
};

/** A read that may be run again and again, under the rules as they were when it was opened. */
export type LiveQuery = {
  /** The bound statement: who has an equal one sees the same. */
  readonly key: string;
  readonly collection: string;
  /** What of which collections decides the answer. */
  readonly reads: Reads;
  /**
   * The rows that the answer is made of: a change of a row that neither was nor is among them leaves it as it is, unless
   * it is reached through a relation, too. Null: every change counts.
   */
  readonly members: View | null;
  /** The answer changes as time passes, without any change of a row. */
  readonly passes: boolean;
  /** An aborted `signal` cancels the statement. @throws AppError */
  readonly run: (signal: AbortSignal) => Promise<LiveAnswer>;
};

export type LiveQueries = {
  /**
   * Authorizes a query: that of a list, with all that lists take, or an aggregate.
   * @throws AppError like a read; BAD_REQUEST where it reads a collection that is not live.
   */
  readonly open: (actor: Actor, collection: string, query: RawQuery) => LiveQuery;
};

/** Milliseconds that a statement may take: it is run again and again. */
const longest = 5_000;

/** Opens the door. */
export function createLiveQueries({
  database,
  snapshot,
  now,
}: Pick<DataParts, "database" | "snapshot" | "now">): LiveQueries {
  return {
    open: (actor, collection, query) => {
      const at = snapshot();
      collectionFor(at, actor, collection, "read");
      const opened = isAggregate(query)
        ? openGroups(at, actor, collection, query)
        : openPage(at, actor, collection, query);
      const { plan, reads } = opened;
      requireLive(at, actor, [plan.collection.name, ...reads.related.keys()]);
      const options = { ...optionsFor(actor), timeout: longest };
      const run: Run = (statement, signal) =>
        database.run(bind(statement, { actor, now: now() }), { ...options, signal });
      const { params } = opened.statement;
      const passes = params.some(followsTime);
      return {
        // Without an account a statement may run less long: its failure must not be another's.
        key: JSON.stringify([actor.kind === "anonymous", opened.statement.text, params]),
        collection: plan.collection.name,
        reads,
        // Time moves rows in and out without a change, and a soft deletion is none to who reads deleted items.
        members: passes || plan.withDeleted ? null : membersOf(opened, actor),
        passes,
        run: (signal) => opened.answer((statement) => run(statement, signal)),
      };
    },
  };
}

type Run = (statement: CompiledStatement, signal: AbortSignal) => Promise<readonly Row[]>;

type Opened = {
  readonly plan: AuthorizedRead | AuthorizedAggregate;
  readonly membership: JudgeStatement;
  readonly inputs: Binding["inputs"];
  readonly statement: CompiledStatement;
  readonly reads: Reads;
  readonly answer: (run: (statement: CompiledStatement) => Promise<readonly Row[]>) => Promise<LiveAnswer>;
};

function openPage(snapshot: Snapshot, actor: Actor, collection: string, query: RawQuery): Opened {
  // A guess follows the statistics of PostgreSQL, of whose changes nobody is told.
  const counted = query.count === "estimated" ? { ...query, count: "exact" } : query;
  const { made, inputs } = preparePage(snapshot, actor, collection, counted);
  const { plan } = made;
  const settled = (shape: ReadShape): CompiledStatement => settle(compiled(made, shape), actor, inputs);
  const total = settled("count");
  const opened = { plan, membership: listMembership(made), inputs, reads: listReads(made) };
  // Who asks for no rows asks for their number.
  if (plan.limit === 0 && plan.count === "exact") {
    return {
      ...opened,
      statement: total,
      answer: async (run) => ({ rows: [], totalCount: totalIn(await run(total)), truncated: false }),
    };
  }
  const statement = settled(plan.count === "none" ? pageShape(plan, null) : "list");
  const answer: Opened["answer"] = async (run) => {
    const rows = await run(statement);
    const first = plan.offset === 0 && !plan.cursor?.after;
    const told = rows[0] ? Number(rows[0][2]) : first ? 0 : null;
    return {
      rows: rows.map((row) => String(row[0])),
      totalCount: plan.count === "none" ? null : (told ?? totalIn(await run(total))),
      truncated: rows.some((row) => row[1] === true),
      ...(plan.cursor !== null && { nextCursor: nextCursor(plan, rows.length, rows.at(-1)?.[3]) }),
    };
  };
  return { ...opened, statement, answer };
}

function openGroups(snapshot: Snapshot, actor: Actor, collection: string, query: RawQuery): Opened {
  const { made, inputs } = prepareGroups(snapshot, actor, collection, query);
  const statement = settle(textsOf(made), actor, inputs);
  return {
    plan: made.plan,
    membership: groupMembership(made),
    inputs,
    reads: groupReads(made),
    statement,
    answer: async (run) => {
      const [texts, total, cut] = (await run(statement))[0] ?? [];
      return {
        rows: JSON.parse(String(texts)) as string[],
        totalCount: made.plan.count === "none" ? null : Number(total),
        truncated: cut === true,
      };
    },
  };
}

function totalIn(rows: readonly Row[]): number {
  return Number(rows[0]?.[0] ?? 0);
}

function settle(
  { text, params }: CompiledStatement,
  actor: Actor,
  inputs: Binding["inputs"],
): CompiledStatement {
  return { text, params: params.map((param) => settleParam(param, actor, inputs)) };
}

/** The rows of the answer as a view of the judge. */
function membersOf({ plan, membership, inputs, reads }: Opened, actor: Actor): View {
  const params = membership.params.map((param) => settleParam(param, actor, inputs));
  const key = `${membership.text}\n${JSON.stringify(params)}`;
  return {
    key,
    collection: plan.collection,
    statement: membership,
    params,
    dependencies: reads.related,
    seen: null,
  };
}

/** Made once for a plan, which many share. */
function once<Of extends object, T>(make: (of: Of) => T): (of: Of) => T {
  const made = new WeakMap<Of, T>();
  return (of) => {
    let known = made.get(of);
    if (known === undefined) made.set(of, (known = make(of)));
    return known;
  };
}

const listReads = once(({ plan }: Prepared) => listDependencies(plan));
const groupReads = once(({ plan }: PreparedGroups) => groupDependencies(plan));
const listMembership = once(({ plan, version }: Prepared) => compileMembership(plan, version));
const groupMembership = once(({ plan, version }: PreparedGroups) => compileMembership(plan, version));
const textsOf = once(({ plan, version }: PreparedGroups) => compileGroupTexts(plan, version));

/** Of a collection that is not live nobody tells when it changes. */
function requireLive({ schema, rules }: Snapshot, actor: Actor, names: readonly string[]): void {
  for (const name of names) {
    const collection = schema.collections.get(name);
    if (collection?.realtime) continue;
    const readable = collection && accessOf(rules, schema, actor)(collection, "read") !== null;
    const what = readable ? `'${name}'` : "a collection that this query reads";
    throw new AppError("BAD_REQUEST", `${what} is not live: its schema says realtime: false`);
  }
}
