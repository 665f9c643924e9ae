/** A JSON document that comes in a part of a form, as a file or as text. */
import { AppError, suggestion } from "../../core/errors";
import { parseJson } from "../../http";
import { readUploadForm } from "./multipart";

/** The document, not judged yet, and the other text parts of the form. */
export type JsonPart = { readonly content: unknown; readonly fields: ReadonlyMap<string, string> };

/**
 * Reads the part of a form of at most `limit` bytes. `beside`: the text parts that there may be besides.
 * @throws AppError BAD_REQUEST where there is no such part, or one that nobody would heed; INVALID_JSON,
 * UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE
 */
export async function readJsonPart(
  request: Request,
  part: string,
  limit: number,
  beside: readonly string[] = [],
): Promise<JsonPart> {
  const pieces: Uint8Array[] = [];
  const keep = async (bytes: AsyncIterable<Uint8Array>): Promise<number> => {
    let size = 0;
    for await (const piece of bytes) {
      pieces.push(piece);
      size += piece.byteLength;
    }
    return size;
  };
  const { fields, file } = await readUploadForm(request, limit, keep, part);
  const text = fields.get(part);
  if (file === null && text === undefined) {
    throw new AppError("BAD_REQUEST", `Send the document in the part '${part}', or as a JSON body`);
  }
  const known = [part, ...beside];
  const stray = [...fields.keys()].find((name) => !known.includes(name));
  if (stray !== undefined)
    throw new AppError("BAD_REQUEST", `${stray}: is no part of this form${suggestion(stray, known)}`);
  const content = parseJson(file === null ? new TextEncoder().encode(text) : Buffer.concat(pieces));
  return { content, fields };
}
