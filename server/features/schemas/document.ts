/** The document in which definitions travel: its shape, and how it comes over HTTP. */
import type { SchemaDefinition } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";
import { parseJson } from "../../http";
import { readUploadForm } from "../files";

/** The version that is written. */
export const documentVersion = "1.0";

/** A document, read; the definitions in it are judged by `core/schema`. */
export type SchemaDocument = {
  readonly version: string;
  readonly timestamp: string | null;
  readonly schemas: readonly { readonly collectionName: string; readonly schema: SchemaDefinition }[];
};

// Loose: what else a file of definitions holds (roles, times of storing) is for others to read.
const document = z.looseObject({
  version: z.literal(documentVersion).default(documentVersion),
  timestamp: z.string().nullish(),
  schemas: z
    .array(z.looseObject({ collectionName: z.string(), schema: z.record(z.string(), z.unknown()) }))
    .max(5000),
});

/** The document as OpenAPI shows it. */
export const documentSchema: object = z.toJSONSchema(document, { io: "input" });

const part = "schema";
const mostBytes = 50 * 1024 * 1024;

/**
 * Reads a document: the JSON body itself, a list of definitions, or one of both below `schema` or `data`; or a multipart form
 * with the part `schema`, a file or text.
 * @param body what the shell read of a JSON body; null for any other
 * @throws AppError BAD_REQUEST that names the place, INVALID_JSON, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE
 */
export async function readSchemaDocument(request: Request, body: unknown): Promise<SchemaDocument> {
  const given = body === null ? await readForm(request) : unwrap(body);
  const result = document.safeParse(Array.isArray(given) ? { schemas: given } : given);
  if (!result.success) throw malformed(result.error);
  const { version, timestamp, schemas } = result.data;
  // `applyEdit` reads each like any untrusted definition.
  return { version, timestamp: timestamp ?? null, schemas: schemas as unknown as SchemaDocument["schemas"] };
}

function unwrap(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body) || "schemas" in body) return body;
  const inner = "schema" in body ? body.schema : "data" in body ? body.data : undefined;
  if (inner === undefined) return body;
  return typeof inner === "string" ? parseJson(new TextEncoder().encode(inner)) : inner;
}

async function readForm(request: Request): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  const keep = async (bytes: AsyncIterable<Uint8Array>): Promise<number> => {
    let size = 0;
    for await (const piece of bytes) {
      pieces.push(piece);
      size += piece.byteLength;
    }
    return size;
  };
  const { fields, file } = await readUploadForm(request, mostBytes, keep, part);
  const text = fields.get(part);
  if (file === null && text === undefined) {
    throw new AppError("BAD_REQUEST", `Send the document in the part '${part}', or as a JSON body`);
  }
  return parseJson(file === null ? new TextEncoder().encode(text) : Buffer.concat(pieces));
}

function malformed(error: z.ZodError): AppError {
  const details = error.issues.slice(0, 100).map(({ path, message }) => ({
    field: placeOf(path),
    message,
    rule: "shape",
  }));
  const [first] = details;
  return new AppError(
    "BAD_REQUEST",
    `${first?.field || "body"}: ${first?.message ?? "no document"}`,
    details,
  );
}

/** `schemas[0].collectionName`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
}
