/**
 * Views that reach other rows: what is told when those change, and so a row enters, leaves or looks otherwise without a change of its
 * own. For each such view the marks of its rows are remembered; when what it reaches has changed it is read again, and the
 * difference is told. Where that cannot be done in bounds, or is not known yet, subscribers read again.
 */
import type { ChangeAction } from "@baasix/types";
import { liveActions } from "../../core/schema/model";
import type { Verdict } from "../../core/query/view";
import { type Judge, markOf, type Sight, type Survey } from "../../data";
import type { RowChange } from "../../platform/postgres";
import type { LiveView, Views } from "./views";

export type RelatedParts = {
  readonly judge: Pick<Judge, "survey">;
  readonly views: Pick<Views, "publish" | "resync" | "resyncRelated">;
  /** Resolves when all that was committed about rights is in force; false when it could not be read. */
  readonly settled: () => Promise<boolean>;
  /** Whether anybody tells of changes. */
  readonly isTold: () => boolean;
};

/** What subscribers are told of a row. `data` and `old` are JSON texts. */
export type Told = { readonly action: ChangeAction; readonly data: string; readonly old: string | null };

export type Related = {
  /** A view has begun, or what happened to its own rows was not told: its rows are read, to tell differences from. */
  readonly follow: (live: LiveView) => void;
  /** What is told of a row of the view's own has been judged. */
  readonly judged: (live: LiveView, verdict: Verdict, change: RowChange) => void;
  /** A row of the view's own was read. Null: nothing is told of it, but maybe a resync. */
  readonly settle: (live: LiveView, sight: Sight, committedAt: number) => Told | null;
  /** What the view reaches has changed. */
  readonly touched: (live: LiveView, committedAt: number) => void;
};

/** Rows that are remembered, of all views together. */
const mostRemembered = 200_000;
/** Milliseconds between two readings of a view, unless it takes long: then this many times as long as it took. */
const pause = 100;
const rest = 10;
const longestRest = 10_000;
/** Milliseconds until a view is tried again that could not be read, or has too many rows. */
const retryAfter = 30_000;
/** Characters of a difference. Beyond, subscribers read again. */
const burst = 256 * 1024;

type Mark = { readonly mark: string; readonly json: string };
type State = {
  /** Rows of the view as subscribers know them, by key; null: not known. */
  marks: Map<string, Mark> | null;
  /**
   * When the rows were first read, ms since 1970. Who subscribed before may have read before, too, and does not know what was
   * committed in between: of that nothing can be told as a difference.
   */
  at: number;
  running: boolean;
  again: boolean;
  /** What was told of own rows while the view was being read. */
  disturbed: Map<string, Mark | null>;
  /** Grows when what is remembered counts no more. */
  epoch: number;
  timer: ReturnType<typeof setTimeout> | null;
  /** On the clock of `performance.now()`. */
  notBefore: number;
  retryAt: number;
  /** Of the last change of what it reaches. */
  committedAt: number;
};

