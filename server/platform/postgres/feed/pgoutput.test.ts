/** Which changes of the log are read: those of tables that somebody wants to be told of, and none of a table half. */
import { expect, test } from "bun:test";
import { type Decoded, Decoder } from "./pgoutput";

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const int = (bytes: 2 | 4, value: number): Buffer => {
  const made = Buffer.alloc(bytes);
  made.writeIntBE(value, 0, bytes);
  return made;
};
const begin = Buffer.concat([Buffer.from("B"), Buffer.alloc(16), int(4, 7)]);
const commit = Buffer.concat([Buffer.from("C"), Buffer.alloc(25)]);
const table = (id: number, name: string): Buffer =>
  Buffer.concat([
    Buffer.from("R"),
    int(4, id),
    text("public"),
    text(name),
    Buffer.from("d"),
    int(2, 1),
    Buffer.from([1]),
    text("id"),
    Buffer.alloc(8),
  ]);
const insert = (id: number, value: string): Buffer =>
  Buffer.concat([
    Buffer.from("I"),
    int(4, id),
    Buffer.from("N"),
    int(2, 1),
    Buffer.from("t"),
    int(4, value.length),
    Buffer.from(value),
  ]);

/** What the last of the messages completes. They lie in one buffer, as they come. */
function decode(decoder: Decoder, messages: readonly Buffer[]): Decoded | null {
  const bytes = Buffer.concat([Buffer.alloc(3), ...messages, Buffer.alloc(3)]);
  let at = 3;
  let decoded: Decoded | null = null;
  for (const { length } of messages) {
    decoded = decoder.decode(bytes, at, at + length);
    at += length;
  }
  return decoded;
}

const tables = [table(1, "posts"), table(2, "orders")];
const ids = (decoded: Decoded | null) =>
  decoded && "set" in decoded && decoded.set
    ? decoded.set.changes.map((one) => [one.table, one.after?.id])
    : decoded;

test("changes of wanted tables alone, in their order", () => {
  const decoder = new Decoder((name) => name === "posts");
  const changes = [insert(1, "a"), insert(2, "b"), insert(1, "c")];
  expect(ids(decode(decoder, [...tables, begin, ...changes, commit]))).toEqual([
    ["posts", "a"],
    ["posts", "c"],
  ]);
  expect(decode(decoder, [begin, insert(2, "b"), commit])).toEqual({
    transaction: 7,
    set: null,
    skipped: ["orders"],
  });
  expect(decode(decoder, [begin, commit])).toBeNull();
});

test("rows of a table that nobody wants do not count against the limit", () => {
  const decoder = new Decoder((name) => name === "posts", { changes: 2, bytes: 1000 });
  const many = Array.from({ length: 5 }, () => insert(2, "b"));
  expect(ids(decode(decoder, [...tables, begin, ...many, insert(1, "a"), commit]))).toEqual([["posts", "a"]]);
  expect(decode(decoder, [begin, ...Array.from({ length: 3 }, () => insert(1, "a")), commit])).toMatchObject({
    gap: expect.stringContaining("too much"),
  });
});

test("a table that is wanted only since its change came in is a gap", () => {
  const wanted = new Set<string>();
  const decoder = new Decoder((name) => wanted.has(name));
  decode(decoder, [...tables, begin, insert(1, "a")]);
  wanted.add("posts");
  expect(decode(decoder, [insert(1, "b"), commit])).toEqual({
    transaction: 7,
    gap: "posts changed before it was asked for",
  });
  expect(ids(decode(decoder, [begin, insert(1, "c"), commit]))).toEqual([["posts", "c"]]);
});

test("a value that is cut short ends the stream", () => {
  const decoder = new Decoder();
  const cut = insert(1, "abc").subarray(0, -1);
  expect(() => decode(decoder, [...tables, begin, cut])).toThrow(RangeError);
});
