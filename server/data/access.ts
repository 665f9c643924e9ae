/** The first question of every request: has the actor any right here at all? */
import type { Action } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { accessOf, refusal } from "../core/access/policy";
import { authorizeWrite } from "../core/query/authorize";
import { findColumn } from "../core/query/find";
import { findCollection } from "../core/query/plan";
import type { Collection } from "../core/schema/model";
import type { Snapshot } from "./snapshot";

/**
 * The collection of a name. Denies before the request is looked at: who has no right on the collection learns nothing
 * about its fields.
 * @throws AppError UNKNOWN_COLLECTION, FORBIDDEN
 */
export function collectionFor(snapshot: Snapshot, actor: Actor, name: string, action: Action): Collection {
  const { schema, rules } = snapshot;
  const collection = findCollection(schema, name);
  if (accessOf(rules, schema, actor)(collection, action) === null) throw refusal(collection, action);
  return collection;
}

/**
 * The same question, and for a write whether one right covers the fields together. Nothing is promised about a row.
 * @throws AppError UNKNOWN_COLLECTION, FORBIDDEN, UNKNOWN_FIELD
 */
export function requireRight(
  snapshot: Snapshot,
  actor: Actor,
  name: string,
  action: Action,
  fields: readonly string[] = [],
): void {
  const collection = collectionFor(snapshot, actor, name, action);
  if (fields.length === 0 || action === "read") return;
  const columns = fields.map((field) => findColumn(collection, field, field));
  const { rules, schema } = snapshot;
  authorizeWrite(schema, collection, action, columns, null, accessOf(rules, schema, actor));
}
