/** Items of one collection. */
import type {
  AggregateQuery,
  AggregateRow,
  Aggregates,
  BulkUpdateEntry,
  CountMode,
  CountQuery,
  FieldList,
  GenericItem,
  GroupTerm,
  IdOf,
  ItemId,
  ItemInput,
  ListResult,
  Query,
  Selected,
} from "@baasix/types";
import { type CallOptions, type Http, path, transferTimeout } from "./http";
import { type AnyQuery, createQuery, type ExportFormat, type QueryBuilder, type Reader, walk } from "./query";

type Fields<Item> = FieldList<Item> | undefined;

/** Options of calls that answer one item. */
export type OneOptions<Item, Wanted extends Fields<Item> = Fields<Item>> = CallOptions & {
  readonly fields?: Wanted;
};

type Write<Arguments extends unknown[], Item> = {
  <const Wanted extends FieldList<Item>>(
    ...args: [...Arguments, options: CallOptions & { readonly fields: Wanted }]
  ): Promise<Selected<Item, Wanted>>;
  (...args: [...Arguments, options?: CallOptions]): Promise<IdOf<Item>>;
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
  /** Creates an item and answers its id, or with `fields` the item as it may be read. @throws BaasixError */
  create: Write<[data: ItemInput<Item>], Item>;
  /** Same as `create`. */
  insert: Write<[data: ItemInput<Item>], Item>;
  /** Creates up to 1,000 items, all or none, and answers their ids in order. @throws BaasixError */
  createMany(data: readonly ItemInput<Item>[], options?: CallOptions): Promise<IdOf<Item>[]>;
  /** Same as `createMany`. */
  insertMany(data: readonly ItemInput<Item>[], options?: CallOptions): Promise<IdOf<Item>[]>;
  /** Changes the given fields of an item; answers as `create` does. @throws BaasixError */
  update: Write<[id: ItemId, data: ItemInput<Item>], Item>;
  /** The same change to several items, all or none; answers their ids. @throws BaasixError */
  updateMany(ids: readonly ItemId[], data: ItemInput<Item>, options?: CallOptions): Promise<IdOf<Item>[]>;
  /** Deletes an item, softly in a `paranoid` collection. @throws BaasixError */
  delete(id: ItemId, options?: CallOptions): Promise<void>;
  /** Deletes several items, all or none. @throws BaasixError */
  deleteMany(ids: readonly ItemId[], options?: CallOptions): Promise<void>;
  /** Starts a fluent query. */
  query(): QueryBuilder<Item>;
};

/** The calls on `/items/:collection`. */
export function createItems<Item extends object>(http: Http, collection: string): Items<Item> {
  const all = path`/items/${collection}`;
  const one = (id: ItemId) => all + path`/${id}`;

  /** The id, or the item when `fields` were asked for. */
  async function write(
    method: "POST" | "PATCH",
    path: string,
    body: ItemInput,
    { fields, ...options }: OneOptions<GenericItem> = {},
  ): Promise<GenericItem | ItemId> {
    const query = { fields };
    const { data } = await http<Answer<GenericItem>>({ ...options, method, path, query, body });
    return fields === undefined ? (data.id as ItemId) : data;
  }

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

  async function findOne(id: ItemId, { fields, ...options }: OneOptions<GenericItem> = {}) {
    return (await http<Answer<GenericItem>>({ ...options, path: one(id), query: { fields } })).data;
  }

  const create = (body: ItemInput, options?: OneOptions<GenericItem>) => write("POST", all, body, options);

  async function bulk<Result>(
    method: "POST" | "PATCH" | "DELETE",
    body: readonly unknown[],
    options?: CallOptions,
  ): Promise<Result> {
    return (await http<Answer<Result> | undefined>({ ...options, method, path: `${all}/bulk`, body }))
      ?.data as Result;
  }

  const createMany = (data: readonly ItemInput[], options?: CallOptions) => bulk("POST", data, options);

  const items = {
    ...reader,
    findMany: reader.find,
    findOne,
    get: findOne,
    all: (query: AnyQuery = {}, options?: CallOptions) => createQuery(reader, query).all(options),
    pages: (query: AnyQuery = {}, options?: CallOptions) => walk(reader, query, options),
    count: (query: CountQuery = {}, options?: CallOptions) => createQuery(reader, query).count(options),
    create,
    insert: create,
    createMany,
    insertMany: createMany,
    update: (id: ItemId, body: ItemInput, options?: OneOptions<GenericItem>) =>
      write("PATCH", one(id), body, options),
    updateMany(ids: readonly ItemId[], data: ItemInput, options?: CallOptions) {
      const body: BulkUpdateEntry[] = ids.map((id) => ({ id, data }));
      return bulk("PATCH", body, options);
    },
    async delete(id: ItemId, options?: CallOptions) {
      await http({ ...options, method: "DELETE", path: one(id) });
    },
    deleteMany: (ids: readonly ItemId[], options?: CallOptions) => bulk("DELETE", ids, options),
    query: () => createQuery(reader),
  } satisfies { readonly [Name in keyof Items]: unknown };
  // What an item holds is for the compiler: at run time all are alike.
  return items as unknown as Items<Item>;
}
