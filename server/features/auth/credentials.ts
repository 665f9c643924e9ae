/** Where a request carries its credentials, and the cookies that we set. */
import { AppError } from "../../core/errors";
import { isApiToken } from "./api-tokens";

/** A token and where it was found. Only a cookie is sent without the page's doing, so only a cookie needs an origin check. */
export type Credential = { readonly token: string; readonly from: "bearer" | "cookie" | "query" };

/** Names of our cookies; `accessToken` is read as well. */
export const accessCookie = "token";
export const refreshCookie = "refreshToken";

/**
 * The token of a request: `Authorization: Bearer` (RFC 6750), then the cookies, then the query `access_token`. API tokens are
 * for programs, which can send a header: a query would leave them in logs, a cookie would let pages use them.
 * @throws AppError UNAUTHORIZED for an API token elsewhere than in the header
 */
export function findCredential(request: Request): Credential | null {
  const credential = readCredential(request);
  if (credential !== null && credential.from !== "bearer" && isApiToken(credential.token)) {
    throw new AppError("UNAUTHORIZED", "Send an API token as 'Authorization: Bearer', and in no other way");
  }
  return credential;
}

function readCredential(request: Request): Credential | null {
  const { headers } = request;
  const authorization = headers.get("authorization");
  if (
    authorization !== null &&
    authorization.length > 7 &&
    authorization.slice(0, 7).toLowerCase() === "bearer "
  ) {
    const token = authorization.slice(7).trim();
    if (token !== "") return { token, from: "bearer" };
  }
  const cookies = headers.get("cookie");
  if (cookies !== null) {
    const token = readCookie(cookies, accessCookie) ?? readCookie(cookies, "accessToken");
    if (token !== null) return { token, from: "cookie" };
  }
  if (request.url.includes("access_token=")) {
    const token = new URL(request.url).searchParams.get("access_token")?.trim();
    if (token) return { token, from: "query" };
  }
  return null;
}

/** The value of a cookie in a `Cookie` header (RFC 6265), null when it is missing or empty. */
export function readCookie(header: string, name: string): string | null {
  if (!header.includes(name)) return null;
  return new Bun.CookieMap(header).get(name) || null;
}

/** A request that changes something, or that opens a socket: what a foreign page must not do with the user's cookies. */
export function needsOrigin({ method, headers }: Request): boolean {
  return (method !== "GET" && method !== "HEAD") || headers.has("upgrade");
}

/** Seconds. */
type CookieOptions = { readonly secure: boolean; readonly maxAge: number };

/**
 * `Set-Cookie` of a session. The access cookie outlives its token on purpose: the browser then sends a token that has
 * expired, is answered 401 and knows that it should refresh, instead of turning anonymous in silence.
 */
export function sessionCookies(
  tokens: { readonly token: string; readonly refreshToken: string | null },
  options: CookieOptions,
): readonly string[] {
  const access = cookie(accessCookie, tokens.token, "/", options);
  return tokens.refreshToken === null
    ? [access]
    : [access, cookie(refreshCookie, tokens.refreshToken, "/auth", options)];
}

/** `Set-Cookie` that removes them. */
export function clearedCookies(secure: boolean): readonly string[] {
  const options = { secure, maxAge: 0 };
  return [cookie(accessCookie, "", "/", options), cookie(refreshCookie, "", "/auth", options)];
}

function cookie(name: string, value: string, path: string, { secure, maxAge }: CookieOptions): string {
  return new Bun.Cookie(name, value, { path, httpOnly: true, sameSite: "lax", secure, maxAge }).serialize();
}
