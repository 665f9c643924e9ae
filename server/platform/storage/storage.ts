/** The seam to where file bytes are kept: opaque keys in, bytes out. It knows no rows, rights or image formats. */
import { AppError } from "../../core/errors";

/** Stored bytes. `blob` is lazy: slicing it for a range reads nothing, a `Response` streams it. */
export type StoredFile = {
  readonly blob: Blob;
  /** Bytes. */
  readonly size: number;
  /** Where the bytes lie in the file system, for libraries that read by path; null when they are elsewhere. */
  readonly path: string | null;
};

/** What a listing tells of one stored object. `size` in bytes, `modified` in ms since 1970. */
export type StoredEntry = { readonly key: string; readonly size: number; readonly modified: number };

/** Bytes to store: whole, or as they arrive. */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * A place for bytes. A key is one to four segments of lower-case letters, digits, `.`, `_`, `-`, joined by `/`,
 * each starting with a letter or digit; anything else is a programming error and throws `TypeError`.
 */
export type Storage = {
  /** Recorded beside each file, so that its bytes are found again. */
  readonly name: string;
  /**
   * Stores bytes under a key, replacing what is there, all or nothing: a reader sees the old bytes or the new
   * ones. When it returns, the bytes are on the disk. Gives the number of bytes.
   * @throws AppError PAYLOAD_TOO_LARGE once more than `maxBytes` arrived, UNAVAILABLE when there is no room;
   * or whatever the source throws. Nothing is left behind in either case.
   */
  readonly put: (key: string, bytes: ByteSource, limit: { readonly maxBytes: number }) => Promise<number>;
  /** The bytes under a key, or null. */
  readonly get: (key: string) => Promise<StoredFile | null>;
  readonly has: (key: string) => Promise<boolean>;
  /** What lies directly in a folder (a key without its last segment), in no order. A missing folder is empty. */
  readonly list: (folder: string) => Promise<readonly StoredEntry[]>;
  /** Removes one key; a missing one is fine. */
  readonly remove: (key: string) => Promise<void>;
  /** Removes everything in a folder, at any depth; a missing folder is fine. */
  readonly removePrefix: (folder: string) => Promise<void>;
};

const segment = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/** The segments of a key. @throws TypeError when it is not one; keys are made by the server, never by a client. */
export function keySegments(key: string): readonly string[] {
  const segments = key.split("/");
  if (segments.length > 4 || !segments.every((part) => segment.test(part) && !part.includes("..")))
    throw new TypeError(`'${key}' is not a storage key`);
  return segments;
}

/** Passes bytes on and fails as soon as more than `maxBytes` went by. */
export async function* limited(source: ByteSource, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source instanceof Uint8Array ? [source] : source) {
    size += chunk.byteLength;
    if (size > maxBytes)
      throw new AppError(
        "PAYLOAD_TOO_LARGE",
        `The file is larger than ${maxBytes} bytes, the most allowed here`,
        {
          maxBytes,
        },
      );
    yield chunk;
  }
}
