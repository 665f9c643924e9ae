import { expect, test } from "bun:test";
import { createHistories, type History } from "./live-states";

const meta = { totalCount: null, truncated: false };
const rows = (text: string) => [...text].map((one) => `"${one}"`);
/** What is new in an answer: its type and data, or nothing. */
function take(history: History, text: string, totalCount: number | null = null): string {
  const news = history.take(rows(text), { ...meta, totalCount });
  return news ? told(news("q")) : "nothing";
}
function told(frame: string): string {
  const { type, data } = JSON.parse(frame) as { type: string; data?: unknown };
  return `${type}${data === undefined ? "" : ` ${JSON.stringify(data)}`}`;
}
const answer = (history: History, known: string | null) => told(history.answer("q", "1", known));

test("news are differences, also where only what stands beside the rows has changed", () => {
  const history = createHistories(1000)();
  expect(take(history, "abc")).toBe("nothing");
  const first = history.version();
  expect(take(history, "abc")).toBe("nothing");
  expect(take(history, "abxc")).toBe('query.difference [[0,2],"x",[2,1]]');
  expect(take(history, "abxc", 9)).toBe("query.difference [[0,4]]");
  expect(answer(history, history.version())).toBe("query.unchanged");
  expect(answer(history, first)).toBe('query.difference [[0,2],"x",[2,1]]');
  expect(answer(history, "another")).toBe('query.result ["a","b","x","c"]');
  expect(answer(history, null)).toBe('query.result ["a","b","x","c"]');
});

test("equal answers have equal versions, in any memory; others have others", () => {
  const versions = ["ab", "ab", "a", "ba", ""].map((text) => {
    const history = createHistories(1000)();
    take(history, text);
    return history.version();
  });
  expect(versions[0]).toBe(versions[1] as string);
  expect(new Set(versions).size).toBe(4);
  const counted = createHistories(1000)();
  take(counted, "ab", 7);
  expect(versions).not.toContain(counted.version());
});

test("an answer that comes back is not news of its own, and older ones lead to it", () => {
  const history = createHistories(1000)();
  take(history, "a");
  const first = history.version();
  take(history, "b");
  const second = history.version();
  take(history, "a");
  expect(history.version()).toBe(first as string);
  expect(answer(history, first)).toBe("query.unchanged");
  expect(answer(history, second)).toBe('query.difference ["a"]');
});

test("beyond the budget the oldest is forgotten: then the answer comes whole, and an equal one still is no news", () => {
  const open = createHistories(20);
  const [quiet, busy] = [open(), open()];
  take(quiet, "abc");
  take(busy, "abc");
  take(busy, "xbc");
  expect(take(quiet, "abc")).toBe("nothing");
  take(busy, "xyc");
  take(busy, "xyz");
  expect(take(quiet, "abd")).toBe('query.result ["a","b","d"]');
  expect(take(quiet, "abe")).toBe('query.difference [[0,2],"e"]');
  expect(answer(quiet, null)).toBe('query.result ["a","b","e"]');
});

test("what is larger than the budget is told all the same", () => {
  const history = createHistories(5)();
  take(history, "abcdef");
  expect(answer(history, null)).toBe('query.result ["a","b","c","d","e","f"]');
  expect(take(history, "abcdeg")).toBe('query.difference [[0,5],"g"]');
});
