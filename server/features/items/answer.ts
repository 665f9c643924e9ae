/** Answers whose JSON text was built by PostgreSQL: passed through, never parsed. */
import type { ItemId, WrittenItems } from "@baasix/types";
import type { ReadAnswer, ReadOneAnswer } from "../../data";
import { namesTag, textBody } from "../../http";
import { tagOf } from "./version";

const json = { headers: { "content-type": "application/json; charset=utf-8" } };
const created = { ...json, status: 201 };

/** `{data: […], totalCount}`; see `listText`. */
export function listAnswer(read: ReadAnswer): Response {
  return new Response(textBody(listText(read)), json);
}

/**
 * `{"data": […], "totalCount": n}`; without the total where none was wanted, with `estimated: true` where it is a guess,
 * with `nextCursor` on a walk by cursor, and with `truncated: true` where a list inside an item was cut.
 */
export function listText({ json: rows, totalCount, estimated, truncated, nextCursor }: ReadAnswer): string {
  const total = totalCount === null ? "" : `,"totalCount":${totalCount}`;
  const guess = estimated ? ',"estimated":true' : "";
  const cursor = nextCursor === undefined ? "" : `,"nextCursor":${JSON.stringify(nextCursor)}`;
  return `{"data":${rows}${total}${guess}${cursor}${mark(truncated)}}`;
}

/** `{data: {…}}` of one item; see `itemText`. */
export function itemAnswer(item: ReadOneAnswer, status: 200 | 201 = 200): Response {
  return new Response(textBody(itemText(item)), status === 201 ? created : json);
}

/** `{"data": {…}}` of one item, and `truncated: true` where a list inside it was cut. */
export function itemText({ json: item, truncated }: ReadOneAnswer): string {
  return `{"data":${item}${mark(truncated)}}`;
}

/** One item with its `ETag`; 304 without a body where the request has it already. It is for this caller alone. */
export function taggedAnswer(item: ReadOneAnswer, request: Request): Response {
  const tag = tagOf(item);
  const headers = { ...json.headers, etag: `"${tag}"`, "cache-control": "private, no-cache" };
  if (!namesTag(request.headers.get("if-none-match"), tag))
    return new Response(textBody(itemText(item)), { headers });
  const { "content-type": _, ...kept } = headers;
  return new Response(null, { status: 304, headers: kept });
}

/** `{data: …}` around JSON text. */
export function dataAnswer(text: string, status: 200 | 201 = 200): Response {
  return new Response(textBody(`{"data":${text}}`), status === 201 ? created : json);
}

/** Most ids that a write by filter tells. */
const mostIds = 1000;

/** How many items were written, and which, where they are not too many to tell. */
export function writtenItems(ids: readonly ItemId[]): WrittenItems {
  return ids.length > mostIds ? { count: ids.length } : { count: ids.length, ids };
}

function mark(truncated: boolean): string {
  return truncated ? ',"truncated":true' : "";
}
