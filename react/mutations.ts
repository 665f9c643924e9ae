/** Hooks that write items of one collection. */
import type {
  Filter,
  GenericItem,
  ImportFile,
  ImportFileOptions,
  ImportResult,
  ItemId,
  ItemInput,
  NameFor,
  WriteOptions as CallOptions,
} from "@baasix/sdk";
import { baasixKeys, type CanonicalQuery } from "./keys";
import {
  type Arrangement,
  type CachedPlace,
  showCreate,
  showDelete,
  showOrder,
  showUpdate,
  type Undo,
} from "./optimism";
import type { AnyBaasix } from "./queries";
import type { RegisteredItem, RegisteredName } from "./register";
import { type Ahead, type MutateOptions, type MutateResult, useWrite } from "./write";

/** Options of hooks that write items: those of `useMutation`, and what concerns the cache. */
export type WriteOptions<Data, Variables> = MutateOptions<Data, Variables> & {
  /** Whether the change is shown before the server has answered; default true. */
  readonly optimistic?: boolean;
  /** The field that tells items apart; default `id`. */
  readonly primaryKey?: string;
};

/** How a new item is shown before the server has answered. It has an id of its own until then; see `isTemporaryId`. */
export type OptimisticCreate<Item> = {
  /** Where lists show it. */
  readonly at: "start" | "end";
  /** What is known of it beside the data: what the server will fill in. */
  readonly item?: (data: ItemInput<Item>) => Partial<Record<keyof NoInfer<Item>, unknown>>;
  /** Which lists show it, by their query; default those without filter and search. Which filters it meets is yours to say. */
  readonly lists?: (query: CanonicalQuery) => boolean;
};

/** Options of `useCreateItem`. */
export type CreateOptions<Item> = Omit<WriteOptions<ItemId, ItemInput<Item>>, "optimistic"> & {
  /** Default: a new item is shown when the server has answered. */
  readonly optimistic?: OptimisticCreate<Item>;
};

/** What `mutate` of `useUpdateItem` takes. `version`: what the item must still have, see `getWithVersion`. */
export type UpdateVariables<Item> = {
  readonly id: ItemId;
  readonly data: ItemInput<Item>;
  readonly version?: string;
};

/** What `mutate` of `useDeleteItem` takes: an id, or more. */
export type DeleteVariables =
  ItemId | { readonly id: ItemId; readonly permanent?: boolean; readonly version?: string };

/** What `mutate` of `useUpsertItem` takes: the item is found by a filter, or by unique fields. */
export type UpsertVariables<Item> =
  | { readonly filter: Filter<Item>; readonly data: ItemInput<Item> }
  | { readonly on: string | readonly string[]; readonly data: ItemInput<Item> };

/** What `mutate` of `useReorder` takes: ids in their new order, or one item and where it goes. */
export type ReorderVariables = Arrangement;

/** What `mutate` of `useImportItems` takes. */
export type ImportVariables = Omit<ImportFileOptions, keyof CallOptions> & {
  readonly file: ImportFile;
  readonly format: "csv" | "json";
};

/** Creates items: `mutate(data)`; the answer is the new id. */
export function useCreateItem<Name extends RegisteredName>(
  collection: Name,
  options?: CreateOptions<RegisteredItem<Name>>,
): MutateResult<ItemId, ItemInput<RegisteredItem<Name>>>;
export function useCreateItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: CreateOptions<Item>,
): MutateResult<ItemId, ItemInput<Item>>;
export function useCreateItem(
  collection: string,
  { optimistic, ...options }: CreateOptions<GenericItem> = {},
): MutateResult<ItemId, ItemInput> {
  return useItemWrite("create", collection, options, {
    run: (client, data, call) => client.items<GenericItem>(collection).create(data, call),
    show:
      optimistic &&
      ((place, data) => {
        const { at, item, lists } = optimistic;
        return showCreate(place, data, { at, more: item?.(data) ?? {}, lists });
      }),
  });
}

/** Changes items: `mutate({ id, data })`. */
export function useUpdateItem<Name extends RegisteredName>(
  collection: Name,
  options?: WriteOptions<ItemId, UpdateVariables<RegisteredItem<Name>>>,
): MutateResult<ItemId, UpdateVariables<RegisteredItem<Name>>>;
export function useUpdateItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: WriteOptions<ItemId, UpdateVariables<Item>>,
): MutateResult<ItemId, UpdateVariables<Item>>;
export function useUpdateItem(
  collection: string,
  options: WriteOptions<ItemId, UpdateVariables<GenericItem>> = {},
): MutateResult<ItemId, UpdateVariables<GenericItem>> {
  return useItemWrite("update", collection, options, {
    run: (client, { id, data, version }, call) =>
      client.items<GenericItem>(collection).update(id, data, { ...call, version }),
    show: (place, { id, data }) => showUpdate(place, id, data),
  });
}

