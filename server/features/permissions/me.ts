/** `GET /permissions/me`: what the caller may do. Worked out from the rules in memory, once for all callers of the same roles. */
import type { Action, FieldRights, Rights } from "@baasix/types";
import { type Actor, roleKey } from "../../core/access/actor";
import { accessOf, type Policy, rolesOf } from "../../core/access/policy";
import { fieldsOf } from "../../core/query/scope";
import type { RoleRules } from "../../core/access/rules";
import type { Collection } from "../../core/schema/model";
import type { Snapshot } from "../../data";

const actions: readonly Exclude<Action, "delete">[] = ["create", "read", "update"];
const kept = new WeakMap<Snapshot, Map<string, string>>();

/** The rights of an actor as JSON text. Says of conditions that there are some, not what they are. */
export function describeRights(snapshot: Snapshot, actor: Actor): string {
  let texts = kept.get(snapshot);
  if (!texts) kept.set(snapshot, (texts = new Map()));
  const key = roleKey(actor);
  const known = texts.get(key);
  if (known !== undefined) return known;
  const text = JSON.stringify(rightsOf(snapshot, actor));
  texts.set(key, text);
  return text;
}

function rightsOf({ schema, rules }: Snapshot, actor: Actor): Rights {
  const held = rolesOf(rules, actor);
  const access = accessOf(rules, schema, actor);
  const collections = [...schema.collections.values()].flatMap((collection) => {
    const rights: [string, FieldRights | Pick<FieldRights, "conditional">][] = [];
    for (const action of actions) {
      const policy = access(collection, action);
      if (policy) rights.push([action, fieldRights(collection, policy, held)]);
    }
    const remove = access(collection, "delete");
    if (remove) rights.push(["delete", { conditional: isConditional(remove) }]);
    return rights.length > 0 ? [[collection.name, Object.fromEntries(rights)] as const] : [];
  });
  return {
    admin: actor.kind === "user" && actor.admin,
    roles: held.map(({ role: { id, name } }) => ({ id, name })),
    collections: Object.fromEntries(collections),
  };
}

function fieldRights(collection: Collection, policy: Policy, held: readonly RoleRules[]): FieldRights {
  const { open, partly } = fieldsOf(collection, policy);
  const columns = [...collection.fields.values()].filter(({ hidden }) => !hidden);
  const named = open.length === columns.length ? ["*"] : open;
  const behind = policy.unlimited ? ["**"] : patternsBehind(policy, held);
  return { fields: [...named, ...behind], partly, conditional: isConditional(policy) };
}

function isConditional({ unlimited, grants }: Policy): boolean {
  return !unlimited && grants.every(({ condition }) => condition !== null);
}

/** The patterns of the permissions that open relations, as they were given. */
function patternsBehind({ grants }: Policy, held: readonly RoleRules[]): readonly string[] {
  const ids = new Set(grants.map(({ permission }) => permission));
  const rows = held.flatMap(({ permissions }) => permissions).filter(({ id }) => ids.has(id));
  const patterns = rows.flatMap(({ fields }) =>
    typeof fields === "string" ? fields.split(",") : Array.isArray(fields) ? (fields as string[]) : [],
  );
  const names = patterns.map((pattern) => pattern.trim());
  return [...new Set(names.filter((name) => name.includes(".") || name === "**"))];
}
