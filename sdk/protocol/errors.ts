/**
 * Every error code that crosses the wire, grouped by the stage that raises it.
 * The status of each code lives in the server's `http/` folder.
 */
export const errorCodes = {
  request: [
    "BAD_REQUEST",
    "INVALID_JSON",
    "IDEMPOTENCY_KEY_REUSED",
    "PAYLOAD_TOO_LARGE",
    "URL_TOO_LONG",
    "UNSUPPORTED_MEDIA_TYPE",
    "ROUTE_NOT_FOUND",
    "RATE_LIMITED",
  ],
  identity: [
    "UNAUTHORIZED",
    "INVALID_CREDENTIALS",
    "FORBIDDEN",
    "REAUTHENTICATION_REQUIRED",
    "MFA_REQUIRED",
    "SESSION_CHANGED",
  ],
  query: [
    "INVALID_QUERY",
    "UNKNOWN_COLLECTION",
    "UNKNOWN_FIELD",
    "UNKNOWN_OPERATOR",
    "INVALID_VALUE",
    "QUERY_TOO_COMPLEX",
  ],
  item: [
    "NOT_FOUND",
    "VALIDATION_ERROR",
    "UNIQUE_VIOLATION",
    "FOREIGN_KEY_VIOLATION",
    "REQUIRED_FIELD",
    "CONFLICT",
    "PRECONDITION_FAILED",
    "IMPORT_FAILED",
  ],
  schema: ["INVALID_SCHEMA", "SCHEMA_EXISTS", "DATA_LOSS"],
  server: ["TIMEOUT", "UNAVAILABLE", "MAIL_NOT_CONFIGURED", "INTERNAL_ERROR"],
} as const;

/** A stable, machine-readable error code. */
export type ErrorCode = {
  [Stage in keyof typeof errorCodes]: (typeof errorCodes)[Stage][number];
}[keyof typeof errorCodes];

/** One field that failed validation. `rule` names the rule of the schema's `validate`, or `type`, `required`, `enum`. */
export type FieldError = {
  readonly field: string;
  readonly message: string;
  readonly rule: string;
  readonly value?: unknown;
};

/** The body of every error answer. Auth routes repeat `message` at the top level. */
export type ErrorBody = {
  readonly error: {
    readonly message: string;
    readonly code: ErrorCode;
    readonly details: unknown;
    readonly statusCode: number;
    readonly requestId: string;
  };
};
