/**
 * The feed of committed changes: one stream that is kept up, and those who listen to it. Where the log may not be read,
 * triggers take its place.
 */
import type { ChangeFeed, ChangeSet, DatabaseAddress, FeedStatus } from "../database";
import { type Horizon, openHorizon } from "./horizon";
import { blind, type Capture, type CaptureOptions, startCapture } from "./capture";
import { type Decoded, Decoder } from "./pgoutput";
import { NotAllowed } from "./link";
import { startReplication, type Replication } from "./replication";
import { createSkipped, type Skipped } from "./skipped";

/** Which publication is read, and who hears of lost streams and of listeners that throw. */
export type FeedOptions = {
  readonly publication: string;
  readonly capture?: CaptureOptions;
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
 * does not allow logical decoding makes a feed from triggers, one that does not allow those either a feed whose status is
 * `off`. Every minute the log is tried again.
 */
export function openFeed(address: DatabaseAddress, options: FeedOptions): ChangeFeed {
  const feed = new Feed(address, options);
  void feed.keepUp();
  return {
    publication: options.publication,
    status: () => feed.status,
    retry: () => feed.retry(),
    watching: (table) => feed.watching(table),
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

type GapListener = Parameters<ChangeFeed["onGap"]>[0];

class Feed {
  readonly changeListeners = new Set<ChangeListener>();
  readonly gapListeners = new Set<GapListener>();
  status: FeedStatus = { source: "log", connected: false, reason: "not connected yet" };
  readonly #address: DatabaseAddress;
  readonly #options: FeedOptions;
  readonly #horizon: Horizon;
  readonly #skipped: Skipped;
  readonly #closing = Promise.withResolvers<void>();
  #isClosed = false;
  #retrying = Promise.withResolvers<void>();
  #running: Replication | null = null;
  #capture: Capture | null = null;

  constructor(address: DatabaseAddress, options: FeedOptions) {
    this.#address = address;
    this.#options = options;
    this.#horizon = openHorizon(address);
    this.#skipped = createSkipped({
      horizon: this.#horizon,
      onMissed: (table) => this.#tellGap(`${table} has changed since it was asked for`, new Set([table])),
    });
  }

  async keepUp(): Promise<void> {
    for (let pause = FIRST_PAUSE; !this.#isClosed;) {
      const started = (): unknown => (pause = FIRST_PAUSE);
      const refusal = await this.#runOnce(started);
      if (this.#isClosed) return;
      const isRefused = refusal instanceof NotAllowed;
      const error = isRefused ? await this.#runTriggers(refusal.message, started) : refusal;
      if (this.#isClosed) return;
      const isOff = error instanceof NotAllowed;
      const source = isOff ? "off" : isRefused ? "triggers" : "log";
      this.#setStatus({ source, connected: false, reason: error.message }, error);
      this.#retrying = Promise.withResolvers();
      await Promise.race([Bun.sleep(isOff ? RECHECK : pause), this.#retrying.promise, this.#closing.promise]);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /** Says what is new of it, once. */
  #setStatus(status: FeedStatus, error: Error): void {
    const isNews = status.reason !== this.status.reason;
    this.status = status;
    if (isNews) this.#options.onError?.(error);
  }

  /** Triggers in place of the log, until the log may be read; resolves with what ended them. */
  async #runTriggers(why: string, onStart: () => void): Promise<Error> {
    const ended = Promise.withResolvers<Error>();
    try {
      this.#capture = await startCapture(
        this.#address,
        {
          wants: (table) => this.#isWanted(table),
          onChanges: (set) => this.#tellChanges(set),
          onGap: (reason, tables) => this.#tellGap(reason, tables),
          onEnd: ended.resolve,
        },
        this.#options.capture,
      );
    } catch (error) {
      if (error instanceof NotAllowed) return new NotAllowed(`${why}; ${error.message}`);
      return error instanceof Error ? error : new Error(String(error));
    }
    if (this.#isClosed) {
      await this.#capture.close();
      return new Error("closed");
    }
    onStart();
    const reason = `${why}. Triggers on watched tables tell of changes instead, but not of ${blind.join(", nor of ")}`;
    this.#setStatus({ source: "triggers", connected: true, reason, blind }, new Error(reason));
    this.#tellGap("triggers tell of changes from now on");
    const error = await this.#untilLog(ended.promise);
    if (error === null) await this.#capture.retire();
    else await this.#capture.close();
    return error ?? new Error("the log may be read now");
  }

  /** Resolves with what ended the triggers; with null when the log may be read, which is looked at every minute. */
  async #untilLog(ended: Promise<Error>): Promise<Error | null> {
    for (;;) {
      this.#retrying = Promise.withResolvers();
      // oxlint-disable-next-line no-await-in-loop -- once a minute
      const error = await Promise.race([
        ended,
        Bun.sleep(RECHECK).then(() => null),
        this.#retrying.promise.then(() => null),
        this.#closing.promise.then(() => null),
      ]);
      if (error !== null) return error;
      if (this.#isClosed) return new Error("closed");
      // oxlint-disable-next-line no-await-in-loop
      if (await this.#mayReadLog()) return null;
    }
  }

  async #mayReadLog(): Promise<boolean> {
    try {
      const events = { onMessage: () => {}, onEnd: () => {} };
      (await startReplication(this.#address, this.#options.publication, events)).close();
      return true;
    } catch {
      return false;
    }
  }

  watching(table: string): void {
    this.#skipped.watching(table);
  }

  retry(): void {
    this.#retrying.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#running?.close();
    this.#closing.resolve();
    await this.#capture?.close();
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
    if ("set" in decoded && decoded.skipped.length > 0)
      this.#skipped.add(decoded.transaction, decoded.skipped);
    if ("set" in decoded && decoded.set === null) return;
    if (this.#horizon.size >= WAITING) {
      this.#horizon.clear();
      this.#horizon.pass(decoded.transaction, () => this.#tellGap("too many transactions were waiting"));
      return;
    }
    this.#horizon.pass(decoded.transaction, () => {
      if ("gap" in decoded) this.#tellGap(decoded.gap);
      else if (decoded.set) this.#tellChanges(decoded.set);
    });
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

  #tellGap(reason: string, tables: ReadonlySet<string> | null = null): void {
    for (const listener of this.gapListeners) this.#guard(() => listener(reason, tables));
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
