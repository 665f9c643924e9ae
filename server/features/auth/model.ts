/** What the auth routes take, checked by hand where the contract fixes the words of the refusal. */
import type { AuthMode, FieldError } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";

const authMode = z.enum(["jwt", "cookie"]).catch("jwt").default("jwt").meta({
  description: "jwt: both tokens in the answer. cookie: HttpOnly cookies, no refresh token in the answer",
});
const name = z.string().trim().min(1).max(255);

/** Body of `POST /auth/register`: these fields and no other. */
export const registerBody = z.strictObject({
  email: z.string().meta({ description: "Mail address, at most 254 characters" }),
  password: z.string().meta({ description: "8 to 128 characters" }),
  firstName: name,
  lastName: name.nullish().transform((text) => text ?? undefined),
  phone: z
    .string()
    .trim()
    .max(50)
    .nullish()
    .transform((text) => text ?? undefined),
  authMode,
});

/** Body of `POST /auth/login`. `authType` is kept with the session. */
export const loginBody = z.object({
  email: z.string(),
  password: z.string(),
  authMode,
  authType: z.enum(["default", "mobile", "web"]).default("default"),
});

/** Body of `POST /auth/refresh`; all of it may be missing when a cookie or an access token says who asks. */
export const refreshBody = z.object({ refreshToken: z.string().nullish(), authMode: authMode.optional() });

/** Body of `POST /auth/reauthenticate`. */
export const reauthenticateBody = z.strictObject({ password: z.string() });

const ends = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text).toISOString())
  .meta({ description: "When it ends (ISO 8601); null: never" });

/** Body of `POST /auth/tokens`. */
export const apiTokenBody = z.strictObject({
  name,
  role_Id: z.uuid().meta({ description: "The one role that the token acts with" }),
  user_Id: z.uuid().nullish().meta({
    description:
      "The account that it acts as, which must have the role; without it a service account is made",
  }),
  expiresAt: ends.nullish(),
});

/** Body of `POST /auth/tokens/:id/rotate`; all of it may be missing. */
export const rotateBody = z.strictObject({ expiresAt: ends.nullable().optional() });

export type ApiTokenInput = {
  readonly name: string;
  readonly role_Id: string;
  readonly user_Id: string | null;
  readonly expiresAt: string | null;
};

export type RegisterBody = z.output<typeof registerBody>;
export type LoginBody = z.output<typeof loginBody>;
export type RefreshBody = { readonly refreshToken: string | null; readonly authMode: AuthMode };

/** @throws AppError VALIDATION_ERROR */
export function parseRegister(body: unknown): RegisterBody {
  if (!hasTexts(body, ["email", "password", "firstName"])) {
    throw new AppError("VALIDATION_ERROR", "Email, password, and firstName are required");
  }
  const result = registerBody.safeParse(body);
  if (result.success) return result.data;
  throw invalid(result.error);
}

/** @throws AppError VALIDATION_ERROR */
export function parseLogin(body: unknown): LoginBody {
  if (!hasTexts(body, ["email", "password"])) {
    throw new AppError("VALIDATION_ERROR", "Email and password are required");
  }
  const result = loginBody.safeParse(body);
  if (result.success) return result.data;
  if (result.error.issues.some(({ path }) => path[0] === "authType")) {
    throw new AppError("FORBIDDEN", "Invalid session type. Must be 'mobile' or 'web'");
  }
  throw invalid(result.error);
}

/** @throws AppError VALIDATION_ERROR */
export function parseRefresh(body: unknown): RefreshBody {
  const result = refreshBody.safeParse(body ?? {});
  if (!result.success) throw invalid(result.error);
  return { refreshToken: result.data.refreshToken || null, authMode: result.data.authMode ?? "jwt" };
}

/** Gives the password. @throws AppError VALIDATION_ERROR */
export function parseReauthenticate(body: unknown): string {
  if (!hasTexts(body, ["password"])) throw new AppError("VALIDATION_ERROR", "Password is required");
  return checked(reauthenticateBody, body).password;
}

/** @throws AppError VALIDATION_ERROR */
export function parseApiToken(body: unknown): ApiTokenInput {
  const { user_Id = null, expiresAt = null, ...rest } = checked(apiTokenBody, body);
  return { ...rest, user_Id, expiresAt };
}

/** The new end of a token; undefined: as it was. @throws AppError VALIDATION_ERROR */
export function parseRotate(body: unknown): string | null | undefined {
  return checked(rotateBody, body ?? {}).expiresAt;
}

/** What a schema makes of a body. @throws AppError VALIDATION_ERROR */
export function checked<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw invalid(result.error);
}

function hasTexts(body: unknown, fields: readonly string[]): boolean {
  if (typeof body !== "object" || body === null) return false;
  const given = new Map<string, unknown>(Object.entries(body));
  return fields.every((field) => typeof given.get(field) === "string" && given.get(field) !== "");
}

/** A detail per field; what was sent is not repeated. */
function invalid(error: z.ZodError): AppError {
  const details: FieldError[] = error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((field) => ({ field, message: `'${field}' cannot be set here`, rule: "unknown" }))
      : [{ field: issue.path.join("."), message: issue.message, rule: "type" }],
  );
  const message = details.map((detail) => `${detail.field}: ${detail.message}`).join("; ");
  return new AppError("VALIDATION_ERROR", message, details);
}
