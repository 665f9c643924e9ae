/**
 * The way between instances over PostgreSQL's `NOTIFY`: what gathers while one transaction is on its way goes with the
 * next, in parts of less than 8,000 bytes, which arrive whole and in order because they are of one transaction.
 */
import { type DatabaseAddress, type Notices, openNotices } from "../postgres";
import { backlog, firstPause, longestPause, type OpenTransport, type TransportEvents } from "./transport";

const channel = "baasix_bus";
/** Characters of a part, beside its head. */
const partLength = 7_900;

/** A transport over a database. */
export function postgresTransport(address: DatabaseAddress): OpenTransport {
  return (events) => {
    const transport = new PostgresTransport(address, events);
    void transport.keepUp();
    return transport;
  };
}

class PostgresTransport {
  readonly #address: DatabaseAddress;
  readonly #events: TransportEvents;
  readonly #closing = Promise.withResolvers<void>();
  readonly #parts = new Map<string, string>();
  /** Tells batches of several instances apart, and a batch from an equal one. */
  readonly #name = crypto.randomUUID();
  #batches = 0;
  #notices: Notices | null = null;
  #isClosed = false;
  #waiting: string[] = [];
  #size = 0;
  #sending: Promise<void> | null = null;

  constructor(address: DatabaseAddress, events: TransportEvents) {
    this.#address = address;
    this.#events = events;
  }

  async keepUp(): Promise<void> {
    for (let pause = firstPause; !this.#isClosed;) {
      try {
        const ended = Promise.withResolvers<Error>();
        // oxlint-disable-next-line no-await-in-loop -- one connection after the other
        this.#notices = await openNotices(this.#address, channel, {
          onNotice: (payload) => this.#hear(payload),
          onEnd: ended.resolve,
        });
        pause = firstPause;
        this.#parts.clear();
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
    if (!this.#notices || this.#isClosed) return;
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
    await Promise.race([this.#sending, Bun.sleep(1_000)]);
    this.#isClosed = true;
    this.#closing.resolve();
    this.#drop();
  }

  async #pump(): Promise<void> {
    // What is said in the same turn goes together.
    await Promise.resolve();
    while (this.#notices && this.#waiting.length > 0) {
      const notices = this.#notices;
      const texts = this.#waiting;
      this.#waiting = [];
      this.#size = 0;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one transaction after the other keeps the order
        await notices.send(this.#partsOf(texts));
      } catch (error) {
        this.#events.onError(error as Error);
        // The end of the connection is told by itself; a refusal leaves it as it is, and a gap that others notice.
      }
    }
    this.#sending = null;
  }

  /** A head (name, batch, place, whether it is the last) and a piece of the texts, a line each. */
  #partsOf(texts: readonly string[]): string[] {
    const batch = `${this.#name} ${(++this.#batches).toString(36)}`;
    const whole = toAscii(texts.join("\n"));
    const count = Math.max(1, Math.ceil(whole.length / partLength));
    return Array.from({ length: count }, (_, index) => {
      const piece = whole.slice(index * partLength, (index + 1) * partLength);
      return `${batch} ${index} ${index === count - 1 ? 1 : 0} ${piece}`;
    });
  }

  #hear(payload: string): void {
    const head = /^(\S+) (\S+) (\d+) ([01]) /.exec(payload);
    if (!head) return;
    const [all, name = "", batch = "", index, last] = head;
    const key = `${name} ${batch}`;
    const known = this.#parts.get(key) ?? "";
    if (index !== "0" && known === "") return; // its beginning was before we listened
    const text = known + payload.slice(all.length);
    if (last === "0") {
      this.#parts.set(key, text);
      return;
    }
    this.#parts.delete(key);
    for (const line of text.split("\n")) this.#events.onText(line);
  }

  #drop(): void {
    this.#notices?.close();
    this.#notices = null;
    this.#waiting = [];
    this.#size = 0;
  }
}

/** JSON text in which every character is a byte: pieces can be cut anywhere, and their length is known. */
function toAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
