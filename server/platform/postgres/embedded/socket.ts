/** Where PostgreSQL's unix socket lies: in the cluster's own folder (0700), unless the path is too long for one. */
import { chmodSync, chownSync, lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "../start-error";
import type { Identity } from "./identity";

/** Bytes of a socket path, without the end mark (`sun_path` of `unix(7)`). */
const LONGEST = 107;

/**
 * The folder of the socket; outside the cluster it is made, for this user alone.
 * @throws StartError when someone else owns the folder that would be used.
 */
export function socketDirectory(cluster: string, identity: Identity | null): string {
  if (Buffer.byteLength(join(cluster, ".s.PGSQL.5432")) <= LONGEST) return cluster;
  const hash = new Bun.CryptoHasher("sha256").update(cluster).digest("hex").slice(0, 16);
  const directory = join(tmpdir(), `baasix-${hash}`);
  const owner = identity?.uid ?? process.getuid?.();
  try {
    mkdirSync(directory, { mode: 0o700 });
    if (identity) chownSync(directory, identity.uid, identity.gid);
  } catch {
    const found = lstatSync(directory, { throwIfNoEntry: false });
    if (!found?.isDirectory() || found.uid !== owner) {
      throw new StartError(
        `${directory} is needed for the database's socket and belongs to someone else; remove it`,
      );
    }
    chmodSync(directory, 0o700);
  }
  return directory;
}
