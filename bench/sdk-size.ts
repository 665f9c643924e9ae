/** `bun bench/sdk-size.ts`: what an application pays for the SDK and the hooks, minified and compressed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "bun";
import { printTable } from "./figures";

const root = join(import.meta.dir, "..");

/** What is bundled, and the limit in bytes after gzip, where there is one. */
const bundles = [
  {
    name: "core: sign-in, tokens and items",
    source: ["http", "session", "auth", "items"]
      .map((file) => `export * from "${root}/sdk/${file}";`)
      .join("\n"),
    limit: 10_000,
  },
  {
    name: "createBaasix: all of the client",
    source: `export { createBaasix } from "${root}/sdk/index";`,
    limit: 23_000,
  },
  {
    name: "hooks, without React, TanStack Query and the SDK",
    source: `export * from "${root}/react/index";`,
  },
] as const;

const folder = mkdtempSync(join(tmpdir(), "baasix-size-"));
const rows: string[][] = [];
let tooLarge = false;
for (const [index, bundle] of bundles.entries()) {
  const entry = join(folder, `${index}.ts`);
  writeFileSync(entry, bundle.source);
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    format: "esm",
    minify: true,
    external: [
      "react",
      "react/jsx-runtime",
      "@tanstack/react-query",
      ...(index === 2 ? ["@baasix/sdk"] : []),
    ],
  });
  const [output] = outputs;
  if (!output) throw new Error(`${bundle.name} gave no bundle`);
  const bytes = new Uint8Array(await output.arrayBuffer());
  const zipped = gzipSync(bytes, { level: 9 }).byteLength;
  const limit = "limit" in bundle ? bundle.limit : undefined;
  if (limit !== undefined && zipped > limit) tooLarge = true;
  rows.push([
    bundle.name,
    String(bytes.byteLength),
    String(zipped),
    limit === undefined ? "" : String(limit),
  ]);
}
rmSync(folder, { recursive: true });
printTable(["bundle", "bytes", "gzip", "at most"], rows);
if (tooLarge) process.exit(1);
