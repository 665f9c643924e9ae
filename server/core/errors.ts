/** The one error type. Its code says what went wrong; `http/` owns what status that is. */
import type { ErrorCode } from "@baasix/types";

/** Most characters of a message: it names what was sent, which may be megabytes long. */
const longestMessage = 10_000;

/** An error whose message is safe to show to the client: it says where, and what would work. Very long ones are cut. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, details: unknown = null, options?: ErrorOptions) {
    super(
      message.length > longestMessage ? `${message.slice(0, longestMessage).toWellFormed()}…` : message,
      options,
    );
    this.code = code;
    this.details = details;
  }
}

/**
 * The valid name nearest to a mistyped one, or null when none is near: it begins with what was written (three letters at
 * least), or at most a third of the letters differ.
 */
export function nearestName(name: string, valid: Iterable<string>): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of valid) {
    const other = candidate.toLowerCase();
    const begins = wanted.length >= 3 && other.startsWith(wanted) && other !== wanted;
    const distance = begins
      ? Math.min(2, other.length - wanted.length)
      : editDistance(wanted, other, bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** "; did you mean 'x'?" when a near name exists, else nothing. */
export function suggestion(name: string, valid: Iterable<string>): string {
  const nearest = nearestName(name, valid);
  return nearest === null ? "" : `; did you mean '${nearest}'?`;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit || a.length > 128) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? limit;
}
