/** Wire shapes around permissions: what a caller may do, why, and how rights move from one server to another. */
import type { ErrorCode } from "./errors";
import type { Action, Permission } from "./items";

/** What the caller may do with the fields of a collection. */
export type FieldRights = {
  /** Columns, or `["*"]` for every one; patterns such as `author.name` and `comments.*` open what lies behind relations. */
  readonly fields: readonly string[];
  /** Of these the columns that are open on some of the rows alone: several roles, each with its own rows. */
  readonly partly: readonly string[];
  /** True: not every row, for a condition of the permission must hold. */
  readonly conditional: boolean;
};

/** Answer of `GET /permissions/me`. Collections and actions without any right are not in it. */
export type Rights = {
  readonly admin: boolean;
  /** By name. Without an account: the role `public`. */
  readonly roles: readonly { readonly id: string; readonly name: string }[];
  readonly collections: {
    readonly [collection: string]: {
      readonly create?: FieldRights;
      readonly read?: FieldRights;
      readonly update?: FieldRights;
      readonly delete?: Pick<FieldRights, "conditional">;
    };
  };
};

/** Answer of a read with `explain=permissions`: what the rules make of it, without the rows. */
export type Explanation = {
  readonly collection: string;
  readonly action: "read";
  /** For whom. `id` null: for a role, without any account in it. */
  readonly caller: {
    readonly kind: "user" | "anonymous";
    readonly id: string | null;
    readonly admin: boolean;
    readonly roles: readonly { readonly id: string; readonly name: string }[];
  };
  readonly outcome: "allowed" | "refused";
  readonly refusal: { readonly code: ErrorCode; readonly message: string } | null;
  /** The role that needs no permission, when it is one of the caller's. */
  readonly bypass: "administrator" | null;
  /** The permissions on the collection itself. Rows are open where the condition of any holds; nothing is where there is none. */
  readonly grants: readonly ExplainedGrant[];
  /** `all` of the collection, `some` by the conditions, or `none`. */
  readonly rows: "all" | "some" | "none";
  /** Permissions of the caller that cannot be understood and give nothing. */
  readonly problems: readonly string[];
  /** Every field that the request touches, by its path, in the order in which they were judged; the last one was refused. */
  readonly decisions: readonly ExplainedDecision[];
  /** Of a read by key: whether the row is there, and which permission opens it. */
  readonly row?: {
    readonly exists: boolean;
    readonly visible: boolean;
    readonly opened: readonly { readonly permission: string | null; readonly holds: boolean }[];
  };
};

/** A permission that was considered; `permission` and `role` are null for what is built in. */
export type ExplainedGrant = {
  readonly permission: string | null;
  readonly role: { readonly id: string; readonly name: string } | null;
} & Pick<Permission, "fields" | "conditions" | "relConditions">;

/**
 * What was decided about a field or relation. `at`: its place in the request, null where a wildcard asked. `partly`: on
 * some rows alone. `permissions`: the ids of those that open it.
 */
export type ExplainedDecision = {
  readonly path: string;
  readonly at: string | null;
  readonly outcome: "open" | "partly" | "left out" | "refused";
  readonly permissions: readonly string[];
  readonly reason: string | null;
};

/** A permission as it travels between servers: without ids. */
export type PortablePermission = Pick<
  Permission,
  "collection" | "fields" | "conditions" | "relConditions" | "defaultValues"
> & { readonly action: Action };

/** A role as it travels. What is not given stays as it is; `canInviteRoles` are names. */
export type PortableRole = {
  readonly name: string;
  readonly description?: string | null;
  readonly icon?: string | null;
  readonly appAccess?: boolean;
  readonly ipWhitelist?: readonly string[] | null;
  readonly isTenantSpecific?: boolean;
  readonly canInviteRoles?: readonly string[] | null;
  readonly permissions: readonly PortablePermission[];
};

/** Answer of `/permissions-export`, and what imports take. */
export type PermissionExport = {
  readonly version: "1.0";
  readonly timestamp: string;
  readonly roles: readonly PortableRole[];
};

/** What would become of a role. `permissions` are named `collection:action`. */
export type RoleDifferences = {
  readonly [Setting in Exclude<keyof PortableRole, "name" | "permissions">]?: Difference;
} & {
  readonly permissions?: {
    readonly added: readonly string[];
    readonly modified: readonly {
      readonly permission: string;
      readonly changes: { readonly [field: string]: Difference };
    }[];
    readonly removed: readonly string[];
  };
};

type Difference = { readonly type: "changed"; readonly from: unknown; readonly to: unknown };

/** Answer of `POST /permissions-preview-import`. Roles that the document does not name are not touched: `deleted` is empty. */
export type PermissionImportPreview = {
  readonly importVersion: string;
  readonly importTimestamp: string | null;
  readonly changes: {
    readonly new: readonly {
      readonly name: string;
      readonly type: "role";
      readonly details: { readonly description: string | null; readonly permissions: readonly string[] };
    }[];
    readonly modified: readonly {
      readonly name: string;
      readonly type: "role";
      readonly differences: RoleDifferences;
    }[];
    readonly deleted: readonly { readonly name: string; readonly type: "role" }[];
    readonly unchanged: readonly string[];
  };
};

/** Answer of `POST /permissions-import`: all of it was done. `imported` and `skipped` count permissions. */
export type PermissionImportResult = {
  readonly message: string;
  readonly changes: {
    readonly created: readonly string[];
    readonly updated: readonly string[];
    readonly deleted: readonly string[];
    readonly errors: readonly { readonly role: string; readonly error: string }[];
  };
  /** Permissions that were made or changed. */
  readonly imported: number;
  /** Permissions of the document that were there already, as they are or (without `overwrite`) otherwise. */
  readonly skipped: number;
  readonly errors: readonly { readonly role: string; readonly error: string }[];
};
