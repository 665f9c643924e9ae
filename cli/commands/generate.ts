/** `baasix generate`: writes TypeScript types (or the definitions) of a running server's collections. */
import { fetchSchemas, loginOptions } from "../api";
import { type Command, CommandError, type Invocation, UsageError, printResult, textOption } from "../command";
import { generateTypes } from "../typegen";
import type { SchemaRecord } from "@baasix/types";

/** What can be generated: how it is written, and where to when nothing is said. */
const targets: {
  readonly [target: string]: {
    readonly file: string;
    readonly write: (schemas: readonly SchemaRecord[]) => string;
  };
} = {
  types: { file: "baasix.d.ts", write: generateTypes },
  "schema-json": { file: "schemas.json", write: (schemas) => `${JSON.stringify(schemas, null, 2)}\n` },
};

export const generate: Command = {
  name: "generate",
  aliases: ["gen"],
  summary: "write TypeScript types of the collections",
  options: [
    {
      flags: "-o, --output <file>",
      description: "file to write, - for stdout (default baasix.d.ts or schemas.json)",
    },
    {
      flags: "-t, --target <target>",
      description: `what to write: ${Object.keys(targets).join(" or ")} (default types)`,
    },
    { flags: "--check", description: "write nothing; exit 1 when the file is not up to date" },
    ...loginOptions,
  ],
  examples: [
    "baasix generate --email you@example.com --password '…' -o src/baasix.d.ts",
    "baasix generate -t schema-json -o -",
    "baasix generate --check",
  ],
  run: async (invocation) => {
    const name = textOption(invocation, "target") ?? "types";
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
    if (!target)
      throw new UsageError(`unknown target '${name}'; known are ${Object.keys(targets).join(" and ")}`);
    const file = textOption(invocation, "output") ?? target.file;
    const check = invocation.options.check === true;
    if (file === "-" && check) throw new UsageError("--check compares with a file; name one with -o");
    const schemas = await fetchSchemas(invocation);
    const text = target.write(schemas);
    if (file === "-") {
      invocation.terminal.document(text);
      return 0;
    }
    const own = schemas.filter(({ collectionName }) => !collectionName.startsWith("baasix_"));
    return await put(invocation, { file, text, check, collections: own.length });
  },
};

type Output = {
  readonly file: string;
  readonly text: string;
  readonly check: boolean;
  readonly collections: number;
};

async function put(invocation: Invocation, { file, text, check, collections }: Output): Promise<number> {
  const before = await Bun.file(file)
    .text()
    .catch(() => null);
  const changed = before !== text;
  if (check) {
    printResult(invocation, { file, changed, collections }, changed ? [] : [`${file} is up to date`]);
    if (changed)
      invocation.terminal.talk(`baasix: ${file} is not up to date; run: baasix generate -o ${file}`);
    return changed ? 1 : 0;
  }
  try {
    if (changed) await Bun.write(file, text);
  } catch (error) {
    throw new CommandError(
      `cannot write ${file} (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  printResult(invocation, { file, changed, collections }, [
    `${changed ? "Wrote" : "Unchanged:"} ${file} (${collections} collections)`,
  ]);
  return 0;
}
