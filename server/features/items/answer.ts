/** Answers whose JSON text was built by PostgreSQL: passed through, never parsed. */
import type { ReadAnswer, ReadOneAnswer } from "../../data";

const json = { headers: { "content-type": "application/json; charset=utf-8" } };
const created = { ...json, status: 201 };

/**
 * `{data: […], totalCount}`; without the total where none was wanted, with `estimated: true` where it is a guess, with
 * `nextCursor` on a walk by cursor, and with `truncated: true` where a list inside an item was cut.
 */
export function listAnswer({
  json: rows,
  totalCount,
  estimated,
  truncated,
  nextCursor,
}: ReadAnswer): Response {
  const total = totalCount === null ? "" : `,"totalCount":${totalCount}`;
  const guess = estimated ? ',"estimated":true' : "";
  const cursor = nextCursor === undefined ? "" : `,"nextCursor":${JSON.stringify(nextCursor)}`;
  return new Response(`{"data":${rows}${total}${guess}${cursor}${mark(truncated)}}`, json);
}

/** `{data: {…}}` of one item, and `truncated: true` where a list inside it was cut. */
export function itemAnswer({ json: item, truncated }: ReadOneAnswer, status: 200 | 201 = 200): Response {
  return new Response(`{"data":${item}${mark(truncated)}}`, status === 201 ? created : json);
}

/** `{data: …}` around JSON text. */
export function dataAnswer(text: string, status: 200 | 201 = 200): Response {
  return new Response(`{"data":${text}}`, status === 201 ? created : json);
}

function mark(truncated: boolean): string {
  return truncated ? ',"truncated":true' : "";
}
