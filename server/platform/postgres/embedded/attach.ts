/** The way to the embedded server that another process runs: for commands beside a running `serve`. */
import { closeSync, openSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { DatabaseAddress } from "../database";
import { serviceIdentity } from "./identity";
import { libc } from "./libc";
import { socketDirectory } from "./socket";

/**
 * The address of the embedded server on `dir`, when a live process holds the folder and its PostgreSQL is ready;
 * else null. Nothing is started, and who attaches must not stop it.
 */
export function attachEmbedded(dir: string): DatabaseAddress | null {
  if (!isHeld(join(resolve(dir), "lock"))) return null;
  const directory = realpathSync(dir); // as the start does: a long path's socket is named after it
  const cluster = join(directory, "pg");
  if (!isReady(cluster)) return null;
  const identity = serviceIdentity([cluster, directory, dirname(directory)]);
  return {
    kind: "socket",
    directory: socketDirectory(cluster, identity),
    user: "baasix",
    database: "baasix",
  };
}

function isHeld(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return false;
  }
  try {
    // Taken for the moment of asking, if nobody holds it; closing gives it back.
    return libc().flock(file, libc.LOCK_EX | libc.LOCK_NB) !== 0;
  } finally {
    closeSync(file);
  }
}

function isReady(cluster: string): boolean {
  try {
    return readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[7]?.trim() === "ready";
  } catch {
    return false;
  }
}
