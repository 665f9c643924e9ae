/** Permission rows → Rules: read once per change, so that a request only looks things up. */
import type { Action } from "@baasix/types";
import { AppError } from "../errors";
import { auditCollection } from "../query/audit";
import { allOf } from "../query/combine";
import { comparedFields } from "../query/compared";
import { type DefaultValue, planDefault } from "../query/defaults";
import { filterBudget, isObject, parseFilter } from "../query/filter";
import { type Planned, planCondition } from "../query/plan";
import { noRelationRules, planRelConditions, type RelationRules } from "../query/relConditions";
import type { Collection, Field, Schema } from "../schema/model";
import { withWrittenAlong } from "./builtIn";
import { type FieldGrant, parseFieldGrant } from "./grants";
import { heldCondition, heldDefault, heldRelationRules, type Holder } from "./holder";
import { type TenantRules, tenantRulesOf } from "./tenants";

/** A row of `baasix_Role` as it is loaded. */
export type RoleRow = {
  readonly id: string;
  readonly name: string;
  readonly description?: string | null;
  /** Only `false` lets it see the rows of all tenants. */
  readonly isTenantSpecific?: boolean;
  /** Roles that it may give others. */
  readonly canInviteRoleIds?: readonly string[] | null;
};

/** A row of `baasix_Permission` as it is loaded: JSON columns parsed. */
export type PermissionRow = {
  readonly id: string;
  readonly role_Id: string;
  readonly collection: string;
  readonly action: string;
  readonly fields: unknown;
  readonly conditions: unknown;
  readonly relConditions: unknown;
  readonly defaultValues: unknown;
};

/** A default of a permission. */
export type GrantDefault = { readonly field: Field; readonly value: DefaultValue };

/**
 * What one permission allows. `condition` null: every row; equal conditions are one object. `permission` and `role` are
 * ids, null for what is built in.
 */
export type Grant = {
  readonly permission: string | null;
  readonly role: string | null;
  readonly fields: FieldGrant;
  readonly condition: Planned | null;
  /** Which rows of relations may be seen, wherever a read passes them. */
  readonly related: RelationRules;
  readonly defaults: readonly GrantDefault[];
  /** Equal for grants with equal defaults. */
  readonly defaultsKey: string;
  /** Of a role that sees one tenant: what there is of it, here and behind relations; else null. */
  readonly tenants: TenantRules | null;
};

export type RoleRules = {
  readonly role: RoleRow;
  readonly admin: boolean;
  /** Where there are tenants: it sees one alone. */
  readonly seesTenant: boolean;
  /** By collection, then action. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<Action, Grant>>;
  /** The rows, as sign-in answers them. */
  readonly permissions: readonly PermissionRow[];
};

/** All roles. `problems` tells of permission rows that could not be understood: they allow nothing. */
export type Rules = {
  readonly roles: ReadonlyMap<string, RoleRules>;
  readonly public: RoleRules | null;
  readonly problems: readonly string[];
};

const actions: ReadonlySet<string> = new Set<Action>(["create", "read", "update", "delete"]);

/** The role that bypasses rules, and the role of callers without an account. */
export const administratorRole = "administrator";
export const publicRole = "public";

const definitionsCollection = "baasix_SchemaDefinition";

