/** Signing in with other providers, and linking them, over HTTP. */
import { Elysia } from "elysia";
import type { z } from "zod";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { answer, checked, documented, provenAnswer, requireFresh, requireSession } from "../auth";
import { readParameters } from "../items";
import { listLinked, unlinkAccount } from "./accounts";
import { endFlow } from "./flow";
import { callbackQuery, exchangeBody, linkBody, reauthenticateBody, signInBody, startQuery } from "./model";
import type { OAuthParts } from "./parts";
import { exchange, link, reauthenticate, signInByCall, startInBrowser } from "./sign-in";

/** Bytes of a posted answer. */
const formLimit = 64 * 1024;

/** Mounts them. */
export function oauthRoutes(parts: OAuthParts) {
  const { auth, providers } = parts;
  // To get a second factor takes a fresh proof, too.
  const proof = new Elysia({ name: "oauth fresh proof" })
    .use(auth.enrolling)
    .post(
      "/auth/social/reauthenticate",
      ({ actor, body, request }) => proveAgain(actor, body, request),
      documented(
        "Prove who I am with a linked provider, for what asks for a fresh proof",
        reauthenticateBody,
      ),
    );
  return new Elysia({ name: "oauth" })
    .use(proof)
    .get("/auth/providers", () => listProviders(), documented("Providers that one can sign in with"))
    .get(
      "/auth/signin/:provider",
      ({ params, request }) => startInBrowser(parts, params.provider, request),
      withQuery(documented("Sign in with a provider: sends the browser there"), startQuery),
    )
    .post(
      "/auth/social/signin",
      ({ body, request }) => signInByCall(parts, checkedSignIn(body), request),
      documented("Sign in with a provider: its address, or with its ID token at once", signInBody),
    )
    .get(
      "/auth/callback/:provider",
      ({ params, request }) => {
        const { searchParams } = new URL(request.url);
        return endFlow(parts, params.provider, { parameters: searchParams, posted: false }, request);
      },
      withQuery(documented("Where providers send browsers back to"), callbackQuery),
    )
    .post(
      "/auth/callback/:provider",
      async ({ params, request }) => {
        const parameters = await readForm(request);
        return endFlow(parts, params.provider, { parameters, posted: true }, request);
      },
      documented("The same for providers whose page posts the answer, such as Apple's"),
    )
    .post(
      "/auth/social/exchange",
      ({ body, request }) => exchange(parts, checked(exchangeBody, body), request),
      documented("Turn what the browser brought back into a session", exchangeBody),
    )
    .use(auth.identity)
    .get("/auth/social", ({ actor }) => list(actor), documented("Providers that are linked to my account"))
    .post(
      "/auth/social/link",
      ({ actor, body, request }) => linkOne(actor, body, request),
      documented("Link a provider to my account, with a fresh proof", linkBody),
    )
    .delete(
      "/auth/social/:provider",
      ({ actor, params, request }) => unlink(actor, params.provider, request),
      documented("Unlink a provider from my account, with a fresh proof"),
    );

  function listProviders(): Response {
    return answer({ data: [...providers.values()].map(({ name, label }) => ({ name, label })) });
  }

  async function list(actor: Actor): Promise<Response> {
    return answer({ data: await listLinked(auth.data, requireSession(actor).id) });
  }

  async function proveAgain(actor: Actor, body: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    return provenAnswer(await reauthenticate(parts, user, checked(reauthenticateBody, body), request));
  }

  async function linkOne(actor: Actor, body: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    requireFresh(user, auth.clock());
    return answer(await link(parts, user, checked(linkBody, body), request));
  }

  async function unlink(actor: Actor, provider: string, request: Request): Promise<Response> {
    const user = requireSession(actor);
    requireFresh(user, auth.clock());
    readParameters(request);
    await unlinkAccount(parts, user, provider);
    return answer({ data: { provider } });
  }
}

/** Tells in words what the query of a route takes: the description's generator lists parameters of paths alone. */
function withQuery({ detail }: ReturnType<typeof documented>, query: z.ZodObject) {
  const names = Object.keys(query.shape).map((name) => `\`${name}\``);
  return { detail: { ...detail, description: `In the query: ${names.join(", ")}.` } };
}

function checkedSignIn(body: unknown) {
  if (typeof body !== "object" || body === null || !("provider" in body) || !body.provider)
    throw new AppError("VALIDATION_ERROR", "Provider is required");
  return checked(signInBody, body);
}

/** A form as pages post it. @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE */
async function readForm(request: Request): Promise<URLSearchParams> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded")
    throw new AppError(
      "UNSUPPORTED_MEDIA_TYPE",
      "body: a form (application/x-www-form-urlencoded) is expected",
    );
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.byteLength;
    if (size > formLimit)
      throw new AppError("PAYLOAD_TOO_LARGE", "body: larger than 64 KiB, which is the limit here");
    pieces.push(piece);
  }
  return new URLSearchParams(Buffer.concat(pieces).toString("utf8"));
}
