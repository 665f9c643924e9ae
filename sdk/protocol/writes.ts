/** Bodies and answers of writes that go beyond one item by its key: by filter, upsert, restore. */
import type { Filter } from "./filter";
import type { ItemId, ItemInput } from "./items";
import type { GenericItem } from "./values";

/** Body of `PATCH /items/:collection`: the same change to every item that matches. An empty filter is refused. */
export type UpdateWhereBody<Item = GenericItem> = {
  readonly filter: Filter<Item>;
  readonly data: ItemInput<Item>;
};

/** Body of `DELETE /items/:collection`, which may also come as `?filter=`. */
export type RemoveWhereBody<Item = GenericItem> = { readonly filter: Filter<Item> };

/** How many items a write by filter changed, and which; the ids are left out when they are more than 1,000. */
export type WrittenItems<Id = ItemId> = { readonly count: number; readonly ids?: readonly Id[] };

/** Answer of a write by filter. */
export type WrittenItemsAnswer = { readonly data: WrittenItems };

/**
 * Body of `PUT /items/:collection`. `on`: the fields that name an item together; they must be unique, and each item gives
 * their values. `filter`: changes the one item that matches; when none does, one is created from what the filter says to
 * be equal and from `data`.
 */
export type UpsertBody<Item = GenericItem> =
  | {
      readonly on: string | readonly string[];
      readonly data: ItemInput<Item> | readonly ItemInput<Item>[];
    }
  | { readonly filter: Filter<Item>; readonly data: ItemInput<Item> };

/** What became of one item of an upsert. */
export type UpsertedItem<Id = ItemId> = { readonly id: Id; readonly created: boolean };

/** Answer of `PUT /items/:collection`: one for one, a list for a list. 201 when all were created, else 200. */
export type UpsertAnswer = { readonly data: UpsertedItem | readonly UpsertedItem[] };

/** Header of writes that take effect once, however often they are sent: 1 to 255 visible characters of ASCII. */
export const idempotencyHeader = "Idempotency-Key";

/** Header of an answer that an earlier request with the same key got: `true`. */
export const replayedHeader = "Idempotency-Replayed";