/** Makes an empty memory. */
export function createRelated({ judge, views, settled, isTold }: RelatedParts): Related {
  const states = new Map<LiveView, State>();
  let remembered = 0;

  const forget = (state: State): void => {
    remembered -= state.marks?.size ?? 0;
    state.marks = null;
    state.epoch++;
  };

  const isGone = (live: LiveView, state: State): boolean => {
    if (!live.isClosed) return false;
    forget(state);
    if (state.timer) clearTimeout(state.timer);
    states.delete(live);
    return true;
  };

  /** Some kinds of change alone: who is not told of updates is not told of what updates of others do, either. */
  const mayFollow = ({ view }: LiveView): boolean =>
    isTold() && view.seen !== null && view.collection.liveness.actions.length === liveActions.length;

  const wake = (live: LiveView, state: State): void => {
    if (state.running) state.again = true;
    if (state.running || state.timer !== null) return;
    const wait = state.notBefore - performance.now();
    if (wait <= 0) return void run(live, state);
    state.timer = setTimeout(() => {
      state.timer = null;
      if (!isGone(live, state)) void run(live, state);
    }, wait);
  };

  const run = async (live: LiveView, state: State): Promise<void> => {
    state.running = true;
    state.again = false;
    state.disturbed = new Map();
    const { epoch, marks } = state;
    const started = performance.now();
    const survey = await read(live, marks);
    state.notBefore = started + Math.max(pause, Math.min(longestRest, (performance.now() - started) * rest));
    state.running = false;
    if (isGone(live, state)) return;
    if (state.epoch !== epoch) return wake(live, state);
    if (survey === null) giveUp(live, state);
    else if (marks === null) remember(state, survey);
    else tell(live, state, marks, survey);
    // What was told of own rows meanwhile is older or newer than what was read of them.
    if (state.marks !== null && (state.again || (marks !== null && state.disturbed.size > 0)))
      wake(live, state);
  };

  /** Null: it cannot be read now, or has too many rows. */
  const read = async (live: LiveView, marks: State["marks"]): Promise<Survey | null> => {
    try {
      const known = marks && [...marks].map(([key, { mark }]) => [key, mark] as const);
      const survey = await judge.survey(live.view, known);
      return (await settled()) ? survey : null;
    } catch {
      return null;
    }
  };

  const giveUp = (live: LiveView, state: State): void => {
    if (state.marks !== null) views.resyncRelated(live);
    forget(state);
    state.retryAt = performance.now() + retryAfter;
  };

  const remember = (state: State, { at, rows }: Survey): void => {
    const marks = new Map<string, Mark>();
    for (const [key, { mark, json }] of rows) marks.set(key, { mark, json });
    for (const [key, mark] of state.disturbed) {
      if (mark) marks.set(key, mark);
      else marks.delete(key);
    }
    if (remembered + marks.size > mostRemembered) {
      state.retryAt = performance.now() + retryAfter;
      return;
    }
    state.marks = marks;
    state.at = at;
    remembered += marks.size;
  };

  const tell = (live: LiveView, state: State, marks: Map<string, Mark>, { rows }: Survey): void => {
    const before = marks.size;
    const told: Told[] = [];
    for (const [key, { mark, json, text }] of rows) {
      if (state.disturbed.has(key)) continue;
      const known = marks.get(key);
      if (known?.mark === mark) continue;
      marks.set(key, { mark, json });
      told.push({ action: known ? "update" : "create", data: text ?? json, old: null });
    }
    for (const [key, { json }] of marks) {
      if (rows.has(key) || state.disturbed.has(key)) continue;
      marks.delete(key);
      told.push({ action: "delete", data: json, old: null });
    }
    remembered += marks.size - before;
    if (told.reduce((sum, { data }) => sum + data.length, 0) > burst) {
      return views.resync(live, "many changes at once");
    }
    const { name: collection } = live.view.collection;
    for (const one of told) views.publish(live, { ...one, collection, committedAt: state.committedAt });
  };

  /** What subscribers know of a row from now on; null: that it is not there. */
  const note = (state: State, key: string, mark: Mark | null): void => {
    const { marks } = state;
    if (state.running) state.disturbed.set(key, mark);
    if (marks === null) return;
    const before = marks.size;
    if (mark) marks.set(key, mark);
    else marks.delete(key);
    remembered += marks.size - before;
  };

  /** What is told of a row where it is not known what subscribers know of it: that it has gone could tell them that it was. */
  const settleUnknown = (live: LiveView, { gone, now }: Sight): Told | null => {
    if (now !== null) return { action: gone === null ? "create" : "update", data: now, old: null };
    if (gone !== null) views.resyncRelated(live);
    return null;
  };

  return {
    follow: (live) => {
      const known = states.get(live);
      if (known) forget(known);
      if (!mayFollow(live)) return;
      const state: State = known ?? {
        marks: null,
        at: Infinity,
        running: false,
        again: false,
        disturbed: new Map(),
        epoch: 0,
        timer: null,
        notBefore: 0,
        retryAt: 0,
        committedAt: 0,
      };
      states.set(live, state);
      wake(live, state);
    },
    judged: (live, { gone, now }, { before, after }) => {
      const state = states.get(live);
      if (!state) return;
      const { name } = live.view.collection.primaryKey;
      const [was, is] = [before?.[name], after?.[name]];
      if (gone !== null && was && (now === null || was !== is)) note(state, was, null);
      if (now !== null && is) note(state, is, { mark: markOf(now), json: keyJson(live, now) });
    },
    settle: (live, sight, committedAt) => {
      const state = states.get(live);
      if (!state) return settleUnknown(live, sight);
      const { key, now } = sight;
      const { marks, at } = state;
      const known = marks?.get(key);
      note(state, key, now === null ? null : { mark: markOf(now), json: sight.gone ?? keyJson(live, now) });
      if (marks === null || committedAt <= at) return settleUnknown(live, sight);
      // Of other rows it is not known how they were: a row may have been out of sight when it was so.
      if (now !== null) return { action: known ? "update" : "create", data: now, old: null };
      return known ? { action: "delete", data: known.json, old: null } : null;
    },
    touched: (live, committedAt) => {
      const state = states.get(live);
      if (!state?.marks || committedAt <= state.at) views.resyncRelated(live);
      if (!state || !mayFollow(live)) return;
      state.committedAt = committedAt;
      if (state.marks !== null || (!state.running && performance.now() >= state.retryAt)) wake(live, state);
    },
  };
}

/** The key of an item alone, of its JSON text. */
function keyJson({ view }: LiveView, text: string): string {
  const { name } = view.collection.primaryKey;
  return JSON.stringify({ [name]: (JSON.parse(text) as { readonly [field: string]: unknown })[name] });
}
