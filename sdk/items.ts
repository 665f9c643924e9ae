/** Items of one collection. */
import type {
  AggregateQuery,
  AggregateRow,
  Aggregates,
  BulkUpdateEntry,
  CountMode,
  CountQuery,
  FieldList,
  FieldName,
  Filter,
  GenericItem,
  GroupTerm,
  IdOf,
  ImportResult,
  ItemId,
  ItemInput,
  ListResult,
  Query,
  Selected,
  UpsertedItem,
  WrittenItems,
} from "@baasix/types";
import {
  type CallOptions,
  type Http,
  type HttpRequest,
  type OneWriteOptions,
  path,
  type Tagged,
  transferTimeout,
  type WriteOptions,
} from "./http";
import { type ImportFile, type ImportFileOptions, type ImportOptions, sendImport } from "./imports";
import { type AnyQuery, createQuery, type ExportFormat, type QueryBuilder, type Reader, walk } from "./query";

type Fields<Item> = FieldList<Item> | undefined;

/** Options of calls that answer one item. */
export type OneOptions<Item, Wanted extends Fields<Item> = Fields<Item>> = CallOptions & {
  readonly fields?: Wanted;
};

/** Options of deletes. `permanent`: for good also in a `paranoid` collection, what was softly deleted before as well. */
export type DeleteOptions = OneWriteOptions & { readonly permanent?: boolean };

/** Options of a delete of several items. */
export type DeleteManyOptions = Omit<DeleteOptions, "version" | "ifMatch">;

type Write<Arguments extends unknown[], Item, Options = OneWriteOptions> = {
  <const Wanted extends FieldList<Item>>(
    ...args: [...Arguments, options: Options & { readonly fields: Wanted }]
  ): Promise<Selected<Item, Wanted>>;
  (...args: [...Arguments, options?: Options]): Promise<IdOf<Item>>;
};

type Find<Item> = <const Wanted extends Fields<Item> = undefined, Count extends CountMode = "exact">(
  query?: Query<Item, Wanted, Count>,
  options?: CallOptions,
) => Promise<ListResult<Selected<Item, Wanted>, Count>>;

type FindOne<Item> = <const Wanted extends Fields<Item> = undefined>(
  id: ItemId,
  options?: OneOptions<Item, Wanted>,
) => Promise<Selected<Item, Wanted>>;

type Answer<Data> = { readonly data: Data };
type Method = NonNullable<HttpRequest["method"]>;

