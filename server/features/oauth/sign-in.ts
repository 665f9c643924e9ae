/** Beginning a sign-in with a provider, or a link to one; and using what came of it. */
import { z } from "zod";
import type { AuthMode } from "@baasix/types";
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import {
  checked,
  countClient,
  finishSignIn,
  guardCookieMode,
  noteProof,
  originOf,
  signedInAnswer,
} from "../auth";
import { linkAccount, openAccount, requireLinked } from "./accounts";
import { begunAnswer, beginFlow, type FlowEnd, redirect, tellApp, withCookie } from "./flow";
import { useIdToken } from "./id-tokens";
import {
  challengeOf,
  type exchangeBody,
  type linkBody,
  type reauthenticateBody,
  scopesOf,
  type signInBody,
  startQuery,
} from "./model";
import { baseOf, type OAuthParts, providerOf } from "./parts";
import { challengeSchema, linkSchema, useProof } from "./proofs";
import type { Identity, Provider } from "./provider";
import { requireAllowed } from "./redirects";

type AppEnd = Extract<FlowEnd, { kind: "app" }>;

/** What a link waits with until its browser comes. */
const ticketSchema = z.object({
  provider: z.string(),
  scopes: z.array(z.string()),
  address: z.string(),
  errorAddress: z.string(),
  state: z.string().nullable(),
  challenge: challengeSchema.nullable(),
  link: linkSchema,
});

/** `GET /auth/signin/:provider`: sends the browser to the provider. */
export async function startInBrowser(parts: OAuthParts, name: string, request: Request): Promise<Response> {
  countClient(parts.auth, originOf(request).client);
  const provider = providerOf(parts, name);
  const query = checked(startQuery, Object.fromEntries(new URL(request.url).searchParams));
  const { ticket } = query;
  if (ticket !== null) {
    const used = await parts.auth.oneTimes.consume(parts.auth.data, "oauth-link", ticket);
    const waiting = ticketSchema.safeParse(used?.data).data;
    if (waiting?.provider !== name) throw new AppError("INVALID_CREDENTIALS", "Invalid or expired token");
    return sendOn(parts, provider, waiting.scopes, { kind: "app", ...waiting }, request);
  }
  const address = requireAddress(parts, query.redirect_url, "redirect_url");
  const errorAddress =
    query.error_url === null ? address : requireAddress(parts, query.error_url, "error_url");
  const end = {
    kind: "app",
    address,
    errorAddress,
    state: query.state,
    challenge: challengeOf(query),
    link: null,
    tenant: query.tenant_Id,
  } as const;
  return sendOn(parts, provider, scopesOf(provider, query.scopes), end, request);
}

async function sendOn(
  parts: OAuthParts,
  provider: Provider,
  scopes: readonly string[],
  end: AppEnd,
  request: Request,
): Promise<Response> {
  try {
    const { url, cookie } = await beginFlow(parts, { provider, scopes, redirectUri: null, end }, request);
    return withCookie(redirect(url), cookie);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return tellApp(error, end.errorAddress, end.state);
  }
}

function requireAddress({ auth }: OAuthParts, text: string | null, field: string): string {
  return requireAllowed(auth.config.AUTH_APP_URL, text ?? "", field).href;
}

/**
 * `POST /auth/social/signin`: with an ID token signs in; without one gives the provider's address. `callbackURL` is then the
 * application's page that the provider sends the browser to, which hands `code` and `state` to `GET /auth/callback/:provider`.
 */
export async function signInByCall(
  parts: OAuthParts,
  body: z.output<typeof signInBody>,
  request: Request,
): Promise<Response> {
  const { auth } = parts;
  const { authMode, authType, callbackURL, errorCallbackURL, idToken, tenant_Id: tenant } = body;
  countClient(auth, originOf(request).client);
  guardCookieMode(auth, authMode, request);
  const provider = providerOf(parts, body.provider);
  if (idToken !== null) {
    const identity = await useIdToken(parts, provider, idToken);
    return signIn(parts, identity, { authMode, authType, tenant, more: { redirect: false } }, request);
  }
  const errorAddress =
    errorCallbackURL === null ? null : requireAddress(parts, errorCallbackURL, "errorCallbackURL");
  const redirectUri = callbackURL === null ? null : requireAddress(parts, callbackURL, "callbackURL");
  const scopes = scopesOf(provider, body.scopes);
  const end = { kind: "json", errorAddress, authMode, authType, tenant } as const;
  return begunAnswer(await beginFlow(parts, { provider, scopes, redirectUri, end }, request));
}

