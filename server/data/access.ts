/** The first question of every request: has the actor any right here at all? */
import type { Action } from "@baasix/types";
import type { Actor } from "../core/access/actor";
import { accessOf, refusal } from "../core/access/policy";
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
