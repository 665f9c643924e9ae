import { expect, test } from "bun:test";
import { readQueryString } from "./queryString";

const read = (text: string) => readQueryString(`http://localhost/items/posts?${text}`);

test("plain pairs, lists and brackets", () => {
  expect({ ...read("a=1&b=x%20y&b=z") }).toEqual({ a: "1", b: ["x y", "z"] });
  expect(JSON.stringify(read("filter[price][gt]=1&filter[tags][in][]=a&filter[tags][in][]=b"))).toBe(
    '{"filter":{"price":{"gt":"1"},"tags":{"in":["a","b"]}}}',
  );
  expect({ ...read("fields=[%22a%22]&filter=%7B%22b%22%3A%5B1%5D%7D") }).toEqual({
    fields: '["a"]',
    filter: '{"b":[1]}',
  });
});

const tooMuch: readonly (readonly [string, string])[] = [
  ["13 brackets", `filter${"[a]".repeat(13)}=1`],
  ["2,001 parameters", `filter[a]=1${"&b=1".repeat(2000)}`],
  ["a list of 1,001", "a[]=1&".repeat(1001)],
];
test.each(tooMuch)("%s are refused, not cut", (_, text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: "QUERY_TOO_COMPLEX" }));
});
