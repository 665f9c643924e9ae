/** Upload: bytes to the storage as they arrive, then the row; never one without the other. */
import type { ErrorCode } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError, suggestion } from "../../core/errors";
import type { Data, WriteBody } from "../../data";
import type { Images } from "../../platform/images";
import type { Storage, StoredFile } from "../../platform/storage";
import { detectedBytes, detectType } from "./detect";
import { fileFolder, originalKey, pendingKey } from "./keys";
import { filesCollection, uploadFields } from "./model";
import { readUploadForm } from "./multipart";

/** What an upload needs. `maxBytes` of one file. */
export type UploadParts = {
  readonly data: Data;
  readonly storage: Storage;
  readonly images: Images;
  readonly maxBytes: number;
};

/** Room for the text parts and the boundaries around the file. */
const formOverhead = 2 * 1024 * 1024;
const megabyte = 1024 * 1024;

/**
 * Stores the file of a multipart request and creates its row; gives the id.
 * @throws AppError FORBIDDEN before the body is read, PAYLOAD_TOO_LARGE, BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE,
 * UNAVAILABLE when the storage is full, or what the door says to the row. No bytes stay behind then.
 */
export async function uploadFile(parts: UploadParts, actor: Actor, request: Request): Promise<string> {
  const { data, storage, maxBytes } = parts;
  data.requireRight(actor, filesCollection, "create");
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes + formOverhead) throw tooLarge(maxBytes);
  const id = crypto.randomUUID();
  try {
    const { body, stamp } = await receive(parts, id, request);
    await data.create(actor, filesCollection, [body], stamp);
  } catch (error) {
    if (!mayBeStored(error)) {
      await storage.removePrefix(fileFolder(id));
      await storage.remove(pendingKey(id));
    }
    throw error;
  }
  // A note that stays is looked at by the sweep, which finds the row.
  await storage.remove(pendingKey(id)).catch(() => {});
  return id;
}

async function receive(
  { storage, images, maxBytes }: UploadParts,
  id: string,
  request: Request,
): Promise<{ readonly body: WriteBody; readonly stamp: WriteBody }> {
  const key = originalKey(id);
  const form = await readUploadForm(request, maxBytes + formOverhead, async (bytes) => {
    await storage.put(pendingKey(id), new Uint8Array(), { maxBytes: 0 });
    return storage.put(key, bytes, { maxBytes });
  }).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "PAYLOAD_TOO_LARGE" ? tooLarge(maxBytes) : error;
  });
  if (!form.file)
    throw new AppError("BAD_REQUEST", "No file uploaded. Please provide a file with the field name 'file'.");
  const stored = await storage.get(key);
  if (!stored) throw new Error(`stored bytes of ${key} are gone`);
  const name = cleanName(form.file.name);
  const facts = await describeFile(stored, name, images);
  const body = readFields(form.fields);
  return {
    body,
    stamp: {
      id,
      // A default is no wish of the sender, who may have no right to the column.
      ...(body.title === undefined && { title: name }),
      filename: storedName(id, name),
      originalFilename: name,
      size: form.file.size,
      storage: storage.name,
      ...facts,
    },
  };
}

async function describeFile(stored: StoredFile, name: string, images: Images): Promise<WriteBody> {
  const start = new Uint8Array(await stored.blob.slice(0, detectedBytes).arrayBuffer());
  const type = await detectType(start, name);
  const header = type.startsWith("image/") ? await images.describe(stored) : null;
  return { type, width: header?.width ?? null, height: header?.height ?? null };
}

function readFields(fields: ReadonlyMap<string, string>): WriteBody {
  const valid = Object.keys(uploadFields.shape);
  for (const name of fields.keys())
    if (!valid.includes(name))
      throw new AppError(
        "UNKNOWN_FIELD",
        `'${name}' is not a part of an upload${suggestion(name, valid)}; beside 'file' there are ${valid.join(", ")}`,
      );
  const read = uploadFields.safeParse(Object.fromEntries(fields));
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw new AppError("INVALID_VALUE", `${issue?.path.join(".")}: ${issue?.message}`);
}

/** The name as it may be shown and offered again: no folders, control or direction characters. */
function cleanName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  const clean = last.replace(/[\p{Cc}\p{Cf}]/gu, "").trim();
  return [...clean].slice(0, 255).join("") || "file";
}

/** A name that is unique and safe anywhere, for people who look at rows; the bytes lie under the id. */
function storedName(id: string, name: string): string {
  const ending = /\.[a-z0-9]{1,10}$/.exec(name.toLowerCase());
  return id + (ending?.[0] ?? "");
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `A file may have at most ${maxBytes / megabyte} MiB`, {
    maxBytes,
  });
}

/**
 * Whether the row may exist although creating it failed (the connection broke while committing). A row without bytes has
 * lost them; bytes without a row are found by the sweep.
 */
function mayBeStored(error: unknown): boolean {
  const unclear: readonly ErrorCode[] = ["UNAVAILABLE", "TIMEOUT", "INTERNAL_ERROR"];
  return !(error instanceof AppError) || unclear.includes(error.code);
}
