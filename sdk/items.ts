/** Items of one collection. */
import type {
  BulkUpdateEntry,
  FieldPath,
  GenericItem,
  ItemId,
  ItemInput,
  ListResult,
  Query,
} from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";
import { QueryBuilder } from "./query";

type Fields<Item> = readonly FieldPath<Item>[] | string;

/** Options of calls that answer one item. */
export type OneOptions<Item> = CallOptions & { readonly fields?: Fields<Item> };

type Write<Arguments extends unknown[], Item> = {
  (...args: [...Arguments, options: CallOptions & { readonly fields: Fields<Item> }]): Promise<Item>;
  (...args: [...Arguments, options?: CallOptions]): Promise<ItemId>;
};

type Answer<Data> = { readonly data: Data };

/** The items of one collection; see `createItems`. */
export type Items<Item extends object = GenericItem> = {
  /** The matching items of one page, and how many match in all. @throws BaasixError */
  find(query?: Query<Item>, options?: CallOptions): Promise<ListResult<Item>>;
  /** Same as `find`. */
  findMany(query?: Query<Item>, options?: CallOptions): Promise<ListResult<Item>>;
  /** One item. @throws BaasixError NOT_FOUND also when it may not be seen. */
  findOne(id: ItemId, options?: OneOptions<Item>): Promise<Item>;
  /** Same as `findOne`. */
  get(id: ItemId, options?: OneOptions<Item>): Promise<Item>;
  /** Creates an item and answers its id, or with `fields` the item as it may be read. @throws BaasixError */
  create: Write<[data: ItemInput<Item>], Item>;
  /** Same as `create`. */
  insert: Write<[data: ItemInput<Item>], Item>;
  /** Creates up to 1,000 items, all or none, and answers their ids in order. @throws BaasixError */
  createMany(data: readonly ItemInput<Item>[], options?: CallOptions): Promise<ItemId[]>;
  /** Same as `createMany`. */
  insertMany(data: readonly ItemInput<Item>[], options?: CallOptions): Promise<ItemId[]>;
  /** Changes the given fields of an item; answers as `create` does. @throws BaasixError */
  update: Write<[id: ItemId, data: ItemInput<Item>], Item>;
  /** The same change to several items, all or none; answers their ids. @throws BaasixError */
  updateMany(ids: readonly ItemId[], data: ItemInput<Item>, options?: CallOptions): Promise<ItemId[]>;
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
    body: ItemInput<Item>,
    { fields, ...options }: OneOptions<Item> = {},
  ): Promise<Item | ItemId> {
    const query = { fields };
    const { data } = await http<Answer<Item & { id: ItemId }>>({ ...options, method, path, query, body });
    return fields === undefined ? data.id : data;
  }

  const items: Items<Item> = {
    find: (query, options) => http<ListResult<Item>>({ ...options, path: all, query }),
    findMany: (query, options) => items.find(query, options),
    async findOne(id, { fields, ...options } = {}) {
      return (await http<Answer<Item>>({ ...options, path: one(id), query: { fields } })).data;
    },
    get: (id, options) => items.findOne(id, options),
    create: ((body: ItemInput<Item>, options?: OneOptions<Item>) =>
      write("POST", all, body, options)) as Items<Item>["create"],
    insert: ((data: ItemInput<Item>, options?: CallOptions) =>
      items.create(data, options)) as Items<Item>["insert"],
    async createMany(body, options) {
      const bulk = `${all}/bulk`;
      return (await http<Answer<ItemId[]>>({ ...options, method: "POST", path: bulk, body })).data;
    },
    insertMany: (data, options) => items.createMany(data, options),
    update: ((id: ItemId, body: ItemInput<Item>, options?: OneOptions<Item>) =>
      write("PATCH", one(id), body, options)) as Items<Item>["update"],
    async updateMany(ids, data, options) {
      const body: BulkUpdateEntry[] = ids.map((id) => ({ id, data }));
      const bulk = `${all}/bulk`;
      return (await http<Answer<ItemId[]>>({ ...options, method: "PATCH", path: bulk, body })).data;
    },
    async delete(id, options) {
      await http({ ...options, method: "DELETE", path: one(id) });
    },
    async deleteMany(body, options) {
      await http({ ...options, method: "DELETE", path: `${all}/bulk`, body });
    },
    query: () => new QueryBuilder<Item>(items.find),
  };
  return items;
}
