/** The harness itself: an example that is wrong is found. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createBaasix } from "@baasix/sdk";
import type { TestApp } from "../../server/testing/app";
import { type Block, blocksOf } from "./blocks";
import { examplesOf, runHttp } from "./http";
import { matches } from "./match";
import { runModule, writeModule } from "./scripts";
import { runShell } from "./shell";

mkdirSync(join(import.meta.dir, "../../dist"), { recursive: true });
const folder = mkdtempSync(join(import.meta.dir, "../../dist/guide-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("finds the blocks of a guide, hidden ones too", () => {
  const guide =
    "# A\n\n```ts\na\n```\n\n<!-- http\nGET /x\n\n200\n-->\n\n- b\n\n  ```sh held by c.ts\n  d\n  ```\n\n<!-- e -->\n";
  expect(blocksOf(guide)).toEqual([
    { kind: "ts", note: "", text: "a\n", line: 3 },
    { kind: "http", note: "", text: "GET /x\n\n200\n", line: 7 },
    { kind: "sh", note: "held by c.ts", text: "d\n", line: 15 },
  ]);
});

test.each<[boolean, unknown, unknown]>([
  [true, { a: 1, b: [2] }, { b: [2], a: 1 }],
  [true, { a: 1, b: [2] }, { a: "…", b: "…" }],
  [true, { a: 1, b: [2], c: null }, { b: [2], "…": "…" }],
  [true, [{ id: 1, n: "x" }], [{ id: "…", n: "x" }]],
  [false, { a: 1, b: 2 }, { a: 1 }],
  [false, { a: 1 }, { a: 1, b: 2, "…": "…" }],
  [false, { a: 1 }, { a: 1, b: "…" }],
  [false, [1, 2], ["…"]],
  [false, [1], [1, "…"]],
  [false, "1", 1],
  [false, null, { "…": "…" }],
])("%p: %p is %p", (right, value, said) => {
  expect(matches(value, said)).toBe(right);
});

describe("requests", () => {
  const block =
    'POST /a?b={"c":"d e"}\nAs: user\nX-Y: z\n\n{"f":\n 1}\n\n201 {"g": "…"}\n###\nDELETE /a/1\n\n204\n';
  test("are read", () => {
    expect(examplesOf(block)).toEqual([
      {
        method: "POST",
        path: "/a?b=%7B%22c%22:%22d%20e%22%7D",
        as: "user",
        headers: { "x-y": "z" },
        body: '{"f":\n 1}',
        status: 201,
        said: '{"g": "…"}',
      },
      {
        method: "DELETE",
        path: "/a/1",
        as: "administrator",
        headers: {},
        body: undefined,
        status: 204,
        said: null,
      },
    ]);
    expect(() => examplesOf("GET /a")).toThrow("needs an answer");
  });
  const answering = (status: number, body: unknown): TestApp =>
    ({
      admin: "t",
      call: () => Promise.resolve({ status, body, headers: new Headers(), text: JSON.stringify(body) }),
    }) as never;
  test("whose answer is another fail", async () => {
    const said = 'GET /a\n\n200 {"b": 1}\n';
    await runHttp(answering(200, { b: 1 }), { user: "u" }, said);
    await expect(runHttp(answering(404, { b: 1 }), { user: "u" }, said)).rejects.toThrow("GET /a");
    await expect(runHttp(answering(200, { b: 2 }), { user: "u" }, said)).rejects.toThrow("GET /a");
  });
});

describe("programs", () => {
  let line = 0;
  async function run(text: string): Promise<unknown> {
    const block: Block = { kind: "ts", note: "", text, line: ++line };
    writeModule(folder, block, "1");
    const ran = await runModule(folder, block, createBaasix({ url: "http://localhost" }));
    return ran.finished(100);
  }
  test.each([
    'console.log("a", 1); // → "a", 1',
    "for (const n of [1, 2]) console.log(n); // → 1, 2",
    "console.log(0);\nconsole.log({\n  a: 1,\n  b: 2,\n}); // → { a: 1,\n//   b: 2 }",
    'setTimeout(() => console.log("later"), 5); // → "later"',
    'import { join } from "node:path";\nconsole.log(join("a", "b")); // → "a/b"',
  ])("%p is right", async (text) => {
    await run(text);
  });
  test.each(["console.log(1); // → 2", "console.log(1, 2); // → 1", "if (!folder) console.log(1); // → 1"])(
    "%p is wrong",
    async (text) => {
      await expect(run(`const folder = "x";\n${text}`)).rejects.toThrow();
    },
  );
});

test("commands that fail, or print something else, are found", async () => {
  const place = { port: "1", token: "t", folder };
  await runShell('echo "{\\"a\\":1}"; echo b\n# → {"a": "…"}\n# → b\n', place);
  await expect(runShell("false\n", place)).rejects.toThrow();
  await expect(runShell("echo a\n# → b\n", place)).rejects.toThrow();
});
