/** One import from its request to its answer. */
import type { ImportAnswer } from "@baasix/types";
import pLimit, { type LimitFunction } from "p-limit";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { findCollection, findColumn } from "../../core/query/plan";
import type { Collection, Schema } from "../../core/schema/model";
import type { CountOn, Data } from "../../data";
import { readQueryString } from "../../http";
import type { Spool } from "../../platform/storage";
import type { Idempotency } from "../idempotency";
import { watchCounted } from "./counted";
import { csvRows } from "./csv";
import { jsonRows } from "./json";
import { type ImportOptions, readOptions } from "./model";
import { type FileKind, type Received, receiveFile } from "./receive";
import type { RowWord } from "./report";
import type { ReadRows } from "./rows";
import { type Imported, runImport } from "./run";
import { createSeats, type Seats } from "./seats";
import { findTakenFor } from "./taken";
import { tenantOfRows } from "./tenant";

/** What imports need. `maxBytes` of a file; `connections`: how many imports may write at a time. */
export type ImportParts = {
  readonly data: Data;
  readonly once: Idempotency["once"];
  readonly countOn: CountOn;
  readonly schema: () => Schema;
  readonly spool: Spool;
  readonly maxBytes: number;
  readonly connections: number;
};

/** A kind of file: how it is recognised, and how its rows are read. */
type Format = FileKind & {
  readonly word: RowWord;
  readonly reader: (
    collection: Collection,
    received: Received,
    options: ImportOptions,
    data: Data,
    actor: Actor,
  ) => ReadRows;
};

const lineTypes: readonly string[] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/** The formats, by the name of their route. */
const formats = {
  csv: {
    name: "CSV",
    word: "row",
    part: "csvFile",
    endings: [".csv", ".tsv"],
    types: ["text/csv", "application/csv", "application/vnd.ms-excel"],
    reader: (collection, _received, { delimiter, empty, on }, data, actor) =>
      csvRows(collection, {
        delimiter,
        emptyIsNull: empty === "null",
        // All rows have the same columns: one refusal, and not one for each row. With `on` it depends on the row.
        onHeader: (names) => {
          if (on !== undefined) return;
          const fields = names.filter((name) => collection.fields.get(name)?.managed === null);
          data.requireRight(actor, collection.name, "create", fields);
        },
      }),
  },
  json: {
    name: "JSON",
    word: "item",
    part: "jsonFile",
    endings: [".json", ".ndjson", ".jsonl"],
    types: ["application/json", ...lineTypes],
    reader: (_collection, { type, fileName }, { empty }) =>
      jsonRows({
        lines: lineTypes.includes(type) || /\.(ndjson|jsonl)$/.test(fileName),
        emptyIsNull: empty !== "text",
      }),
  },
} as const satisfies Record<string, Format>;

/** Imports the file of a request; `uploaded` is called when all of it is here. */
export type ImportItems = (
  format: keyof typeof formats,
  actor: Actor,
  collection: string,
  request: Request,
  uploaded: () => void,
) => Promise<Response>;

/**
 * Makes the function that the routes call.
 * @throws AppError UNAUTHORIZED without an account, FORBIDDEN before the file is read, IMPORT_FAILED, or what is wrong with
 * the file, the options or the moment.
 */
export function createImports(parts: ImportParts): ImportItems {
  const running = { take: createSeats(), limit: pLimit(parts.connections) };
  return async (format, actor, collection, request, uploaded) => {
    if (actor.kind !== "user") {
      throw new AppError("UNAUTHORIZED", "Authentication required for import operations");
    }
    requireSome(parts.data, actor, collection);
    return importFile({ ...parts, ...running }, formats[format], actor, collection, request, uploaded);
  };
}

/** Before the file is read: who may only change items may name them by `on`, which a form says behind the file. */
function requireSome(data: Data, actor: Actor, collection: string): void {
  try {
    data.requireRight(actor, collection, "update");
  } catch {
    data.requireRight(actor, collection, "create");
  }
}

type Running = ImportParts & { readonly take: Seats; readonly limit: LimitFunction };

async function importFile(
  { data, once, countOn, schema, spool, maxBytes, take, limit }: Running,
  format: Format,
  actor: Actor & { readonly kind: "user" },
  collection: string,
  request: Request,
  uploaded: () => void,
): Promise<Response> {
  const query = readQueryString(request.url);
  // Wrong options are told before the file is read; those of a form stand behind it.
  readOptions(query);
  const seat = take(actor.id);
  try {
    const received = await receiveFile(spool, request, format, maxBytes);
    try {
      uploaded();
      seat.arrived();
      const options = readOptions({ ...Object.fromEntries(received.fields), ...query });
      if (options.on === undefined) data.requireRight(actor, collection, "create");
      let given: readonly string[] = [];
      const work = async (rows: Data): Promise<Response> => {
        const described = findCollection(schema(), collection);
        // Else each row would be told the same.
        options.on?.forEach((name, i) => findColumn(described, name, `on[${i}]`));
        const tenant = tenantOfRows(described, actor, options.tenant);
        const counted = watchCounted(described);
        const reader = () =>
          counted.watch(
            tenant.fill(format.reader(described, received, options, data, actor)(received.file.chunks)),
          );
        const imported = await runImport(
          rows,
          actor,
          {
            ...options,
            collection,
            word: format.word,
            batches: reader,
            findTaken: findTakenFor(described, actor),
          },
          request.signal,
        );
        given = counted.given();
        return Response.json(answer(imported, options, format.word));
      };
      const body = { digest: received.file.digest, options };
      // What leaves nothing behind has nothing to repeat.
      return await limit(async () => {
        if (options.dryRun) return work(data);
        const answered = await once({ actor, request, body, slow: true }, work);
        // The items are there, whatever becomes of the next number.
        if (given.length > 0) await countOn(collection, given).catch(() => {});
        return answered;
      });
    } finally {
      await received.file.close();
    }
  } finally {
    seat.leave();
  }
}

function answer(
  { results, isWhole }: Imported,
  { dryRun, mode }: ImportOptions,
  word: RowWord,
): ImportAnswer {
  const { imported, failed } = results;
  const bad = `${isWhole ? "" : "At least "}${failed} ${word}s`;
  if (!dryRun) {
    const message = `Successfully imported ${imported} items`;
    return { success: true, message: failed > 0 ? `${message}. ${bad} had errors.` : message, results };
  }
  const success = failed === 0 || mode === "partial";
  const told = success ? `${imported} items would be imported` : "the import would fail";
  const message = `Dry run: ${told}${failed > 0 ? `. ${bad} have errors` : ""}. Nothing was written.`;
  return { success, dryRun: true, message, results };
}
