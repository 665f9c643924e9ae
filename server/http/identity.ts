/** The actor of a request, put into the context of the routes that ask for it. */
import { Elysia } from "elysia";
import type { Actor } from "../core/access/actor";

/**
 * Finds who sends a request: bearer token, cookie or `access_token`; the auth feature supplies it.
 * Answers at once when the session is known, so that such a request waits for nothing.
 * @throws AppError UNAUTHORIZED when a credential was sent and is not valid.
 */
export type Authenticate = (request: Request) => Actor | Promise<Actor>;

/** Gives `actor` to the routes of the instance that uses it (scoped: not to the whole app). */
export function identity(authenticate: Authenticate) {
  return new Elysia({ name: "identity" }).resolve({ as: "scoped" }, async ({ request }) => {
    const actor = authenticate(request);
    return { actor: actor instanceof Promise ? await actor : actor };
  });
}

/** What a feature's `routes.ts` asks for when its routes need the actor. */
export type Identity = ReturnType<typeof identity>;
