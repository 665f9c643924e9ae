/**
 * Build step: packs the libvips of the registry for the executable, which unpacks it beside its data. Does nothing when
 * the archive of the installed version is there.
 */
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import type { LibraryManifest } from "./library";

const outputs = join(import.meta.dir, "bundle");
/** 18.7 MB become 7.6 in less than a second; 19 makes them 6.9 in 11 s, which every fresh clone would wait for. */
const level = 10;

/**
 * Makes `bundle/libvips.so.zst` and `bundle/manifest.json` unless they are there for the installed package.
 * @throws Error naming the missing package
 */
async function ensureLibrary(): Promise<void> {
  const path = findLibrary();
  const bytes = await Bun.file(path).bytes();
  const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 12);
  const manifest: LibraryManifest = { name: `${hash}-${basename(path)}`, size: bytes.byteLength };
  const text = `${JSON.stringify(manifest)}\n`;
  const known = Bun.file(join(outputs, "manifest.json"));
  if (existsSync(join(outputs, "libvips.so.zst")) && (await known.exists()) && (await known.text()) === text)
    return;
  mkdirSync(outputs, { recursive: true });
  await publish("libvips.so.zst", await Bun.zstdCompress(bytes, { level }));
  await publish("manifest.json", text); // last: it says that the other is whole
}

/** The library that sharp's addon was linked with: the addon's own package depends on it. */
function findLibrary(): string {
  const name = `@img/sharp-libvips-${process.platform}-${process.arch}`;
  try {
    const sharp = createRequire(import.meta.url).resolve("sharp");
    return createRequire(sharp).resolve(`${name}/binary`);
  } catch {
    throw new Error(`${name} is not installed: run \`bun install\``);
  }
}

/** Whole or not at all, also beside another process that does the same. */
async function publish(name: string, content: string | Uint8Array): Promise<void> {
  const draft = join(outputs, `${name}.${process.pid}`);
  await Bun.write(draft, content);
  renameSync(draft, join(outputs, name));
}

if (import.meta.main) await ensureLibrary();
