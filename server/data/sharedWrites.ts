/**
 * Writes of one row that meet: while two statements of a kind are at work, requests for more of that kind wait for the first of them
 * to end, and go on together in one. What PostgreSQL, the driver and the change feed do once a statement or commit they then
 * do once for all of them. A request that comes when there is nothing to wait for goes at once, and alone.
 */
import type { ItemId } from "@baasix/types";
import type { Statement } from "../core/query/statement";
import { bindShared, mostShared } from "../core/query/sharedWrite";
import { bind, type Binding, type CompiledStatement } from "../core/query/variables";
import { type Row, sqlState } from "../platform/postgres";

/** Statements of a kind at work before requests begin to meet. */
const mostAtWork = 2;
/** The longest that a request waits for others to end, ms. */
const patience = 3;
/** Longest values of a request that shares a statement, in characters. */
const mostLength = 8192;
/** After a shared statement failed, requests go alone for so long, ms. */
const pause = 1000;

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
  readonly #run: (statement: Statement) => Promise<readonly Row[]>;
  readonly #alone: CompiledStatement;
  readonly #together: CompiledStatement;
  readonly #waiting: Request[] = [];
  #atWork = 0;
  #aloneUntil = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `alone`: the statement of one request; `together`: of several (`compileCreate`, `compileUpdate`). */
  constructor(
    run: (statement: Statement) => Promise<readonly Row[]>,
    alone: CompiledStatement,
    together: CompiledStatement,
  ) {
    this.#run = run;
    this.#alone = alone;
    this.#together = together;
  }

  /** Writes one row; gives its key, or none where there is no such row. `key`: of the row that it changes, else null. */
  write(binding: Request["binding"], key: string | null): Promise<readonly ItemId[]> {
    if (this.#atWork < mostAtWork || !this.#mayMeet(binding)) return this.#writeAlone(binding);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ binding, key, resolve, reject });
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#next();
      }, patience);
    });
  }

  #mayMeet({ inputs }: Request["binding"]): boolean {
    let length = 0;
    for (const input of inputs) length += input === null ? 0 : input.length;
    return length <= mostLength && (this.#aloneUntil === 0 || performance.now() > this.#aloneUntil);
  }

  async #writeAlone(binding: Request["binding"]): Promise<readonly ItemId[]> {
    this.#atWork++;
    try {
      const [row] = await this.#run(bind(this.#alone, binding));
      return row ? [row[0] as ItemId] : [];
    } finally {
      this.#atWork--;
      if (this.#waiting.length > 0) this.#next();
    }
  }

  /** Sends those who wait. */
  #next(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const requests = this.#take();
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#next(), patience);
    if (requests.length > 1) void this.#writeTogether(requests);
    else this.#writeEach(requests);
  }

  #writeEach(requests: readonly Request[]): void {
    for (const { binding, resolve, reject } of requests) this.#writeAlone(binding).then(resolve, reject);
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
    this.#waiting.length = 0;
    this.#waiting.push(...left);
    return taken;
  }

  async #writeTogether(requests: readonly Request[]): Promise<void> {
    this.#atWork++;
    try {
      // Rows are locked in this order; whoever takes others of them does so in the same.
      const inOrder = requests.toSorted(byKey);
      const bindings = inOrder.map(({ binding }) => binding);
      const [row] = await this.#run(bindShared(this.#together, bindings));
      const keys = new Map(JSON.parse(String(row?.[0] ?? "[]")) as [number, ItemId][]);
      inOrder.forEach(({ resolve }, i) => {
        const key = keys.get(i + 1);
        resolve(key === undefined ? [] : [key]);
      });
    } catch (error) {
      this.#aloneUntil = performance.now() + pause;
      // All of it was undone, unless it is not known what became of it.
      if (!isUndone(sqlState(error))) for (const { reject } of requests) reject(error);
      else
        for (const { binding, resolve, reject } of requests) this.#writeAlone(binding).then(resolve, reject);
    } finally {
      this.#atWork--;
      if (this.#waiting.length > 0) this.#next();
    }
  }
}

/** The order of UUIDs and whole numbers is that of PostgreSQL. */
function byKey({ key: one }: Request, { key: other }: Request): number {
  if (one === null || other === null) return 0;
  return one.length - other.length || (one < other ? -1 : 1);
}

/** True where the server says of the statement, and not of the connection, that it failed. */
function isUndone(state: string | null): boolean {
  return state !== null && !/^(?:08|57P)/.test(state);
}
