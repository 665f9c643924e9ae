/** Items from files: what is sent, and what came of it. */
import type { ImportAnswer, ImportResult } from "@baasix/types";
import { appendFile, type NativeFile } from "./files";
import { type Http, type OnProgress, transferTimeout, type WriteOptions } from "./http";

/** How items are imported. */
export type ImportOptions = WriteOptions & {
  /** `all` (default): one bad row, and nothing is written. `partial`: good rows are written, bad ones told. */
  readonly mode?: "all" | "partial";
  /** Does everything, tells what would come of it, and writes nothing. */
  readonly dryRun?: boolean;
  /** The unique fields by which items that are there already are found and changed. */
  readonly on?: string | readonly string[];
  /** What an empty text means; by default null, but for a cell `""` of a CSV file. */
  readonly empty?: "null" | "text";
};

/** The same for files. `delimiter` (default `,`): what stands between the cells of CSV. */
export type ImportFileOptions = ImportOptions & {
  readonly delimiter?: "," | ";" | "|" | "\t";
  readonly onProgress?: OnProgress;
};

/** A file, one of React Native, or the text of one. */
export type ImportFile = Blob | NativeFile | string;

/** Sends a file, or a list of items. @throws BaasixError IMPORT_FAILED with `details.results`, an `ImportResult` */
export async function sendImport(
  http: Http,
  collection: string,
  kind: "csv" | "json",
  source: ImportFile | readonly unknown[],
  { mode, dryRun, on, empty, delimiter, ...options }: ImportFileOptions = {},
): Promise<ImportResult> {
  const { results } = await http<ImportAnswer>({
    timeout: transferTimeout,
    ...options,
    method: "POST",
    path: `${collection}/import-${kind}`,
    query: { mode, dryRun, on: typeof on === "object" ? on.join() : on, empty, delimiter },
    body: isList(source) ? source : formOf(kind, source),
  });
  return results;
}

function formOf(kind: "csv" | "json", source: ImportFile): FormData {
  const form = new FormData();
  const file = typeof source === "string" ? new Blob([source]) : source;
  appendFile(form, `${kind}File`, file, { unnamed: `items.${kind}` });
  return form;
}

function isList(source: ImportFile | readonly unknown[]): source is readonly unknown[] {
  return Array.isArray(source);
}
