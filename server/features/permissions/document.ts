/** The document in which roles and permissions travel: its shape, and how it comes over HTTP. */
import type { PortableRole } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";
import { jsonLimit, parseJson, shapeError } from "../../http";
import { readJsonPart } from "../files";

/** The version that is written, and the only one that is read. */
export const documentVersion = "1.0";

/** A document, read. `overwrite`: what is there already gives way to what the document says. */
export type ImportDocument = {
  readonly version: string;
  readonly timestamp: string | null;
  readonly roles: readonly PortableRole[];
  readonly overwrite: boolean;
};

const texts = z.array(z.string());
const object = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => value ?? null);

const permission = z.strictObject({
  collection: z.string(),
  action: z.enum(["create", "read", "update", "delete"]),
  fields: z
    .union([texts, z.string()])
    .nullish()
    .transform((value) => (typeof value === "string" ? listOf(value) : (value ?? null))),
  conditions: object,
  relConditions: object,
  defaultValues: object,
});

const role = z.strictObject({
  name: z.string().min(1).max(128),
  description: z.string().nullish(),
  icon: z.string().nullish(),
  appAccess: z.boolean().optional(),
  ipWhitelist: texts.nullish(),
  isTenantSpecific: z.boolean().optional(),
  canInviteRoles: texts.nullish(),
  permissions: z.array(permission).default([]),
});

/** The document. */
export const documentShape = z.strictObject({
  version: z.literal(documentVersion).default(documentVersion),
  timestamp: z.string().nullish(),
  roles: z.array(role),
  overwrite: z.boolean().optional(),
});

const part = "rolesPermissions";

/**
 * Reads a document: the JSON body itself, or one below `data` or `rolesPermissions` of it, with `overwrite` beside; or a
 * multipart form with the part `rolesPermissions`, a file or text, and a part `overwrite`. Default: overwrite.
 * @param body what the shell read of a JSON body; null for any other
 * @throws AppError BAD_REQUEST that names the place, INVALID_JSON, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE
 */
export async function readDocument(request: Request, body: unknown): Promise<ImportDocument> {
  const given = isObject(body) ? unwrap(body) : await readForm(request);
  const result = documentShape.safeParse(given);
  if (!result.success) throw shapeError(result.error);
  const { version, timestamp, roles, overwrite } = result.data;
  return {
    version,
    timestamp: timestamp ?? null,
    roles: roles.map(withoutAbsent),
    overwrite: overwrite ?? true,
  };
}

function unwrap(body: Record<string, unknown>): unknown {
  const inner = body[part] ?? body.data;
  if (inner === undefined) return body;
  const { [part]: _form, data: _data, ...beside } = body;
  const content = typeof inner === "string" ? parseJson(new TextEncoder().encode(inner)) : inner;
  return isObject(content) ? { ...content, ...beside } : content;
}

async function readForm(request: Request): Promise<unknown> {
  const { content, fields } = await readJsonPart(request, part, jsonLimit, ["overwrite"]);
  const overwrite = fields.get("overwrite");
  if (overwrite === undefined || !isObject(content)) return content;
  if (overwrite !== "true" && overwrite !== "false") {
    throw new AppError("BAD_REQUEST", "overwrite: expected true or false");
  }
  return { ...content, overwrite: overwrite === "true" };
}

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function withoutAbsent<Value extends object>(value: Value): Value {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
