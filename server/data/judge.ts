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
import {
  bindLook,
  bindSurvey,
  compileLook,
  compileSurvey,
  reachesOthers,
  surveyed,
} from "../core/query/look";
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
  /** How it is read as it is now, where it reads other rows; null: it reads its own ones alone. */
  readonly seen: Seen | null;
};

/**
 * Statements that read a view as it is now, and the parameters of the second one. `look`: its changed rows, where others decide which
 * are in it; null: its rows alone decide, and are judged as the log tells them.
 */
export type Seen = {
  readonly look: JudgeStatement | null;
  readonly survey: JudgeStatement;
  readonly params: readonly Param[];
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

/**
 * What became of a row that has changed, to a view that is read as it is now. `now`: JSON text of what the view shows of it, null: it is not
 * in the view. `gone`: its key as a JSON object, where it was in the view by what other rows let through today. `change`: the last one
 * of the row.
 */
export type Sight = {
  readonly view: number;
  readonly change: number;
  readonly key: string;
  readonly gone: string | null;
  readonly now: string | null;
};

/** The same as a judgement, of views that are read as they are now. */
export type Looked = Omit<Judgement, "verdicts"> & { readonly sights: readonly Sight[] };

/**
 * All rows of a view, by the texts of their keys. `mark` tells one text from another (`markOf`); `text` null: as it is known, or not
 * asked for. `at`: ms since 1970 by the clock of the database; what it committed later is not among them.
 */
export type Survey = {
  readonly at: number;
  readonly rows: ReadonlyMap<string, SurveyedRow>;
};
export type SurveyedRow = { readonly json: string; readonly mark: string; readonly text: string | null };

export type Judge = {
  /**
   * Authorizes a view under the rules as they are now.
   * @throws AppError like a read; BAD_REQUEST when the collection is not live.
   */
  readonly open: (actor: Actor, request: ViewRequest) => View;
  /** Judges changes of one collection, in commit order, for views of it. Never throws. */
  readonly judge: (views: readonly View[], changes: readonly LoggedChange[]) => Promise<Judgement>;
  /** The same for views with a `look`: what is told of their rows is as a list shows them now. Never throws. */
  readonly look: (views: readonly View[], changes: readonly LoggedChange[]) => Promise<Looked>;
  /**
   * Reads a view with `seen`. `known`: marks by key; null: no texts are wanted. Null when it has too many rows.
   * @throws AppError like a read
   */
  readonly survey: (view: View, known: Iterable<readonly [string, string]> | null) => Promise<Survey | null>;
};

/** What tells the text of a row from another one, as the database does. */
export function markOf(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 32);
}

/** Bounds of one statement: changes and parameter sets. */
const changeLimit = 500;
const setLimit = 500;
/** Milliseconds for all statements about the same changes: later changes wait for them. */
const defaultPatience = 5_000;
/** Judgements at the same time, and surveys: requests need connections too. */
const concurrency = 3;
const surveysAtOnce = 2;
/** Milliseconds that a survey may take. */
const surveyPatience = 2_000;

