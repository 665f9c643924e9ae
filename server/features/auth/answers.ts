/** Answers of `/auth`: never stored, with the cookies of a session where it lives in cookies; and how bodies are described. */
import type { AuthMode, AuthResult, MfaRequired, ReauthenticateResult } from "@baasix/types";
import type { z } from "zod";
import { AppError } from "../../core/errors";
import { jsonBody, type OriginConfig, type Origins, requestFacts } from "../../http";
import { sessionCookies } from "./credentials";
import type { Origin, SignInResult } from "./sign-in";

export const privateJson = {
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
} as const;

/** A JSON answer that no cache keeps. */
export function answer(body: object, cookies: readonly string[] = [], status = 200): Response {
  const response = new Response(JSON.stringify(body), { status, headers: privateJson });
  for (const cookie of cookies) response.headers.append("set-cookie", cookie);
  return response;
}

/** What cookies depend on. `REFRESH_TOKEN_EXPIRES_IN` in seconds. */
export type CookieParts = {
  readonly config: OriginConfig & { readonly REFRESH_TOKEN_EXPIRES_IN: number };
};

/** `Set-Cookie` of a session; none in `jwt` mode. */
export function cookiesFor(
  { config }: CookieParts,
  authMode: AuthMode,
  tokens: { readonly token: string; readonly refreshToken: string | null },
): readonly string[] {
  if (authMode === "jwt") return [];
  const secure = config.NODE_ENV === "production";
  return sessionCookies(tokens, { secure, maxAge: config.REFRESH_TOKEN_EXPIRES_IN });
}

/** The answer of every way in. `more`: what is told beside it. */
export function signedInAnswer(
  parts: CookieParts,
  result: SignInResult,
  authMode: AuthMode,
  message?: string,
  more: object = {},
): Response {
  if ("mfaToken" in result) {
    const body: MfaRequired = { mfaRequired: true, ...result };
    return answer({ ...body, ...more });
  }
  const { access, session, account, tenant, roles, permissions, aal, mustEnroll } = result;
  const { id, email, firstName, lastName } = account;
  const { refreshToken } = session;
  const told = authMode === "cookie" ? "Authentication successful" : message;
  const body: AuthResult = {
    ...(told !== undefined && { message: told }),
    ...access,
    ...(authMode === "jwt" && { refreshToken }),
    authMode,
    user: { id, email, firstName, lastName },
    role: roles[0] ?? null,
    roles,
    permissions,
    tenant,
    aal,
    ...(mustEnroll && { mfaEnrollmentRequired: true }),
    ...more,
  };
  return answer(body, cookiesFor(parts, authMode, { token: access.token, refreshToken }));
}

/**
 * Refuses cookie mode for a foreign page: it would put the visitor into somebody else's account.
 * @throws AppError FORBIDDEN
 */
export function guardCookieMode(
  { origins }: { readonly origins: Origins },
  authMode: AuthMode,
  request: Request,
): void {
  if (authMode === "cookie" && request.headers.has("origin") && !origins.mayUseCookies(request)) {
    throw new AppError(
      "FORBIDDEN",
      "Cookie mode is for this server's own origin and those in AUTH_CORS_ALLOWED_ORIGINS",
    );
  }
}

/**
 * As `guardCookieMode`, for links that are followed: a page that sends a visitor to one tells no origin, but (in browsers) from
 * where it came. A link in a mail program comes from nowhere.
 * @throws AppError FORBIDDEN
 */
export function guardCookieLink(
  { origins }: { readonly origins: Origins },
  authMode: AuthMode,
  request: Request,
): void {
  guardCookieMode({ origins }, authMode, request);
  const site = request.headers.get("sec-fetch-site") ?? "";
  if (authMode === "cookie" && !request.headers.has("origin") && /^(?:cross|same)-site$/.test(site)) {
    throw new AppError(
      "FORBIDDEN",
      "Cookie mode is not for links on other pages; open the link from your mail",
    );
  }
}

/** Where a request comes from. */
export function originOf(request: Request): Origin {
  return { client: requestFacts(request).client, userAgent: request.headers.get("user-agent") };
}

/** The answer to a fresh proof; `time` in ms since 1970. */
export function provenAnswer(time: number): Response {
  const authenticatedAt = new Date(time).toISOString();
  return answer({ message: "Authentication confirmed", authenticatedAt } satisfies ReauthenticateResult);
}

/** How the API's description shows a route of `/auth`. */
export function documented(summary: string, body?: z.ZodType) {
  return {
    detail: {
      tags: ["Auth"],
      summary,
      ...(body && jsonBody(body)),
    },
  };
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** An id from a path. @throws AppError NOT_FOUND for a text that no id can be */
export function idFrom(text: string, what: string): string {
  if (uuid.test(text)) return text.toLowerCase();
  throw new AppError("NOT_FOUND", `${what} not found`);
}