/** Builds the rules. A row that names what does not exist, or that cannot be read, allows nothing (fail closed). */
export function parseRules(
  roles: readonly RoleRow[],
  permissions: readonly PermissionRow[],
  schema: Schema,
): Rules {
  const problems: string[] = [];
  const byRole = new Map<string, RoleRules>();
  const known: KnownConditions = new Map();
  const rulesOf = (role: RoleRow, self: string | null): RoleRules => {
    const admin = role.name === administratorRole;
    const tenants = tenantRulesOf(schema, role, admin);
    const own = permissions.filter((row) => row.role_Id === role.id);
    const grants = new Map<string, Map<Action, Grant>>();
    for (const row of own) {
      // Callers without an account never read definitions, whatever a row says.
      if (self === null && row.collection === definitionsCollection) continue;
      try {
        const grant = inTenants(parseGrant(row, schema, self, known, tenants), row, schema, tenants);
        if (grant === null) throw new AppError("FORBIDDEN", "a role that sees one tenant has nothing there");
        const collection = grants.get(row.collection) ?? new Map<Action, Grant>();
        collection.set(row.action as Action, grant);
        grants.set(row.collection, collection);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        const problem = `permission ${row.id} (${role.name}, ${row.action} ${row.collection}): ${error.message}`;
        if (self !== null) problems.push(problem);
      }
    }
    return { role, admin, seesTenant: tenants !== null, grants, permissions: own };
  };
  for (const role of roles) byRole.set(role.id, rulesOf(role, role.id));
  const everyone = roles.find(({ name }) => name === publicRole);
  return { roles: byRole, public: everyone ? rulesOf(everyone, null) : null, problems };
}

/**
 * True for what administrators alone read, whatever a permission says: the logs tell what was written everywhere, and who
 * was written to.
 */
export function isForAdministrators(collection: string): boolean {
  return collection === auditCollection || collection === "baasix_EmailLog";
}

/** @throws AppError VALIDATION_ERROR for a permission on what no permission opens */
export function checkGrantable(collection: string): void {
  if (!isForAdministrators(collection)) return;
  const message = `'${collection}' is for administrators alone; no permission opens it`;
  throw new AppError("VALIDATION_ERROR", `collection: ${message}`, {
    code: "VALIDATION_ERROR",
    errors: [{ field: "collection", message, rule: "collection" }],
  });
}

/** Conditions that were planned already, by collection and text. */
type KnownConditions = Map<string, Planned>;

/**
 * Reads one permission against the schema; used to check a row before it is stored, too. What its `fields` name and is not
 * there opens nothing, and is for `checkFieldNames` to refuse. `role`: whose id is
 * `$CURRENT_ROLE` in it; null for callers without an account, who have none. `tenants`: of a role that sees one.
 * @throws AppError naming what is wrong.
 */
export function parseGrant(
  row: Omit<PermissionRow, "id"> & { readonly id?: string },
  schema: Schema,
  role: string | null = row.role_Id,
  known: KnownConditions = new Map(),
  tenants: TenantRules | null = null,
): Grant {
  const collection = schema.collections.get(row.collection);
  if (!collection) throw new AppError("UNKNOWN_COLLECTION", `collection: '${row.collection}' does not exist`);
  checkGrantable(row.collection);
  if (!actions.has(row.action)) {
    throw new AppError("INVALID_VALUE", "action: expected create, read, update or delete");
  }
  const rules = isAbsent(row.relConditions)
    ? noRelationRules
    : planRelConditions(schema, collection, row.relConditions, "relConditions", filterBudget());
  refuseSecretsBehind(rules);
  const defaults = isAbsent(row.defaultValues) ? [] : parseDefaults(schema, collection, row.defaultValues);
  const holder = { role, tenants };
  return {
    permission: row.id ?? null,
    role: row.role_Id,
    fields: withWrittenAlong(row.collection, row.action, parseFieldGrant(row.fields)),
    condition: conditionOf(row, collection, schema, { ...holder, known }),
    related: heldRelationRules(rules, holder),
    defaults: defaults.map(({ field, value }) => ({ field, value: heldDefault(value, holder) })),
    defaultsKey: keyOf(row.defaultValues, role),
    tenants: null,
  };
}

/**
 * The grant where there are tenants. New rows are of the tenant that their author acts in, unless told. `tenants`: of a role
 * that sees one: its rows alone, and it may say the tenant, as its own. Null: the role has nothing there.
 */
