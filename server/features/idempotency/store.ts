/** The rows of `baasix_IdempotencyKey`: which keys were used, and the answers that they got. */
import { system } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Data, Rows } from "../../data";
import type { HeldKey } from "./key";

/** The collection of keys. */
export const collection = "baasix_IdempotencyKey";

/** The server alone writes keys and answers. */
export const keeping = system("answers under idempotency keys are kept and given again by the server alone");

/** How long an answer is kept, in ms. */
export const lifetime = 24 * 3_600_000;

/** Most characters of an answer that is kept. */
const answerLimit = 1024 * 1024;

/** Headers of an answer that come again with it. */
const keptHeaders = ["content-type", "etag", "location", "cache-control"] as const;

/** A key with the answer to the request that used it. `createdAt` in ISO 8601. */
export type KeptAnswer = {
  readonly id: string;
  readonly requestHash: string;
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly createdAt: string;
};

/** Whether this request is the first under its key; another one waits in the database until it is told. Gives the row's id. */
export async function takeKey(
  rows: Rows,
  held: HeldKey,
  requestHash: string,
  now: number,
): Promise<string | null> {
  try {
    const row = { ...held, requestHash, createdAt: new Date(now).toISOString() };
    const [id] = await rows.create(keeping, collection, [row]);
    return String(id);
  } catch (error) {
    if (error instanceof AppError && error.code === "UNIQUE_VIOLATION") return null;
    throw error;
  }
}

/**
 * Keeps the answer; gives one that can still be sent, and its size in characters.
 * @throws AppError QUERY_TOO_COMPLEX when it is too large to keep
 */
export async function keepAnswer(
  rows: Rows,
  id: string,
  answer: Response,
): Promise<{ readonly answer: Response; readonly size: number }> {
  const body = await answer.text();
  if (body.length > answerLimit) {
    throw new AppError(
      "QUERY_TOO_COMPLEX",
      "Idempotency-Key: the answer is larger than 1 MiB, which is the most that is kept; ask for fewer fields or items",
    );
  }
  const headers: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = answer.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  await rows.update(keeping, collection, [{ id, data: { status: answer.status, body, headers } }]);
  const again = new Response(body === "" ? null : body, { status: answer.status, headers: answer.headers });
  return { answer: again, size: body.length };
}

/** What is kept under a key; null when there is nothing. */
export async function findAnswer(data: Data, { actor, key }: HeldKey): Promise<KeptAnswer | null> {
  const found = await data.find<KeptAnswer>(keeping, collection, {
    filter: { AND: [{ actor: { eq: actor } }, { key: { eq: key } }] },
    fields: ["id", "requestHash", "status", "body", "headers", "createdAt"],
    limit: 1,
    count: "none",
  });
  return found[0] ?? null;
}
