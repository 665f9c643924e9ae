/** A whole list as a file: streamed batch by batch, so that it has no bound but the caller's patience. */
import { stringify } from "csv-stringify/sync";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, RawQuery } from "../../data";

type Format = {
  readonly type: string;
  readonly start: string;
  /** The text of a batch of JSON rows; `first`: nothing was written before. */
  readonly rows: (rows: readonly string[], first: boolean) => string;
  readonly end: string;
};

const formats: ReadonlyMap<string, Format> = new Map<string, Format>([
  [
    "ndjson",
    {
      type: "application/x-ndjson; charset=utf-8",
      start: "",
      rows: (rows) => `${rows.join("\n")}\n`,
      end: "",
    },
  ],
  [
    "json",
    {
      type: "application/json; charset=utf-8",
      start: "[",
      rows: (rows, first) => (first ? "" : ",\n") + rows.join(",\n"),
      end: "]\n",
    },
  ],
  ["csv", { type: "text/csv; charset=utf-8; header=present", start: "", rows: csvRows, end: "" }],
]);

/** The names of `export=`. */
export const exportFormats: readonly string[] = [...formats.keys()];

/**
 * Answers all items that match, with the fields and expansions of a list read: `ndjson`, `json` or `csv` (RFC 4180; the
 * columns are the fields, lists and objects are JSON text in their cell, and a cell that a spreadsheet would take for a
 * formula begins with `'`).
 * @throws AppError as a list read, before the first byte is sent; an error later breaks the connection off.
 */
export async function exportItems(
  data: Data,
  actor: Actor,
  collection: string,
  { export: name, ...query }: RawQuery & { readonly export?: unknown },
  signal: AbortSignal,
): Promise<Response> {
  const format = typeof name === "string" ? formats.get(name) : undefined;
  if (!format) throw new AppError("INVALID_QUERY", `export: expected ${exportFormats.join(", ")}`);
  const batches = data.stream(actor, collection, query, signal);
  // The first batch is read before the answer begins: what is refused is refused with its status.
  const first = await batches.next();
  const body = new ReadableStream<string>({
    start: (controller) => {
      controller.enqueue(format.start + (first.done ? "" : format.rows(first.value, true)));
    },
    pull: async (controller) => {
      const next = first.done ? first : await batches.next();
      if (!next.done) return controller.enqueue(format.rows(next.value, false));
      if (format.end !== "") controller.enqueue(format.end);
      controller.close();
    },
    cancel: () => void batches.return(undefined),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: {
      "content-type": format.type,
      "content-disposition": `attachment; filename="${collection}.${name}"`,
      "cache-control": "no-store",
    },
  });
}

function csvRows(rows: readonly string[], first: boolean): string {
  const items = rows.map((row) => JSON.parse(row) as Record<string, unknown>);
  return stringify(
    items.map((item) => Object.values(item).map(cell)),
    first ? { header: true, columns: Object.keys(items[0] ?? {}).map((key) => ({ key })) } : {},
  );
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return JSON.stringify(value);
  const text = String(value);
  const formula = typeof value === "string" && /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text);
  return formula ? `'${text}` : text;
}
