/** Answers whose JSON text was built by PostgreSQL: passed through, never parsed. */
import type { ReadAnswer } from "../../data";

const json = { headers: { "content-type": "application/json; charset=utf-8" } };
const created = { ...json, status: 201 };

/** `{data: […], totalCount}` */
export function listAnswer({ json: rows, totalCount }: ReadAnswer): Response {
  return new Response(`{"data":${rows},"totalCount":${totalCount}}`, json);
}

/** `{data: …}` around JSON text. */
export function dataAnswer(text: string, status: 200 | 201 = 200): Response {
  return new Response(`{"data":${text}}`, status === 201 ? created : json);
}
