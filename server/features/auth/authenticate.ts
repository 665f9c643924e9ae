/**
 * Request → Actor. Verified tokens and the state of sessions are remembered, so that a request of a known session
 * costs two look-ups in memory, one of a known API token one; what ends or changes them removes them from memory before
 * the change is answered.
 */
import { type Actor, anonymous, system, unproven, type UserActor } from "../../core/access/actor";
import { administratorRole } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Data } from "../../data";
import { createOrigins, createRecent, type OriginConfig, requestFacts } from "../../http";
import { findAccount } from "./accounts";
import { findApiToken, isApiToken, noteUse, noteUseEvery } from "./api-tokens";
import { findCredential, needsOrigin } from "./credentials";
import { expectsNobody, expectUser } from "./expected-user";
import {
  asksForSecondFactor,
  belongsTo,
  createRoleFilter,
  type HeldRole,
  isBound,
  membershipsOf,
  rolesIn,
} from "./roles";
import { type AccessClaims, invalidToken, type Tokens } from "./tokens";

const checking = system("every request asks whether its session still stands");

/** Milliseconds for which a session is believed without asking when no feed tells of changes made elsewhere. */
const blindTrust = 1000;
const capacity = 10_000;
/** Whose rows decide what many accounts may do. With a tenant go its memberships and sessions. */
const rightsTables: ReadonlySet<string> = new Set(["baasix_UserRole", "baasix_Role", "baasix_Tenant"]);

export type Authenticator = {
  /**
   * The actor of a request: anonymous without a credential. Answers at once when token and session are known.
   * @throws AppError UNAUTHORIZED for a credential that is not good; FORBIDDEN for a cookie sent by a foreign page, and
   * when no role of the account may be used from the client's address; MFA_REQUIRED when one that counts asks for a second
   * factor, which the session has not proven.
   */
  readonly authenticate: (request: Request) => Actor | Promise<Actor>;
  /** The same for the few routes where a second factor is got, which let in sessions without one. */
  readonly authenticateEnrolling: (request: Request) => Actor | Promise<Actor>;
  /** The actor of an access or API token, sent from a network address. @throws AppError UNAUTHORIZED, FORBIDDEN, MFA_REQUIRED */
  readonly authenticateToken: (token: string, address: string) => UserActor | Promise<UserActor>;
  /** The same, and until when the token is good (ms since 1970; Infinity for one without an end). */
  readonly proveToken: (token: string, address: string) => Promise<Proof>;
  /** Forgets a session or an API token by its id, or all those of a user: the change feed saw their rows change. */
  readonly evict: (what: { readonly session?: string; readonly user?: string }) => void;
  /** Forgets everything: roles or memberships changed, or changes may have been missed. */
  readonly clear: () => void;
};

/** Who a token stands for, and until when. */
export type Proof = { readonly actor: UserActor; readonly expiresAt: number };

export type AuthenticatorParts = {
  readonly data: Data;
  readonly tokens: Tokens;
  readonly config: OriginConfig & { readonly MULTI_TENANT: boolean };
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** True while the change feed tells of every change. */
  readonly feedLive: () => boolean;
  /** Hears of a note of an API token's use that failed; no request fails for it. */
  readonly onFault?: (error: Error) => void;
};

/** An actor, and whether it must prove a second factor before it may do anything. */
type Admitted = { readonly actor: UserActor; readonly mustProve: boolean };

type SessionState = Admitted & {
  /** The same by the roles that may be used from an address; null: all may be, from anywhere. */
  readonly admittedFrom: ((address: string) => Admitted) | null;
  readonly expiresAt: number;
  readonly loadedAt: number;
};

