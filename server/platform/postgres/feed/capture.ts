/**
 * The feed of a database whose log may not be read. Triggers on the tables that somebody watches write down what each
 * statement did, and one notice a transaction, which PostgreSQL sends after the commit and in its order, says that it can
 * be read. A table that nobody watches has no triggers.
 */
import { connectionOptions } from "../address";
import type { ChangeSet, DatabaseAddress, RowChange } from "../database";
import { Lane } from "../lane";
import * as sql from "./captureSql";
import { type Link, LinkError, NotAllowed } from "./link";
import { changesOf } from "./record";
import { connectSocket } from "./socketLink";
import { connectUrl } from "./urlLink";

/** What a capture asks and tells. A gap names the tables that may have changed; null: any. */
export type CaptureEvents = {
  readonly wants: (table: string) => boolean;
  readonly onChanges: (set: ChangeSet) => void;
  readonly onGap: (reason: string, tables: ReadonlySet<string> | null) => void;
  /** Comes once, and not after `close`. */
  readonly onEnd: (error: Error) => void;
};

/**
 * Times in ms. `tick`: between two looks at what is wanted; `check`: at what the database has; `grace`: how long a table
 * keeps its triggers that nobody wants.
 */
export type CaptureOptions = { readonly tick?: number; readonly check?: number; readonly grace?: number };

export type Capture = {
  readonly close: () => Promise<void>;
  /** Takes off the triggers that no other instance wants, as far as that is possible at once, and closes. */
  readonly retire: () => Promise<void>;
};

/** What is not told. */
export const blind: readonly string[] = [
  "writes while triggers are off: session_replication_role = replica, as those of logical replication are, or ALTER TABLE … DISABLE TRIGGER",
];

/** A server that answers no command for so long is taken for gone, ms. */
const patience = 10_000;
/** Milliseconds that a table is waited for: whoever writes to it waits, too. */
const lockTimeout = 1_000;
/** Milliseconds between two attempts to get a table that is held by others. */
const retryPause = 1_000;
/** Milliseconds between two times that what was read is deleted. */
const forgetEvery = 15_000;
/** Transactions that may wait to be read, and that are read at once. */
const mostWaiting = 10_000;
const mostAtOnce = 100;

/**
 * Begins. What is wanted then is told from then on, what is wanted later from the gap on that tells so.
 * @throws NotAllowed when the role may not; LinkError when the server cannot be reached.
 */
export async function startCapture(
  address: DatabaseAddress,
  events: CaptureEvents,
  options: CaptureOptions = {},
): Promise<Capture> {
  const capture = new DatabaseCapture(address, events, options);
  try {
    await capture.start();
  } catch (error) {
    await capture.close();
    if (error instanceof LinkError && error.state === "42501") {
      throw new NotAllowed(`the database role may not make triggers: ${error.message}`, { cause: error });
    }
    throw error;
  }
  return capture;
}

/** Takes away what captures left behind on tables that none of them holds. */
export async function sweepCaptures(link: Pick<Link, "query">): Promise<void> {
  if ((await link.query(sql.isInstalled)).length === 0) return;
  for (const [table, , any] of await link.query(sql.listTables)) {
    // oxlint-disable-next-line no-await-in-loop -- one connection
    if (any === "t" && table) await release(link, table);
  }
}

/** True when the table has no triggers now; false when somebody wants them. */
async function release(link: Pick<Link, "query">, table: string): Promise<boolean> {
  if ((await link.query(sql.takeAlone(table)))[0]?.[0] !== "t") return false;
  try {
    await link.query(sql.uninstall(table));
    return true;
  } finally {
    await link.query(sql.leaveAlone(table));
  }
}

type Table = { readonly isWhole: boolean; readonly isTouched: boolean; readonly key: readonly string[] };

class DatabaseCapture implements Capture {
  readonly #address: DatabaseAddress;
  readonly #events: CaptureEvents;
  readonly #times: Required<CaptureOptions>;
  readonly #lane: Lane;
  #link: Link | null = null;
  #isOver = false;
  #isUp = false;
  #timers: ReturnType<typeof setInterval>[] = [];
  #tables: ReadonlyMap<string, Table> = new Map();
  #checkedAt = -Infinity;
  /** Tables whose lock this one shares, and those of them that are told. */
  readonly #held = new Set<string>();
  readonly #told = new Set<string>();
  /** Since when nobody here wants a table, and when one that is busy is tried again. */
  readonly #idleSince = new Map<string, number>();
  readonly #retryAt = new Map<string, number>();
  #isLooking = false;
  /** Transactions in the order of their commits; null: something was missed. */
  #waiting: (string | null)[] = [];
  #isReading = false;

