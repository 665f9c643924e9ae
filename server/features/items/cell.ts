/** How a value stands in a cell of a CSV file, and how its text comes back. Both ways are here, so that they agree. */
import { isJson } from "../../core/schema/fields";
import type { Field } from "../../core/schema/model";

/** The text of a cell; null where nothing is between the commas. */
export type Cell = string | null;

// What spreadsheets take for a formula, their full-width forms included, behind any number of the signs that we set before
// it: so taking one sign away undoes exactly what setting one did.
const formula = /^'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
const numeral = /^-?\d+(\.\d+)?$/;

/**
 * The cell of a value as an answer has it: lists, objects and the texts of a JSON field as JSON; a text that a spreadsheet
 * would take for a formula behind a `'`, unless it is a number. Null is no text at all, which is not the same as `""`.
 */
export function writeCell(value: unknown, field: Field | undefined): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value !== "string") return String(value);
  if (field && isJson(field)) return JSON.stringify(value);
  return formula.test(value) && !numeral.test(value) ? `'${value}` : value;
}

/** A text as it was before `writeCell` set a `'` before it. */
export function plainText(text: string): string {
  return text.startsWith("'") && formula.test(text) ? text.slice(1) : text;
}
