/**
 * Takes the file of an import, as a form or as the body itself, and keeps it on the disk until it is whole: no slow sender
 * holds a connection of the database, and a transaction that must begin again has its file.
 */
import { AppError } from "../../core/errors";
import type { Spool, Spooled } from "../../platform/storage";
import { limitedBody, readUploadForm } from "../files";

/** What kind of file is asked for. */
export type FileKind = {
  /** As messages name it. */
  readonly name: "CSV" | "JSON";
  /** The part of a form. */
  readonly part: string;
  readonly endings: readonly string[];
  readonly types: readonly string[];
};

/** A file that is here. `fields`: the text parts of its form. `type`, `fileName`: as the sender says, in small letters. */
export type Received = {
  readonly file: Spooled;
  readonly type: string;
  readonly fileName: string;
  readonly fields: ReadonlyMap<string, string>;
};

/** Room for the text parts and the boundaries around the file. */
const formOverhead = 2 * 1024 * 1024;
const megabyte = 1024 * 1024;

/**
 * Receives the file of a request, of at most `maxBytes`. The caller closes it.
 * @throws AppError PAYLOAD_TOO_LARGE, BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE, UNAVAILABLE; nothing is kept then.
 */
export async function receiveFile(
  { keep }: Spool,
  request: Request,
  kind: FileKind,
  maxBytes: number,
): Promise<Received> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const isForm = type === "multipart/form-data";
  if (!isForm && !kind.types.includes(type)) {
    throw new AppError(
      "UNSUPPORTED_MEDIA_TYPE",
      `Send a ${kind.name} file as multipart/form-data in the part '${kind.part}', or itself as ${kind.types[0]}`,
    );
  }
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes + (isForm ? formOverhead : 0)) {
    throw tooLarge(maxBytes);
  }
  try {
    if (isForm) return await receiveForm(keep, request, kind, maxBytes);
    return {
      file: await keep(limitedBody(request, maxBytes), maxBytes),
      type,
      fileName: "",
      fields: new Map(),
    };
  } catch (error) {
    throw error instanceof AppError && error.code === "PAYLOAD_TOO_LARGE" ? tooLarge(maxBytes) : error;
  }
}

async function receiveForm(
  keep: Spool["keep"],
  request: Request,
  kind: FileKind,
  maxBytes: number,
): Promise<Received> {
  let kept: Spooled | null = null;
  try {
    const { fields, file } = await readUploadForm(
      request,
      maxBytes + formOverhead,
      async (bytes) => (kept = await keep(bytes, maxBytes)).size,
      kind.part,
    );
    const spooled = kept as Spooled | null;
    if (!file || !spooled) throw new AppError("BAD_REQUEST", `No ${kind.name} file provided`);
    const [type, fileName] = [file.type.toLowerCase(), file.name.toLowerCase()];
    if (!kind.types.includes(type) && !kind.endings.some((ending) => fileName.endsWith(ending))) {
      throw new AppError("BAD_REQUEST", `File must be a ${kind.name} file`);
    }
    return { file: spooled, type, fileName, fields };
  } catch (error) {
    await (kept as Spooled | null)?.close();
    throw error;
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `A file to import may have at most ${maxBytes / megabyte} MiB`, {
    maxBytes,
  });
}
