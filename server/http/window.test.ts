import { expect, test } from "bun:test";
import { createWindowCounter } from "./window";

test("counts within a window and starts anew after it", () => {
  const counter = createWindowCounter(1000);
  expect(counter.count("a", 0)).toEqual({ count: 1, endsAt: 1000 });
  expect(counter.count("a", 999)).toEqual({ count: 2, endsAt: 1000 });
  expect(counter.count("b", 999)).toEqual({ count: 1, endsAt: 1999 });
  expect(counter.count("a", 1000)).toEqual({ count: 1, endsAt: 2000 });
});

test("forgets keys that are not used while many new ones come, and no others", () => {
  const counter = createWindowCounter(1000, 10);
  counter.count("quiet", 0);
  for (let i = 0; i < 100; i++) {
    counter.count(`new ${i}`, 0);
    expect(counter.count("busy", 0).count).toBe(i + 1);
  }
  expect(counter.count("quiet", 0).count).toBe(1);
});
