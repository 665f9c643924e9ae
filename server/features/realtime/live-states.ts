/**
 * What is remembered of answers, so that a new one can be told as a difference: to those who have the one before, and to
 * those who come back with an older one. All of it has one bound; beyond it the oldest is forgotten, and answers come whole.
 */
import { applyPieces, differenceOf, isSame, type Piece } from "./difference";
import { encodeDifference, encodeResult, encodeUnchanged, type Meta } from "./frames";

/** An answer as it was at some time. */
type State = {
  readonly version: string;
  readonly meta: Meta;
  /** Null: forgotten. */
  rows: readonly string[] | null;
  /** Characters of the rows. */
  size: number;
  /** When another one followed, on the clock of `performance.now()`. */
  until: number;
};

/** What an answer is to those who have the one before. Encodes a frame under a name; null: nothing to tell. */
export type News = ((name: string) => string) | null;

/** The answers of one query. */
export type History = {
  readonly version: () => string | null;
  /** A new answer; tells what is new in it. */
  readonly take: (rows: readonly string[], meta: Meta) => News;
  /** To who asks now, and has the answer of a version or none: to be called right after `take`. */
  readonly answer: (name: string, id: string | null, known: string | null) => string;
  readonly forget: () => void;
};

/** States of one query, and how long in ms, for those who come back. */
const kept = { states: 4, age: 60_000 } as const;

/** Makes a memory of so many characters in all; gives the histories in it. */
export function createHistories(budget: number): () => History {
  const remembered = new Set<State>();
  let held = 0;

  const drop = (state: State): void => {
    if (!remembered.delete(state)) return;
    held -= state.size;
    state.rows = null;
  };
  const keep = (state: State): void => {
    remembered.add(state);
    held += state.size;
    for (const oldest of remembered) {
      if (held <= budget || oldest === state) return;
      drop(oldest);
    }
  };

  return () => {
    let states: State[] = [];
    /** Made once for all who ask at the same time. */
    let whole = "";
    let differences = new Map<string, readonly Piece[]>();

    const add = (rows: readonly string[], meta: Meta, version: string): void => {
      const now = performance.now();
      const size = rows.reduce((sum, row) => sum + row.length, 0);
      const last = states.at(-1);
      if (last) last.until = now;
      const others = states.filter(
        (one) => now - one.until < kept.age && one.version !== version && one.rows !== null,
      );
      const next: State = { version, meta, rows, size, until: Infinity };
      const before = states;
      states = [...others.slice(1 - kept.states), next];
      for (const one of before) if (!states.includes(one)) drop(one);
      keep(next);
    };

    const take = (rows: readonly string[], meta: Meta): News => {
      whole = "";
      differences = new Map();
      const before = states.at(-1);
      if (!before?.rows) {
        const version = versionOf(rows, meta);
        add(rows, meta, version);
        if (!before || before.version === version) return null;
        const text = `[${rows.join(",")}]`;
        return (name) => encodeResult(name, null, { version, rows: text, meta });
      }
      const pieces = differenceOf(before.rows, rows);
      if (isSame(before.rows, pieces) && JSON.stringify(before.meta) === JSON.stringify(meta)) return null;
      const version = versionOf(rows, meta);
      // The very strings of the old one: what did not change is kept once.
      add(applyPieces(before.rows, pieces), meta, version);
      return (name) => encodeDifference(name, null, { from: before.version, version, pieces, meta });
    };

    const answer = (name: string, id: string | null, known: string | null): string => {
      const { version, meta, rows } = states.at(-1) as State;
      if (known === version) return encodeUnchanged(name, id, version);
      const base = known === null ? undefined : states.find((one) => one.version === known);
      if (!base?.rows) {
        whole ||= `[${(rows ?? []).join(",")}]`;
        return encodeResult(name, id, { version, rows: whole, meta });
      }
      const pieces = differences.get(base.version) ?? differenceOf(base.rows, rows ?? []);
      differences.set(base.version, pieces);
      return encodeDifference(name, id, { from: base.version, version, pieces, meta });
    };

    return {
      version: () => states.at(-1)?.version ?? null,
      take,
      answer,
      forget: () => {
        for (const state of states) drop(state);
        states = [];
      },
    };
  };
}

/** Equal answers have equal versions, on every server. */
function versionOf(rows: readonly string[], meta: Meta): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const row of rows) hash.update(row).update("\n");
  hash.update(JSON.stringify(meta));
  return hash.digest("base64url").slice(0, 22);
}
