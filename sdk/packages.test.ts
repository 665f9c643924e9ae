/** The packages as they are published: compiled, typed under the rules of Node and of bundlers, and run by Node. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const folder = mkdtempSync(join(tmpdir(), "baasix-consumer-"));

const program = `
import { BaasixProvider, useItems } from "@baasix/react";
import { itemsQuery } from "@baasix/react/queries";
import { createBaasix } from "@baasix/sdk";

interface Product { id: string; name: string }
declare module "@baasix/react" {
  interface Register { collections: { products: Product } }
}
const baasix = createBaasix<{ products: Product }>({ url: "http://localhost" });
export function Names() {
  const { data } = useItems("products", { sort: "name" });
  return <BaasixProvider client={baasix}>{data?.data.map(({ name }) => name.trim())}</BaasixProvider>;
}
export const options = itemsQuery(baasix, "products");
// @ts-expect-error -- an unknown collection
baasix.items("nothing");
// @ts-expect-error -- an unknown field
itemsQuery(baasix, "products", { filter: { nam: "x" } });
`;
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
  writeFileSync(join(folder, "program.tsx"), program);
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
  const said = "function baasix http://localhost  items products list [object Object]\n";
  expect(run([process.execPath, "script.mjs"])).toBe(said);
  const node = Bun.which("node");
  if (node) expect(run([node, "script.mjs"])).toBe(said);
});
