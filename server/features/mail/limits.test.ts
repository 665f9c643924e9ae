/** How many mails strangers may cause. */
import { expect, test } from "bun:test";
import { createMailLimits } from "./limits";

const minute = 60_000;

/** Takes at each time; tells the seconds to wait where it was refused. */
function run(times: readonly number[], address: (i: number) => string = () => "ann@example.com") {
  let now = 0;
  const limits = createMailLimits(() => now);
  return times.map((time, i) => {
    now = time;
    try {
      limits.take(address(i));
      return "ok";
    } catch (error) {
      const { code, details } = error as { code: string; details: { retryAfter: number } };
      return `${code} ${details.retryAfter}`;
    }
  });
}

test.each<[string, readonly number[], readonly string[]]>([
  ["one a minute", [0, 1, 59_999, minute], ["ok", "RATE_LIMITED 60", "RATE_LIMITED 1", "ok"]],
  [
    "five in any hour",
    [0, 10, 20, 30, 40, 50, 60, 61, 70].map((at) => at * minute),
    ["ok", "ok", "ok", "ok", "ok", "RATE_LIMITED 600", "ok", "RATE_LIMITED 540", "ok"],
  ],
  ["a refused one does not count", [0, 30_000, minute], ["ok", "RATE_LIMITED 30", "ok"]],
])("%s", (_rule, times, expected) => {
  expect(run(times)).toEqual([...expected]);
});

test("what follows a plus is one mailbox, of which each address has its own and all together have a limit", () => {
  const to = (i: number) => `ann${i === 0 ? "" : `+${i}`}@example.com`;
  expect(run([0, 0, 0, 0, 0, 0], to)).toEqual([...Array.from({ length: 5 }, () => "ok"), "RATE_LIMITED 60"]);
  expect(run([0, 0], () => "ann+a@example.com")).toEqual(["ok", "RATE_LIMITED 60"]);
  const hour = Array.from({ length: 40 }, (_, i) => Math.floor(i / 5) * minute);
  expect(run(hour, to).filter((result) => result === "ok")).toHaveLength(30);
  // A plus in the domain's place says nothing, and other people are other mailboxes.
  expect(run([0, 0, 0, 0, 0, 0], (i) => `person${i}@example.com`)).toEqual(
    Array.from({ length: 6 }, () => "ok"),
  );
});

test("each address counts for itself, in any letter case", () => {
  const addresses = ["ann@example.com", "bo@example.com", " ANN@Example.com"];
  expect(run([0, 0, 0], (i) => addresses[i] ?? "")).toEqual(["ok", "ok", "RATE_LIMITED 60"]);
});
