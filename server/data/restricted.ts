/** Refusals by foreign keys, as far as they concern who is refused. */
import type { Access } from "../core/access/policy";
import { AppError } from "../core/errors";
import type { Schema } from "../core/schema/model";

/**
 * A delete that rows of another collection forbid names that collection: not to an actor without a right there, who
 * would learn that it is there and refers to the row.
 */
export function tellRestriction(error: unknown, schema: Schema, access: Access): unknown {
  if (!(error instanceof AppError) || error.code !== "FOREIGN_KEY_VIOLATION") return error;
  const { details } = error;
  const name =
    typeof details === "object" && details !== null && "collection" in details && details.collection;
  const collection = typeof name === "string" ? schema.collections.get(name) : undefined;
  if (
    collection &&
    (access(collection, "read") ?? access(collection, "create") ?? access(collection, "update"))
  )
    return error;
  const message = "The row is still referred to by others; change or delete those first.";
  return new AppError(error.code, message, null, { cause: error });
}
