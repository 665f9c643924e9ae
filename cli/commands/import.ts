/** `baasix import`: sends a file of items to a running server, as it is read, and tells what came of it. */
import { type Baasix, BaasixError } from "@baasix/sdk";
import type { ImportAnswer, ImportResult } from "@baasix/types";
import { loginOptions, serverUrl, withClient } from "../api";
import { type Command, CommandError, type Invocation, UsageError, printResult, textOption } from "../command";

type Format = { readonly endings: readonly string[]; readonly route: string; readonly type: string };

/** What can be sent, by the names of `--format`. */
const formats: Readonly<Record<string, Format>> = {
  csv: { endings: [".csv"], route: "import-csv", type: "text/csv" },
  json: { endings: [".json"], route: "import-json", type: "application/json" },
  ndjson: { endings: [".ndjson", ".jsonl"], route: "import-json", type: "application/x-ndjson" },
};

/** How long one file may take, ms: as long as the server waits for it, and its transaction. */
const patience = 12 * 60_000;
/** Rows that are told on a terminal; `--json` has the hundred that the server tells. */
const mostTold = 20;

export const importItems: Command = {
  name: "import",
  summary: "import items from a CSV or JSON file, all of them or none",
  arguments: [
    { name: "<collection>", description: "collection that the items go to" },
    { name: "<file>", description: "file to read, - for stdin; the server takes 50 MiB (IMPORT_LIMIT)" },
  ],
  options: [
    { flags: "--format <format>", description: "csv, json or ndjson (default: by the file's name)" },
    { flags: "--partial", description: "import the good rows and tell the others, instead of all or none" },
    { flags: "--dry-run", description: "do everything, tell what would happen, and write nothing" },
    { flags: "--upsert <fields>", description: "unique fields by which items that are there are changed" },
    { flags: "--delimiter <sign>", description: "between cells of CSV: , ; | or tab (default ,)" },
    { flags: "--empty <meaning>", description: "what an empty text means: null or text" },
    ...loginOptions,
  ],
  examples: [
    "baasix import products products.csv --email you@example.com --password '…'",
    "baasix import products products.csv --dry-run",
    "baasix import products - --format ndjson --upsert sku --partial",
  ],
  run: async (invocation) => {
    const [collection = "", file = ""] = invocation.args;
    const format = formatOf(invocation, file);
    const query = queryOf(invocation);
    const bytes = await openFile(invocation, file);
    const report = await withClient(invocation, (client) =>
      send(invocation, client, { collection, format, query, bytes }),
    );
    const { failed, errors } = report.results;
    printResult(invocation, report, [report.message]);
    const { talk } = invocation.terminal;
    for (const { row, item, error } of errors.slice(0, mostTold))
      talk(row === undefined ? `item ${item}: ${error}` : `row ${row}: ${error}`);
    if (failed > mostTold) talk(`… and ${failed - Math.min(mostTold, errors.length)} more`);
    return failed > 0 ? 1 : 0;
  },
};

function formatOf(invocation: Invocation, file: string): Format {
  const name = textOption(invocation, "format");
  const names = Object.keys(formats).join(", ");
  if (name !== undefined) {
    const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (!format) throw new UsageError(`unknown format '${name}'; known are ${names}`);
    return format;
  }
  const found = Object.values(formats).find(({ endings }) =>
    endings.some((ending) => file.toLowerCase().endsWith(ending)),
  );
  if (!found) throw new UsageError(`what format is '${file}'? Say it with --format: ${names}`);
  return found;
}

function queryOf(invocation: Invocation): URLSearchParams {
  const { options } = invocation;
  const query = new URLSearchParams();
  if (options.partial === true) query.set("mode", "partial");
  if (options.dryRun === true) query.set("dryRun", "true");
  for (const [option, name] of [
    ["upsert", "on"],
    ["delimiter", "delimiter"],
    ["empty", "empty"],
  ] as const) {
    const value = textOption(invocation, option);
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

/** `size` in bytes, null where it is not known before the end. */
type Source = { readonly stream: ReadableStream<Uint8Array>; readonly size: number | null };

async function openFile(invocation: Invocation, file: string): Promise<Source> {
  if (file === "-") return { stream: invocation.terminal.input(), size: null };
  const source = Bun.file(file);
  try {
    const facts = await source.stat();
    if (facts.isDirectory()) throw new Error("it is a folder");
    return { stream: source.stream(), size: facts.isFile() ? facts.size : null };
  } catch (error) {
    throw new CommandError(`cannot read ${file} (${error instanceof Error ? error.message : String(error)})`);
  }
}

type Shipment = {
  readonly collection: string;
  readonly format: Format;
  readonly query: URLSearchParams;
  readonly bytes: Source;
};

async function send(
  invocation: Invocation,
  client: Baasix,
  { collection, format, query, bytes }: Shipment,
): Promise<ImportAnswer> {
  const url = serverUrl(invocation);
  const token = await client.auth.getToken();
  let response: Response;
  try {
    response = await fetch(`${url}/items/${encodeURIComponent(collection)}/${format.route}?${query}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": format.type },
      body: watched(invocation, bytes),
      signal: AbortSignal.timeout(patience),
    });
  } catch (cause) {
    throw new BaasixError("no answer", { status: 0, code: "NETWORK_ERROR", cause });
  } finally {
    invocation.terminal.status(null);
  }
  const answer = (await response.json().catch(() => null)) as ImportAnswer | Failure | null;
  if (answer !== null && "results" in answer) return answer;
  const error = answer?.error;
  if (error?.details?.results)
    return { success: false, message: error.message, results: error.details.results };
  throw new CommandError(`${url} refused: ${error?.message ?? `status ${response.status}`}`);
}

type Failure = {
  readonly error?: {
    readonly message: string;
    readonly details?: { readonly results?: ImportResult } | null;
  };
};

/** The bytes, with a line on the terminal that says how many are gone. */
function watched({ terminal }: Invocation, { stream, size }: Source): ReadableStream<Uint8Array> {
  let sent = 0;
  let told = "";
  const tell = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      sent += chunk.byteLength;
      const line = `sent ${megabytes(sent)}${size === null ? "" : ` of ${megabytes(size)}`}`;
      if (line !== told) terminal.status(line);
      told = line;
      controller.enqueue(chunk);
    },
    flush: () => terminal.status(`sent ${megabytes(sent)}; the server writes …`),
  });
  return stream.pipeThrough(tell);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
