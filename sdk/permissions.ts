/** What roles may do. For administrators. */
import type { Action, ListResult, Permission, Query } from "@baasix/types";
import { type CallOptions, type Http, path } from "./http";

/** What makes a permission; `fields` as in a Permission. */
export type PermissionInput = Pick<Permission, "role_Id" | "collection" | "action"> &
  Partial<Pick<Permission, "fields" | "conditions" | "defaultValues">>;

/** Per action its grant (`fields` default `["*"]`), or false for none. */
export type CrudGrants = {
  readonly [Kind in Action]?: Partial<Pick<Permission, "fields" | "conditions" | "defaultValues">> | false;
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

  const create = (body: PermissionInput, options?: CallOptions) =>
    http<Permission>({ ...options, method: "POST", path: "/permissions", body });

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
      http<Permission>({ ...options, method: "PATCH", path: one(id), body }),
    /** Withdraws a permission. @throws BaasixError */
    async delete(id: string, options?: CallOptions): Promise<void> {
      await http({ ...options, method: "DELETE", path: one(id) });
    },
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
