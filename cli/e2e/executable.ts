/** Drives the built executable the way a user does: in an empty folder, with nothing in the environment. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { SQL } from "bun";

/** What a started program gets from its surroundings unless a test says otherwise. No PATH leads to any tool. */
const bare = { HOME: "/nonexistent", PATH: "/nonexistent" };

/** The executable under test: `BAASIX_EXECUTABLE`, else `dist/baasix`. */
export function executable(): string {
  const path = process.env.BAASIX_EXECUTABLE ?? join(import.meta.dir, "../../dist/baasix");
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`bun run build\` first`);
  return path;
}

/** Servers that run, by the folder they run in. */
const running = new Map<number, string>();

/**
 * An empty folder of its own, where the server's other user may walk through. The caller removes it; servers that still run
 * in it (after a failed test) are ended with it.
 */
export function emptyFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "baasix-e2e-"));
  chmodSync(path, 0o711);
  const remove = () => {
    for (const [pid, cwd] of running) if (cwd.startsWith(path)) process.kill(pid, "SIGKILL");
    rmSync(path, { recursive: true, force: true });
  };
  return { path, remove };
}

export type Options = {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
};

/** How a program ended, and what it said. */
export type Ended = { readonly code: number; readonly out: string; readonly err: string };

/** Runs the executable to its end. */
export async function baasix(args: readonly string[], { cwd, env = {}, stdin }: Options): Promise<Ended> {
  const child = Bun.spawn([executable(), ...args], {
    cwd,
    env: { ...bare, ...env },
    stdin: stdin === undefined ? "ignore" : new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, textOf(child.stdout), textOf(child.stderr)]);
  return { code, out, err };
}

function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(stream).text();
}

/** Runs the executable on a terminal; each answer is typed when its question stands there. */
export async function converse(
  args: readonly string[],
  answers: readonly (readonly [question: string, typed: string])[],
  { cwd, env = {} }: Omit<Options, "stdin">,
) {
  let shown = "";
  let place = 0;
  const left = [...answers];
  const child = Bun.spawn([executable(), ...args], {
    cwd,
    env: { ...bare, TERM: "xterm", ...env },
    terminal: {
      cols: 120,
      rows: 40,
      data: (terminal, data) => {
        shown += new TextDecoder().decode(data);
        const next = left[0];
        if (next === undefined || !shown.includes(next[0], place)) return;
        place = shown.length;
        left.shift();
        terminal.write(next[1]);
      },
    },
  });
  return { code: await child.exited, shown };
}

/** A running server. `ended` resolves when the process is gone. */
export type Served = {
  readonly url: string;
  readonly pid: number;
  readonly started: { readonly database: string; readonly hasAdministrator: boolean };
  readonly ended: Promise<Ended>;
  /** Sends a signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Promise<Ended>;
};

/**
 * Runs `serve` on a free port until it says that it is ready.
 * @throws Error with what it said, when it ends before that.
 */
export async function serve({ cwd, env = {} }: Options, flags: readonly string[] = []): Promise<Served> {
  const child = Bun.spawn([executable(), "serve", "--json", "--port", "0", ...flags], {
    cwd,
    env: { ...bare, LOG_LEVEL: "warn", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.set(child.pid, cwd);
  void child.exited.then(() => running.delete(child.pid));
  const err = textOf(child.stderr);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let out = "";
  while (!out.includes("\n")) {
    const { value, done } = await lines.read();
    if (done) throw new Error(`serve ended with ${await child.exited}: ${await err}`);
    out += value;
  }
  const started = JSON.parse(out) as Served["started"] & { readonly url: string };
  const rest = async () => {
    for (let next = await lines.read(); !next.done; next = await lines.read()) out += next.value;
    return out;
  };
  const ended = Promise.all([child.exited, rest(), err]).then(([code, text, talk]) => ({
    code,
    out: text,
    err: talk,
  }));
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  return { url: started.url, pid: child.pid, started, ended, end };
}

/** A caller of the API. `token: null` calls as nobody. Bodies that are plain values are sent as JSON. */
export type Api = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<{ readonly status: number; readonly body: unknown }>;

export function api(url: string, token: string | null): Api {
  return async (method, path, body) => {
    const isForm = body instanceof FormData;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : (JSON.parse(text) as unknown) };
  };
}

/** Signs in and gives the token. */
export async function signIn(url: string, email: string, password: string): Promise<string> {
  const { status, body } = await api(url, null)("POST", "/auth/login", { email, password });
  if (status !== 200) throw new Error(`login answered ${status}: ${JSON.stringify(body)}`);
  return (body as { readonly token: string }).token;
}

/** Looks behind the server: a connection to the PostgreSQL that it carries in a folder. The caller ends it. */
export function connectIn(folder: string): SQL {
  const glob = new Bun.Glob("baasix_data/**/postmaster.pid");
  const [file] = [...glob.scanSync({ cwd: folder, absolute: true })];
  if (file === undefined) throw new Error(`no PostgreSQL runs in ${folder}`);
  // The folder of the socket is noted as it was told, which may be relative to the data.
  const socket = readFileSync(file, "utf8").split("\n")[4]?.trim() ?? "";
  const path = resolve(dirname(file), socket);
  return new SQL({ adapter: "postgres", path, username: "baasix", database: "baasix", max: 1 });
}

/** The running PostgreSQL servers whose data lies in a folder. */
export function postgresIn(folder: string): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "latin1").split("\0");
      if (words[0]?.endsWith("/postgres") !== true || !words.some((word) => word.startsWith(folder)))
        continue;
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // No process, or it ended while we looked.
    }
  }
  // A backend bears the words of the postmaster until it has given itself a title.
  return [...parents].filter(([, parent]) => !parents.has(parent)).map(([pid]) => pid);
}
