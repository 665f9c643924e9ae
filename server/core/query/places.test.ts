/** Moves against a model: a plain list out of which an item is taken, and into which it is put. */
import { describe, expect, test } from "bun:test";
import { arrange, type Placed, rotate, settle } from "./places";

const rows = (...places: readonly (number | null)[]): readonly Placed[] =>
  places.map((place, i) => ({ key: String(i), place }));

test.each<readonly [places: readonly (number | null)[], last: number, settled: readonly number[]]>([
  [[1, 2, 5], 5, [1, 2, 5]],
  [[1, 1, 1, 2], 2, [1, 2, 3, 4]],
  [[1, 1, 9], 9, [1, 2, 9]],
  [[3, null, null], 7, [3, 8, 9]],
  [[null], 0, [1]],
  [[-4, -4], 0, [-4, -3]],
])("places %p, highest %p, become %p", (places, last, settled) => {
  expect(settle(rows(...places), last).map((row) => row.settled)).toEqual([...settled]);
});

describe("a hundred moves and reorders, one after the other", () => {
  test("lead where a list leads", () => {
    let seed = 7;
    const random = (n: number): number => (seed = (seed * 48_271) % 2_147_483_647) % n;
    let model = Array.from({ length: 12 }, (_, i) => String(i));
    let places = new Map(model.map((key, i) => [key, i * 3] as const));
    const ordered = (): readonly Placed[] =>
      [...places].map(([key, place]) => ({ key, place })).toSorted((a, b) => a.place - b.place);
    for (let turn = 0; turn < 100; turn++) {
      const settled = settle(ordered(), 0);
      if (turn % 3 === 0) {
        const keys = model.filter(() => random(2) === 0).toReversed();
        const wanted = [...keys];
        model = model.map((key) => (keys.includes(key) ? (wanted.shift() ?? key) : key));
        places = new Map([...places, ...arrange(settled, keys)]);
      } else {
        const [item = "", to = ""] = [model[random(12)], model[random(12)]];
        const side = random(2) === 0 ? "before" : "after";
        if (item !== to) {
          model = model.filter((key) => key !== item);
          model.splice(model.indexOf(to) + (side === "before" ? 0 : 1), 0, item);
        }
        places = new Map([...places, ...rotate(settled, item, to, side)]);
      }
      expect(ordered().map(({ key }) => key)).toEqual(model);
      expect([...places.values()].toSorted((a, b) => a - b)).toEqual(model.map((_, i) => i * 3));
    }
  });
});
