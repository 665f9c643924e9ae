/** What a reader of a file gives: rows in batches, bounded in number and in bytes. */
import type { WriteBody } from "../../data";

/** A row of the file. `number` counts from 1, without the header and blank lines; `sent`: the row for the report. */
export type ImportRow = { readonly number: number; readonly sent: () => unknown } & (
  { readonly body: WriteBody } | { readonly body: null; readonly error: string }
);

/** Rows that are written by one statement: at most `batchRows`, and about `batchBytes`. */
export type Batch = readonly ImportRow[];

/** Reads a file. `chunks` gives its bytes from the start, whenever it is called. */
export type ReadRows = (chunks: () => AsyncIterable<Uint8Array>) => AsyncGenerator<Batch>;

export const batchRows = 1000;
const batchBytes = 4 * 1024 * 1024;
/** Bytes of one row. */
export const rowLimit = 1024 * 1024;
/** Rows of one file. */
export const mostRows = 1_000_000;

/** Gathers rows into batches. */
export type Gatherer = {
  /** `size`: about as many bytes as the row has in the file, or takes. */
  readonly add: (row: ImportRow, size: number) => void;
  /** The batches that are full; with `all` what is left, too. */
  readonly take: (all?: true) => readonly Batch[];
};

export function gatherRows(): Gatherer {
  const full: Batch[] = [];
  let batch: ImportRow[] = [];
  let bytes = 0;
  const close = (): void => {
    if (batch.length > 0) full.push(batch);
    batch = [];
    bytes = 0;
  };
  return {
    add: (row, size) => {
      batch.push(row);
      bytes += size;
      if (batch.length === batchRows || bytes >= batchBytes) close();
    },
    take: (all) => {
      if (all) close();
      return full.splice(0);
    },
  };
}
