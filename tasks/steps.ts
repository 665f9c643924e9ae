/** What the tasks share: running our own Bun on something. Imports nothing that must be installed first. */

export const root = `${import.meta.dir}/..`;

/** Runs a program from the root of the tree, its output going where ours goes. Gives the exit code. */
export async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  console.log(`\n$ ${command.join(" ")}`);
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["inherit", "inherit", "inherit"],
  });
  return await child.exited;
}

/**
 * As `run`, and gives the end of what went to stderr (at least the last 2,000 characters of it) and, with the lines that
 * stood above each (at most 40), what tells of a failed test.
 */
export async function runTests(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly tail: string; readonly failures: readonly string[] }> {
  console.log(`\n$ ${command.join(" ")}`);
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["inherit", "inherit", "pipe"],
  });
  let tail = "";
  const failures: string[] = [];
  let above: string[] = [];
  let file = "";
  let begun = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    process.stderr.write(text);
    tail = `${tail}${text}`.slice(-Math.max(2000, text.length));
    const lines = `${begun}${text}`.split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) {
      // What a test says stands above its verdict. At the end Bun lists the failed ones again.
      if (/^\S+\.test\.tsx?:$/.test(line)) file = line;
      if (/^\d+ tests? failed:$/.test(line)) file = "";
      if (line.startsWith("(fail)") && file !== "") failures.push([file, ...above, line].join("\n"));
      above = /^\((pass|fail|skip|todo)\)/.test(line) || line === file ? [] : [...above.slice(-39), line];
    }
  }
  return { code: await child.exited, tail, failures };
}

/** Runs this very Bun, so that none needs to be on the PATH. */
export function bun(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  return run([process.execPath, ...args], env);
}

/** What must be there before anything of ours can run: the packages of the lock file, and the archives of PostgreSQL and libvips. */
export async function prepare(): Promise<boolean> {
  return (
    (await bun(["install", "--frozen-lockfile"])) === 0 &&
    (await bun(["server/platform/postgres/embedded/bundle.ts"])) === 0 &&
    (await bun(["server/platform/images/bundle.ts"])) === 0
  );
}
