/**
 * The door to changes: what a committed change of a row means to each view. Views are authorized as reads are, and
 * PostgreSQL judges: one statement for all views that share their SQL text, whatever their parameters.
 */
import pLimit from "p-limit";
import { type Actor, roleKey } from "../core/access/actor";
import { accessOf, refusal } from "../core/access/policy";
import { AppError } from "../core/errors";
import { authorizeRead } from "../core/query/authorize";
import { findCollection } from "../core/query/plan";
import type { Param } from "../core/query/variables";
import {
  bindJudge,
  compileJudge,
  type Dependency,
  dependenciesOf,
  encodeChanges,
  type JudgeStatement,
  type LoggedChange,
  planView,
  settle,
  type Verdict,
  type ViewRequest,
  wholeChange,
  type WholeChange,
} from "../core/query/view";
import type { Collection } from "../core/schema/model";
import type { DataParts } from "./data";
import type { Snapshot } from "./snapshot";

/** What one actor watches, authorized under one snapshot. Views with equal keys show the same rows in the same way. */
export type View = {
  readonly key: string;
  readonly collection: Collection;
  readonly statement: JudgeStatement;
  readonly params: readonly Param[];
  /** What it reads beside the row itself. */
  readonly dependencies: ReadonlyMap<string, Dependency>;
};

/** What changes mean to views. */
export type Judgement = {
  /** In the order of the changes. */
  readonly verdicts: readonly Verdict[];
  /** Views that could not be judged, and why: to them any of the changes may have happened. */
  readonly failures: ReadonlyMap<View, AppError>;
  /** Some changes were told without the whole row: to every view they may have happened. */
  readonly untold: boolean;
};

export type Judge = {
  /**
   * Authorizes a view under the rules as they are now.
   * @throws AppError like a read; BAD_REQUEST when the collection is not live.
   */
  readonly open: (actor: Actor, request: ViewRequest) => View;
  /** Judges changes of one collection, in commit order, for views of it. Never throws. */
  readonly judge: (views: readonly View[], changes: readonly LoggedChange[]) => Promise<Judgement>;
};

/** Bounds of one statement: changes and parameter sets. */
const changeLimit = 500;
const setLimit = 500;
/** Milliseconds for all statements about the same changes: later changes wait for them. */
const defaultPatience = 5_000;
/** Judgements at the same time: requests need connections too. */
const concurrency = 3;

type Opened = Pick<View, "collection" | "statement" | "dependencies">;
/** A view and its position in the list to judge. */
type Seat = { readonly view: View; readonly position: number };

/** `patience`: milliseconds for all statements about the same changes, 5,000 unless told. */
export type JudgeOptions = { readonly patience?: number };

/** Opens the door. */
export function createJudge(
  parts: Pick<DataParts, "database" | "snapshot" | "now">,
  { patience = defaultPatience }: JudgeOptions = {},
): Judge {
  const limit = pLimit(concurrency);
  /** Milliseconds that a statement took last. The cheap come first, so that dear ones cost nobody else a verdict. */
  const costs = new WeakMap<JudgeStatement, number>();
  const costOf = (seats: readonly Seat[]): number => {
    const statement = seats[0]?.view.statement;
    return (statement && costs.get(statement)) ?? Infinity;
  };

  /** Sets that fail together are judged apart, so that one view's operand cannot blind the others. */
  const judgeSets = async (
    seats: readonly Seat[],
    changes: string,
    answer: Answer,
    signal: AbortSignal,
  ): Promise<void> => {
    const [first] = seats;
    if (!first) return;
    const sets = seats.map(({ view }) => view.params);
    try {
      const statement = bindJudge(first.view.statement, changes, sets, parts.now());
      const rows = await limit(async () => {
        const started = performance.now();
        try {
          return await parts.database.run(statement, { signal });
        } finally {
          const known = signal.aborted ? (costs.get(first.view.statement) ?? 0) : 0;
          costs.set(first.view.statement, Math.max(known, performance.now() - started));
        }
      });
      for (const [set, ...rest] of rows) answer.rows.push([seats[set as number]?.position, ...rest]);
    } catch (error) {
      const failure = error instanceof AppError ? error : unexpected(error);
      if (seats.length === 1 || failure.code === "UNAVAILABLE" || failure.code === "TIMEOUT") {
        for (const { view } of seats) answer.failures.set(view, failure);
        return;
      }
      const middle = seats.length >> 1;
      await judgeSets(seats.slice(0, middle), changes, answer, signal);
      await judgeSets(seats.slice(middle), changes, answer, signal);
    }
  };

  return {
    open: (actor, request) => {
      const opened = openedOf(parts.snapshot(), actor, request);
      const params = settle(opened.statement.params, actor);
      return { ...opened, key: `${opened.statement.text}\n${JSON.stringify(params)}`, params };
    },
    judge: async (views, changes) => {
      const failures = new Map<View, AppError>();
      const collection = views[0]?.collection;
      if (!collection || changes.length === 0) return { verdicts: [], failures, untold: false };
      const groups = groupByText(views).toSorted((a, b) => (costOf(a) < costOf(b) ? -1 : 1));
      const told = tell(collection, changes);
      const verdicts: Verdict[] = [];
      for (let from = 0; from < told.length; from += changeLimit) {
        const slice = told.slice(from, from + changeLimit);
        const text = encodeChanges(collection, slice);
        const answer: Answer = { rows: [], failures };
        const signal = AbortSignal.timeout(patience);
        await Promise.all(groups.map((seats) => judgeSets(seats, text, answer, signal)));
        verdicts.push(...merge(answer.rows, slice));
      }
      return {
        verdicts: verdicts.filter(({ view }) => !failures.has(views[view] as View)),
        failures,
        untold: told.length < changes.length,
      };
    },
  };
}

