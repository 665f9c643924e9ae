/** The document in which definitions travel: its shape, and how it comes over HTTP. */
import type { SchemaDefinition } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";
import { parseJson, shapeError } from "../../http";
import { readJsonPart } from "../files";

/** The version that is written. */
export const documentVersion = "1.0";

/** A document, read; the definitions in it are judged by `core/schema`. */
export type SchemaDocument = {
  readonly version: string;
  readonly timestamp: string | null;
  readonly schemas: readonly { readonly collectionName: string; readonly schema: SchemaDefinition }[];
};

/** The document. Loose: what else a file of definitions holds (roles, times of storing) is for others to read. */
export const documentShape = z.looseObject({
  version: z.literal(documentVersion).default(documentVersion),
  timestamp: z.string().nullish(),
  schemas: z
    .array(z.looseObject({ collectionName: z.string(), schema: z.record(z.string(), z.unknown()) }))
    .max(5000),
});

const part = "schema";
const mostBytes = 50 * 1024 * 1024;

/**
 * Reads a document: the JSON body itself, a list of definitions, or one of both below `schema` or `data`; or a multipart form
 * with the part `schema`, a file or text.
 * @param body what the shell read of a JSON body; null for any other
 * @throws AppError BAD_REQUEST that names the place, INVALID_JSON, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE
 */
export async function readSchemaDocument(request: Request, body: unknown): Promise<SchemaDocument> {
  refuseParameters(body);
  const given = body === null ? (await readJsonPart(request, part, mostBytes)).content : unwrap(body);
  const result = documentShape.safeParse(Array.isArray(given) ? { schemas: given } : given);
  if (!result.success) throw shapeError(result.error);
  const { version, timestamp, schemas } = result.data;
  // `applyEdit` reads each like any untrusted definition.
  return { version, timestamp: timestamp ?? null, schemas: schemas as unknown as SchemaDocument["schemas"] };
}

/** A document is loose, but whoever writes these into it counts on them. */
function refuseParameters(body: unknown): void {
  if (typeof body !== "object" || body === null) return;
  const name = ["dryRun", "force", "prune"].find((one) => one in body);
  if (name !== undefined) throw new AppError("BAD_REQUEST", `${name}: belongs in the query string`);
}

function unwrap(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body) || "schemas" in body) return body;
  const inner = "schema" in body ? body.schema : "data" in body ? body.data : undefined;
  if (inner === undefined) return body;
  return typeof inner === "string" ? parseJson(new TextEncoder().encode(inner)) : inner;
}
