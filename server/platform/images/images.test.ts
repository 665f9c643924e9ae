import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createImages, type ImageSource } from "./images";
import { type ImagePlan, planResize } from "./plan";
import { loadSharp } from "./sharp";

const home = await mkdtemp(join(tmpdir(), "images-"));
afterAll(() => rm(home, { recursive: true, force: true }));
const sharp = await loadSharp(home);
const images = createImages({ libraryFolder: home, workers: 2 });

const plain: ImagePlan = {
  width: null,
  height: null,
  fit: "cover",
  withoutEnlargement: false,
  format: "jpeg",
  quality: 80,
};
const held = (bytes: Uint8Array): ImageSource => ({ blob: new Blob([new Uint8Array(bytes)]), path: null });
const canvas = (width: number, height: number, alpha = 1, blue = 0) =>
  sharp({ create: { width, height, channels: 4, background: { r: 255, g: 0, b: blue, alpha } } });
const photo = await canvas(200, 100).jpeg().toBuffer();
const info = async (bytes: Uint8Array) => sharp(bytes).metadata();
const pixel = async (bytes: Uint8Array) => [
  ...(await sharp(bytes).extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer()),
];
const noise = await sharp({
  create: {
    width: 300,
    height: 300,
    channels: 3,
    background: "red",
    noise: { type: "gaussian", mean: 128, sigma: 60 },
  },
})
  .png()
  .toBuffer();
const cutJpeg = half(await sharp(noise).jpeg().toBuffer());
const cutWebp = half(await sharp(noise).webp().toBuffer());

describe("planResize", () => {
  const cases: readonly [string, [number, number], Partial<ImagePlan>, object | null][] = [
    ["nothing asked, small source: as it is", [200, 100], {}, null],
    ["nothing asked, long side over 4096", [8000, 100], {}, { width: 4096, height: 4096, fit: "inside" }],
    ["width alone", [200, 100], { width: 50 }, { width: 50, fit: "cover" }],
    [
      "width alone, the other side would be 40,960",
      [10, 1000],
      { width: 400 },
      { width: 4096, height: 4096, fit: "inside" },
    ],
    [
      "the same, but not enlarged",
      [10, 1000],
      { width: 400, withoutEnlargement: true },
      { width: 400, fit: "cover" },
    ],
    [
      "cover ends at its box",
      [10, 1000],
      { width: 400, height: 10 },
      { width: 400, height: 10, fit: "cover" },
    ],
    [
      "outside may pass the box",
      [200, 100],
      { width: 50, height: 50, fit: "outside" },
      { width: 50, height: 50, fit: "outside" },
    ],
    [
      "outside may not pass the limit",
      [10, 1000],
      { width: 400, height: 10, fit: "outside" },
      { width: 4096, height: 4096, fit: "inside" },
    ],
    [
      "inside never passes the box",
      [10, 1000],
      { width: 400, height: 10, fit: "inside" },
      { width: 400, height: 10, fit: "inside" },
    ],
    [
      "a side beyond the limit ends there",
      [10, 10],
      { width: 9000, height: 9000 },
      { width: 4096, height: 4096, fit: "cover" },
    ],
  ];
  test.each(cases)("%s", (_name, [width, height], plan, expected) => {
    const resize = planResize({ width, height }, { ...plain, ...plan });
    if (expected === null) expect(resize).toBeNull();
    else
      expect(resize).toEqual({ withoutEnlargement: plan.withoutEnlargement ?? false, ...expected } as never);
  });
});

describe("describe", () => {
  test.each(["jpeg", "png", "webp", "avif", "gif", "tiff"] as const)("knows %s", async (format) => {
    const bytes = await canvas(20, 10).toFormat(format).toBuffer();
    expect(await images.describe(held(bytes))).toEqual({
      type: `image/${format}`,
      width: 20,
      height: 10,
      frames: 1,
    });
  });

  test("turns the sides as the camera was held", async () => {
    const bytes = await canvas(20, 10).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await images.describe(held(bytes))).toMatchObject({ width: 10, height: 20 });
  });

  test("tells the size of an image too large to decode", async () => {
    expect(await images.describe(held(pngHeader(60_000, 60_000)))).toMatchObject({
      width: 60_000,
      height: 60_000,
    });
  });

  test.each([
    ["text", "hello"],
    ["nothing", ""],
    [
      "SVG",
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    ],
    ["PDF", "%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF"],
  ])("%s is no image", async (_name, text) => {
    expect(await images.describe(held(new TextEncoder().encode(text)))).toBeNull();
  });
});

