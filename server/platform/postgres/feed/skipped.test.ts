import { expect, test } from "bun:test";
import { Horizon } from "./horizon";
import { createSkipped } from "./skipped";

function stage() {
  const state = { snapshot: "5:5:", now: 0, asked: 0 };
  const missed: string[] = [];
  const horizon = new Horizon(async () => {
    state.asked++;
    return state.snapshot;
  });
  const onMissed = (table: string): void => void missed.push(table);
  return { skipped: createSkipped({ horizon, onMissed, now: () => state.now }), state, missed, horizon };
}

test("who asks to be told of a table before its last change can be seen hears that there was one", async () => {
  const { skipped, state, missed, horizon } = stage();
  skipped.add(7, ["posts", "orders"]);
  skipped.add(8, ["orders"]);
  expect(state.asked).toBe(0);
  // They are in the log, and not to be seen.
  skipped.watching("posts");
  while (state.asked < 2) await Bun.sleep(1);
  expect(missed).toEqual([]);
  state.snapshot = "9:9:";
  while (horizon.size > 0) await Bun.sleep(1);
  expect(missed).toEqual(["posts"]);
});

test("what could be seen when it was asked for is no news, and of what nobody asks for nothing is asked", async () => {
  const { skipped, state, missed, horizon } = stage();
  state.snapshot = "90000:90000:";
  for (let n = 1; n < 20_000; n++) skipped.add(n, ["orders"]);
  skipped.watching("posts");
  expect([state.asked, horizon.size]).toEqual([0, 0]);
  skipped.watching("orders");
  while (horizon.size > 0) await Bun.sleep(1);
  expect([missed, state.asked]).toEqual([[], 1]);
  state.now = 2_000;
  skipped.watching("orders");
  expect(horizon.size).toBe(0);
});
