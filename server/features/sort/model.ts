/** Wire shapes of the sorting routes. */
import { z } from "zod";
import { AppError } from "../../core/errors";
import type { Move } from "../../data";
import type { ItemId } from "@baasix/types";

const id = z.union([z.string().min(1), z.number()]);

export const moveBody = z.strictObject({
  item: id.describe("The item that moves"),
  to: id.describe("The item that it goes next to"),
  mode: z.enum(["before", "after"]).default("before"),
});

export const reorderBody = z.strictObject({
  ids: z.array(id).describe("Items in their new order; they take the places that they hold together"),
});

/** Reads `{item, to, mode}`. @throws AppError BAD_REQUEST */
export function readMove(body: unknown): Move {
  const result = moveBody.safeParse(body);
  if (result.success) return result.data;
  const given: Readonly<Record<string, unknown>> =
    typeof body === "object" && body !== null ? { ...body } : {};
  const lacks = (name: string): boolean => [undefined, null, ""].includes(given[name] as string | null);
  if (lacks("item")) throw new AppError("BAD_REQUEST", "Missing item ID to sort");
  if (lacks("to")) throw new AppError("BAD_REQUEST", "Missing target ID to sort to");
  throw new AppError(
    "BAD_REQUEST",
    'Request body must be {"item": id, "to": id, "mode": "before" or "after"}',
  );
}

/** Reads `{ids}`. @throws AppError BAD_REQUEST */
export function readOrder(body: unknown): readonly ItemId[] {
  const result = reorderBody.safeParse(body);
  if (result.success) return result.data.ids;
  throw new AppError("BAD_REQUEST", 'Request body must be {"ids": [id, …]}');
}
