/** API tokens over HTTP, for administrators. Who makes one, or gives one a new text, proves who they are first. */
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import { readParameters } from "../items";
import { answer, documented, idFrom } from "./answers";
import { createApiToken, listApiTokens, removeApiToken, rotateApiToken } from "./api-tokens";
import { requireAdministrator, requireFresh } from "./fresh";
import { apiTokenBody, parseApiToken, parseRotate, rotateBody } from "./model";
import type { AuthParts } from "./parts";

/** Mounts them. */
export function apiTokenRoutes(parts: AuthParts) {
  const { clock, data, identity } = parts;
  return new Elysia({ name: "auth API tokens" })
    .use(identity)
    .get("/auth/tokens", ({ actor }) => list(actor), documented("API tokens (administrators)"))
    .post(
      "/auth/tokens",
      ({ actor, body, request }) => create(actor, body, request),
      documented(
        "Make an API token; its text is told once (administrators, with a fresh proof)",
        apiTokenBody,
      ),
    )
    .post(
      "/auth/tokens/:id/rotate",
      ({ actor, params, body, request }) => rotate(actor, params.id, body, request),
      documented("Replace the text of an API token (administrators, with a fresh proof)", rotateBody),
    )
    .delete(
      "/auth/tokens/:id",
      ({ actor, params, request }) => remove(actor, params.id, request),
      documented("Delete an API token (administrators)"),
    );

  async function list(actor: Actor): Promise<Response> {
    requireAdministrator(actor);
    return answer({ data: await listApiTokens(data) });
  }

  async function create(actor: Actor, body: unknown, request: Request): Promise<Response> {
    const maker = requireAdministrator(actor);
    requireFresh(actor, clock());
    // One that is passed over, such as the end of the token, would leave it without.
    readParameters(request);
    return answer({ data: await createApiToken(parts, maker, parseApiToken(body)) }, [], 201);
  }

  async function rotate(actor: Actor, text: string, body: unknown, request: Request): Promise<Response> {
    requireAdministrator(actor);
    requireFresh(actor, clock());
    readParameters(request);
    const id = idFrom(text, "API token");
    return answer({ data: await rotateApiToken(data, id, parseRotate(body), clock()) });
  }

  async function remove(actor: Actor, text: string, request: Request): Promise<Response> {
    const by = requireAdministrator(actor);
    readParameters(request);
    const id = idFrom(text, "API token");
    await removeApiToken(data, by, id);
    return answer({ data: { id } });
  }
}
