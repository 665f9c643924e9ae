/** A CSV file (RFC 4180) → rows with values of their fields' types, read piece by piece. */
import type { CsvError, Parser } from "csv-parse";
import { AppError } from "../../core/errors";
import type { Collection } from "../../core/schema/model";
import type { Cell } from "../items";
import { type Column, readHeader } from "./cells";
import { gatherRows, type ImportRow, mostRows, type ReadRows, rowLimit } from "./rows";
import { inTurns } from "./turns";

/** How a CSV file is read. `emptyIsNull`: a cell `""` says as little as one with nothing in it. */
export type CsvOptions = {
  readonly delimiter: string;
  readonly emptyIsNull: boolean;
  /** Told once, before the first row: the columns of the file. @throws AppError to refuse them */
  readonly onHeader: (names: readonly string[]) => void;
};

/**
 * Reads a CSV file. The first row names the columns; blank lines are skipped.
 * @throws AppError BAD_REQUEST when it is no CSV, UNKNOWN_FIELD in the header, or what `onHeader` throws.
 */
export function csvRows(collection: Collection, options: CsvOptions): ReadRows {
  return async function* read(chunks) {
    const rows = gatherRows();
    let columns: readonly Column[] | null = null;
    let count = 0;
    const quotesTell = !options.emptyIsNull && (await hasEmptyQuotes(chunks(), options.delimiter));
    for await (const cells of records(chunks(), options.delimiter, quotesTell)) {
      for (const record of cells) {
        if (record.length === 1 && (record[0] ?? "").trim() === "") continue;
        if (columns === null) {
          const names = record.map((name) => (name ?? "").trim());
          columns = readHeader(collection, names);
          options.onHeader(names);
          continue;
        }
        if (++count > mostRows) throw invalid(`more than ${mostRows} rows`);
        rows.add(rowOf(columns, quotesTell ? record : withoutEmpty(record), count), sizeOf(record));
      }
      yield* rows.take();
    }
    yield* rows.take(true);
    if (count === 0) throw new AppError("BAD_REQUEST", "CSV file is empty or has no valid data");
  };
}

function rowOf(columns: readonly Column[], record: readonly Cell[], number: number): ImportRow {
  const shown = (cells: readonly Cell[]) => () =>
    Object.fromEntries(columns.map(({ name }, i) => [name, cells[i] ?? null]));
  const sent = shown(record);
  if (record.length !== columns.length) {
    // There may be a million cells too many.
    return {
      number,
      sent: shown(record.slice(0, columns.length)),
      body: null,
      error: `expected ${columns.length} cells, got ${record.length}`,
    };
  }
  const body: Record<string, unknown> = {};
  try {
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      const value = column?.read(record[i] ?? null);
      if (column && value !== undefined) body[column.name] = value;
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { number, sent, body: null, error: error.message };
  }
  return { number, sent, body };
}

function withoutEmpty(record: readonly Cell[]): readonly Cell[] {
  return record.includes("") ? record.map((cell) => (cell === "" ? null : cell)) : record;
}

/** As it lies in the memory: what there is of a short cell is not its text. */
function sizeOf(record: readonly Cell[]): number {
  let size = 0;
  for (const cell of record) size += 16 + (cell?.length ?? 0);
  return size;
}

/** The records of the file, those of one piece together. With `quotesTell` a cell without anything in it is null. */
async function* records(
  chunks: AsyncIterable<Uint8Array>,
  delimiter: string,
  quotesTell: boolean,
): AsyncGenerator<readonly (readonly Cell[])[]> {
  const csv = await import("csv-parse"); // not before the first import
  const parser = csv.parse({
    bom: true,
    delimiter,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: rowLimit,
    // The parser makes five objects to tell one cell, a third of all the work of an import.
    ...(quotesTell && { cast: (text, { quoting }) => (text === "" && !quoting ? null : text) }),
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  parser.on("error", failed.reject);
  // Bytes that are not UTF-8 would otherwise be stored as U+FFFD.
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const piece of inTurns(chunks)) {
      decode(() => utf8.decode(piece, { stream: true }));
      yield await step(parser, failed.promise, (done) => parser.write(piece, done));
    }
    decode(() => utf8.decode());
    yield await step(parser, failed.promise, (done) => parser.end(done));
  } catch (error) {
    throw error instanceof csv.CsvError ? invalid(reasonOf(error)) : error;
  } finally {
    parser.destroy();
  }
}

/** Whether a cell of two quotes may be in the file; inside a quoted cell there may be what looks like one. */
async function hasEmptyQuotes(chunks: AsyncIterable<Uint8Array>, delimiter: string): Promise<boolean> {
  const around = new Set([undefined, 10, 13, delimiter.charCodeAt(0)]);
  let tail = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([tail, chunk]);
    // The last byte may be the first of the two quotes, or what follows them may be missing.
    for (let at = bytes.indexOf('""'); at >= 0 && at < bytes.length - 2; at = bytes.indexOf('""', at + 1))
      if (around.has(bytes[at - 1]) && around.has(bytes[at + 2])) return true;
    tail = bytes.subarray(-3);
  }
  return tail.toString("latin1").endsWith('""');
}

/** Hands the parser what `send` sends, and takes the records that come of it: it goes on only when they are taken. */
async function step(
  parser: Parser,
  failed: Promise<never>,
  send: (done: () => void) => void,
): Promise<readonly (readonly Cell[])[]> {
  const sent = Promise.withResolvers<void>();
  send(sent.resolve);
  const found: (readonly Cell[])[] = [];
  for (let record = parser.read(); record !== null; record = parser.read()) found.push(record);
  await Promise.race([sent.promise, failed]);
  for (let record = parser.read(); record !== null; record = parser.read()) found.push(record);
  return found;
}

function decode(work: () => string): void {
  try {
    work();
  } catch {
    throw invalid("not UTF-8");
  }
}

/** The parser's words quote the file and name its own options. */
function reasonOf({ code, lines }: CsvError): string {
  const at = typeof lines === "number" ? ` (line ${lines})` : "";
  switch (code) {
    case "CSV_MAX_RECORD_SIZE":
      return `a row is longer than ${rowLimit / 1024} KiB, or a quote is not closed${at}`;
    case "CSV_QUOTE_NOT_CLOSED":
      return `a quote is not closed${at}`;
    case "CSV_INVALID_CLOSING_QUOTE":
      return `after a closing quote comes something else than a delimiter${at}`;
    case "INVALID_OPENING_QUOTE":
      return `a quote inside a cell that does not begin with one${at}`;
    default:
      return `not readable${at}`;
  }
}

function invalid(reason: string): AppError {
  return new AppError("BAD_REQUEST", `Invalid CSV format: ${reason}`);
}
