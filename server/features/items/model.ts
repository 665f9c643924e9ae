/** Wire shapes of the item routes. Fields are judged by the schema of the collection, not here. */
import { z } from "zod";
import { AppError } from "../../core/errors";

const id = z.union([z.string(), z.number()]);

/** `PATCH /bulk`: `{id, data}` or `{id, …fields}`. */
export const bulkUpdate = z.array(z.looseObject({ id }));
export const bulkRemove = z.array(id);
export const bulkCreate = z.array(z.record(z.string(), z.unknown()));
export const item = z.record(z.string(), z.unknown());

/** Reads a body by a shape. @throws AppError BAD_REQUEST with `message` and the first place that is wrong. */
export function readBody<T>(shape: z.ZodType<T>, body: unknown, message: string): T {
  const result = shape.safeParse(body);
  if (result.success) return result.data;
  const place = result.error.issues[0]?.path.join(".");
  throw new AppError("BAD_REQUEST", place ? `${message} (at ${place})` : message);
}

/** `{id, data}` stays; `{id, …fields}` becomes it. */
export function readEntry(entry: z.infer<typeof bulkUpdate>[number]): {
  id: string | number;
  data: Record<string, unknown>;
} {
  const { id: key, data, ...fields } = entry;
  const nested =
    typeof data === "object" && data !== null && !Array.isArray(data) && Object.keys(fields).length === 0;
  return {
    id: key,
    data: nested ? (data as Record<string, unknown>) : data === undefined ? fields : { ...fields, data },
  };
}
