/**
 * The own notifications. Whose they are is said by the built-in rights of the collection, which an account has without its
 * roles: an administrator, too, finds, marks and deletes none but its own here.
 */
import { personally, system, type UserActor } from "../../core/access/actor";
import { isAggregate } from "../../core/query/aggregate";
import { isObject } from "../../core/query/filter";
import { type Data, type RawQuery, type ReadAnswer, removeInBatches, type WriteBody } from "../../data";

/** The collection of all of them. */
export const collection = "baasix_Notification";

const cleaning = system("notifications end after their time, whoever has them");

/** A list of the own ones, the newest first unless the query says otherwise. */
export function listOwn(
  data: Data,
  user: UserActor,
  query: RawQuery,
  signal: AbortSignal,
): Promise<ReadAnswer> {
  const isOrdered = query.sort !== undefined || query.sortByRelevance !== undefined || isAggregate(query);
  const ordered = isOrdered ? query : { ...query, sort: ["-createdAt", "id"] };
  return data.read(personally(user), collection, ordered, signal);
}

/** How many of the own ones are unseen. */
export async function countUnseen(data: Data, user: UserActor): Promise<number> {
  const { totalCount } = await data.read(personally(user), collection, { filter: unseen, limit: 0 });
  return totalCount ?? 0;
}

/** Marks the own unseen ones with these ids (null: all); gives how many. What is not there, or is not the own, is left out. */
export async function markSeen(rows: Data, user: UserActor, ids: readonly string[] | null): Promise<number> {
  if (ids?.length === 0) return 0;
  const filter = ids === null ? unseen : { AND: [unseen, { id: { in: ids } }] };
  return (await rows.updateWhere(personally(user), collection, filter, { seen: true })).length;
}

/** Deletes the own ones with these ids (null: all); gives how many. The others are left out. */
export async function deleteOwn(rows: Data, user: UserActor, ids: readonly string[] | null): Promise<number> {
  if (ids?.length === 0) return 0;
  const filter = ids === null ? { id: { isNotNull: true } } : { id: { in: ids } };
  return (await rows.removeWhere(personally(user), collection, filter)).length;
}

/** Deletes everybody's that are older; `before` in ms since 1970. Gives how many. */
export function deleteOld(data: Data, before: number): Promise<number> {
  return removeInBatches(data, cleaning, collection, {
    createdAt: { lt: new Date(before).toISOString() },
  });
}

/** At every door: when one was seen is said by the server. */
export function joinNotificationWrites(data: Data, clock: () => number): void {
  data.joinWrites(collection, ({ bodies }) =>
    Promise.resolve({ bodies: bodies.map((body) => (isObject(body) ? stamped(body, clock) : body)) }),
  );
}

function stamped(body: WriteBody, clock: () => number): WriteBody {
  const isSeen = body.seen === true || body.seen === "true";
  const seenAt = isSeen ? new Date(clock()).toISOString() : null;
  return { ...body, seenAt: body.seen === undefined ? undefined : seenAt };
}

const unseen = { seen: { eq: false } };
