/** `/items`: rows over HTTP. */
import { Elysia } from "elysia";
import type { ItemId } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import type { Schema } from "../../core/schema/model";
import type { Data } from "../../data";
import { type Identity, readQueryString } from "../../http";
import type { Idempotency } from "../idempotency";
import { listAnswer, taggedAnswer } from "./answer";
import type { KeepsDeleted } from "./change";
import { exportItems } from "./export";
import {
  createItem,
  createItems,
  removeItem,
  removeItems,
  removeMatching,
  restoreItem,
  restoreItems,
  updateItem,
  updateItems,
  updateMatching,
  upsertItems,
  type Write,
} from "./write";

export type ItemsParts = {
  readonly data: Data;
  readonly identity: Identity;
  readonly once: Idempotency["once"];
  readonly keepsDeleted: KeepsDeleted;
  readonly schema: () => Schema;
  /** Answers reads with `explain=`. */
  readonly explain: (
    actor: Actor,
    collection: string,
    query: Record<string, unknown>,
    id: ItemId | null,
  ) => Promise<Response>;
};

// The OpenAPI document describes every collection by itself (`features/openapi`), so these are hidden.
const hidden = { detail: { hide: true } };

/** What a write route hands over. */
type Sent = {
  readonly actor: Actor;
  readonly params: { readonly collection: string; readonly id?: string };
  readonly body: unknown;
  readonly request: Request;
};

/** The routes of items. */
export function itemsRoutes({ data, identity, once, keepsDeleted, explain, schema }: ItemsParts) {
  const write = (work: Write, { actor, params, body, request }: Sent): Promise<Response> => {
    const { collection, id = "" } = params;
    return once({ actor, request, body }, (rows) =>
      work({ rows, actor, collection, id, body, request, keepsDeleted }),
    );
  };
  return new Elysia({ name: "items" })
    .use(identity)
    .get(
      "/items/:collection",
      ({ actor, params, request }) => listItems({ data, explain, schema }, actor, params.collection, request),
      hidden,
    )
    .get(
      "/items/:collection/:id",
      ({ actor, params, request }) => oneItem({ data, explain }, actor, params, request),
      hidden,
    )
    .post(
      "/items/:collection",
      ({ actor, params, body, request }) => write(createItem, { actor, params, body, request }),
      hidden,
    )
    .put(
      "/items/:collection",
      ({ actor, params, body, request }) => write(upsertItems, { actor, params, body, request }),
      hidden,
    )
    .patch(
      "/items/:collection",
      ({ actor, params, body, request }) => write(updateMatching, { actor, params, body, request }),
      hidden,
    )
    .delete(
      "/items/:collection",
      ({ actor, params, body, request }) => write(removeMatching, { actor, params, body, request }),
      hidden,
    )
    .post(
      "/items/:collection/bulk",
      ({ actor, params, body, request }) => write(createItems, { actor, params, body, request }),
      hidden,
    )
    .patch(
      "/items/:collection/bulk",
      ({ actor, params, body, request }) => write(updateItems, { actor, params, body, request }),
      hidden,
    )
    .delete(
      "/items/:collection/bulk",
      ({ actor, params, body, request }) => write(removeItems, { actor, params, body, request }),
      hidden,
    )
    .post(
      "/items/:collection/restore",
      ({ actor, params, body, request }) => write(restoreItems, { actor, params, body, request }),
      hidden,
    )
    .patch(
      "/items/:collection/:id",
      ({ actor, params, body, request }) => write(updateItem, { actor, params, body, request }),
      hidden,
    )
    .delete(
      "/items/:collection/:id",
      ({ actor, params, body, request }) => write(removeItem, { actor, params, body, request }),
      hidden,
    )
    .post(
      "/items/:collection/:id/restore",
      ({ actor, params, body, request }) => write(restoreItem, { actor, params, body, request }),
      hidden,
    );
}

type Reading = Pick<ItemsParts, "data" | "explain">;

async function listItems(
  { data, explain, schema }: Reading & Pick<ItemsParts, "schema">,
  actor: Actor,
  collection: string,
  request: Request,
): Promise<Response> {
  const query = readQueryString(request.url);
  if (query.explain !== undefined) return explain(actor, collection, query, null);
  if (query.export !== undefined) {
    const described = schema().collections.get(collection);
    return exportItems({ data, described }, actor, collection, query, request.signal);
  }
  return listAnswer(await data.read(actor, collection, query, request.signal));
}

async function oneItem(
  { data, explain }: Reading,
  actor: Actor,
  { collection, id }: { readonly collection: string; readonly id: string },
  request: Request,
): Promise<Response> {
  const query = readQueryString(request.url);
  if (query.explain !== undefined) return explain(actor, collection, query, id);
  return taggedAnswer(await data.readOne(actor, collection, id, query), request);
}
