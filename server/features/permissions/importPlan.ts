/** What an import does, role by role, decided from what is stored and what the document says. Pure. */
import type { Permission, PortablePermission, PortableRole, RoleDifferences } from "@baasix/types";
import { parseGrant } from "../../core/access/rules";
import { AppError } from "../../core/errors";
import type { Schema } from "../../core/schema/model";
import { sameJson } from "../../core/schema/same";
import type { WriteBody } from "../../data";
import type { ImportDocument } from "./document";
import { checkRole } from "./protect";

/** The columns of a role and of a permission that travel. */
export const settings = ["description", "icon", "appAccess", "ipWhitelist", "isTenantSpecific"] as const;
export const parts = ["fields", "conditions", "relConditions", "defaultValues"] as const;

/** What is stored, as far as it travels. */
export type StoredRole = {
  readonly id: string;
  readonly canInviteRoleIds: readonly string[] | null;
} & Required<Omit<PortableRole, "permissions" | "canInviteRoles">>;
export type Stored = {
  readonly roles: readonly StoredRole[];
  readonly permissions: readonly Permission[];
};

/** What becomes of one role. `stored` null: it is new. `differences` null: nothing changes. */
export type RolePlan = {
  readonly role: PortableRole;
  readonly stored: StoredRole | null;
  /** Settings that are given (new role) or differ. */
  readonly changed: WriteBody;
  readonly create: readonly PortablePermission[];
  readonly update: readonly { readonly id: string; readonly data: WriteBody }[];
  readonly remove: readonly string[];
  readonly skipped: number;
  readonly differences: RoleDifferences | null;
};

/**
 * Decides everything. Every name and condition is judged against the schema.
 * @throws AppError VALIDATION_ERROR with everything that is wrong
 */
export function planImport(
  stored: Stored,
  { roles, overwrite }: ImportDocument,
  schema: Schema,
): readonly RolePlan[] {
  const known = new Map(stored.roles.map((role) => [role.name, role]));
  const names = new Set([...known.keys(), ...roles.map(({ name }) => name)]);
  const errors = roles.flatMap((role, i) => mistakesOf(role, schema, names, roles.slice(0, i)));
  if (errors.length > 0) {
    const [first] = errors;
    throw new AppError("VALIDATION_ERROR", `Role '${first?.role}': ${first?.error}`, {
      errors: errors.slice(0, 100),
    });
  }
  return roles.map((role) => planRole(role, known.get(role.name) ?? null, stored, overwrite));
}

function mistakesOf(
  role: PortableRole,
  schema: Schema,
  names: ReadonlySet<string>,
  before: readonly PortableRole[],
): readonly { readonly role: string; readonly error: string }[] {
  const errors: string[] = [];
  if (before.some(({ name }) => name === role.name)) errors.push("is in the document twice");
  for (const name of role.canInviteRoles ?? []) {
    if (!names.has(name)) errors.push(`canInviteRoles: there is no role '${name}'`);
  }
  const attempt = (place: string, check: () => void): void => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      errors.push(place + error.message);
    }
  };
  attempt("", () => checkRole({ ipWhitelist: role.ipWhitelist }, role.name));
  const seen = new Set<string>();
  role.permissions.forEach((permission, i) => {
    const name = nameOfPermission(permission);
    if (seen.has(name)) errors.push(`permissions[${i}]: '${name}' is there twice`);
    seen.add(name);
    // Whose it is does not matter to whether it can be understood. Fields may be those of another server, with or without
    // tenants: what is not there opens nothing.
    attempt(`permissions[${i}] (${name}): `, () => parseGrant({ role_Id: "", ...permission }, schema));
  });
  return errors.map((error) => ({ role: role.name, error }));
}

function planRole(
  role: PortableRole,
  stored: StoredRole | null,
  { roles, permissions }: Stored,
  overwrite: boolean,
): RolePlan {
  const present = new Map(
    permissions
      .filter(({ role_Id }) => role_Id === stored?.id)
      .map((row) => [nameOfPermission(row), row] as const),
  );
  const wanted = new Map(
    role.permissions.map((permission) => [nameOfPermission(permission), permission] as const),
  );
  const create = [...wanted].flatMap(([name, permission]) => (present.has(name) ? [] : [permission]));
  const differing = [...wanted].flatMap(([name, permission]) => {
    const row = present.get(name);
    const changes = row && overwrite ? differencesOf(parts, row, permission) : null;
    return row && changes ? [{ name, row, permission, changes }] : [];
  });
  const removed = overwrite ? [...present].filter(([name]) => !wanted.has(name)) : [];
  const invited =
    stored?.canInviteRoleIds?.map((id) => roles.find((one) => one.id === id)?.name ?? id) ?? null;
  const given = [...settings, "canInviteRoles" as const].filter((setting) => role[setting] !== undefined);
  const before = stored && { ...stored, canInviteRoles: invited };
  const settled = before !== null && overwrite ? (differencesOf(given, before, role) ?? {}) : {};
  const names = before === null ? given : given.filter((setting) => setting in settled);
  const isSame = create.length + differing.length + removed.length === 0;
  const differences: RoleDifferences = {
    ...settled,
    ...(!isSame && {
      permissions: {
        added: create.map(nameOfPermission),
        modified: differing.map(({ name, changes }) => ({ permission: name, changes })),
        removed: removed.map(([name]) => name),
      },
    }),
  };
  return {
    role,
    stored,
    changed: Object.fromEntries(names.map((setting) => [setting, role[setting]])),
    create,
    update: differing.map(({ row, permission }) => ({
      id: row.id,
      data: Object.fromEntries(parts.map((part) => [part, permission[part]])),
    })),
    remove: removed.map(([, { id }]) => id),
    skipped: role.permissions.length - create.length - differing.length,
    differences: Object.keys(differences).length > 0 ? differences : null,
  };
}

type Changes = { [name: string]: { readonly type: "changed"; readonly from: unknown; readonly to: unknown } };

function differencesOf<Name extends string>(
  names: readonly Name[],
  before: { readonly [name in Name]?: unknown },
  after: { readonly [name in Name]?: unknown },
): Changes | null {
  const changes: Changes = {};
  for (const name of names) {
    const [from, to] = [before[name] ?? null, after[name] ?? null];
    if (!sameJson(plain(from), plain(to))) changes[name] = { type: "changed", from, to };
  }
  return Object.keys(changes).length > 0 ? changes : null;
}

/** Nothing, an empty object and comma text are other ways to say the same. */
function plain(value: unknown): unknown {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0)
    return null;
  return value;
}

/** `posts:read`. */
export function nameOfPermission({
  collection,
  action,
}: Pick<PortablePermission, "collection" | "action">): string {
  return `${collection}:${action}`;
}