/** `usedAt`: what is noted of its last use (ms since 1970), as far as this server knows. */
type ApiState = SessionState & { usedAt: number };

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
  onFault = () => {},
}: AuthenticatorParts): Authenticator {
  const origins = createOrigins(config);
  const multiTenant = config.MULTI_TENANT;
  const known = createRecent<AccessClaims>(capacity);
  const sessions = createRecent<SessionState>(capacity);
  const apiTokens = createRecent<ApiState>(capacity);
  const loading = new Map<string, Promise<SessionState>>();
  const loadingTokens = new Map<string, Promise<ApiState>>();
  // Grows with every eviction: what was read before one must not be remembered after it.
  let evictions = 0;

  const forgetLoads = (): void => {
    evictions++;
    loading.clear();
    loadingTokens.clear();
  };
  const evict: Authenticator["evict"] = ({ session, user }) => {
    forgetLoads();
    if (session !== undefined) {
      sessions.delete(session);
      apiTokens.deleteWhere(({ actor }) => actor.session === session);
    }
    if (user !== undefined) {
      sessions.deleteWhere(({ actor }) => actor.id === user);
      apiTokens.deleteWhere(({ actor }) => actor.id === user);
    }
  };
  const clear = (): void => {
    forgetLoads();
    sessions.clear();
    apiTokens.clear();
  };

  data.onWrite(({ collection, ids }) => {
    if (collection === "baasix_Sessions" || collection === "baasix_ApiToken") {
      for (const id of ids) evict({ session: String(id) });
    } else if (collection === "baasix_User") for (const id of ids) evict({ user: String(id) });
    else if (rightsTables.has(collection)) clear();
  });

  const isCurrent = (state: SessionState, now: number): boolean =>
    now < state.expiresAt && (feedLive() || now - state.loadedAt < blindTrust);

  const remembered = (claims: AccessClaims, now: number): SessionState | null => {
    if (now >= claims.expiresAt) throw invalidToken();
    const state = sessions.get(claims.session);
    return state?.actor.id === claims.user && isCurrent(state, now) ? state : null;
  };

  /** One load at a time per key: a burst after a restart must not ask the same question a hundred times. */
  const loadOnce = <State>(
    running: Map<string, Promise<State>>,
    key: string,
    load: () => Promise<State>,
    remember: (state: State) => void,
  ): Promise<State> => {
    const known = running.get(key);
    if (known) return known;
    const before = evictions;
    const started = load()
      .then((state) => {
        if (before === evictions) remember(state);
        return state;
      })
      .finally(() => {
        if (running.get(key) === started) running.delete(key);
      });
    running.set(key, started);
    return started;
  };

  const loadSession = (claims: AccessClaims): Promise<SessionState> =>
    loadOnce(
      loading,
      `${claims.session} ${claims.user}`,
      () => readSession(data, claims, multiTenant, clock()),
      (state) => sessions.set(claims.session, state),
    );

  const verify = async (token: string, address: string): Promise<Admitted> => {
    const claims = await tokens.readAccess(token);
    known.set(token, claims);
    return admit(remembered(claims, clock()) ?? (await loadSession(claims)), address);
  };

  const useApiToken = (state: ApiState, address: string): Admitted => {
    const now = clock();
    const admitted = admit(state, address);
    const { actor } = admitted;
    if (now - state.usedAt >= noteUseEvery) {
      state.usedAt = now;
      void noteUse(data, actor.session, now).catch(onFault);
    }
    return admitted;
  };

  const admitApiToken = (token: string, address: string): Admitted | Promise<Admitted> => {
    const state = apiTokens.get(token);
    if (state !== undefined && isCurrent(state, clock())) return useApiToken(state, address);
    const loaded = loadOnce(
      loadingTokens,
      token,
      () => readApiToken(data, token, multiTenant, clock()),
      (fresh) => apiTokens.set(token, fresh),
    );
    return loaded.then((fresh) => useApiToken(fresh, address));
  };

  const admitToken = (token: string, address: string): Admitted | Promise<Admitted> => {
    if (isApiToken(token)) return admitApiToken(token, address);
    const claims = known.get(token);
    if (claims === undefined) return verify(token, address);
    const state = remembered(claims, clock());
    return state ? admit(state, address) : loadSession(claims).then((loaded) => admit(loaded, address));
  };

  const authenticateToken: Authenticator["authenticateToken"] = (token, address) =>
    whenKnown(admitToken(token, address), requireProven);

  const authenticateBy =
    (judge: (admitted: Admitted) => UserActor) =>
    (request: Request): Actor | Promise<Actor> => {
      const credential = findCredential(request);
      if (credential === null) {
        expectUser(request, null);
        return anonymous;
      }
      const byCookie = credential.from === "cookie";
      if (byCookie && expectsNobody(request)) return anonymous;
      if (byCookie && needsOrigin(request) && !origins.mayUseCookies(request)) throw foreignPage();
      return whenKnown(admitToken(credential.token, requestFacts(request).client), (admitted) => {
        if (byCookie) expectUser(request, admitted.actor);
        return judge(admitted);
      });
    };

  const proveToken: Authenticator["proveToken"] = async (token, address) => {
    const actor = await authenticateToken(token, address);
    if (actor.via === "session") return { actor, expiresAt: (await tokens.readAccess(token)).expiresAt };
    const { expiresAt } = apiTokens.get(token) ?? (await readApiToken(data, token, multiTenant, clock()));
    return { actor, expiresAt };
  };

  return {
    authenticate: authenticateBy(requireProven),
    authenticateEnrolling: authenticateBy(({ actor }) => actor),
    authenticateToken,
    proveToken,
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

function admit(state: SessionState, address: string): Admitted {
  return state.admittedFrom === null ? state : state.admittedFrom(address);
}

/** @throws AppError MFA_REQUIRED */
function requireProven({ actor, mustProve }: Admitted): UserActor {
  if (!mustProve) return actor;
  throw new AppError(
    "MFA_REQUIRED",
    "Your role asks for a second factor: add one (POST /auth/mfa/factors), or sign in with it",
  );
}

/** At once where the value is there: a request of a known session waits for nothing. */
function whenKnown<From, To>(value: From | Promise<From>, use: (value: From) => To): To | Promise<To> {
  return value instanceof Promise ? value.then(use) : use(value);
}

async function readSession(
  data: Data,
  { session, user }: AccessClaims,
  multiTenant: boolean,
  now: number,
): Promise<SessionState> {
  const [rows, account, memberships] = await Promise.all([
    data.find<SessionRow>(checking, "baasix_Sessions", {
      filter: { id: { eq: session } },
      fields: ["user_Id", "expiresAt", "aal", "authenticatedAt", "tenant_Id"],
      limit: 1,
    }),
    findAccount(data, user),
    membershipsOf(data, user),
  ]);
  const row = rows[0];
  if (row?.user_Id !== user || account?.status !== "active") throw invalidToken();
  const tenant = row.tenant_Id;
  if (!belongsTo(memberships, tenant, multiTenant)) throw invalidToken();
  const proven = {
    id: user,
    session,
    via: "session",
    tenant,
    aal: row.aal === 2 ? 2 : 1,
    authenticatedAt: row.authenticatedAt === null ? 0 : Date.parse(row.authenticatedAt),
    verified: account.emailVerified,
  } as const;
  return stateOf(
    proven,
    { roles: rolesIn(memberships, tenant, multiTenant), multiTenant },
    Date.parse(row.expiresAt),
    now,
  );
}

/** What an API token stands for: its account, with the one role, as long as the account has it. */
async function readApiToken(data: Data, token: string, multiTenant: boolean, now: number): Promise<ApiState> {
  const row = await findApiToken(data, token);
  if (row === null) throw invalidToken();
  const { id: session, user_Id: id, role_Id, tenant_Id: tenant, lastUsedAt } = row;
  const [account, memberships] = await Promise.all([findAccount(data, id), membershipsOf(data, id)]);
  if (account?.status !== "active") throw invalidToken();
  const roles = rolesIn(memberships, tenant, multiTenant).filter((role) => role.id === role_Id);
  if (roles.length === 0) throw invalidToken();
  const { emailVerified: verified } = account;
  const expiresAt = row.expiresAt === null ? Infinity : Date.parse(row.expiresAt);
  const proven = { ...unproven, id, session, via: "token", tenant, verified } as const;
  const state = stateOf(proven, { roles, multiTenant }, expiresAt, now);
  return { ...state, usedAt: lastUsedAt === null ? -Infinity : Date.parse(lastUsedAt) };
}

/** @throws AppError UNAUTHORIZED past its end, and where there are no tenants without a role */
function stateOf(
  proven: Omit<UserActor, "kind" | "role" | "roles" | "roleNames" | "admin">,
  { roles, multiTenant }: { readonly roles: readonly HeldRole[]; readonly multiTenant: boolean },
  expiresAt: number,
  now: number,
): SessionState {
  // With tenants an account comes in without a role: to accept an invitation, or to found a tenant.
  if ((roles.length === 0 && !multiTenant) || !(expiresAt > now)) throw invalidToken();
  const as = (held: readonly HeldRole[]): Admitted => ({
    actor: {
      kind: "user",
      role: held[0]?.id ?? "",
      roles: held.map(({ id }) => id),
      roleNames: held.map(({ name }) => name),
      admin: held.some(({ name }) => name === administratorRole),
      ...proven,
    },
    // An API token stands for no person who could be asked; an administrator made it, with whatever that one had to prove.
    mustProve: proven.via === "session" && proven.aal === 1 && held.some(asksForSecondFactor),
  });
  const from = roles.some(isBound) ? createRoleFilter(roles) : null;
  return {
    ...as(roles),
    admittedFrom: from && ((address) => as(from(address))),
    expiresAt,
    loadedAt: now,
  };
}
