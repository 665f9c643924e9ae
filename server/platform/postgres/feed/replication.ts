/** Starts a stream of the log on a link: checks the server, makes the publication and a temporary slot, acknowledges. */
import { quoteLiteral, quoteName } from "../../../core/query/statement";
import type { DatabaseAddress } from "../database";
import { LinkError, type Link, type LinkEvents, NotAllowed } from "./link";
import { sweepCaptures } from "./capture";
import { connectSocket } from "./socketLink";
import { connectUrl } from "./urlLink";

/** A running stream. */
export type Replication = { readonly slot: string; readonly close: () => void };

/** `onMessage` gets where each message of the output plugin lies, valid during the call only; `onEnd` comes once. */
export type ReplicationEvents = {
  readonly onMessage: (bytes: Buffer, start: number, end: number) => void;
  readonly onEnd: (error: Error) => void;
};

/** How often what arrived is acknowledged: the server keeps its log until then. */
const ACKNOWLEDGE_EVERY = 1_000;
/** A server silent for so long is asked for a sign of life, and given up after the second time, ms. */
const ASK_AFTER = 10_000;
const GIVE_UP_AFTER = 30_000;
const EPOCH = 946_684_800_000;

/**
 * Streams from now on what is committed to the tables of `publication`, which is made without tables when missing.
 * The slot is temporary: nothing of the log is kept for us while we are away.
 * @throws NotAllowed, or LinkError when the server cannot be reached.
 */
export async function startReplication(
  address: DatabaseAddress,
  publication: string,
  events: ReplicationEvents,
): Promise<Replication> {
  const stream = new Stream(events);
  const link = await connect(address, stream);
  const slot = `baasix_${crypto.randomUUID().replaceAll("-", "")}`;
  try {
    await checkLevel(link);
    // The text of values must not depend on the settings of the role or the database.
    for (const setting of [
      "DateStyle = 'ISO'",
      "TimeZone = 'UTC'",
      "extra_float_digits = 1",
      "statement_timeout = 0",
    ]) {
      await link.query(`SET ${setting}`);
    }
    await ensurePublication(link, publication);
    // Triggers of a time without the log would go on writing.
    await sweepCaptures(link).catch(() => {}); // the role may not: it did not make them either
    // The form that servers before 15 know, too.
    await allowed(
      link.query(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`),
      "create a replication slot",
    );
    const options = `proto_version '1', publication_names ${quoteLiteral(quoteName(publication))}`;
    await link.stream(`START_REPLICATION SLOT ${slot} LOGICAL 0/0 (${options})`);
  } catch (error) {
    stream.close();
    link.close();
    throw error;
  }
  stream.start(link);
  return { slot, close: () => stream.close() };
}

async function connect(address: DatabaseAddress, events: LinkEvents): Promise<Link> {
  return allowed(
    address.kind === "socket" ? connectSocket(address, events) : connectUrl(address.url, events),
    "start replication (it needs the attribute REPLICATION: ALTER ROLE … REPLICATION)",
  );
}

async function checkLevel(link: Link): Promise<void> {
  const [row] = await link.query("SHOW wal_level");
  const level = row?.[0];
  if (level === "logical") return;
  throw new NotAllowed(`wal_level of the server is ${level}; set it to logical and restart PostgreSQL`);
}

async function ensurePublication(link: Link, publication: string): Promise<void> {
  const found = await link.query(`SELECT 1 FROM pg_publication WHERE pubname = ${quoteLiteral(publication)}`);
  if (found.length > 0) return;
  try {
    await allowed(
      link.query(`CREATE PUBLICATION ${quoteName(publication)}`),
      `create the publication ${publication}`,
    );
  } catch (error) {
    if (!(error instanceof LinkError) || error.state !== "42710") throw error; // another server was quicker
  }
}

/** Turns "insufficient privilege" into what the role may not do; other errors may pass with time. */
async function allowed<T>(work: Promise<T>, what: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof LinkError) || error.state !== "42501") throw error;
    throw new NotAllowed(`the database role may not ${what}`, { cause: error });
  }
}

/** The messages of a running stream ("Streaming Replication Protocol" of the PostgreSQL manual). */
class Stream implements LinkEvents {
  readonly #events: ReplicationEvents;
  #link: Link | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #received = 0n;
  #acknowledged = 0n;
  /** When something arrived, as of the last tick, and whether something has since. */
  #heard = performance.now();
  #isHeard = false;
  #isOver = false;

  constructor(events: ReplicationEvents) {
    this.#events = events;
  }

  start(link: Link): void {
    this.#link = link;
    if (this.#isOver) return link.close();
    this.#heard = performance.now();
    this.#timer = setInterval(() => this.#tick(), ACKNOWLEDGE_EVERY);
  }

  readonly onData = (bytes: Buffer, start: number, end: number): void => {
    this.#isHeard = true;
    if (bytes[start] === 0x77 /* w: data, after its position, the end of the log and a time */) {
      // Rows come in numbers: what came with the end of their transaction is acknowledged.
      if (bytes[start + 25] === 0x43 /* C: commit */) this.#advance(bytes, start + 9);
      this.#events.onMessage(bytes, start + 25, end);
    } else if (bytes[start] === 0x6b /* k: keepalive */) {
      this.#advance(bytes, start + 1);
      if (bytes[start + 17] === 1) this.#acknowledge(false);
    }
  };

  readonly onEnd = (error: Error): void => {
    if (this.#isOver) return;
    this.close();
    this.#events.onEnd(error);
  };

  close(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#link?.close();
  }

  #advance(bytes: Buffer, at: number): void {
    const position = bytes.readBigUInt64BE(at);
    if (position > this.#received) this.#received = position;
  }

  #tick(): void {
    if (this.#isHeard) this.#heard = performance.now();
    this.#isHeard = false;
    const silence = performance.now() - this.#heard;
    if (silence > GIVE_UP_AFTER) this.onEnd(new LinkError("the server has fallen silent"));
    else if (silence > ASK_AFTER) this.#acknowledge(true);
    else if (this.#received > this.#acknowledged) this.#acknowledge(false);
  }

  /** Standby status update: written, flushed and applied up to here; `ask` wants an answer at once. */
  #acknowledge(ask: boolean): void {
    const body = Buffer.alloc(34);
    body.write("r", 0, "latin1");
    for (const offset of [1, 9, 17]) body.writeBigUInt64BE(this.#received, offset);
    body.writeBigInt64BE(BigInt(Date.now() - EPOCH) * 1000n, 25);
    body.writeUInt8(ask ? 1 : 0, 33);
    this.#acknowledged = this.#received;
    this.#link?.send(body);
  }
}
