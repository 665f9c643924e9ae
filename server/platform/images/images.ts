/** Reads and transforms images with sharp: header checked before the pixels, a bounded number at a time. */
import { availableParallelism } from "node:os";
import pLimit from "p-limit";
import { AppError } from "../../core/errors";
import { checkHeader, type ImageHeader, imageLimits, type ImagePlan, planResize, tooLarge } from "./plan";
import { loadSharp, type Sharp } from "./sharp";

/** An image's bytes: by path where there is one (then they are never whole in memory), else read from the blob. */
export type ImageSource = { readonly blob: Blob; readonly path: string | null };

/** Image work. Equal requests are not joined here; that is the caller's, who knows the key. */
export type Images = {
  /** What the header says, or null when the bytes are no image that can be decoded. Reads no pixels, has no size limit. */
  readonly describe: (source: ImageSource) => Promise<ImageHeader | null>;
  /**
   * Makes the planned image. Camera data (EXIF, place) is dropped, orientation applied, colours become sRGB.
   * @throws AppError UNSUPPORTED_MEDIA_TYPE when the bytes are damaged or no image, INVALID_VALUE beyond
   * `imageLimits`, TIMEOUT after 20 s of work, UNAVAILABLE when the queue is full, NOT_FOUND when the bytes are gone.
   */
  readonly transform: (source: ImageSource, plan: ImagePlan) => Promise<Uint8Array>;
};

/** `libraryFolder`: where the executable unpacks libvips. `workers`: images at a time. `waiting`: how many may queue. */
export type ImagesOptions = {
  readonly libraryFolder: string;
  readonly workers?: number;
  readonly waiting?: number;
};

const secondsPerImage = 20;

/** Sets up image work. The library is loaded with the first image, so that starting the server does not pay for it. */
export function createImages({ libraryFolder, workers, waiting = 64 }: ImagesOptions): Images {
  const atOnce = workers ?? availableParallelism();
  const pixels = pLimit(atOnce);
  // Apart, so that an upload does not wait behind long work for the few milliseconds that a header takes.
  const headers = pLimit(atOnce);
  let library: Promise<Sharp> | null = null;

  const load = (): Promise<Sharp> => {
    library ??= loadSharp(libraryFolder).catch((error: unknown) => {
      // A full disk may have space again with the next image.
      library = null;
      throw error;
    });
    return library;
  };

  return {
    describe: (source) => headers(async () => describe(await load(), await inputOf(source))),
    transform: async (source, plan) => {
      if (pixels.pendingCount >= waiting)
        throw new AppError(
          "UNAVAILABLE",
          "Too many images are waiting to be made; try again in a few seconds",
        );
      return pixels(async () => transform(await load(), await inputOf(source), plan));
    },
  };
}

type Input = string | Uint8Array;

async function inputOf({ blob, path }: ImageSource): Promise<Input> {
  if (path !== null) return path;
  if (blob.size > imageLimits.inputBytes)
    throw tooLarge(`has ${blob.size} bytes; ${imageLimits.inputBytes} are allowed`);
  return new Uint8Array(await blob.arrayBuffer());
}

async function describe(sharp: Sharp, input: Input): Promise<ImageHeader | null> {
  try {
    return await readHeader(sharp, input);
  } catch {
    // The library's errors carry no code; a header that cannot be read is no image, whatever the reason.
    return null;
  }
}

async function readHeader(sharp: Sharp, input: Input): Promise<ImageHeader> {
  const { autoOrient, mediaType, pages } = await sharp(input, { limitInputPixels: false }).metadata();
  return { type: mediaType ?? "", ...autoOrient, frames: pages ?? 1 };
}

async function transform(sharp: Sharp, input: Input, plan: ImagePlan): Promise<Uint8Array> {
  try {
    const header = await readHeader(sharp, input);
    checkHeader(header);
    const image = sharp(input, {
      limitInputPixels: imageLimits.inputPixels,
      // WebP keeps the movement of GIF and WebP; the other formats show the first frame.
      animated: plan.format === "webp" && header.frames > 1,
      autoOrient: true,
    }).timeout({ seconds: secondsPerImage });
    const background = plan.format === "jpeg" ? "#fff" : { r: 0, g: 0, b: 0, alpha: 0 };
    if (plan.format === "jpeg") image.flatten({ background });
    const resize = planResize(header, plan);
    if (resize) image.resize({ ...resize, background });
    return await encode(image, plan).toBuffer();
  } catch (cause) {
    throw cause instanceof AppError ? cause : decodeError(cause);
  }
}

function encode(image: ReturnType<Sharp>, { format, quality }: ImagePlan): ReturnType<Sharp> {
  switch (format) {
    case "jpeg":
      return image.jpeg({ quality });
    case "png":
      // With `quality` the library would reduce the picture to a palette.
      return image.png();
    case "webp":
      return image.webp({ quality });
    case "avif":
      // Effort 4, the default, took 25 times as long (2.0 s for 800 x 600) and saved 1 % of the bytes.
      return image.avif({ quality, effort: 2 });
  }
}

function decodeError(cause: unknown): AppError {
  const message = cause instanceof Error ? cause.message : "";
  if (message.includes("pixel limit")) return tooLarge(`has more than ${imageLimits.inputPixels} pixels`);
  if (message.startsWith("timeout"))
    return new AppError(
      "TIMEOUT",
      `Making the image took longer than ${secondsPerImage} s; ask for a smaller one`,
    );
  if (message.includes("file is missing")) return new AppError("NOT_FOUND", "The file is gone");
  return new AppError(
    "UNSUPPORTED_MEDIA_TYPE",
    "The file cannot be read as an image: it is damaged, or no JPEG, PNG, WebP, AVIF, GIF or TIFF",
    null,
    { cause },
  );
}
