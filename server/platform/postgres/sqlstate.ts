/**
 * The database's errors as ours: one table from SQLSTATE (PostgreSQL, Appendix A) to code, message and details.
 * Messages name collections, fields and types, never values: an error may concern a row its reader may not see.
 */
import { SQL } from "bun";
import type { ErrorCode } from "@baasix/types";
import { AppError } from "../../core/errors";

type Failure = InstanceType<typeof SQL.PostgresError>;
type Translation = { readonly code: ErrorCode; readonly say: (failure: Failure) => Said };
type Said = string | { readonly message: string; readonly details: unknown };

/** query_canceled. The driver gives no state to what was cancelled while it had no connection to send it on. */
const cancelled = "57014";

function stateOf({ errno, code }: Failure): string | null {
  return errno ?? (code === "ERR_POSTGRES_QUERY_CANCELLED" ? cancelled : null);
}

/** The SQLSTATE of a driver error, or of the driver error that an AppError was made from; null for other errors. */
export function sqlState(error: unknown): string | null {
  if (error instanceof SQL.PostgresError) return stateOf(error);
  return error instanceof AppError && error.cause !== undefined ? sqlState(error.cause) : null;
}

/** True when the connection itself failed, and not the statement. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof SQL.PostgresError)) return false;
  return error.errno === undefined
    ? /CONNECTION|TIMEOUT|TLS/.test(error.code)
    : /^(08|57P)/.test(error.errno);
}

/** The AppError for an error of the driver; any other error stays as it is. */
export function translate(error: unknown): unknown {
  if (!(error instanceof SQL.PostgresError)) return error;
  const state = stateOf(error);
  if (state === null) return isConnectionLoss(error) ? unavailable(error) : internal(error);
  const translation = byWords(error) ?? byState[state] ?? byClass[state.slice(0, 2)];
  if (!translation) return internal(error);
  const said = translation.say(error);
  const { message, details } = typeof said === "string" ? { message: said, details: null } : said;
  return new AppError(translation.code, message, details, { cause: error });
}

const internal = (cause: unknown) =>
  new AppError("INTERNAL_ERROR", "Something went wrong in the database.", null, { cause });

const unavailable = (cause: unknown) =>
  new AppError("UNAVAILABLE", "The database cannot be reached; try again in a moment.", null, { cause });

const entry = (code: ErrorCode, say: string | ((failure: Failure) => Said)): Translation => ({
  code,
  say: typeof say === "string" ? () => say : say,
});

const unreachable = entry("UNAVAILABLE", "The database cannot be reached; try again in a moment.");
const overtaken = entry("CONFLICT", "Another change got in the way; try again.");
const badValue = entry("INVALID_VALUE", (failure) => {
  const type = /\btype ([a-z][a-z ]*(?:\(\d+(?:,\d+)?\))?(?:\[\])?)/.exec(failure.message)?.[1]?.trim();
  return {
    message: `A value is not valid${type ? ` for the type ${type}` : ""}.`,
    details: type ? { type } : null,
  };
});
const badDate = entry("INVALID_VALUE", "A value is not a valid date or time; use ISO 8601.");
const badText = entry(
  "INVALID_VALUE",
  "A text holds a character that cannot be stored (NUL or half a surrogate pair).",
);
const restricted = entry("FOREIGN_KEY_VIOLATION", (failure) => {
  const collection = failure.table ?? "another collection";
  return {
    message: `The row is still referred to by ${collection}; change or delete those rows first.`,
    details: { collection, constraint: failure.constraint ?? null },
  };
});

