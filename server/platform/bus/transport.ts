/** A way between instances: whatever one sends all hear, the sender too, each sender's texts in the order of sending. */

/** What a transport tells. */
export type TransportEvents = {
  readonly onText: (text: string) => void;
  /** It stands: again after each break, during which texts may have been missed. */
  readonly onUp: () => void;
  readonly onError: (error: Error) => void;
};

/** An open transport. It comes back by itself. */
export type Transport = {
  /** Sends a text of one line; while the way is broken, to nobody. */
  readonly send: (text: string) => void;
  /** Sends what waits, as far as that is possible at once, and closes. */
  readonly close: () => Promise<void>;
};

/** Opens a transport; it connects in the background and never throws. */
export type OpenTransport = (events: TransportEvents) => Transport;

/** One connection of a transport, from its opening to its end. */
export type Line = {
  /** Sends texts of one line each, whole and in order. */
  readonly send: (texts: readonly string[]) => Promise<void>;
  readonly close: () => void;
};

/** Opens a line, which calls `ended` once when it is gone. */
export type OpenLine = (ended: (error: Error) => void) => Promise<Line>;

/** Pauses before a new attempt, ms. */
const firstPause = 100;
const longestPause = 5_000;
/** Milliseconds that a transport that closes waits for what is on its way. */
const closingPatience = 1_000;
/** Characters that may wait to be sent. Beyond, all of it is dropped: those who miss it notice, and ask for everything. */
const backlog = 64 * 1024 * 1024;

/** A transport over one line after another. */
export function keepTransport(open: OpenLine, events: TransportEvents): Transport {
  const transport = new KeptTransport(open, events);
  void transport.keepUp();
  return transport;
}

class KeptTransport {
  readonly #open: OpenLine;
  readonly #events: TransportEvents;
  readonly #closing = Promise.withResolvers<void>();
  #line: Line | null = null;
  #isClosed = false;
  #waiting: string[] = [];
  #size = 0;
  #sending: Promise<void> | null = null;

  constructor(open: OpenLine, events: TransportEvents) {
    this.#open = open;
    this.#events = events;
  }

  async keepUp(): Promise<void> {
    for (let pause = firstPause; !this.#isClosed;) {
      try {
        const ended = Promise.withResolvers<Error>();
        // oxlint-disable-next-line no-await-in-loop -- one connection after the other
        this.#line = await this.#open(ended.resolve);
        pause = firstPause;
        if (!this.#isClosed) this.#events.onUp();
        // oxlint-disable-next-line no-await-in-loop
        const error = await Promise.race([ended.promise, this.#closing.promise]);
        this.#drop();
        if (error) this.#events.onError(error);
      } catch (error) {
        if (!this.#isClosed) this.#events.onError(error as Error);
      }
      // oxlint-disable-next-line no-await-in-loop
      await Promise.race([Bun.sleep(pause), this.#closing.promise]);
      pause = Math.min(pause * 2, longestPause);
    }
    this.#drop();
  }

  send(text: string): void {
    if (!this.#line || this.#isClosed) return;
    this.#size += text.length;
    if (this.#size > backlog) {
      this.#waiting = [];
      this.#size = 0;
      return;
    }
    this.#waiting.push(text);
    this.#sending ??= this.#pump();
  }

  async close(): Promise<void> {
    await Promise.race([this.#sending, Bun.sleep(closingPatience)]);
    this.#isClosed = true;
    this.#closing.resolve();
    this.#drop();
  }

  async #pump(): Promise<void> {
    // What is said in the same turn goes together.
    await Promise.resolve();
    while (this.#line && this.#waiting.length > 0) {
      const line = this.#line;
      const texts = this.#waiting;
      this.#waiting = [];
      this.#size = 0;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other keeps the order
        await line.send(texts);
      } catch (error) {
        this.#events.onError(error as Error);
        // The end of the connection is told by itself; a refusal leaves it as it is, and a gap that others notice.
      }
    }
    this.#sending = null;
  }

  #drop(): void {
    this.#line?.close();
    this.#line = null;
    this.#waiting = [];
    this.#size = 0;
  }
}
