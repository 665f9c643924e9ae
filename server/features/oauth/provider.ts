/** What signing in with another provider knows of one, and what it learns from it. */
import type { AuthorizationServer } from "oauth4webapi";

/** A provider as it is configured. */
export type Provider = {
  /** As it stands in paths and in `baasix_Account`. */
  readonly name: string;
  /** As people know it. */
  readonly label: string;
  /** Its addresses: read from its own description (OpenID Connect Discovery), or known. */
  readonly metadata: { readonly issuer: URL } | { readonly known: AuthorizationServer };
  /** Our ids there. The first is this server's; ID tokens that were made for any of them are taken. */
  readonly clientIds: readonly [string, ...string[]];
  /** Our secret there, at a time in ms since 1970; null for clients that have none. */
  readonly secret: (now: number) => Promise<string | null>;
  /** What is asked for. */
  readonly scopes: readonly string[];
  /** How the browser brings the answer back: in the address, or as a form that the provider's page posts. */
  readonly responseMode: "query" | "form_post";
  /** Further parameters of the first step. */
  readonly parameters: Readonly<Record<string, string>>;
  /** For a provider without ID tokens: asks its API who it is. Null: the ID token says it. */
  readonly profile: ((ask: Ask) => Promise<Profile>) | null;
};

/** Gets JSON from the provider's API with the access token. */
export type Ask = (address: string) => Promise<unknown>;

/** Who a provider says it is. `subject` never changes there; `email` is as it came. */
export type Profile = {
  readonly subject: string;
  readonly email: string | null;
  /** The provider says that the address reaches its owner. */
  readonly emailVerified: boolean;
  readonly firstName: string | null;
  readonly lastName: string | null;
};

/** The same, and who says it: enough to find or make an account. `email` as accounts have it. */
export type Identity = Profile & { readonly provider: string };

/** What makes an app known to a provider. */
export type Credentials = { readonly clientIds: readonly [string, ...string[]]; readonly secret: string };
