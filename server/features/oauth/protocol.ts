/**
 * The protocol with a provider (OAuth 2.0 with PKCE, OpenID Connect): where to send the browser, and what its answer proves.
 * The steps and checks are those of `oauth4webapi` and `jose`; it knows nothing of accounts.
 */
import { createHash } from "node:crypto";
import { createRemoteJWKSet, customFetch as joseFetch, type JWTPayload, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";
import { AppError } from "../../core/errors";
import { createRecent, type Logger } from "../../http";
import type { Outbound } from "../../platform/http";
import type { Ask, Profile, Provider } from "./provider";

export type ProtocolParts = {
  readonly fetch: Outbound;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Whether providers on this machine may be asked over http. */
  readonly insecure: boolean;
  readonly logger: Logger;
};

/** What the first step carries and the second must bring back. */
export type Secrets = { readonly verifier: string; readonly nonce: string };

/** The first step: where the provider leads the browser back to, and what is asked for. */
export type Asked = Secrets & {
  readonly state: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
};

/** The second step: what the browser brought back. */
export type Answered = Secrets & {
  readonly state: string;
  readonly redirectUri: string;
  readonly parameters: URLSearchParams;
};

export type Protocol = {
  /** Where the browser goes. @throws AppError UNAVAILABLE */
  readonly begin: (provider: Provider, asked: Asked) => Promise<URL>;
  /** Who came back. @throws AppError INVALID_CREDENTIALS (`details.reason`: the provider's own code, if any), UNAVAILABLE */
  readonly complete: (provider: Provider, answered: Answered) => Promise<Profile>;
  /** Who an ID token is about that an app got by itself. @throws AppError INVALID_CREDENTIALS, UNAVAILABLE */
  readonly readIdToken: (provider: Provider, given: GivenIdToken) => Promise<ReadIdToken>;
};

/** `nonce`: what the app gave the provider, in itself or as SHA-256 in hex. */
export type GivenIdToken = { readonly token: string; readonly nonce: string | null };

/** `expiresAt` in ms since 1970. */
export type ReadIdToken = { readonly profile: Profile; readonly expiresAt: number };

/** Signatures that are made with a key of which only the public half is known here. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** Milliseconds for which a provider's description is believed. */
const believed = 3_600_000;
/** Seconds that clocks may differ. */
const tolerance = 10;
const tokenLimit = 16_384;

/** Makes the functions. Descriptions and keys of providers are remembered. */
export function createProtocol({ fetch, clock, insecure, logger }: ProtocolParts): Protocol {
  const described = createRecent<{
    readonly server: Promise<oauth.AuthorizationServer>;
    readonly at: number;
  }>(100);
  const keys = createRecent<oauth.JWKSCacheInput>(100);
  const keySets = createRecent<ReturnType<typeof createRemoteJWKSet>>(100);

  const send = (
    url: string,
    {
      method,
      headers,
      body,
      signal,
    }: {
      method: string;
      headers: Headers | Record<string, string>;
      body?: unknown;
      signal?: AbortSignal | undefined;
    },
  ): Promise<Response> =>
    fetch(url, {
      method,
      headers: Object.fromEntries(new Headers(headers)),
      ...(body !== undefined && body !== null && { body: String(body) }),
      redirects: 0,
      signal,
    });
  const http = { [oauth.customFetch]: send, [oauth.allowInsecureRequests]: insecure };

  const discover = async (issuer: URL): Promise<oauth.AuthorizationServer> => {
    const response = await oauth.discoveryRequest(issuer, { ...http, algorithm: "oidc" });
    const server = await oauth.processDiscoveryResponse(issuer, response);
    const listed = (server.id_token_signing_alg_values_supported ?? []).filter((name) =>
      algorithms.includes(name),
    );
    return { ...server, id_token_signing_alg_values_supported: listed.length > 0 ? listed : ["RS256"] };
  };
  const serverOf = ({ name, metadata }: Provider): Promise<oauth.AuthorizationServer> => {
    if ("known" in metadata) return Promise.resolve(metadata.known);
    const remembered = described.get(name);
    if (remembered && clock() - remembered.at < believed) return remembered.server;
    const server = discover(metadata.issuer);
    described.set(name, { server, at: clock() });
    server.catch(() => described.delete(name));
    return server;
  };
  const clientOf = ({ clientIds }: Provider): oauth.Client => ({
    client_id: clientIds[0],
    [oauth.clockSkew]: Math.round((clock() - Date.now()) / 1000),
    [oauth.clockTolerance]: tolerance,
  });
  const authenticationOf = async (
    provider: Provider,
    server: oauth.AuthorizationServer,
  ): Promise<oauth.ClientAuth> => {
    const secret = await provider.secret(clock());
    if (secret === null) return oauth.None();
    const ways = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    return ways.includes("client_secret_post")
      ? oauth.ClientSecretPost(secret)
      : oauth.ClientSecretBasic(secret);
  };

  const begin: Protocol["begin"] = async (provider, { state, nonce, verifier, redirectUri, scopes }) => {
    const server = await serverOf(provider);
    const url = URL.parse(server.authorization_endpoint ?? "");
    if (url === null || !["https:", insecure ? "http:" : ""].includes(url.protocol))
      throw new Error("there is no address where browsers could go");
    const parameters = {
      ...provider.parameters,
      client_id: provider.clientIds[0],
      redirect_uri: redirectUri,
      response_type: "code",
      scope: scopes.join(" "),
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      ...(provider.profile === null && { nonce }),
      ...(provider.responseMode === "form_post" && { response_mode: "form_post" }),
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url;
  };

  const complete: Protocol["complete"] = async (
    provider,
    { state, nonce, verifier, redirectUri, parameters },
  ) => {
    const server = await serverOf(provider);
    const client = clientOf(provider);
    // The issuer is compared here, too (RFC 9207): an answer of another provider is not sent to this one.
    const checked = oauth.validateAuthResponse(server, client, parameters, state);
    const authentication = await authenticationOf(provider, server);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      checked,
      redirectUri,
      verifier,
      http,
    );
    if (provider.profile !== null) {
      const { access_token } = await oauth.processAuthorizationCodeResponse(server, client, response);
      return provider.profile(asker(access_token));
    }
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    const cached = keys.get(provider.name) ?? {};
    keys.set(provider.name, cached);
    await oauth.validateApplicationLevelSignature(server, response, { ...http, [oauth.jwksCache]: cached });
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    if (claims === undefined) throw new Error("there is no ID token");
    if (claims.email !== undefined || server.userinfo_endpoint === undefined) return profileOf(claims);
    const told = await oauth.userInfoRequest(server, client, tokens.access_token, http);
    return profileOf({
      ...claims,
      ...(await oauth.processUserInfoResponse(server, client, claims.sub, told)),
    });
  };

  const asker =
    (token: string): Ask =>
    async (address) => {
      const headers = new Headers({ accept: "application/json" });
      const response = await oauth.protectedResourceRequest(
        token,
        "GET",
        new URL(address),
        headers,
        null,
        http,
      );
      if (response.status !== 200) throw new Error(`the provider's API answered ${response.status}`);
      return response.json();
    };

  const readIdToken: Protocol["readIdToken"] = async (provider, { token, nonce }) => {
    const server = await serverOf(provider);
    if (server.jwks_uri === undefined || token.length > tokenLimit) throw new Error("no ID token is taken");
    const known = keySets.get(server.jwks_uri);
    const keySet = known ?? createRemoteJWKSet(new URL(server.jwks_uri), { [joseFetch]: send });
    if (!known) keySets.set(server.jwks_uri, keySet);
    const { payload } = await jwtVerify(token, keySet, {
      issuer: server.issuer,
      audience: [...provider.clientIds],
      algorithms: server.id_token_signing_alg_values_supported ?? ["RS256"],
      requiredClaims: ["sub", "iat", "exp"],
      currentDate: new Date(clock()),
      clockTolerance: tolerance,
    });
    requireParty(payload, provider.clientIds);
    requireNonce(payload.nonce, nonce);
    return { profile: profileOf(payload), expiresAt: ((payload.exp ?? 0) + tolerance) * 1000 };
  };

  const guard = async <Result>(provider: Provider, work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      throw refusal(provider, error, logger);
    }
  };
  return {
    begin: (provider, asked) => guard(provider, begin(provider, asked)),
    complete: (provider, answered) => guard(provider, complete(provider, answered)),
    readIdToken: (provider, given) => guard(provider, readIdToken(provider, given)),
  };
}

