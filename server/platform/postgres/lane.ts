/** One pool of connections: the gate before it, the statements in flight, and what happens when no answer comes. */
import { SQL } from "bun";
import type { Statement } from "../../core/query/statement";
import { AppError } from "../../core/errors";
import type { Row } from "./database";
import { Gate, cancelled } from "./gate";

/** How a lane is made. Times in ms. */
export type LaneOptions = {
  readonly connection: Bun.SQL.PostgresOrMySQLOptions;
  readonly size: number;
  readonly statementTimeout: number;
  /** Whether connections keep statements prepared, by text, for the next time. */
  readonly prepare: boolean;
  /** How long after its own timeout a statement may stay unanswered before the connections are taken for dead. */
  readonly grace?: number;
  /** A connection broke, or a statement failed because of its connection. */
  readonly onTrouble: (error: Error) => void;
};

/** What ends a statement early. `timeout` in ms. */
export type Limits = { readonly signal?: AbortSignal; readonly timeout?: number };

type Flight = { readonly query: Bun.SQL.Query<Row[]>; readonly due: number; isLate: boolean };

/** How often late statements are looked for, ms. One timer for all is cheaper than one for each. */
const SWEEP = 100;
const GRACE = 5_000;
/** How long a connection serves before it is replaced between two statements. */
const LIFETIME_SECONDS = 900;
const CONNECT_TIMEOUT_SECONDS = 5;

/** A pool whose users never wait behind each other's statements. */
export class Lane {
  readonly gate: Gate;
  /** Callers without an account, who may be anyone many times over, have half of the places at most. */
  readonly guests: Gate;
  /** What holds a connection for more than a moment has six in ten of them, where there are some to keep free. */
  readonly holders: Gate;
  /** Of those places long statements leave some to transactions: a sign-in does not wait until bulks have passed. */
  readonly bulks: Gate;
  /** Of those places callers without an account have half again. */
  readonly guestHolders: Gate;
  readonly #options: LaneOptions;
  readonly #flights = new Set<Flight>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  #sql: SQL;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.gate = new Gate(options.size);
    this.guests = new Gate(Math.max(1, options.size >> 1));
    const holders = options.size < 4 ? options.size : Math.floor(options.size * 0.6);
    this.holders = new Gate(holders);
    this.bulks = new Gate(Math.max(1, Math.floor(holders * 0.7)));
    this.guestHolders = new Gate(Math.max(1, holders >> 1));
    this.#sql = this.#connect();
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP);
    this.#sweeper.unref();
  }

  /** Runs a statement on any connection. Its caller holds a place in the gate. */
  send({ text, params }: Statement, limits?: Limits): Promise<Row[]> {
    return this.fly(this.#sql.unsafe(text, params as (string | null)[]).values(), limits);
  }

  /** A connection for one user, who must release it. Its caller holds a place in the gate. */
  reserve(signal: AbortSignal): Promise<Bun.ReservedSQL> {
    return this.#sql.reserve({ signal });
  }

  /** Awaits a query of this lane and cancels it when it is late or its caller gives up. Throws the driver's errors. */
  async fly(query: Bun.SQL.Query<Row[]>, limits?: Limits): Promise<Row[]> {
    const limit = Math.min(limits?.timeout ?? Infinity, this.#options.statementTimeout + SWEEP);
    const flight: Flight = { query, due: performance.now() + limit, isLate: false };
    this.#flights.add(flight);
    const signal = limits?.signal;
    if (!signal) {
      try {
        return await query;
      } finally {
        this.#flights.delete(flight);
      }
    }
    const onAbort = () => void query.cancel();
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await query;
    } catch (error) {
      throw signal.aborted ? cancelled(signal) : error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#flights.delete(flight);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    const stopping = new AppError("UNAVAILABLE", "The server is stopping.");
    this.guests.close(stopping);
    this.holders.close(stopping);
    this.bulks.close(stopping);
    this.guestHolders.close(stopping);
    this.gate.close(stopping);
    await this.#sql.close({ timeout: 5 });
  }

  #connect(): SQL {
    const { connection, size, statementTimeout, prepare, onTrouble } = this.#options;
    return new SQL({
      ...connection,
      prepare,
      // Kept statements make a backend grow; a new one begins small.
      maxLifetime: LIFETIME_SECONDS,
      max: size,
      connectionTimeout: CONNECT_TIMEOUT_SECONDS,
      connection: {
        application_name: "baasix",
        TimeZone: "UTC",
        DateStyle: "ISO",
        search_path: "public",
        statement_timeout: statementTimeout,
        idle_in_transaction_session_timeout: 60_000,
        jit: "off", // compiling a plan costs more than our statements take
        // How like a word must be for a fuzzy search: "sheos" finds "shoes". Means nothing where pg_trgm is missing.
        "pg_trgm.word_similarity_threshold": "0.3",
      },
      onclose: (error) => {
        if (error && !this.#isClosed) onTrouble(error);
      },
    });
  }

  #sweep(): void {
    const now = performance.now();
    for (const flight of this.#flights) {
      if (now < flight.due) continue;
      if (!flight.isLate) flight.query.cancel();
      flight.isLate = true;
      if (now > flight.due + (this.#options.grace ?? GRACE)) return this.#replace();
    }
  }

  /** The server cancels late statements itself; one that stays unanswered has lost its peer without notice. */
  #replace(): void {
    const dead = this.#sql;
    this.#sql = this.#connect();
    this.#flights.clear();
    void dead.close({ timeout: 0 });
  }
}

/** True when `run` may be tried again after this SQLSTATE: the server undid everything the statement did. */
export function isDeadlock(state: string | null): boolean {
  return state === "40P01" || state === "40001";
}
