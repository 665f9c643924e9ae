/**
 * Keyset cursors: where a page ended, as the values of its sort keys. A cursor is data like any other: its values are
 * checked against their fields and bound as parameters.
 */
import { AppError } from "../errors";
import { castType, operandShape, parseValue } from "../schema/fields";
import { type Hole, readWritten, type WrittenReader } from "./holes";
import type { PlannedSort } from "./plan";
import type { Param } from "./variables";

/** The sort keys of the last row of a page, in order; null where the row has no value. */
export type Keyset = readonly Param[];

/** The order that a cursor belongs to, as text. */
function orderOf(sort: readonly PlannedSort[]): string {
  return sort
    .map(({ hops, field, descending }) =>
      [descending ? "-" : "", ...hops.map(({ relation }) => `${relation.name}.`), field.name].join(""),
    )
    .join(",");
}

/** The cursor behind a row: `keys` is the JSON list of its sort keys, as PostgreSQL wrote it. */
export function encodeCursor(sort: readonly PlannedSort[], keys: string): string {
  return Buffer.from(`[${JSON.stringify(orderOf(sort))},${keys}]`).toString("base64url");
}

const longest = 4096;

/** A cursor as it travels. @throws AppError INVALID_QUERY */
export function readCursor(cursor: unknown): string {
  if (typeof cursor === "string" && cursor.length <= longest) return cursor;
  throw new AppError("INVALID_QUERY", "cursor: expected the nextCursor of an answer, or nothing");
}

/**
 * Reads a cursor for the order that it was made for.
 * @throws AppError INVALID_QUERY for one of another order, or none at all.
 */
export function decodeCursor(sort: readonly PlannedSort[], cursor: string | Hole): Keyset {
  return readWritten(cursor, keysetReader(sort));
}

/** Which keys are null decides the SQL. */
function keysetReader(sort: readonly PlannedSort[]): WrittenReader<Keyset> {
  return {
    read: (cursor) => readKeyset(sort, readCursor(cursor)),
    split: (keyset) => ({
      form: keyset.map((key) => (isNull(key) ? "null" : "value")).join(" "),
      texts: keyset.flatMap((key) => (key.kind === "value" && key.text !== null ? [key.text] : [])),
    }),
    join: (keyset, params) => {
      let next = 0;
      return keyset.map((key) => (isNull(key) ? key : (params[next++] ?? key)));
    },
  };
}

function readKeyset(sort: readonly PlannedSort[], cursor: string): Keyset {
  const [order, keys] = readPair(cursor);
  if (order !== orderOf(sort)) {
    throw new AppError("INVALID_QUERY", "cursor: made for another sort order; begin with an empty cursor");
  }
  if (!Array.isArray(keys) || keys.length !== sort.length) throw invalid();
  return sort.map(({ field }, i) => ({
    kind: "value",
    text: parseValue(typeof keys[i] === "number" ? String(keys[i]) : keys[i], operandShape(field), "cursor"),
  }));
}

function readPair(cursor: string): readonly unknown[] {
  try {
    const pair: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (Array.isArray(pair) && pair.length === 2) return pair;
  } catch {
    // Reported below, as any other text that is no cursor.
  }
  throw invalid();
}

function invalid(): AppError {
  return new AppError("INVALID_QUERY", "cursor: not a cursor of this list; begin with an empty one");
}

/**
 * SQL of "behind the cursor", for the sort columns as SQL. Nulls stand where PostgreSQL sorts them: last ascending,
 * first descending.
 */
export function compileKeyset(
  sort: readonly PlannedSort[],
  columns: readonly string[],
  keyset: Keyset,
  place: (param: Param) => string,
): string {
  const alternatives = sort.flatMap((_, last) => {
    const behind = isBehind(sort, columns, keyset, last, place);
    if (behind === null) return [];
    const equal = sort.slice(0, last).map((term, i) => {
      const key = keyset[i];
      return isNull(key) ? `${columns[i]} is null` : `${columns[i]} = ${bound(term, key, place)}`;
    });
    return [`(${[...equal, behind].join(" and ")})`];
  });
  return `(${alternatives.join(" or ") || "false"})`;
}

function isBehind(
  sort: readonly PlannedSort[],
  columns: readonly string[],
  keyset: Keyset,
  index: number,
  place: (param: Param) => string,
): string | null {
  const [term, column, key] = [sort[index], columns[index], keyset[index]];
  if (!term || column === undefined) return null;
  if (isNull(key)) return term.descending ? `${column} is not null` : null;
  const value = bound(term, key, place);
  if (term.descending) return `${column} < ${value}`;
  return term.field.allowNull || term.hops.length > 0 || term.guard !== null
    ? `(${column} > ${value} or ${column} is null)`
    : `${column} > ${value}`;
}

function isNull(param: Param | undefined): boolean {
  return param === undefined || (param.kind === "value" && param.text === null);
}

function bound({ field }: PlannedSort, param: Param | undefined, place: (param: Param) => string): string {
  return `${place(param ?? { kind: "value", text: null })}::${castType(field)}`;
}
