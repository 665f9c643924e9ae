/** Rights that no permission row gives and none takes: public files are everyone's to read, notifications their user's. */
import type { Action } from "@baasix/types";
import { parseFilter } from "../query/filter";
import { planCondition } from "../query/plan";
import { noRelationRules } from "../query/relConditions";
import type { Collection, Schema } from "../schema/model";
import { tenantColumn } from "../schema/tenants";
import type { Actor } from "./actor";
import { type FieldGrant, grantsColumn, parseFieldGrant } from "./grants";
import type { Grant } from "./rules";

/** Whose a right is, and what it opens on which rows. */
type Right = {
  readonly everyone: boolean;
  readonly fields: readonly string[];
  readonly rows: (schema: Schema) => object;
};

/** The description and bytes of public files, nothing more. */
const publicFiles: Right = {
  everyone: true,
  fields: [
    "id",
    "title",
    "filename",
    "originalFilename",
    "type",
    "size",
    "width",
    "height",
    "storage",
    "description",
    "isPublic",
    "createdAt",
    "updatedAt",
  ],
  rows: () => ({ isPublic: { eq: true } }),
};

/** A user's own, in the tenant that it acts in and those that belong to none. */
const ownNotifications = (fields: readonly string[]): Right => ({
  everyone: false,
  fields,
  rows: ({ tenants }) => {
    const own = { userId: { eq: "$CURRENT_USER" } };
    if (tenants === null) return own;
    const here = [{ [tenantColumn]: { isNull: true } }, { [tenantColumn]: { eq: "$CURRENT_TENANT" } }];
    return { AND: [own, { OR: here }] };
  },
});

const rights: Readonly<Record<string, Partial<Record<Action, Right>>>> = {
  baasix_File: { read: publicFiles },
  baasix_Notification: {
    read: ownNotifications(["*"]),
    update: ownNotifications(["seen", "seenAt"]),
    delete: ownNotifications([]),
  },
};

// Made once per schema, by identity: schemas are replaced whole.
const known = new WeakMap<Schema, Map<Right, Grant>>();

/** What is built in for the actor; null: nothing. */
export function builtInGrant(
  schema: Schema,
  actor: Actor,
  collection: Collection,
  action: Action,
): Grant | null {
  const right = Object.hasOwn(rights, collection.name) ? rights[collection.name]?.[action] : undefined;
  if (!right || (!right.everyone && actor.kind !== "user")) return null;
  const made = known.get(schema) ?? new Map<Right, Grant>();
  known.set(schema, made);
  const grant: Grant = made.get(right) ?? {
    permission: null,
    role: null,
    fields: parseFieldGrant(right.fields),
    condition: planCondition(schema, collection, parseFilter(right.rows(schema))),
    related: noRelationRules,
    defaults: [],
    defaultsKey: "null",
    tenants: null,
  };
  made.set(right, grant);
  return grant;
}

/** What a permission opens, with what the server writes along: when a notification was seen, with that it was. */
export function withWrittenAlong(collection: string, action: string, fields: FieldGrant): FieldGrant {
  const isWritten = action === "create" || action === "update";
  if (collection !== "baasix_Notification" || !isWritten || !grantsColumn(fields, "seen")) return fields;
  return { ...fields, columns: new Set([...fields.columns, "seenAt"]) };
}
