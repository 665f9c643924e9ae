/** What the build step says about the archives it made. */

/** `version` as PostgreSQL reports it (`18.4`); `hash` of the programs' tar, 12 hexadecimal digits; `level` of zstd. */
export type Manifest = {
  readonly source: string;
  readonly level: number;
  readonly version: string;
  readonly hash: string;
};
