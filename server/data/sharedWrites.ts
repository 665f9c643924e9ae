/**
 * Writes of one row that meet: while two statements of a kind are at work, requests for more of that kind wait for them to end, and
 * go on together in one. What PostgreSQL, the driver and the change feed do once a statement or commit they then do once for
 * all of them. Where few come, or statements are slow, each goes at once and alone.
 */
import type { ItemId } from "@baasix/types";
import { bindShared, mostShared } from "../core/query/sharedWrite";
import { bind, type Binding, type CompiledStatement } from "../core/query/variables";
import { LONG_TEXT, type Runner, sqlState } from "../platform/postgres";

/** Statements of a kind at work before requests begin to meet. */
const mostAtWork = 2;
/** As many requests of a kind at once make a crowd. Fewer go alone: to wait costs them more than they share. */
const crowd = 8;
/** How many more requests have to come before one fewer at once counts; a larger crowd is as large as `mostMet`. */
const memory = 64;
const mostMet = 2 * crowd;
/** Most requests that wait here; others wait in the pool, which refuses who has waited too long. */
const mostWaiting = 512;
/** The longest that requests wait, ms, before they go on beside what is at work; or alone, if nothing of their kind ended. */
const patience = 10;
/** The longest that a shared statement takes, ms, give or take a tenth of a second: one row may be slow for itself alone. */
const longest = 250;
/** Longest values of a request that shares a statement, in characters. */
const mostLength = 8192;
/** How long requests go alone after sharing did harm, ms: twice as long each time, half as long each time that it did none. */
const [leastPause, mostPause] = [50, 10_000];

/** One request. `inputs` are those of its binding. */
type Request = {
  readonly binding: Binding & { readonly inputs: readonly (string | null)[] };
  /** Of the row that it changes, in the one spelling that `parseKey` gives; null for a new one. */
  readonly key: string | null;
  readonly resolve: (ids: readonly ItemId[]) => void;
  readonly reject: (error: unknown) => void;
};

/** The writes of one kind: they differ in nothing but what is bound. */
export class SharedWrites {
  readonly #runner: Runner;
  readonly #alone: CompiledStatement;
  /** Null where there is none; undefined before somebody would wait for it. */
  #together: CompiledStatement | null | undefined;
  #waiting: Request[] = [];
  /** Statements at work, and the requests that they are for. */
  #atWork = 0;
  #requests = 0;
  /** How many requests were there at once, lately. */
  #met = 0;
  #pause = leastPause;
  #aloneUntil = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** A statement ended since the timer was set. */
  #hasEnded = false;

  /** `alone`: the statement of one request. */
  constructor(runner: Runner, alone: CompiledStatement) {
    this.#runner = runner;
    this.#alone = alone;
  }

  /**
   * Writes one row; gives its key, or none where there is no such row. `key`: of the row that it changes, else null;
   * `compile`: the statement of several requests (`compileCreate`, `compileUpdate`), null where they cannot share one.
   */
  write(
    binding: Request["binding"],
    key: string | null,
    compile: () => CompiledStatement | null,
  ): Promise<readonly ItemId[]> {
    const together = this.#requests + this.#waiting.length + 1;
    this.#met = Math.min(Math.max(together, this.#met - 1 / memory), mostMet);
    const isCrowd = this.#atWork >= mostAtWork && this.#met >= crowd && this.#waiting.length < mostWaiting;
    if (!isCrowd || !this.#mayMeet(binding, compile)) return this.#writeAlone(binding);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ binding, key, resolve, reject });
      this.#wait();
    });
  }

  #mayMeet({ inputs }: Request["binding"], compile: () => CompiledStatement | null): boolean {
    if (this.#together === undefined) {
      const statement = compile();
      // The pool does not keep a longer one prepared.
      this.#together = statement !== null && statement.text.length <= LONG_TEXT ? statement : null;
    }
    if (this.#together === null || this.#isApart()) return false;
    let length = 0;
    for (const input of inputs) length += input === null ? 0 : input.length;
    return length <= mostLength;
  }

  #isApart(): boolean {
    return this.#aloneUntil !== 0 && performance.now() < this.#aloneUntil;
  }

  #part(): void {
    this.#aloneUntil = performance.now() + this.#pause;
    this.#pause = Math.min(this.#pause * 2, mostPause);
  }

  #wait(): void {
    if (this.#timer !== null) return;
    this.#hasEnded = false;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      // Many that went alone may be at work for long, one after the other.
      if (this.#hasEnded) return this.#next();
      this.#part();
      this.#writeEach(this.#waiting.splice(0));
    }, patience);
  }

  #begin(requests: number): void {
    this.#atWork++;
    this.#requests += requests;
  }

  #end(requests: number): void {
    this.#atWork--;
    this.#requests -= requests;
    this.#hasEnded = true;
    if (this.#waiting.length > 0 && this.#atWork < mostAtWork) this.#next();
  }

  /** Sends those who wait. */
  #next(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isApart()) return this.#writeEach(this.#waiting.splice(0));
    const requests = this.#take();
    if (this.#waiting.length > 0) this.#wait();
    if (requests.length > 1 && this.#together) void this.#writeTogether(this.#together, requests);
    else this.#writeEach(requests);
  }

  /** In the order in which they came, one for each row. */
  #take(): readonly Request[] {
    const rows = new Set<string>();
    const taken: Request[] = [];
    const left: Request[] = [];
    for (const request of this.#waiting) {
      const { key } = request;
      if (taken.length === mostShared || (key !== null && rows.has(key))) left.push(request);
      else {
        taken.push(request);
        if (key !== null) rows.add(key);
      }
    }
    this.#waiting = left;
    return taken;
  }

  async #writeAlone(binding: Request["binding"]): Promise<readonly ItemId[]> {
    this.#begin(1);
    try {
      const [row] = await this.#runner.run(bind(this.#alone, binding));
      return row ? [row[0] as ItemId] : [];
    } finally {
      this.#end(1);
    }
  }

  #writeEach(requests: readonly Request[]): void {
    for (const { binding, resolve, reject } of requests) this.#writeAlone(binding).then(resolve, reject);
  }

  async #writeTogether(statement: CompiledStatement, requests: readonly Request[]): Promise<void> {
    this.#begin(requests.length);
    let again: readonly Request[] = [];
    try {
      const bindings = requests.map(({ binding }) => binding);
      const [row] = await this.#runner.run(bindShared(statement, bindings), { timeout: longest });
      const keys = new Map(JSON.parse(String(row?.[0] ?? "[]")) as [number, ItemId][]);
      this.#pause = Math.max(this.#pause / 2, leastPause);
      requests.forEach(({ resolve }, i) => {
        const key = keys.get(i + 1);
        resolve(key === undefined ? [] : [key]);
      });
    } catch (error) {
      this.#part();
      if (isUndone(sqlState(error))) again = requests;
      else for (const { reject } of requests) reject(error);
    } finally {
      this.#end(requests.length);
    }
    this.#writeEach(again);
  }
}

/** True where the server says that the statement failed; of a connection that failed nobody knows what became of it. */
function isUndone(state: string | null): boolean {
  return state !== null && !/^(?:08|57P)/.test(state);
}
