/** Puts the carried programs and the ready-made cluster on disk, each whole or not at all. */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StartError } from "../start-error";
import { bundled } from "./archives";
import type { Identity } from "./identity";
import { libc } from "./libc";
import { SEGMENT_SIZE, isLogSegment } from "./manifest";

/** Bytes that the programs and a new cluster take together. */
const NEEDED = 80 * 1024 * 1024;

const programsName = `pg-${bundled.manifest.version}-${bundled.manifest.hash}`;

/**
 * Gives the folder of PostgreSQL's programs inside `base`, unpacked once per version; several processes may do so at
 * the same time.
 */
export async function ensurePrograms(base: string): Promise<string> {
  const directory = join(base, programsName);
  if (existsSync(join(directory, ".ok"))) return directory;
  mkdirSync(base, { recursive: true, mode: 0o755 });
  const fresh = `${directory}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  await unpack(bundled.programs, fresh);
  for (const path of ["", "bin", "bin/postgres"]) chmodSync(join(fresh, path), 0o755);
  writeFileSync(join(fresh, ".ok"), "");
  try {
    renameSync(fresh, directory);
  } catch (error) {
    // Another process was quicker, or a folder without `.ok` is in the way.
    if (!existsSync(join(directory, ".ok"))) {
      rmSync(directory, { recursive: true, force: true });
      renameSync(fresh, directory);
    } else rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(join(directory, ".ok"))) throw error;
  }
  return directory;
}

/** Deletes the programs of other versions from `base`. Call only while nothing can be running them. */
export function pruneOtherPrograms(base: string): void {
  for (const name of readdirSync(base)) {
    if (name.startsWith("pg-") && name !== programsName)
      rmSync(join(base, name), { recursive: true, force: true });
  }
}

/**
 * Whether there is a cluster.
 * @throws StartError when the folder holds something else, or a cluster of another major version.
 */
export function hasCluster(cluster: string): boolean {
  if (existsSync(join(cluster, "PG_VERSION"))) {
    checkVersion(cluster);
    return true;
  }
  if (existsSync(cluster) && readdirSync(cluster).length > 0) {
    throw new StartError(
      `${cluster} is not a PostgreSQL data directory; move it away or choose another directory`,
    );
  }
  return false;
}

/** Makes the cluster from the template; it is safely on disk before it gets its name. */
export async function createCluster(cluster: string, identity: Identity | null): Promise<void> {
  const fresh = `${cluster}.new`;
  rmSync(fresh, { recursive: true, force: true });
  await unpack(bundled.template, fresh);
  for (const entry of readdirSync(fresh, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (isLogSegment(path)) truncateSync(path, SEGMENT_SIZE);
    takeOver(path, entry.isDirectory() ? 0o700 : 0o600, identity);
  }
  takeOver(fresh, 0o700, identity);
  syncFileSystem(fresh);
  renameSync(fresh, cluster);
  syncDirectory(dirname(cluster));
}

function takeOver(path: string, mode: number, identity: Identity | null): void {
  chmodSync(path, mode);
  if (identity) chownSync(path, identity.uid, identity.gid);
}

function checkVersion(cluster: string): void {
  const found = readFileSync(join(cluster, "PG_VERSION"), "utf8").trim();
  const carried = bundled.manifest.version.split(".")[0] ?? "";
  if (found === carried) return;
  const age = Number(found) > Number(carried) ? "a newer" : "an unsuitable";
  throw new StartError(
    `${cluster} is ${age} data directory: it was made by PostgreSQL ${found.slice(0, 20) || "(unknown)"}, this server carries ${carried}; use the version of the server that made it, or export and import the data`,
  );
}

async function unpack(archive: string, directory: string): Promise<void> {
  try {
    const tar = await Bun.zstdDecompress(await Bun.file(archive).bytes());
    await new Bun.Archive(tar).extract(directory);
  } catch (error) {
    // The unpacker does not say what was wrong with the disk.
    const { bavail, bsize } = statfsSync(dirname(directory));
    const isFull = bavail * bsize < NEEDED;
    rmSync(directory, { recursive: true, force: true });
    const reason = isFull ? "the disk is full" : error instanceof Error ? error.message : String(error);
    throw new StartError(`cannot unpack PostgreSQL to ${directory}: ${reason}`, { cause: error });
  }
}

/** One call for the whole file system: per-file fsync of a thousand files takes a second. */
function syncFileSystem(path: string): void {
  const file = openSync(path, "r");
  const failed = libc().syncfs(file) !== 0;
  closeSync(file);
  if (failed) throw new StartError(`cannot write ${path} safely to disk`);
}

function syncDirectory(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

/** True when the user may walk down to `path`: every folder on the way lets it through. */
export function canReach(path: string, { uid, gid }: Identity): boolean {
  const { mode, uid: owner, gid: group } = statSync(path);
  const open = owner === uid ? mode & 0o100 : group === gid ? mode & 0o010 : mode & 0o001;
  return open !== 0 && (dirname(path) === path || canReach(dirname(path), { uid, gid }));
}

/** Where programs go when the data folder cannot be reached by the user that runs them (only root gets here). */
export function sharedProgramsBase(): string {
  const preferred = "/var/lib/baasix/bin";
  try {
    mkdirSync(preferred, { recursive: true, mode: 0o755 });
    return preferred;
  } catch {
    // A read-only root file system.
    const fallback = join(tmpdir(), "baasix-bin-0");
    mkdirSync(fallback, { recursive: true, mode: 0o755 });
    const { uid, mode } = statSync(fallback);
    if (uid !== 0 || (mode & 0o022) !== 0)
      throw new StartError(`${fallback} belongs to someone else; remove it`);
    return fallback;
  }
}
