/** What an import tells of itself: how many rows came in, and what was wrong with the others. */
import type { FieldError, GenericItem, ImportError, ImportResult } from "@baasix/types";
import { AppError } from "../../core/errors";
import { writeOnlyExtras } from "../../core/schema/system";
import type { ImportRow } from "./rows";

/** How the file calls its rows, in messages and in the report. */
export type RowWord = "row" | "item";

const mostErrors = 100;
/** Characters of a row as JSON that a report repeats. */
const mostShown = 2000;

/** Counts what happens to the rows. */
export type Report = {
  readonly wrote: (created: number, updated: number) => void;
  readonly refused: (row: ImportRow, error: AppError) => void;
  readonly failed: () => number;
  readonly results: () => ImportResult;
};

export function createReport(word: RowWord, upserting: boolean): Report {
  const counts = { created: 0, updated: 0, failed: 0 };
  const errors: { readonly number: number; readonly error: ImportError }[] = [];
  return {
    wrote: (created, updated) => {
      counts.created += created;
      counts.updated += updated;
    },
    refused: (row, error) => {
      counts.failed++;
      if (errors.length === mostErrors) return;
      const told = { [word]: row.number, data: shown(row.sent()), error: reasonOf(error), code: error.code };
      errors.push({ number: row.number, error: told });
    },
    failed: () => counts.failed,
    results: () => ({
      imported: counts.created + counts.updated,
      ...(upserting && { created: counts.created, updated: counts.updated }),
      failed: counts.failed,
      errors: errors.toSorted((a, b) => a.number - b.number).map(({ error }) => error),
    }),
  };
}

/** Without what is never shown again, however deep: answers are kept under idempotency keys. */
function shown(sent: unknown): GenericItem | null {
  const text =
    JSON.stringify(sent, (name, value: unknown) => (writeOnlyExtras.has(name) ? undefined : value)) ?? "null";
  return text.length > mostShown ? null : (JSON.parse(text) as GenericItem);
}

/** The message without what a whole request is told: which row, and that validation failed. */
function reasonOf({ message, details }: AppError): string {
  const errors = fieldErrors(details);
  if (errors.length === 0) return message;
  return errors.map(({ field, message: what }) => `${field.replace(place, "")}: ${what}`).join("; ");
}

const place = /^\[(\d+)\]\.?/;

/** The mistakes of fields that a refusal lists. */
function fieldErrors(details: unknown): readonly FieldError[] {
  if (typeof details !== "object" || details === null) return [];
  const errors: unknown = Array.isArray(details) ? details : "errors" in details ? details.errors : null;
  return Array.isArray(errors) ? (errors as readonly FieldError[]) : [];
}

/**
 * The refusal of a list, told apart by the rows that it names; empty when it does not say which. `count`: how many rows
 * were sent.
 */
export function refusalsByRow(error: AppError, count: number): ReadonlyMap<number, AppError> {
  const found = new Map<number, FieldError[]>();
  for (const one of fieldErrors(error.details)) {
    const index = place.exec(one.field)?.[1];
    if (index === undefined || Number(index) >= count) return new Map();
    found.set(Number(index), [...(found.get(Number(index)) ?? []), one]);
  }
  return new Map(
    [...found].map(([index, errors]) => [index, new AppError(error.code, error.message, { errors })]),
  );
}
