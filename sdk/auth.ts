/** Sign-in, sign-out and who is signed in. */
import type {
  AuthMode,
  AuthResult,
  LoginInput,
  LoginResult,
  MeResult,
  PendingResult,
  ProfileInput,
  ReauthenticateResult,
  RefreshResult,
  RegisterInput,
} from "@baasix/types";
import { BaasixError } from "./error";
import { type CallOptions, exchange, type Http, type HttpRequest, type Wire } from "./http";
import { createInvites } from "./invites";
import { createMailCalls, type SignInChoice } from "./mail-calls";
import { createMfa } from "./mfa";
import { createOAuth } from "./oauth";
import type { AuthListener, AuthState, Session } from "./session";
import { createOwnSessions } from "./sessions";
import type { StorageAdapter } from "./storage";
import type { SessionUser } from "./storage/kept";
import { createTenants } from "./tenants";

/** Milliseconds that a sign-out waits for the server; on this side it is done at once. */
const logoutTimeout = 5_000;

/** Who signs in. */
export type LoginRequest = LoginInput & Pick<SignInChoice, "tenantId">;

/** What an account is made of. */
export type RegisterRequest = Omit<RegisterInput, "inviteToken"> & { readonly inviteToken?: string };

/** Makes an account; without a token in the answer it waits for its mail address to be confirmed. */
export type Register = (
  input: RegisterRequest,
  options?: CallOptions,
) => Promise<Registration | PendingRegistration>;

/** The account is there and signed in. */
export type Registration = AuthResult & { readonly requiresEmailVerification?: undefined };

/** The account waits for its mail address to be confirmed: nobody is signed in. */
export type PendingRegistration = PendingResult & {
  readonly token?: undefined;
  readonly refreshToken?: undefined;
};

/** Asks for a new token. */
export function refreshCall(wire: Wire, authMode: AuthMode) {
  return (refreshToken: string | null): Promise<RefreshResult> => {
    const body = refreshToken === null ? { authMode } : { refreshToken, authMode };
    return exchange<RefreshResult>(wire, { method: "POST", path: "/auth/refresh", body }, null);
  };
}

/** The account calls of a client; see `createAuth`. */
export type Auth = ReturnType<typeof createAuth>;

