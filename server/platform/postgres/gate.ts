/**
 * Who may use a pool's connections now. The driver itself would queue a query behind a slow one on the same
 * connection, and wait for a free connection without end; behind the gate neither can happen.
 */
import { AppError } from "../../core/errors";

/** Longest wait for a turn, ms (then UNAVAILABLE, which answers 503 with Retry-After). */
export const PATIENCE = 10_000;

type Waiter = { readonly until: number; readonly admit: () => void; readonly refuse: (why: Error) => void };

/** At most `size` holders at a time; the others wait in the order they came. */
export class Gate {
  #free: number;
  readonly #patience: number;
  /** In the order of arrival, which is also that of their deadlines. */
  readonly #waiting = new Set<Waiter>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(size: number, patience = PATIENCE) {
    this.#free = size;
    this.#patience = patience;
  }

  /** Takes a place when one is free and nobody waits. */
  tryEnter(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /**
   * Waits for a place.
   * @throws AppError UNAVAILABLE after ten seconds, TIMEOUT when `signal` aborts first.
   */
  enter(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(cancelled(signal));
    if (this.tryEnter()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(waiter);
        reject(signal ? cancelled(signal) : undefined);
      };
      const settle = () => signal?.removeEventListener("abort", onAbort);
      const waiter: Waiter = {
        until: performance.now() + this.#patience,
        admit: () => (settle(), resolve()),
        refuse: (why) => (settle(), reject(why)),
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(waiter);
      this.#timer ??= setTimeout(() => this.#expire(), this.#patience);
    });
  }

  /** Gives a place back, to the longest waiting if there is one. */
  leave(): void {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      waiter.admit();
      return;
    }
    this.#free++;
  }

  /** Refuses all who wait. */
  close(why: Error): void {
    for (const waiter of this.#waiting) waiter.refuse(why);
    this.#waiting.clear();
    clearTimeout(this.#timer);
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const waiter of this.#waiting) {
      if (waiter.until > now) {
        this.#timer = setTimeout(() => this.#expire(), waiter.until - now);
        return;
      }
      this.#waiting.delete(waiter);
      waiter.refuse(new AppError("UNAVAILABLE", "The database is busy; try again in a moment."));
    }
  }
}

/** The error of a caller who gave up: the signal's reason when that is an answer already, else TIMEOUT. */
export function cancelled(signal: AbortSignal): AppError {
  return signal.reason instanceof AppError
    ? signal.reason
    : new AppError("TIMEOUT", "The request was cancelled before the database answered.");
}
