/** The packages as they are published: compiled, typed under the rules of Node and of bundlers, and run by Node. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const folder = mkdtempSync(join(tmpdir(), "baasix-consumer-"));

const script = `
import { createBaasix } from "@baasix/sdk";
import { useItems } from "@baasix/react";
import { itemsQuery } from "@baasix/react/queries";
const baasix = createBaasix({ url: "http://localhost" });
console.log(typeof useItems, itemsQuery(baasix, "products").queryKey.join(" "));
`;

function run(command: readonly string[]): string {
  const { stdout, stderr } = Bun.spawnSync([...command], { cwd: folder });
  return stdout.toString() + stderr.toString();
}

beforeAll(() => {
  const built = Bun.spawnSync([process.execPath, "tasks/packages.ts"], { cwd: root });
  if (built.exitCode !== 0) throw new Error(built.stdout.toString() + built.stderr.toString());
  const modules = join(folder, "node_modules");
  mkdirSync(modules, { recursive: true });
  cpSync(join(root, "dist/packages"), join(modules, "@baasix"), { recursive: true });
  for (const name of ["react", "@tanstack", "@types"])
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  cpSync(join(import.meta.dir, "testing/program.tsx"), join(folder, "program.tsx"));
  writeFileSync(join(folder, "script.mjs"), script);
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("are typed for modules of the kind %s, resolved as %s", (module, moduleResolution) => {
  const compilerOptions = {
    module,
    moduleResolution,
    target: "es2022",
    lib: ["es2022", "dom"],
    jsx: "react-jsx",
    strict: true,
    skipLibCheck: false,
    types: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.tsx"] }));
  expect(run([process.execPath, "check", "-p", folder])).toStartWith("✓ No type errors");
});

test("run", () => {
  const said = "function baasix http://localhost   items products list [object Object]\n";
  expect(run([process.execPath, "script.mjs"])).toBe(said);
  const node = Bun.which("node");
  if (node) expect(run([node, "script.mjs"])).toBe(said);
});