/** The items of one collection; see `createItems`. */
export type Items<Item extends object = GenericItem> = {
  /** The matching items of one page, and how many match in all. @throws BaasixError */
  find: Find<Item>;
  /** Same as `find`. */
  findMany: Find<Item>;
  /** One item. @throws BaasixError NOT_FOUND also when it may not be seen. */
  findOne: FindOne<Item>;
  /** Same as `findOne`. */
  get: FindOne<Item>;
  /** Every matching item, page after page (`limit` is the size of a page): `for await (const item of items.all())`. @throws BaasixError */
  all<const Wanted extends Fields<Item> = undefined>(
    query?: Query<Item, Wanted, CountMode>,
    options?: CallOptions,
  ): AsyncGenerator<Selected<Item, Wanted>, void, undefined>;
  /** The pages of `all`; they count only where the query says so. @throws BaasixError */
  pages<const Wanted extends Fields<Item> = undefined>(
    query?: Query<Item, Wanted, CountMode>,
    options?: CallOptions,
  ): AsyncGenerator<ListResult<Selected<Item, Wanted>, CountMode>, void, undefined>;
  /** How many items match. @throws BaasixError */
  count(query?: CountQuery<Item>, options?: CallOptions): Promise<number>;
  /** Works out values of the matching items, in all or by group. @throws BaasixError */
  aggregate<
    const Values extends Aggregates<Item>,
    const Groups extends readonly GroupTerm<Item>[] = [],
    Exact extends boolean = false,
  >(
    query: AggregateQuery<Item, Values, Groups, Exact>,
    options?: CallOptions,
  ): Promise<AggregateRow<Item, Values, Groups, Exact>[]>;
  /** Every matching item as a file (default NDJSON), a stream of bytes; `limit` bounds the whole. @throws BaasixError */
  export(
    query?: AnyQuery<Item> & { readonly format?: ExportFormat },
    options?: CallOptions,
  ): Promise<ReadableStream<Uint8Array>>;
  /** An item, and the version that a later write may ask for. @throws BaasixError NOT_FOUND */
  getWithVersion<const Wanted extends Fields<Item> = undefined>(
    id: ItemId,
    options?: OneOptions<Item, Wanted>,
  ): Promise<{ readonly data: Selected<Item, Wanted>; readonly version: string }>;
  /** Creates an item and answers its id, or with `fields` the item as it may be read. @throws BaasixError */
  create: Write<[data: ItemInput<Item>], Item, WriteOptions>;
  /** Same as `create`. */
  insert: Write<[data: ItemInput<Item>], Item, WriteOptions>;
  /** Creates up to 1,000 items, all or none, and answers their ids in order. @throws BaasixError */
  createMany(data: readonly ItemInput<Item>[], options?: WriteOptions): Promise<IdOf<Item>[]>;
  /** Same as `createMany`. */
  insertMany(data: readonly ItemInput<Item>[], options?: WriteOptions): Promise<IdOf<Item>[]>;
  /** Changes the given fields of an item; answers as `create` does. @throws BaasixError PRECONDITION_FAILED, … */
  update: Write<[id: ItemId, data: ItemInput<Item>], Item>;
  /** The same change to several items, all or none; answers their ids. @throws BaasixError */
  updateMany(ids: readonly ItemId[], data: ItemInput<Item>, options?: WriteOptions): Promise<IdOf<Item>[]>;
  /** To each of up to 1,000 items its own change, all or none; answers their ids. @throws BaasixError */
  bulkUpdate(changes: readonly BulkUpdateEntry<Item>[], options?: WriteOptions): Promise<IdOf<Item>[]>;
  /** Changes the items that match, all or none. @throws BaasixError INVALID_QUERY for a filter that says nothing */
  updateWhere(
    filter: Filter<Item>,
    data: ItemInput<Item>,
    options?: WriteOptions,
  ): Promise<WrittenItems<IdOf<Item>>>;
  /** Changes the item that matches, or creates it; answers as `create` does. @throws BaasixError CONFLICT when several match */
  upsert: Write<[filter: Filter<Item>, data: ItemInput<Item>], Item, WriteOptions>;
  /** Changes or creates up to 1,000 items, all or none. `on` names the unique fields that tell which. @throws BaasixError */
  upsertMany(
    data: readonly ItemInput<Item>[],
    options: WriteOptions & { readonly on: FieldName<Item> | readonly FieldName<Item>[] },
  ): Promise<UpsertedItem<IdOf<Item>>[]>;
  /** Deletes an item, softly in a `paranoid` collection. @throws BaasixError PRECONDITION_FAILED, … */
  delete(id: ItemId, options?: DeleteOptions): Promise<void>;
  /** Deletes several items, all or none. @throws BaasixError */
  deleteMany(ids: readonly ItemId[], options?: DeleteManyOptions): Promise<void>;
  /** Deletes the items that match. @throws BaasixError INVALID_QUERY for a filter that says nothing */
  deleteWhere(filter: Filter<Item>, options?: DeleteManyOptions): Promise<WrittenItems<IdOf<Item>>>;
  /** Deletes an item so that it can be restored; never for good. @throws BaasixError where the collection is not `paranoid` */
  softDelete: Write<[id: ItemId], Item>;
  /** Brings a softly deleted item back; answers as `create` does. @throws BaasixError */
  restore: Write<[id: ItemId], Item, WriteOptions>;
  /** The same for several, all or none. @throws BaasixError */
  restoreMany(ids: readonly ItemId[], options?: WriteOptions): Promise<IdOf<Item>[]>;
  /** Moves an item right before or after another, in the order of the field `sort`. @throws BaasixError */
  sortItem(item: ItemId, to: ItemId, mode?: "before" | "after", options?: WriteOptions): Promise<void>;
  /** Puts the items into the order given, in the places that they hold together. @throws BaasixError */
  reorder(ids: readonly ItemId[], options?: WriteOptions): Promise<void>;
  /** Creates the items of a CSV file. @throws BaasixError IMPORT_FAILED with `details.results` */
  importCSV(file: ImportFile, options?: ImportFileOptions): Promise<ImportResult>;
  /** Creates the items of a JSON file (a list, or one to a line). @throws BaasixError IMPORT_FAILED with `details.results` */
  importJSON(file: ImportFile, options?: ImportFileOptions): Promise<ImportResult>;
  /** Creates items as a file of them would be imported, however many. @throws BaasixError IMPORT_FAILED */
  importData(data: readonly ItemInput<Item>[], options?: ImportOptions): Promise<ImportResult>;
  /** Starts a fluent query. */
  query(): QueryBuilder<Item>;
};

