/** The PostgreSQL we carry, as a child process: started, watched, started again when it dies, stopped. */
import { closeSync, mkdirSync, readFileSync, realpathSync, statSync, statfsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { DatabaseAddress } from "../database";
import { StartError } from "../start-error";
import { bundled } from "./archives";
import {
  canReach,
  createCluster,
  ensurePrograms,
  hasCluster,
  pruneOtherPrograms,
  sharedProgramsBase,
} from "./cluster";
import { serviceIdentity, type Identity } from "./identity";
import { launcherCommand } from "./launcher";
import { STOP_PATIENCE, clearLeftovers, isSoon } from "./leftover";
import { lockDirectory } from "./lock";
import { lastComplaint, openLog, trimLog } from "./log";
import { socketDirectory } from "./socket";

/** Where the server lives and how much it must serve. */
export type EmbeddedOptions = {
  /** Holds everything: the cluster in `pg`, the programs in `bin`, `lock` and `postgres.log`. Made when missing. */
  readonly dir: string;
  /** Called when PostgreSQL's process is on its way: the time until it is ready is free for other work. */
  readonly onSpawn?: () => void;
  /** Told of restarts, repairs and slow recoveries, one line each. */
  readonly onLog?: (line: string) => void;
  /** Connections the pools will open together, default 20; ten more are kept for the feed and for operators. */
  readonly connections?: number;
  /** Where the programs are unpacked, default `<dir>/bin`. Several data folders may share one. */
  readonly programs?: string;
};

/** A running embedded server. `pid` is the current postmaster's. */
export type Embedded = {
  readonly address: DatabaseAddress;
  /** The superuser's address, for maintenance alone. */
  readonly maintenance: DatabaseAddress;
  readonly version: string;
  readonly pid: number;
  /** Fast shutdown: open transactions end, committed data is on disk. Close the feed and the pools first. */
  readonly stop: () => Promise<void>;
};

/** What a start needs to know; the same for every restart. */
type Plan = {
  readonly cluster: string;
  readonly socket: string;
  readonly log: string;
  readonly program: string;
  readonly identity: Identity | null;
  readonly reachable: boolean;
  readonly connections: number;
  readonly onLog: (line: string) => void;
};

/**
 * Starts PostgreSQL on `dir`, which is made and filled when it is empty: about half a second the first time, 50 ms
 * later. As root it runs as an unprivileged user.
 * @throws StartError with one line, when the folder is in use, made by another major version, or cannot be used.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  if (process.platform !== "linux") {
    throw new StartError("this platform has no embedded database; set DATABASE_URL to a PostgreSQL server");
  }
  const directory = makeDirectory(resolve(options.dir));
  let release: (() => void) | undefined;
  try {
    const cluster = join(directory, "pg");
    const identity = serviceIdentity([cluster, directory, dirname(directory)]);
    release = await lockDirectory(directory, identity);
    const plan = await prepare(options, directory, cluster, identity);
    const child = launch(plan);
    options.onSpawn?.();
    return supervise(plan, await child, release);
  } catch (error) {
    release?.();
    throw error instanceof StartError ? error : unusable(directory, error);
  }
}

/** What the operating system refused, with the remedy where there is one. */
function unusable(directory: string, error: unknown): StartError {
  const reason = error instanceof Error ? error.message : String(error);
  const isPowerless = reason.startsWith("EPERM") && process.getuid?.() === 0;
  const remedy = isPowerless ? "; this root user may not change users: run the server as another user" : "";
  return new StartError(`cannot use the data directory ${directory}: ${reason}${remedy}`, { cause: error });
}

function makeDirectory(path: string): string {
  try {
    // As root, the folder is walked through by the user that PostgreSQL runs as.
    mkdirSync(path, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    return realpathSync(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

async function prepare(
  options: EmbeddedOptions,
  directory: string,
  cluster: string,
  identity: Identity | null,
): Promise<Plan> {
  const onLog = options.onLog ?? (() => {});
  const reachable = identity === null || canReach(directory, identity);
  const base = options.programs ?? (reachable ? join(directory, "bin") : sharedProgramsBase());
  const isNew = !hasCluster(cluster); // first: a folder that cannot be used is refused before anything is unpacked
  const [programs] = await Promise.all([
    ensurePrograms(base),
    isNew ? createCluster(cluster, identity) : undefined,
  ]);
  const socket = socketDirectory(cluster, identity);
  await clearLeftovers({ cluster, socket }, onLog);
  if (base === join(directory, "bin")) pruneOtherPrograms(base);
  return {
    cluster,
    socket,
    log: join(directory, "postgres.log"),
    program: join(programs, "bin/postgres"),
    identity,
    reachable,
    connections: options.connections ?? 20,
    onLog,
  };
}

/** Settings that keep an idle server near 40 MB. Durability stays at PostgreSQL's own defaults. */
function settings(connections: number): readonly string[] {
  return [
    "cluster_name=baasix",
    "listen_addresses=",
    "unix_socket_permissions=0700",
    `max_connections=${connections + 10}`,
    "wal_level=logical",
    "max_slot_wal_keep_size=1GB",
    "max_worker_processes=4",
    "autovacuum_worker_slots=3",
    "io_method=sync",
    // Transactions take milliseconds here: who waits longer may wait for somebody who waits for them.
    "deadlock_timeout=200ms",
    "timezone=UTC",
    "log_timezone=UTC",
    // Values of rows and statements stay out of the log: they may be secrets.
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_checkpoints=off",
    `dynamic_shared_memory_type=${hasRoomyShm() ? "posix" : "mmap"}`,
  ];
}

/** Containers often have 64 MB of /dev/shm, which a parallel query overflows. */
function hasRoomyShm(): boolean {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > 256 * 1024 * 1024;
  } catch {
    return false;
  }
}

async function launch(plan: Plan): Promise<Bun.Subprocess> {
  const { cluster, identity, log } = plan;
  const file = openLog(log, identity);
  const offset = statSync(log).size;
  const command = [
    plan.program,
    "-D",
    // A folder below one that the user may not enter is still its own working folder.
    plan.reachable ? cluster : "/proc/self/cwd",
    "-k",
    plan.socket === cluster ? "." : plan.socket,
    ...settings(plan.connections).flatMap((setting) => ["-c", setting]),
  ];
  const child = Bun.spawn([...launcherCommand(cluster, identity, command)], {
    cwd: "/", // not the cluster's: the runtime reads configuration files from its working folder
    detached: true, // Ctrl-C reaches us alone, and we stop PostgreSQL after the work in flight
    stdin: "ignore",
    stdout: file,
    stderr: file,
    env: childEnvironment(),
  });
  closeSync(file);
  await untilReady(child, plan);
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new StartError(`PostgreSQL did not start: ${lastComplaint(log, offset)} (see ${log})`);
  }
  return child;
}

function childEnvironment(): Record<string, string> {
  const { PATH = "/usr/bin:/bin", LD_LIBRARY_PATH } = process.env;
  return { PATH, TZ: "UTC", LC_ALL: "C", ...(LD_LIBRARY_PATH ? { LD_LIBRARY_PATH } : {}) };
}

/** Resolves when PostgreSQL accepts connections, or has ended. Recovery after a crash may take minutes. */
async function untilReady(child: Bun.Subprocess, { cluster, onLog }: Plan): Promise<void> {
  const began = Date.now();
  let noted = began;
  for (; child.exitCode === null && child.signalCode === null; await Bun.sleep(2)) {
    if (isReady(cluster, child.pid)) return;
    if (Date.now() - noted < 10_000) continue;
    noted = Date.now();
    onLog(`PostgreSQL is still recovering after ${Math.round((noted - began) / 1000)} s`);
  }
}

function isReady(cluster: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

function supervise(plan: Plan, first: Bun.Subprocess, release: () => void): Embedded {
  let child = first;
  let stopped: Promise<void> | null = null;
  const trimming = setInterval(() => trimLog(plan.log), 60_000);
  trimming.unref();

  const watch = async (): Promise<void> => {
    for (;;) {
      await child.exited;
      if (stopped) return;
      plan.onLog(
        `PostgreSQL ended (${child.signalCode ?? `exit code ${child.exitCode}`}); starting it again`,
      );
      const next = await relaunch(plan, () => stopped !== null);
      if (next === null) return;
      child = next;
    }
  };
  const watched = watch();

  const stop = async (): Promise<void> => {
    clearInterval(trimming);
    // A restart that is under way ends first, so that no child is left behind.
    const isGone = () => child.exitCode !== null || child.signalCode !== null;
    child.kill("SIGINT");
    if (!(await isSoon(isGone, STOP_PATIENCE))) child.kill("SIGQUIT");
    await child.exited;
    await watched;
    release();
  };

  const address = (user: string): DatabaseAddress => ({
    kind: "socket",
    directory: plan.socket,
    user,
    database: "baasix",
  });
  return {
    address: address("baasix"),
    maintenance: address("app"),
    version: bundled.manifest.version,
    get pid() {
      return child.pid;
    },
    stop: () => (stopped ??= stop()),
  };
}

/** Tries until PostgreSQL runs again, at most 5 s apart; null when asked to give up. */
async function relaunch(plan: Plan, isOver: () => boolean): Promise<Bun.Subprocess | null> {
  for (let delay = 100; !isOver(); delay = Math.min(delay * 2, 5_000)) {
    try {
      await clearLeftovers(plan, plan.onLog);
      const child = await launch(plan);
      if (isOver()) child.kill("SIGINT");
      return child;
    } catch (error) {
      plan.onLog(error instanceof Error ? error.message : String(error));
      await Bun.sleep(delay);
    }
  }
  return null;
}
