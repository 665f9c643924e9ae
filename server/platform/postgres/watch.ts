/** Whether the database answers. Learned from failures and, after one, from asking until it answers again. */

/** Longest pause between two questions, ms: the first success comes within 5 s of the database's return. */
const LONGEST_PAUSE = 1_000;

/** Healthy until a connection fails and a question right after it fails too. */
export class Watch {
  isHealthy = true;
  readonly #ask: () => Promise<unknown>;
  readonly #onChange: ((error: Error | null) => void) | undefined;
  #isAsking = true; // nothing is suspected before `start`: the opener reports its own failures
  #isClosed = false;

  constructor(ask: () => Promise<unknown>, onChange?: (error: Error | null) => void) {
    this.#ask = ask;
    this.#onChange = onChange;
  }

  start(): void {
    this.#isAsking = false;
  }

  /** A connection failed: finds out whether the database did. */
  suspect(error: Error): void {
    if (this.#isAsking || this.#isClosed) return;
    this.#isAsking = true;
    void this.#settle(error);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #settle(first: Error): Promise<void> {
    for (let pause = 50; !this.#isClosed; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      if (await this.#answers()) break;
      if (this.#isClosed) return;
      if (this.isHealthy) {
        this.isHealthy = false;
        this.#onChange?.(first);
      }
      await Bun.sleep(pause);
    }
    this.#isAsking = false;
    if (this.isHealthy || this.#isClosed) return;
    this.isHealthy = true;
    this.#onChange?.(null);
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#ask();
      return true;
    } catch {
      return false;
    }
  }
}
