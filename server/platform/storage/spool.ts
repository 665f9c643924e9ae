/**
 * Where bodies wait that are read only once they are whole: files without a name, gone with the process that made them.
 * It knows nothing of what is in them.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../core/errors";
import { type ByteSource, limited } from "./storage";

/** A whole body on the disk. `size` in bytes; `digest`: SHA-256 of the bytes, in hex. */
export type Spooled = {
  readonly size: number;
  readonly digest: string;
  /** The bytes from the start, in pieces of at most 64 KiB; may be asked for again, not at the same time. */
  readonly chunks: () => AsyncGenerator<Uint8Array>;
  /** Gives the space back. */
  readonly close: () => Promise<void>;
};

/** Keeps bodies until they are read. */
export type Spool = {
  /**
   * Writes a body to the disk as it arrives.
   * @throws AppError PAYLOAD_TOO_LARGE beyond `maxBytes`, UNAVAILABLE when the disk is full; or whatever the source throws.
   */
  readonly keep: (bytes: ByteSource, maxBytes: number) => Promise<Spooled>;
};

const pieceSize = 64 * 1024;

/** Opens (and makes) the folder of a spool; what a process left there that died at the wrong moment is removed. */
export async function openSpool(folder: string): Promise<Spool> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) await rm(join(folder, name), { force: true });
  return {
    keep: async (bytes, maxBytes) => {
      const path = join(folder, randomUUID());
      const file = await open(path, "wx+", 0o600);
      try {
        // Without a name the space is free again when the file is closed, however the process ends.
        await rm(path, { force: true });
        const { size, digest } = await write(file, limited(bytes, maxBytes));
        return { size, digest, chunks: () => read(file, size), close: () => file.close() };
      } catch (error) {
        await file.close();
        throw isFull(error)
          ? new AppError("UNAVAILABLE", "There is no room on the disk for this file", null, { cause: error })
          : error;
      }
    },
  };
}

async function write(file: FileHandle, bytes: AsyncIterable<Uint8Array>) {
  const hash = new Bun.CryptoHasher("sha256");
  let size = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    for (let done = 0; done < chunk.byteLength;) {
      const { bytesWritten } = await file.write(chunk, done, chunk.byteLength - done, size + done);
      done += bytesWritten;
    }
    size += chunk.byteLength;
  }
  return { size, digest: hash.digest("hex") };
}

async function* read(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < size;) {
    const piece = new Uint8Array(Math.min(pieceSize, size - position));
    const { bytesRead } = await file.read(piece, 0, piece.byteLength, position);
    if (bytesRead === 0) throw new Error("the spooled file is shorter than it was");
    position += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
