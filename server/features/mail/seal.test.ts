/** What waits is sealed. */
import { expect, test } from "bun:test";
import { createSeal } from "./seal";

const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const payload = { name: "Änne", values: { resetUrl: "https://shop.example.com/reset/abc" } };

test("a sealed mail tells nothing, and opens with its key, also when another one is in use by now", async () => {
  const sealed = await createSeal([first]).close(payload);
  expect(sealed).not.toContain("abc");
  expect(Buffer.from(sealed.split(".")[3] ?? "", "base64url").toString("latin1")).not.toContain("abc");
  expect(await createSeal([first]).open(sealed)).toEqual(payload);
  expect(await createSeal([second, first]).open(sealed)).toEqual(payload);
});

test.each([
  ["another key", async () => createSeal([second]).close(payload)],
  [
    "a change",
    async () => (await createSeal([first]).close(payload)).replace(/.$/, (end) => (end === "A" ? "Q" : "A")),
  ],
  ["nothing", async () => ""],
  // What names its own way to be opened.
  ["a token without a key", async () => `${btoa('{"alg":"none"}')}....`],
])("%s opens nothing", async (_what, make) => {
  await expect(createSeal([first]).open(await make())).rejects.toThrow("sealed with a key");
});
