import { expect, test } from "bun:test";
import { createHistories } from "./history";
import { limits } from "./limits";

let now = 1_000_000_000;
const message = (n: number, at = now) => ({
  messageId: `m${n}`,
  event: "e",
  payload: n,
  sender: { userId: "u", socketId: "s" },
  timestamp: new Date(at).toISOString(),
});
const numbers = (histories: ReturnType<typeof createHistories>, key: string) =>
  histories.of(key).map(({ payload }) => payload);

test("a room remembers its last messages, each once, in the order of their time", () => {
  const histories = createHistories(() => now);
  for (let n = 0; n < limits.history + 10; n++) histories.add("a", message(n), 10);
  expect([numbers(histories, "a").length, numbers(histories, "a")[0]]).toEqual([limits.history, 10]);
  histories.add("b", message(1, now + 1), 10);
  histories.add("b", message(2, now), 10);
  histories.add("b", message(2, now), 10);
  expect(numbers(histories, "b")).toEqual([2, 1]);
});

test("for a day, and within its bytes", () => {
  const histories = createHistories(() => now);
  histories.add("a", message(1), limits.historyBytes - 1);
  histories.add("a", message(2), 2);
  expect(numbers(histories, "a")).toEqual([2]);
  now += limits.historyAge + 1;
  histories.add("a", message(3), 2);
  expect(numbers(histories, "a")).toEqual([3]);
  now += limits.historyAge + 1;
  expect([histories.has("a"), [...histories.keys()]]).toEqual([false, []]);
});

test("when all together are too long, the room that was silent longest forgets", () => {
  const histories = createHistories(() => now, 100);
  for (const key of ["a", "b", "a", "c"]) histories.add(key, message(Math.random()), 30);
  expect([...histories.keys()]).toEqual(["a", "c"]);
  histories.drop("a");
  for (const key of ["d", "e"]) histories.add(key, message(1), 30);
  expect([...histories.keys()]).toEqual(["c", "d", "e"]);
});
