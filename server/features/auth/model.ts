/** What the auth routes take, checked by hand where the contract fixes the words of the refusal. */
import type { AuthMode, FieldError } from "@baasix/types";
import { z } from "zod";
import { AppError } from "../../core/errors";

const authMode = z.enum(["jwt", "cookie"]).catch("jwt").default("jwt").meta({
  description: "jwt: both tokens in the answer. cookie: HttpOnly cookies, no refresh token in the answer",
});
const name = z.string().trim().min(1).max(255);

const username = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]$/, "3 to 64 letters, digits, dots, dashes and underscores")
  .meta({ description: "A name to sign in with; its letter case says nothing" });
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? undefined);
const link = optional(z.string()).meta({
  description: "Where the link of the mail leads: an entry of AUTH_APP_URL; the first one when it is missing",
});
const authType = z.enum(["default", "mobile", "web"]).default("default");
const tenant_Id = optional(z.string()).meta({
  description: "The tenant to act in; by default the one that the account joined first",
});

const mailTenant = z
  .uuid()
  .nullish()
  .transform((value) => value?.toLowerCase() ?? null)
  .meta({ description: "Whose words and looks the mail has, where the account is one of its members" });

/** Body of `POST /auth/tenants`. */
export const newTenant = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(255)
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, "must be one line")
    .meta({ description: "A name that no other tenant has" }),
});

/** Body of `POST /auth/switch-tenant`. */
export const switchTenantBody = z.object({ tenant_Id: z.string(), authMode });

/** Body of `POST /auth/register`: these fields and no other. */
export const registerBody = z.strictObject({
  email: z.string().meta({ description: "Mail address, at most 254 characters" }),
  password: z.string().meta({ description: "8 to 128 characters" }),
  firstName: name,
  lastName: optional(name),
  username: optional(username),
  phone: optional(z.string().trim().max(50)),
  link,
  tenant: optional(newTenant).meta({ description: "Founds a tenant of which the account is the owner" }),
  inviteToken: optional(z.string().max(200)).meta({
    description: "Of an invitation to this address: it gives role and tenant, and needs no open registration",
  }),
  authMode,
});

/** Body of `POST /auth/login`: one of the first three. `authType` is kept with the session. */
export const loginBody = z.object({
  email: z.string().nullish(),
  username: z.string().nullish(),
  identifier: z.string().nullish().meta({ description: "A mail address or a username" }),
  password: z.string(),
  authMode,
  authType,
  tenant_Id,
});

/** Body of `POST /auth/password/reset`. `redirectUrl` is another word for `link`. */
export const requestResetBody = z.object({
  email: z.string(),
  link,
  redirectUrl: link,
  tenant_Id: mailTenant,
});

/** Body of `POST /auth/password/reset/:token`. */
export const resetBody = z.object({ password: z.string() });

/** Body of `POST /auth/reset-password`. */
export const resetTokenBody = z.object({ token: z.string(), password: z.string() });

/** Body of `POST /auth/password/change`. */
export const changeBody = z.object({
  currentPassword: z.string().nullish().meta({ description: "Missing where the account has none yet" }),
  newPassword: z.string(),
});

/** Body of `POST /auth/admin/password/change`. `password` is another word for `newPassword`. */
export const changeOfBody = z.object({
  userId: z.string(),
  newPassword: z.string().optional(),
  password: z.string().optional(),
});

/** Body of `POST /auth/magiclink`. */
export const magicLinkBody = z.object({
  email: z.string(),
  mode: z.enum(["link", "code"]).default("link"),
  link,
  redirectUrl: link,
  tenant_Id: mailTenant,
});

/** Body of `POST /auth/magiclink/verify`: the token of a link, or a code with its address. */
export const useMagicLinkBody = z.object({
  token: z.string().optional(),
  email: z.string().optional(),
  code: z.string().optional(),
  authMode,
  authType,
  tenant_Id,
});

/** Body of `POST /auth/otp`. */
export const otpBody = z.object({ email: z.string(), tenant_Id: mailTenant });

