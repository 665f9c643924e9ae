/** Request for an image → what has to be made and under which name it is kept. Pure; decided before any byte is read. */
import type { ImageFit, ImageFormat } from "@baasix/types";
import { AppError } from "../../core/errors";
import type { ImagePlan } from "../../platform/images";
import type { AssetQuery, ServedFile } from "./model";

/** The bytes as they are, or an image to make. `name` is the same for requests with the same result. */
export type TransformPlan =
  | { readonly kind: "original" }
  | { readonly kind: "variant"; readonly name: string; readonly type: string; readonly image: ImagePlan };

/** Types that can be decoded. SVG is missing on purpose: it is a document that can load others. */
const decodable: ReadonlySet<string> = new Set([
  "image/jpeg",
  "image/png",
  "image/webp",
  "image/avif",
  "image/gif",
  "image/tiff",
]);

/** Changes when the same name would mean other bytes, so that kept ones are made anew. */
const revision = "v1";
const defaultQuality = 80;

/**
 * Plans a request. Without width, height, quality and format the original is meant. `accept` is the request's header.
 * @throws AppError UNSUPPORTED_MEDIA_TYPE when the file is no image that can be transformed.
 */
export function planTransform(
  file: Pick<ServedFile, "type">,
  request: AssetQuery,
  accept: string | null,
): TransformPlan {
  const { width = null, height = null, quality, format } = request;
  if (width === null && height === null && quality === undefined && format === undefined)
    return { kind: "original" };
  checkSource(file.type ?? "unknown");
  const image: ImagePlan = {
    width,
    height,
    fit: fitOf(width, height, request.fit),
    withoutEnlargement: request.withoutEnlargement ?? false,
    format: format === "auto" ? acceptedFormat(accept) : (format ?? "jpeg"),
    quality: quality ?? defaultQuality,
  };
  return { kind: "variant", name: variantName(image), type: `image/${image.format}`, image };
}

/** One side alone leaves nothing to fit: the other follows the image's shape. */
function fitOf(width: number | null, height: number | null, fit: ImageFit = "cover"): ImageFit {
  return width === null || height === null ? "inside" : fit;
}

function checkSource(type: string): void {
  if (decodable.has(type)) return;
  throw new AppError(
    "UNSUPPORTED_MEDIA_TYPE",
    `A file of type '${type}' cannot be transformed; ask for it without width, height, quality and format`,
  );
}

/** WebP before AVIF: at equal quality numbers it was smaller and four times as fast to make. JPEG when neither is named. */
function acceptedFormat(accept: string | null): ImageFormat {
  const named = new Map(
    (accept ?? "").split(",").map((item) => {
      const [type = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
      return [type, parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))] as const;
    }),
  );
  const refused = (type: string) => named.get(type) ?? true;
  return refused("image/webp") ? (refused("image/avif") ? "jpeg" : "avif") : "webp";
}

function variantName({ width, height, fit, withoutEnlargement, format, quality }: ImagePlan): string {
  const parts = [
    revision,
    width !== null && `w${width}`,
    height !== null && `h${height}`,
    width !== null && height !== null && fit,
    (width !== null || height !== null) && withoutEnlargement && "kept",
    // PNG loses nothing, so quality changes nothing.
    format !== "png" && `q${quality}`,
  ];
  return `${parts.filter(Boolean).join("-")}.${format}`;
}
