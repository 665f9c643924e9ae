/**
 * The step between this server and PostgreSQL: our own program started again, which gives up root, asks the kernel to
 * stop it when its parent dies and not to let it push others aside, and becomes `postgres`. Keeps pid and parent; nothing
 * of the runtime stays in memory.
 */
import { ptr } from "bun:ffi";
import { accessSync, constants } from "node:fs";
import { constants as os } from "node:os";
import type { Identity } from "./identity";
import { libc } from "./libc";

const MARKER = "__pgexec";
const STAY = "-";

/**
 * The command line that becomes `command` with the working folder `cwd`, as `identity` when given.
 * Spawn it from the main thread: the kernel binds the death of the parent to the thread that spawned.
 */
export function launcherCommand(
  cwd: string,
  identity: Identity | null,
  command: readonly string[],
): readonly string[] {
  const self = Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, import.meta.path];
  const { uid, gid } = identity ?? { uid: STAY, gid: STAY };
  return [...self, MARKER, String(process.pid), String(uid), String(gid), cwd, ...command];
}

/**
 * Becomes the program asked for and never returns, when `argv` is a command line of `launcherCommand`; else returns
 * at once. The executable's entry point calls it before it loads anything else.
 */
export function launchIfAsked(argv: readonly string[]): void {
  if (argv[2] !== MARKER) return;
  const [parent = "", uid = "", gid = "", cwd = "", ...command] = argv.slice(3);
  const problem = launch(Number(parent), { uid, gid }, cwd, command);
  process.stderr.write(`FATAL:  ${problem}\n`); // into the log, where the server looks for the reason
  process.exit(127);
}

function launch(
  parent: number,
  { uid, gid }: { uid: string; gid: string },
  cwd: string,
  command: readonly string[],
): string {
  const c = libc();
  const program = command[0] ?? "";
  process.chdir(cwd); // while still root: the folder may lie where the other user cannot walk to
  if (uid !== STAY && (c.setgroups(0, null) || c.setgid(Number(gid)) || c.setuid(Number(uid)))) {
    return `cannot become user ${uid}, group ${gid}: run the server as a user other than root`;
  }
  try {
    accessSync(program, constants.X_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    return `cannot run ${program}: ${reason} (a file system mounted noexec forbids it)`;
  }
  // After the change of user, which would clear it.
  c.prctl(libc.PR_SET_PDEATHSIG, os.signals.SIGINT, 0, 0, 0);
  if (c.getppid() !== parent) return "the server that asked for PostgreSQL is gone";
  // A process that wakes then waits for its turn (sched(7)). Else each statement that arrives pushes the server aside, which is
  // still sending others, and both begin anew with cold caches: on two busy cores writes of one item were a seventh slower.
  // Where the kernel refuses, everything else is as it was.
  c.sched_setscheduler(0, libc.SCHED_BATCH, ptr(new Int32Array(1)));
  const texts = command.map((text) => Buffer.from(`${text}\0`));
  const pointers = new BigUint64Array(texts.length + 1);
  texts.forEach((text, i) => (pointers[i] = BigInt(ptr(text))));
  c.execv(ptr(texts[0] ?? Buffer.alloc(1)), ptr(pointers));
  return `cannot run ${program}`;
}

if (import.meta.main && !Bun.isStandaloneExecutable) launchIfAsked(process.argv);
