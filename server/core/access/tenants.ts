/**
 * Tenants as conditions: which rows of each collection there are for a role that sees one tenant, and where the keys that it
 * writes may lead. Made once per schema; who the tenant is is bound when a statement runs.
 */
import type { Action } from "@baasix/types";
import { allOf } from "../query/combine";
import { parseFilter } from "../query/filter";
import { type Planned, planCondition } from "../query/plan";
import type { Collection, Relation, Schema } from "../schema/model";
import { tenantColumn } from "../schema/tenants";
import type { RoleRow } from "./rules";

/** The rows that there are; null: all. `denied`: nothing, whatever a permission says. */
export type TenantRows = Planned | null | "denied";

/** What a role that sees one tenant sees. */
export type TenantRules = {
  readonly rowsOf: (collection: Collection, action: Action) => TenantRows;
  /** For each key column that a client may write: what must hold of the row, as it becomes. */
  readonly keysOf: (collection: Collection) => ReadonlyMap<string, Planned>;
};

type Filter = Readonly<Record<string, unknown>>;
type Rule = Filter | "all" | "denied";
type Rules = Readonly<Record<Action, Rule>>;

const own: Filter = { [tenantColumn]: { eq: "$CURRENT_TENANT" } };
const itself: Filter = { id: { eq: "$CURRENT_TENANT" } };
const member: Filter = { userRoles: { [tenantColumn]: { eq: "$CURRENT_TENANT" } } };
/** Who belongs elsewhere, too, is nobody's to change alone. */
const memberAlone: Filter = {
  AND: [
    member,
    {
      NOT: {
        userRoles: {
          OR: [{ [tenantColumn]: { ne: "$CURRENT_TENANT" } }, { [tenantColumn]: { isNull: true } }],
        },
      },
    },
  ],
};
/** Nobody is made a member who belongs elsewhere: only who is one already, or belongs nowhere yet. */
const memberOrNew: Filter = {
  user: { OR: [member, { NOT: { userRoles: { id: { isNotNull: true } } } }] },
};

const reading = (read: Rule): Rules => ({ read, create: "denied", update: "denied", delete: "denied" });
const all = (rule: Rule): Rules => ({ read: rule, create: rule, update: rule, delete: rule });

/**
 * The built-in collections, as far as a role that sees one tenant reaches them. What is not here, and does not say of which
 * tenant its rows are, is denied.
 */
const builtIn: Readonly<Record<string, Rules>> = {
  baasix_Tenant: { ...reading(itself), update: itself },
  // A new account belongs nowhere yet: the membership that it is made with is judged.
  baasix_User: { read: member, create: "all", update: memberAlone, delete: memberAlone },
  // Both say the same in all tenants, and are written by administrators alone.
  baasix_Role: reading("all"),
  baasix_SchemaDefinition: reading("all"),
  baasix_Account: reading({ user: member }),
  baasix_Factor: reading({ user: member }),
  // Half-finished sign-ins are nobody's to read.
  baasix_MfaChallenge: all("denied"),
};

function rulesFor(collection: Collection, invitable: readonly string[]): Rules {
  const { name, system, tenant } = collection;
  if (!system) return all(tenant ? own : "all");
  if (name === "baasix_UserRole") return membershipRules(invitable);
  return (Object.hasOwn(builtIn, name) ? builtIn[name] : undefined) ?? all(tenant ? own : "denied");
}

/** Memberships of the tenant; given, changed and taken away for the roles alone that the role may invite to. */
function membershipRules(invitable: readonly string[]): Rules {
  if (invitable.length === 0) return reading(own);
  const granted: Filter = {
    AND: [own, { role_Id: { in: invitable } }, { role: { isTenantSpecific: { eq: true } } }],
  };
  const given: Filter = { AND: [granted, memberOrNew] };
  return { read: own, create: given, update: given, delete: granted };
}

const shared = new WeakMap<Schema, TenantRules>();

/** The rules of a role; null for one that sees all tenants, and where there are none. */
export function tenantRulesOf(schema: Schema, role: RoleRow, admin: boolean): TenantRules | null {
  if (schema.tenants === null || admin || role.isTenantSpecific === false) return null;
  const common = shared.get(schema) ?? rulesOn(schema, []);
  shared.set(schema, common);
  const invitable = role.canInviteRoleIds ?? [];
  if (invitable.length === 0) return common;
  const ownRules = rulesOn(schema, invitable);
  return {
    rowsOf: (collection, action) =>
      (collection.name === "baasix_UserRole" ? ownRules : common).rowsOf(collection, action),
    keysOf: common.keysOf,
  };
}

