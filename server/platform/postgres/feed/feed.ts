/** The feed of committed changes: one stream that is kept up, and those who listen to it. */
import type { ChangeFeed, ChangeSet, DatabaseAddress, FeedStatus } from "../database";
import { type Horizon, openHorizon } from "./horizon";
import { type Decoded, Decoder } from "./pgoutput";
import { NotAllowed, startReplication, type Replication } from "./replication";

/** Which publication is read, and who hears of lost streams and of listeners that throw. */
export type FeedOptions = {
  readonly publication: string;
  readonly onError?: (error: Error) => void;
};

/** Pauses before a new attempt, ms: short after a loss, long when the server does not allow it. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 5_000;
const RECHECK = 60_000;
/** Transactions that may wait until the database shows them. */
const WAITING = 10_000;

/**
 * Opens the feed at once and connects in the background, again and again until `close`. Never throws: a server that
 * does not allow logical decoding makes a feed whose status is `off`, looked at again every minute.
 */
export function openFeed(address: DatabaseAddress, options: FeedOptions): ChangeFeed {
  const feed = new Feed(address, options);
  void feed.keepUp();
  return {
    publication: options.publication,
    status: () => feed.status,
    retry: () => feed.retry(),
    onChanges: (listener, wants = () => true) => subscribe(feed.changeListeners, { listener, wants }),
    onGap: (listener) => subscribe(feed.gapListeners, listener),
    close: () => feed.close(),
  };
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

type ChangeListener = {
  readonly listener: (set: ChangeSet) => void;
  readonly wants: (table: string) => boolean;
};

class Feed {
  readonly changeListeners = new Set<ChangeListener>();
  readonly gapListeners = new Set<(reason: string) => void>();
  status: FeedStatus = { source: "log", connected: false, reason: "not connected yet" };
  readonly #address: DatabaseAddress;
  readonly #options: FeedOptions;
  readonly #horizon: Horizon;
  readonly #closing = Promise.withResolvers<void>();
  #isClosed = false;
  #retrying = Promise.withResolvers<void>();
  #running: Replication | null = null;

  constructor(address: DatabaseAddress, options: FeedOptions) {
    this.#address = address;
    this.#options = options;
    this.#horizon = openHorizon(address);
  }

  async keepUp(): Promise<void> {
    for (let pause = FIRST_PAUSE; !this.#isClosed;) {
      const error = await this.#runOnce(() => (pause = FIRST_PAUSE));
      if (this.#isClosed) return;
      const isOff = error instanceof NotAllowed;
      const isNews = error.message !== this.status.reason;
      this.status = { source: isOff ? "off" : "log", connected: false, reason: error.message };
      if (isNews) this.#options.onError?.(error);
      this.#retrying = Promise.withResolvers();
      await Promise.race([Bun.sleep(isOff ? RECHECK : pause), this.#retrying.promise, this.#closing.promise]);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  retry(): void {
    this.#retrying.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#running?.close();
    this.#closing.resolve();
    await this.#horizon.close();
    this.status = { source: this.status.source, connected: false, reason: "closed" };
  }

  /** One stream from start to end; resolves with what ended it. */
  async #runOnce(onStart: () => void): Promise<Error> {
    const decoder = new Decoder((table) => this.#isWanted(table));
    const ended = Promise.withResolvers<Error>();
    try {
      this.#running = await startReplication(this.#address, this.#options.publication, {
        onMessage: (bytes, start, end) => this.#tell(decoder.decode(bytes, start, end)),
        onEnd: ended.resolve,
      });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
    if (this.#isClosed) {
      this.#running.close();
      return new Error("closed");
    }
    onStart();
    this.status = { source: "log", connected: true, reason: null, slot: this.#running.slot };
    // The slot stands, so nothing falls between this and the first change.
    this.#horizon.pass(null, () => this.#tellGap("the stream of changes was connected"));
    return ended.promise;
  }

  #tell(decoded: Decoded | null): void {
    if (decoded === null) return;
    if (this.#horizon.size >= WAITING) {
      this.#horizon.clear();
      this.#horizon.pass(decoded.transaction, () => this.#tellGap("too many transactions were waiting"));
      return;
    }
    this.#horizon.pass(decoded.transaction, () =>
      "gap" in decoded ? this.#tellGap(decoded.gap) : this.#tellChanges(decoded.set),
    );
  }

  #isWanted(table: string): boolean {
    for (const { wants } of this.changeListeners) if (wants(table)) return true;
    return false;
  }

  #tellChanges(set: ChangeSet): void {
    for (const { listener, wants } of this.changeListeners) {
      if (set.changes.some(({ table }) => wants(table))) this.#guard(() => listener(set));
    }
  }

  #tellGap(reason: string): void {
    for (const listener of this.gapListeners) this.#guard(() => listener(reason));
  }

  /** A listener's mistake must not end the stream for the others. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
