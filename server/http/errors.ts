/**
 * Errors on the wire: which status a code has, and the body of an error answer. The messages of an AppError are made
 * for clients; anything else is told as one safe sentence.
 */
import type { ErrorBody, ErrorCode, FieldError } from "@baasix/types";
import { ValidationError } from "elysia";
import { AppError } from "../core/errors";

/** The HTTP status of each error code (RFC 9110; 429 is RFC 6585; a reused Idempotency-Key as its IETF draft says). */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  INVALID_JSON: 400,
  IDEMPOTENCY_KEY_REUSED: 422,
  PAYLOAD_TOO_LARGE: 413,
  URL_TOO_LONG: 414,
  UNSUPPORTED_MEDIA_TYPE: 415,
  ROUTE_NOT_FOUND: 404,
  RATE_LIMITED: 429,
  UNAUTHORIZED: 401,
  // 400 and not 401: a client must not take a mistyped password for the end of its session.
  INVALID_CREDENTIALS: 400,
  FORBIDDEN: 403,
  REAUTHENTICATION_REQUIRED: 403,
  MFA_REQUIRED: 403,
  SESSION_CHANGED: 409,
  INVALID_QUERY: 400,
  UNKNOWN_COLLECTION: 404,
  UNKNOWN_FIELD: 400,
  UNKNOWN_OPERATOR: 400,
  INVALID_VALUE: 400,
  QUERY_TOO_COMPLEX: 400,
  NOT_FOUND: 404,
  VALIDATION_ERROR: 400,
  UNIQUE_VIOLATION: 409,
  FOREIGN_KEY_VIOLATION: 409,
  REQUIRED_FIELD: 400,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  IMPORT_FAILED: 400,
  INVALID_SCHEMA: 400,
  SCHEMA_EXISTS: 409,
  DATA_LOSS: 409,
  TIMEOUT: 504,
  UNAVAILABLE: 503,
  MAIL_NOT_CONFIGURED: 503,
  INTERNAL_ERROR: 500,
};

/**
 * Any thrown value as the AppError a client may be told. Elysia's own errors become ROUTE_NOT_FOUND, INVALID_JSON and
 * VALIDATION_ERROR (a detail per field, never the value that was sent); the unknown becomes INTERNAL_ERROR with the
 * thrown value as its `cause`, for the log alone.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof ValidationError) return invalidInput(error);
  switch (codeOf(error)) {
    case "NOT_FOUND":
      return new AppError("ROUTE_NOT_FOUND", "There is no such route; /swagger lists those that exist");
    case "PARSE": {
      const cause = error instanceof Error ? error.cause : undefined;
      return cause instanceof AppError ? cause : new AppError("INVALID_JSON", "body: not readable");
    }
    case "INVALID_FILE_TYPE":
      return new AppError("UNSUPPORTED_MEDIA_TYPE", "body: this type of file is not accepted here");
    case "INVALID_COOKIE_SIGNATURE":
      return new AppError("BAD_REQUEST", "cookie: the signature is not valid");
    default:
      return new AppError(
        "INTERNAL_ERROR",
        "Something went wrong on our side; the request id leads to the cause in the server's log",
        null,
        {
          cause: error,
        },
      );
  }
}

/**
 * The answer to a failed request: `{error: {message, code, details, statusCode, requestId}}`, beside the members of
 * `extra`. `details.retryAfter` (seconds) also becomes the header `Retry-After`.
 */
export function errorAnswer(
  error: unknown,
  requestId: string,
  extra: Readonly<Record<string, unknown>> = {},
): Response {
  const known = toAppError(error);
  const statusCode = statusOf[known.code];
  const { message, code, details } = known;
  const body: ErrorBody = { error: { message, code, details, statusCode, requestId } };
  const headers: Record<string, string> = { "cache-control": "no-store" };
  const retryAfter = retryAfterOf(known);
  if (retryAfter !== null) headers["retry-after"] = String(retryAfter);
  if (statusCode === 401) headers["www-authenticate"] = "Bearer";
  return Response.json({ ...extra, ...body }, { status: statusCode, headers });
}

function retryAfterOf({ code, details }: AppError): number | null {
  if (
    typeof details === "object" &&
    details !== null &&
    "retryAfter" in details &&
    typeof details.retryAfter === "number"
  ) {
    return Math.max(1, Math.ceil(details.retryAfter));
  }
  return code === "UNAVAILABLE" ? 1 : null;
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

/** The places that failed, without the values: they may be secrets. */
function invalidInput(error: ValidationError): AppError {
  const details: FieldError[] = error.all.map((issue) => {
    const path =
      "path" in issue && typeof issue.path === "string"
        ? issue.path.replace(/^\//, "").replaceAll("/", ".")
        : "";
    const field = path === "" || path === "root" ? error.type : `${error.type}.${path}`;
    return { field, message: messageOf(issue), rule: "type" };
  });
  const first = details[0];
  return new AppError(
    "VALIDATION_ERROR",
    first ? `${first.field}: ${first.message}` : `${error.type}: not valid`,
    details,
  );
}

function messageOf(issue: object): string {
  return "message" in issue && typeof issue.message === "string" ? issue.message : "not valid";
}