/** The calls on `/items/:collection`. */
export function createItems<Item extends object>(http: Http, collection: string): Items<Item> {
  const all = path`/items/${collection}`;
  const one = (id: ItemId) => all + path`/${id}`;

  /** A write, and what it answers. */
  async function write<Result>(
    method: Method,
    path: string,
    body: unknown,
    options?: WriteOptions,
    query?: HttpRequest["query"],
  ): Promise<Result> {
    return (await http<Answer<Result> | undefined>({ ...options, method, path, query, body }))
      ?.data as Result;
  }

  /** A write of one item: its id, or the item when `fields` were asked for. */
  async function writeOne(
    method: Method,
    path: string,
    body: unknown,
    { fields, ...options }: OneOptions<GenericItem> & OneWriteOptions = {},
  ): Promise<GenericItem | ItemId> {
    const data = await write<GenericItem>(method, path, body, options, { fields });
    return fields === undefined ? (data.id as ItemId) : data;
  }

  const bulk = <Result>(method: Method, body: readonly unknown[], options?: WriteOptions) =>
    write<Result>(method, `${all}/bulk`, body, options);

  const remove = <Result>(path: string, body: unknown, { permanent, ...options }: DeleteOptions = {}) =>
    write<Result>("DELETE", path, body, options, { permanent });

  const reader: Reader = {
    find: (query, options) => http({ ...options, path: all, query }),
    async aggregate(query, options) {
      return (await http<Answer<GenericItem[]>>({ ...options, path: all, query })).data;
    },
    export({ format = "ndjson", ...rest } = {}, options) {
      const query = { ...rest, export: format };
      return http({ timeout: transferTimeout, ...options, path: all, query, answer: "stream" });
    },
  };

  async function getWithVersion(id: ItemId, { fields, ...options }: OneOptions<GenericItem> = {}) {
    const { answer, tag } = await http<Tagged<Answer<GenericItem>>>({
      ...options,
      path: one(id),
      query: { fields },
      answer: "tagged",
    });
    return { data: answer.data, version: /^(?:W\/)?"([^"-]*)/.exec(tag ?? "")?.[1] ?? "" };
  }

  const findOne = async (id: ItemId, options?: OneOptions<GenericItem>) =>
    (await getWithVersion(id, options)).data;

  const create = (body: ItemInput, options?: WriteOptions) => writeOne("POST", all, body, options);
  const createMany = (data: readonly ItemInput[], options?: WriteOptions) => bulk("POST", data, options);

  const items = {
    ...reader,
    findMany: reader.find,
    findOne,
    get: findOne,
    getWithVersion,
    all: (query: AnyQuery = {}, options?: CallOptions) => createQuery(reader, query).all(options),
    pages: (query: AnyQuery = {}, options?: CallOptions) => walk(reader, query, options),
    count: (query: CountQuery = {}, options?: CallOptions) => createQuery(reader, query).count(options),
    create,
    insert: create,
    createMany,
    insertMany: createMany,
    update: (id: ItemId, body: ItemInput, options?: OneWriteOptions) =>
      writeOne("PATCH", one(id), body, options),
    updateMany: (ids: readonly ItemId[], data: ItemInput, options?: WriteOptions) =>
      bulk(
        "PATCH",
        ids.map((id) => ({ id, data })),
        options,
      ),
    bulkUpdate: (changes: readonly BulkUpdateEntry[], options?: WriteOptions) =>
      bulk("PATCH", changes, options),
    updateWhere: (filter: Filter, data: ItemInput, options?: WriteOptions) =>
      write("PATCH", all, { filter, data }, options),
    upsert: (filter: Filter, data: ItemInput, options?: WriteOptions) =>
      writeOne("PUT", all, { filter, data }, options),
    upsertMany: (
      data: readonly ItemInput[],
      { on, ...options }: WriteOptions & { readonly on: string | readonly string[] },
    ) => write("PUT", all, { on, data }, options),
    async delete(id: ItemId, options?: DeleteOptions) {
      await remove(one(id), undefined, options);
    },
    deleteMany: (ids: readonly ItemId[], options?: DeleteManyOptions) => remove(`${all}/bulk`, ids, options),
    deleteWhere: (filter: Filter, options?: DeleteManyOptions) => remove(all, { filter }, options),
    // Not a delete, which would be for good where the collection is not `paranoid`.
    softDelete: (id: ItemId, options?: OneWriteOptions) =>
      writeOne("PATCH", one(id), { deletedAt: new Date() }, options),
    restore: (id: ItemId, options?: WriteOptions) =>
      writeOne("POST", `${one(id)}/restore`, undefined, options),
    restoreMany: (ids: readonly ItemId[], options?: WriteOptions) =>
      write("POST", `${all}/restore`, ids, options),
    async sortItem(item: ItemId, to: ItemId, mode = "before", options?: WriteOptions) {
      await write("POST", path`/utils/sort/${collection}`, { item, to, mode }, options);
    },
    async reorder(ids: readonly ItemId[], options?: WriteOptions) {
      await write("POST", `${all}/reorder`, { ids }, options);
    },
    importCSV: (file: ImportFile, options?: ImportFileOptions) => sendImport(http, all, "csv", file, options),
    importJSON: (file: ImportFile, options?: ImportFileOptions) =>
      sendImport(http, all, "json", file, options),
    importData: (data: readonly ItemInput[], options?: ImportOptions) =>
      sendImport(http, all, "json", data, options),
    query: () => createQuery(reader),
  } satisfies { readonly [Name in keyof Items]: unknown };
  // What an item holds is for the compiler: at run time all are alike.
  return items as unknown as Items<Item>;
}
