/** What must end with the test run. The test runner raises no exit event, so the preload calls this. */

const pending: (() => void)[] = [];

/** Runs `work` once, after the last test of the run, or when a program that is no test run exits. */
export function afterAllTests(work: () => void): void {
  if (pending.length === 0) process.once("exit", cleanUp);
  pending.push(work);
}

/** Runs what `afterAllTests` was given, newest first. */
export function cleanUp(): void {
  for (let work = pending.pop(); work; work = pending.pop()) work();
}
