/**
 * Decodes `pgoutput` (protocol version 1, "Logical Replication Message Formats" of the PostgreSQL manual) into whole
 * transactions. Holds the open transaction and the tables it has been told about; knows no connection.
 */
import type { ChangeSet, RowChange } from "../database";

type Values = { [column: string]: string | null };
type Column = { readonly name: string; readonly isKey: boolean };
type Table = { readonly name: string; readonly isWatched: boolean; readonly columns: readonly Column[] };

/**
 * What a message completed: a transaction (by its 32-bit id), or the news that one could not be told row by row. `skipped`: its tables
 * that nobody wanted; where it has no others there is no `set`.
 */
export type Decoded = { readonly transaction: number } & (
  { readonly set: ChangeSet | null; readonly skipped: readonly string[] } | { readonly gap: string }
);

/** A transaction beyond these is told as a gap, so that a bulk load cannot fill the memory. */
export type Limits = { readonly changes: number; readonly bytes: number };

const DEFAULTS: Limits = { changes: 10_000, bytes: 64 * 1024 * 1024 };

/** PostgreSQL counts time in microseconds from 2000-01-01. */
const EPOCH = 946_684_800_000;

/** The schema whose tables are collections. */
const WATCHED_SCHEMA = "public";

/** One stream's state. Feed it messages in order; it answers at commits. */
export class Decoder {
  readonly #wants: (table: string) => boolean;
  readonly #limits: Limits;
  readonly #tables = new Map<number, Table>();
  /** Tables of the open transaction whose changes are read, and those that nobody wanted to be told of. */
  readonly #told = new Set<Table>();
  readonly #skipped = new Set<Table>();
  #changes: RowChange[] = [];
  #bytes = 0;
  #gap: string | null = null;
  #transaction = 0;

  /** `wants`: asked once a transaction for each table that it changes; changes of others are left out. */
  constructor(wants: (table: string) => boolean = () => true, limits = DEFAULTS) {
    this.#wants = wants;
    this.#limits = limits;
  }

  /**
   * Takes the message that lies in `bytes` from `start` to `end`.
   * @throws RangeError when it is cut short: the stream cannot be trusted any more.
   */
  decode(bytes: Buffer, start: number, end: number): Decoded | null {
    switch (bytes[start]) {
      case 0x42: // B: begin
        this.#reset();
        this.#transaction = bytes.readUInt32BE(start + 17); // after a position and a time
        return null;
      case 0x52: // R: a table, before its first change and after each change of its shape
        this.#learn(new Reader(bytes, start, end));
        return null;
      case 0x49: // I
      case 0x55: // U
      case 0x44: // D
        this.#change(bytes, start, end);
        return null;
      case 0x54: // T: rows that left without a message each
        this.#truncate(new Reader(bytes, start, end));
        return null;
      case 0x43: // C: commit
        return this.#commit(bytes, start);
      default: // origins, types and messages of other programs
        return null;
    }
  }

