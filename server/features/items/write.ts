/** The writes of `/items`, from a body to an answer. Each works on the rows it is given, alone or in a transaction. */
import type { ItemId } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import { type Data, guestOf } from "../../data";
import { readQueryString, textBody } from "../../http";
import { dataAnswer, itemText, writtenItems } from "./answer";
import { changeItems, isDeletion, type KeepsDeleted } from "./change";
import {
  bulkRemove,
  readBodies,
  readBody,
  readEntries,
  readItem,
  readUpsert,
  readWriteQuery,
  removeWhere,
  updateWhere,
} from "./model";
import { allowedVersion, refuseConditions, tagOf } from "./version";

/** One request to write. `id` is empty where the route has none. */
export type WriteRequest = {
  readonly rows: Data;
  readonly actor: Actor;
  readonly collection: string;
  readonly id: string;
  readonly body: unknown;
  readonly request: Request;
  readonly keepsDeleted: KeepsDeleted;
};

/** What a route does with a request. */
export type Write = (request: WriteRequest) => Promise<Response>;

/** `POST /items/:c` */
export const createItem: Write = (wish) => {
  refuseConditions(wish.request);
  const { fields } = queryOf(wish, "fields");
  const body = readItem(wish.body);
  return answerOne(wish, { fields, tagged: false }, async (rows) => {
    const [id = ""] = await rows.create(wish.actor, wish.collection, [body]);
    return { id, created: true };
  });
};

/** `PATCH /items/:c/:id`, also under `If-Match`. */
export const updateItem: Write = (wish) => {
  const { actor, collection, id, request, keepsDeleted } = wish;
  refuseConditions(request, "if-match");
  const version = allowedVersion(request.headers);
  const { fields } = queryOf(wish, "fields");
  const data = readItem(wish.body);
  const deletes = isDeletion(data) && data.deletedAt !== null && keepsDeleted(collection);
  const entry = version === undefined ? { id, data } : { id, data, version };
  return answerOne(wish, { fields, tagged: request.headers.has("if-match"), deletes }, async (rows) => {
    const [changed = id] = await changeItems({ rows, actor, collection, keepsDeleted }, [entry]);
    return { id: changed, created: false };
  });
};

/** `DELETE /items/:c/:id`, also under `If-Match`. */
export const removeItem: Write = async (wish) => {
  const { rows, actor, collection, id, request } = wish;
  refuseConditions(request, "if-match");
  const { permanent } = queryOf(wish, "permanent");
  const version = allowedVersion(request.headers);
  const [removed = id] = await rows.remove(actor, collection, [id], {
    ...(permanent && { permanent }),
    ...(version !== undefined && { version }),
  });
  return dataAnswer(JSON.stringify({ id: removed }));
};

/** `POST /items/:c/:id/restore` */
export const restoreItem: Write = (wish) => {
  const { actor, collection, id, request } = wish;
  refuseConditions(request);
  const { fields } = queryOf(wish, "fields");
  return answerOne(wish, { fields, tagged: false }, async (rows) => {
    const [restored = id] = await rows.restore(actor, collection, [id]);
    return { id: restored, created: false };
  });
};

/** `POST /items/:c/bulk` */
export const createItems: Write = async (wish) => {
  prepare(wish);
  return idsAnswer(await wish.rows.create(wish.actor, wish.collection, readBodies(wish.body)), 201);
};

/** `PATCH /items/:c/bulk` */
export const updateItems: Write = async (wish) => {
  prepare(wish);
  return idsAnswer(await changeItems(wish, readEntries(wish.body)));
};

/** `DELETE /items/:c/bulk` */
export const removeItems: Write = async (wish) => {
  refuseConditions(wish.request);
  const { permanent } = queryOf(wish, "permanent");
  const ids = readBody(bulkRemove, wish.body, "Request body must be an array of IDs");
  await wish.rows.remove(wish.actor, wish.collection, ids, permanent ? { permanent } : {});
  return new Response(null, { status: 204 });
};

/** `POST /items/:c/restore` */
export const restoreItems: Write = async (wish) => {
  prepare(wish);
  const ids = readBody(bulkRemove, wish.body, "Request body must be an array of IDs");
  return idsAnswer(await wish.rows.restore(wish.actor, wish.collection, ids));
};

/** `PATCH /items/:c` */
export const updateMatching: Write = async (wish) => {
  prepare(wish);
  const { filter, data } = readBody(
    updateWhere,
    wish.body,
    'Request body must be {"filter": {…}, "data": {…}}',
  );
  return matchedAnswer(await wish.rows.updateWhere(wish.actor, wish.collection, filter, data));
};

