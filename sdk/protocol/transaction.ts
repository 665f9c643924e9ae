/** `POST /transaction`: an ordered list of operations over many collections, all of them or none. */
import type { Filter } from "./filter";
import type { BulkUpdateEntry, ItemId, ItemInput } from "./items";
import type { Query } from "./query";
import type { GenericItem } from "./values";
import type { UpsertedItem, WrittenItems } from "./writes";

/** Most operations of one transaction. */
export const transactionLimit = 100;

/**
 * Stands for a part of an earlier operation's result: `{{0.id}}` by place, `{{order.id}}` by name, `{{1.ids.0}}`,
 * `{{2.data.0.title}}`. May stand in values, ids and filters, never in names. A text that is one reference and nothing else
 * becomes the value with its type; beside other text it becomes text. `\{{` is two braces and no reference.
 */
export type TransactionReference = `{{${string}}}`;

type Named = {
  readonly collection: string;
  /** How later operations may call the result: letters, digits, `_` and `-`, beginning with a letter. */
  readonly name?: string;
};
type Shown<Item> = {
  /** With `fields`, the result of a write of one item has the item in `data`, as a read would show it. */
  readonly query?: Pick<Query<Item>, "fields">;
};
type One = { readonly id: ItemId };
type Several = { readonly id: readonly ItemId[] | TransactionReference };

/** Creates an item, or up to 1,000 of a list. */
export type CreateOperation<Item = GenericItem> = Named &
  Shown<Item> & {
    readonly action: "create";
    readonly data: ItemInput<Item> | readonly ItemInput<Item>[];
  };

/** Changes one item, each of a list by itself, or all that match. `version` as of `If-Match`. */
export type UpdateOperation<Item = GenericItem> = Named &
  Shown<Item> & { readonly action: "update" } & (
    | (One & { readonly data: ItemInput<Item>; readonly version?: string })
    | { readonly data: readonly BulkUpdateEntry<Item>[] }
    | { readonly filter: Filter<Item>; readonly data: ItemInput<Item> }
  );

/** Deletes one item, those of a list, or all that match. `permanent`: really, where a collection keeps deleted items. */
export type DeleteOperation<Item = GenericItem> = Named & {
  readonly action: "delete";
  readonly permanent?: boolean;
} & ((One & { readonly version?: string }) | Several | { readonly filter: Filter<Item> });

/** Creates or changes; see `UpsertBody`. */
export type UpsertOperation<Item = GenericItem> = Named &
  Shown<Item> & { readonly action: "upsert" } & (
    | {
        readonly on: string | readonly string[];
        readonly data: ItemInput<Item> | readonly ItemInput<Item>[];
      }
    | { readonly filter: Filter<Item>; readonly data: ItemInput<Item> }
  );

/** Brings softly deleted items back. */
export type RestoreOperation<Item = GenericItem> = Named &
  Shown<Item> & { readonly action: "restore" } & (One | Several);

/** Moves an item right before (unless told) or after another one in the order of `sort`; or puts those of a list in order. */
export type SortOperation = Named & { readonly action: "sort" } & (
    (One & { readonly to: ItemId; readonly mode?: "before" | "after" }) | { readonly id: readonly ItemId[] }
  );

/** Reads one item, or a list; sees what the operations before have written. */
export type ReadOperation<Item = GenericItem> = Named & { readonly action: "read" } & (
    | (One & { readonly query?: Pick<Query<Item>, "fields" | "relConditions"> })
    | { readonly query?: { readonly [Name in keyof Query<Item>]?: unknown } }
  );

/** One operation of a transaction. */
export type TransactionOperation<Item = GenericItem> =
  | CreateOperation<Item>
  | UpdateOperation<Item>
  | DeleteOperation<Item>
  | UpsertOperation<Item>
  | RestoreOperation<Item>
  | SortOperation
  | ReadOperation<Item>;

/** Body of `POST /transaction`. */
export type TransactionBody = { readonly operations: readonly TransactionOperation[] };

/** Result of a write of one item (create, update, delete, restore); `data` with `query.fields`. */
export type OneResult<Item = GenericItem> = { readonly id: ItemId; readonly data?: Item };

/** Result of the move of one item: its new place. */
export type MoveResult = { readonly id: ItemId; readonly newSort: number | null };

/** Result of an upsert of one item. */
export type UpsertResult<Item = GenericItem> = UpsertedItem & { readonly data?: Item };

/** Result of an upsert of a list. */
export type UpsertManyResult<Id = ItemId> = WrittenItems<Id> & { readonly created: readonly boolean[] };

/** Result of a read of one item; a later operation may ask for its `version`. */
export type ReadOneResult<Item = GenericItem> = {
  readonly data: Item;
  readonly version: string;
  readonly truncated?: true;
};

/** Result of a read of a list, as the list's own route answers. */
export type ReadResult<Item = GenericItem> = {
  readonly data: readonly Item[];
  readonly totalCount?: number;
  readonly estimated?: true;
  readonly nextCursor?: string | null;
  readonly truncated?: true;
};

/** What an operation gives: later ones may refer into it by the same names. Writes of several items give `WrittenItems`. */
export type TransactionResult =
  OneResult | MoveResult | WrittenItems | UpsertResult | UpsertManyResult | ReadOneResult | ReadResult;

/** Answer of `POST /transaction`: a result for each operation, in order. */
export type TransactionAnswer = { readonly data: readonly TransactionResult[] };