/** Body of `POST /auth/otp/verify`. */
export const useOtpBody = z.object({ email: z.string(), code: z.string(), authMode, authType, tenant_Id });

/** Body of `POST /auth/email/verify`. `email`: from who is not signed in. */
export const verifyBody = z.object({
  email: optional(z.string()),
  link,
  redirectUrl: link,
  tenant_Id: mailTenant,
});

/** Body of `POST /auth/email/verify/:token`. */
export const passwordBody = z.strictObject({ password: z.string() });

/** Body of `POST /auth/refresh`; all of it may be missing when a cookie or an access token says who asks. */
export const refreshBody = z.object({ refreshToken: z.string().nullish(), authMode: authMode.optional() });

/** Body of `POST /auth/reauthenticate`: the password, or a code that `POST /auth/reauthenticate/code` mailed. */
export const reauthenticateBody = z.strictObject({
  password: z.string().optional(),
  code: z.string().optional(),
});

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
  tenant_Id: z.uuid().nullish().meta({ description: "The tenant that it acts in, for a role of tenants" }),
  expiresAt: ends.nullish(),
});

/** Body of `POST /auth/tokens/:id/rotate`; all of it may be missing. */
export const rotateBody = z.strictObject({ expiresAt: ends.nullable().optional() });

export type ApiTokenInput = {
  readonly name: string;
  readonly role_Id: string;
  readonly user_Id: string | null;
  readonly tenant_Id: string | null;
  readonly expiresAt: string | null;
};

export type RegisterBody = z.output<typeof registerBody>;
export type LoginBody = Omit<z.output<typeof loginBody>, "email" | "username" | "identifier"> & {
  /** A mail address or a username. */
  readonly name: string;
};
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
  const isNamed = ["email", "username", "identifier"].some((key) => hasTexts(body, [key]));
  if (!isNamed || !hasTexts(body, ["password"])) {
    throw new AppError("VALIDATION_ERROR", "Email and password are required");
  }
  const { email, username, identifier, ...rest } = checkedType(loginBody, body);
  return { ...rest, name: email || username || identifier || "" };
}

/** As `checked`, with the contract's words for a session type that there is none of. */
export function checkedType<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  if (result.error.issues.some(({ path }) => path[0] === "authType")) {
    throw new AppError("FORBIDDEN", "Invalid session type. Must be 'mobile' or 'web'");
  }
  throw invalid(result.error);
}

/** Refuses a body without these texts, in the contract's words. @throws AppError VALIDATION_ERROR */
export function requireTexts(body: unknown, fields: readonly string[], message: string): void {
  if (!hasTexts(body, fields)) throw new AppError("VALIDATION_ERROR", message);
}

/** @throws AppError VALIDATION_ERROR */
export function parseRefresh(body: unknown): RefreshBody {
  const result = refreshBody.safeParse(body ?? {});
  if (!result.success) throw invalid(result.error);
  return { refreshToken: result.data.refreshToken || null, authMode: result.data.authMode ?? "jwt" };
}

/** Gives the one that is there. @throws AppError VALIDATION_ERROR */
export function parseReauthenticate(
  body: unknown,
): { readonly password: string } | { readonly code: string } {
  if (!hasTexts(body, ["password"]) && !hasTexts(body, ["code"]))
    throw new AppError("VALIDATION_ERROR", "Password is required");
  const { password, code } = checked(reauthenticateBody, body);
  if (password !== undefined && code !== undefined)
    throw new AppError("VALIDATION_ERROR", "Bring a password or a code, not both");
  return password === undefined ? { code: code ?? "" } : { password };
}

/** @throws AppError VALIDATION_ERROR */
export function parseApiToken(body: unknown): ApiTokenInput {
  const { user_Id = null, tenant_Id = null, expiresAt = null, ...rest } = checked(apiTokenBody, body);
  return { ...rest, user_Id, tenant_Id, expiresAt };
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
