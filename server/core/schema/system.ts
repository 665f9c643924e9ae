/** The built-in collections, as data. Changing one here upgrades the tables at the next start. */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import type { JsonSchema } from "./types";

/**
 * A built-in collection. `guarded`: written by the server alone, whatever the role. `serverOwned`: columns that no client
 * may write. `lowerCase`: columns whose letter case says nothing.
 * `bodyExtras`: what bodies of new items may say that is no column, for the feature that takes part in the writes.
 */
export type SystemCollection = {
  readonly definition: SchemaDefinition;
  readonly guarded: boolean;
  readonly serverOwned?: readonly string[];
  readonly lowerCase?: readonly string[];
  readonly bodyExtras?: Readonly<Record<string, JsonSchema>>;
};

const key = {
  type: "UUID",
  primaryKey: true,
  defaultValue: { type: "UUIDV4" },
} as const satisfies FieldDefinition;
const flag = { type: "Boolean", allowNull: false, defaultValue: false } as const satisfies FieldDefinition;
const required = { type: "Text", allowNull: false } as const satisfies FieldDefinition;
const secret = { type: "Text", hidden: true } as const satisfies FieldDefinition;
const text = { type: "Text" } as const satisfies FieldDefinition;
/** Of the web; one that an application has takes paths behind it. */
const webAddress = {
  type: "String",
  values: { length: 2048 },
  validate: { is: "^https?://[^\\s@]+$" },
} as const satisfies FieldDefinition;
const appAddress = { ...webAddress, validate: { is: "^https?://[^\\s?#@]+$" } } as const;
/** -1: any number. */
const sessionLimit = {
  type: "Integer",
  validate: { min: -1, max: 1_000_000 },
} as const satisfies FieldDefinition;

const belongsTo = (
  target: string,
  foreignKey: string,
  onDelete: "CASCADE" | "RESTRICT",
): FieldDefinition => ({ relType: "BelongsTo", target, foreignKey, allowNull: false, onDelete });

/** The tenant that a row belongs to; null: none. */
const ofTenant = (onDelete: "CASCADE" | "RESTRICT"): FieldDefinition => ({
  relType: "BelongsTo",
  target: "baasix_Tenant",
  foreignKey: "tenant_Id",
  onDelete,
});

const hasMany = (target: string, foreignKey: string): FieldDefinition => ({
  relType: "HasMany",
  target,
  foreignKey,
});

/**
 * The number of their definitions, which the database keeps: a server does not start on one that has a higher one. Goes up by one
 * with each release that changes them (`system.test.ts` knows whether it did), and never back.
 */
export const systemVersion = 1;

