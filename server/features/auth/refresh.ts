/** `POST /auth/refresh`: new tokens for a session, by its refresh token or by an access token that still holds. */
import type { AuthMode } from "@baasix/types";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { type Origins, requestFacts, type WindowCounter } from "../../http";
import { findAccount } from "./accounts";
import { tooMany } from "./attempts";
import { type Authenticator, foreignPage } from "./authenticate";
import { findCredential, readCookie, refreshCookie } from "./credentials";
import { requireSession } from "./fresh";
import type { RefreshBody } from "./model";
import { belongsTo, membershipsOf, rolesIn } from "./roles";
import type { Session, Sessions } from "./sessions";
import { type AccessToken, invalidToken, type Tokens } from "./tokens";

export type RefreshParts = {
  readonly data: Data;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly authenticator: Authenticator;
  readonly origins: Origins;
  /** Counts refreshes per session in windows of a minute. */
  readonly refreshes: WindowCounter;
  readonly clock: () => number;
  readonly config: { readonly MULTI_TENANT: boolean };
};

/** New tokens. No refresh token when an access token asked: who holds that alone must not gain a longer one. */
export type Refreshed = {
  readonly access: AccessToken;
  readonly refreshToken: string | null;
  readonly authMode: AuthMode;
};

const perMinute = 30;

/**
 * Refreshes by the body's `refreshToken`, else by the cookie, else by the access token. What came by cookie is answered
 * by cookie, whatever the body asks: a script must not lift a refresh token out of the cookie.
 * @throws AppError UNAUTHORIZED `No token provided` or `Invalid or expired token`; FORBIDDEN; RATE_LIMITED.
 */
export async function refresh(parts: RefreshParts, request: Request, body: RefreshBody): Promise<Refreshed> {
  const cookie = readCookie(request.headers.get("cookie") ?? "", refreshCookie);
  const presented = body.refreshToken ?? cookie;
  if (presented === null) return refreshByAccess(parts, request, body.authMode);
  const byCookie = body.refreshToken === null;
  if (byCookie && !parts.origins.mayUseCookies(request)) throw foreignPage();
  const id = parts.tokens.readRefresh(presented);
  if (id === null) throw invalidToken();
  countRefresh(parts, id);
  const session = await parts.sessions.rotate(presented);
  await requireStanding(parts, session);
  const access = await parts.tokens.signAccess({
    user: session.user,
    session: id,
    notAfter: session.expiresAt,
  });
  return { access, refreshToken: session.refreshToken, authMode: byCookie ? "cookie" : body.authMode };
}

/** What the authenticator asks of every request. A membership that is gone takes the session with it, should it come back. */
async function requireStanding(
  { config: { MULTI_TENANT }, data, sessions }: RefreshParts,
  { id, user, tenant }: Session,
): Promise<void> {
  const [account, memberships] = await Promise.all([findAccount(data, user), membershipsOf(data, user)]);
  if (!belongsTo(memberships, tenant, MULTI_TENANT)) {
    await sessions.end(id);
    throw invalidToken();
  }
  const isEmpty = !MULTI_TENANT && rolesIn(memberships, null, false).length === 0;
  if (account?.status !== "active" || isEmpty) throw invalidToken();
}

async function refreshByAccess(parts: RefreshParts, request: Request, wished: AuthMode): Promise<Refreshed> {
  const credential = findCredential(request);
  if (credential === null) throw new AppError("UNAUTHORIZED", "No token provided");
  if (credential.from === "cookie" && !parts.origins.mayUseCookies(request)) throw foreignPage();
  const actor = requireSession(
    await parts.authenticator.authenticateToken(credential.token, requestFacts(request).client),
  );
  countRefresh(parts, actor.session);
  const notAfter = await parts.sessions.endOf(actor.session);
  if (notAfter === null) throw invalidToken();
  const access = await parts.tokens.signAccess({ user: actor.id, session: actor.session, notAfter });
  return { access, refreshToken: null, authMode: credential.from === "cookie" ? "cookie" : wished };
}

function countRefresh({ refreshes, clock }: RefreshParts, session: string): void {
  const now = clock();
  const { count, endsAt } = refreshes.count(session, now);
  if (count > perMinute) throw tooMany((endsAt - now) / 1000);
}
