/**
 * Request → Actor. Verified tokens and the state of sessions are remembered, so that a request of a known session
 * costs two look-ups in memory; what ends or changes a session removes it from memory before the change is answered.
 */
import { type Actor, anonymous, system, type UserActor } from "../../core/access/actor";
import { administratorRole } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { createOrigins, createRecent, type OriginConfig, requestFacts } from "../../http";
import { findAccount } from "./accounts";
import { findCredential, needsOrigin } from "./credentials";
import { createRoleFilter, type HeldRole, isBound, rolesOf } from "./roles";
import { type AccessClaims, invalidToken, type Tokens } from "./tokens";

const checking = system("every request asks whether its session still stands");

/** Milliseconds for which a session is believed without asking when no feed tells of changes made elsewhere. */
const blindTrust = 1000;
const capacity = 10_000;

export type Authenticator = {
  /**
   * The actor of a request: anonymous without a credential. Answers at once when token and session are known.
   * @throws AppError UNAUTHORIZED for a credential that is not good; FORBIDDEN for a cookie sent by a foreign page, and
   * when no role of the account may be used from the client's address.
   */
  readonly authenticate: (request: Request) => Actor | Promise<Actor>;
  /** The actor of an access token, sent from a network address. @throws AppError UNAUTHORIZED, FORBIDDEN */
  readonly authenticateToken: (token: string, address: string) => UserActor | Promise<UserActor>;
  /** Forgets a session, or all sessions of a user: the change feed saw their rows change. */
  readonly evict: (what: { readonly session?: string; readonly user?: string }) => void;
  /** Forgets everything: roles or memberships changed, or changes may have been missed. */
  readonly clear: () => void;
};

export type AuthenticatorParts = {
  readonly data: Data;
  readonly tokens: Tokens;
  readonly config: OriginConfig;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** True while the change feed tells of every change. */
  readonly feedLive: () => boolean;
};

type SessionState = {
  readonly actor: UserActor;
  /** The actor by the roles that may be used from an address; null: all may be, from anywhere. */
  readonly actorFrom: ((address: string) => UserActor) | null;
  readonly expiresAt: number;
  readonly loadedAt: number;
};

type SessionRow = {
  readonly user_Id: string;
  readonly expiresAt: string;
  readonly aal: number;
  readonly authenticatedAt: string | null;
  readonly tenant_Id: string | null;
};

/** Makes the authenticator; it listens to the local writes of accounts, roles and sessions by itself. */
export function createAuthenticator({
  data,
  tokens,
  config,
  clock,
  feedLive,
}: AuthenticatorParts): Authenticator {
  const origins = createOrigins(config);
  const known = createRecent<AccessClaims>(capacity);
  const sessions = createRecent<SessionState>(capacity);
  const loading = new Map<string, Promise<SessionState>>();
  // Grows with every eviction: what was read before one must not be remembered after it.
  let evictions = 0;

  const evict: Authenticator["evict"] = ({ session, user }) => {
    evictions++;
    loading.clear();
    if (session !== undefined) sessions.delete(session);
    if (user !== undefined) sessions.deleteWhere(({ actor }) => actor.id === user);
  };
  const clear = (): void => {
    evictions++;
    loading.clear();
    sessions.clear();
  };

  data.onWrite(({ collection, ids }) => {
    if (collection === "baasix_Sessions") for (const id of ids) evict({ session: String(id) });
    else if (collection === "baasix_User") for (const id of ids) evict({ user: String(id) });
    else if (collection === "baasix_UserRole" || collection === "baasix_Role") clear();
  });

  const remembered = (claims: AccessClaims, now: number): SessionState | null => {
    if (now >= claims.expiresAt) throw invalidToken();
    const state = sessions.get(claims.session);
    if (state === undefined || state.actor.id !== claims.user) return null;
    if (now >= state.expiresAt) return null;
    return feedLive() || now - state.loadedAt < blindTrust ? state : null;
  };

  const load = async (claims: AccessClaims): Promise<SessionState> => {
    const before = evictions;
    const state = await readSession(data, claims, clock());
    if (before === evictions) sessions.set(claims.session, state);
    return state;
  };

  /** One load at a time per session: a burst after a restart must not ask the same question a hundred times. */
  const loadOnce = (claims: AccessClaims): Promise<SessionState> => {
    const key = `${claims.session} ${claims.user}`;
    const running = loading.get(key);
    if (running) return running;
    const started = load(claims).finally(() => {
      if (loading.get(key) === started) loading.delete(key);
    });
    loading.set(key, started);
    return started;
  };

  const verify = async (token: string, address: string): Promise<UserActor> => {
    const claims = await tokens.readAccess(token);
    known.set(token, claims);
    return actorOf(remembered(claims, clock()) ?? (await loadOnce(claims)), address);
  };

  const authenticateToken: Authenticator["authenticateToken"] = (token, address) => {
    const claims = known.get(token);
    if (claims === undefined) return verify(token, address);
    const state = remembered(claims, clock());
    return state ? actorOf(state, address) : loadOnce(claims).then((loaded) => actorOf(loaded, address));
  };

  return {
    authenticate: (request) => {
      const credential = findCredential(request);
      if (credential === null) return anonymous;
      if (credential.from === "cookie" && needsOrigin(request) && !origins.mayUseCookies(request))
        throw foreignPage();
      return authenticateToken(credential.token, requestFacts(request).client);
    },
    authenticateToken,
    evict,
    clear,
  };
}

/** The refusal of a write that brings a cookie from a page that is not listed. */
export function foreignPage(): AppError {
  return new AppError(
    "FORBIDDEN",
    "A request with a session cookie must come from this server's own origin or from one listed in AUTH_CORS_ALLOWED_ORIGINS",
  );
}

function actorOf({ actor, actorFrom }: SessionState, address: string): UserActor {
  return actorFrom === null ? actor : actorFrom(address);
}

async function readSession(data: Data, { session, user }: AccessClaims, now: number): Promise<SessionState> {
  const [rows, account, roles] = await Promise.all([
    data.find<SessionRow>(checking, "baasix_Sessions", {
      filter: { id: { eq: session } },
      fields: ["user_Id", "expiresAt", "aal", "authenticatedAt", "tenant_Id"],
      limit: 1,
    }),
    findAccount(data, user),
    rolesOf(data, user),
  ]);
  const row = rows[0];
  const [first, ...more] = roles;
  if (row?.user_Id !== user || account?.status !== "active" || !first) throw invalidToken();
  const expiresAt = Date.parse(row.expiresAt);
  if (!(expiresAt > now)) throw invalidToken();
  const as = (held: readonly [HeldRole, ...HeldRole[]]): UserActor => ({
    kind: "user",
    id: user,
    role: held[0].id,
    roles: held.map(({ id }) => id),
    admin: held.some(({ name }) => name === administratorRole),
    session,
    via: "session",
    tenant: row.tenant_Id,
    aal: row.aal === 2 ? 2 : 1,
    authenticatedAt: row.authenticatedAt === null ? 0 : Date.parse(row.authenticatedAt),
    verified: account.emailVerified,
  });
  const from = roles.some(isBound) ? createRoleFilter(roles) : null;
  return {
    actor: as([first, ...more]),
    actorFrom: from && ((address) => as(from(address))),
    expiresAt,
    loadedAt: now,
  };
}