const byState: { readonly [state: string]: Translation } = {
  "23505": entry("UNIQUE_VIOLATION", (failure) => {
    const fields = keyFields(failure);
    return {
      message: `${place(failure, fields)}: another row has ${fields.length > 1 ? "these values" : "this value"} already.`,
      details: { collection: failure.table ?? null, fields, constraint: failure.constraint ?? null },
    };
  }),
  "23503": entry("FOREIGN_KEY_VIOLATION", (failure) => {
    if (!failure.message.startsWith("insert or update")) return restricted.say(failure);
    const fields = keyFields(failure);
    return {
      message: `${place(failure, fields)}: the row it refers to does not exist.`,
      details: { collection: failure.table ?? null, fields, constraint: failure.constraint ?? null },
    };
  }),
  "23001": restricted,
  "23502": entry("REQUIRED_FIELD", (failure) => {
    const fields = failure.column === undefined ? [] : [failure.column];
    return {
      message: `${place(failure, fields)}: a value is required.`,
      details: { collection: failure.table ?? null, fields },
    };
  }),
  "23514": entry("VALIDATION_ERROR", (failure) => ({
    message: `${failure.table ?? "The row"}: the rule ${failure.constraint ?? "of a check"} does not hold.`,
    details: { collection: failure.table ?? null, constraint: failure.constraint ?? null },
  })),
  "23P01": entry("CONFLICT", (failure) => ({
    message: `${failure.table ?? "The row"}: another row excludes this one.`,
    details: { collection: failure.table ?? null, constraint: failure.constraint ?? null },
  })),
  "22P02": badValue,
  "22003": badValue,
  "22001": badValue,
  "22007": badDate,
  "22008": badDate,
  "22021": badText,
  "22P05": badText,
  "22012": entry("INVALID_VALUE", "A calculation divides by zero."),
  "40001": overtaken,
  "40P01": overtaken,
  "55P03": entry("CONFLICT", "The rows or the table are locked by another change; try again."),
  [cancelled]: entry("TIMEOUT", "The database took too long; ask for less or narrow the filter."),
  "57P05": unreachable,
  "25006": unreachable, // the server has become a standby
  "25P03": entry("TIMEOUT", "The transaction was idle for too long and was rolled back."),
  "25P04": entry("TIMEOUT", "The transaction lasted too long and was rolled back."),
  "53100": entry("UNAVAILABLE", "The database's disk is full."),
  "2BP01": entry("CONFLICT", "Something else in the database depends on this."),
  // Raised by our own SQL functions; the message is ours.
  BX403: entry("FORBIDDEN", (failure) => failure.message),
  BX412: entry("PRECONDITION_FAILED", (failure) => failure.message),
  BX400: entry("VALIDATION_ERROR", (failure) => {
    const { field, rule } = JSON.parse(failure.detail ?? "{}") as { field: string; rule: string };
    const errors = [{ field, message: failure.message, rule }];
    return {
      message: `Validation failed: ${field}: ${failure.message}`,
      details: { code: "VALIDATION_ERROR", errors },
    };
  }),
};

const badPath = entry("INVALID_VALUE", "A JSON path is not valid.");
const badGeometry = entry(
  "INVALID_VALUE",
  "A geometry is not valid, or the operation is not possible with it.",
);

/** States that many errors share, told apart by words that no translation of PostgreSQL changes. */
function byWords({ errno, message }: Failure): Translation | null {
  if ((errno === "42601" || errno === "42704") && message.includes("jsonpath")) return badPath;
  if (errno === "XX000" && /geometry|geography|GEOS|TopologyException|lwgeom|transform:/i.test(message))
    return badGeometry;
  return null;
}

/** For states the table above does not name, by their first two characters. */
const byClass: { readonly [prefix: string]: Translation } = {
  "08": unreachable,
  "22": entry("INVALID_VALUE", "A value does not fit its type."),
  "53": unreachable,
  "54": entry("QUERY_TOO_COMPLEX", "The request asks for more than the database can do in one statement."),
  "57": unreachable,
  "58": unreachable,
};

const perTenant = /, COALESCE\("tenant_Id", '[-0]+'::uuid\)$/;

/** `posts.email`, `posts (a, b)` or the collection alone. */
function place(failure: Failure, fields: readonly string[]): string {
  const collection = failure.table ?? "The row";
  if (fields.length === 0) return collection;
  return fields.length === 1 ? `${collection}.${fields[0]}` : `${collection} (${fields.join(", ")})`;
}

/**
 * Field names from `Key (a, "bC")=(…) …`, which has this form in every language of the server. That values are unique within
 * a tenant ends the key, and is no field of it.
 */
function keyFields(failure: Failure): readonly string[] {
  const names = /\((.+?)\)=\(/.exec(failure.detail ?? "")?.[1];
  if (names === undefined) return [];
  return names
    .replace(perTenant, "")
    .split(", ")
    .map((name) => name.replace(/^"(.*)"$/, "$1").replaceAll('""', '"'));
}
