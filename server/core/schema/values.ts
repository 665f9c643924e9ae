/**
 * Strict reading of values: each function gives the canonical text that PostgreSQL reads, or throws
 * AppError INVALID_VALUE "expected …, got …". Nothing is rounded, shifted or guessed.
 */
import { AppError } from "../errors";

const longestShown = 80;
const deepestJson = 64;
const mostDigits = 1000;
const numeral = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;
/** One that is written as it is read already. */
const plainNumeral = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
const plainWhole = /^(?:0|-?[1-9]\d*)$/;
const isoDate = /^(\d{4})-?(\d{2})-?(\d{2})$/;
const isoDateTime =
  /^(\d{4}-\d{2}-\d{2}|\d{8})(?:[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;
const clockTime = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const prototypeKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** True for the keys that reach an object's prototype. They are refused as names and in JSON values. */
export function isPrototypeKey(name: string): boolean {
  return prototypeKeys.has(name);
}

/** The error of a value that does not fit. */
export function mismatch(expected: string, value: unknown): AppError {
  return new AppError("INVALID_VALUE", `expected ${expected}, got ${showValue(value)}`);
}

/** A value as a message may show it: one short line. */
export function showValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return value === "" ? "an empty text" : `'${clip(value)}'`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Date) return "a Date that is not valid";
  return typeof value === "object" && value !== null ? "an object" : clip(String(value));
}

function clip(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters would break the line of the message
  const line = text.toWellFormed().replace(/[\u0000-\u001f\u007f]/g, "\ufffd");
  return line.length > longestShown ? `${line.slice(0, longestShown).toWellFormed()}…` : line;
}

/** Text without NUL and unpaired surrogates (PostgreSQL stores neither), at most `length` characters. */
export function readText(value: unknown, length: number | null): string {
  if (typeof value !== "string") throw mismatch("text", value);
  if (value.includes("\0")) throw new AppError("INVALID_VALUE", "expected text without NUL characters");
  if (!value.isWellFormed()) throw new AppError("INVALID_VALUE", "expected text without unpaired surrogates");
  if (length !== null && value.length > length) {
    const characters = [...value].length;
    if (characters > length) {
      throw new AppError("INVALID_VALUE", `expected at most ${length} characters, got ${characters}`);
    }
  }
  return value;
}

/** A whole number between two bounds, from a number, a bigint or decimal digits. The bounds lie beyond nine digits. */
export function readWhole(value: unknown, least: bigint, most: bigint): string {
  // Most are so, and bigints are slow.
  if (typeof value === "string" && value.length < 10 && plainWhole.test(value)) return value;
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most)
    return String(value);
  const expected = `a whole number from ${least} to ${most}`;
  let whole: bigint;
  if (typeof value === "bigint") whole = value;
  else if (typeof value === "number" && Number.isInteger(value)) {
    if (!Number.isSafeInteger(value) && value >= Number(least) && value <= Number(most)) {
      throw mismatch("whole numbers beyond 9007199254740991 as a string (a JSON number loses digits)", value);
    }
    whole = BigInt(value);
  } else if (typeof value === "string" && /^[+-]?\d{1,30}$/.test(value)) {
    whole = BigInt(value.startsWith("+") ? value.slice(1) : value);
  } else throw mismatch(expected, value);
  if (whole < least || whole > most) throw mismatch(expected, value);
  return String(whole);
}

/**
 * An exact decimal from a number or a string; every digit is kept, more digits than the column has are refused.
 * `precision` null: unlimited.
 */
export function readDecimal(value: unknown, precision: number | null, scale: number | null): string {
  const plain = plainDecimal(value);
  if (precision === null || isWithin(plain, precision - (scale ?? 0), scale ?? 0)) return plain;
  const [whole = "", fraction = ""] = plain.replace("-", "").split(".");
  const places = scale ?? 0;
  if (fraction.replace(/0+$/, "").length > places) {
    throw mismatch(
      places === 0 ? "a number without decimal places" : `at most ${places} decimal places`,
      value,
    );
  }
  const room = precision - places;
  if (whole.replace(/^0+/, "").length > room) {
    throw mismatch(`at most ${room} digits before the decimal point`, value);
  }
  return plain;
}

/** True when the text has no more characters than there is room for digits. */
function isWithin(plain: string, room: number, places: number): boolean {
  const start = plain.startsWith("-") ? 1 : 0;
  const point = plain.indexOf(".");
  if (point < 0) return plain.length - start <= room;
  return point - start <= room && plain.length - point - 1 <= places;
}

