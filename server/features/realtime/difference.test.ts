import { expect, test } from "bun:test";
import { chance, seedOfRun } from "../../testing/chance";
import { applyPieces, differenceOf, encodePieces, isSame } from "./difference";

const list = (text: string) => [...text];

test.each([
  ["abc", "abc", "[[0,3]]"],
  ["", "", "[]"],
  ["", "ab", "[a,b]"],
  ["abc", "", "[]"],
  ["abcd", "abxd", "[[0,2],x,[3,1]]"],
  ["abcd", "xabcd", "[x,[0,4]]"],
  ["abcd", "acd", "[[0,1],[2,2]]"],
  ["abcd", "dabc", "[[3,1],[0,3]]"],
  ["abcd", "ab", "[[0,2]]"],
  ["aab", "aaab", "[[0,2],[1,2]]"],
  ["abcd", "xbxd", "[x,[1,1],x,[3,1]]"],
])("%s to %s", (before, after, pieces) => {
  expect(encodePieces(differenceOf(list(before), list(after)))).toBe(pieces);
});

test("put together, the pieces are the new list, whatever the lists; only equal ones are the same", () => {
  const seed = seedOfRun();
  const { below: random } = chance(seed);
  for (let round = 0; round < 2000; round++) {
    const before = Array.from({ length: random(8) }, () => "abcde"[random(5)] as string);
    const after =
      random(3) === 0 ? [...before] : Array.from({ length: random(8) }, () => "abcde"[random(5)] as string);
    const pieces = differenceOf(before, after);
    expect([seed, applyPieces(before, pieces)]).toEqual([seed, after]);
    expect([seed, isSame(before, pieces)]).toEqual([
      seed,
      before.join() === after.join() && before.length === after.length,
    ]);
  }
});
