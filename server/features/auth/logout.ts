/** `/auth/logout`: ends the session that the request can prove, by whichever token it brings. */
import { AppError } from "../../core/errors";
import type { Origins } from "../../http";
import { foreignPage } from "./authenticate";
import { accessCookie, findCredential, readCookie, refreshCookie } from "./credentials";
import type { Sessions } from "./sessions";
import type { Tokens } from "./tokens";

export type LogoutParts = {
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly origins: Origins;
};

/**
 * Ends the session; a request without a good token ends none, and that is no error. An expired access token will do.
 * @throws AppError FORBIDDEN for cookies that a foreign page makes the browser send.
 */
export async function logout(
  { tokens, sessions, origins }: LogoutParts,
  request: Request,
  refreshToken: string | null,
): Promise<void> {
  if (isForeign(request, origins)) throw foreignPage();
  const refresh = refreshToken ?? readCookie(request.headers.get("cookie") ?? "", refreshCookie);
  const ended = new Set<string>();
  const access = findCredential(request);
  if (access !== null) {
    const claims = await tokens.readAccess(access.token, { expired: true }).catch(ignoreInvalid);
    if (claims) ended.add(claims.session);
  }
  const byRefresh = refresh === null ? null : tokens.readRefresh(refresh);
  if (byRefresh !== null) ended.add(byRefresh);
  for (const session of ended) await sessions.end(session);
}

function ignoreInvalid(error: unknown): null {
  if (error instanceof AppError && error.code === "UNAUTHORIZED") return null;
  throw error;
}

/** A link elsewhere that is followed here comes with cookies and tells no origin, but (in browsers) from where it came. */
function isForeign(request: Request, origins: Origins): boolean {
  const { headers, method } = request;
  const cookies = headers.get("cookie") ?? "";
  if (readCookie(cookies, accessCookie) === null && readCookie(cookies, refreshCookie) === null) return false;
  if (method !== "GET" || headers.has("origin")) return !origins.mayUseCookies(request);
  return /^(?:cross|same)-site$/.test(headers.get("sec-fetch-site") ?? "");
}
