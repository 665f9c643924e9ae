/** Loads sharp, also from inside the executable, where its addon cannot find the libvips it was linked with. */
import { dlopen } from "bun:ffi";
import { chmodSync, existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type sharpLibrary from "sharp";
import { library } from "./library";

/** The sharp library. */
export type Sharp = typeof sharpLibrary;

/** Formats that are decoded. libvips knows more (SVG, PDF, …), which read other files or are programs. */
const loaders = ["Jpeg", "Png", "Webp", "Heif", "Nsgif", "Tiff"];

/**
 * Gives sharp, set up for a server. In the executable, libvips is unpacked to `folder` once; from source,
 * ordinary resolution applies and the folder is not touched.
 * @throws when the folder cannot be written, or the machine lacks what libvips needs (libstdc++, glibc 2.28).
 */
export async function loadSharp(folder: string): Promise<Sharp> {
  await loadEmbeddedLibvips(folder);
  // `require`, not `import`: only then does the bundler see (and embed) the native files.
  const sharp: Sharp = require("sharp");
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: loaders.map((name) => `VipsForeignLoad${name}`) });
  // Results are kept in storage; a cache here would only hold memory. Parallelism is the queue's.
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

/**
 * The addon asks for libvips by name, and the loader is content with one that is already loaded. It is unpacked to a
 * folder of our own: libvips looks for its needs beside itself first, so in a shared folder others could plant them.
 */
async function loadEmbeddedLibvips(folder: string): Promise<void> {
  if (!Bun.isStandaloneExecutable) return;
  const { name, size, packed } = library;
  const path = join(folder, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // mkdir's mode counts only on creation.
  chmodSync(folder, 0o700);
  if (!existsSync(path) || statSync(path).size !== size) {
    const draft = `${path}.${process.pid}`;
    await Bun.write(draft, await Bun.zstdDecompress(await Bun.file(packed).bytes()));
    // Atomic; two processes that do this at once write the same bytes.
    renameSync(draft, path);
  }
  // Bun wants at least one symbol.
  dlopen(path, { vips_version: { args: ["int"], returns: "int" } });
}
