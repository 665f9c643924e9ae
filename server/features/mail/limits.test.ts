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

test("each address counts for itself, in any letter case", () => {
  const addresses = ["ann@example.com", "bo@example.com", " ANN@Example.com"];
  expect(run([0, 0, 0], (i) => addresses[i] ?? "")).toEqual(["ok", "ok", "RATE_LIMITED 60"]);
});
