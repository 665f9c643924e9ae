/** The server's own secret: configured, or made once and kept beside the data. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { hkdfSync } from "node:crypto";
import { join } from "node:path";
import { AppError } from "../../core/errors";

/** Key material: at least 32 bytes. */
export type Secret = { readonly bytes: Uint8Array };

/**
 * The secret that signs tokens: the UTF-8 bytes of `SECRET_KEY`, else the 32 random bytes of `<dir>/secret.key`
 * (mode 0600), which the first start makes. Several servers on one database need one `SECRET_KEY`.
 * @throws AppError BAD_REQUEST when the file cannot be used; its content is never repeated.
 */
export function loadSecret(config: {
  readonly SECRET_KEY?: string | undefined;
  readonly BAASIX_DIR: string;
}): Secret {
  if (config.SECRET_KEY !== undefined) return { bytes: new TextEncoder().encode(config.SECRET_KEY) };
  const path = join(config.BAASIX_DIR, "secret.key");
  mkdirSync(config.BAASIX_DIR, { recursive: true, mode: 0o700 });
  createOnce(path);
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  const bytes = Buffer.from(readFileSync(path, "utf8").trim(), "base64url");
  if (bytes.byteLength < 32) {
    throw new AppError(
      "BAD_REQUEST",
      `${path}: holds no key; delete it to have a new one made (everyone signs in again)`,
    );
  }
  return { bytes: new Uint8Array(bytes) };
}

/** A key of its own for each use, so that what one use gives away helps with no other (HKDF, RFC 5869). */
export function deriveKey(secret: Secret, use: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret.bytes, new Uint8Array(0), `baasix ${use}`, 32));
}

function createOnce(path: string): void {
  let file: number;
  try {
    // Exclusive: of two servers that start together, one makes the key and both read it.
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
    throw error;
  }
  try {
    writeSync(file, `${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
