import { expect, test } from "bun:test";
import { createRecent } from "./recent";

test("keeps what is used and forgets the rest", () => {
  const recent = createRecent<number>(10);
  for (let i = 0; i < 1000; i++) {
    recent.set(`k${i}`, i);
    expect(recent.get("k0")).toBe(0);
  }
  expect(recent.get("k999")).toBe(999);
  expect(recent.get("k500")).toBeUndefined();
});

test("deletes from both of its halves", () => {
  const recent = createRecent<number>(3);
  for (let i = 0; i < 5; i++) recent.set(`k${i}`, i);
  recent.delete("k2");
  recent.deleteWhere((value) => value === 4);
  expect(["k0", "k1", "k2", "k3", "k4"].map((key) => recent.get(key))).toEqual([
    0,
    1,
    undefined,
    3,
    undefined,
  ]);
  recent.clear();
  expect(recent.get("k3")).toBeUndefined();
});