/** The calls on `/auth`. `wire` serves those that need no session. */
export function createAuth(
  wire: Wire,
  http: Http,
  session: Session,
  { authMode, storage }: { readonly authMode: AuthMode; readonly storage: StorageAdapter },
) {
  const begin = (result: AuthResult): Promise<void> =>
    session.begin({ ...result, user: result.user as SessionUser });

  async function signIn<Result extends LoginResult | PendingRegistration = LoginResult>(
    path: string,
    { tenantId, ...input }: SignInChoice & object,
    options?: CallOptions,
  ): Promise<Result> {
    const body = { authMode, tenant_Id: tenantId, ...input };
    const result = await exchange<Result>(wire, { ...options, method: "POST", path, body }, null);
    // Without a token the account waits for something, such as a verified mail or a second factor.
    if (!("mfaRequired" in result) && result.token) await begin(result as AuthResult);
    return result;
  }

  async function askMe(request: Omit<HttpRequest, "path">): Promise<MeResult> {
    const asked = await session.credential();
    const me = await http<MeResult>({ ...request, path: "/auth/me" });
    await session.setUser(me.user, me.tenant, asked);
    return me;
  }

  async function getSession(options?: CallOptions): Promise<MeResult | null> {
    const { epoch } = session.current();
    try {
      return await askMe({ ...options, anyone: true });
    } catch (error) {
      if (!(error instanceof BaasixError) || error.status !== 401) throw error;
      if (session.current().epoch === epoch && session.state().isAuthenticated) await session.end().saved;
      return null;
    }
  }

  const getUser = async (options?: CallOptions): Promise<SessionUser | null> =>
    (await getSession(options))?.user ?? null;

  const register: Register = (input, options) => signIn("/auth/register", input, options);
  const onStateChange = (listener: AuthListener) => session.listen(listener);

  async function getState(): Promise<AuthState> {
    await session.load();
    return session.state();
  }

  return {
    /**
     * Makes an account and signs it in, unless its address must be confirmed first (`requiresEmailVerification`). `tenant`:
     * founds an organisation with it. @throws BaasixError UNIQUE_VIOLATION, VALIDATION_ERROR
     */
    register,
    /**
     * Signs in. An account with a second factor gets no session yet: the answer then has `mfaRequired` and `mfaToken`, and
     * `mfa.finishSignIn` goes on. @throws BaasixError INVALID_CREDENTIALS
     */
    login: (input: LoginRequest, options?: CallOptions) => signIn("/auth/login", input, options),
    ...createMailCalls(wire, http, signIn),
    ...createOAuth({ wire, http, storage, signIn }),
    ...createTenants({ http, session, authMode }),
    ...createInvites({ wire, http, session, authMode, register }),
    /** Signs out: here at once, on the server if it can be reached. Never fails. */
    async logout(): Promise<void> {
      await session.load();
      const { token, refreshToken, saved } = session.end();
      await saved;
      if (token === null && authMode === "jwt") return;
      const body = { refreshToken, authMode };
      const request = { method: "POST", path: "/auth/logout", body, timeout: logoutTimeout } as const;
      await exchange(wire, request, token).catch(() => undefined);
    },
    /** Asks the server who is signed in, as what and where; null when nobody is. */
    getSession,
    /** The user of `getSession`. */
    getUser,
    /** Same as `getUser`. */
    me: getUser,
    /** Changes what everyone may change of the own account. @throws BaasixError VALIDATION_ERROR */
    updateProfile: async (body: ProfileInput, options?: CallOptions): Promise<SessionUser> =>
      (await askMe({ ...options, method: "PATCH", body })).user,
    /** The user as kept on this side, null when signed out. */
    async getCachedUser(): Promise<SessionUser | null> {
      return (await getState()).user;
    },
    /** Whether someone is signed in, as far as this side knows; `checkSession` asks the server. */
    async isAuthenticated(): Promise<boolean> {
      return (await getState()).isAuthenticated;
    },
    /** Second factors, and how a sign-in that asks for one is finished. */
    mfa: createMfa({ wire, http, session, authMode, begin }),
    /** The open sessions of this account, here and elsewhere. */
    sessions: createOwnSessions(http),
    /**
     * Proves the password again, or a code that `requestReauthentication` had mailed, for calls that are refused with
     * REAUTHENTICATION_REQUIRED when the last proof is older than 15 minutes. @throws BaasixError INVALID_CREDENTIALS
     */
    reauthenticate: (proof: string | { readonly code: string }, options?: CallOptions) =>
      http<ReauthenticateResult>({
        ...options,
        method: "POST",
        path: "/auth/reauthenticate",
        body: typeof proof === "string" ? { password: proof } : proof,
      }),
    /** Has a code mailed to prove with who one is: for accounts without a password. @throws BaasixError FORBIDDEN, RATE_LIMITED */
    async requestReauthentication(options?: CallOptions): Promise<void> {
      await http({ ...options, method: "POST", path: "/auth/reauthenticate/code" });
    },
    /** A usable access token, renewed when its end is near; null when signed out and in `cookie` mode. */
    async getToken(): Promise<string | null> {
      return (await session.credential()).token;
    },
    /** Uses a token that came from elsewhere, such as a service account's; null forgets it. */
    setToken: (token: string | null) => session.setToken(token),
    /** Renews the token now. @throws BaasixError NO_REFRESH_TOKEN, UNAUTHORIZED */
    refreshToken: () => session.refresh(),
    /** Reads the kept session. Calls do it by themselves; await it before `state` is shown. */
    initialize: getState,
    getState,
    /** The state now; `isLoading` until the kept session was read. */
    get state(): AuthState {
      return session.state();
    },
    /** The state when the client was made: what pages are rendered with on a server, and taken over from there. */
    initialState: session.initial,
    /** Asks the server whether the session holds. @throws BaasixError when it cannot be reached. */
    async checkSession(options?: CallOptions): Promise<boolean> {
      try {
        await http({ ...options, path: "/auth/check" });
        return true;
      } catch (error) {
        if (error instanceof BaasixError && error.status === 401) return false;
        throw error;
      }
    },
    /** Calls `listener` at each change of the session, and returns how to stop. */
    onStateChange,
    /** Same as `onStateChange`. */
    onAuthStateChange: onStateChange,
  };
}
