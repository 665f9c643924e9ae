/** Definitions of collections. */
import type {
  FieldDefinition,
  IndexDefinition,
  IndexMigration,
  ListResult,
  RelationshipChange,
  RelationshipDefinition,
  SchemaChange,
  SchemaDefinition,
  SchemaExport,
  SchemaImportPreview,
  SchemaImportResult,
  SchemaRecord,
} from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";

type SchemaSort = "collectionName" | "name";

/**
 * Parameters of a list of schemas. `search` looks into names; `sort`: `"name"`, `"-name"`, `"name:desc"`,
 * `{name: "desc"}` or a list of one of them.
 */
export type SchemaQuery = {
  readonly search?: string;
  readonly page?: number;
  readonly limit?: number;
  readonly sort?: string | readonly string[] | { readonly [Key in SchemaSort]?: "asc" | "desc" };
};

/** Options of a change. `force` lets it lose data. */
export type SchemaChangeOptions = CallOptions & { readonly force?: boolean };

/** Options of an update. `renames`: fields by their names before and after; the definition is in the names after. */
export type SchemaUpdateOptions = SchemaChangeOptions & {
  readonly renames?: { readonly [field: string]: string };
};

/** Options of an import. `prune`: what it does not mention goes. */
export type SchemaImportOptions = SchemaChangeOptions & { readonly prune?: boolean };

/** Definitions to import: an export, a list of definitions, or a file with either as JSON. */
export type SchemaSource = SchemaExport | readonly SchemaRecord[] | Blob;

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
    { force, renames, ...options }: SchemaUpdateOptions = {},
  ): Promise<void> {
    const schema = "schema" in change ? change.schema : change;
    const body = { schema, renames };
    await http({ ...options, method: "PATCH", path: one(collection), query: { force }, body });
  }

  /** Some fields alone; the others stay, also those that somebody else adds at the moment. */
  async function change(
    collection: string,
    fields: { readonly [name: string]: FieldDefinition | null },
    { force, ...options }: SchemaChangeOptions = {},
  ): Promise<void> {
    await http({ ...options, method: "PATCH", path: one(collection), query: { force }, body: { fields } });
  }

  async function rename(route: string, to: string, options?: CallOptions): Promise<void> {
    await http({ ...options, method: "POST", path: route, body: { to } });
  }

  return {
    /** The definitions that may be seen. @throws BaasixError */
    find: ({ sort, ...query }: SchemaQuery = {}, options?: CallOptions) =>
      http<ListResult<SchemaRecord>>({
        ...options,
        path: "/schemas",
        query: { ...query, sort: sort === undefined ? undefined : sortText(sort) },
      }),
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
    /** Changes a relation: what happens when a row goes, its way back, the collections of M2A. @throws BaasixError */
    async updateRelationship(
      collection: string,
      name: string,
      body: RelationshipChange,
      { force, ...options }: SchemaChangeOptions = {},
    ): Promise<void> {
      const route = one(collection) + path`/relationships/${name}`;
      await http({ ...options, method: "PATCH", path: route, query: { force }, body });
    },
    /**
     * Drops a relation with its key column, its way back and its junction.
     * @throws BaasixError DATA_LOSS without `force` when items are related
     */
    async deleteRelationship(
      collection: string,
      name: string,
      { force, ...options }: SchemaChangeOptions = {},
    ): Promise<void> {
      const route = one(collection) + path`/relationships/${name}`;
      await http({ ...options, method: "DELETE", path: route, query: { force } });
    },
    /** Makes an index. @throws BaasixError CONFLICT where values that should be unique are not */
    async createIndex(collection: string, body: IndexDefinition, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "POST", path: `${one(collection)}/indexes`, body });
    },
    /** Drops an index. @throws BaasixError NOT_FOUND */
    async deleteIndex(collection: string, name: string, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "DELETE", path: one(collection) + path`/indexes/${name}` });
    },
    /** Makes the indexes that definitions ask for and the database lacks. @throws BaasixError */
    migrateIndexes: (options?: CallOptions) =>
      http<IndexMigration>({ ...options, method: "POST", path: "/schemas/indexes/migrate" }),
    /** Gives a collection another name: its items, relations and rights follow. @throws BaasixError CONFLICT */
    renameCollection: (collection: string, to: string, options?: CallOptions) =>
      rename(`${one(collection)}/rename`, to, options),
    /** Gives a field or a relation another name; what names it follows. @throws BaasixError CONFLICT */
    renameField: (collection: string, field: string, to: string, options?: CallOptions) =>
      rename(one(collection) + path`/fields/${field}/rename`, to, options),
    /** All definitions, to keep or to import elsewhere. @throws BaasixError */
    export: (options?: CallOptions) => http<SchemaExport>({ ...options, path: "/schemas-export" }),
    /** How the server differs from a document, and what an import of it would do. @throws BaasixError */
    previewImport: (source: SchemaSource, { prune, ...options }: Omit<SchemaImportOptions, "force"> = {}) =>
      http<SchemaImportPreview>({
        ...options,
        method: "POST",
        path: "/schemas-preview-import",
        query: { prune },
        body: bodyOf(source),
      }),
    /** Takes definitions over: all of them, or none. @throws BaasixError DATA_LOSS without `force` */
    import: (source: SchemaSource, { prune, force, ...options }: SchemaImportOptions = {}) =>
      http<SchemaImportResult>({
        ...options,
        method: "POST",
        path: "/schemas-import",
        query: { prune, force },
        body: bodyOf(source),
      }),
    /** Adds a field, or changes the one of that name. @throws BaasixError */
    addField: (collection: string, name: string, field: FieldDefinition, options?: SchemaChangeOptions) =>
      change(collection, { [name]: field }, options),
    /** Drops a field. @throws BaasixError DATA_LOSS without `force` when it holds data */
    removeField: (collection: string, name: string, options?: SchemaChangeOptions) =>
      change(collection, { [name]: null }, options),
  };
}

function bodyOf(source: SchemaSource): unknown {
  if (!(source instanceof Blob)) return "schemas" in source ? source : { schemas: source };
  const form = new FormData();
  form.append("schema", source, "schema.json");
  return form;
}

/** `name:desc`, as the server takes it; of a list the first. */
function sortText(sort: NonNullable<SchemaQuery["sort"]>): string {
  if (typeof sort === "string") {
    const [name = "", direction] = sort.split(":");
    if (direction !== undefined) return sort;
    return name.startsWith("-") ? `${name.slice(1)}:desc` : `${name}:asc`;
  }
  if (isList(sort)) return sortText(sort[0] ?? "collectionName");
  const [[name = "collectionName", direction = "asc"] = []] = Object.entries(sort);
  return `${name}:${direction}`;
}

function isList(sort: NonNullable<SchemaQuery["sort"]>): sort is readonly string[] {
  return Array.isArray(sort);
}
