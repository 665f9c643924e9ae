/**
 * A replication link over a unix socket without password, as the embedded server has it ("Frontend/Backend Protocol"
 * 3.0 of the PostgreSQL manual): start-up, simple queries, CopyBoth. Nothing else.
 */
import { join } from "node:path";
import type { Socket } from "bun";
import type { DatabaseAddress } from "../database";
import { LinkError, type Link, type LinkEvents, type LinkMode } from "./link";

type Rows = (string | null)[][];
type Waiting = { readonly resolve: (rows: Rows) => void; readonly reject: (error: Error) => void };

const PROTOCOL = 196_608;
/** A longer message is taken for a broken stream; PostgreSQL's own limit is 1 GiB. */
const LONGEST = 256 * 1024 * 1024;

/** The server sends each row by itself. After so many of one transaction they are left to gather, so many ms. */
const FEW_ROWS = 8;
const GATHER = 2;

/** Connects. Rejects with a `LinkError` when nothing listens or the server refuses. */
export async function connectSocket(
  address: DatabaseAddress & { readonly kind: "socket" },
  events: LinkEvents,
  mode: LinkMode = "replication",
): Promise<Link> {
  const link = new SocketLink(events, mode);
  try {
    await Bun.connect({
      unix: join(address.directory, ".s.PGSQL.5432"),
      socket: {
        open: (socket) => link.open(socket, address.user, address.database),
        data: (_, chunk) => link.receive(chunk),
        close: () => link.fail(new LinkError("the connection was closed")),
        error: (_, error) => link.fail(new LinkError(error.message, null, { cause: error })),
      },
    });
  } catch (cause) {
    throw new LinkError("the database cannot be reached", null, { cause });
  }
  await link.ready;
  return link;
}

class SocketLink implements Link {
  readonly ready: Promise<Rows>;
  readonly #events: LinkEvents;
  readonly #mode: LinkMode;
  readonly #chunks = new Chunks();
  #socket: Socket | undefined;
  #waiting: Waiting | null = null;
  #rows: Rows = [];
  #error: LinkError | null = null;
  #isUp = false;
  #isStreaming = false;
  #isOver = false;
  /** Rows of a transaction whose end has not come yet. */
  #unended = 0;

  constructor(events: LinkEvents, mode: LinkMode) {
    this.#events = events;
    this.#mode = mode;
    this.ready = this.#next();
    this.ready.catch(() => {}); // awaited by `connectSocket`, unless connecting fails before
  }