/** `DELETE /items/:c` */
export const removeMatching: Write = async (wish) => {
  refuseConditions(wish.request);
  const { permanent, filter } = queryOf(wish, "permanent", "filter");
  if (filter !== undefined && wish.body !== null)
    throw new AppError("BAD_REQUEST", "filter: give it in the body or in the query string, not in both");
  const message = 'Request body must be {"filter": {…}}, or give ?filter=';
  const chosen = filter === undefined ? readBody(removeWhere, wish.body, message).filter : readFilter(filter);
  const options = permanent ? { permanent } : {};
  return matchedAnswer(await wish.rows.removeWhere(wish.actor, wish.collection, chosen, options));
};

/** `PUT /items/:c` */
export const upsertItems: Write = async (wish) => {
  const { rows, actor, collection, request } = wish;
  refuseConditions(request);
  const { fields } = queryOf(wish, "fields");
  const { target, bodies, one } = readUpsert(wish.body);
  if (one) {
    return answerOne(wish, { fields, tagged: false, upsert: true }, async (inner) => {
      const [upserted = { id: "", created: false }] = await inner.upsert(actor, collection, target, bodies);
      return upserted;
    });
  }
  if (fields !== undefined)
    throw new AppError("INVALID_QUERY", "fields: only a write of one item answers its fields");
  const upserted = await rows.upsert(actor, collection, target, bodies);
  const status = upserted.length > 0 && upserted.every(({ created }) => created) ? 201 : 200;
  return dataAnswer(JSON.stringify(upserted), status);
};

/** For routes that take neither conditions nor parameters. */
function prepare(wish: WriteRequest): void {
  refuseConditions(wish.request);
  queryOf(wish);
}

function queryOf({ request }: WriteRequest, ...known: Parameters<typeof readWriteQuery>[1]) {
  return readWriteQuery(readQueryString(request.url), known);
}

/** A filter out of the query string: brackets, or JSON text. */
function readFilter(filter: unknown): unknown {
  if (typeof filter !== "string") return filter;
  try {
    return JSON.parse(filter);
  } catch {
    throw new AppError("INVALID_QUERY", "filter: not valid JSON");
  }
}

function idsAnswer(ids: readonly ItemId[], status: 200 | 201 = 200): Response {
  return dataAnswer(JSON.stringify(ids), status);
}

function matchedAnswer(ids: readonly ItemId[]): Response {
  return dataAnswer(JSON.stringify(writtenItems(ids)));
}

/** How a write of one item is answered. `tagged`: with its new ETag; `deletes`: the item is then among the deleted ones. */
type OneAnswer = {
  readonly fields: unknown;
  readonly tagged: boolean;
  readonly deletes?: boolean;
  readonly upsert?: true;
};
type WrittenOne = { readonly id: ItemId; readonly created: boolean };

/**
 * `{data: {id}}`, or with `?fields=` the row as a read shows it to this actor: then write and read are one transaction, so
 * that a wish which is refused leaves nothing written.
 */
async function answerOne(
  { rows, actor, collection }: WriteRequest,
  { fields, tagged, deletes = false, upsert }: OneAnswer,
  write: (rows: Data) => Promise<WrittenOne>,
): Promise<Response> {
  const plain = ({ id, created }: WrittenOne): string =>
    upsert ? JSON.stringify({ id, created }) : `{"id":${JSON.stringify(id)}}`;
  if (fields === undefined && !tagged) {
    const written = await write(rows);
    return dataAnswer(plain(written), written.created ? 201 : 200);
  }
  return rows.transaction(async (inner) => {
    const written = await write(inner);
    const { id, created } = written;
    const query = deletes ? { paranoid: false } : {};
    if (fields !== undefined) {
      const read = await inner.readOne(actor, collection, id, { ...query, fields });
      return answer(itemText(read), created ? 201 : 200, tagOf(read));
    }
    const tag = await newTag(inner, actor, collection, id);
    return answer(`{"data":${plain(written)}}`, created ? 201 : 200, tag);
  }, guestOf(actor));
}

function answer(text: string, status: 200 | 201, tag: string | null): Response {
  const headers = {
    "content-type": "application/json; charset=utf-8",
    ...(tag !== null && { etag: `"${tag}"` }),
  };
  return new Response(textBody(text), { status, headers });
}

/** The tag that a read would now give; null where the actor may not read the item. */
async function newTag(rows: Data, actor: Actor, collection: string, id: ItemId): Promise<string | null> {
  try {
    return tagOf(await rows.readOne(actor, collection, id));
  } catch (error) {
    if (error instanceof AppError && (error.code === "NOT_FOUND" || error.code === "FORBIDDEN")) return null;
    throw error;
  }
}
