/** Roles and users: the items of two system collections. */
import type {
  AdminLink,
  AdminLinkInput,
  FieldPath,
  InviteResult,
  ItemId,
  ItemInput,
  ListResult,
  Query,
  Role,
  User,
} from "@baasix/types";
import { type CallOptions, type Http, type OneWriteOptions, path, type WriteOptions } from "./http";
import type { InviteRequest } from "./invites";
import { createItems, type Items } from "./items";
import { createSentInvites, type SentInvites } from "./sent-invites";
import { createUserSessions, type UserSessions } from "./sessions";

/** A row of `baasix_User` as an administrator sees it. `status`: `active`, `inactive`, `suspended`, … */
export type UserRecord = User & {
  readonly username: string | null;
  readonly emailVerified: boolean;
  readonly status: string;
  /** What the account says of itself. */
  readonly userMetadata: { readonly [name: string]: unknown } | null;
  /** What administrators say of it. */
  readonly appMetadata: { readonly [name: string]: unknown } | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

/** Fields of a user. */
export type UserInput = ItemInput<UserRecord>;

/** A new user. `password`: what it signs in with; `role_Id`: its role. */
export type NewUser = UserInput & { readonly password?: string; readonly role_Id?: string };

/** The role calls of a client. */
export type Roles = Items<Role> & {
  /** The role of that name, or null. */
  findByName(name: string, options?: CallOptions): Promise<Role | null>;
};

/** The user calls of a client, for administrators. */
export type Users = {
  find(query?: Query<UserRecord>, options?: CallOptions): Promise<ListResult<UserRecord>>;
  findOne(id: ItemId, fields?: readonly FieldPath<UserRecord>[], options?: CallOptions): Promise<UserRecord>;
  /** The user of that address, or null. */
  findByEmail(email: string, options?: CallOptions): Promise<UserRecord | null>;
  create(data: NewUser, options?: WriteOptions): Promise<ItemId>;
  createMany(data: readonly NewUser[], options?: WriteOptions): Promise<ItemId[]>;
  update(id: ItemId, data: UserInput, options?: OneWriteOptions): Promise<ItemId>;
  delete(id: ItemId, options?: OneWriteOptions): Promise<void>;
  deleteMany(ids: readonly ItemId[], options?: WriteOptions): Promise<void>;
  /** Sets the password, which ends the user's sessions. @throws BaasixError REAUTHENTICATION_REQUIRED, VALIDATION_ERROR */
  changePassword(id: ItemId, newPassword: string, options?: CallOptions): Promise<void>;
  /** Takes the second factors from a user who lost them; gives how many. @throws BaasixError REAUTHENTICATION_REQUIRED */
  removeFactors(id: ItemId, options?: CallOptions): Promise<number>;
  /** Locks a user out: all sessions end. */
  suspend(id: ItemId, options?: CallOptions): Promise<ItemId>;
  activate(id: ItemId, options?: CallOptions): Promise<ItemId>;
  /** Says that the mail address is the user's. */
  confirmEmail(id: ItemId, options?: CallOptions): Promise<ItemId>;
  /** Has an invitation mailed. @throws BaasixError FORBIDDEN for a role that the caller may not give */
  invite(request: InviteRequest, options?: CallOptions): Promise<InviteResult["invite"]>;
  /** The invitations that the caller may make. */
  readonly invites: SentInvites;
  /** Makes a link of a mail, to hand it over; nothing is mailed. @throws BaasixError REAUTHENTICATION_REQUIRED, NOT_FOUND */
  generateLink(input: AdminLinkInput, options?: CallOptions): Promise<AdminLink>;
  /** Open sessions of a user. */
  readonly sessions: UserSessions;
};

/** The calls on `/items/baasix_Role`. */
export function createRoles(http: Http): Roles {
  const items = createItems<Role>(http, "baasix_Role");
  // Roles are few: all of them, where no page is asked for.
  const find: Items<Role>["find"] = (query, options) =>
    items.find({ limit: -1, ...query } as typeof query, options);
  return {
    ...items,
    find,
    findMany: find,
    findByName: (name, options) =>
      items
        .query()
        .filter({ name: { eq: name } })
        .first(options),
  };
}

/** The calls on `/items/baasix_User`. */
export function createUsers(http: Http): Users {
  const items = createItems<UserRecord>(http, "baasix_User");
  return {
    find: items.find,
    findOne: (id, fields, options) => items.findOne(id, { ...options, fields }),
    findByEmail: (email, options) =>
      items
        .query()
        .filter({ email: { eq: email.toLowerCase() } })
        .first(options),
    create: items.create,
    createMany: items.createMany,
    update: items.update,
    delete: items.delete,
    deleteMany: items.deleteMany,
    async changePassword(userId, newPassword, options) {
      const body = { userId, newPassword };
      await http({ ...options, method: "POST", path: "/auth/admin/password/change", body });
    },
    async removeFactors(id, options) {
      const request = { ...options, method: "DELETE", path: path`/auth/admin/users/${id}/factors` } as const;
      return (await http<{ readonly data: { readonly count: number } }>(request)).data.count;
    },
    suspend: (id, options) => items.update(id, { status: "suspended" }, options),
    activate: (id, options) => items.update(id, { status: "active" }, options),
    confirmEmail: (id, options) => items.update(id, { emailVerified: true }, options),
    async invite({ roleId, tenantId, redirectUrl, ...rest }, options) {
      const body = { ...rest, role_Id: roleId, tenant_Id: tenantId, link: redirectUrl };
      return (await http<InviteResult>({ ...options, method: "POST", path: "/auth/invite", body })).invite;
    },
    invites: createSentInvites(http),
    async generateLink(body, options) {
      const request = { ...options, method: "POST", path: "/auth/admin/links", body } as const;
      return (await http<{ readonly data: AdminLink }>(request)).data;
    },
    sessions: createUserSessions(http),
  };
}
