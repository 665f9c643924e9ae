import { expect, test } from "bun:test";
import { createWindowCounter } from "./window";

test("counts within a window and starts anew after it", () => {
  const counter = createWindowCounter(1000);
  expect(counter.count("a", 0)).toEqual({ count: 1, endsAt: 1000 });
  expect(counter.count("a", 999)).toEqual({ count: 2, endsAt: 1000 });
  expect(counter.count("b", 999)).toEqual({ count: 1, endsAt: 1999 });
  expect(counter.count("a", 1000)).toEqual({ count: 1, endsAt: 2000 });
});

test("holds no more keys than it may, and forgets ended windows first", () => {
  const counter = createWindowCounter(1000, 3);
  counter.count("old", 0);
  counter.count("a", 1500);
  counter.count("b", 1500);
  counter.count("c", 1600);
  expect(counter.count("a", 1700).count).toBe(2);
  expect(counter.count("b", 1700).count).toBe(2);
  counter.count("d", 1700);
  expect(counter.count("b", 1700).count).toBe(3);
  expect(counter.count("a", 1700).count).toBe(1);
});
