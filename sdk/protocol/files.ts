/** Wire shapes of `/files` and `/assets`. */

/** A row of `baasix_File`. `size` in bytes; `width` and `height` in pixels, null unless an image. */
export type FileRecord = {
  readonly id: string;
  readonly title: string | null;
  readonly filename: string;
  readonly originalFilename: string;
  readonly type: string;
  readonly folder: string | null;
  readonly size: number;
  readonly description: string | null;
  readonly storage: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly isPublic: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type ImageFit = "cover" | "contain" | "fill" | "inside" | "outside";
export type ImageFormat = "jpeg" | "png" | "webp" | "avif";

/** Limits of a transform: pixels a side, and the best quality. */
export const assetLimits = { side: 4096, quality: 100 } as const;

/** Transform of `GET /assets/:id`: pixels up to 4,096 a side, quality 1 to 100 (default 80), fit default `cover`, format default `jpeg`. */
export type AssetTransform = {
  readonly width?: number;
  readonly height?: number;
  readonly fit?: ImageFit;
  readonly quality?: number;
  readonly format?: ImageFormat | "auto";
  readonly withoutEnlargement?: boolean;
};
