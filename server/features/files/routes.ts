/** `/files` and `/assets` over HTTP. */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { type Identity, readQueryString } from "../../http";
import type { Images } from "../../platform/images";
import type { Storage } from "../../platform/storage";
import { Elysia } from "elysia";
import { z } from "zod";
import { listAnswer, readParameters } from "../items";
import { fileFolder } from "./keys";
import { assetQuery, type FilePatch, filePatch, filesCollection } from "./model";
import { serveAsset } from "./serve";
import { uploadFile } from "./upload";
import { createVariants } from "./variants";

export type FilesParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly storage: Storage;
  readonly images: Images;
  /** `MAX_UPLOAD_FILE_SIZE` in MiB; `TRANSFORM_RATE_LIMIT` in new images per second and client. */
  readonly config: { readonly MAX_UPLOAD_FILE_SIZE: number; readonly TRANSFORM_RATE_LIMIT: number };
};

const byId = z.object({ id: z.string().meta({ description: "UUID of the file" }) });

/** The routes of files. Bytes go when their row goes, whichever route deletes it. */
export function filesRoutes({ data, identity, storage, images, config }: FilesParts) {
  const upload = { data, storage, images, maxBytes: config.MAX_UPLOAD_FILE_SIZE * 1024 * 1024 };
  const serve = {
    data,
    storage,
    variants: createVariants({ storage, images, perSecond: config.TRANSFORM_RATE_LIMIT }),
  };
  const removeBytes = async (ids: readonly ItemId[]): Promise<void> => {
    for (const id of ids) await storage.removePrefix(fileFolder(String(id)));
  };
  data.onWrite(({ collection, action, ids }) =>
    collection === filesCollection && action === "delete" ? removeBytes(ids) : undefined,
  );

  return new Elysia({ name: "files" })
    .use(identity)
    .post(
      "/files",
      async ({ actor, request }) => {
        readParameters(request);
        return recordAnswer(data, actor, await uploadFile(upload, actor, request), 201);
      },
      {
        detail: {
          tags: ["Files"],
          summary: "Upload a file",
          description: `Parts: file (up to ${config.MAX_UPLOAD_FILE_SIZE} MiB), title, description, folder, isPublic, metadata.`,
          requestBody: { required: true, content: { "multipart/form-data": { schema: uploadSchema } } },
        },
      },
    )
    .get(
      "/files",
      async ({ actor, request }) => {
        return listAnswer(
          await data.read(actor, filesCollection, readQueryString(request.url), request.signal),
        );
      },
      { detail: { tags: ["Files"], summary: "List files" } },
    )
    .get(
      "/files/:id",
      async ({ actor, params, request }) =>
        jsonAnswer(
          `{"data":${(await data.readOne(actor, filesCollection, params.id, readQueryString(request.url))).json}}`,
          200,
        ),
      { params: byId, detail: { tags: ["Files"], summary: "Read the description of a file" } },
    )
    .patch(
      "/files/:id",
      async ({ actor, params, request, body }) => {
        readParameters(request);
        return changeFile(data, actor, params.id, body);
      },
      {
        params: byId,
        body: filePatch,
        detail: { tags: ["Files"], summary: "Change the description of a file" },
      },
    )
    .delete(
      "/files/:id",
      async ({ actor, params, request }) => {
        readParameters(request);
        const [id] = await data.remove(actor, filesCollection, [params.id]);
        return jsonAnswer(JSON.stringify({ data: { id }, message: "File deleted successfully" }), 200);
      },
      { params: byId, detail: { tags: ["Files"], summary: "Delete a file and everything made from it" } },
    )
    .get(
      "/assets/:id",
      ({ actor, params, query, request }) => serveAsset(serve, actor, params.id, query, request),
      {
        params: byId,
        query: assetQuery,
        detail: { tags: ["Files"], summary: "Download a file, or an image transformed" },
      },
    );
}

const uploadSchema = {
  type: "object" as const,
  required: ["file"],
  properties: {
    file: { type: "string" as const, format: "binary" },
    title: { type: "string" as const },
    description: { type: "string" as const },
    folder: { type: "string" as const },
    isPublic: { type: "string" as const, enum: ["true", "false"] },
    metadata: { type: "string" as const, description: "JSON text" },
  },
};

async function changeFile(data: Data, actor: Actor, id: string, body: FilePatch): Promise<Response> {
  const [changed] = await data.update(actor, filesCollection, [{ id, data: body }]);
  return recordAnswer(data, actor, String(changed), 200);
}

/** The row as a read shows it; its id alone, when the actor may write files but not read them. */
async function recordAnswer(data: Data, actor: Actor, id: string, status: 200 | 201): Promise<Response> {
  const { json } = await data.readOne(actor, filesCollection, id).catch((error: unknown) => {
    if (error instanceof AppError && (error.code === "NOT_FOUND" || error.code === "FORBIDDEN"))
      return { json: JSON.stringify({ id }) };
    throw error;
  });
  return jsonAnswer(`{"data":${json}}`, status);
}

function jsonAnswer(json: string, status: 200 | 201): Response {
  return new Response(json, { status, headers: { "content-type": "application/json; charset=utf-8" } });
}