function plainDecimal(value: unknown): string {
  const expected = 'a decimal number such as 12.50 or "12.50"';
  const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  if (typeof text !== "string" || text.length > mostDigits) throw mismatch(expected, value);
  if (plainNumeral.test(text)) return text;
  const match = numeral.exec(text);
  if (!match) throw mismatch(expected, value);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") throw mismatch(expected, value);
  const shift = Number(exponent);
  if (Math.abs(shift) > mostDigits) throw mismatch(`a decimal number of at most ${mostDigits} digits`, value);
  const digits = whole + fraction;
  const point = whole.length + shift;
  const padded = point <= 0 ? "0".repeat(1 - point) + digits : digits.padEnd(point, "0");
  const at = Math.max(point, 1);
  const left = padded.slice(0, at).replace(/^0+(?=\d)/, "");
  const right = padded.slice(at);
  return (sign === "-" ? "-" : "") + left + (right === "" ? "" : `.${right}`);
}

/** A floating-point number of 64 (or 32) bits, from a finite number or a numeric string. */
export function readFloat(value: unknown, bits: 32 | 64): string {
  const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  if (typeof text !== "string" || text.length > mostDigits || !numeral.test(text) || !/\d/.test(text)) {
    throw mismatch("a number", value);
  }
  const parsed = bits === 32 ? Math.fround(Number(text)) : Number(text);
  const vanished = parsed === 0 && /[1-9]/.test(text.replace(/e.*/i, ""));
  if (!Number.isFinite(parsed) || vanished) throw mismatch(`a number that ${bits} bits can hold`, value);
  return text;
}

/** `true` or `false`, also as text. */
export function readBoolean(value: unknown): string {
  if (value === true || value === "true") return "true";
  if (value === false || value === "false") return "false";
  throw mismatch("true or false", value);
}

/** A UUID in its usual spelling (RFC 9562), of any version; lower-cased. */
export function readUuid(value: unknown): string {
  if (typeof value !== "string" || !uuid.test(value)) throw mismatch("a UUID", value);
  return value.toLowerCase();
}

/** A day that exists, `YYYY-MM-DD`. Carries no time and no zone, so that it never shifts. */
export function readDate(value: unknown): string {
  const expected = "a date YYYY-MM-DD that exists";
  if (typeof value !== "string" || value.length !== 10) throw mismatch(expected, value);
  const day = calendarDay(value);
  if (day === null) throw mismatch(expected, value);
  return day;
}

