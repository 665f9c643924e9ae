/** `bun run build:packages`: makes `dist/packages/{types,sdk,react}`, ready to publish: one ESM file with a source map, and declarations. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { root, run } from "./steps";

/** A package: its folder, its entries (published as `./<entry>`, `index` as `.`), and the guide that is its README. */
const packages = [
  { name: "types", folder: "sdk/protocol", entries: ["index"], client: false, guide: null },
  { name: "sdk", folder: "sdk", entries: ["index"], client: false, guide: "docs/sdk.md" },
  { name: "react", folder: "react", entries: ["index", "queries"], client: true, guide: "docs/react.md" },
] as const;

type Package = (typeof packages)[number];
type Manifest = {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: unknown;
};

const out = join(root, "dist/packages");
const declarations = join(out, ".declarations");

rmSync(out, { recursive: true, force: true });
mkdirSync(declarations, { recursive: true });
const emitted = await emitDeclarations();
if (emitted !== 0) process.exit(emitted);
for (const each of packages) await build(each);
rmSync(declarations, { recursive: true });

async function build(each: Package): Promise<void> {
  const folder = join(out, each.name);
  const manifest: Manifest = JSON.parse(readFileSync(join(root, each.folder, "package.json"), "utf8"));
  const { dependencies = {}, peerDependencies = {}, devDependencies: _, ...rest } = manifest;
  const result = await Bun.build({
    entrypoints: each.entries.map((entry) => join(root, each.folder, `${entry}.ts`)),
    outdir: folder,
    target: "browser",
    format: "esm",
    sourcemap: "linked",
    splitting: each.entries.length > 1,
    minify: { syntax: true },
    define: { "process.env.NODE_ENV": '"production"' },
    external: [...Object.keys(dependencies), ...Object.keys(peerDependencies)],
  });
  if (each.client) markAsClient(join(folder, "index.js"));
  copyDeclarations(each);
  const published = {
    ...rest,
    exports: Object.fromEntries(
      each.entries.map((entry) => [
        entry === "index" ? "." : `./${entry}`,
        { types: `./${entry}.d.ts`, default: `./${entry}.js` },
      ]),
    ),
    dependencies: Object.fromEntries(
      Object.entries(dependencies).map(([name, range]) => [
        name,
        range.startsWith("workspace:") ? manifest.version : range,
      ]),
    ),
    peerDependencies,
    files: ["*.js", "*.js.map", "**/*.d.ts", "README.md", "LICENSE"],
    engines: { node: ">=20" },
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  if (each.guide) copyFileSync(join(root, each.guide), join(folder, "README.md"));
  console.log(`dist/packages/${each.name}: ${result.outputs.length} files`);
}

/** Frameworks with server components must run the hooks on the client; the entry `queries` stays usable on both. */
function markAsClient(file: string): void {
  // The directive takes the place of an empty first line, so that the source map stays right.
  writeFileSync(file, `"use client";${readFileSync(file, "utf8").replace(/^(?!\n)/, " ")}`);
}

async function emitDeclarations(): Promise<number> {
  const config = join(out, ".declarations.json");
  const options = {
    extends: "../../tsconfig.json",
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rootDir: "../..",
      outDir: ".declarations",
      stripInternal: true,
      types: [],
      // Found through node_modules, a file would count as another's and get no declarations.
      paths: Object.fromEntries(
        packages.map(({ name, folder }) => [`@baasix/${name}`, [`../../${folder}/index.ts`]]),
      ),
    },
    files: packages.flatMap(({ folder, entries }) => entries.map((entry) => `../../${folder}/${entry}.ts`)),
    include: [],
  };
  writeFileSync(config, JSON.stringify(options));
  const code = await run([process.execPath, "x", "--no-install", "tsc", "-p", config]);
  rmSync(config);
  return code;
}

/** Declarations next to the code, with the extensions that Node's rules ask for in relative imports. */
function copyDeclarations({ name, folder }: Package): void {
  const from = join(declarations, folder);
  const inner = packages.map((other) => other.folder).filter((other) => other.startsWith(`${folder}/`));
  for (const path of readdirSync(from, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".d.ts") || inner.some((other) => `${folder}/${path}`.startsWith(`${other}/`)))
      continue;
    const target = join(out, name, path);
    mkdirSync(dirname(target), { recursive: true });
    const text = readFileSync(join(from, path), "utf8");
    const complete = text.replaceAll(
      /(from |import\()"(\.[^"]*)"/g,
      (_match, before: string, specifier: string) => {
        const file = existsSync(join(from, dirname(path), `${specifier}.d.ts`));
        return `${before}"${specifier}${file ? "" : "/index"}.js"`;
      },
    );
    writeFileSync(target, complete);
  }
}
