/**
 * What an actor may see at one place of a plan: which rows of a collection exist there, and which of their fields. Here
 * the grants of all roles merge: a field of a row is shown where some one grant shows it, and nowhere else.
 */
import { type FieldGrant, grantsColumn, throughRelation } from "../access/grants";
import { type Access, type Policy, refusal } from "../access/policy";
import type { Grant } from "../access/rules";
import type { TenantRules } from "../access/tenants";
import { AppError } from "../errors";
import type { Collection, Field, Relation } from "../schema/model";
import { allOf, anyOf, alternatives, same } from "./combine";
import type { Planned } from "./planned";
import { noRelationRules, type RelationRule, type RelationRules } from "./relConditions";

/**
 * One way by which rows are open: where `when` holds (null: all that exist), the fields that any of `fields` names.
 * `related` limits the rows of relations from here on. `role` and `permission` say whose grant it comes from; null for
 * what is built in.
 */
export type Opening = {
  readonly when: Planned | null;
  readonly fields: readonly FieldGrant[];
  readonly related: RelationRules;
  readonly role: string | null;
  readonly permission: string | null;
  readonly tenants: TenantRules | null;
};

/** A place: the collection itself, or what a relation of another place leads to. */
export type Scope = {
  readonly collection: Collection;
  /** Names of the relations that lead here. */
  readonly path: readonly string[];
  readonly access: Access;
  readonly tell: Tell | null;
  /** The actor's own right on the collection. `openings` also hold what grants of the places before open here. */
  readonly own: Policy | null;
  readonly openings: readonly Opening[];
  /** The rows that exist here; null: all. */
  readonly rows: Planned | null;
};

/**
 * What was decided about one name of a plan. `at`: its place in the request, null where a wildcard asked. `partly`: on some
 * rows alone. `permissions`: those that open it.
 */
export type Decision = {
  readonly path: string;
  readonly at: string | null;
  readonly outcome: "open" | "partly" | "left out" | "refused";
  readonly permissions: readonly string[];
  readonly reason: string | null;
};

/** Hears of every decision, in the order of the plan. */
export type Tell = (decision: Decision) => void;

/** The place where a read begins. @throws AppError FORBIDDEN without any right to read there. */
export function rootScope(collection: Collection, access: Access, tell: Tell | null = null): Scope {
  const own = access(collection, "read");
  if (!own) throw refusal(collection, "read");
  return ownScope(collection, access, own, [], tell);
}

function ownScope(
  collection: Collection,
  access: Access,
  own: Policy,
  path: readonly string[],
  tell: Tell | null,
): Scope {
  const openings = own.grants.map((grant) => openingOf(grant, grant.condition, noRelationRules));
  const rows = own.unlimited ? null : anyOf(openings.map(({ when }) => when));
  return { collection, path, access, tell, own, openings, rows };
}

function openingOf(grant: Grant, when: Planned | null, limits: RelationRules): Opening {
  const { fields, related, role, permission, tenants } = grant;
  return { when, fields: [fields], related: bothRules(related, limits), role, permission, tenants };
}

/**
 * A column that the request names: the rows where it may be read; null: all.
 * @throws AppError FORBIDDEN where it may be read on none.
 */
export function requireColumn(scope: Scope, field: Field, at: string): Planned | null {
  const guard = columnGuard(scope, field);
  if (scope.tell) tellColumn(scope, field, at, guard);
  if (guard !== "refused") return guard;
  throw unreadable(scope.collection, field.name, at);
}

/** A column of a select list: null when a wildcard asked for it (`at` null) and it may not be read. */
export function wantColumn(
  scope: Scope,
  field: Field,
  at: string | null,
): { readonly guard: Planned | null } | null {
  if (at !== null) return { guard: requireColumn(scope, field, at) };
  const guard = columnGuard(scope, field);
  if (scope.tell) tellColumn(scope, field, at, guard);
  return guard === "refused" ? null : { guard };
}

/** The place behind a relation that the request names. @throws AppError FORBIDDEN where it is closed. */
export function requireRelation(scope: Scope, relation: Relation, target: Collection, at: string): Scope {
  const opened = openRelation(scope, relation, target);
  if (scope.tell) tellRelation(scope, relation, target, at, opened);
  if (opened !== null) return opened;
  throw unreadable(scope.collection, relation.name, at);
}

