/**
 * Holds back what the log tells until everybody can see it. PostgreSQL writes a commit to the log first and makes it
 * visible after: who reads at once what the log just told may still read the state before (3 of 2,000 times on an idle
 * server), and believe that a session stands which has ended.
 */
import { connectionOptions } from "../address";
import type { DatabaseAddress } from "../database";
import { Lane } from "../lane";

/** What a new snapshot sees: everything before `next` that is not `running`. Transaction ids of 32 bits, as in the log. */
export type Snapshot = { readonly next: number; readonly running: ReadonlySet<number> };

/** Reads the text of `pg_current_snapshot()`: `xmin:xmax:xip,…`, ids of 64 bits. */
export function parseSnapshot(text: string): Snapshot {
  const [, next = "0", running = ""] = text.split(":");
  const ids = running === "" ? [] : running.split(",");
  return { next: shorten(next), running: new Set(ids.map(shorten)) };
}

function shorten(id: string): number {
  return Number(BigInt.asUintN(32, BigInt(id)));
}

/** True when the snapshot sees the transaction, which has committed. Ids are compared modulo 2³², as PostgreSQL does. */
export function isVisible({ next, running }: Snapshot, transaction: number): boolean {
  return ((transaction - next) | 0) < 0 && !running.has(transaction);
}

/** Milliseconds between looks: at first hardly any, as a commit becomes visible within a fraction of one. */
const longestPause = 50;
/** Milliseconds until the database is asked again after it did not answer. */
const failurePause = 200;

/** `isLate`: it was looked for, and could not be seen. */
type Held = {
  readonly transaction: number | null;
  readonly release: (isLate: boolean) => void;
  isLate: boolean;
};

/** A queue before a database. What is let through keeps its order. */
export class Horizon {
  readonly #read: () => Promise<string>;
  readonly #onClose: () => Promise<void>;
  #held: Held[] = [];
  #isLooking = false;
  #isClosed = false;

  constructor(read: () => Promise<string>, onClose: () => Promise<void> = async () => {}) {
    this.#read = read;
    this.#onClose = onClose;
  }

  /** How much is waiting. */
  get size(): number {
    return this.#held.length;
  }

  /**
   * Calls `release` when new snapshots see the transaction; null: as soon as everything before it was released. It is told whether
   * one did not see it, or those before it, yet.
   */
  pass(transaction: number | null, release: (isLate: boolean) => void): void {
    if (this.#isClosed) return;
    this.#held.push({ transaction, release, isLate: false });
    if (!this.#isLooking) void this.#look();
  }

  /** Forgets what is waiting. */
  clear(): void {
    this.#held = [];
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.clear();
    return this.#onClose();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    for (let pause = 0; this.#held.length > 0;) {
      this.#release(null);
      if (this.#held.length === 0) break;
      try {
        pause = this.#release(parseSnapshot(await this.#read())) ? 0 : Math.min(pause * 2 + 1, longestPause);
      } catch {
        pause = failurePause;
      }
      if (pause > 0) await Bun.sleep(pause);
    }
    this.#isLooking = false;
  }

  /** Lets through what the snapshot sees, up to the first that it does not. True when there was any. */
  #release(snapshot: Snapshot | null): boolean {
    const held = this.#held;
    let count = 0;
    for (const { transaction } of held) {
      if (transaction !== null && (snapshot === null || !isVisible(snapshot, transaction))) break;
      count++;
    }
    this.#held = held.slice(count);
    for (const one of snapshot === null ? [] : this.#held) one.isLate = true;
    for (const { release, isLate } of held.slice(0, count)) release(isLate);
    return count > 0;
  }
}

/** The horizon of a server, over one connection that is made when it is first needed. */
export function openHorizon(address: DatabaseAddress): Horizon {
  const lane = new Lane({
    prepare: true,
    connection: connectionOptions(address),
    size: 1,
    statementTimeout: 5_000,
    onTrouble: () => {}, // the stream breaks too, and tells
  });
  const statement = { text: "SELECT pg_current_snapshot()::text", params: [] };
  return new Horizon(
    async () => String((await lane.send(statement))[0]?.[0]),
    () => lane.close(),
  );
}