function calendarDay(text: string): string | null {
  const match = isoDate.exec(text);
  if (!match) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (year === 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  return `${match[1]}-${match[2]}-${match[3]}`;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/**
 * An instant: ISO 8601 calendar date and time, extended or basic, with its offset (none: UTC); a date alone is its
 * midnight in UTC; a JS Date. Fractions up to nine digits (PostgreSQL keeps six).
 */
export function readInstant(value: unknown): string {
  const expected = "an ISO 8601 date and time such as 2026-11-20T09:13:51.123Z";
  const text = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : value;
  const match = typeof text === "string" ? isoDateTime.exec(text) : null;
  const day = match?.[1] === undefined ? null : calendarDay(match[1]);
  if (!match || day === null) throw mismatch(expected, value);
  const [, , hour = "00", minute = "00", second = "00", fraction, zone = "Z"] = match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) throw mismatch(expected, value);
  const offset = readOffset(zone);
  if (offset === null) throw mismatch(`${expected} (offsets reach from -15:59 to +15:59)`, value);
  return `${day}T${hour}:${minute}:${second}${fraction === undefined ? "" : `.${fraction}`}${offset}`;
}

/**
 * A date and time of a wall clock, without an offset: ISO 8601 as in `readInstant`. `Z` is allowed, since JSON of a Date
 * ends in it, and says nothing more; another offset would be lost and is refused. A JS Date is taken in UTC.
 */
export function readWallClock(value: unknown): string {
  const expected = "an ISO 8601 date and time without an offset, such as 2026-11-20T09:13:51.123";
  const text = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : value;
  const zone = typeof text === "string" ? isoDateTime.exec(text)?.[6] : undefined;
  if (zone !== undefined && zone.toUpperCase() !== "Z") throw mismatch(expected, value);
  try {
    return readInstant(value).slice(0, -1);
  } catch (error) {
    throw error instanceof AppError ? mismatch(expected, value) : error;
  }
}

function readOffset(zone: string): string | null {
  if (zone === "Z" || zone === "z") return "Z";
  const hours = zone.slice(1, 3);
  const minutes = zone.length > 3 ? zone.slice(-2) : "00";
  return Number(hours) > 15 || Number(minutes) > 59 ? null : `${zone[0]}${hours}:${minutes}`;
}

/** A time of day `HH:MM[:SS[.ffffff]]`, without an offset. */
export function readTime(value: unknown): string {
  const match = typeof value === "string" ? clockTime.exec(value) : null;
  if (!match || Number(match[1]) > 23 || Number(match[2]) > 59 || Number(match[3] ?? 0) > 59) {
    throw mismatch("a time HH:MM, HH:MM:SS or HH:MM:SS.ffffff", value);
  }
  return match[0];
}

/** One of a list of texts. */
export function readMember(value: unknown, values: readonly string[]): string {
  if (typeof value === "string" && values.includes(value)) return value;
  throw mismatch(`one of ${values.map((member) => `'${member}'`).join(", ")}`, value);
}

/**
 * JSON text of any JSON value, at most 64 levels deep.
 * @throws AppError INVALID_VALUE for what jsonb cannot hold, and for keys that reach a prototype.
 */
export function readJson(value: unknown): string {
  checkJson(value, "", 0);
  return JSON.stringify(value);
}

function checkJson(value: unknown, path: string, depth: number): void {
  const where = path === "" ? "" : `at '${path.slice(1)}' `;
  if (depth > deepestJson)
    throw new AppError("INVALID_VALUE", `expected JSON of at most ${deepestJson} levels`);
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string") {
    if (value.includes("\0") || !value.isWellFormed()) {
      throw new AppError(
        "INVALID_VALUE",
        `expected JSON ${where}without NUL characters and unpaired surrogates`,
      );
    }
  } else if (typeof value === "number" && Number.isFinite(value)) return;
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkJson(item, `${path}.${index}`, depth + 1);
  } else if (typeof value === "object" && isPlain(value)) {
    for (const key of Object.keys(value)) {
      if (prototypeKeys.has(key))
        throw new AppError("INVALID_VALUE", `expected JSON ${where}without the key '${key}'`);
      checkJson(key, path, depth + 1);
      const member: unknown = Reflect.get(value, key);
      if (member !== undefined) checkJson(member, `${path}.${clip(key)}`, depth + 1);
    }
  } else throw mismatch(`a JSON value${where === "" ? "" : ` ${where.trim()}`}`, value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Compares two decimal texts exactly: less than, equal to or greater than 0. */
export function compareDecimals(a: string, b: string): number {
  // Rounding keeps the order: doubles that differ tell it.
  const [near, far] = [Number(a), Number(b)];
  if (near < far) return -1;
  if (near > far) return 1;
  const [left, right] = [readDecimal(a, null, null), readDecimal(b, null, null)];
  const places = Math.max(fractionOf(left).length, fractionOf(right).length);
  const [x, y] = [scaled(left, places), scaled(right, places)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function fractionOf(text: string): string {
  return text.split(".")[1] ?? "";
}

function scaled(text: string, places: number): bigint {
  return BigInt((text.split(".")[0] ?? "") + fractionOf(text).padEnd(places, "0"));
}

/** Compares two texts that `readDate`, `readTime`, `readWallClock` or `readInstant` gave, to the nanosecond. */
export function compareMoments(a: string, b: string): number {
  const [x, y] = [nanoseconds(a), nanoseconds(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

const moment =
  /^(?:(\d{4}-\d{2}-\d{2})T?)?(?:(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?)?(Z|[+-]\d{2}:\d{2})?$/;

function nanoseconds(text: string): bigint {
  const [, day = "1970-01-01", hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] =
    moment.exec(text) ?? [];
  const minutes = BigInt(Date.parse(`${day}T${hour}:${minute}:00${zone}`)) * 1_000_000n;
  return minutes + BigInt(second) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** The text of a PostgreSQL array, for `$1::type[]`. */
export function arrayText(items: readonly (string | null)[]): string {
  const isPlain = !items.includes(null) && !/["\\]/.test(items.join(""));
  if (isPlain) return items.length === 0 ? "{}" : `{"${items.join('","')}"}`;
  const quoted = items.map((item) => (item === null ? "NULL" : `"${item.replace(/["\\]/g, "\\$&")}"`));
  return `{${quoted.join(",")}}`;
}
