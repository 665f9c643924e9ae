/**
 * A sign-in by redirects, from its first step to its last. What it is about waits in a row that works once, for ten minutes,
 * under a hash of the state; the state goes to the provider and back, and counts in the browser that it was given to.
 */
import { generateRandomCodeVerifier, generateRandomNonce } from "oauth4webapi";
import { z } from "zod";
import { AppError } from "../../core/errors";
import { answer, finishSignIn, originOf, signedInAnswer } from "../auth";
import { openAccount, requireLinked } from "./accounts";
import { bind, isBound, unbind } from "./browser";
import { callbackOf, type OAuthParts, providerOf } from "./parts";
import { challengeSchema, issueProof, linkSchema } from "./proofs";
import type { Identity, Profile, Provider } from "./provider";
import { withParameters } from "./redirects";

/**
 * How a flow ends: `app`: at an address of an application, with a proof or an error in the query; `json`: as the answer
 * to the last request. `tenant`: where the session is to act.
 */
const endSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("app"),
    address: z.string(),
    errorAddress: z.string(),
    state: z.string().nullable(),
    challenge: challengeSchema.nullable(),
    link: linkSchema.nullable(),
    tenant: z.string().nullish(),
  }),
  z.object({
    kind: z.literal("json"),
    errorAddress: z.string().nullable(),
    authMode: z.enum(["jwt", "cookie"]),
    authType: z.enum(["default", "mobile", "web"]),
    tenant: z.string().nullish(),
  }),
]);
const flowSchema = z.object({
  provider: z.string(),
  verifier: z.string(),
  nonce: z.string(),
  redirectUri: z.string(),
  browser: z.string(),
  end: endSchema,
});
type Flow = Readonly<z.output<typeof flowSchema>>;

/** How a flow ends; see there. */
export type FlowEnd = Readonly<z.output<typeof endSchema>>;

/** What a flow begins with. `redirectUri`: an application's own page for the provider's answer; null: this server's. */
export type FlowStart = {
  readonly provider: Provider;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  readonly end: FlowEnd;
};

/** Where the browser goes, and the cookie that it must keep until it comes back. */
export type Begun = { readonly url: string; readonly cookie: string };

/** Begins one. @throws AppError UNAVAILABLE when the provider cannot be asked */
export async function beginFlow(
  parts: OAuthParts,
  { provider, scopes, end, ...start }: FlowStart,
  request: Request,
): Promise<Begun> {
  const { auth, config, protocol } = parts;
  const verifier = generateRandomCodeVerifier();
  const nonce = generateRandomNonce();
  const redirectUri = start.redirectUri ?? callbackOf(parts, provider, request);
  // First of all, as it may fail: what waits for nobody should not be kept. The state is put in afterwards.
  const url = await protocol.begin(provider, { verifier, nonce, redirectUri, scopes, state: "" });
  const subject = crypto.randomUUID();
  const binding = bind(config, subject, isPosted(provider));
  const flow: Flow = {
    provider: provider.name,
    verifier,
    nonce,
    redirectUri,
    browser: binding.hash,
    end,
  };
  const { text } = await auth.oneTimes.create(auth.data, { kind: "oauth-state", subject, data: flow });
  url.searchParams.set("state", text);
  return { url: url.href, cookie: binding.cookie };
}

/** What a provider's answer comes as. `posted`: as a form, from the provider's page. */
export type Arrival = { readonly parameters: URLSearchParams; readonly posted: boolean };

/**
 * Ends one: with the answer that the flow was begun for.
 * @throws AppError VALIDATION_ERROR `Missing code or state parameter`; INVALID_CREDENTIALS `Invalid or expired state`, and where
 * the flow has no address for errors, what went wrong
 */
export async function endFlow(
  parts: OAuthParts,
  name: string,
  { parameters, posted }: Arrival,
  request: Request,
): Promise<Response> {
  const { auth, config, protocol } = parts;
  const provider = providerOf(parts, name);
  const state = parameters.get("state");
  if (!state || !(parameters.has("code") || parameters.has("error")))
    throw new AppError("VALIDATION_ERROR", "Missing code or state parameter");
  const found = await auth.oneTimes.find(auth.data, "oauth-state", state);
  const flow = flowSchema.safeParse(found?.data).data;
  const { crossSite } = isPosted(provider);
  const isOurs =
    found !== null &&
    flow?.provider === name &&
    posted === crossSite &&
    isBound(config, request, found.subject, flow.browser);
  // Only then is it used up: a stranger who read the state somewhere ends nobody's sign-in.
  if (!isOurs || (await auth.oneTimes.consume(auth.data, "oauth-state", state)) === null)
    throw new AppError("INVALID_CREDENTIALS", "Invalid or expired state");
  const { verifier, nonce, redirectUri, end } = flow;
  const cleared = unbind(config, found.subject, { crossSite });
  try {
    const told = await protocol.complete(provider, { state, verifier, nonce, redirectUri, parameters });
    const identity = { provider: name, ...withPostedName(told, posted ? parameters.get("user") : null) };
    return withCookie(await conclude(parts, identity, end, request), cleared);
  } catch (error) {
    if (!(error instanceof AppError) || end.errorAddress === null) throw error;
    return withCookie(tellApp(error, end.errorAddress, end.kind === "app" ? end.state : null), cleared);
  }
}

async function conclude(
  parts: OAuthParts,
  identity: Identity,
  end: FlowEnd,
  request: Request,
): Promise<Response> {
  if (end.kind === "json") {
    const account = await openAccount(parts, identity);
    const wanted = { type: end.authType, tenant: end.tenant ?? undefined };
    const stands = requireLinked(identity, account);
    const result = await finishSignIn(parts.auth, account, wanted, originOf(request), stands);
    return signedInAnswer(parts.auth, result, end.authMode);
  }
  const { challenge, link, address, state, tenant = null } = end;
  const token = await issueProof(parts, { identity, challenge, link, tenant });
  return redirect(withParameters(address, { token, state }));
}

/** Tells an application of an error: the provider's code or ours, and words that are ours. */
export function tellApp(
  { code, message, details }: AppError,
  address: string,
  state: string | null,
): Response {
  const reason =
    typeof details === "object" &&
    details !== null &&
    "reason" in details &&
    typeof details.reason === "string"
      ? details.reason
      : code === "UNAVAILABLE"
        ? "temporarily_unavailable"
        : "sign_in_failed";
  return redirect(withParameters(address, { error: reason, error_description: message, state }));
}

/** Sends the browser on with GET, whatever it came with. */
export function redirect(address: string): Response {
  return new Response(null, { status: 303, headers: { location: address, "cache-control": "no-store" } });
}

/** Adds a cookie to an answer. */
export function withCookie(response: Response, cookie: string): Response {
  response.headers.append("set-cookie", cookie);
  return response;
}

function isPosted({ responseMode }: Provider): { readonly crossSite: boolean } {
  return { crossSite: responseMode === "form_post" };
}

const postedName = z.object({
  name: z.object({ firstName: z.string().catch(""), lastName: z.string().catch("") }),
});

/** Apple tells the name beside its answer, the first time, unsigned: good for a name and for nothing else. */
function withPostedName(profile: Profile, user: string | null): Profile {
  if (user === null || user.length > 2048 || profile.firstName !== null) return profile;
  try {
    const { firstName, lastName } = postedName.parse(JSON.parse(user)).name;
    return { ...profile, firstName: firstName || null, lastName: lastName || null };
  } catch {
    return profile;
  }
}

/** The answer to a client that goes on by itself. */
export function begunAnswer({ url, cookie }: Begun): Response {
  return answer({ redirect: true, url }, [cookie]);
}
