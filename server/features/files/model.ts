/** The wire shapes of `/files` and `/assets`: validation, types and the API description come from here. */
import { assetLimits } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";
import { checkJson } from "../../http";

/** The collection that describes the files. Its rows are reached through `data` alone. */
export const filesCollection = "baasix_File";

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const text = (max: number) => z.string().max(max);
const pixels = z.coerce
  .number()
  .int()
  .min(1)
  .max(assetLimits.side)
  .meta({ type: "integer", description: `Pixels, 1 to ${assetLimits.side}` });

/** Text parts that may come with an upload, beside the part `file`. */
export const uploadFields = z.strictObject({
  title: text(255).optional(),
  description: text(10_000).optional(),
  folder: text(255).optional(),
  isPublic: flag.optional(),
  metadata: z.string().transform(readMetadata).optional(),
});

function readMetadata(json: string, context: z.RefinementCtx): unknown {
  try {
    const value: unknown = JSON.parse(json);
    checkJson(value);
    return value;
  } catch (error) {
    const message = error instanceof AppError ? error.message : "must be JSON text";
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }
}

/** What may be changed of a file: its description. The bytes never change; upload a new file instead. */
export const filePatch = z
  .strictObject({
    title: text(255).nullable(),
    description: text(10_000).nullable(),
    folder: text(255).nullable(),
    isPublic: z.boolean(),
    metadata: z.unknown(),
  })
  .partial();
export type FilePatch = z.output<typeof filePatch>;

/** Query of `GET /assets/:id`. Other parameters are left alone: cache busters are common, `access_token` is read elsewhere. */
export const assetQuery = z.object({
  width: pixels.optional(),
  height: pixels.optional(),
  fit: z.enum(["cover", "contain", "fill", "inside", "outside"]).optional(),
  quality: z.coerce
    .number()
    .int()
    .min(1)
    .max(assetLimits.quality)
    .meta({ type: "integer", description: "1 to 100, default 80" })
    .optional(),
  format: z
    .enum(["jpeg", "png", "webp", "avif", "auto"])
    .meta({ description: "Default jpeg. auto: what the header Accept allows" })
    .optional(),
  withoutEnlargement: flag.optional(),
  download: flag.meta({ description: "true: offered as a download under its original name" }).optional(),
});
export type AssetQuery = z.output<typeof assetQuery>;

/** What serving needs of a row. Fields that the actor may not read are absent. */
export type ServedFile = {
  readonly id: string;
  readonly type?: string | null;
  readonly isPublic?: boolean;
  readonly title?: string | null;
  readonly filename?: string | null;
  readonly originalFilename?: string | null;
};
