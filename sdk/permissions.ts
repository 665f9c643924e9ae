/** What roles may do. For administrators, but for `me`. */
import type {
  Action,
  AggregateQuery,
  Explanation,
  PermissionImportPreview,
  PermissionImportResult,
  ItemId,
  ListResult,
  Permission,
  PermissionExport,
  Query,
  Rights,
  Role,
} from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";
import type { AnyQuery } from "./query";

/** What a permission opens; `fields` as in a Permission. */
export type Grant = Partial<Pick<Permission, "fields" | "conditions" | "relConditions" | "defaultValues">>;

/** What makes a permission. */
export type PermissionInput = Pick<Permission, "role_Id" | "collection" | "action"> & Grant;

/** Per action its grant (`fields` default `["*"]`), or false for none. */
export type CrudGrants = { readonly [Kind in Action]?: Grant | false };

/** The read to explain, and for whom: a role (its name or id) or an account (its id); without them the caller itself. */
export type ExplainRequest = {
  /** One item instead of a list. */
  readonly id?: ItemId;
  readonly query?: AnyQuery | AggregateQuery;
  readonly role?: string;
  readonly user?: string;
  /** Where the role or the account acts: the id of a tenant. */
  readonly tenant?: string;
};

type Answer<Data> = { readonly data: Data };

const actions: readonly Action[] = ["create", "read", "update", "delete"];

/** The permission calls of a client; see `createPermissions`. */
export type Permissions = ReturnType<typeof createPermissions>;

/** The calls on `/permissions`. */
export function createPermissions(http: Http) {
  const one = (id: string) => path`/permissions/${id}`;
  const find = (query?: Query<Permission>, options?: CallOptions) =>
    http<ListResult<Permission>>({ ...options, path: "/permissions", query });

  async function write(
    method: "POST" | "PATCH",
    route: string,
    body: Partial<PermissionInput>,
    options?: CallOptions,
  ): Promise<Permission> {
    return (await http<Answer<Permission>>({ ...options, method, path: route, body })).data;
  }

  const create = (body: PermissionInput, options?: CallOptions) =>
    write("POST", "/permissions", body, options);

  const send = <Result>(route: string, body?: unknown, options?: CallOptions) =>
    http<Result>({ ...options, method: "POST", path: route, body });

  return {
    /** The matching permissions. @throws BaasixError */
    find,
    /** One permission. @throws BaasixError NOT_FOUND */
    async findOne(id: string, options?: CallOptions): Promise<Permission> {
      return (await http<Answer<Permission>>({ ...options, path: one(id) })).data;
    },
    /** All of a role. @throws BaasixError */
    findByRole: (role: string, options?: CallOptions) =>
      find({ filter: { role_Id: { eq: role } }, limit: -1 }, options),
    /** All on a collection. @throws BaasixError */
    findByCollection: (collection: string, options?: CallOptions) =>
      find({ filter: { collection: { eq: collection } }, limit: -1 }, options),
    /** Makes a permission and answers it. @throws BaasixError UNIQUE_VIOLATION when there is one already */
    create,
    /** Changes a permission and answers it. @throws BaasixError */
    update: (id: string, body: Partial<PermissionInput>, options?: CallOptions) =>
      write("PATCH", one(id), body, options),
    /** Withdraws a permission. @throws BaasixError */
    async delete(id: string, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "DELETE", path: one(id) });
    },
    /** All roles, to give permissions to. @throws BaasixError */
    async getRoles(options?: CallOptions): Promise<Role[]> {
      const query = { limit: -1 };
      return (await http<ListResult<Role>>({ ...options, path: "/items/baasix_Role", query })).data;
    },
    /** Reads roles and permissions anew, after changes that the server cannot have heard of. @throws BaasixError */
    async reloadCache(options?: CallOptions): Promise<void> {
      await send("/permissions/reload", undefined, options);
    },
    /** What the caller may do, whoever it is. @throws BaasixError */
    async me(options?: CallOptions): Promise<Rights> {
      return (await http<Answer<Rights>>({ ...options, path: "/permissions/me" })).data;
    },
    /** Which permissions allow, cut or refuse a read. @throws BaasixError */
    async explain(
      collection: string,
      { id, query, role, user, tenant }: ExplainRequest = {},
      options?: CallOptions,
    ): Promise<Explanation> {
      const route = path`/items/${collection}` + (id === undefined ? "" : path`/${id}`);
      const caller = { explainRole: role, explainUser: user, explainTenant: tenant };
      const asked = { ...query, explain: "permissions", ...caller };
      return (await http<{ explain: Explanation }>({ ...options, path: route, query: asked })).explain;
    },
    /** All roles with their permissions, to keep or to import elsewhere. @throws BaasixError */
    export: (options?: CallOptions) => http<PermissionExport>({ ...options, path: "/permissions-export" }),
    /** What an import would do. @throws BaasixError */
    previewImport: (
      data: PermissionExport,
      { overwrite, ...options }: CallOptions & { readonly overwrite?: boolean } = {},
    ) => send<PermissionImportPreview>("/permissions-preview-import", { data, overwrite }, options),
    /**
     * Takes over the roles of an export, all or none. The permissions of a role that is there already are replaced;
     * with `overwrite: false` they stay, and those that are missing are added. @throws BaasixError
     */
    import: (
      data: PermissionExport,
      { overwrite, ...options }: CallOptions & { readonly overwrite?: boolean } = {},
    ) => send<PermissionImportResult>("/permissions-import", { data, overwrite }, options),
    /** Grants a role the given actions on a collection, one call each. @throws BaasixError */
    async createCrudPermissions(role: string, collection: string, grants: CrudGrants, options?: CallOptions) {
      const created: Permission[] = [];
      for (const action of actions) {
        const grant = grants[action];
        if (!grant) continue;
        // One after the other: the first refusal stops the rest.
        // oxlint-disable-next-line no-await-in-loop
        created.push(await create({ fields: ["*"], ...grant, role_Id: role, collection, action }, options));
      }
      return created;
    },
  };
}
