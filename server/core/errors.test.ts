import { expect, test } from "bun:test";
import { AppError, nearestName, suggestion } from "./errors";

const names = ["price", "priority", "jsonbHasKey", "jsonbHasAllKeys", "eq", "createdAt"];

test.each([
  ["pric", "price"],
  ["prise", "price"],
  ["PRICE", "price"],
  ["jsonbHas", "jsonbHasKey"],
  ["createdat", "createdAt"],
  ["creatdAt", "createdAt"],
  ["eg", "eq"],
  ["e", "eq"],
  ["somethingElse", null],
] as const)("the name nearest to '%s' is %s", (name, nearest) => {
  expect(nearestName(name, names)).toBe(nearest);
});

test("a suggestion says it, or nothing", () => {
  expect(suggestion("pric", names)).toBe("; did you mean 'price'?");
  expect(suggestion("somethingElse", names)).toBe("");
});

test("a message does not grow with what was sent", () => {
  const { message } = new AppError("UNKNOWN_FIELD", `no field '${"😀".repeat(1_000_000)}'`);
  expect([message.length < 11_000, message.isWellFormed(), message.endsWith("…")]).toEqual([
    true,
    true,
    true,
  ]);
});
