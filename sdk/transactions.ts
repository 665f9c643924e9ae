/** Several operations on any collections, all of them or none: as a list, or step by step with references to results. */
import type {
  BulkUpdateEntry,
  FieldList,
  FieldName,
  Filter,
  GenericItem,
  IdOf,
  ItemId,
  ItemInput,
  ListResult,
  MoveResult,
  OneResult,
  Query,
  ReadOneResult,
  ReadResult,
  Selected,
  TransactionAnswer,
  TransactionOperation,
  TransactionResult,
  UpsertManyResult,
  UpsertResult,
  WrittenItems,
} from "@baasix/types";
import type { CollectionName, ItemOf, NameFor } from "./collections";
import type { Http, WriteOptions } from "./http";

type Fields<Item> = FieldList<Item> | undefined;

/** What a write of one item gives: its id, and with `fields` the item as it may be read. */
type Written<Item, Wanted extends Fields<Item>> = { readonly id: IdOf<Item> } & (Wanted extends undefined
  ? unknown
  : { readonly data: Selected<Item, Wanted> });

/** The item that a result holds; without one, an item without fields. */
type Shown<Result> = Result extends { readonly data: infer Data }
  ? Data extends readonly unknown[]
    ? object
    : Data
  : object;

/** An operation, and what later ones may take from its result: values that are put in when the transaction runs. */
export type Operation<Result> = {
  /** Where its result stands among all. */
  readonly index: number;
  /** The id of its item. */
  readonly id: Result extends { readonly id: infer Id }
    ? Id
    : Shown<Result> extends { readonly id: infer Id }
      ? Id
      : never;
  /** The version that its item had when it was read. */
  readonly version: Result extends { readonly version: infer Version } ? Version : never;
  /** A field of the item, as far as `fields` asked for it. */
  field<Name extends keyof Shown<Result> & string>(name: Name): Shown<Result>[Name];
  /** Any other part of its result: `ids.0`, `data.0.title`. */
  at<Value = string>(path: string): Value;
  /** What messages and references call it. */
  named(name: string): Operation<Result>;
  /** For the compiler alone. */
  readonly result?: Result;
};

type OneOf<Wanted> = { readonly fields?: Wanted };
type Versioned = { readonly version?: string };
type Permanent = { readonly permanent?: boolean };

/** The operations on one collection; each does what the call of the same name does on `items`. */
export type TransactionItems<Item extends object = GenericItem> = {
  find<const Wanted extends Fields<Item> = undefined>(
    query?: Query<Item, Wanted>,
  ): Operation<ListResult<Selected<Item, Wanted>>>;
  findOne<const Wanted extends Fields<Item> = undefined>(
    id: ItemId,
    options?: OneOf<Wanted>,
  ): Operation<{ readonly data: Selected<Item, Wanted>; readonly version: string }>;
  create<const Wanted extends Fields<Item> = undefined>(
    data: ItemInput<Item>,
    options?: OneOf<Wanted>,
  ): Operation<Written<Item, Wanted>>;
  createMany(data: readonly ItemInput<Item>[]): Operation<WrittenItems<IdOf<Item>>>;
  update<const Wanted extends Fields<Item> = undefined>(
    id: ItemId,
    data: ItemInput<Item>,
    options?: OneOf<Wanted> & Versioned,
  ): Operation<Written<Item, Wanted>>;
  bulkUpdate(changes: readonly BulkUpdateEntry<Item>[]): Operation<WrittenItems<IdOf<Item>>>;
  updateWhere(filter: Filter<Item>, data: ItemInput<Item>): Operation<WrittenItems<IdOf<Item>>>;
  upsert<const Wanted extends Fields<Item> = undefined>(
    filter: Filter<Item>,
    data: ItemInput<Item>,
    options?: OneOf<Wanted>,
  ): Operation<Written<Item, Wanted> & { readonly created: boolean }>;
  upsertMany(
    data: readonly ItemInput<Item>[],
    options: { readonly on: FieldName<Item> | readonly FieldName<Item>[] },
  ): Operation<UpsertManyResult<IdOf<Item>>>;
  delete(id: ItemId, options?: Versioned & Permanent): Operation<{ readonly id: IdOf<Item> }>;
  deleteMany(ids: readonly ItemId[], options?: Permanent): Operation<WrittenItems<IdOf<Item>>>;
  deleteWhere(filter: Filter<Item>, options?: Permanent): Operation<WrittenItems<IdOf<Item>>>;
  restore(id: ItemId): Operation<{ readonly id: IdOf<Item> }>;
  sortItem(item: ItemId, to: ItemId, mode?: "before" | "after"): Operation<MoveResult>;
  reorder(ids: readonly ItemId[]): Operation<WrittenItems<IdOf<Item>>>;
};

/** Gives the operations on a collection, as `items` does. */
export type TransactionItemsOf<Collections> = {
  <Name extends CollectionName<Collections>>(collection: Name): TransactionItems<ItemOf<Collections, Name>>;
  <Item extends object = never>(collection: NameFor<Item>): TransactionItems<Item>;
};