/** The place behind a relation of a select list; null as with columns. */
export function wantRelation(
  scope: Scope,
  relation: Relation,
  target: Collection,
  at: string | null,
): Scope | null {
  if (at !== null) return requireRelation(scope, relation, target, at);
  const opened = openRelation(scope, relation, target);
  if (scope.tell) tellRelation(scope, relation, target, at, opened);
  return opened;
}

/** Null: readable on every row that exists here. A condition: readable where it holds. */
export function columnGuard(scope: Scope, field: Field): Planned | null | "refused" {
  const { own } = scope;
  if (field.hidden) return own?.secrets ? null : "refused";
  if (own?.unlimited) return null;
  const naming = namingOf(scope, field);
  return naming.length === 0 ? "refused" : whereAny(scope, naming);
}

/** The columns that a policy opens, by name; `partly`: those of them that it opens on some of its rows alone. */
export function fieldsOf(
  collection: Collection,
  policy: Policy,
): { readonly open: readonly string[]; readonly partly: readonly string[] } {
  const scope = ownScope(collection, () => null, policy, [], null);
  const guards = [...collection.fields.values()].map(
    (field) => [field.name, columnGuard(scope, field)] as const,
  );
  return {
    open: guards.flatMap(([name, guard]) => (guard === "refused" ? [] : [name])),
    partly: guards.flatMap(([name, guard]) => (guard === "refused" || guard === null ? [] : [name])),
  };
}

function namingOf({ openings }: Scope, { name }: Field): readonly Opening[] {
  return openings.filter(({ fields }) => fields.some((grant) => grantsColumn(grant, name)));
}

/** Where one of these openings of the place holds; null when on every row that exists there. */
function whereAny(scope: Scope, openings: readonly Opening[]): Planned | null {
  const where = anyOf(openings.map(({ when }) => when));
  if (where === null) return null;
  const held = alternatives(where);
  const covered = (when: Planned | null): boolean =>
    when !== null && alternatives(when).every((one) => held.some((other) => same(one, other)));
  return scope.openings.every(({ when }) => covered(when)) ? null : where;
}

/**
 * A relation is open where a grant names a path through it, or where the actor may read the key that joins the two and
 * the related row itself. A path opens its fields on the related rows that its role may read; all of them (with tenants:
 * that its tenant has), where the role has no right of its own there. Either way only the rows that the grant leaves, by which it is passed. Null: closed.
 */
function openRelation(scope: Scope, relation: Relation, target: Collection): Scope | null {
  const { access, tell } = scope;
  const own = access(target, "read");
  const path = [...scope.path, relation.name];
  if (own?.unlimited) return ownScope(target, access, own, path, tell);
  const passing = scope.openings.flatMap((opening): readonly Opening[] => {
    const fields = throughRelation(opening.fields, relation.name);
    if (fields === null) return [];
    const { rows, nested } = ruleOf(opening, relation);
    const ofTenant = opening.tenants?.rowsOf(target, "read") ?? null;
    if (ofTenant === "denied") return [];
    const ofRole = (own && rowsOfRole(own, opening.role)) ?? ofTenant;
    const when = allOf([above(whereAny(scope, [opening])), rows, ofRole]);
    return [{ ...opening, when, fields, related: nested }];
  });
  const keyed = own ? keyedLinks(scope, relation, ownScope(target, access, own, path, tell)) : [];
  // That two rows belong together is a fact of its own, which some one grant must tell.
  const links = [...passing.map(({ when, related }) => ({ when, nested: related })), ...keyed];
  if (links.length === 0) return null;
  const openings = [
    ...passing,
    ...[...Map.groupBy(links, ({ nested }) => (nested.size === 0 ? noRelationRules : nested))].flatMap(
      ([nested, group]) => {
        const linked = anyOf(group.map(({ when }) => when));
        return (own?.grants ?? []).map((grant) => openingOf(grant, allOf([linked, grant.condition]), nested));
      },
    ),
  ];
  return {
    collection: target,
    path,
    access,
    tell,
    own,
    openings,
    rows: anyOf(openings.map(({ when }) => when)),
  };
}

