/** The examples of the guides hold: every block is type checked as a reader would write it. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

/** The types that `baasix generate` would write for the collections of the examples. */
const generated = `
export interface Category { id: string; name: string; products?: Product[] }
export interface Product {
  id: string; name: string; price: \`\${number}\` | null; createdAt: string;
  category_Id: string | null; category?: Category | null;
}
export interface BaasixCollections { products: Product; categories: Category }
`;
const nativeStorage = `
declare module "@react-native-async-storage/async-storage" {
  const storage: import("@baasix/sdk").AsyncStorageLike;
  export { storage as default };
}`;
/** Blocks that stand by themselves begin with imports; the others go on from the first. */
function modules(guide: string): { name: string; source: string }[] {
  const blocks = [...guide.matchAll(/```(tsx?)\n([^]*?)```/g)].map(([, kind = "ts", code = ""]) => ({
    kind,
    code,
  }));
  const [first] = blocks;
  return blocks.map(({ kind, code }, index) => {
    const goesOn = first !== undefined && index > 0 && /\bbaasix\s*\./.test(code);
    const imports = [...code.matchAll(/^import [^;]*;$/gm)].map(([line]) => line);
    const body = code.replaceAll(/^import [^;]*;$/gm, "");
    const source = goesOn
      ? `${first.code}\n${imports.join("\\n")}\nexport async function block() {\n${body}\n}`
      : code;
    return { name: `block-${index}.${kind}`, source: `${source}\nexport {};\n` };
  });
}

test.each(["docs/sdk.md", "docs/react.md"])("%s", async (path) => {
  const guide = await Bun.file(join(root, path)).text();
  // Inside the tree, so that the packages are found.
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist/guides-"));
  try {
    const files = modules(guide);
    expect(files.length).toBeGreaterThan(4);
    for (const { name, source } of files) writeFileSync(join(folder, name), source);
    writeFileSync(join(folder, "baasix.ts"), generated);
    writeFileSync(join(folder, "native.d.ts"), nativeStorage);
    const tsconfig = {
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false },
      include: ["."],
      exclude: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const checked = Bun.spawnSync([process.execPath, "check", "--no-script", "-p", folder], { cwd: root });
    expect(checked.stdout.toString()).toBe("");
    expect(checked.exitCode).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
