/** Definitions of collections. */
import type {
  FieldDefinition,
  ListResult,
  RelationshipDefinition,
  SchemaChange,
  SchemaDefinition,
  SchemaRecord,
} from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";

/** Parameters of a list of schemas. `search` looks into names; `sort` as for items. */
export type SchemaQuery = {
  readonly search?: string;
  readonly page?: number;
  readonly limit?: number;
  readonly sort?: string;
};

/** Options of a change. `force` lets it lose data. */
export type SchemaChangeOptions = CallOptions & { readonly force?: boolean };

type Answer<Data> = { readonly data: Data };

/** The schema calls of a client; see `createSchemas`. */
export type Schemas = ReturnType<typeof createSchemas>;

/** The calls on `/schemas`; all but `find` and `findOne` are for administrators. */
export function createSchemas(http: Http) {
  const one = (collection: string) => path`/schemas/${collection}`;

  async function findOne(collection: string, options?: CallOptions): Promise<SchemaRecord> {
    return (await http<Answer<SchemaRecord>>({ ...options, path: one(collection) })).data;
  }

  /** Replaces a definition: fields left out are dropped, which needs `force` where they hold data. */
  async function update(
    collection: string,
    change: SchemaDefinition | { readonly schema: SchemaDefinition },
    { force, ...options }: SchemaChangeOptions = {},
  ): Promise<void> {
    const schema = "schema" in change ? change.schema : change;
    await http({ ...options, method: "PATCH", path: one(collection), query: { force }, body: { schema } });
  }

  async function change(
    collection: string,
    edit: (fields: SchemaDefinition["fields"]) => SchemaDefinition["fields"],
    options?: SchemaChangeOptions,
  ): Promise<void> {
    const { schema } = await findOne(collection, options);
    await update(collection, { ...schema, fields: edit(schema.fields) }, options);
  }

  return {
    /** The definitions that may be seen. @throws BaasixError */
    find: (query?: SchemaQuery, options?: CallOptions) =>
      http<ListResult<SchemaRecord>>({ ...options, path: "/schemas", query }),
    /** One definition. @throws BaasixError NOT_FOUND */
    findOne,
    /** Makes a collection: `create(name, definition)` or `create({collectionName, schema})`. @throws BaasixError */
    async create(
      collection: string | SchemaRecord,
      definition?: SchemaDefinition,
      options?: CallOptions,
    ): Promise<void> {
      const body =
        typeof collection === "string" ? { collectionName: collection, schema: definition } : collection;
      await http({ ...options, method: "POST", path: "/schemas", body });
    },
    update,
    /** What `update` with the same definition would do, without doing it. @throws BaasixError */
    async diff(collection: string, schema: SchemaDefinition, options?: CallOptions): Promise<SchemaChange[]> {
      const query = { dryRun: true };
      const request = {
        ...options,
        method: "PATCH",
        path: one(collection),
        query,
        body: { schema },
      } as const;
      return (await http<{ changes: SchemaChange[] }>(request)).changes;
    },
    /** Drops a collection with all its items, for good. @throws BaasixError */
    async delete(collection: string, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "DELETE", path: one(collection) });
    },
    /** Makes a relation from the collection to another. @throws BaasixError */
    async createRelationship(collection: string, body: RelationshipDefinition, options?: CallOptions) {
      await http({ ...options, method: "POST", path: `${one(collection)}/relationships`, body });
    },
    /** Drops a relation with its key column. @throws BaasixError DATA_LOSS without `force` when keys are set */
    async deleteRelationship(
      collection: string,
      name: string,
      { force, ...options }: SchemaChangeOptions = {},
    ): Promise<void> {
      const route = one(collection) + path`/relationships/${name}`;
      await http({ ...options, method: "DELETE", path: route, query: { force } });
    },
    /** Adds a field, or changes the one of that name. @throws BaasixError */
    addField: (collection: string, name: string, field: FieldDefinition, options?: SchemaChangeOptions) =>
      change(collection, (fields) => ({ ...fields, [name]: field }), options),
    /** Drops a field. @throws BaasixError DATA_LOSS without `force` when it holds data */
    removeField: (collection: string, name: string, options?: SchemaChangeOptions) =>
      change(
        collection,
        (fields) => Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name)),
        options,
      ),
  };
}
