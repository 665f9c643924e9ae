/** `bun run build`: makes `dist/baasix`, one executable with the server, the command line, PostgreSQL and the docs page. */
import { statSync } from "node:fs";
import { bun, prepare, root } from "./steps";

/** The size we promise, in bytes. */
const limit = 170_000_000;
const outfile = "dist/baasix";

/** Why each flag: docs/decisions/0002-one-executable.md. */
const flags = [
  "--compile",
  "--splitting",
  "--minify-syntax",
  "--minify-whitespace",
  "--bytecode",
  "--sourcemap",
  "--format=esm",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-dotenv",
  // Carried packed (`server/platform/images/bundle.ts`).
  "--external=@img/sharp-libvips-*/binary",
];

if (!(await prepare())) process.exit(1);
const code = await bun(["build", ...flags, "cli/main.ts", "--outfile", outfile]);
if (code !== 0) process.exit(code);
const { size } = statSync(`${root}/${outfile}`);
console.log(`${outfile}: ${(size / 1e6).toFixed(1)} MB (at most ${limit / 1e6})`);
if (size > limit) {
  console.error(`${outfile} is larger than it may be`);
  process.exit(1);
}
