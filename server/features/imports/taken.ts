/** Which rows of a refused batch bring a value that an item has already: found by one question, and not one by one. */
import type { Actor } from "../../core/access/actor";
import type { AppError } from "../../core/errors";
import type { Collection } from "../../core/schema/model";
import type { Data, WriteBody } from "../../data";

/** The places, in a list that was refused for a value that is not unique, of the rows whose value is there; may miss some. */
export type FindTaken = (
  rows: Data,
  error: AppError,
  bodies: readonly WriteBody[],
) => Promise<ReadonlySet<number>>;

const nothing: ReadonlySet<number> = new Set();

/**
 * Makes the function for the importing actor. Null for all but administrators: whoever may not see an item learns of its values
 * only by writing one that they may write.
 */
export function findTakenFor(collection: Collection, actor: Actor): FindTaken | null {
  if (actor.kind !== "user" || !actor.admin) return null;
  return async (rows, error, bodies) => {
    const field = uniqueField(collection, error);
    if (field === null) return nothing;
    const texts = bodies.map((body) => textOf(body[field]));
    const asked = [...new Set(texts.filter((text) => text !== null))];
    const found = await rows.attempt((some) =>
      some.find<Record<string, unknown>>(actor, collection.name, {
        filter: { [field]: { in: asked } },
        fields: [field],
        paranoid: false,
        limit: -1,
        count: "none",
      }),
    );
    const there = new Set(found.map((item) => textOf(item[field])));
    return new Set(texts.flatMap((text, i) => (text !== null && there.has(text) ? [i] : [])));
  };
}

/** The field that alone is unique among all items; null where it takes more to say so. */
function uniqueField({ name, fields, tenant }: Collection, { code, details }: AppError): string | null {
  if (code !== "UNIQUE_VIOLATION" || typeof details !== "object" || details === null) return null;
  if (!("collection" in details) || details.collection !== name) return null;
  const named: unknown = "fields" in details ? details.fields : null;
  const only: unknown = Array.isArray(named) && named.length === 1 ? named[0] : null;
  const field = typeof only === "string" ? fields.get(only) : undefined;
  return field && !field.hidden && !field.perTenant && (tenant === null || field.primaryKey)
    ? field.name
    : null;
}

/**
 * Values that are written otherwise than they are answered find nothing here, and are found by trying. So are those that a
 * filter might take for a variable.
 */
function textOf(value: unknown): string | null {
  if (typeof value === "string") return value.startsWith("$") ? null : value;
  return typeof value === "number" ? String(value) : null;
}