describe("transform", () => {
  test.each(["jpeg", "png", "webp", "avif"] as const)("makes %s", async (format) => {
    const made = await info(await images.transform(held(photo), { ...plain, width: 50, format }));
    expect(made).toMatchObject({ mediaType: `image/${format}`, width: 50, height: 25 });
  });

  test("reads by path", async () => {
    const path = join(home, "original");
    await Bun.write(path, photo);
    const made = await images.transform({ blob: Bun.file(path), path }, { ...plain, width: 10 });
    expect(await info(made)).toMatchObject({ width: 10, height: 5 });
  });

  test.each([
    ["cover", 40, 40],
    ["contain", 40, 40],
    ["fill", 40, 40],
    ["inside", 40, 20],
    ["outside", 80, 40],
  ] as const)("fit %s gives %d x %d", async (fit, width, height) => {
    const made = await images.transform(held(photo), { ...plain, width: 40, height: 40, fit });
    expect(await info(made)).toMatchObject({ width, height });
  });

  test("JPEG shows white where the source is transparent and where the box is not filled", async () => {
    const empty = await images.transform(held(await canvas(20, 20, 0).png().toBuffer()), plain);
    expect(await pixel(empty)).toEqual([255, 255, 255]);
    const margin = await images.transform(held(photo), { ...plain, width: 40, height: 40, fit: "contain" });
    for (const channel of await pixel(margin)) expect(channel).toBeGreaterThan(250);
  });

  test("PNG and WebP keep transparency", async () => {
    const source = held(await canvas(20, 20, 0).png().toBuffer());
    for (const format of ["png", "webp"] as const)
      expect((await pixel(await images.transform(source, { ...plain, format }))).at(3)).toBe(0);
  });

  test("a small image is enlarged, unless told not to", async () => {
    expect(await info(await images.transform(held(photo), { ...plain, width: 400 }))).toMatchObject({
      width: 400,
    });
    const kept = await images.transform(held(photo), { ...plain, width: 400, withoutEnlargement: true });
    expect(await info(kept)).toMatchObject({ width: 200 });
  });

  test("drops camera data and applies its orientation", async () => {
    const source = await canvas(20, 10)
      .withExif({ IFD0: { Make: "Camera" } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const made = await info(await images.transform(held(source), plain));
    expect(made).toMatchObject({ width: 10, height: 20 });
    expect(made.exif).toBeUndefined();
  });

  test("WebP keeps the movement of a GIF, JPEG shows its first frame", async () => {
    const frames = await Promise.all(
      [canvas(20, 10), canvas(20, 10, 1, 255)].map((frame) => frame.png().toBuffer()),
    );
    const gif = held(
      await sharp(frames, { join: { animated: true } })
        .gif({ delay: [100, 100] })
        .toBuffer(),
    );
    expect(await info(await images.transform(gif, { ...plain, width: 10, format: "webp" }))).toMatchObject({
      pages: 2,
      width: 10,
      height: 5,
    });
    expect((await info(await images.transform(gif, { ...plain, width: 10 }))).height).toBe(5);
  });

  const bad: readonly [string, Uint8Array, string, string][] = [
    ["text named .png", new TextEncoder().encode("not an image"), "UNSUPPORTED_MEDIA_TYPE", "cannot be read"],
    ["no bytes", new Uint8Array(), "UNSUPPORTED_MEDIA_TYPE", "cannot be read"],
    [
      "SVG",
      new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      "UNSUPPORTED_MEDIA_TYPE",
      "cannot be read",
    ],
    ["a JPEG cut in half", cutJpeg, "UNSUPPORTED_MEDIA_TYPE", "damaged"],
    ["a PNG cut in half", half(noise), "UNSUPPORTED_MEDIA_TYPE", "damaged"],
    ["a WebP cut in half", cutWebp, "UNSUPPORTED_MEDIA_TYPE", "damaged"],
    [
      "a PNG that claims 2^31 pixels a side",
      pngHeader(2 ** 31 - 1, 2 ** 31 - 1),
      "UNSUPPORTED_MEDIA_TYPE",
      "cannot be read",
    ],
    ["a side of 20,000", pngHeader(20_000, 10), "INVALID_VALUE", "a side may have 16384"],
    ["15,000 x 15,000 in a few kB", pngHeader(15_000, 15_000), "INVALID_VALUE", "50000000 are allowed"],
  ];
  test.each(bad)("refuses %s", async (_name, bytes, code, message) => {
    const made = images.transform(held(bytes), { ...plain, width: 30, format: "webp" });
    await expect(made).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test("refuses more than 100 frames", async () => {
    const frame = await canvas(2, 2).png().toBuffer();
    const other = await canvas(2, 2, 1, 255).png().toBuffer();
    const frames = Array.from({ length: 101 }, (_, i) => (i % 2 ? frame : other));
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    await expect(images.transform(held(gif), plain)).rejects.toMatchObject({ code: "INVALID_VALUE" });
  });

  test("bytes that are gone are not found", async () => {
    const path = join(home, "gone");
    await expect(images.transform({ blob: Bun.file(path), path }, plain)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  test("a full queue turns work away, and works on", async () => {
    const narrow = createImages({ libraryFolder: home, workers: 1, waiting: 2 });
    const jobs = Array.from({ length: 5 }, () => narrow.transform(held(photo), { ...plain, width: 20 }));
    const ended = await Promise.allSettled(jobs);
    expect(ended.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
    ]);
    await expect(jobs[4]).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await narrow.transform(held(photo), plain);
  });
});

function half(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, Math.floor(bytes.length / 2));
}

/** A PNG with a true header and one short line of pixels: what a pixel bomb looks like before it is decoded. */
function pngHeader(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(Bun.hash.crc32(body));
    return Buffer.concat([length, body, check]);
  };
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", Bun.deflateSync(new Uint8Array(10))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
