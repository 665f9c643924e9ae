import { expect, test } from "bun:test";
import { AppError } from "../core/errors";
import { checkJson, createJsonReader } from "./json";

const readJson = createJsonReader();

const nested = (levels: number): unknown => JSON.parse('{"a":'.repeat(levels) + "1" + "}".repeat(levels));
const wide = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, i) => [`k${i}`, i]));

const refused: readonly (readonly [string, unknown, string])[] = [
  ["a prototype key", JSON.parse('{"__proto__":{"admin":true}}'), "__proto__"],
  ["a prototype key inside a list", JSON.parse('[{"a":[{"constructor":1}]}]'), "constructor"],
  ["a prototype key far down", JSON.parse('{"a":{"b":{"prototype":1}}}'), "prototype"],
  ["65 levels of objects", nested(65), "64 levels"],
  ["65 levels of lists", JSON.parse("[".repeat(65) + "{}" + "]".repeat(65)), "64 levels"],
  ["10,001 keys", wide(10_001), "10000 keys"],
  ["10,001 elements of one list", Array.from({ length: 10_001 }, () => 1), "10000 elements"],
  ["65 levels below a list of items", { data: [nested(63)] }, "64 levels"],
  ["a prototype key in a list of items", { data: [JSON.parse('{"__proto__":1}')] }, "__proto__"],
  ["10,001 keys in an item of a list", { operations: [{ data: [wide(10_001)] }] }, "10000 keys"],
  ["10,001 keys over several levels", { a: wide(5_000), b: [wide(5_000)] }, "10000 keys"],
];

test.each(refused)("refuses %s", (_, value, reason) => {
  expect(() => checkJson(value)).toThrow(reason);
});

const accepted: readonly (readonly [string, unknown])[] = [
  ["null", null],
  ["text", "__proto__"],
  ["64 levels", nested(64)],
  ["10,000 keys", wide(10_000)],
  [
    "a transaction that upserts 1,000 items with 30 fields each",
    { operations: [{ on: "id", data: Array.from({ length: 1000 }, () => wide(30)) }] },
  ],
  ["a bulk of 1,000 items with 30 fields each", Array.from({ length: 1000 }, () => wide(30))],
];

test.each(accepted)("accepts %s", (_, value) => {
  expect(() => checkJson(value)).not.toThrow();
});

const post = (body: BodyInit) => new Request("http://localhost/", { method: "POST", body });
const chunked = (pieces: number, size: number) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < pieces; i++) controller.enqueue(new Uint8Array(size).fill(32));
      controller.close();
    },
  });

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof AppError ? error.code : String(error);
}

test("reads a body, keeping every value", async () => {
  expect(await readJson(post('{"a":"é","n":1.5}'), 100)).toEqual({ a: "é", n: 1.5 });
  expect(await readJson(post(""), 100)).toBeNull();
});

test("refuses what is too long, not JSON or not UTF-8", async () => {
  expect(await codeOf(readJson(post(" ".repeat(101)), 100))).toBe("PAYLOAD_TOO_LARGE");
  expect(await codeOf(readJson(post(chunked(3, 50)), 100))).toBe("PAYLOAD_TOO_LARGE");
  expect(await codeOf(readJson(post('{"a":'), 100))).toBe("INVALID_JSON");
  expect(await codeOf(readJson(post(new Uint8Array([0x22, 0xe9, 0x22])), 100))).toBe("INVALID_JSON");
});

test("counts values before they are parsed, outside text", async () => {
  const list = (item: string, count: number) => `{"a":[${Array.from({ length: count }, () => item).join()}]}`;
  for (const item of ["1", "[]", "{}", '"\\\\"', '"\\",["']) {
    expect([item, await codeOf(readJson(post(list(item, 1_000_001)), 20_000_000))]).toEqual([
      item,
      "BAD_REQUEST",
    ]);
  }
  const text = ",[{".repeat(500_000);
  expect(await readJson(post(JSON.stringify({ a: text, b: `"${text}` })), 20_000_000)).toEqual({
    a: text,
    b: `"${text}`,
  });
  expect(await readJson(post(list("1", 400_000)), 20_000_000)).toMatchObject({ a: { length: 400_000 } });
});

test("does not repeat the body in the message", async () => {
  const error = await readJson(post('{"password": hunter2secret}'), 100).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AppError);
  expect(String(error)).not.toContain("hunter2");
});

/** A body whose end comes when the test says so. */
function pending(piece: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(piece)),
    pull: async (controller) => {
      await promise;
      controller.close();
    },
  });
  return { request: post(body), end: resolve };
}

test("bounds what is being received at one time, and forgets what has come", async () => {
  const read = createJsonReader({ held: 100 });
  const slow = pending(JSON.stringify("a".repeat(70)));
  const reading = read(slow.request, 1000);
  expect(await codeOf(read(post(chunked(1, 50)), 1000))).toBe("UNAVAILABLE");
  slow.end();
  expect(await reading).toBe("a".repeat(70));
  expect(await read(post(chunked(1, 0)), 1000)).toBeNull();
  expect(await codeOf(read(post(chunked(1, 90)), 1000))).toBe("INVALID_JSON");
});

test("gives up a body that does not come, and one that breaks off", async () => {
  const read = createJsonReader({ deadline: 20 });
  expect(await codeOf(read(pending("[").request, 1000))).toBe("BAD_REQUEST");
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("gone")),
  });
  expect(await codeOf(read(post(broken), 1000))).toBe("BAD_REQUEST");
});
