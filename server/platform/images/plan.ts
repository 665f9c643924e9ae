/** What may be done to an image, and the limits. Pure: knows no library and no bytes. */
import { assetLimits, type ImageFit, type ImageFormat } from "@baasix/types";
import { AppError } from "../../core/errors";

/** Limits on what is decoded: pixels a side, pixels in all frames together, frames, bytes. */
export const imageLimits = {
  inputSide: 16_384,
  inputPixels: 50_000_000,
  inputFrames: 100,
  inputBytes: 256 * 1024 * 1024,
} as const;

/** What an image's header says. `width` and `height` are of one frame, in pixels, as it is shown (EXIF orientation applied). */
export type ImageHeader = {
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
};

/** A wanted image. A side that is null follows the other; `quality` 1 to 100. Transparency becomes white in JPEG. */
export type ImagePlan = {
  readonly width: number | null;
  readonly height: number | null;
  readonly fit: ImageFit;
  readonly withoutEnlargement: boolean;
  readonly format: ImageFormat;
  readonly quality: number;
};

/** How to resize, in the library's words; null leaves the size as it is. */
export type Resize = {
  readonly width?: number;
  readonly height?: number;
  readonly fit: ImageFit;
  readonly withoutEnlargement: boolean;
};

/**
 * Refuses an image that is too large to decode.
 * @throws AppError INVALID_VALUE naming the limit.
 */
export function checkHeader({ width, height, frames }: ImageHeader): void {
  const { inputSide, inputPixels, inputFrames } = imageLimits;
  if (width > inputSide || height > inputSide)
    throw tooLarge(`is ${width} x ${height} pixels; a side may have ${inputSide}`);
  if (frames > inputFrames) throw tooLarge(`has ${frames} frames; ${inputFrames} are allowed`);
  if (width * height * frames > inputPixels)
    throw tooLarge(`has ${width * height * frames} pixels; ${inputPixels} are allowed`);
}

/** The error for an image beyond a limit. */
export function tooLarge(what: string): AppError {
  return new AppError("INVALID_VALUE", `The image ${what}, so it can be downloaded but not transformed`);
}

/** The resize step for a plan, such that no side of the result is longer than the limit. */
export function planResize(source: Pick<ImageHeader, "width" | "height">, plan: ImagePlan): Resize | null {
  const { fit, withoutEnlargement } = plan;
  const limit = assetLimits.side;
  const width = plan.width === null ? null : Math.min(plan.width, limit);
  const height = plan.height === null ? null : Math.min(plan.height, limit);
  const scale = scaleOf(source, width, height, fit);
  const growth = withoutEnlargement ? Math.min(scale, 1) : scale;
  // cover, contain and fill end at the box that was asked for; all else follows the source's shape and may exceed it.
  const follows = width === null || height === null || fit === "inside" || fit === "outside";
  if (follows && Math.max(source.width, source.height) * growth > limit)
    return { width: limit, height: limit, fit: "inside", withoutEnlargement };
  if (width === null && height === null) return null;
  return { ...(width !== null && { width }), ...(height !== null && { height }), fit, withoutEnlargement };
}

function scaleOf(
  source: Pick<ImageHeader, "width" | "height">,
  width: number | null,
  height: number | null,
  fit: ImageFit,
): number {
  const scales = [
    width === null ? null : width / source.width,
    height === null ? null : height / source.height,
  ];
  const given = scales.filter((scale) => scale !== null);
  if (given.length === 0) return 1;
  return fit === "inside" ? Math.min(...given) : Math.max(...given);
}
