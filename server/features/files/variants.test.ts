import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createImages, type Images } from "../../platform/images";
import { openLocalStorage, type Storage } from "../../platform/storage";
import { originalKey, variantKey } from "./keys";
import { planTransform } from "./transform";
import { createVariants, type VariantPlan } from "./variants";

const home = await mkdtemp(join(tmpdir(), "variants-"));
afterAll(() => rm(home, { recursive: true, force: true }));
const images = createImages({ libraryFolder: join(home, "native") });
const client = "192.0.2.1";
const roomy = { maxBytes: 1e6 };
/** 8 x 8 pixels. */
const gif = Uint8Array.fromBase64("R0lGODlhCAAIAIAAAP8AAAAAACH5BAAAAAAALAAAAAAIAAgAAAIHhI+py+1dAAA7");

function planOf(width: number): VariantPlan {
  const plan = planTransform({ type: "image/gif" }, { width, format: "png" }, null);
  if (plan.kind !== "variant") throw new Error("a width makes a variant");
  return plan;
}

/** A fresh storage that holds the original of file `a`, and images that count what they make. */
async function setUp(
  options: { readonly perSecond?: number; readonly before?: (storage: Storage) => Promise<void> } = {},
) {
  const storage = await openLocalStorage(await mkdtemp(join(home, "root-")));
  await storage.put(originalKey("a"), gif, roomy);
  let made = 0;
  const counting: Images = {
    ...images,
    transform: async (source, plan) => {
      made++;
      const bytes = await images.transform(source, plan);
      await options.before?.(storage);
      return bytes;
    },
  };
  const variants = createVariants({ storage, images: counting, perSecond: options.perSecond ?? 100 });
  return { storage, variants, made: () => made };
}

describe("variants", () => {
  test("makes a variant once, however many ask at once and later", async () => {
    const { variants, made } = await setUp();
    const together = await Promise.all(
      Array.from({ length: 10 }, () => variants.get("a", planOf(4), client)),
    );
    const later = await variants.get("a", planOf(4), client);
    expect(made()).toBe(1);
    expect(new Set([...together, later].map(({ path }) => path)).size).toBe(1);
    expect(await images.describe(later)).toMatchObject({ type: "image/png", width: 4, height: 4 });
  });

  test("keeps it across restarts", async () => {
    const { storage, variants } = await setUp();
    await variants.get("a", planOf(4), client);
    const none: Images = { ...images, transform: () => Promise.reject(new Error("made again")) };
    const restarted = createVariants({ storage, images: none, perSecond: 1 });
    expect((await restarted.get("a", planOf(4), client)).size).toBeGreaterThan(0);
  });

  test("a failure is told to all who wait, and tried again", async () => {
    const { storage, variants, made } = await setUp();
    await storage.put(originalKey("bad"), new TextEncoder().encode("no image"), roomy);
    const together = await Promise.allSettled([1, 2].map(() => variants.get("bad", planOf(4), client)));
    expect(together.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(made()).toBe(1);
    await expect(variants.get("bad", planOf(4), client)).rejects.toMatchObject({
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
    expect(made()).toBe(2);
  });

  test("without an original there is nothing", async () => {
    const { variants } = await setUp();
    await expect(variants.get("missing", planOf(4), client)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a file deleted while its variant is made leaves nothing", async () => {
    const { storage, variants } = await setUp({ before: (kept) => kept.removePrefix("a") });
    await expect(variants.get("a", planOf(4), client)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await storage.list("a")).toEqual([]);
  });

  test("keeps 64 variants of a file and its original", async () => {
    const { storage, variants } = await setUp();
    for (let width = 1; width <= 70; width++) await variants.get("a", planOf(width), client);
    const kept = (await storage.list("a")).map(({ key }) => key);
    expect(kept).toHaveLength(65);
    expect(kept).toContain(originalKey("a"));
    expect(kept).toContain(variantKey("a", planOf(70).name));
  });

  test("counts what is made for one client, not what is kept", async () => {
    const { variants } = await setUp({ perSecond: 1 });
    for (let width = 1; width <= 20; width++) await variants.get("a", planOf(width), client);
    await expect(variants.get("a", planOf(21), client)).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await variants.get("a", planOf(20), client);
    await variants.get("a", planOf(21), "192.0.2.2");
  });
});