/** `POST /auth/social/exchange`: what the browser brought back becomes a session. */
export async function exchange(
  parts: OAuthParts,
  { token, code_verifier, authMode, authType, tenant_Id }: z.output<typeof exchangeBody>,
  request: Request,
): Promise<Response> {
  guardCookieMode(parts.auth, authMode, request);
  const { identity, tenant } = await useProof(parts, token, code_verifier, null);
  return signIn(parts, identity, { authMode, authType, tenant: tenant_Id ?? tenant, more: {} }, request);
}

type Wanted = {
  readonly authMode: AuthMode;
  readonly authType: z.output<typeof exchangeBody>["authType"];
  readonly tenant: string | null;
  readonly more: object;
};

async function signIn(
  parts: OAuthParts,
  identity: Identity,
  { authMode, authType, tenant, more }: Wanted,
  request: Request,
): Promise<Response> {
  const account = await openAccount(parts, identity);
  const wanted = { type: authType, tenant: tenant ?? undefined };
  const stands = requireLinked(identity, account);
  const result = await finishSignIn(parts.auth, account, wanted, originOf(request), stands);
  return signedInAnswer(parts.auth, result, authMode, undefined, more);
}

/**
 * `POST /auth/social/reauthenticate`: a fresh proof for a session, by a provider that is linked to its account. Gives the time (ms
 * since 1970).
 * @throws AppError INVALID_CREDENTIALS; UNAUTHORIZED when the session has ended
 */
export async function reauthenticate(
  parts: OAuthParts,
  actor: UserActor,
  body: z.output<typeof reauthenticateBody>,
  request: Request,
): Promise<number> {
  const { auth } = parts;
  countClient(auth, originOf(request).client);
  const identity =
    body.idToken === null
      ? (await useProof(parts, body.token ?? "", body.code_verifier, null)).identity
      : await useIdToken(parts, providerOf(parts, body.provider ?? ""), body.idToken);
  await requireLinked(identity, actor)(auth.data);
  return noteProof(auth, actor);
}

/** What a call for a link came to: the provider that is linked now, or where the browser goes. */
export type LinkAnswer = { readonly linked: string } | { readonly redirect: true; readonly url: string };

/**
 * `POST /auth/social/link`, of an account that is signed in and has proven so lately. Its browser gets a ticket, so that the
 * cookie is set where it navigates; the end is asked for by the same session, so that nobody links what another one's browser
 * brings, nor an own provider to another one's account.
 */
export async function link(
  parts: OAuthParts,
  { id: user, session }: UserActor,
  body: z.output<typeof linkBody>,
  request: Request,
): Promise<LinkAnswer> {
  const { auth } = parts;
  countClient(auth, originOf(request).client);
  if (body.token !== null) {
    const { identity } = await useProof(parts, body.token, body.code_verifier, { user, session });
    await linkAccount(parts, { user, session }, identity);
    return { linked: identity.provider };
  }
  const provider = providerOf(parts, body.provider ?? "");
  if (body.idToken !== null) {
    await linkAccount(parts, { user, session }, await useIdToken(parts, provider, body.idToken));
    return { linked: provider.name };
  }
  const address = requireAddress(parts, body.redirectUrl, "redirectUrl");
  const ticket: z.output<typeof ticketSchema> = {
    provider: provider.name,
    scopes: [...scopesOf(provider, body.scopes)],
    address,
    errorAddress: body.errorUrl === null ? address : requireAddress(parts, body.errorUrl, "errorUrl"),
    state: body.state,
    challenge: challengeOf(body),
    link: { user, session },
  };
  const { text } = await auth.oneTimes.create(auth.data, {
    kind: "oauth-link",
    subject: session,
    data: ticket,
  });
  return {
    redirect: true,
    url: `${baseOf(parts.config, request)}/auth/signin/${provider.name}?ticket=${text}`,
  };
}