/** How a related row is known to belong to the one before: where `when` holds; `nested` limits what lies behind it. */
type Link = { readonly when: Planned | null; readonly nested: RelationRules };

/** The links by the key that joins two rows, said about the related row; none where the actor may not read it. */
function keyedLinks(scope: Scope, relation: Relation, target: Scope): readonly Link[] {
  const { keyOn, sourceColumn, targetColumn, scope: fixed } = relation;
  const key = keyOn === "source" ? sourceColumn : targetColumn;
  const names = fixed ? [key, fixed.column] : [key];
  const naming = (openings: readonly Opening[]): readonly Opening[] =>
    openings.filter(({ fields }) => names.every((name) => fields.some((grant) => grantsColumn(grant, name))));
  const holder = keyOn === "source" ? scope : target;
  if (names.some((name) => holder.collection.fields.get(name)?.hidden !== false)) return [];
  const passed = keyOn === "source" ? naming(scope.openings) : scope.openings;
  const told = keyOn === "source" ? null : naming(target.openings);
  if (passed.length === 0 || told?.length === 0) return [];
  const there = told && whereAny(target, told);
  return [...Map.groupBy(passed, (opening) => ruleOf(opening, relation))].map(
    ([{ rows, nested }, group]) => ({
      when: allOf([above(whereAny(scope, group)), rows, there]),
      nested,
    }),
  );
}

const noRule: RelationRule = { rows: null, nested: noRelationRules };

function ruleOf({ related }: Opening, { name }: Relation): RelationRule {
  return related.get(name) ?? noRule;
}

/** The rules of both. */
function bothRules(a: RelationRules, b: RelationRules): RelationRules {
  if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a;
  const rule = (name: string): RelationRule => {
    const [one, other] = [a.get(name) ?? noRule, b.get(name) ?? noRule];
    return { rows: allOf([one.rows, other.rows]), nested: bothRules(one.nested, other.nested) };
  };
  return new Map([...a.keys(), ...b.keys()].map((name) => [name, rule(name)]));
}

/** The rows that one role may read, and all that is open to everyone; null when it has no right of its own. */
function rowsOfRole({ grants }: Policy, role: string | null): Planned | null {
  const own = grants.filter((grant) => grant.role === role || grant.role === null);
  return own.length === 0 ? null : anyOf(own.map(({ condition }) => condition));
}

function above(item: Planned | null): Planned | null {
  return item === null ? null : { kind: "above", item };
}

/** The refusal of a name that the actor may not read. */
export function unreadable(collection: Collection, name: string, at: string): AppError {
  return new AppError(
    "FORBIDDEN",
    `${at}: You don't have permission to read field '${name}' of '${collection.name}'`,
  );
}

function tellColumn(scope: Scope, field: Field, at: string | null, guard: Planned | null | "refused"): void {
  const refused = guard === "refused";
  const reason = field.hidden
    ? "hidden: nobody may read it"
    : `no permission of the caller opens '${field.name}' of '${scope.collection.name}'`;
  scope.tell?.({
    path: [...scope.path, field.name].join("."),
    at,
    outcome: refused ? (at === null ? "left out" : "refused") : guard === null ? "open" : "partly",
    permissions: refused ? [] : permissionsOf(namingOf(scope, field)),
    reason: refused ? reason : null,
  });
}

function tellRelation(
  scope: Scope,
  relation: Relation,
  target: Collection,
  at: string | null,
  opened: Scope | null,
): void {
  const key = relation.keyOn === "source" ? relation.sourceColumn : relation.targetColumn;
  const holder = relation.keyOn === "source" ? scope.collection.name : target.name;
  const reason =
    `no permission of the caller names a path through '${relation.name}', and ` +
    (scope.access(target, "read") === null
      ? `the caller may not read '${target.name}'`
      : `the caller may not read the key '${key}' of '${holder}'`);
  scope.tell?.({
    path: [...scope.path, relation.name].join("."),
    at,
    outcome:
      opened === null ? (at === null ? "left out" : "refused") : opened.rows === null ? "open" : "partly",
    permissions: opened === null ? [] : permissionsOf(opened.openings),
    reason: opened === null ? reason : null,
  });
}

function permissionsOf(openings: readonly Opening[]): readonly string[] {
  return [...new Set(openings.flatMap(({ permission }) => permission ?? []))];
}
