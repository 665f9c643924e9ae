/** What the routes take. */
import { z } from "zod";
import { AppError } from "../../core/errors";
import type { Challenge } from "./proofs";
import type { Provider } from "./provider";

const authMode = z.enum(["jwt", "cookie"]).catch("jwt").default("jwt");
const authType = z.enum(["default", "mobile", "web"]).default("default");
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? null);
const tenant_Id = optional(z.string().max(64)).meta({
  description: "The tenant to act in; by default the one that the account joined first",
});
const provider = z.string().meta({ description: "A name that GET /auth/providers lists" });
const address = z.string().max(2048).meta({ description: "Where to come back to: listed in AUTH_APP_URL" });
const scopes = z
  .union([z.string().transform((text) => text.split(/[\s,]+/).filter(Boolean)), z.array(z.string())])
  .meta({ description: "Less than what the provider is configured for; what is needed is always asked" });
const challenge = z
  .string()
  .regex(/^[\w.~-]{43,128}$/)
  .meta({ description: "Of a verifier of the application's own (RFC 7636)" });
const method = z.enum(["plain", "S256"]).default("plain");
const verifier = z.string().max(128);
// What else apps send along (access and refresh tokens) is of no use here: nothing is kept or asked with it.
const idToken = z.object({
  token: z.string().min(1),
  nonce: optional(z.string().max(512)),
});

const appStart = {
  scopes: optional(scopes),
  state: optional(z.string().max(512)),
  code_challenge: optional(challenge),
  code_challenge_method: method,
};

/** Query of `GET /auth/signin/:provider`. */
export const startQuery = z.object({
  ...appStart,
  redirect_url: optional(address),
  error_url: optional(address),
  tenant_Id,
  ticket: optional(z.string()).meta({ description: "Of a link that POST /auth/social/link began" }),
});

/** Query of `GET /auth/callback/:provider`, as the description shows it; the protocol's library reads it. */
export const callbackQuery = z.object({
  code: z.string().optional(),
  state: z.string().optional(),
  error: z.string().optional(),
});

/** Body of `POST /auth/social/signin`. */
export const signInBody = z.object({
  provider: provider.min(1, "Provider is required"),
  callbackURL: optional(address),
  errorCallbackURL: optional(address),
  scopes: optional(scopes),
  idToken: optional(idToken),
  authMode,
  authType,
  tenant_Id,
});

/** Body of `POST /auth/social/exchange`. */
export const exchangeBody = z.strictObject({
  token: z.string().min(1),
  code_verifier: optional(verifier),
  authMode,
  authType,
  tenant_Id: tenant_Id.describe("The tenant to act in; by default the one that the sign-in began for"),
});

/** Body of `POST /auth/social/reauthenticate`: what a browser brought back from a sign-in (`token`), or an ID token. */
export const reauthenticateBody = z.strictObject({
  provider: optional(provider),
  idToken: optional(idToken),
  token: optional(z.string()),
  code_verifier: optional(verifier),
});

/** Body of `POST /auth/social/link`: a beginning (`redirectUrl`), an end (`token`), or both at once (`idToken`). */
export const linkBody = z.strictObject({
  ...appStart,
  provider: optional(provider),
  redirectUrl: optional(address),
  errorUrl: optional(address),
  idToken: optional(idToken),
  token: optional(z.string()),
  code_verifier: optional(verifier),
});

/** What an application wants back. */
export type AppStart = {
  readonly code_challenge: string | null;
  readonly code_challenge_method: "plain" | "S256";
};

/** The challenge of a start, or null. */
export function challengeOf({ code_challenge, code_challenge_method }: AppStart): Challenge | null {
  return code_challenge === null ? null : { method: code_challenge_method, value: code_challenge };
}

/** What to ask the provider for. @throws AppError VALIDATION_ERROR for more than it is configured for */
export function scopesOf(provider: Provider, asked: readonly string[] | null): readonly string[] {
  if (asked === null) return provider.scopes;
  const more = asked.find((scope) => !provider.scopes.includes(scope));
  if (more !== undefined) {
    const message = `scopes: ${provider.name} may be asked for ${provider.scopes.join(", ")}`;
    throw new AppError("VALIDATION_ERROR", message, [{ field: "scopes", message, rule: "enum" }]);
  }
  const needed = ["openid", "email", "read:user", "user:email", "public_profile"];
  return provider.scopes.filter((scope) => needed.includes(scope) || asked.includes(scope));
}
