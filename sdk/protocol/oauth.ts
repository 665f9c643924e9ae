/** Wire shapes of signing in with other providers. */
import type { AuthMode, SessionType } from "./auth";

/** A provider that the server is configured for, as `GET /auth/providers` lists it. `label`: as people know it. */
export type SignInProvider = { readonly name: string; readonly label: string };

/** A provider that opens an account. `createdAt`: since when, in ISO 8601. */
export type LinkedProvider = { readonly provider: string; readonly createdAt: string };

/** An ID token that an application got from a provider by itself; `nonce`: what it gave the provider. */
export type IdTokenInput = { readonly token: string; readonly nonce?: string | null };

/** Body of `POST /auth/social/signin`. Addresses must be listed in `AUTH_APP_URL`. */
export type SocialSignInInput = {
  readonly provider: string;
  /** The application's own page for the provider's answer; by default the server takes it. */
  readonly callbackURL?: string | null;
  readonly errorCallbackURL?: string | null;
  readonly scopes?: readonly string[] | null;
  readonly idToken?: IdTokenInput | null;
  readonly authMode?: AuthMode;
  readonly authType?: SessionType;
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenant_Id?: string | null;
};

/** Where the browser goes next. */
export type RedirectResult = { readonly redirect: true; readonly url: string };

/** Body of `POST /auth/social/exchange`. `code_verifier`: where the sign-in began with a challenge (RFC 7636). */
export type ExchangeInput = {
  readonly token: string;
  readonly code_verifier?: string | null;
  readonly authMode?: AuthMode;
  readonly authType?: SessionType;
  /** The organisation to act in; by default the one that the account joined first. */
  readonly tenant_Id?: string | null;
};

/** Body of `POST /auth/social/link`: how a link begins (`redirectUrl`), how it ends (`token`), or both (`idToken`). */
export type LinkInput = {
  readonly provider?: string | null;
  readonly redirectUrl?: string | null;
  readonly errorUrl?: string | null;
  readonly scopes?: readonly string[] | null;
  readonly state?: string | null;
  readonly code_challenge?: string | null;
  readonly code_challenge_method?: "plain" | "S256";
  readonly idToken?: IdTokenInput | null;
  readonly token?: string | null;
  readonly code_verifier?: string | null;
};

/** The provider that is linked now. */
export type LinkResult = { readonly linked: string };