function rulesOn(schema: Schema, invitable: readonly string[]): TenantRules {
  const rows = new Map<string, TenantRows>();
  const keys = new Map<string, ReadonlyMap<string, Planned>>();
  const kept = new Map<string, Planned | null>();
  const rowsWhere: TenantRules["rowsOf"] = (collection, action) => {
    const rule = rulesFor(collection, invitable)[action];
    if (rule === "all") return null;
    if (rule === "denied") return rule;
    // Equal rules are one condition: what several grants say is said once.
    const key = `${collection.name} ${JSON.stringify(rule)}`;
    const known = rows.get(key);
    if (known !== undefined) return known;
    const planned = planCondition(schema, collection, parseFilter(rule));
    rows.set(key, planned);
    return planned;
  };
  const deletableOf = (collection: Collection): TenantRows => {
    const there = rowsWhere(collection, "delete");
    if (there === "denied" || collection.tenant) return there;
    let known = kept.get(collection.name);
    if (known === undefined) kept.set(collection.name, (known = nobodyElses(schema, collection)));
    return allOf([there, known]);
  };
  const rowsOf: TenantRules["rowsOf"] = (collection, action) =>
    action === "delete" ? deletableOf(collection) : rowsWhere(collection, action);
  const keysOf: TenantRules["keysOf"] = (collection) => {
    let known = keys.get(collection.name);
    if (!known) keys.set(collection.name, (known = keyRules(schema, collection)));
    return known;
  };
  return { rowsOf, keysOf };
}

/**
 * That no row of another tenant, or of none, goes with a row that several may point at (an account, what all share), or loses
 * its key; null where none could.
 */
function nobodyElses(schema: Schema, collection: Collection): Planned | null {
  const rules: Planned[] = [];
  for (const target of schema.collections.values()) {
    if (!target.tenant || (target.system && target.name !== "baasix_File")) continue;
    const elsewhere = planCondition(
      schema,
      target,
      parseFilter({
        OR: [{ [tenantColumn]: { ne: "$CURRENT_TENANT" } }, { [tenantColumn]: { isNull: true } }],
      }),
    );
    for (const relation of target.relations.values()) {
      const isCarried = relation.onDelete === "CASCADE" || relation.onDelete === "SET NULL";
      if (relation.keyOn !== "source" || relation.target !== collection.name || !isCarried) continue;
      const back: Relation = {
        ...relation,
        kind: "many",
        keyOn: "target",
        source: collection.name,
        sourceColumn: relation.targetColumn,
        target: target.name,
        targetColumn: relation.sourceColumn,
        constrained: false,
      };
      const at = `${target.name}.${relation.name}`;
      const related: Planned = {
        kind: "related",
        relation: back,
        target,
        item: elsewhere,
        negated: true,
        rows: null,
        at,
      };
      rules.push({ kind: "not", item: related });
    }
  }
  return allOf(rules);
}

/** That keys between rows of tenants stay within one is checked of every write (`AuthorizedTarget.kept`). */
function keyRules(schema: Schema, collection: Collection): ReadonlyMap<string, Planned> {
  const found = new Map<string, Filter[]>();
  // Whose memberships are given has a rule of its own.
  if (collection.name === "baasix_UserRole") return new Map();
  for (const relation of collection.relations.values()) {
    const rule = keyRule(schema, collection, relation);
    if (rule === null) continue;
    const { sourceColumn } = relation;
    found.set(sourceColumn, [...(found.get(sourceColumn) ?? []), rule]);
  }
  return new Map(
    [...found].map(([column, filters]) => [
      column,
      planCondition(schema, collection, parseFilter({ AND: filters })),
    ]),
  );
}

function keyRule(schema: Schema, collection: Collection, relation: Relation): Filter | null {
  const { keyOn, sourceColumn, scope, name } = relation;
  const target = schema.collections.get(relation.target);
  const managed = collection.fields.get(sourceColumn)?.managed;
  if (keyOn === "target" || !target || managed !== null || sourceColumn === tenantColumn) return null;
  if (collection.tenant && target.tenant && !target.system) return null;
  const rule = rulesFor(target, []).read;
  if (rule === "all") return null;
  const elsewhere: Filter[] = [{ [sourceColumn]: { isNull: true } }];
  if (scope) elsewhere.push({ [scope.column]: { isNull: true } }, { [scope.column]: { ne: scope.value } });
  return { OR: rule === "denied" ? elsewhere : [...elsewhere, { [name]: rule }] };
}