/** OpenID Connect Core 3.1.3.7: a token for several says for whom it was made. */
function requireParty({ aud, azp }: JWTPayload, clientIds: readonly string[]): void {
  const several = Array.isArray(aud) && aud.length > 1;
  if (azp === undefined ? several : typeof azp !== "string" || !clientIds.includes(azp))
    throw new Error("azp: the ID token was made for another app");
}

function requireNonce(claim: unknown, nonce: string | null): void {
  const expected = nonce === null ? [undefined] : [nonce, createHash("sha256").update(nonce).digest("hex")];
  if (!expected.some((value) => value === claim)) throw new Error("nonce: not the one that was given");
}

function profileOf(claims: Readonly<Record<string, unknown>>): Profile {
  const text = (name: string): string | null => {
    const value = claims[name];
    return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
  };
  const subject = text("sub");
  if (subject === null || subject.length > 255) throw new Error("sub: not an identifier");
  const email = text("email");
  return {
    subject,
    email,
    // Apple has told it as text.
    emailVerified: email !== null && (claims.email_verified === true || claims.email_verified === "true"),
    firstName: text("given_name") ?? text("name"),
    lastName: text("given_name") === null ? null : text("family_name"),
  };
}

/** What a client may be told; the log gets what went wrong, without the texts that came. */
function refusal({ name, label }: Provider, error: unknown, logger: Logger): AppError {
  const unreachable = isOutbound(error);
  const denied = error instanceof oauth.AuthorizationResponseError ? error.error : null;
  if (denied === null)
    logger.warn("a sign-in with a provider failed", { provider: name, error: describe(error) });
  if (unreachable)
    return new AppError("UNAVAILABLE", `${label} cannot be asked at the moment; try again`, null, {
      cause: error,
    });
  const reason = denied !== null && /^[a-z_]{1,64}$/.test(denied) ? denied : null;
  const message =
    reason === "access_denied"
      ? `${label}: the sign-in was cancelled`
      : `${label} did not confirm the sign-in`;
  return new AppError("INVALID_CREDENTIALS", message, reason === null ? null : { reason }, { cause: error });
}

function isOutbound(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "OutboundError" || isOutbound(error.cause);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  return `${error.message.slice(0, 200)}${code}`;
}
