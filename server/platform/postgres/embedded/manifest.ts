/** What the build step and the server agree on: what the archives are, and how the template is packed. */

/** `version` as PostgreSQL reports it (`18.4`); `hash` of the programs' tar, 12 hexadecimal digits; `level` of zstd. */
export type Manifest = {
  readonly source: string;
  readonly level: number;
  readonly version: string;
  readonly hash: string;
};

/** A segment of the write-ahead log. The template holds it without its empty end. */
export const isLogSegment = (path: string): boolean => /(^|\/)pg_wal\/[0-9A-F]{24}$/.test(path);

/** Bytes of a whole segment. */
export const SEGMENT_SIZE = 16 * 1024 * 1024;
