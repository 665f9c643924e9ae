/** One server per data folder: a lock that the kernel releases on any death of its holder. */
import { closeSync, fchownSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../start-error";
import type { Identity } from "./identity";
import { isSoon } from "./leftover";
import { libc } from "./libc";

/** How long a holder that is dying gets to be gone, ms. */
const PATIENCE = 5_000;

/**
 * Takes `<directory>/lock` and writes this process's id into it. Resolves with the function that releases it.
 * @throws StartError naming the process that holds it.
 */
export async function lockDirectory(directory: string, identity: Identity | null): Promise<() => void> {
  const path = join(directory, "lock");
  const file = openSync(path, "a", 0o600);
  const take = () => libc().flock(file, libc.LOCK_EX | libc.LOCK_NB) === 0;
  const holder = () => readFileSync(path, "utf8").trim();
  // A killed process keeps its lock until its memory is gone: whoever restarts it at once must not be refused.
  if (!take() && !((await isSoon(() => take() || isAlive(holder()), PATIENCE)) && take())) {
    closeSync(file);
    const name = holder() ? `process ${holder()}` : "another process";
    throw new StartError(
      `the data directory ${directory} is in use by ${name}; stop it or choose another directory`,
    );
  }
  // Later starts may come from that user instead of from root.
  if (identity) fchownSync(file, identity.uid, identity.gid);
  ftruncateSync(file);
  writeSync(file, `${process.pid}\n`);
  return () => closeSync(file);
}

/** True for a process that runs, false for one that is being torn down or gone. */
function isAlive(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}
