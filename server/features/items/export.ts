/** A whole list as a file: streamed batch by batch, so that it has no bound but the caller's patience. */
import { stringify } from "csv-stringify/sync";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { isAggregate } from "../../core/query/aggregate";
import type { Collection } from "../../core/schema/model";
import type { Data, RawQuery } from "../../data";
import { writeCell } from "./cell";

type Format = {
  readonly type: string;
  readonly start: string;
  /** What a file of no items has between start and end; `names` of what they would show. */
  readonly none?: (names: readonly string[]) => string;
  /** The text of a batch of JSON rows; `first`: nothing was written before. */
  readonly rows: (rows: readonly string[], first: boolean, collection: Collection | undefined) => string;
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
  [
    "csv",
    {
      type: "text/csv; charset=utf-8; header=present",
      start: "",
      none: (names) => (names.length > 0 ? stringify([names]) : ""),
      rows: csvRows,
      end: "",
    },
  ],
]);

/** The names of `export=`. */
const exportFormats: readonly string[] = [...formats.keys()];

/**
 * Answers all items that match, with the fields and expansions of a list read, or all groups: `ndjson`, `json` or `csv`
 * (RFC 4180; the columns are the fields, cells as in `cell.ts`). `described`: the collection, for the types of its fields.
 * @throws AppError as a list read, before the first byte is sent; an error later breaks the connection off.
 */
export async function exportItems(
  { data, described }: { readonly data: Data; readonly described: Collection | undefined },
  actor: Actor,
  collection: string,
  { export: name, ...query }: RawQuery & { readonly export?: unknown },
  signal: AbortSignal,
): Promise<Response> {
  const format = typeof name === "string" ? formats.get(name) : undefined;
  if (!format) throw new AppError("INVALID_QUERY", `export: expected ${exportFormats.join(", ")}`);
  const batches = isAggregate(query)
    ? allGroups(data, actor, collection, query, signal)
    : data.stream(actor, collection, query, signal);
  // The first batch is read before the answer begins: what is refused is refused with its status.
  const first = await batches.next();
  const body = new ReadableStream<string>({
    start: (controller) => {
      const { start, none, rows } = format;
      controller.enqueue(
        start + (first.done ? (none?.(first.value) ?? "") : rows(first.value, true, described)),
      );
    },
    pull: async (controller) => {
      const next = first.done ? first : await batches.next();
      if (!next.done) return controller.enqueue(format.rows(next.value, false, described));
      if (format.end !== "") controller.enqueue(format.end);
      controller.close();
    },
    cancel: () => void batches.return([]),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: {
      "content-type": format.type,
      "content-disposition": `attachment; filename="${collection}.${name}"`,
      "cache-control": "no-store",
    },
  });
}

/** The groups of one answer. @throws AppError QUERY_TOO_COMPLEX when there are more, and nobody asked for a part of them. */
async function* allGroups(
  data: Data,
  actor: Actor,
  collection: string,
  query: RawQuery,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], readonly string[]> {
  const { json, totalCount, truncated } = await data.read(actor, collection, query, signal);
  const groups = (JSON.parse(json) as readonly unknown[]).map((group) => JSON.stringify(group));
  const isPart = query.limit !== undefined || query.page !== undefined || query.offset !== undefined;
  if (truncated || (!isPart && totalCount !== null && totalCount > groups.length)) {
    throw new AppError("QUERY_TOO_COMPLEX", `export: there are more than ${groups.length} groups`);
  }
  if (groups.length > 0) yield groups;
  return [];
}

function csvRows(rows: readonly string[], first: boolean, collection: Collection | undefined): string {
  const items = rows.map((row) => JSON.parse(row) as Record<string, unknown>);
  const keys = Object.keys(items[0] ?? {});
  const fields = keys.map((key) => collection?.fields.get(key));
  return stringify(
    items.map((item) => keys.map((key, i) => writeCell(item[key], fields[i]))),
    {
      // An empty text stands in quotes; nothing stands for null.
      quoted_match: /^$/,
      ...(first && { header: true, columns: keys.map((key) => ({ key })) }),
    },
  );
}
