/**
 * `bun run test`: everything that must hold, from a fresh clone: types, format, lint, all suites from source, the build,
 * and the suites that drive the executable. The last line is `N passed, N failed`; the exit code follows it.
 */
import { join } from "node:path";
import { installDebianPackages } from "./debian";
import { bun, prepare, root, runTests } from "./steps";

type Outcome = {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
};

const outcomes: Outcome[] = [];
/** What the failed tests said, told again at the end: of a long log often only the end is kept. */
const failures: string[] = [];

/** A check that passes or fails as a whole. */
async function check(name: string, work: () => Promise<number>): Promise<boolean> {
  const passed = (await work()) === 0;
  outcomes.push({ name, passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 });
  return passed;
}

/** Something without which nothing can be tested; counted only when it fails. */
async function need(name: string, work: () => Promise<number>): Promise<boolean> {
  if ((await work()) === 0) return true;
  outcomes.push({ name, passed: 0, failed: 1, skipped: 0 });
  return false;
}

/** A `bun test` run: its tests counted one by one. */
async function suite(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const {
    code,
    tail,
    failures: told,
  } = await runTests([process.execPath, "test", "--timeout=60000", ...args], env);
  // The summary, and not a JUnit report: only the summary counts a file that does not load.
  const count = (word: string) =>
    Number(
      tail
        .match(new RegExp(`^ *(\\d+) ${word}$`, "gm"))
        ?.at(-1)
        ?.match(/\d+/)?.[0] ?? 0,
    );
  const failed = count("fail");
  failures.push(...told);
  outcomes.push({
    name,
    passed: count("pass"),
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: count("skip") + count("todo"),
  });
}

async function everything(): Promise<void> {
  if (!(await need("Debian packages", installDebianPackages))) return;
  if (!(await need("install", async () => ((await prepare()) ? 0 : 1)))) return;
  await check("types", () => bun(["check", "--no-script"]));
  await check("format", () => bun(["fmt", "--no-script", "--check"]));
  // `--bun`: the linter's start file asks for node, which may not be there.
  await check("lint", () => bun(["--bun", "node_modules/.bin/oxlint", "--deny-warnings"]));
  await suite("source", ["--path-ignore-patterns=**/e2e/**"]);
  if (!(await check("build", () => bun(["tasks/build.ts"])))) return;
  await suite("executable", ["e2e/"], { BAASIX_EXECUTABLE: join(root, "dist/baasix") });
}

await everything();
for (const failure of failures) console.log(`\n${failure}`);
console.log();
for (const { name, passed, failed, skipped } of outcomes) {
  console.log(`${name}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
}
const total = (count: "passed" | "failed") => outcomes.reduce((sum, outcome) => sum + outcome[count], 0);
process.exitCode = total("failed") > 0 ? 1 : 0;
console.log(`${total("passed")} passed, ${total("failed")} failed`);
