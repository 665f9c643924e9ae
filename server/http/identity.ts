/** The actor of a request, put into the context of the routes that ask for it. */
import { Elysia } from "elysia";
import type { Actor } from "../core/access/actor";
import { requestFacts } from "./request";

/**
 * Finds who sends a request: bearer token, cookie or `access_token`; the auth feature supplies it.
 * Answers at once when the session is known, so that such a request waits for nothing.
 * @throws AppError UNAUTHORIZED when a credential was sent and is not valid.
 */
export type Authenticate = (request: Request) => Actor | Promise<Actor>;

/**
 * Gives `actor` to the routes of the instance that uses it (scoped: not to the whole app). `name` tells one way to find the actor
 * from another: the framework takes plugins of one name for the same.
 */
export function identity(authenticate: Authenticate, name = "identity") {
  return new Elysia({ name }).resolve({ as: "scoped" }, async ({ request }) => {
    const found = authenticate(request);
    const actor = found instanceof Promise ? await found : found;
    return { actor: request.method === "GET" ? actor : withOrigin(actor, request) };
  });
}

/** The actor as a writer: sessions share their actor among requests, so each gets one of its own. */
function withOrigin(actor: Actor, request: Request): Actor {
  const { client, id } = requestFacts(request);
  return actor.kind === "system" ? actor : { ...actor, origin: { address: client, requestId: id } };
}

/** What a feature's `routes.ts` asks for when its routes need the actor. */
export type Identity = ReturnType<typeof identity>;