/** Results in the order of the operations. */
export type TransactionResults = readonly TransactionResult[] & {
  /** The result of an operation. */
  readonly of: <Result>(operation: Operation<Result>) => Result;
};

/** A transaction that is being put together. Text in its data is never taken for a reference. */
export type Transaction<Collections = Record<string, GenericItem>> = {
  readonly items: TransactionItemsOf<Collections>;
  /** What has been put together, as it travels. */
  readonly operations: readonly TransactionOperation[];
  /** Does all of it, or nothing. @throws BaasixError with `details.operation`, which one was refused */
  run(options?: WriteOptions): Promise<TransactionResults>;
};

/** The results of a list of operations. */
export type ResultsOf<Operations extends readonly unknown[]> = {
  -readonly [Place in keyof Operations]: ResultOf<Operations[Place]>;
};

type ResultOf<Operation> = Operation extends { readonly action: "read" }
  ? Operation extends { readonly id: ItemId }
    ? ReadOneResult
    : ReadResult
  : Operation extends { readonly action: "upsert" }
    ? Operation extends { readonly data: readonly unknown[] }
      ? UpsertManyResult
      : UpsertResult
    : Operation extends { readonly id: ItemId }
      ? Operation extends { readonly action: "sort" }
        ? MoveResult
        : OneResult
      : Operation extends { readonly action: "create" }
        ? Operation extends { readonly data: readonly unknown[] }
          ? WrittenItems
          : OneResult
        : WrittenItems;

/** Begins a transaction; or does a list of operations at once, in which `{{0.id}}` stands for a part of an earlier result. */
export type TransactionOf<Collections> = {
  <const Operations extends readonly TransactionOperation[]>(
    operations: Operations,
    options?: WriteOptions,
  ): Promise<ResultsOf<Operations>>;
  (): Transaction<Collections>;
};

/** The calls on `/transaction`. */
export function createTransactions<Collections>(http: Http): TransactionOf<Collections> {
  async function send(operations: readonly TransactionOperation[], options?: WriteOptions) {
    const request = { ...options, method: "POST", path: "/transaction", body: { operations } } as const;
    return (await http<TransactionAnswer>(request)).data;
  }
  const transaction = (operations?: readonly TransactionOperation[], options?: WriteOptions) =>
    operations ? send(operations, options) : begin(send);
  return transaction as unknown as TransactionOf<Collections>;
}

type Draft = {
  action: TransactionOperation["action"];
  collection: string;
  name?: string;
  [part: string]: unknown;
};

function begin(
  send: (
    operations: readonly TransactionOperation[],
    options?: WriteOptions,
  ) => Promise<readonly TransactionResult[]>,
): Transaction {
  const drafts: Draft[] = [];
  // Tells references from text that only looks like one: what users write must not read other results.
  const mark = `${Math.random()}:`;

  function add(draft: Draft, id = "id"): Operation<never> {
    const index = drafts.push(draft) - 1;
    const at = (path: string) => `${mark}{{${draft.name ?? index}.${path}}}`;
    const operation = {
      index,
      get id() {
        return at(id);
      },
      get version() {
        return at("version");
      },
      field: (name: string) => at(`data.${name}`),
      at,
      named(name: string) {
        draft.name = name;
        return operation;
      },
    };
    return operation as unknown as Operation<never>;
  }

  function items(collection: string): TransactionItems {
    const step =
      (action: Draft["action"]) =>
      (parts: object, { fields, ...options }: OneOf<unknown> & Permanent = {}) =>
        add({ action, collection, ...parts, ...options, ...(fields !== undefined && { query: { fields } }) });
    const [create, update, upsert] = [step("create"), step("update"), step("upsert")];
    const [remove, restore, sort] = [step("delete"), step("restore"), step("sort")];
    return {
      find: (query) => add({ action: "read", collection, ...(query && { query }) }),
      findOne: (id, query) => add({ action: "read", collection, id, ...(query && { query }) }, "data.id"),
      create: (data, options) => create({ data }, options),
      createMany: (data) => create({ data }),
      update: (id, data, options) => update({ id, data }, options),
      bulkUpdate: (data) => update({ data }),
      updateWhere: (filter, data) => update({ filter, data }),
      upsert: (filter, data, options) => upsert({ filter, data }, options),
      upsertMany: (data, { on }) => upsert({ on, data }),
      delete: (id, options) => remove({ id }, options),
      deleteMany: (id, options) => remove({ id }, options),
      deleteWhere: (filter, options) => remove({ filter }, options),
      restore: (id) => restore({ id }),
      sortItem: (id, to, mode = "before") => sort({ id, to, mode }),
      reorder: (id) => sort({ id }),
    };
  }

  const operations = () => JSON.parse(JSON.stringify(drafts, escape)) as TransactionOperation[];
  const escape = (_: string, value: unknown) =>
    typeof value === "string" ? value.replaceAll("{{", "\\{{").replaceAll(`${mark}\\{{`, "{{") : value;

  return {
    items: items as Transaction["items"],
    get operations() {
      return operations();
    },
    async run(options) {
      const results = await send(operations(), options);
      const of = ({ index }: { readonly index: number }) => results[index];
      return Object.assign([...results], { of }) as unknown as TransactionResults;
    },
  };
}
