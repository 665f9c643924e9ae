/** Sorting over HTTP: an item moves next to another one, or several change places among themselves. */
import { Elysia } from "elysia";
import type { z } from "zod";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { type Identity, jsonBody } from "../../http";
import { type Idempotency, keyParameter } from "../idempotency";
import { dataAnswer, readParameters, refuseConditions } from "../items";
import { moveBody, readMove, readOrder, reorderBody } from "./model";

export type SortParts = { readonly identity: Identity; readonly once: Idempotency["once"] };

const described = (summary: string, description: string, body: z.ZodType) => ({
  detail: {
    tags: ["Sorting"],
    summary,
    description,
    parameters: [keyParameter],
    requestBody: { required: true, ...jsonBody(body).requestBody },
  },
});

/** The routes of sorting. Both need an account that may update the field `sort`. */
export function sortRoutes({ identity, once }: SortParts) {
  const move = (actor: Actor, collection: string, body: unknown, request: Request): Promise<Response> => {
    requireAccount(actor);
    refuseConditions(request);
    readParameters(request);
    const wish = readMove(body);
    return once({ actor, request, body }, async (rows) => {
      const newSort = await rows.move(actor, collection, wish);
      return dataAnswer(JSON.stringify({ item: wish.item, collection, newSort }));
    });
  };
  const reorder = (actor: Actor, collection: string, body: unknown, request: Request): Promise<Response> => {
    requireAccount(actor);
    refuseConditions(request);
    readParameters(request);
    const ids = readOrder(body);
    return once({ actor, request, body }, async (rows) =>
      dataAnswer(JSON.stringify(await rows.reorder(actor, collection, ids))),
    );
  };
  return new Elysia({ name: "sort" })
    .use(identity)
    .post(
      "/utils/sort/:collection",
      ({ actor, params, body, request }) => move(actor, params.collection, body, request),
      described(
        "Move an item before or behind another one",
        "For collections with `sortEnabled`. The items between the old and the new place hand on theirs.",
        moveBody,
      ),
    )
    .post(
      "/items/:collection/reorder",
      ({ actor, params, body, request }) => reorder(actor, params.collection, body, request),
      described(
        "Give items an order among themselves",
        "The items take, in the order of the list, the places that they hold together; all others stay.",
        reorderBody,
      ),
    );
}

/** Whoever has the right, but no account, may not sort. @throws AppError UNAUTHORIZED */
export function requireAccount(actor: Actor): void {
  if (actor.kind === "anonymous") throw new AppError("UNAUTHORIZED", "Authentication required");
}
