/** One server per data folder: a lock that the kernel releases on any death of its holder. */
import { closeSync, fchownSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../start-error";
import type { Identity } from "./identity";
import { libc } from "./libc";

/**
 * Takes `<directory>/lock` and writes this process's id into it. Returns the function that releases it.
 * @throws StartError naming the process that holds it.
 */
export function lockDirectory(directory: string, identity: Identity | null): () => void {
  const path = join(directory, "lock");
  const file = openSync(path, "a", 0o600);
  if (libc().flock(file, libc.LOCK_EX | libc.LOCK_NB) !== 0) {
    closeSync(file);
    const holder = readFileSync(path, "utf8").trim();
    throw new StartError(
      `the data directory ${directory} is in use by ${holder ? `process ${holder}` : "another process"}; stop it or choose another directory`,
    );
  }
  // Later starts may come from that user instead of from root.
  if (identity) fchownSync(file, identity.uid, identity.gid);
  ftruncateSync(file);
  writeSync(file, `${process.pid}\n`);
  return () => closeSync(file);
}