type Answer = { readonly rows: unknown[][]; readonly failures: Map<View, AppError> };
type JudgedRow = [view: number, change: number, gone: string | null, now: string | null, old: string | null];
type Told = WholeChange & { readonly position: number };

function tell(collection: Collection, changes: readonly LoggedChange[]): readonly Told[] {
  return changes.flatMap((change, position) => {
    const whole = wholeChange(collection, change);
    return whole === null ? [] : [{ ...whole, position }];
  });
}

function groupByText(views: readonly View[]): readonly (readonly Seat[])[] {
  const groups = new Map<string, Seat[][]>();
  views.forEach((view, position) => {
    const { version, text } = view.statement;
    const key = `${version} ${text}`;
    const known = groups.get(key) ?? [];
    const last = known.at(-1);
    if (last && last.length < setLimit) last.push({ view, position });
    else known.push([{ view, position }]);
    groups.set(key, known);
  });
  return [...groups.values()].flat();
}

/** Rows of [view, change, gone, now, old], one for each side, become one verdict a view and change, by change. */
function merge(rows: readonly (readonly unknown[])[], slice: readonly Told[]): readonly Verdict[] {
  const verdicts = new Map<string, Verdict>();
  for (const [view, change, gone, now, old] of rows as JudgedRow[]) {
    const key = `${change} ${view}`;
    const known = verdicts.get(key);
    const position = slice[change]?.position ?? 0;
    verdicts.set(key, {
      view,
      change: position,
      gone: gone ?? known?.gone ?? null,
      now: now ?? known?.now ?? null,
      old: old ?? known?.old ?? null,
    });
  }
  // Of a row that has left nothing is told but its key.
  const told = [...verdicts.values()].map((one) => (one.now === null ? { ...one, old: null } : one));
  return told.sort((a, b) => a.change - b.change || a.view - b.view);
}

const openedCount = 5000;
const openedKeyLength = 2000;
const opened = new WeakMap<Snapshot, Map<string, Opened>>();

/** parse → plan → authorize → compile. Kept per snapshot, role and request: a thousand subscribers ask the same. */
function openedOf(snapshot: Snapshot, actor: Actor, request: ViewRequest): Opened {
  let kept = opened.get(snapshot);
  if (!kept) opened.set(snapshot, (kept = new Map()));
  const { collection, key: id, filter, fields } = request;
  const key = `${roleKey(actor)} ${JSON.stringify([collection, id, filter, fields])}`;
  const known = kept.get(key);
  if (known) return known;
  const { schema, rules } = snapshot;
  const access = accessOf(rules, schema, actor);
  const target = findCollection(schema, collection);
  // Before the request is looked at: who may not read learns nothing about fields.
  if (access(target, "read") === null) throw refusal(target, "read");
  const read = authorizeRead(planView(schema, request), access);
  if (!read.collection.realtime) {
    throw new AppError("BAD_REQUEST", `'${collection}' is not live: its schema says realtime: false`);
  }
  const made: Opened = {
    collection: read.collection,
    statement: compileJudge(read, schema.version),
    dependencies: dependenciesOf(read),
  };
  if (key.length <= openedKeyLength) {
    if (kept.size >= openedCount) kept.clear();
    kept.set(key, made);
  }
  return made;
}

function unexpected(error: unknown): AppError {
  return new AppError("INTERNAL_ERROR", "The change could not be judged", null, { cause: error });
}
