/** Permission rows → Rules: read once per change, so that a request only looks things up. */
import type { Action } from "@baasix/types";
import { AppError } from "../errors";
import { type DefaultValue, planDefault } from "../query/defaults";
import { filterBudget, isObject, parseFilter } from "../query/filter";
import { type Planned, planCondition } from "../query/plan";
import { noRelationRules, planRelConditions, type RelationRules } from "../query/relConditions";
import type { Collection, Field, Schema } from "../schema/model";
import { type FieldGrant, parseFieldGrant } from "./grants";

/** A row of `baasix_Role` as it is loaded. */
export type RoleRow = { readonly id: string; readonly name: string; readonly description?: string | null };

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

/** What one permission allows. `condition` null: every row. */
export type Grant = {
  readonly fields: FieldGrant;
  readonly condition: Planned | null;
  /** Which rows of relations may be seen, wherever a read passes them. */
  readonly related: RelationRules;
  readonly defaults: readonly GrantDefault[];
};

export type RoleRules = {
  readonly role: RoleRow;
  readonly admin: boolean;
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

/** Builds the rules. A row that names what does not exist, or that cannot be read, allows nothing (fail closed). */
export function parseRules(
  roles: readonly RoleRow[],
  permissions: readonly PermissionRow[],
  schema: Schema,
): Rules {
  const problems: string[] = [];
  const byRole = new Map<string, RoleRules>();
  for (const role of roles) {
    const own = permissions.filter((row) => row.role_Id === role.id);
    const grants = new Map<string, Map<Action, Grant>>();
    for (const row of own) {
      try {
        const grant = parseGrant(row, schema);
        const collection = grants.get(row.collection) ?? new Map<Action, Grant>();
        collection.set(row.action as Action, grant);
        grants.set(row.collection, collection);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        problems.push(
          `permission ${row.id} (${role.name}, ${row.action} ${row.collection}): ${error.message}`,
        );
      }
    }
    byRole.set(role.id, { role, admin: role.name === administratorRole, grants, permissions: own });
  }
  const everyone = [...byRole.values()].find(({ role }) => role.name === publicRole) ?? null;
  return { roles: byRole, public: everyone, problems };
}

/**
 * Reads one permission against the schema; used to check a row before it is stored, too.
 * @throws AppError naming what is wrong.
 */
export function parseGrant(row: Omit<PermissionRow, "id">, schema: Schema): Grant {
  const collection = schema.collections.get(row.collection);
  if (!collection) throw new AppError("UNKNOWN_COLLECTION", `collection: '${row.collection}' does not exist`);
  if (!actions.has(row.action)) {
    throw new AppError("INVALID_VALUE", "action: expected create, read, update or delete");
  }
  const condition = isAbsent(row.conditions)
    ? null
    : planCondition(schema, collection, parseFilter(row.conditions, "conditions"));
  return {
    fields: parseFieldGrant(row.fields),
    condition: withoutAdministrators(row.action, condition, collection, schema),
    related: isAbsent(row.relConditions)
      ? noRelationRules
      : planRelConditions(schema, collection, row.relConditions, "relConditions", filterBudget()),
    defaults: isAbsent(row.defaultValues) ? [] : parseDefaults(schema, collection, row.defaultValues),
  };
}

/**
 * Memberships of administrators are written by administrators alone, whatever a permission says. A condition, so that
 * it holds for the row as it is and as it becomes, however the role was spelled.
 */
function withoutAdministrators(
  action: string,
  condition: Planned | null,
  collection: Collection,
  schema: Schema,
): Planned | null {
  if (collection.name !== "baasix_UserRole" || action === "read") return condition;
  const others = planCondition(schema, collection, parseFilter({ "role.name": { ne: administratorRole } }));
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
