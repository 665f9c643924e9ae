/** JSON bodies: how large, how deep and with which keys they may be. */
import { AppError } from "../core/errors";

/** Bytes. Larger bodies are PAYLOAD_TOO_LARGE. */
export const jsonLimit = 20 * 1024 * 1024;
export const smallJsonLimit = 64 * 1024;

const maxDepth = 64;
const maxKeys = 10_000;
/** Values of a whole body, and elements of a top-level list. */
const maxValues = 1_000_000;
const maxElements = 10_000;

/**
 * Refuses values that are deeper than 64 levels, have more than 10,000 keys, or carry a key `__proto__`,
 * `constructor` or `prototype` at any depth. The elements of a top-level array, at most 10,000, are documents of their
 * own (a bulk of 1,000 items), so keys are counted per element; so are those of the lists `data`, `operations` and `schemas`
 * near the top (an upsert of 1,000 items, also as one operation of a transaction; an export of definitions).
 * @throws AppError BAD_REQUEST that names the place.
 */
export function checkJson(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) {
    checkDocument(value, 1, 0);
    return;
  }
  checkDocuments(value, 2);
}

/** The elements of a list as documents of their own, `depth` levels down. */
function checkDocuments(list: readonly unknown[], depth: number): void {
  if (list.length > maxElements)
    throw new AppError("BAD_REQUEST", `body: more than ${maxElements} elements in one list`);
  for (const element of list)
    if (typeof element === "object" && element !== null) checkDocument(element, depth, 0);
}

/** Members that are lists of documents, so many levels down at most. */
const documentLists: ReadonlySet<string> = new Set(["data", "operations", "schemas"]);
const deepestDocuments = 3;

/** Walks one document; gives the number of keys seen so far. */
function checkDocument(value: object, depth: number, seen: number): number {
  if (depth > maxDepth) throw new AppError("BAD_REQUEST", `body: nested deeper than ${maxDepth} levels`);
  let keys = seen;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element === "object" && element !== null) keys = checkDocument(element, depth + 1, keys);
    }
    return keys;
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") {
      throw new AppError("BAD_REQUEST", `body: the key '${key}' is not accepted, at any depth`);
    }
    if (++keys > maxKeys)
      throw new AppError("BAD_REQUEST", `body: more than ${maxKeys} keys in one document`);
    const member = (value as Readonly<Record<string, unknown>>)[key];
    if (typeof member !== "object" || member === null) continue;
    if (depth <= deepestDocuments && Array.isArray(member) && documentLists.has(key))
      checkDocuments(member, depth + 2);
    else keys = checkDocument(member, depth + 1, keys);
  }
  return keys;
}

// Fatal: bytes that are not UTF-8 would otherwise be stored as U+FFFD. RFC 8259 section 8.1 wants UTF-8.
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads and checks a JSON body of at most `limit` bytes; an empty body is null. */
export type JsonReader = (request: Request, limit: number) => Promise<unknown>;

/** `held`: bytes of unread bodies at one time, together; `deadline`: ms for one body. */
export type JsonReaderOptions = { readonly held?: number; readonly deadline?: number };

/**
 * Makes the reader of bodies. It never holds more of a body than its limit, nor more of all bodies together than 256 MiB,
 * whatever clients announce; one that takes longer than two minutes is given up.
 * @throws AppError PAYLOAD_TOO_LARGE, INVALID_JSON, UNAVAILABLE when too much is being received, BAD_REQUEST for a body
 * that does not come, for more than 1,000,000 values, or what `checkJson` refuses.
 */
export function createJsonReader({
  held: mostHeld = 256 * 1024 * 1024,
  deadline = 120_000,
}: JsonReaderOptions = {}): JsonReader {
  let held = 0;

  const readPieces = async (request: Request, limit: number): Promise<Uint8Array> => {
    const pieces: Uint8Array[] = [];
    let size = 0;
    const reader = request.body?.getReader();
    if (!reader) return Buffer.concat(pieces);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new AppError("BAD_REQUEST", `body: not here after ${deadline / 1000} s`)),
      deadline,
    );
    try {
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), late.promise]);
        if (done) return Buffer.concat(pieces);
        size += value.byteLength;
        held += value.byteLength;
        if (size > limit) throw tooLarge(limit);
        if (held > mostHeld)
          throw new AppError("UNAVAILABLE", "Too many large bodies at once; try again in a moment");
        pieces.push(value);
      }
    } catch (error) {
      reader.cancel().catch(() => {});
      throw error instanceof AppError
        ? error
        : new AppError("BAD_REQUEST", "body: it ended early", null, { cause: error });
    } finally {
      clearTimeout(timer);
      held -= size;
    }
  };

  return async (request, limit) => {
    const announced = request.headers.get("content-length");
    if (announced !== null && Number(announced) > limit) throw tooLarge(limit);
    // Most bodies are small: they are not worth counting.
    const bytes =
      announced !== null && Number(announced) <= smallJsonLimit
        ? await request.bytes()
        : await readPieces(request, limit);
    if (bytes.byteLength > limit) throw tooLarge(limit);
    if (bytes.byteLength === 0) return null;
    return parseJson(bytes);
  };
}

/**
 * Parses and checks JSON that came some other way than as a body.
 * @throws AppError INVALID_JSON, BAD_REQUEST for more than 1,000,000 values, or what `checkJson` refuses.
 */
export function parseJson(bytes: Uint8Array): unknown {
  countValues(bytes);
  const value = parse(bytes);
  checkJson(value);
  return value;
}

/** Before parsing: a parser makes gigabytes of objects from 20 MiB of brackets. Counts commas and openings outside text. */
function countValues(bytes: Uint8Array): void {
  if (bytes.byteLength <= maxValues) return;
  let values = 0;
  let inText = false;
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i];
    if (byte === quote) inText = !inText;
    else if (inText) i += byte === backslash ? 1 : 0;
    else if ((byte === comma || byte === list || byte === object) && ++values > maxValues)
      throw new AppError("BAD_REQUEST", `body: more than ${maxValues} values`);
  }
}

const [quote, backslash, comma, list, object] = new TextEncoder().encode('"\\,[{');

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new AppError("INVALID_JSON", "body: not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : "not readable";
    // The parser's message may quote the input; a body may hold a password.
    throw new AppError(
      "INVALID_JSON",
      `body: not valid JSON (${reason.replace(/["'`].*$/s, "").trim() || "syntax error"})`,
    );
  }
}

function tooLarge(limit: number): AppError {
  const size = limit >= 1024 * 1024 ? `${limit / (1024 * 1024)} MiB` : `${limit / 1024} KiB`;
  return new AppError("PAYLOAD_TOO_LARGE", `body: larger than ${size}, which is the limit here`);
}
