/** Rules + actor + collection + action → Policy: the one place where permissions merge. */
import type { Action } from "@baasix/types";
import { AppError } from "../errors";
import type { Collection, Schema } from "../schema/model";
import type { Actor } from "./actor";
import { builtInGrant } from "./builtIn";
import { type Grant, isForAdministrators, type RoleRules, type Rules } from "./rules";

/**
 * What an actor may do with a collection. A row is open when the condition of any grant holds for it, and a field
 * of it when the condition of any grant that names the field does. `unlimited`: every row and field that is not hidden;
 * `secrets`: hidden ones too.
 */
export type Policy = {
  readonly unlimited: boolean;
  readonly secrets: boolean;
  readonly grants: readonly Grant[];
};

/** What `authorize` asks: the policy of a collection, or null when the actor has none. */
export type Access = (collection: Collection, action: Action) => Policy | null;

const system: Policy = { unlimited: true, secrets: true, grants: [] };
const administrator: Policy = { unlimited: true, secrets: false, grants: [] };

/** The access of one actor under one set of rules. */
export function accessOf(rules: Rules, schema: Schema, actor: Actor): Access {
  return (collection, action) => policy(rules, schema, actor, collection, action);
}

/** Collections that rules are made of: written by administrators alone, whatever a permission says. */
export const rightsCollections: ReadonlySet<string> = new Set(["baasix_Role", "baasix_Permission"]);

/** Merges everything that gives the actor a right on the collection; null means none: deny by default. */
function policy(
  rules: Rules,
  schema: Schema,
  actor: Actor,
  collection: Collection,
  action: Action,
): Policy | null {
  if (actor.kind === "system") return system;
  if (collection.guarded && action !== "read") return null;
  const roles = rolesOf(rules, actor);
  if (actor.kind === "user" && roles.some(({ admin }) => admin)) return administrator;
  if (isForAdministrators(collection.name)) return null;
  if (rightsCollections.has(collection.name) && action !== "read") return null;
  const grants: Grant[] = [];
  for (const role of roles) {
    const grant = role.grants.get(collection.name)?.get(action);
    if (grant) grants.push(grant);
  }
  const own = builtInGrant(schema, actor, collection, action);
  if (own) grants.push(own);
  return grants.length > 0 ? { unlimited: false, secrets: false, grants } : null;
}

/** The roles by which an actor is judged, by name; a role that is not known gives nothing. */
export function rolesOf(rules: Rules, actor: Actor): readonly RoleRules[] {
  if (actor.kind !== "user") return actor.kind === "anonymous" && rules.public ? [rules.public] : [];
  const roles: RoleRules[] = [];
  for (const id of actor.roles) {
    const role = rules.roles.get(id);
    if (role) roles.push(role);
  }
  return roles.length > 1 ? roles.toSorted((a, b) => (a.role.name < b.role.name ? -1 : 1)) : roles;
}

/** The refusal for an actor without any right for the action. */
export function refusal(collection: Collection, action: Action): AppError {
  const message =
    action === "delete"
      ? "You don't have permission to delete this item"
      : `You don't have permission to ${action} items in '${collection.name}'`;
  return new AppError("FORBIDDEN", message);
}
