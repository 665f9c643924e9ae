/** What every storage driver must do. A driver's test calls this with a way to open an empty storage. */
import { describe, expect, test } from "bun:test";
import type { Storage } from "./storage";

const text = (value: string) => new TextEncoder().encode(value);
const roomy = { maxBytes: 1_000_000 };

async function* parts(...values: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const value of values) yield text(value);
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield text("half");
  throw new Error("the sender went away");
}

/** Runs the suite. `open` gives a storage without content each time. */
export function storageSuite(name: string, open: () => Promise<Storage>): void {
  describe(`storage driver ${name}`, () => {
    test("gives back what was put, whole and in pieces", async () => {
      const storage = await open();
      expect(await storage.put("a/original", text("0123456789"), roomy)).toBe(10);
      const found = await storage.get("a/original");
      expect(found?.size).toBe(10);
      expect(await found?.blob.text()).toBe("0123456789");
      expect(await found?.blob.slice(2, 5).text()).toBe("234");
    });

    test("takes bytes as they arrive, also none at all", async () => {
      const storage = await open();
      expect(await storage.put("a/b/c/d", parts("one ", "two ", "three"), roomy)).toBe(13);
      expect(await (await storage.get("a/b/c/d"))?.blob.text()).toBe("one two three");
      expect(await storage.put("empty", parts(), roomy)).toBe(0);
      expect((await storage.get("empty"))?.size).toBe(0);
    });

    test("a missing key is null, not there, and fine to remove", async () => {
      const storage = await open();
      expect(await storage.get("nothing/here")).toBeNull();
      expect(await storage.has("nothing/here")).toBe(false);
      expect(await storage.list("nothing")).toEqual([]);
      await storage.remove("nothing/here");
      await storage.removePrefix("nothing");
    });

    test("a folder is not an object", async () => {
      const storage = await open();
      await storage.put("a/original", text("x"), roomy);
      expect(await storage.get("a")).toBeNull();
    });

    test("replaces", async () => {
      const storage = await open();
      await storage.put("a/x", text("old and long"), roomy);
      await storage.put("a/x", text("new"), roomy);
      expect(await (await storage.get("a/x"))?.blob.text()).toBe("new");
    });

    test("exactly the limit passes; one byte more is refused and leaves nothing", async () => {
      const storage = await open();
      expect(await storage.put("a/fits", text("12345"), { maxBytes: 5 })).toBe(5);
      await expect(storage.put("a/big", parts("123", "456"), { maxBytes: 5 })).rejects.toMatchObject({
        code: "PAYLOAD_TOO_LARGE",
      });
      expect(await storage.has("a/big")).toBe(false);
    });

    test("a source that fails leaves the old bytes as they were", async () => {
      const storage = await open();
      await storage.put("a/x", text("old"), roomy);
      await expect(storage.put("a/x", failing(), roomy)).rejects.toThrow("went away");
      await expect(storage.put("b/x", failing(), roomy)).rejects.toThrow("went away");
      expect(await (await storage.get("a/x"))?.blob.text()).toBe("old");
      expect(await storage.has("b/x")).toBe(false);
    });

    test("lists a folder's own objects", async () => {
      const storage = await open();
      await storage.put("a/one", text("1"), roomy);
      await storage.put("a/two", text("22"), roomy);
      await storage.put("a/deeper/three", text("333"), roomy);
      await storage.put("ab/other", text("4"), roomy);
      const found = await storage.list("a");
      expect(found.map(({ key, size }) => `${key} ${size}`).toSorted()).toEqual(["a/one 1", "a/two 2"]);
      for (const { modified } of found) expect(modified).toBeGreaterThan(Date.UTC(2020));
    });

    test("removes one key, and a whole folder without its namesakes", async () => {
      const storage = await open();
      for (const key of ["a/one", "a/two", "a/deeper/three", "ab/other"])
        await storage.put(key, text("x"), roomy);
      await storage.remove("a/one");
      expect(await storage.has("a/one")).toBe(false);
      expect(await storage.has("a/two")).toBe(true);
      await storage.removePrefix("a");
      expect(await storage.has("a/two")).toBe(false);
      expect(await storage.has("a/deeper/three")).toBe(false);
      expect(await storage.has("ab/other")).toBe(true);
    });

    for (const key of [
      "",
      "/a",
      "a/",
      "a//b",
      ".",
      "..",
      "a/../b",
      "../x",
      "a/..",
      "A",
      "a\\b",
      "a b",
      "ä",
      "a\0",
      ".incoming/x",
      "-a",
      "a/b/c/d/e",
      "x".repeat(101),
    ])
      test(`refuses the key ${JSON.stringify(key)}`, async () => {
        const storage = await open();
        await expect(storage.put(key, text("x"), roomy)).rejects.toThrow(TypeError);
        await expect(storage.get(key)).rejects.toThrow(TypeError);
        await expect(storage.remove(key)).rejects.toThrow(TypeError);
        await expect(storage.removePrefix(key)).rejects.toThrow(TypeError);
      });
  });
}