/** Deletes items: `mutate(id)`. */
export function useDeleteItem<Name extends RegisteredName>(
  collection: Name,
  options?: WriteOptions<void, DeleteVariables>,
): MutateResult<void, DeleteVariables>;
export function useDeleteItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: WriteOptions<void, DeleteVariables>,
): MutateResult<void, DeleteVariables>;
export function useDeleteItem(
  collection: string,
  options: WriteOptions<void, DeleteVariables> = {},
): MutateResult<void, DeleteVariables> {
  const read = (given: DeleteVariables) => (typeof given === "object" ? given : { id: given });
  return useItemWrite("delete", collection, options, {
    run(client, variables, call) {
      const { id, ...more } = read(variables);
      return client.items<GenericItem>(collection).delete(id, { ...call, ...more });
    },
    show: (place, variables) => showDelete(place, read(variables).id),
  });
}

/** Changes the item that is there, or creates it: `mutate({ filter, data })` or `mutate({ on, data })`. */
export function useUpsertItem<Name extends RegisteredName>(
  collection: Name,
  options?: WriteOptions<ItemId, UpsertVariables<RegisteredItem<Name>>>,
): MutateResult<ItemId, UpsertVariables<RegisteredItem<Name>>>;
export function useUpsertItem<Item extends object = never>(
  collection: NameFor<Item>,
  options?: WriteOptions<ItemId, UpsertVariables<Item>>,
): MutateResult<ItemId, UpsertVariables<Item>>;
export function useUpsertItem(
  collection: string,
  options: WriteOptions<ItemId, UpsertVariables<GenericItem>> = {},
): MutateResult<ItemId, UpsertVariables<GenericItem>> {
  return useItemWrite("upsert", collection, options, {
    async run(client, variables, call) {
      const items = client.items<GenericItem>(collection);
      if ("filter" in variables) return items.upsert(variables.filter, variables.data, call);
      const [written] = await items.upsertMany([variables.data], { ...call, on: variables.on });
      return written?.id ?? "";
    },
    // Which item another field names is known to the server alone.
    show(place, variables) {
      const id: unknown =
        "filter" in variables
          ? plainId(variables.filter[place.primaryKey])
          : variables.data[place.primaryKey];
      const known = typeof id === "string" || typeof id === "number";
      return known ? showUpdate(place, id, variables.data) : () => undefined;
    },
  });
}

/** Brings softly deleted items back: `mutate(id)`. */
export function useRestoreItem(
  collection: string,
  options: MutateOptions<ItemId, ItemId> = {},
): MutateResult<ItemId, ItemId> {
  return useItemWrite("restore", collection, options, {
    run: (client, id, call) => client.items<GenericItem>(collection).restore(id, call),
  });
}

/**
 * Orders items by their field `sort`: `mutate(ids)` puts them into that order, in the places that they hold together;
 * `mutate({ item, to, mode })` moves one before or after another. Lists in that order show it at once.
 */
export function useReorder(
  collection: string,
  options: WriteOptions<void, ReorderVariables> = {},
): MutateResult<void, ReorderVariables> {
  return useItemWrite("reorder", collection, options, {
    run(client, variables, call) {
      const items = client.items<GenericItem>(collection);
      if ("item" in variables) return items.sortItem(variables.item, variables.to, variables.mode, call);
      return items.reorder(variables, call);
    },
    show: showOrder,
  });
}

/** Imports items from files: `mutate({ file, format: "csv" })`. */
export function useImportItems(
  collection: string,
  options: MutateOptions<ImportResult, ImportVariables> = {},
): MutateResult<ImportResult, ImportVariables> {
  return useItemWrite("import", collection, options, {
    run(client, { file, format, ...how }, call) {
      const items = client.items<GenericItem>(collection);
      const send = format === "csv" ? items.importCSV : items.importJSON;
      return send(file, { ...call, ...how });
    },
  });
}

type ItemWork<Data, Variables> = {
  readonly run: (client: AnyBaasix, variables: Variables, call: CallOptions) => Promise<Data>;
  readonly show?: ((place: CachedPlace, variables: Variables) => Undo | Ahead) | undefined;
};

function useItemWrite<Data, Variables>(
  action: string,
  collection: string,
  { optimistic = true, primaryKey = "id", ...options }: WriteOptions<Data, Variables>,
  { run, show }: ItemWork<Data, Variables>,
): MutateResult<Data, Variables> {
  return useWrite(options, {
    mutationKey: (client) => [...baasixKeys.items(client, collection), action],
    run,
    ...(show &&
      optimistic && {
        show(place, variables) {
          const shown = show({ ...place, collection, primaryKey }, variables);
          return typeof shown === "function" ? { undo: shown } : shown;
        },
      }),
    changes: () => [collection],
  });
}

/** The id of `{ id: 1 }` and `{ id: { eq: 1 } }`. */
function plainId(condition: unknown): unknown {
  return typeof condition === "object" && condition !== null && "eq" in condition ? condition.eq : condition;
}
