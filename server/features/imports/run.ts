/**
 * Rows of a file → items, through the door, in one transaction: batch by batch, the next one read while the database works.
 * A batch that is refused is taken apart until the rows that are wrong stand alone.
 */
import type { ErrorCode, ImportResult } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, WriteBody } from "../../data";
import { createSweeper } from "./garbage";
import { createReport, refusalsByRow, type Report, type RowWord } from "./report";
import type { Batch, ImportRow } from "./rows";
import type { FindTaken } from "./taken";

/** An import. `batches` reads the file from its start; it is called again when the transaction must begin again. */
export type Import = {
  readonly collection: string;
  readonly word: RowWord;
  readonly batches: () => AsyncGenerator<Batch>;
  readonly mode: "all" | "partial";
  readonly dryRun: boolean;
  /** Fields that are unique together, for rows that may be there. */
  readonly on?: readonly string[] | undefined;
  readonly findTaken?: FindTaken | null;
};

/** What an import did, or would do. `isWhole` false: it gave up before the end of the file, too much was wrong. */
export type Imported = { readonly results: ImportResult; readonly isWhole: boolean };

/** Rows that the database itself refuses are looked for one by one; with so many of them there is no use in going on. */
const mostRefusals = 500;

/**
 * Imports a file. With `mode: "all"` any wrong row undoes it all, with `dryRun` everything is undone.
 * @throws AppError IMPORT_FAILED with `details.results`, what the reader of the file throws, or what ends any transaction.
 */
export async function runImport(
  data: Data,
  actor: Actor,
  task: Import,
  signal?: AbortSignal,
): Promise<Imported> {
  try {
    return await data.transaction(
      async (rows) => {
        const report = createReport(task.word, task.on !== undefined);
        const isWhole = await writeAll(rows, actor, task, report);
        const results = report.results();
        const isLost = task.mode === "all" && results.failed > 0;
        const imported = { results: isLost ? none(results) : results, isWhole };
        if (task.dryRun) throw new Undone(imported);
        if (isLost) throw failed(imported, task.word);
        return imported;
      },
      { pool: "slow", ...(signal && { signal }) },
    );
  } catch (error) {
    if (error instanceof Undone) return error.imported;
    throw error;
  }
}

/** Ends a transaction that did what was asked of it. */
class Undone extends Error {
  override readonly name = "Undone";
  readonly imported: Imported;

  constructor(imported: Imported) {
    super("a dry run is undone");
    this.imported = imported;
  }
}

function none(results: ImportResult): ImportResult {
  return { ...results, imported: 0, ...(results.created !== undefined && { created: 0, updated: 0 }) };
}

function failed({ results, isWhole }: Imported, word: RowWord): AppError {
  const count = `${isWhole ? "" : "At least "}${results.failed} ${word}s`;
  return new AppError("IMPORT_FAILED", `Import failed. ${count} had errors. Transaction rolled back.`, {
    results,
  });
}

/** False when it gave up before the end of the file. */
async function writeAll(rows: Data, actor: Actor, task: Import, report: Report): Promise<boolean> {
  const { collection, on, findTaken } = task;
  const sweep = createSweeper();
  let refusals = 0;
  const isEnough = (): boolean => task.mode === "all" && refusals >= mostRefusals;

  const send = async (some: Data, bodies: readonly WriteBody[]): Promise<void> => {
    if (on === undefined) report.wrote((await some.create(actor, collection, bodies)).length, 0);
    else {
      const written = await some.upsert(actor, collection, { on }, bodies);
      const created = written.filter((one) => one.created).length;
      report.wrote(created, written.length - created);
    }
  };

  const write = async (list: readonly GoodRow[]): Promise<void> => {
    if (list.length === 0 || isEnough()) return;
    try {
      return await rows.attempt((some) =>
        send(
          some,
          list.map(({ body }) => body),
        ),
      );
    } catch (error) {
      if (!(error instanceof AppError) || !isOfRows(error)) throw error;
      const [only] = list;
      if (list.length === 1 && only) {
        refusals++;
        return report.refused(only, error);
      }
      const named = new Map(refusalsByRow(error, list.length));
      // An item that is changed by an upsert may have the value itself.
      if (named.size === 0 && findTaken && on === undefined) {
        const bodies = list.map(({ body }) => body);
        for (const index of await findTaken(rows, error, bodies)) named.set(index, error);
      }
      if (named.size === 0) {
        const half = list.length >> 1;
        await write(list.slice(0, half));
        return write(list.slice(half));
      }
      for (const [index, refusal] of named) {
        const row = list[index];
        if (row) report.refused(row, refusal);
      }
      return write(list.filter((_row, index) => !named.has(index)));
    }
  };

  for await (const batch of ahead(task.batches())) {
    for (const row of batch)
      if (row.body === null) report.refused(row, new AppError("INVALID_VALUE", row.error));
    await write(batch.filter(isGood));
    if (isEnough()) return false;
    sweep();
  }
  return true;
}

type GoodRow = ImportRow & { readonly body: WriteBody };

function isGood(row: ImportRow): row is GoodRow {
  return row.body !== null;
}

const rowCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "VALIDATION_ERROR",
  "REQUIRED_FIELD",
  "INVALID_VALUE",
  "UNKNOWN_FIELD",
  "UNIQUE_VIOLATION",
  "FOREIGN_KEY_VIOLATION",
  "FORBIDDEN",
  "NOT_FOUND",
  // Many rows with items inside them; fewer at once may do.
  "QUERY_TOO_COMPLEX",
]);

/** Whether an error is of the rows that were sent, and not of the moment: a deadlock ends the transaction. */
function isOfRows({ code, details, cause }: AppError): boolean {
  return rowCodes.has(code) || (code === "CONFLICT" && (details !== null || cause === undefined));
}

/** The same values, each asked for before the one before it is used up. */
async function* ahead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  const ask = (): Promise<IteratorResult<T>> => {
    const answer = source.next();
    // Whoever stops early never asks how this one went.
    answer.catch(() => {});
    return answer;
  };
  try {
    for (let answer = ask(); ;) {
      const { value, done } = await answer;
      if (done) return;
      answer = ask();
      yield value;
    }
  } finally {
    await source.return(undefined);
  }
}
