/** Single parameters of a query string in their spellings: JSON text, lists, flags, whole numbers. */
import { AppError } from "../errors";

/** True for a parameter that is not given, or empty. */
export function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** What JSON text means; anything else stays as it is. @throws AppError INVALID_QUERY */
export function fromJson(value: unknown, at: string): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    throw new AppError("INVALID_QUERY", `${at}: not valid JSON`);
  }
}

/** A whole number, also as text. @throws AppError INVALID_QUERY */
export function wholeNumber(value: unknown, at: string, min: number): number {
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= min) return number;
  throw new AppError("INVALID_QUERY", `${at}: expected a whole number of at least ${min}`);
}

/** A flag, also as text. @throws AppError INVALID_QUERY */
export function parseFlag<Fallback>(value: unknown, at: string, fallback: Fallback): boolean | Fallback {
  if (isAbsent(value)) return fallback;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw new AppError("INVALID_QUERY", `${at}: expected true or false`);
}

/** `a,b`, `["a","b"]` (list or JSON text) or a repeated parameter. @throws AppError INVALID_QUERY */
export function textList(value: unknown, at: string): readonly string[] {
  if (typeof value === "string") {
    if (value.trimStart().startsWith("[")) return textList(fromJson(value, at), at);
    return split(value);
  }
  if (Array.isArray(value) && value.every((name) => typeof name === "string")) return value.flatMap(split);
  throw new AppError("INVALID_QUERY", `${at}: expected a list of names`);
}

function split(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
