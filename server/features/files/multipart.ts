/** Reads a multipart body as it arrives: text parts into a map, the bytes of the file straight to a keeper. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { BusboyInstance } from "@fastify/busboy";
import { AppError } from "../../core/errors";

/** A read form. `file` is null when no file was sent; its `size` in bytes, its `type` as the sender says. */
export type UploadForm = {
  readonly fields: ReadonlyMap<string, string>;
  readonly file: { readonly name: string; readonly type: string; readonly size: number } | null;
};

/** Takes the bytes of the file part and gives their number; the body is read no faster than it takes them. */
export type KeepBytes = (bytes: AsyncIterable<Uint8Array>) => Promise<number>;

const limits = {
  files: 2,
  fields: 20,
  parts: 22,
  fieldNameSize: 100,
  fieldSize: 64 * 1024,
  headerPairs: 20,
  headerSize: 16 * 1024,
};

/**
 * Reads the form, of at most `maxBytes` with everything in it; the file comes in the part named `part`. When it fails, `keep` has ended too and the rest of the
 * body is not read.
 * @throws AppError UNSUPPORTED_MEDIA_TYPE when the body is no multipart form (RFC 7578), BAD_REQUEST when it is
 * malformed, ends early or has too many parts, PAYLOAD_TOO_LARGE; or whatever `keep` throws.
 */
export async function readUploadForm(
  request: Request,
  maxBytes: number,
  keep: KeepBytes,
  part = "file",
): Promise<UploadForm> {
  const parser = await openParser(request.headers.get("content-type") ?? "", part);
  const fields = new Map<string, string>();
  const failed = Promise.withResolvers<never>();
  // A failure after the form was read has nobody left to tell.
  failed.promise.catch(() => {});
  const refuse = (message: string) => failed.reject(new AppError("BAD_REQUEST", message));
  let stream: Readable | null = null;
  let name = "";
  let type = "";
  let kept: Promise<number> | null = null;

  parser.on("field", (field, value, nameCut, valueCut) => {
    if (nameCut || valueCut) refuse(`'${field}': a text part may have ${limits.fieldSize} bytes`);
    else if (fields.has(field)) refuse(`'${field}' was sent twice`);
    else fields.set(field, value);
  });
  parser.on("file", (field, bytes, fileName, _encoding, fileType) => {
    if (field !== part || kept) {
      bytes.resume();
      refuse(kept ? "Send one file per request" : `Send the file in the part '${part}', not in '${field}'`);
      return;
    }
    stream = bytes;
    name = fileName;
    type = fileType;
    kept = keep(bytes);
    kept.catch(failed.reject);
  });
  for (const event of ["partsLimit", "filesLimit", "fieldsLimit"] as const)
    parser.on(event, () => refuse(`A form may have one file and ${limits.fields} text parts`));
  parser.on("error", (error) => refuse(`The multipart body is malformed: ${messageOf(error)}`));

  try {
    await Promise.race([feed(parser, limitedBody(request, maxBytes), failed.promise), failed.promise]);
    const size = await (kept as Promise<number> | null);
    return { fields, file: size === null ? null : { name, type, size } };
  } catch (error) {
    (stream as Readable | null)?.destroy(new Error("the upload ended early"));
    await Promise.allSettled([kept]);
    throw error;
  }
}

async function openParser(contentType: string, part: string): Promise<BusboyInstance> {
  if (/^multipart\/form-data\b/i.test(contentType)) {
    const { Busboy } = await import("@fastify/busboy"); // not before the first upload
    try {
      return new Busboy({ headers: { "content-type": contentType }, limits });
    } catch (error) {
      throw new AppError("BAD_REQUEST", `The multipart body is malformed: ${messageOf(error)}`);
    }
  }
  throw new AppError("UNSUPPORTED_MEDIA_TYPE", `Send the file as multipart/form-data, in the part '${part}'`);
}

/** Writes the body into the parser and waits while it is full; ends when everything was parsed, or on the failure. */
async function feed(
  parser: BusboyInstance,
  body: AsyncIterable<Uint8Array>,
  failed: Promise<never>,
): Promise<void> {
  const finished = once(parser, "finish");
  // It also fails with the parser's error, which may come when nobody waits any more.
  finished.catch(() => {});
  let stopped = false;
  failed.catch(() => {
    stopped = true;
  });
  for await (const chunk of body) {
    // Leaving the loop cancels the body.
    if (stopped) return;
    if (!parser.write(chunk)) await Promise.race([once(parser, "drain"), failed]);
  }
  parser.end();
  await finished;
}

/** How long a body may take to arrive, in ms: whoever sends slower holds a connection for nothing. */
const patience = 10 * 60 * 1000;

/**
 * The bytes of a body as they arrive; the rest is not read when their taker stops.
 * @throws AppError PAYLOAD_TOO_LARGE beyond `maxBytes`, BAD_REQUEST when it ends early or takes longer than ten minutes.
 */
export async function* limitedBody(request: Request, maxBytes: number): AsyncGenerator<Uint8Array> {
  const reader = request.body?.getReader();
  if (!reader) return;
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  const timer = setTimeout(
    () =>
      late.reject(new AppError("BAD_REQUEST", `The body was not here after ${patience / 60_000} minutes`)),
    patience,
  );
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]);
      if (done) return;
      size += value.byteLength;
      if (size > maxBytes)
        throw new AppError(
          "PAYLOAD_TOO_LARGE",
          `The body is larger than ${maxBytes} bytes, the most allowed here`,
        );
      yield value;
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("BAD_REQUEST", "The upload ended before its body did", null, { cause });
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unreadable";
}
