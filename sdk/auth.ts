/** Sign-in, sign-out and who is signed in. */
import type {
  AuthMode,
  AuthResult,
  LoginInput,
  LoginResult,
  MeResult,
  ReauthenticateResult,
  RefreshResult,
  RegisterInput,
} from "@baasix/types";
import { BaasixError } from "./error";
import { type CallOptions, exchange, type Http, type Wire } from "./http";
import { createMailCalls } from "./mail-calls";
import { createMfa } from "./mfa";
import { createOAuth } from "./oauth";
import type { AuthListener, AuthState, Session } from "./session";
import { createOwnSessions } from "./sessions";
import type { StorageAdapter } from "./storage";
import type { SessionUser } from "./storage/kept";

/** Milliseconds that a sign-out waits for the server; on this side it is done at once. */
const logoutTimeout = 5_000;

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

  async function signIn<Result extends LoginResult = LoginResult>(
    path: string,
    input: object,
    options?: CallOptions,
  ): Promise<Result> {
    const body = { authMode, ...input };
    const result = await exchange<Result>(wire, { ...options, method: "POST", path, body }, null);
    // Without a token the account waits for something, such as a verified mail or a second factor.
    if (!result.mfaRequired && result.token) await begin(result);
    return result;
  }

  async function getUser(options?: CallOptions): Promise<SessionUser | null> {
    const asked = await session.credential();
    try {
      const { user } = await http<MeResult>({ ...options, path: "/auth/me" });
      await session.setUser(user, asked);
      return user;
    } catch (error) {
      if (!(error instanceof BaasixError) || error.status !== 401) throw error;
      if (session.current().epoch === asked.epoch && session.state().isAuthenticated)
        await session.end().saved;
      return null;
    }
  }

  async function getState(): Promise<AuthState> {
    await session.load();
    return session.state();
  }

  return {
    /** Makes an account and signs it in. @throws BaasixError UNIQUE_VIOLATION, VALIDATION_ERROR */
    register: (input: RegisterInput, options?: CallOptions) =>
      signIn<AuthResult>("/auth/register", input, options),
    /**
     * Signs in. An account with a second factor gets no session yet: the answer then has `mfaRequired` and `mfaToken`, and
     * `mfa.finishSignIn` goes on. @throws BaasixError INVALID_CREDENTIALS
     */
    login: (input: LoginInput, options?: CallOptions) => signIn("/auth/login", input, options),
    ...createMailCalls(wire, http, signIn),
    ...createOAuth({ wire, http, storage, signIn }),
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
    getUser,
    /** Same as `getUser`. */
    me: getUser,
    /** The user as kept on this side, null when signed out. */
    async getCachedUser(): Promise<SessionUser | null> {
      return (await getState()).user;
    },
    /** Whether someone is signed in, as far as this side knows; `checkSession` asks the server. */
    async isAuthenticated(): Promise<boolean> {
      return (await getState()).isAuthenticated;
    },
    /** Second factors, and how a sign-in that asks for one is finished. */
    mfa: createMfa({ wire, http, authMode, begin }),
    /** The open sessions of this account, here and elsewhere. */
    sessions: createOwnSessions(http),
    /**
     * Proves the password again, for calls that are refused with REAUTHENTICATION_REQUIRED when the last proof is older than
     * 15 minutes. @throws BaasixError INVALID_CREDENTIALS
     */
    reauthenticate: (password: string, options?: CallOptions) =>
      http<ReauthenticateResult>({
        ...options,
        method: "POST",
        path: "/auth/reauthenticate",
        body: { password },
      }),
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
    onStateChange: (listener: AuthListener) => session.listen(listener),
  };
}
