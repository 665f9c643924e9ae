/** Rows as PostgreSQL writes a whole one as text ("Composite Type Input and Output Syntax" of its manual), and pairs of them. */
import type { RowChange } from "../database";

type Values = { [column: string]: string | null };

/** What one statement did to one table. `columns`: those of the rows, in order; null: one that is not told. */
export type Told = {
  readonly table: string;
  readonly columns: readonly (string | null)[];
  /** Rows as they were and as they became, in no common order; null where there is no such side. */
  readonly were: readonly string[] | null;
  readonly became: readonly string[] | null;
};

/** The values of a row: `(1,"a ""b""",,t)`. @throws RangeError when it is none */
export function parseRecord(text: string): readonly (string | null)[] {
  if (text[0] !== "(" || !text.endsWith(")")) throw new RangeError("this is no row");
  const values: (string | null)[] = [];
  let at = 1;
  for (;;) {
    const [value, end] = readValue(text, at);
    values.push(value);
    if (end >= text.length) throw new RangeError("a row without an end");
    if (end === text.length - 1) return values;
    at = end + 1;
  }
}

/** The value that begins there, and where the comma or bracket after it stands. Nothing at all is null. */
function readValue(text: string, start: number): readonly [string | null, number] {
  if (text[start] !== '"') {
    const comma = text.indexOf(",", start);
    const end = comma < 0 ? text.length - 1 : comma;
    return [end === start ? null : text.slice(start, end), end];
  }
  let value = "";
  for (let from = start + 1; ;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new RangeError("a value without an end");
    value += unescape(text.slice(from, quote));
    if (text[quote + 1] !== '"') return [value, quote + 1];
    value += '"';
    from = quote + 2;
  }
}

/** Within quotes a backslash is written twice. */
function unescape(piece: string): string {
  return piece.includes("\\") ? piece.replaceAll("\\\\", "\\") : piece;
}

/**
 * The changes that a statement made. Rows are the same when they have the same key: one that got another key has left, and
 * another has come, as subscribers see it. Where the key is not known, all have left, and all have come.
 */
export function changesOf(
  { table, columns, were, became }: Told,
  key: readonly string[],
): readonly RowChange[] {
  const read = (texts: readonly string[] | null): readonly Values[] =>
    (texts ?? []).map((text) => rowOf(columns, parseRecord(text)));
  const before = read(were);
  const after = read(became);
  if (became === null) return before.map((row) => ({ table, action: "delete", before: row, after: null }));
  if (were === null) return after.map((row) => ({ table, action: "create", before: null, after: row }));
  const isKnown = key.length > 0 && key.every((name) => columns.includes(name));
  const keyOf = (row: Values): string => JSON.stringify(key.map((name) => row[name]));
  const left = new Map(before.map((row) => [keyOf(row), row] as const));
  const stayed = after.map((row): RowChange => {
    const id = keyOf(row);
    const old = isKnown ? left.get(id) : undefined;
    if (old) left.delete(id);
    return old
      ? { table, action: "update", before: old, after: row }
      : { table, action: "create", before: null, after: row };
  });
  const gone = (isKnown ? [...left.values()] : before).map((row): RowChange => ({
    table,
    action: "delete",
    before: row,
    after: null,
  }));
  return [...gone, ...stayed];
}

function rowOf(columns: readonly (string | null)[], values: readonly (string | null)[]): Values {
  if (columns.length !== values.length) throw new RangeError("a row of other columns than were told");
  const row: Values = {};
  columns.forEach((name, index) => {
    if (name !== null) row[name] = values[index] ?? null;
  });
  return row;
}
