/** JSON files → rows: one array of objects, or an object a line (NDJSON), read piece by piece. */
import { Tokenizer, TokenParser, TokenType } from "@streamparser/json";
import { AppError } from "../../core/errors";
import type { WriteBody } from "../../data";
import { checkJson, parseJson } from "../../http";
import { gatherRows, type ImportRow, mostRows, type ReadRows, rowLimit } from "./rows";
import { inTurns } from "./turns";

/** `emptyIsNull`: `""` as the value of a field means null. */
export type JsonOptions = { readonly lines: boolean; readonly emptyIsNull: boolean };

const deepest = 64;
const noArray = "JSON file must contain an array of objects";
const empty = "JSON file is empty or has no valid data";

/**
 * Reads a JSON file.
 * @throws AppError INVALID_JSON when it is none, BAD_REQUEST when it is no list of objects. A line of NDJSON that is not
 * JSON is a wrong row like any other.
 */
export function jsonRows(options: JsonOptions): ReadRows {
  const read = options.lines ? lines : elements;
  return async function* readRows(chunks) {
    const rows = gatherRows();
    let count = 0;
    for await (const found of read(inTurns(chunks()))) {
      for (const { value, size } of found) {
        if (++count > mostRows)
          throw new AppError("BAD_REQUEST", `JSON file has more than ${mostRows} items`);
        rows.add(rowOf(value, count, options), size);
      }
      yield* rows.take();
    }
    yield* rows.take(true);
    if (count === 0) throw new AppError("BAD_REQUEST", empty);
  };
}

/** One item as it was read; `size` in bytes. */
type Found = { readonly value: unknown; readonly size: number };

function rowOf(value: unknown, number: number, { lines: isLine, emptyIsNull }: JsonOptions): ImportRow {
  if (value instanceof AppError) return { number, sent: () => null, body: null, error: value.message };
  const sent = (): unknown => value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (isLine) return { number, sent, body: null, error: "expected an object" };
    throw new AppError("BAD_REQUEST", `${noArray}; item ${number} is none`);
  }
  try {
    checkJson(value);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { number, sent, body: null, error: error.message.replace(/^body: /, "") };
  }
  const body = value as WriteBody;
  if (!emptyIsNull || !Object.values(body).includes("")) return { number, sent, body };
  const entries = Object.entries(body).map(([name, one]) => [name, one === "" ? null : one] as const);
  return { number, sent, body: Object.fromEntries(entries) };
}

/** The elements of the array, those of one piece of the file together. */
async function* elements(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Found[]> {
  const tokenizer = new Tokenizer();
  const parser = new TokenParser({ paths: ["$.*"], keepStack: false });
  let found: Found[] = [];
  let count = 0;
  let depth = 0;
  /** Where the last item ended, and where the token lies that is being read. */
  let [end, at] = [0, -1];
  tokenizer.onToken = (token) => {
    if (at < 0 && token.token !== TokenType.LEFT_BRACKET) throw new AppError("BAD_REQUEST", noArray);
    at = token.offset;
    if (token.token === TokenType.LEFT_BRACE || token.token === TokenType.LEFT_BRACKET) depth++;
    else if (token.token === TokenType.RIGHT_BRACE || token.token === TokenType.RIGHT_BRACKET) depth--;
    // Told here and not of the finished value: brackets alone would fill the memory.
    if (depth > deepest + 1) throw invalid(`nested deeper than ${deepest} levels`);
    parser.write(token);
  };
  parser.onValue = ({ value }) => {
    found.push({ value, size: at - end });
    end = at;
    count++;
  };
  let read = 0;
  for await (const chunk of chunks) {
    try {
      tokenizer.write(chunk);
    } catch (error) {
      throw error instanceof AppError ? error : invalid(`not readable behind item ${count}`);
    }
    read += chunk.byteLength;
    if (read - end > rowLimit + chunk.byteLength)
      throw invalid(`item ${count + 1} is larger than ${rowLimit / 1024} KiB`);
    yield found;
    found = [];
  }
  if (at < 0) throw new AppError("BAD_REQUEST", empty);
  if (!parser.isEnded) throw invalid(`it ends early, behind item ${count}`);
}

/** The values of the lines, those of one piece of the file together; an AppError for a line that holds none. */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Found[]> {
  let rest: Uint8Array[] = [];
  let held = 0;
  const hold = (piece: Uint8Array): void => {
    rest.push(piece);
    held += piece.byteLength;
    if (held > rowLimit) throw invalid(`a line is larger than ${rowLimit / 1024} KiB`);
  };
  const line = (): readonly Found[] => {
    const bytes = rest.length === 1 ? (rest[0] ?? noBytes) : Buffer.concat(rest);
    rest = [];
    held = 0;
    return readLine(bytes);
  };
  for await (const chunk of chunks) {
    const found: Found[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      hold(chunk.subarray(start, end));
      found.push(...line());
      start = end + 1;
    }
    hold(chunk.subarray(start));
    yield found;
  }
  yield line();
}

const newline = 10;
const noBytes = new Uint8Array();

function readLine(bytes: Uint8Array): readonly Found[] {
  if (bytes.every((byte) => byte === 32 || byte === 9 || byte === 13)) return [];
  try {
    return [{ value: parseJson(bytes), size: bytes.byteLength }];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [
      { value: new AppError(error.code, error.message.replace(/^body: /, "")), size: bytes.byteLength },
    ];
  }
}

function invalid(reason: string): AppError {
  return new AppError("INVALID_JSON", `Invalid JSON format: ${reason}`);
}
