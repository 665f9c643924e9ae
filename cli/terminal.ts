/** Where a command speaks: results to stdout, talk to stderr. Commands never touch `process` streams themselves. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** The two streams and what the user asked of them. */
export type Terminal = {
  /** A line of result (stdout). */
  readonly result: (line: string) => void;
  /** Text of result as it is (stdout), for files and documents. */
  readonly document: (text: string) => void;
  /** Bytes of result as they are (stdout); resolves when more may come. */
  readonly bytes: (chunk: Uint8Array) => Promise<void>;
  /** A line of talk (stderr). */
  readonly talk: (line: string) => void;
  /** What goes on, over the last such line, where stderr is a terminal; null takes it away. */
  readonly status: (line: string | null) => void;
  /** What is piped in (stdin). */
  readonly input: () => ReadableStream<Uint8Array>;
  /** True where stdin and stderr are a person's terminal. */
  readonly interactive: boolean;
  /** Asks for secrets, one a line, without showing them. Fewer answers than questions when the input ends. */
  readonly askSecrets: (questions: readonly string[]) => Promise<readonly string[]>;
  /** Asks a person, who answers y or yes to agree. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** The first line of stdin, for secrets that are piped in. */
  readonly readLine: () => Promise<string>;
  readonly strong: (text: string) => string;
};

/**
 * Whether to colour a stream: `FORCE_COLOR` (not `0`) wins, then `NO_COLOR` (not empty), then whether it is a terminal.
 * See no-color.org and force-color.org.
 */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  return isTerminal;
}

/** The terminal of this process. */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  const colour = wantsColour(env, process.stdout.isTTY);
  return {
    result: (line) => void process.stdout.write(`${line}\n`),
    document: (text) => void process.stdout.write(text),
    bytes: (chunk) =>
      new Promise((resolve, reject) => {
        process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),
    talk: (line) => void process.stderr.write(`${line}\n`),
    status: (line) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${line ?? ""}`);
    },
    input: () => Bun.stdin.stream(),
    interactive: process.stdin.isTTY && process.stderr.isTTY,
    askSecrets,
    confirm,
    readLine: async () => (await Bun.stdin.text()).split(/\r?\n/, 1)[0] ?? "",
    strong: (text) => (colour ? `\u001B[1m${text}\u001B[22m` : text),
  };
}

/** Resolves when all that was said has left the process. */
export async function flush(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise<void>((resolve) => stream.write("", () => resolve())),
    ),
  );
}

async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  lines.on("SIGINT", () => process.exit(130));
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}

async function askSecrets(questions: readonly string[]): Promise<readonly string[]> {
  // readline edits the line as usual; what it would show goes nowhere.
  const hidden = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: hidden, terminal: true });
  lines.on("SIGINT", () => process.exit(130));
  const answers: string[] = [];
  try {
    // One reader for all questions: lines that were typed ahead wait in it.
    const typed = lines[Symbol.asyncIterator]();
    for (const question of questions) {
      process.stderr.write(question);
      const { value, done } = await typed.next();
      process.stderr.write("\n");
      if (done) break;
      answers.push(value);
    }
    return answers;
  } finally {
    lines.close();
  }
}
