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

/** Key material: at least 32 bytes. `previous`: what was in use before; it proves what it made, and makes nothing new. */
export type Secret = { readonly bytes: Uint8Array; readonly previous?: readonly Secret[] };

/**
 * The secret that signs tokens: the UTF-8 bytes of `SECRET_KEY`, else the 32 random bytes of `<dir>/secret.key`
 * (mode 0600), which the first start makes. Several servers on one database need one `SECRET_KEY`. Earlier ones are those
 * of `SECRET_KEY_PREVIOUS` and the further lines of the file.
 * @throws AppError BAD_REQUEST when the file cannot be used; its content is never repeated.
 */
export function loadSecret(config: {
  readonly SECRET_KEY?: string | undefined;
  readonly SECRET_KEY_PREVIOUS?: readonly string[];
  readonly BAASIX_DIR: string;
}): Secret {
  const listed = (config.SECRET_KEY_PREVIOUS ?? []).map(encodeKey);
  if (config.SECRET_KEY !== undefined) return { ...encodeKey(config.SECRET_KEY), previous: listed };
  const path = join(config.BAASIX_DIR, "secret.key");
  mkdirSync(config.BAASIX_DIR, { recursive: true, mode: 0o700 });
  createOnce(path);
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  const [current, ...earlier] = readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => ({ bytes: new Uint8Array(Buffer.from(line, "base64url")) }));
  if (!current || [current, ...earlier].some(({ bytes }) => bytes.byteLength < 32)) {
    throw new AppError(
      "BAD_REQUEST",
      `${path}: holds no key, or a line that is none; delete it to have a new one made (everyone signs in again)`,
    );
  }
  return { ...current, previous: [...earlier, ...listed] };
}

function encodeKey(text: string): Secret {
  return { bytes: new TextEncoder().encode(text) };
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
