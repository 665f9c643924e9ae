/** Starts the built executable for a measurement, in a folder of its own. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** The executable that is measured. */
export const executable = process.env.BAASIX_EXECUTABLE ?? join(import.meta.dir, "../dist/baasix");

/** What must not outlive the program, however it ends. */
const leftovers: (() => void)[] = [];
process.on("exit", () => {
  for (const end of leftovers.toReversed()) end();
});

/** An empty folder in the system's temporary folder. */
export function emptyFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "baasix-bench-"));
  chmodSync(path, 0o711);
  const remove = () => rmSync(path, { recursive: true, force: true });
  leftovers.push(remove);
  return { path, remove };
}

/** What a program says first; empty when it ends without a word. */
async function firstLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let said = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (said.includes("\n")) break;
  }
  return said.trim();
}

/** A running server: its process, its address, and how to end it. */
export type Served = {
  readonly pid: number;
  readonly url: string;
  readonly end: (signal?: NodeJS.Signals) => Promise<number>;
};

/** Runs `serve` until it says that it is ready. */
export async function serve(cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Served> {
  if (!existsSync(executable)) throw new Error(`${executable} is missing: run \`bun run build\` first`);
  const child = Bun.spawn([executable, "serve", "--json", "--port", "0"], {
    cwd,
    env: {
      LOG_LEVEL: "error",
      RATE_LIMIT: "1000000",
      LOGIN_RATE_LIMIT: "1000000",
      TRANSFORM_RATE_LIMIT: "10000",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  leftovers.push(() => child.kill("SIGKILL"));
  const said = await firstLine(child.stdout);
  if (said === "") throw new Error(`serve ended with ${await child.exited}`);
  const { url } = JSON.parse(said) as { readonly url: string };
  return served(child, url);
}

function served(child: Bun.Subprocess, url: string): Served {
  const end = (signal: NodeJS.Signals = "SIGTERM"): Promise<number> => {
    child.kill(signal);
    return child.exited;
  };
  return { pid: child.pid, url, end };
}

/** Runs the hand-written server. */
export function serveFloor(env: Readonly<Record<string, string>>): Promise<Served> {
  return serveProgram([process.execPath, join(import.meta.dir, "floor.ts")], { PORT: "0", ...env });
}

/** Runs a server that prints its address. */
export async function serveProgram(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<Served> {
  const child = Bun.spawn([...command], {
    env: { PATH: process.env.PATH, ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  leftovers.push(() => child.kill("SIGKILL"));
  const url = await firstLine(child.stdout);
  if (url === "") throw new Error(`${command.join(" ")} ended with ${await child.exited}`);
  return served(child, url);
}

/** The embedded PostgreSQL of a data directory: its process and the folder of its socket (`postmaster.pid`, lines 1 and 5). */
export function embeddedOf(cwd: string): { readonly pid: number; readonly socket: string } {
  const [file] = [...new Bun.Glob("baasix_data/**/postmaster.pid").scanSync({ cwd, absolute: true })];
  if (file === undefined) throw new Error(`no PostgreSQL runs in ${cwd}/baasix_data`);
  const lines = readFileSync(file, "utf8").split("\n");
  // PostgreSQL notes the folder as it was told, which may be relative to the data.
  return { pid: Number(lines[0]), socket: resolve(dirname(file), lines[4]?.trim() ?? "") };
}

/** Connects to the embedded PostgreSQL of a data directory, with so many connections at the most. */
export function connectTo(cwd: string, max = 1): Bun.SQL {
  const { socket: path } = embeddedOf(cwd);
  return new Bun.SQL({ adapter: "postgres", path, username: "baasix", database: "baasix", max });
}
