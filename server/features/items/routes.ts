/** `/items`: rows over HTTP. */
import { Elysia } from "elysia";
import type { ItemId } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import type { Data } from "../../data";
import { type Identity, readQueryString } from "../../http";
import { exportItems } from "./export";
import { dataAnswer, itemAnswer, listAnswer } from "./answer";
import { bulkCreate, bulkRemove, bulkUpdate, item, readBody, readEntry } from "./model";

export type ItemsParts = {
  readonly data: Data;
  readonly identity: Identity;
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

/** The routes of items. */
export function itemsRoutes({ data, identity, explain }: ItemsParts) {
  return new Elysia({ name: "items" })
    .use(identity)
    .get(
      "/items/:collection",
      ({ actor, params, request }) => listItems({ data, explain }, actor, params.collection, request),
      hidden,
    )
    .get(
      "/items/:collection/:id",
      ({ actor, params, request }) => oneItem({ data, explain }, actor, params, request.url),
      hidden,
    )
    .post(
      "/items/:collection",
      ({ actor, params, body, request }) => createItem(data, actor, params.collection, body, request.url),
      hidden,
    )
    .post(
      "/items/:collection/bulk",
      async ({ actor, params, body }) => {
        const bodies = readBody(bulkCreate, body, "Request body must be an array");
        return dataAnswer(JSON.stringify(await data.create(actor, params.collection, bodies)), 201);
      },
      hidden,
    )
    .patch(
      "/items/:collection/bulk",
      async ({ actor, params, body }) => {
        const entries = readBody(bulkUpdate, body, "Request body must be an array of {id, data}").map(
          readEntry,
        );
        return dataAnswer(JSON.stringify(await data.update(actor, params.collection, entries)));
      },
      hidden,
    )
    .patch(
      "/items/:collection/:id",
      ({ actor, params, body, request }) =>
        updateItem(data, actor, params.collection, params.id, body, request.url),
      hidden,
    )
    .delete(
      "/items/:collection/bulk",
      async ({ actor, params, body }) => {
        await data.remove(
          actor,
          params.collection,
          readBody(bulkRemove, body, "Request body must be an array of IDs"),
        );
        return new Response(null, { status: 204 });
      },
      hidden,
    )
    .delete(
      "/items/:collection/:id",
      async ({ actor, params }) => {
        const [id] = await data.remove(actor, params.collection, [params.id]);
        return dataAnswer(JSON.stringify({ id }));
      },
      hidden,
    );
}

type Reading = Pick<ItemsParts, "data" | "explain">;

async function listItems(
  { data, explain }: Reading,
  actor: Actor,
  collection: string,
  request: Request,
): Promise<Response> {
  const query = readQueryString(request.url);
  if (query.explain !== undefined) return explain(actor, collection, query, null);
  if (query.export !== undefined) return exportItems(data, actor, collection, query, request.signal);
  return listAnswer(await data.read(actor, collection, query, request.signal));
}

async function oneItem(
  { data, explain }: Reading,
  actor: Actor,
  { collection, id }: { readonly collection: string; readonly id: string },
  url: string,
): Promise<Response> {
  const query = readQueryString(url);
  if (query.explain !== undefined) return explain(actor, collection, query, id);
  return itemAnswer(await data.readOne(actor, collection, id, query));
}

function createItem(
  data: Data,
  actor: Actor,
  collection: string,
  body: unknown,
  url: string,
): Promise<Response> {
  const fields = readBody(item, body, "Request body must be an object");
  return answerWritten(data, actor, collection, url, 201, (rows) => rows.create(actor, collection, [fields]));
}

function updateItem(
  data: Data,
  actor: Actor,
  collection: string,
  id: string,
  body: unknown,
  url: string,
): Promise<Response> {
  const fields = readBody(item, body, "Request body must be an object");
  return answerWritten(data, actor, collection, url, 200, (rows) =>
    rows.update(actor, collection, [{ id, data: fields }]),
  );
}

/**
 * `{data: {id}}`, or with `?fields=` the row as a read shows it to this actor: then write and read are one
 * transaction, so that a wish which is refused leaves nothing written.
 */
async function answerWritten(
  data: Data,
  actor: Actor,
  collection: string,
  url: string,
  status: 200 | 201,
  write: (rows: Data) => Promise<readonly ItemId[]>,
): Promise<Response> {
  const { fields } = readQueryString(url);
  if (fields === undefined) return dataAnswer(JSON.stringify({ id: (await write(data))[0] }), status);
  return data.transaction(async (rows) => {
    const [id] = await write(rows);
    return itemAnswer(await rows.readOne(actor, collection, id ?? "", { fields }), status);
  });
}
