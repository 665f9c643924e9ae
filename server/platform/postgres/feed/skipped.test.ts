import { expect, test } from "bun:test";
import { Horizon } from "./horizon";
import { createSkipped } from "./skipped";

function stage(wanted: readonly string[] = []) {
  const snapshot = { text: "5:5:" };
  const missed: string[][] = [];
  const wants = new Set(wanted);
  let asked = 0;
  const horizon = new Horizon(async () => {
    asked++;
    return snapshot.text;
  });
  const told = Promise.withResolvers<void>();
  const skipped = createSkipped({
    horizon,
    isWanted: (table) => wants.has(table),
    onMissed: (tables) => {
      missed.push([...tables]);
      told.resolve();
    },
    pause: 1,
  });
  return { skipped, snapshot, wants, missed, told: told.promise, horizon, asked: () => asked };
}

test("who asks to be told of a table before its last change could be seen hears that there was one", async () => {
  const { skipped, snapshot, wants, missed, told, asked } = stage();
  skipped.add(7, ["posts", "orders"]);
  while (asked() === 0) await Bun.sleep(1);
  // It is in the log, and not to be seen.
  wants.add("posts");
  expect(missed).toEqual([]);
  snapshot.text = "8:8:";
  await told;
  expect(missed).toEqual([["posts"]]);
});

test("what nobody wants is forgotten when it can be seen, with one question for many", async () => {
  const { skipped, snapshot, wants, missed, horizon, asked } = stage();
  snapshot.text = "9000:9000:";
  for (let n = 1; n < 6_000; n++) skipped.add(n, ["orders"]);
  while (asked() === 0 || horizon.size > 0) await Bun.sleep(1);
  wants.add("orders");
  expect([missed, asked()]).toEqual([[], 1]);
  skipped.close();
});
