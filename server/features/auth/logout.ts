/** `/auth/logout`: ends the session that the request can prove, by whichever token it brings. */
import { AppError } from "../../core/errors";
import { findCredential, readCookie, refreshCookie } from "./credentials";
import type { Sessions } from "./sessions";
import type { Tokens } from "./tokens";

/** Ends the session; a request without a good token ends none, and that is no error. An expired access token will do. */
export async function logout(
  { tokens, sessions }: { readonly tokens: Tokens; readonly sessions: Sessions },
  request: Request,
  refreshToken: string | null,
): Promise<void> {
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
