/** `baasix export`: writes the items of a collection to a file, as they arrive. */
import { rename, rm } from "node:fs/promises";
import { BaasixError } from "@baasix/sdk";
import { loginOptions, withClient } from "../api";
import { type Command, CommandError, type Invocation, UsageError, printResult, textOption } from "../command";

const formats = ["csv", "json", "ndjson"] as const;
type Format = (typeof formats)[number];

export const exportItems: Command = {
  name: "export",
  summary: "export the items of a collection as CSV, JSON or NDJSON",
  arguments: [{ name: "<collection>", description: "collection to read" }],
  options: [
    { flags: "-o, --output <file>", description: "file to write, - for stdout (default -)" },
    {
      flags: "--format <format>",
      description: "csv, json or ndjson (default: by the file's name, else ndjson)",
    },
    { flags: "--filter <json>", description: "which items, as in the query parameter" },
    { flags: "--fields <list>", description: "which fields, as in the query parameter" },
    { flags: "--sort <order>", description: "in which order, as in the query parameter" },
    ...loginOptions,
  ],
  examples: [
    "baasix export products -o products.csv --email you@example.com --password '…'",
    "baasix export products --format ndjson --fields id,name --sort -price",
    'baasix export products -o cheap.json --filter \'{"price":{"lt":10}}\'',
  ],
  run: async (invocation) => {
    const [collection = ""] = invocation.args;
    const file = textOption(invocation, "output") ?? "-";
    const format = formatOf(invocation, file);
    const filter = filterOf(invocation);
    if (file === "-" && invocation.options.json === true)
      throw new UsageError("--json is about a file; name one with -o");
    const bytes = await withClient(invocation, async (client) => {
      const [fields, sort] = [textOption(invocation, "fields"), textOption(invocation, "sort")];
      const query = {
        format,
        ...(filter && { filter }),
        ...(fields !== undefined && { fields }),
        ...(sort !== undefined && { sort }),
      };
      try {
        const stream = await client.items(collection).export(query);
        return await (file === "-" ? print(invocation, stream) : save(file, stream));
      } catch (error) {
        if (error instanceof BaasixError && error.status > 0) throw new CommandError(error.message);
        throw error;
      }
    });
    if (file !== "-")
      printResult(invocation, { file, format, bytes }, [
        `Wrote ${file} (${bytes.toLocaleString("en-US")} bytes)`,
      ]);
    return 0;
  },
};

function formatOf(invocation: Invocation, file: string): Format {
  const given = textOption(invocation, "format");
  if (given === undefined) return formats.find((name) => file.toLowerCase().endsWith(`.${name}`)) ?? "ndjson";
  const format = formats.find((name) => name === given);
  if (!format) throw new UsageError(`unknown format '${given}'; known are ${formats.join(", ")}`);
  return format;
}

function filterOf(invocation: Invocation): Record<string, never> | null {
  const text = textOption(invocation, "filter");
  if (text === undefined) return null;
  try {
    const filter: unknown = JSON.parse(text);
    if (typeof filter === "object" && filter !== null) return filter as Record<string, never>;
  } catch {
    // Said below.
  }
  throw new UsageError(`--filter takes JSON, like '{"price":{"lt":10}}'`);
}

async function print({ terminal }: Invocation, stream: ReadableStream<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    await terminal.bytes(chunk);
  }
  return size;
}

/** All of the file or none: what breaks off leaves what was there before. */
async function save(file: string, stream: ReadableStream<Uint8Array>): Promise<number> {
  const draft = `${file}.part`;
  try {
    const writer = Bun.file(draft).writer();
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.byteLength;
      writer.write(chunk);
      await writer.flush();
    }
    await writer.end();
    await rename(draft, file);
    return size;
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof BaasixError || !(error instanceof Error)) throw error;
    throw new CommandError(`cannot write ${file} (${error.message})`);
  }
}