  #reset(): void {
    this.#told.clear();
    this.#skipped.clear();
    this.#changes = [];
    this.#bytes = 0;
    this.#gap = null;
  }

  #learn(reader: Reader): void {
    const id = reader.int32();
    const isWatched = reader.text() === WATCHED_SCHEMA;
    const name = reader.text();
    reader.byte(); // replica identity: each change says which old columns it carries
    const columns = Array.from({ length: reader.int16() }, (): Column => {
      const isKey = (reader.byte() & 1) === 1;
      const column = { name: reader.text(), isKey };
      reader.skip(8); // type and its modifier
      return column;
    });
    this.#tables.set(id, { name, isWatched, columns });
  }

  #change(bytes: Buffer, start: number, end: number): void {
    const table = this.#tables.get(bytes.readInt32BE(start + 1));
    if (!table?.isWatched || this.#gap !== null || !this.#isTold(table)) return;
    this.#bytes += end - start;
    if (this.#changes.length >= this.#limits.changes || this.#bytes > this.#limits.bytes) {
      this.#gap = "a transaction changed too much to be told row by row";
      this.#changes = [];
      return;
    }
    this.#changes.push(readChange(bytes[start] ?? 0, new Reader(bytes, start, end), table));
  }

  #isTold(table: Table): boolean {
    if (this.#told.has(table)) return true;
    if (this.#skipped.has(table)) return false;
    const wanted = this.#wants(table.name);
    (wanted ? this.#told : this.#skipped).add(table);
    return wanted;
  }

  #truncate(reader: Reader): void {
    const count = reader.int32();
    reader.byte();
    const names = Array.from({ length: count }, () => this.#tables.get(reader.int32()))
      .filter((table) => table?.isWatched)
      .map((table) => table?.name);
    if (names.length > 0) this.#gap ??= `${names.join(", ")} was truncated`;
  }

  #commit(bytes: Buffer, start: number): Decoded | null {
    // Wanted since: those who began to ask while the transaction came in are told that they missed some of it.
    const skipped = Array.from(this.#skipped, ({ name }) => name);
    const missed = skipped.find(this.#wants);
    if (missed !== undefined) this.#gap ??= `${missed} changed before it was asked for`;
    const [changes, gap, transaction] = [this.#changes, this.#gap, this.#transaction];
    this.#reset();
    if (gap !== null) return { transaction, gap };
    if (changes.length === 0) return skipped.length === 0 ? null : { transaction, set: null, skipped };
    const micros = bytes.readBigInt64BE(start + 18); // after flags and two positions
    return { transaction, set: { changes, committedAt: Number(micros / 1000n) + EPOCH }, skipped };
  }
}

function readChange(kind: number, reader: Reader, table: Table): RowChange {
  reader.skip(4); // the table
  if (kind === 0x49) {
    reader.byte();
    return { table: table.name, action: "create", before: null, after: readRow(reader, table) };
  }
  const part = reader.byte();
  if (kind === 0x44) {
    return { table: table.name, action: "delete", before: readOld(part, reader, table), after: null };
  }
  const before = part === 0x4e /* N */ ? null : readOld(part, reader, table);
  if (before !== null) reader.byte();
  return { table: table.name, action: "update", before, after: readRow(reader, table, before) };
}

/** The old row: whole (O), or only its key (K), where the other columns come as nulls that mean nothing. */
function readOld(part: number, reader: Reader, table: Table): Values {
  const row = readRow(reader, table);
  if (part === 0x4f /* O */) return row;
  const key: Values = {};
  for (const { name, isKey } of table.columns) if (isKey) key[name] = row[name] ?? null;
  return key;
}

/** A row. A large value that did not change is not sent: it is taken from the old row, or left out. */
function readRow(reader: Reader, table: Table, old: Values | null = null): Values {
  const row: Values = {};
  const count = reader.int16();
  for (let i = 0; i < count; i++) {
    const kind = reader.byte();
    const name = table.columns[i]?.name ?? "";
    if (kind === 0x74 /* t */) row[name] = reader.sized();
    else if (kind === 0x6e /* n */) row[name] = null;
    else if (old !== null && name in old) row[name] = old[name] ?? null;
  }
  return row;
}

class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  /** Starts after the kind of the message. */
  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.#at = start + 1;
  }

  skip(count: number): void {
    this.#at += count;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#moved(1) - 1);
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#moved(2) - 2);
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#moved(4) - 4);
  }

  /** Text that ends with a zero byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0 || end >= this.#end) throw new RangeError("a name without an end");
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }

  /** Text after its length. */
  sized(): string {
    const length = this.int32();
    const end = this.#at + length;
    if (length < 0 || end > this.#end) throw new RangeError("a value longer than its message");
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end;
    return text;
  }

  /** The place behind so many bytes more. */
  #moved(count: number): number {
    this.#at += count;
    if (this.#at > this.#end) throw new RangeError("a message that is cut short");
    return this.#at;
  }
}
