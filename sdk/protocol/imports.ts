/** Answers of `POST /items/:collection/import-csv` and `…/import-json`. */
import type { ErrorCode } from "./errors";
import type { GenericItem } from "./values";

/**
 * What was not imported, and why: a `row` of a CSV file or an `item` of JSON, counted from 1; `code` is that of a single
 * write. `data`: what was sent, null where that is too long to repeat.
 */
export type ImportError = {
  readonly row?: number;
  readonly item?: number;
  readonly data: GenericItem | null;
  readonly error: string;
  readonly code: ErrorCode;
};

/**
 * What came of an import, or would come of it: `created` and `updated` make up what was imported `on` fields; `errors` lists
 * the first 100 that failed.
 */
export type ImportResult = {
  readonly imported: number;
  readonly created?: number;
  readonly updated?: number;
  readonly failed: number;
  readonly errors: readonly ImportError[];
};

/** Answer of an import, `dryRun` of one that wrote nothing. One that failed has `results` in the details of its error. */
export type ImportAnswer = {
  readonly success: boolean;
  readonly dryRun?: true;
  readonly message: string;
  readonly results: ImportResult;
};