  open(socket: Socket, user: string, database: string): void {
    this.#socket = socket;
    const pairs = {
      user,
      database,
      ...(this.#mode === "replication" && { replication: "database" }),
      client_encoding: "UTF8",
      application_name: "baasix",
    };
    const text = Object.entries(pairs)
      .map(([name, value]) => `${name}\0${value}\0`)
      .join("");
    const head = Buffer.alloc(8);
    head.writeInt32BE(8 + Buffer.byteLength(text) + 1, 0);
    head.writeInt32BE(PROTOCOL, 4);
    this.#write(Buffer.concat([head, Buffer.from(`${text}\0`)]));
  }

  query(text: string): Promise<Rows> {
    const answer = this.#next();
    this.#write(frame("Q", Buffer.from(`${text}\0`)));
    return answer;
  }

  async stream(text: string): Promise<void> {
    await this.query(text);
    this.#isStreaming = true;
  }

  send(body: Buffer): void {
    this.#write(frame("d", body));
  }

  close(): void {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  receive(chunk: Buffer): void {
    try {
      this.#chunks.add(chunk, this.#take);
      if (this.#unended > FEW_ROWS) this.#gather();
    } catch (error) {
      this.fail(
        error instanceof LinkError
          ? error
          : new LinkError("the stream cannot be read", null, { cause: error }),
      );
    }
  }

  fail(error: LinkError): void {
    if (this.#isOver) return;
    this.close();
    // The server's own last words say more than the end of the connection.
    const reason = this.#error ?? error;
    if (this.#waiting) this.#settle(reason);
    else if (this.#isUp) this.#events.onEnd(reason);
  }

  /** To wake up for every row costs more than to read it, and nothing can be told of them before the last one. */
  #gather(): void {
    const socket = this.#socket;
    if (this.#isOver || !socket) return;
    socket.pause();
    setTimeout(() => this.#isOver || socket.resume(), GATHER);
  }

  readonly #take = (kind: number, bytes: Buffer, start: number, end: number): void => {
    // One comes for each changed row: it is read where it lies.
    if (kind === 0x64 /* d: data */) {
      if (bytes[start] === 0x77 /* w: of the log */)
        this.#unended = bytes[start + 25] === 0x43 /* C: commit */ ? 0 : this.#unended + 1;
      this.#events.onData(bytes, start, end);
    } else this.#handle(String.fromCharCode(kind), bytes.subarray(start, end));
  };

  #handle(kind: string, body: Buffer): void {
    switch (kind) {
      case "D":
        this.#rows.push(readRow(body));
        return;
      case "A":
        return this.#events.onNotice?.(readNotice(body));
      case "E":
        this.#error = readError(body);
        return;
      case "R":
        if (body.readInt32BE(0) !== 0) throw new LinkError("the server asks for a password");
        return;
      case "Z": // ready for the next command
      case "W": // the stream has started
        if (this.#isStreaming) throw this.#error ?? new LinkError("the server ended the stream");
        this.#isUp = true;
        return this.#settle(this.#error);
      default: // parameters, notices, row descriptions, completions, the end of a copy (an error or Z follows)
        return;
    }
  }

  #next(): Promise<Rows> {
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #settle(error: LinkError | null): void {
    const [waiting, rows] = [this.#waiting, this.#rows];
    this.#waiting = null;
    this.#rows = [];
    this.#error = null;
    if (error) waiting?.reject(error);
    else waiting?.resolve(rows);
  }

  #write(bytes: Buffer): void {
    if (this.#isOver) return;
    // Our messages are short: one that does not fit the socket's buffer means that nobody reads.
    if (this.#socket?.write(bytes) !== bytes.length) this.fail(new LinkError("the server does not read"));
  }
}

function frame(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 0, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function readRow(body: Buffer): (string | null)[] {
  let at = 2;
  return Array.from({ length: body.readInt16BE(0) }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return body.toString("utf8", at - length, at);
  });
}

/** Process, channel, payload. */
function readNotice(body: Buffer): string {
  const start = body.indexOf(0, 4) + 1;
  return body.toString("utf8", start, body.indexOf(0, start));
}

function readError(body: Buffer): LinkError {
  const fields = new Map(
    body
      .toString()
      .split("\0")
      .filter(Boolean)
      .map((field) => [field[0], field.slice(1)] as const),
  );
  return new LinkError(fields.get("M") ?? "unknown error", fields.get("C") ?? null);
}

type OnMessage = (kind: number, bytes: Buffer, start: number, end: number) => void;

/** Puts the pieces of a byte stream together to messages, without copying a long one more than once. */
class Chunks {
  #pieces: Buffer[] = [];
  #size = 0;
  #needed = 5;

  add(chunk: Buffer, onMessage: OnMessage): void {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    const bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces);
    let at = 0;
    this.#needed = 5;
    while (bytes.length - at >= 5) {
      const length = bytes.readInt32BE(at + 1);
      if (length < 4 || length > LONGEST) throw new LinkError("the stream cannot be read");
      if (bytes.length - at < length + 1) {
        this.#needed = length + 1;
        break;
      }
      onMessage(bytes[at] ?? 0, bytes, at + 5, at + 1 + length);
      at += length + 1;
    }
    this.#pieces = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#size = bytes.length - at;
  }
}
