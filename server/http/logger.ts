/** The server's log: levels, two formats, secrets masked, written in batches so that a line costs little. */
import { writeSync } from "node:fs";

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** What a line carries beside its message. Values must be JSON; an Error is told by name, message, stack and causes. */
export type LogFields = { readonly [field: string]: unknown };

export type Logger = {
  readonly error: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly info: (message: string, fields?: LogFields) => void;
  readonly debug: (message: string, fields?: LogFields) => void;
  /** One line for an answered request, at `info`. `ms`: how long it took. `path` carries no query. */
  readonly request: (line: RequestLine) => void;
  /** True when lines of that level are written. */
  readonly enabled: (level: LogLevel) => boolean;
  /** Writes what is waiting, at once. */
  readonly flush: () => void;
};

export type RequestLine = {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly ms: number;
  readonly client: string;
};

export type LoggerOptions = {
  readonly LOG_LEVEL: LogLevel;
  /** Default: `pretty` on a terminal, else `json` (one object a line). */
  readonly LOG_FORMAT?: "json" | "pretty" | undefined;
  /** Where text goes; default the standard error: standard output is for the result of a command. */
  readonly write?: (text: string) => void;
};

const rank: Readonly<Record<LogLevel, number>> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };
const batchBytes = 64 * 1024;
const batchMilliseconds = 100;

/**
 * Makes the log. Lines wait up to 100 ms or 64 KiB, errors are written at once; what waits when the process exits is
 * written then. A reader that does not keep up loses lines (and is told how many) instead of slowing requests.
 */
export function createLogger(options: LoggerOptions): Logger {
  const limit = rank[options.LOG_LEVEL];
  const json = (options.LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json")) === "json";
  const output = createOutput(options.write);
  const timestamp = createStamp();
  const log = (level: "error" | "warn" | "info" | "debug") => (message: string, fields?: LogFields) => {
    if (rank[level] > limit) return;
    const time = timestamp();
    const known = fields === undefined ? {} : { ...fields };
    output.add(mask(json ? jsonLine(time, level, message, known) : prettyLine(time, level, message, known)));
    if (level === "error") output.flush();
  };
  return {
    error: log("error"),
    warn: log("warn"),
    info: log("info"),
    debug: log("debug"),
    request: (line) => {
      if (rank.info > limit) return;
      const path = line.path.length > 40 ? maskPath(line.path) : line.path;
      const time = timestamp();
      const ms = line.ms.toFixed(2);
      output.add(
        json
          ? `{"time":"${time}","level":"info","message":"request","requestId":"${line.id}","method":"${line.method}","path":${JSON.stringify(path)},"status":${line.status},"ms":${ms},"client":"${line.client}"}\n`
          : `${time} info  ${line.method} ${printable(path)} ${line.status} ${ms} ms ${line.id}\n`,
      );
    },
    enabled: (level) => rank[level] <= limit,
    flush: output.flush,
  };
}

type Output = { readonly add: (line: string) => void; readonly flush: () => void };

function createOutput(write: ((text: string) => void) | undefined): Output {
  const sink = write ? { write, ready: () => true } : (standard ??= standardError());
  let waiting: string[] = [];
  let size = 0;
  let lost = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (size === 0) return;
    const text = waiting.join("");
    [waiting, size] = [[], 0];
    sink.write(text);
    if (lost > 0 && sink.ready()) {
      sink.write(`${lost} log lines were lost: the reader of this log does not keep up\n`);
      lost = 0;
    }
  };
  let leaving = false;
  const keepLastLines = (): void => {
    leaving = true;
    process.once("exit", () => {
      // Not through the stream: what it buffers is lost at this point.
      if (size > 0) writeAtExit(waiting.join(""));
    });
  };
  return {
    add: (line) => {
      if (!leaving && !write) keepLastLines();
      if (!sink.ready()) {
        lost++;
        return;
      }
      waiting.push(line);
      size += line.length;
      if (size >= batchBytes) flush();
      else timer ??= setTimeout(flush, batchMilliseconds);
    },
    flush,
  };
}

function writeAtExit(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody reads any more, and there is nowhere to say so.
  }
}

/** That of the process: every logger shares it. */
let standard: ReturnType<typeof standardError> | undefined;

/** The standard error as a stream: `ready` is false while its reader is a batch behind. */
function standardError() {
  let draining = false;
  let closed = false;
  const stream = process.stderr;
  stream.on("drain", () => {
    draining = false;
  });
  stream.on("error", () => {
    closed = true;
  });
  return {
    ready: () => !draining && !closed,
    write: (text: string) => {
      if (!closed && !stream.write(text)) draining = true;
    },
  };
}

/** ISO 8601 text of the present; kept while the millisecond lasts, since many lines share it. */
function createStamp(): () => string {
  let stampedAt = 0;
  let stamp = "";
  return () => {
    const now = Date.now();
    if (now !== stampedAt) {
      stampedAt = now;
      stamp = new Date(now).toISOString();
    }
    return stamp;
  };
}

function jsonLine(time: string, level: string, message: string, fields: Record<string, unknown>): string {
  return `${JSON.stringify({ time, level, message, ...fields }, tellError)}\n`;
}

function prettyLine(time: string, level: string, message: string, fields: Record<string, unknown>): string {
  const told = Object.entries(fields).map(([name, value]) =>
    value instanceof Error
      ? `\n  ${describe(value).join("\n  ")}`
      : ` ${name}=${printable(JSON.stringify(value, tellError) ?? "undefined")}`,
  );
  return `${time} ${level.padEnd(5)} ${printable(message)}${told.join("")}\n`;
}

function tellError(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Error ? describe(value) : value;
}

/** An error and its causes, as lines. */
function describe(error: Error, depth = 0): string[] {
  const own = (error.stack ?? `${error.name}: ${error.message}`).split("\n").map((line) => line.trim());
  if (!(error.cause instanceof Error) || depth >= 5) return own;
  return [...own, "caused by:", ...describe(error.cause, depth + 1)];
}

// oxlint-disable-next-line no-control-regex -- control characters are what must not reach a terminal
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text without control characters, so that a path cannot write to the terminal or begin a line of its own. */
function printable(text: string): string {
  return text.replace(control, "?").replaceAll("\n", "\n  ");
}

/** Text without what looks like a credential: bearer and JWT tokens, passwords in URLs and in JSON, argon2 hashes. */
export function mask(text: string): string {
  return text
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, "$1 ***")
    .replace(/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, "***")
    .replace(/\$argon2i?d?\$[^\s"']+/g, "***")
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*:)[^\s@"']+@/gi, "$1***@")
    .replace(
      /(\\?"(?:password|token|refreshToken|accessToken|secret|SECRET_KEY)\\?"\s*:\s*\\?")(?:[^"\\]|\\(?!"))*/gi,
      "$1***",
    );
}

/** A path without segments long enough to be a token (a UUID has 36 characters). */
function maskPath(path: string): string {
  return path.replace(/[\w.-]{40,}/g, "***");
}
