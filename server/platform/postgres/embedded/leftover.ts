/** What an earlier server may have left behind: a running PostgreSQL, or a pid file that no longer means anything. */
import { readFileSync, readdirSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../start-error";

/** How long PostgreSQL gets for a fast shutdown before it is asked for an immediate one, ms. */
export const STOP_PATIENCE = 15_000;
const QUIT_PATIENCE = 5_000;

/**
 * Makes a cluster startable: stops processes that still use it and defuses a stale `postmaster.pid`.
 * Hold the lock of the data folder.
 * @throws StartError when a process that uses the cluster does not stop.
 */
export async function clearLeftovers(
  { cluster, socket }: { readonly cluster: string; readonly socket: string },
  onLog: (line: string) => void,
): Promise<void> {
  const pidFile = join(cluster, "postmaster.pid");
  let lines: string[];
  try {
    lines = readFileSync(pidFile, "utf8").split("\n");
  } catch {
    return; // shut down cleanly, or never started
  }
  const postmaster = Number(lines[0]);
  await stopUsers(cluster, postmaster, onLog);
  if (Number.isInteger(postmaster) && postmaster > 0) {
    // PostgreSQL refuses to start when that pid is alive: reused by a stranger, or a zombie nobody reaps. It ignores
    // its own parent, and goes on to check line 7 (shared memory still in use), which deleting the file would skip.
    writeFileSync(pidFile, [String(process.pid), ...lines.slice(1)].join("\n"));
  } else rmSync(pidFile); // torn by a crash of the machine: it names nothing
  for (const name of [".s.PGSQL.5432", ".s.PGSQL.5432.lock"]) rmSync(join(socket, name), { force: true });
}

async function stopUsers(cluster: string, postmaster: number, onLog: (line: string) => void): Promise<void> {
  const users = () => processesIn(cluster);
  const found = users();
  if (found.length === 0) return;
  onLog(`stopping a PostgreSQL left running on ${cluster} (pid ${found.join(", ")})`);
  if (found.includes(postmaster)) signal([postmaster], "SIGINT");
  else signal(found, "SIGTERM");
  if (await isSoon(() => users().length === 0, STOP_PATIENCE)) return;
  signal(users(), "SIGQUIT");
  if (await isSoon(() => users().length === 0, QUIT_PATIENCE)) return;
  throw new StartError(`${cluster} is still used by PostgreSQL process ${users().join(", ")}; stop it first`);
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // Gone meanwhile, or not ours: the wait that follows tells.
    }
  }
}

/** Processes of PostgreSQL that work in `cluster`, as each of them does from its start to its end. */
function processesIn(cluster: string): readonly number[] {
  const directory = realpathSync(cluster);
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && worksIn(pid, directory));
}

function worksIn(pid: number, directory: string): boolean {
  try {
    // A zombie has no working folder: readlink fails.
    return (
      readFileSync(`/proc/${pid}/comm`, "latin1").trim() === "postgres" &&
      readlinkSync(`/proc/${pid}/cwd`) === directory
    );
  } catch {
    return false;
  }
}

/** Waits until `condition` holds; false when it does not within `limit` ms. */
export async function isSoon(condition: () => boolean, limit: number): Promise<boolean> {
  for (const end = Date.now() + limit; !condition(); await Bun.sleep(5)) if (Date.now() > end) return false;
  return true;
}
