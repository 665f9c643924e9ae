/** A small world for tests of the core: posts with authors and comments, and one role that sees a part of it. */
import type { SchemaRecord } from "@baasix/types";
import { unproven, type UserActor } from "../core/access/actor";
import { parseRules, type PermissionRow, type RoleRow, type Rules } from "../core/access/rules";
import { buildSchema } from "../core/schema/define";
import type { Schema } from "../core/schema/model";

const key = { type: "Integer", primaryKey: true } as const;

export const blogDefinitions: readonly SchemaRecord[] = [
  {
    collectionName: "authors",
    schema: {
      name: "Author",
      timestamps: false,
      fields: {
        id: key,
        name: { type: "String", allowNull: false },
        mail: { type: "String" },
        account: { type: "UUID" },
        posts: { relType: "HasMany", target: "posts", foreignKey: "author_Id" },
      },
    },
  },
  {
    collectionName: "posts",
    schema: {
      name: "Post",
      timestamps: false,
      fields: {
        id: key,
        title: { type: "String", allowNull: false },
        price: { type: "Decimal", values: { precision: 10, scale: 2 } },
        views: { type: "BigInt" },
        secret: { type: "String" },
        published: { type: "Boolean", defaultValue: false },
        at: { type: "DateTime" },
        author_Id: { type: "Integer", SystemGenerated: true },
        author: { relType: "BelongsTo", target: "authors", foreignKey: "author_Id" },
        comments: { relType: "HasMany", target: "comments", foreignKey: "post_Id" },
      },
    },
  },
  {
    collectionName: "comments",
    schema: {
      name: "Comment",
      timestamps: false,
      paranoid: true,
      fields: {
        id: key,
        text: { type: "Text" },
        approved: { type: "Boolean" },
        post_Id: { type: "Integer", SystemGenerated: true },
        post: { relType: "BelongsTo", target: "posts", foreignKey: "post_Id" },
      },
    },
  },
];

export const blogSchema: Schema = buildSchema(7, blogDefinitions);

export const roles: readonly RoleRow[] = [
  { id: "role-admin", name: "administrator" },
  { id: "role-user", name: "user" },
  { id: "role-public", name: "public" },
];

/** An account of the role `user`. */
export const userOf = (id: string): UserActor => actorOf(id, "role-user", false);

/** An account of the role `administrator`. */
export const adminOf = (id: string): UserActor => actorOf(id, "role-admin", true);

function actorOf(id: string, role: string, admin: boolean): UserActor {
  return { kind: "user", id, role, roles: [role], admin, ...unproven };
}

/** Rules with the given permissions of the role `user`. */
export function rulesFor(
  permissions: readonly (Partial<PermissionRow> & Pick<PermissionRow, "collection" | "action">)[],
): Rules {
  const rows = permissions.map((row, i) => ({
    id: `permission-${i}`,
    role_Id: "role-user",
    fields: ["*"],
    conditions: null,
    relConditions: null,
    defaultValues: null,
    ...row,
  }));
  return parseRules(roles, rows, blogSchema);
}