type Opened = Pick<View, "collection" | "statement" | "dependencies"> & {
  readonly seen: Pick<Seen, "look" | "survey"> | null;
};
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
  const limitSurveys = pLimit(surveysAtOnce);
  /** Milliseconds that a statement took last. The cheap come first, so that dear ones cost nobody else a verdict. */
  const costs = new WeakMap<JudgeStatement, number>();
  const costOf = (seats: readonly Seat[], isLook: boolean): number => {
    const statement = seats[0] && statementOf(seats[0].view, isLook);
    return (statement && costs.get(statement)) ?? Infinity;
  };

  /** Sets that fail together are judged apart, so that one view's operand cannot blind the others. */
  const judgeSets = async (
    seats: readonly Seat[],
    { changes, keys }: Asked,
    answer: Answer,
    signal: AbortSignal,
  ): Promise<void> => {
    const [first] = seats;
    if (!first) return;
    const sets = seats.map(({ view }) => view.params);
    const compiled = statementOf(first.view, keys !== null);
    try {
      const statement =
        keys === null
          ? bindJudge(compiled, changes, sets, parts.now())
          : bindLook(compiled, changes, sets, parts.now(), keys);
      const rows = await limit(async () => {
        const started = performance.now();
        try {
          return await parts.database.run(statement, { signal });
        } finally {
          const known = signal.aborted ? (costs.get(compiled) ?? 0) : 0;
          costs.set(compiled, Math.max(known, performance.now() - started));
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
      await judgeSets(seats.slice(0, middle), { changes, keys }, answer, signal);
      await judgeSets(seats.slice(middle), { changes, keys }, answer, signal);
    }
  };

  /** Rows of the answers about all changes, with where each slice of them begins. */
  const ask = async (views: readonly View[], changes: readonly LoggedChange[], isLook: boolean) => {
    const failures = new Map<View, AppError>();
    const collection = views[0]?.collection;
    const slices: { readonly slice: readonly Told[]; readonly rows: unknown[][] }[] = [];
    if (!collection || changes.length === 0) return { slices, failures, untold: false };
    const groups = groupByText(views, isLook).toSorted((a, b) =>
      costOf(a, isLook) < costOf(b, isLook) ? -1 : 1,
    );
    const told = tell(collection, changes);
    for (let from = 0; from < told.length; from += changeLimit) {
      const slice = told.slice(from, from + changeLimit);
      const asked: Asked = {
        changes: encodeChanges(collection, slice),
        keys: isLook ? [...keysOf(collection, slice).keys()] : null,
      };
      const answer: Answer = { rows: [], failures };
      const signal = AbortSignal.timeout(patience);
      // oxlint-disable-next-line no-await-in-loop -- a bulk must not take all connections
      await Promise.all(groups.map((seats) => judgeSets(seats, asked, answer, signal)));
      slices.push({ slice, rows: answer.rows });
    }
    return { slices, failures, untold: told.length < changes.length };
  };

  return {
    open: (actor, request) => {
      const opened = openedOf(parts.snapshot(), actor, request);
      const params = settle(opened.statement.params, actor);
      const seen = opened.seen && {
        ...opened.seen,
        params: settle(opened.seen.survey.params, actor),
      };
      return { ...opened, key: `${opened.statement.text}\n${JSON.stringify(params)}`, params, seen };
    },
    judge: async (views, changes) => {
      const { slices, failures, untold } = await ask(views, changes, false);
      const verdicts = slices.flatMap(({ rows, slice }) => merge(rows, slice));
      return {
        verdicts: verdicts.filter(({ view }) => !failures.has(views[view] as View)),
        failures,
        untold,
      };
    },
    look: async (views, changes) => {
      const { slices, failures, untold } = await ask(views, changes, true);
      const collection = views[0]?.collection as Collection;
      const sights = slices.flatMap(({ rows, slice }) => mergeSights(rows, slice, collection));
      return { sights: sights.filter(({ view }) => !failures.has(views[view] as View)), failures, untold };
    },
    survey: async ({ seen }, known) => {
      if (seen === null) throw new Error("a view of its own rows is judged, not read");
      const statement = bindSurvey(seen.survey, seen.params, parts.now(), known);
      const found = await limitSurveys(() => parts.database.run(statement, { timeout: surveyPatience }));
      const rows = new Map<string, SurveyedRow>();
      let at = Infinity;
      for (const [key, json, mark, text] of found as [string | null, string, string, string | null][]) {
        if (key === null) at = Number(text);
        else rows.set(key, { json, mark, text });
      }
      return rows.size > surveyed ? null : { at, rows };
    },
  };
}

/** `keys`: of the rows to be read; null: they are judged. */
type Asked = { readonly changes: string; readonly keys: readonly string[] | null };
type Answer = { readonly rows: unknown[][]; readonly failures: Map<View, AppError> };
type JudgedRow = [view: number, change: number, gone: string | null, now: string | null, old: string | null];
type Told = WholeChange & { readonly position: number };

function tell(collection: Collection, changes: readonly LoggedChange[]): readonly Told[] {
  return changes.flatMap((change, position) => {
    const whole = wholeChange(collection, change);
    return whole === null ? [] : [{ ...whole, position }];
  });
}

function statementOf({ statement, seen }: View, isLook: boolean): JudgeStatement {
  if (!isLook) return statement;
  if (!seen?.look) throw new Error("a view of its own rows is judged");
  return seen.look;
}

/** The keys of changed rows, and the last change of each. */
function keysOf({ primaryKey }: Collection, slice: readonly Told[]): ReadonlyMap<string, number> {
  const keys = new Map<string, number>();
  slice.forEach(({ old, now }, place) => {
    for (const row of [old, now]) {
      const key = row?.[primaryKey.name];
      if (typeof key === "string") keys.set(key, place);
    }
  });
  return keys;
}

function groupByText(views: readonly View[], isLook: boolean): readonly (readonly Seat[])[] {
  const groups = new Map<string, Seat[][]>();
  views.forEach((view, position) => {
    const { version, text } = statementOf(view, isLook);
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

type SeenRow = [
  view: number,
  change: number | null,
  key: string | null,
  gone: string | null,
  now: string | null,
];

/** Rows of [view, change, key, gone, now] become one sight a view and key, by the last change of each. */
function mergeSights(
  rows: readonly (readonly unknown[])[],
  slice: readonly Told[],
  collection: Collection,
): readonly Sight[] {
  const { name } = collection.primaryKey;
  const keys = keysOf(collection, slice);
  const sights = new Map<string, Sight>();
  for (const [view, change, read, gone, now] of rows as SeenRow[]) {
    const key = read ?? slice[change ?? 0]?.old?.[name];
    if (typeof key !== "string") continue;
    const known = sights.get(`${view} ${key}`);
    sights.set(`${view} ${key}`, {
      view,
      change: slice[keys.get(key) ?? 0]?.position ?? 0,
      key,
      gone: known?.gone ?? gone,
      now: known?.now ?? now,
    });
  }
  return [...sights.values()].sort((a, b) => a.change - b.change || a.view - b.view);
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
  const dependencies = dependenciesOf(read);
  const made: Opened = {
    collection: read.collection,
    statement: compileJudge(read, schema.version),
    dependencies,
    seen:
      dependencies.size === 0
        ? null
        : {
            look: reachesOthers(read) ? compileLook(read, schema.version) : null,
            survey: compileSurvey(read, schema.version),
          },
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