  constructor(address: DatabaseAddress, events: CaptureEvents, options: CaptureOptions) {
    this.#address = address;
    this.#events = events;
    this.#times = { tick: 100, check: 2_000, grace: 60_000, ...options };
    this.#lane = new Lane({
      prepare: true,
      connection: connectionOptions(address),
      size: 1,
      statementTimeout: 15_000,
      onTrouble: (error) => this.#end(error),
    });
  }

  async start(): Promise<void> {
    const events = {
      onData: () => {},
      onEnd: (error: Error) => this.#end(error),
      onNotice: (payload: string) => this.#hear(payload),
    };
    this.#link = await (this.#address.kind === "socket"
      ? connectSocket(this.#address, events, "plain")
      : connectUrl(this.#address.url, events, "plain"));
    await this.#query("set statement_timeout = 0");
    if ((await this.#query(sql.isPrepared)).length === 0) await this.#query(sql.prepare);
    await this.#query(`set lock_timeout = ${lockTimeout}`);
    await this.#query(`listen ${sql.channel}`);
    await this.#look();
    this.#isUp = true;
    const look = () => void this.#look().catch((error: Error) => this.#end(error));
    const forget = () => void this.#send({ text: sql.forget, params: [] }).catch(() => {});
    this.#timers = [setInterval(look, this.#times.tick), setInterval(forget, forgetEvery)];
    for (const timer of this.#timers) timer.unref();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#link?.close();
    await this.#lane.close();
  }

  async retire(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    while (this.#isLooking) await Bun.sleep(10);
    try {
      for (const name of this.#held) {
        // oxlint-disable-next-line no-await-in-loop -- one connection
        await this.#query(sql.unshare(name));
        // oxlint-disable-next-line no-await-in-loop
        await release({ query: (text) => this.#query(text) }, name);
      }
    } catch {
      // A table is busy, or the server gone: the next one that reads the log takes them off.
    }
    await this.close();
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    void this.close();
    if (this.#isUp) this.#events.onEnd(error);
  }

  /** One command on the connection that listens. */
  async #query(text: string): Promise<readonly (readonly (string | null)[])[]> {
    if (!this.#link || this.#isOver) throw new LinkError("the connection was closed");
    const timer = setTimeout(() => {
      this.#link?.close();
      this.#end(new LinkError("the server has fallen silent"));
    }, patience);
    try {
      return await this.#link.query(text);
    } finally {
      clearTimeout(timer);
    }
  }

  #send(statement: Parameters<Lane["send"]>[0]): ReturnType<Lane["send"]> {
    return this.#lane.send(statement);
  }

  /** Brings the triggers in step with what is wanted. */
  async #look(): Promise<void> {
    if (this.#isLooking || this.#isOver) return;
    this.#isLooking = true;
    try {
      if (performance.now() - this.#checkedAt >= this.#times.check) await this.#check();
      for (const [name, table] of this.#tables) {
        // oxlint-disable-next-line no-await-in-loop -- one connection
        if (this.#events.wants(name)) await this.#want(name, table);
        // oxlint-disable-next-line no-await-in-loop
        else if (table.isTouched || this.#held.has(name)) await this.#leave(name);
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** A table may have lost its triggers, or be another one of that name. */
  async #check(): Promise<void> {
    const rows = await this.#query(sql.listTables);
    this.#checkedAt = performance.now();
    this.#tables = new Map(
      rows.map(([name, isWhole, isTouched, key]) => [
        name ?? "",
        { isWhole: isWhole === "t", isTouched: isTouched === "t", key: JSON.parse(key ?? "[]") as string[] },
      ]),
    );
    for (const name of this.#told) if (!this.#tables.get(name)?.isWhole) this.#told.delete(name);
  }

  async #want(name: string, table: Table): Promise<void> {
    this.#idleSince.delete(name);
    if (this.#told.has(name) || performance.now() < (this.#retryAt.get(name) ?? 0)) return;
    this.#retryAt.set(name, performance.now() + retryPause);
    if (!this.#held.has(name)) {
      if ((await this.#query(sql.share(name)))[0]?.[0] !== "t") return;
      this.#held.add(name);
    }
    try {
      await this.#query(sql.install(name));
    } catch (error) {
      if (!(error instanceof LinkError && busy.has(error.state ?? ""))) throw error;
      // The table is held by others, or has gone: until it is told, those who watch read again and again.
      if (this.#isUp) this.#events.onGap(`'${name}' is in use, and cannot be followed yet`, new Set([name]));
      return;
    }
    this.#retryAt.delete(name);
    this.#told.add(name);
    this.#tables = new Map(this.#tables).set(name, { ...table, isWhole: true, isTouched: true });
    if (this.#isUp) this.#events.onGap(`'${name}' is followed from now on`, new Set([name]));
  }

  async #leave(name: string): Promise<void> {
    const since = this.#idleSince.get(name);
    if (since === undefined) return void this.#idleSince.set(name, performance.now());
    if (performance.now() - since < this.#times.grace) return;
    this.#idleSince.set(name, performance.now());
    if (this.#held.delete(name)) await this.#query(sql.unshare(name));
    this.#told.delete(name);
    if (!this.#link) return;
    try {
      if (!(await release({ query: (text) => this.#query(text) }, name))) return;
    } catch (error) {
      // The role may be none that may: then another one put them there.
      if (!(error instanceof LinkError && (error.state === "42501" || busy.has(error.state ?? ""))))
        throw error;
      return;
    }
    this.#idleSince.delete(name);
    const table = this.#tables.get(name);
    if (table) this.#tables = new Map(this.#tables).set(name, { ...table, isWhole: false, isTouched: false });
  }

  #hear(payload: string): void {
    if (this.#isOver) return;
    if (this.#waiting.length >= mostWaiting) this.#waiting = [null];
    this.#waiting.push(/^\d+$/.test(payload) ? payload : null);
    if (!this.#isReading) void this.#readAll().catch((error: Error) => this.#end(error));
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#waiting.length > 0 && !this.#isOver) {
        const first = this.#waiting[0];
        if (first === null) {
          this.#waiting.shift();
          this.#events.onGap("a change could not be written down", null);
          continue;
        }
        const missed = this.#waiting.indexOf(null);
        const ids = this.#waiting.splice(0, Math.min(missed < 0 ? Infinity : missed, mostAtOnce)) as string[];
        // oxlint-disable-next-line no-await-in-loop -- one after the other keeps the order
        const rows = await this.#send({ text: sql.readChanges, params: [`{${ids.join(",")}}`] });
        const byId = Map.groupBy(rows as TransactionRow[], ([id]) => id);
        for (const id of ids) this.#tell(byId.get(id) ?? []);
      }
    } finally {
      this.#isReading = false;
    }
  }

  #tell(rows: readonly TransactionRow[]): void {
    const [first] = rows;
    // Whoever reads so late finds that it was deleted.
    if (!first) return this.#events.onGap("a change was not read in time", null);
    const wanted = rows.filter(([, table]) => this.#events.wants(table));
    if (wanted.length === 0) return;
    const untold = wanted.filter((row) => row[6]);
    if (untold.length > 0) {
      const tables = new Set(wanted.map(([, table]) => table));
      return this.#events.onGap(
        "a transaction emptied a table or changed too much to be told row by row",
        tables,
      );
    }
    const changes = wanted.flatMap(([, table, columns, were, became]): readonly RowChange[] =>
      changesOf(
        {
          table,
          columns: list(columns) ?? [],
          were: list(were) as readonly string[] | null,
          became: list(became) as readonly string[] | null,
        },
        this.#tables.get(table)?.key ?? [],
      ),
    );
    this.#events.onChanges({ changes, committedAt: Number(first[5]) });
  }
}

type TransactionRow = [
  id: string,
  table: string,
  columns: string | null,
  were: string | null,
  became: string | null,
  at: string,
  untold: boolean,
];

function list(json: string | null): readonly (string | null)[] | null {
  return json === null ? null : (JSON.parse(json) as (string | null)[]);
}

/** Lock timeout, deadlock, a table that has gone, two who change the same at once. */
const busy: ReadonlySet<string> = new Set(["55P03", "40P01", "42P01", "XX000"]);