/** All of them, by name. */
export const systemCollections: ReadonlyMap<string, SystemCollection> = new Map<string, SystemCollection>([
  [
    "baasix_SchemaDefinition",
    {
      guarded: true,
      definition: {
        name: "Schema definition",
        fields: {
          collectionName: { type: "String", values: { length: 63 }, primaryKey: true },
          schema: { type: "JSONB", allowNull: false },
          // jsonb forgets the order of keys; this keeps the order of the fields.
          fieldOrder: { type: "JSONB", hidden: true },
          // Of built-in collections: who may read definitions does not learn of these.
          hiddenFields: { type: "JSONB", hidden: true },
        },
      },
    },
  ],
  [
    "baasix_Role",
    {
      guarded: false,
      definition: {
        name: "Role",
        fields: {
          id: key,
          name: {
            type: "String",
            values: { length: 128 },
            allowNull: false,
            unique: true,
            validate: { notEmpty: true },
          },
          description: text,
          icon: text,
          appAccess: { ...flag, defaultValue: true },
          adminAccess: flag,
          enforceTotp: flag,
          ipWhitelist: { type: "Array", values: { type: "String" } },
          // Whoever has it sees the rows of one tenant. Without tenants it says nothing.
          isTenantSpecific: { ...flag, defaultValue: true },
          canInviteRoleIds: { type: "Array", values: { type: "UUID" } },
          permissions: hasMany("baasix_Permission", "role_Id"),
          userRoles: hasMany("baasix_UserRole", "role_Id"),
        },
      },
    },
  ],
  [
    "baasix_Permission",
    {
      guarded: false,
      definition: {
        name: "Permission",
        fields: {
          id: key,
          role: belongsTo("baasix_Role", "role_Id", "CASCADE"),
          collection: { type: "String", values: { length: 63 }, allowNull: false },
          action: { type: "Enum", values: ["create", "read", "update", "delete"], allowNull: false },
          fields: { type: "JSONB" },
          conditions: { type: "JSONB" },
          relConditions: { type: "JSONB" },
          defaultValues: { type: "JSONB" },
        },
        indexes: [{ fields: ["role_Id", "collection", "action"], unique: true }],
      },
    },
  ],
  [
    "baasix_User",
    {
      guarded: false,
      lowerCase: ["email", "username"],
      bodyExtras: {
        password: {
          type: "string",
          writeOnly: true,
          description: "What the account signs in with, from administrators",
        },
        role_Id: { type: "string", format: "uuid", description: "The role that the account gets" },
        tenant_Id: { type: "string", format: "uuid", description: "With tenants: where it gets the role" },
      },
      definition: {
        name: "User",
        fields: {
          id: key,
          firstName: text,
          lastName: text,
          email: { type: "String", values: { length: 320 }, allowNull: false, unique: true },
          // No "@": what somebody signs in with is a mail address or a name, never both.
          username: {
            type: "String",
            values: { length: 64 },
            unique: true,
            validate: { is: "^[a-z0-9](?:[a-z0-9._-]{1,62}[a-z0-9])$" },
          },
          emailVerified: flag,
          phone: text,
          avatar_Id: { type: "UUID" },
          // What the account says of itself, and what administrators say of it.
          userMetadata: { type: "JSONB" },
          appMetadata: { type: "JSONB" },
          lastAccess: { type: "DateTime" },
          status: {
            type: "Enum",
            values: ["active", "inactive", "suspended", "pending", "deleted"],
            allowNull: false,
            defaultValue: "active",
          },
          userRoles: hasMany("baasix_UserRole", "user_Id"),
        },
      },
    },
  ],
  [
    "baasix_UserRole",
    {
      guarded: false,
      definition: {
        name: "User role",
        fields: {
          id: key,
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          role: belongsTo("baasix_Role", "role_Id", "RESTRICT"),
          // Where the account has the role; null: everywhere.
          tenant: ofTenant("CASCADE"),
        },
        indexes: [{ fields: ["user_Id", "role_Id", "tenant_Id"], unique: true, nullsNotDistinct: true }],
      },
    },
  ],
  [
    "baasix_Tenant",
    {
      guarded: false,
      definition: {
        name: "Tenant",
        fields: {
          id: key,
          name: {
            type: "String",
            values: { length: 255 },
            allowNull: false,
            unique: true,
            validate: { notEmpty: true },
          },
          userRoles: hasMany("baasix_UserRole", "tenant_Id"),
        },
      },
    },
  ],
  [
    "baasix_Account",
    {
      guarded: true,
      definition: {
        name: "Account",
        realtime: false,
        fields: {
          id: key,
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          providerId: { type: "String", values: { length: 64 }, allowNull: false },
          accountId: { type: "String", values: { length: 320 }, allowNull: false },
          password: secret,
        },
        indexes: [{ fields: ["providerId", "accountId"], unique: true }],
      },
    },
  ],
  [
    "baasix_Sessions",
    {
      guarded: true,
      definition: {
        name: "Session",
        fields: {
          id: key,
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          token: { ...secret, allowNull: false, unique: true },
          previousToken: secret,
          rotatedAt: { type: "DateTime" },
          type: { type: "String", values: { length: 64 }, allowNull: false, defaultValue: "default" },
          ipAddress: text,
          userAgent: text,
          expiresAt: { type: "DateTime", allowNull: false },
          // How many factors were proven, and when one was for the last time.
          aal: { type: "Integer", allowNull: false, defaultValue: 1 },
          authenticatedAt: { type: "DateTime" },
          tenant_Id: { type: "UUID" },
          // When it was opened or its tokens were renewed.
          lastUsedAt: { type: "DateTime" },
        },
        indexes: [{ fields: ["expiresAt"] }],
      },
    },
  ],
  [
    "baasix_ApiToken",
    {
      guarded: true,
      definition: {
        name: "API token",
        fields: {
          id: key,
          name: { type: "String", values: { length: 255 }, allowNull: false },
          // The first characters of the token, by which it is known again.
          prefix: { type: "String", values: { length: 16 }, allowNull: false },
          tokenHash: { ...secret, allowNull: false, unique: true },
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          role: belongsTo("baasix_Role", "role_Id", "RESTRICT"),
          // Where it acts; null: in no tenant.
          tenant: ofTenant("CASCADE"),
          expiresAt: { type: "DateTime" },
          lastUsedAt: { type: "DateTime" },
          // No foreign key: a token outlives the account that made it.
          createdBy_Id: { type: "UUID" },
        },
      },
    },
  ],
  [
    "baasix_Verification",
    {
      guarded: true,
      definition: {
        name: "Verification",
        realtime: false,
        fields: {
          id: key,
          // What it is for and for whom: there is one at a time, the newest.
          identifier: { type: "String", values: { length: 400 }, allowNull: false, unique: true },
          value: { ...secret, allowNull: false, unique: true },
          expiresAt: { type: "DateTime", allowNull: false },
          usedAt: { type: "DateTime" },
          tries: { type: "Integer", allowNull: false, defaultValue: 0 },
          data: { type: "JSONB", hidden: true },
        },
        indexes: [{ fields: ["expiresAt"] }],
      },
    },
  ],
  [
    "baasix_Invite",
    {
      guarded: true,
      lowerCase: ["email"],
      definition: {
        name: "Invitation",
        realtime: false,
        fields: {
          id: key,
          email: { type: "String", values: { length: 320 }, allowNull: false },
          role: belongsTo("baasix_Role", "role_Id", "CASCADE"),
          tenant: ofTenant("CASCADE"),
          tokenHash: { ...secret, allowNull: false, unique: true },
          // Address and tenant while it is pending: there is one at a time.
          pendingKey: { type: "String", values: { length: 400 }, unique: true, hidden: true },
          status: {
            type: "Enum",
            values: ["pending", "accepted", "expired", "revoked"],
            allowNull: false,
            defaultValue: "pending",
          },
          expiresAt: { type: "DateTime", allowNull: false },
          // Null: nobody mailed it.
          sentAt: { type: "DateTime" },
          // The application that its mail leads to.
          link: text,
          // What a new account begins with.
          userMetadata: { type: "JSONB" },
          // No foreign keys: it is told who they were after they are gone.
          invitedBy_Id: { type: "UUID" },
          acceptedBy_Id: { type: "UUID" },
          acceptedAt: { type: "DateTime" },
        },
        indexes: [{ fields: ["expiresAt"] }],
      },
    },
  ],
  [
    "baasix_Factor",
    {
      guarded: true,
      definition: {
        name: "Second factor",
        realtime: false,
        fields: {
          id: key,
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          type: { type: "Enum", values: ["totp"], allowNull: false },
          friendlyName: { type: "String", values: { length: 100 }, allowNull: false },
          // Sealed, and the name of the key that it is sealed with.
          secret: { ...secret, allowNull: false },
          keyId: { type: "String", values: { length: 64 }, allowNull: false, hidden: true },
          status: {
            type: "Enum",
            values: ["unverified", "verified"],
            allowNull: false,
            defaultValue: "unverified",
          },
          // The last step of 30 seconds whose code was used: none counts twice.
          lastStep: { type: "Integer", hidden: true },
          verifiedAt: { type: "DateTime" },
        },
      },
    },
  ],
  [
    "baasix_RecoveryCode",
    {
      guarded: true,
      definition: {
        name: "Recovery code",
        realtime: false,
        fields: {
          id: key,
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          codeHash: { ...secret, allowNull: false, unique: true },
          usedAt: { type: "DateTime" },
        },
      },
    },
  ],
  [
    "baasix_MfaChallenge",
    {
      guarded: true,
      definition: {
        name: "Request for a second factor",
        realtime: false,
        fields: {
          id: key,
          user: belongsTo("baasix_User", "user_Id", "CASCADE"),
          purpose: { type: "Enum", values: ["sign-in", "factor"], allowNull: false },
          tokenHash: { ...secret, unique: true },
          // No foreign keys: what it is for may be gone before it.
          factor_Id: { type: "UUID" },
          session_Id: { type: "UUID" },
          tenant_Id: { type: "UUID" },
          opens: { type: "JSONB", hidden: true },
          expiresAt: { type: "DateTime", allowNull: false },
          usedAt: { type: "DateTime" },
          tries: { type: "Integer", allowNull: false, defaultValue: 0 },
        },
        indexes: [{ fields: ["expiresAt"] }],
      },
    },
  ],
  [
    "baasix_AuditLog",
    {
      guarded: true,
      definition: {
        name: "Audit log",
        timestamps: false,
        realtime: false,
        fields: {
          id: { type: "BigInt", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
          createdAt: { type: "DateTime", allowNull: false, defaultValue: { type: "NOW" } },
          type: { type: "String", values: { length: 64 }, allowNull: false, defaultValue: "data" },
          entity: { type: "String", values: { length: 63 }, allowNull: false },
          entityId: required,
          // One of create, update, delete, restore. A rule of the table would be read anew with every entry: a tenth of a write.
          action: required,
          changes: { type: "JSONB", allowNull: false },
          // No foreign keys: an entry outlives the account and the tenant.
          userId: { type: "UUID" },
          tenant_Id: { type: "UUID" },
          ipaddress: text,
          requestId: text,
          transactionId: text,
        },
        // Written with every write and seldom read: a tree over random keys took a fifth of what an entry costs.
        indexes: [
          { fields: ["entityId"], type: "hash" },
          { fields: ["createdAt"], type: "brin" },
        ],
      },
    },
  ],
  [
    "baasix_IdempotencyKey",
    {
      guarded: true,
      definition: {
        name: "Idempotency key",
        realtime: false,
        timestamps: false,
        fields: {
          id: key,
          // The account, and the tenant that it acts in.
          actor: { type: "String", values: { length: 80 }, allowNull: false },
          key: { type: "String", values: { length: 255 }, allowNull: false, hidden: true },
          requestHash: { type: "String", values: { length: 64 }, allowNull: false },
          status: { type: "Integer" },
          body: secret,
          headers: { type: "JSONB", hidden: true },
          createdAt: { type: "DateTime", allowNull: false },
        },
        indexes: [{ fields: ["actor", "key"], unique: true }, { fields: ["createdAt"] }],
      },
    },
  ],
  [
    "baasix_Settings",
    {
      guarded: false,
      definition: {
        name: "Settings",
        fields: {
          id: key,
          // Whose they are; null: those of all who say nothing else.
          tenant: ofTenant("CASCADE"),
          project_name: {
            type: "String",
            values: { length: 100 },
            // One line.
            validate: { is: "^(?=.*\\S)[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]+$" },
          },
          project_url: webAddress,
          project_logo_url: webAddress,
          project_color: { type: "String", values: { length: 7 }, validate: { is: "^#[0-9a-fA-F]{6}$" } },
          app_url: appAddress,
          mobile_session_limit: sessionLimit,
          web_session_limit: sessionLimit,
          session_limit_roles: { type: "Array", values: { type: "String" } },
        },
        indexes: [{ fields: ["tenant_Id"], unique: true, nullsNotDistinct: true }],
      },
    },
  ],
  [
    "baasix_Template",
    {
      guarded: false,
      definition: {
        name: "Template",
        fields: {
          id: key,
          type: { type: "String", values: { length: 64 }, allowNull: false },
          subject: { ...required, validate: { len: [1, 998] } },
          body: { ...required, validate: { len: [1, 262_144] } },
          text: { ...text, validate: { len: [0, 262_144] } },
          isActive: { ...flag, defaultValue: true },
          description: text,
          // Whose mails it is for; null: those of all who have none of their own.
          tenant: ofTenant("CASCADE"),
        },
        indexes: [{ fields: ["tenant_Id", "type"], unique: true, nullsNotDistinct: true }],
      },
    },
  ],
  [
    "baasix_EmailLog",
    {
      guarded: true,
      definition: {
        name: "E-mail log",
        realtime: false,
        fields: {
          id: key,
          email: { type: "String", values: { length: 320 }, allowNull: false },
          // No foreign key: an entry outlives the tenant.
          tenant_Id: { type: "UUID" },
          subject: text,
          templateName: { type: "String", values: { length: 64 }, allowNull: false },
          sender: text,
          status: {
            type: "Enum",
            values: ["pending", "sent", "failed"],
            allowNull: false,
            defaultValue: "pending",
          },
          messageId: text,
          errorMessage: text,
          attempts: { type: "Integer", allowNull: false, defaultValue: 0 },
          // When it may be tried, and while it is tried until when nobody else may.
          nextAttemptAt: { type: "DateTime", allowNull: false },
          giveUpAt: { type: "DateTime", allowNull: false },
          sentAt: { type: "DateTime" },
          // What the mail says, sealed; gone once it is sent or given up.
          payload: secret,
        },
        indexes: [{ fields: ["status", "nextAttemptAt"] }, { fields: ["createdAt"] }],
      },
    },
  ],
  [
    "baasix_Notification",
    {
      guarded: false,
      definition: {
        name: "Notification",
        // Made and marked by the thousand; what they say is told nowhere twice.
        audit: false,
        fields: {
          id: key,
          type: {
            type: "String",
            values: { length: 64 },
            allowNull: false,
            validate: { notEmpty: true },
          },
          title: {
            type: "String",
            values: { length: 255 },
            allowNull: false,
            validate: { notEmpty: true },
          },
          message: { ...required, validate: { notEmpty: true, len: [1, 10_000] } },
          // What an application does with it: where it leads, say.
          data: { type: "JSONB" },
          seen: flag,
          seenAt: { type: "DateTime" },
          // Whose it is.
          user: belongsTo("baasix_User", "userId", "CASCADE"),
          // Where its user sees it; null: everywhere.
          tenant: ofTenant("CASCADE"),
        },
        indexes: [
          { fields: ["userId", "createdAt"] },
          { fields: ["userId", "seen", "createdAt"] },
          { fields: ["createdAt"], type: "brin" },
        ],
      },
    },
  ],
  [
    "baasix_File",
    {
      guarded: false,
      serverOwned: ["filename", "originalFilename", "type", "size", "storage", "width", "height"],
      definition: {
        name: "File",
        usertrack: true,
        fields: {
          id: key,
          title: text,
          filename: text,
          originalFilename: text,
          type: text,
          folder: text,
          // Double: a number on the wire, exact for any size that a file can have here.
          size: { type: "Double" },
          description: text,
          storage: text,
          width: { type: "Integer" },
          height: { type: "Integer" },
          metadata: { type: "JSONB" },
          isPublic: flag,
          tenant: ofTenant("RESTRICT"),
        },
      },
    },
  ],
]);

/** What bodies of new items may say that is no column, by name. */
export function bodyExtras(collection: string): Readonly<Record<string, JsonSchema>> {
  return systemCollections.get(collection)?.bodyExtras ?? {};
}

/** Names of body extras, of any collection, that no answer repeats. */
export const writeOnlyExtras: ReadonlySet<string> = new Set(
  [...systemCollections.values()].flatMap(({ bodyExtras: extras = {} }) =>
    Object.keys(extras).filter((name) => extras[name]?.writeOnly === true),
  ),
);
