/** The one error of the client: what the server answered, or why no answer came. */
import type { ErrorCode } from "@baasix/types";

/**
 * Codes the client raises itself, beside those of the server: `TIMEOUT` (408), `NETWORK_ERROR` (0: no
 * answer), `UNKNOWN` (an answer that is no Baasix error), `NO_REFRESH_TOKEN` (401),
 * `SESSION_CHANGED` (0: the user signed out or changed while the request ran), `INVALID_ARGUMENT` (0: never sent),
 * `NOT_SINGLE` (0: several items where one was expected), `NOT_BEGUN_HERE` (0: a sign-in with a provider that this page
 * did not begin).
 */
export type ClientErrorCode =
  | "TIMEOUT"
  | "NETWORK_ERROR"
  | "UNKNOWN"
  | "NO_REFRESH_TOKEN"
  | "NOT_BEGUN_HERE"
  | "SESSION_CHANGED"
  | "INVALID_ARGUMENT"
  | "NOT_SINGLE";

type Cause = {
  readonly status: number;
  readonly code: ErrorCode | ClientErrorCode;
  readonly details?: unknown;
  readonly requestId?: string | null;
  readonly cause?: unknown;
};

/** A failed request. `status` is the HTTP status, 0 when there was no answer. */
export class BaasixError extends Error {
  override readonly name = "BaasixError";
  readonly status: number;
  readonly code: ErrorCode | ClientErrorCode;
  readonly details: unknown;
  /** The server's name for the request, found in its log too. */
  readonly requestId: string | null;

  constructor(message: string, { status, code, details = null, requestId = null, cause }: Cause) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.details = details;
    this.requestId = requestId;
  }

  /** Whether the same request may succeed later: no answer, a timeout, 429 or 5xx. */
  get isRetryable(): boolean {
    return this.code === "NETWORK_ERROR" || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  toJSON(): Record<string, unknown> {
    const { name, message, status, code, details, requestId, isRetryable } = this;
    return { name, message, status, code, details, requestId, isRetryable };
  }
}

/** The error of an answer outside 2xx; `body` is its text. */
export function answerError(status: number, statusText: string, body: string): BaasixError {
  const parsed = parseObject(body);
  const inner = asObject(parsed?.error);
  const message = text(inner?.message) ?? text(parsed?.message) ?? (statusText || "Request failed");
  const code = text(inner?.code) as ErrorCode | null;
  return new BaasixError(message, {
    status,
    code: code ?? "UNKNOWN",
    details: inner?.details ?? null,
    requestId: text(inner?.requestId),
  });
}

/** An argument that cannot be sent. */
export function invalidArgument(message: string): BaasixError {
  return new BaasixError(message, { status: 0, code: "INVALID_ARGUMENT" });
}

function parseObject(body: string): Readonly<Record<string, unknown>> | null {
  try {
    return asObject(JSON.parse(body));
  } catch {
    return null;
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
