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

/**
 * True where it is said by rows that point at it whether a row is a tenant's to write. Those may come at the same moment: such a row
 * is to be locked before it is judged.
 */
export function isJudgedByOthers({ name, tenant }: Collection, action: Action): boolean {
  return tenant === null && (action === "delete" || (action === "update" && name === "baasix_User"));
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
    if (there === "denied") return there;
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
 * That no row of another tenant, or of none, goes with a row, or loses its key: those that point at one that several may point at
 * (an account, what all share), and at whatever the delete takes along. Null where none could.
 */
function nobodyElses(schema: Schema, collection: Collection): Planned | null {
  const carried = carriedBy(schema, collection, new Set([collection.name]));
  return allOf(carried.map((item) => ({ kind: "not", item })));
}

/** The ways in which others' rows go with one of the collection; `above`: the collections on the way to it, and itself. */
function carriedBy(schema: Schema, collection: Collection, above: ReadonlySet<string>): readonly Planned[] {
  return pointingAt(schema, collection).flatMap(({ relation, target }) => {
    const isTaken = relation.onDelete === "CASCADE";
    const elsewhere = isElsewhere(collection, target) ? [notOwn(schema, target)] : [];
    const beyond = isTaken && leadsElsewhere(schema, target) ? carriedBeyond(schema, target, above) : [];
    const items = [...elsewhere, ...beyond];
    return items.length > 0 ? [pointing(collection, relation, target, { kind: "any", items })] : [];
  });
}

/** The same of a row that goes along. In a circle, and far away, it is not followed further: whatever goes along is too much. */
function carriedBeyond(schema: Schema, target: Collection, above: ReadonlySet<string>): readonly Planned[] {
  const isFollowed = !above.has(target.name) && above.size < mostHops;
  return isFollowed
    ? carriedBy(schema, target, new Set([...above, target.name]))
    : [{ kind: "all", items: [] }];
}

/** How far a delete is followed. */
const mostHops = 5;

type Pointer = { readonly relation: Relation; readonly target: Collection };

const pointers = new WeakMap<Schema, ReadonlyMap<string, readonly Pointer[]>>();

/** Keys that a delete follows: what lies behind them goes, or loses its key. Looked for once per schema. */
function pointingAt(schema: Schema, { name }: Pick<Collection, "name">): readonly Pointer[] {
  const known = pointers.get(schema);
  if (known) return known.get(name) ?? [];
  const found = [...schema.collections.values()]
    .filter((target) => !target.system || target.name === "baasix_File")
    .flatMap((target) =>
      [...target.relations.values()]
        .filter(({ keyOn, onDelete }) => keyOn === "source" && carries.has(onDelete))
        .map((relation) => ({ relation, target })),
    );
  pointers.set(
    schema,
    Map.groupBy(found, ({ relation }) => relation.target),
  );
  return pointingAt(schema, { name });
}

const carries: ReadonlySet<Relation["onDelete"]> = new Set(["CASCADE", "SET NULL"]);

/** Keys between rows of tenants stay within one; others may be of anybody. */
function isElsewhere(collection: Collection, target: Collection): boolean {
  return collection.tenant === null && target.tenant !== null;
}

/** Whether others' rows may go with one of the collection at all. */
function leadsElsewhere(schema: Schema, collection: Collection, seen = new Set<string>()): boolean {
  if (seen.has(collection.name)) return false;
  seen.add(collection.name);
  return pointingAt(schema, collection).some(
    ({ relation, target }) =>
      isElsewhere(collection, target) ||
      (relation.onDelete === "CASCADE" && leadsElsewhere(schema, target, seen)),
  );
}

function notOwn(schema: Schema, target: Collection): Planned {
  const filter = {
    OR: [{ [tenantColumn]: { ne: "$CURRENT_TENANT" } }, { [tenantColumn]: { isNull: true } }],
  };
  return planCondition(schema, target, parseFilter(filter));
}

/** That a row which meets a condition points by a relation at the row; one that was deleted softly goes, too. */
function pointing(collection: Collection, relation: Relation, target: Collection, item: Planned): Planned {
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
  const any = { ...target, paranoid: false };
  return { kind: "related", relation: back, target: any, item, negated: true, rows: null, at };
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
