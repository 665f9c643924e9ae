/** A file gives the same rows however it is cut into pieces, and only whole batches leave the readers. */
import { describe, expect, test } from "bun:test";
import { blogSchema } from "../../testing/blog";
import { csvRows } from "./csv";
import { jsonRows } from "./json";
import { type Batch, batchRows, type ReadRows } from "./rows";

function cut(text: string, size: number): () => AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
  };
}

async function batches(read: ReadRows, text: string, size = 64 * 1024): Promise<readonly Batch[]> {
  return Array.fromAsync(read(cut(text, size)));
}

const posts = blogSchema.collections.get("posts");
if (!posts) throw new Error("no posts");
const csv = csvRows(posts, { delimiter: ",", emptyIsNull: false, onHeader: () => {} });
const json = jsonRows({ lines: false, emptyIsNull: true });
const lines = jsonRows({ lines: true, emptyIsNull: true });

describe("pieces", () => {
  const wanted = [
    { title: "ä😀", secret: null },
    { title: 'a,"b"\nc', secret: "" },
    { title: "", secret: "x" },
  ];
  const list = '[{"title":"\\u00e4😀","secret":""},\n{"title":"a,\\"b\\"\\nc"},{"title":"x","price":-1.5e2}]';
  test.each<readonly [string, ReadRows, string, readonly unknown[]]>([
    ["csv", csv, '\uFEFFtitle,secret\r\nä😀,\r\n"a,""b""\nc",""\r\n\r\n"",x', wanted],
    ["csv that ends in empty quotes", csv, 'title,secret\na,""', [{ title: "a", secret: "" }]],
    ["csv without empty quotes", csv, 'title,secret\n"a",\n', [{ title: "a", secret: null }]],
    [
      "json",
      json,
      list,
      [{ title: "ä😀", secret: null }, { title: 'a,"b"\nc' }, { title: "x", price: -150 }],
    ],
    ["ndjson", lines, '\n{"title":"ä😀"}\r\n\n{"title":"b"}', [{ title: "ä😀" }, { title: "b" }]],
  ])("%s", async (_, read, text, bodies) => {
    for (let size = 1; size < 20; size++) {
      const rows = (await batches(read, text, size)).flat();
      expect(rows.map(({ body }) => body)).toEqual(bodies as Record<string, unknown>[]);
      expect(rows.map(({ number }) => number)).toEqual(bodies.map((_unused, i) => i + 1));
    }
  });
});

test("batches hold so many rows, or so many bytes", async () => {
  const many = await batches(csv, `title\n${"a\n".repeat(2500)}`);
  expect(many.map((batch) => batch.length)).toEqual([batchRows, batchRows, 500]);
  const large = await batches(lines, `${JSON.stringify({ title: "x".repeat(900_000) })}\n`.repeat(12));
  expect(large.map((batch) => batch.length)).toEqual([5, 5, 2]);
});

test("an import that stops early lets go of the file", async () => {
  let given = 0;
  let closed = 0;
  const rows = csv(async function* () {
    try {
      for (let i = 0; i < 5; i++, given++) yield new TextEncoder().encode("title\na\n".repeat(5000));
    } finally {
      closed++;
    }
  });
  await rows.next();
  const before = given;
  await rows.return(undefined);
  expect([before, closed]).toEqual([5, 2]);
});

test.each<readonly [string, ReadRows, string]>([
  ["csv", csv, `title\n${",,\n".repeat(50_000)}`],
  ["ndjson", lines, "x\n".repeat(50_000)],
])("others have their turn while a file of wrong rows is read: %s", async (_, read, text) => {
  let turns = 0;
  let next = setImmediate(function count() {
    turns++;
    next = setImmediate(count);
  });
  const rows = (await batches(read, text)).flat();
  clearImmediate(next);
  expect(rows.every(({ body }) => body === null)).toBe(true);
  expect(turns).toBeGreaterThan(2);
});