function inTenants(
  grant: Grant,
  { collection: name, action }: PermissionRow,
  schema: Schema,
  tenants: TenantRules | null,
): Grant | null {
  const collection = schema.collections.get(name);
  if (!collection || schema.tenants === null) return grant;
  const rows = tenants?.rowsOf(collection, action as Action) ?? null;
  if (rows === "denied") return null;
  const { tenant } = collection;
  const isSaid = grant.defaults.some(({ field }) => field === tenant);
  const isFilled = tenant !== null && action === "create" && (tenants !== null || !isSaid);
  const isOpened = tenant !== null && tenants !== null && (action === "create" || action === "update");
  return {
    ...grant,
    tenants,
    condition: allOf([rows, grant.condition]),
    ...(isOpened && {
      fields: { ...grant.fields, columns: new Set([...grant.fields.columns, tenant.name]) },
    }),
    ...(isFilled && {
      defaults: [
        ...grant.defaults.filter(({ field }) => field !== tenant),
        { field: tenant, value: { variable: { kind: "currentTenant" } } },
      ],
      defaultsKey: isSaid ? `${grant.defaultsKey} of the tenant` : grant.defaultsKey,
    }),
  };
}

function conditionOf(
  row: Omit<PermissionRow, "id">,
  collection: Collection,
  schema: Schema,
  { known, ...holder }: Holder & { readonly known: KnownConditions },
): Planned | null {
  const { role, tenants } = holder;
  const others = row.action === "read" ? undefined : notAdministrators.get(collection.name);
  const given = !isAbsent(row.conditions);
  if (!given && others === undefined) return null;
  const key = `${collection.name} ${others !== undefined} ${tenants !== null} ${keyOf(row.conditions, role)}`;
  const present = known.get(key);
  if (present) return present;
  const said = given ? planCondition(schema, collection, parseFilter(row.conditions, "conditions")) : null;
  refuseSecrets(said);
  const own = said && heldCondition(said, holder);
  const made = others === undefined ? own : withoutAdministrators(own, others, collection, schema);
  if (made) known.set(key, made);
  return made;
}

/** Which rows a condition leaves tells of what it compares: nobody may have that of a secret, administrators neither. */
function refuseSecrets(planned: Planned | null): void {
  const secret = planned && comparedFields(planned).find(({ field }) => field.hidden);
  if (secret) {
    throw new AppError(
      "UNKNOWN_FIELD",
      `${secret.at}: '${secret.field.name}' is hidden and cannot stand in a condition`,
    );
  }
}

function refuseSecretsBehind(rules: RelationRules): void {
  for (const { rows, nested } of rules.values()) {
    refuseSecrets(rows);
    refuseSecretsBehind(nested);
  }
}

/** Equal for values that mean the same in two roles. */
function keyOf(value: unknown, role: string | null): string {
  if (isAbsent(value)) return "null";
  const text = JSON.stringify(value);
  return text.includes("$CURRENT_ROLE") ? `${role} ${text}` : text;
}

/**
 * Accounts and memberships of administrators are written by administrators alone, whatever a permission says: who could
 * change the mail of one could have a new password sent to it.
 */
const notAdministrators: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["baasix_UserRole", { "role.name": { ne: administratorRole } }],
  ["baasix_User", { NOT: { userRoles: { "role.name": administratorRole } } }],
]);

/** A condition, so that it holds for the row as it is and as it becomes, however the role was spelled. */
function withoutAdministrators(
  condition: Planned | null,
  filter: unknown,
  collection: Collection,
  schema: Schema,
): Planned {
  const others = planCondition(schema, collection, parseFilter(filter));
  return condition === null ? others : { kind: "all", items: [others, condition] };
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined || (isObject(value) && Object.keys(value).length === 0);
}

function parseDefaults(schema: Schema, collection: Collection, defaults: unknown): readonly GrantDefault[] {
  if (!isObject(defaults))
    throw new AppError("INVALID_VALUE", "defaultValues: expected an object of field and value");
  return Object.keys(defaults).map((name) => {
    const at = `defaultValues.${name}`;
    const field = collection.fields.get(name);
    if (!field || field.hidden)
      throw new AppError("UNKNOWN_FIELD", `${at}: '${collection.name}' has no field '${name}'`);
    if (field.managed === "generated")
      throw new AppError("INVALID_VALUE", `${at}: the database calculates it`);
    return { field, value: planDefault(defaults[name], field, schema, at) };
  });
}
