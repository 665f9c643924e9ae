import { expect, test } from "bun:test";
import { createBucket } from "./limits";
import { parseFrame } from "./model";

const answer = (message: string): string => {
  const parsed = parseFrame(message);
  return "frame" in parsed ? "understood" : `${parsed.id} ${parsed.error.code} ${parsed.error.message}`;
};

test.each([
  [{ type: "ping", id: "1" }, /^understood$/],
  [{ type: "authenticate", id: "1", token: null, version: 1 }, /^understood$/],
  [
    { type: "subscribe", id: "1", collection: "posts", filter: { a: { eq: 1 } }, fields: ["a"] },
    /^understood$/,
  ],
  [{ type: "unsubscribe", id: "1", subscription: "v1" }, /^understood$/],
  [{ type: "ping" }, /^null BAD_REQUEST id: /],
  [{ type: "ping", id: 7 }, /^null BAD_REQUEST id: /],
  [{ type: "ping", id: "x".repeat(65) }, /^null BAD_REQUEST id: /],
  [{ type: "ping", id: "1", extra: true }, /^1 BAD_REQUEST .*extra/],
  [{ type: "shout", id: "1" }, /^1 BAD_REQUEST type: expected one of authenticate, subscribe, /],
  [{ id: "1" }, /^1 BAD_REQUEST type: expected one of/],
  [{ type: "subscribe", id: "1", collection: 3 }, /^1 BAD_REQUEST collection: /],
  [{ type: "subscribe", id: "1", collection: "posts", filter: [] }, /^1 BAD_REQUEST filter: /],
  [{ type: "subscribe", id: "1", collection: "posts", fields: "a" }, /^1 BAD_REQUEST fields: /],
  [{ type: "authenticate", id: "1", token: null, version: "1" }, /^1 BAD_REQUEST version: /],
  [{ type: "authenticate", id: "1", version: 1 }, /^1 BAD_REQUEST token: /],
  [[], /^null BAD_REQUEST /],
  ["text", /^null BAD_REQUEST /],
  [null, /^null BAD_REQUEST /],
])("%j", (frame, expected) => {
  expect(answer(JSON.stringify(frame))).toMatch(expected);
});

test.each([
  ["", /^null INVALID_JSON/],
  ["{", /^null INVALID_JSON/],
  ["\u0000\u0001", /^null INVALID_JSON/],
  ['{"type":"ping","id":"1","__proto__":{"x":1}}', /^1 BAD_REQUEST .*__proto__/],
  ['{"__proto__":{"id":"1"},"type":"ping"}', /^null BAD_REQUEST .*__proto__/],
  [
    '{"type":"subscribe","id":"1","collection":"a","filter":{"constructor":1}}',
    /^1 BAD_REQUEST .*constructor/,
  ],
  [
    `{"type":"subscribe","id":"1","collection":"a","filter":${'{"NOT":'.repeat(70)}{}${"}".repeat(70)}}`,
    /^1 BAD_REQUEST .*deep/,
  ],
])("%p", (message, expected) => {
  expect(answer(message)).toMatch(expected);
});

test("a bucket holds a burst and fills at its rate", () => {
  let now = 1_000_000;
  const bucket = createBucket(() => now, 2, 3);
  const taken = () => [1, 2, 3, 4, 5].filter(() => bucket.take()).length;
  expect(taken()).toBe(3);
  now += 1000;
  expect(taken()).toBe(2);
  now -= 5000;
  expect(taken()).toBe(0);
  now += 60_000;
  expect(taken()).toBe(3);
});
