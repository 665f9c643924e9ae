/** Signing in with other providers, and linking them to an account. */
import type {
  ExchangeInput,
  IdTokenInput,
  LinkedProvider,
  LinkInput,
  LinkResult,
  LoginResult,
  RedirectResult,
  SignInProvider,
  SocialSignInInput,
} from "@baasix/types";
import { BaasixError } from "./error";
import { address, type CallOptions, exchange, type Http, path, type Wire } from "./http";
import type { SignInChoice } from "./mail-calls";
import type { StorageAdapter } from "./storage";

/** Where a browser shall go, and come back to. */
export type OAuthRequest = {
  /** `google`, `facebook`, `apple`, `github`, or another name that `listProviders` gives. */
  readonly provider: string;
  /** The application's page that the browser comes back to, listed in the server's `AUTH_APP_URL`. */
  readonly redirectUrl: string;
  /** The page for errors; by default the same. It gets `error` and `error_description` in its query. */
  readonly errorUrl?: string;
  readonly scopes?: readonly string[];
  /** Comes back with the browser. */
  readonly state?: string;
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenantId?: string | null;
};

/** An ID token, and whose it is. */
export type ProviderIdToken = IdTokenInput & { readonly provider: string } & SignInChoice;

/** What the calls need. `signIn` sends a body and keeps the session that is answered, as `login` does. */
export type OAuthParts = {
  readonly wire: Wire;
  readonly http: Http;
  readonly storage: StorageAdapter;
  readonly signIn: (path: string, body: object, options?: CallOptions) => Promise<LoginResult>;
};

/** Where the verifier of the sign-in under way is kept. */
const verifierKey = "baasix_oauth_verifier";

/** The calls. */
export function createOAuth({ wire, http, storage, signIn }: OAuthParts) {
  let current: string | null = null;

  /** Begins a sign-in: what comes back is worth nothing without the verifier, which stays here (RFC 7636). */
  function startVerifier(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    current = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    // The address is wanted at once, so nobody waits for slow storages: this page keeps it, too.
    void Promise.resolve(storage.set(verifierKey, current)).catch(() => undefined);
    return current;
  }

  async function findVerifier(): Promise<string> {
    const verifier = current ?? (await storage.get(verifierKey));
    if (verifier) return verifier;
    throw new BaasixError("This was not begun here: sign in again", {
      status: 0,
      code: "NOT_BEGUN_HERE",
    });
  }

  async function endVerifier(): Promise<void> {
    current = null;
    await storage.remove(verifierKey);
  }

  return {
    /**
     * The address to send the browser to. It comes back to `redirectUrl` with `token` in its query, for `handleOAuthCallback`,
     * or with `error`.
     */
    getOAuthUrl({ provider, redirectUrl, errorUrl, scopes, state, tenantId }: OAuthRequest): string {
      return address(wire.url, path`/auth/signin/${provider}`, {
        redirect_url: redirectUrl,
        error_url: errorUrl,
        scopes: scopes?.join(" "),
        state,
        tenant_Id: tenantId,
        code_challenge: startVerifier(),
      });
    },
    /**
     * Turns the `token` that the browser brought back into a session. It works once, within a minute, and only where
     * `getOAuthUrl` was called. @throws BaasixError NOT_BEGUN_HERE, INVALID_CREDENTIALS, CONFLICT, FORBIDDEN
     */
    async handleOAuthCallback(
      token: string,
      { authType, tenantId, ...options }: CallOptions & SignInChoice = {},
    ): Promise<LoginResult> {
      const body: ExchangeInput & SignInChoice = {
        token,
        code_verifier: await findVerifier(),
        ...(authType && { authType }),
        tenantId,
      };
      const result = await signIn("/auth/social/exchange", body, options);
      await endVerifier();
      return result;
    },
    /** Signs in with an ID token that the application got from the provider itself. @throws BaasixError INVALID_CREDENTIALS, CONFLICT */
    signInWithIdToken(
      { provider, tenantId, authType, ...idToken }: ProviderIdToken,
      options?: CallOptions,
    ): Promise<LoginResult> {
      const body: SocialSignInInput & SignInChoice = { provider, idToken, authType, tenantId };
      return signIn("/auth/social/signin", body, options);
    },
    /**
     * The address to send the browser to, to link a provider to the account. It comes back with `token` for
     * `handleLinkCallback`. @throws BaasixError REAUTHENTICATION_REQUIRED
     */
    async linkProvider(request: Omit<OAuthRequest, "tenantId">, options?: CallOptions): Promise<string> {
      const body: LinkInput = { ...request, code_challenge: startVerifier() };
      return (await http<RedirectResult>({ ...options, method: "POST", path: "/auth/social/link", body }))
        .url;
    },
    /** Links what the browser brought back; the session must be the one that began it. @throws BaasixError NOT_BEGUN_HERE, CONFLICT */
    async handleLinkCallback(token: string, options?: CallOptions): Promise<LinkResult> {
      const body: LinkInput = { token, code_verifier: await findVerifier() };
      const result = await http<LinkResult>({ ...options, method: "POST", path: "/auth/social/link", body });
      await endVerifier();
      return result;
    },
    /** Links a provider by an ID token. @throws BaasixError REAUTHENTICATION_REQUIRED, INVALID_CREDENTIALS, CONFLICT */
    linkIdToken(
      { provider, ...idToken }: Omit<ProviderIdToken, keyof SignInChoice>,
      options?: CallOptions,
    ): Promise<LinkResult> {
      const body: LinkInput = { provider, idToken };
      return http({ ...options, method: "POST", path: "/auth/social/link", body });
    },
    /** Unlinks a provider; the account's other sessions end. @throws BaasixError CONFLICT for the last way in, REAUTHENTICATION_REQUIRED */
    async unlinkProvider(provider: string, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "DELETE", path: path`/auth/social/${provider}` });
    },
    /** The providers that are linked to the account. */
    async linkedProviders(options?: CallOptions): Promise<readonly LinkedProvider[]> {
      return (await http<{ data: readonly LinkedProvider[] }>({ ...options, path: "/auth/social" })).data;
    },
    /** The providers that one can sign in with. */
    async listProviders(options?: CallOptions): Promise<readonly SignInProvider[]> {
      const request = { ...options, path: "/auth/providers" };
      return (await exchange<{ data: readonly SignInProvider[] }>(wire, request, null)).data;
    },
  };
}
