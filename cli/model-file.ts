/** The file of a server's whole model: what is in it, how it is read, and how differences are told. Pure. */
import type {
  ExportedSchema,
  PermissionExport,
  PortablePermission,
  PortableRole,
  SchemaChange,
  SchemaExport,
  SchemaImportPreview,
  SchemaRecord,
} from "@baasix/types";
import { UsageError } from "./command";

const version = "1.0";

/** The file. It says nothing of when it was written, so that an unchanged model gives an unchanged file. */
export type Model = {
  readonly version: typeof version;
  readonly schemas: readonly SchemaRecord[];
  readonly roles: readonly PortableRole[];
};

/** Of built-in collections only what relations added to them. */
export function modelOf({ schemas }: SchemaExport, { roles }: PermissionExport): Model {
  return { version, schemas: schemas.flatMap(own), roles };
}

function own({ collectionName, schema }: ExportedSchema): readonly SchemaRecord[] {
  if (!collectionName.startsWith("baasix_")) return [{ collectionName, schema }];
  const added = Object.entries(schema.fields).filter(
    ([, { relType, SystemGenerated }]) =>
      (relType === "HasMany" || relType === "HasOne") && SystemGenerated !== undefined,
  );
  if (added.length === 0) return [];
  return [{ collectionName, schema: { name: schema.name, fields: Object.fromEntries(added) } }];
}

/** Reads the text of a file. @throws UsageError when it is none of ours */
export function readModel(file: string, text: string): Model {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is no JSON`);
  }
  const listed = Array.isArray(value) ? { schemas: value } : value;
  if (
    typeof listed !== "object" ||
    listed === null ||
    !("schemas" in listed) ||
    !Array.isArray(listed.schemas)
  )
    throw new UsageError(`${file} holds no list 'schemas'; write one with: baasix schema export -o ${file}`);
  const roles = "roles" in listed && Array.isArray(listed.roles) ? listed.roles : [];
  // The server reads both like anything that comes from outside.
  return {
    version,
    schemas: listed.schemas as readonly SchemaRecord[],
    roles: roles as readonly PortableRole[],
  };
}

/** How a role of the file differs from that of the server; `permissions` by collection and action. */
export type RoleDifference = {
  readonly role: string;
  readonly isNew: boolean;
  readonly settings: readonly string[];
  readonly permissions: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
  readonly text: string;
};

/** Roles that the file does not mention stay as they are, so they are no difference. */
export function compareRoles(
  wanted: readonly PortableRole[],
  present: readonly PortableRole[],
): readonly RoleDifference[] {
  const known = new Map(present.map((role) => [role.name, role] as const));
  return wanted.flatMap((role) => {
    const difference = compareRole(role, known.get(role.name));
    return difference ? [difference] : [];
  });
}

function compareRole(
  { name, permissions = [], ...settings }: PortableRole,
  present: PortableRole | undefined,
): RoleDifference | null {
  const before = new Map((present?.permissions ?? []).map((one) => [nameOf(one), one] as const));
  const after = new Map(permissions.map((one) => [nameOf(one), one] as const));
  const added = [...after.keys()].filter((one) => !before.has(one));
  const removed = [...before.keys()].filter((one) => !after.has(one));
  const changed = [...after].flatMap(([one, permission]) => {
    const known = before.get(one);
    return known && plain(known) !== plain(permission) ? [one] : [];
  });
  const given = Object.entries(settings) as [keyof typeof settings, unknown][];
  const set = given.flatMap(([key, value]) => (plain(value) === plain(present?.[key]) ? [] : [key]));
  const isNew = present === undefined;
  if (!isNew && added.length + removed.length + changed.length + set.length === 0) return null;
  const parts = [
    ...added.map((one) => `+${one}`),
    ...changed.map((one) => `~${one}`),
    ...removed.map((one) => `-${one}`),
    ...(isNew ? [] : set.map((key) => `~${key}`)),
  ];
  return {
    role: name,
    isNew,
    settings: set,
    permissions: { added, changed, removed },
    text: `${isNew ? "+" : "~"} role ${name}${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`,
  };
}

function nameOf({ collection, action }: PortablePermission): string {
  return `${collection}:${action}`;
}

/** Text to compare: without what says nothing, keys in order. */
function plain(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    const said = Object.entries(member).filter(([, one]) => !isEmpty(one));
    return Object.fromEntries(said.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0;
}

/** One line for each collection and field in which the server differs from the file. */
export function describePreview({ changes, skipped }: SchemaImportPreview): readonly string[] {
  return [
    ...changes.new.map(({ collectionName }) => `+ ${collectionName}`),
    ...changes.modified.flatMap(({ collectionName, differences }) =>
      Object.entries(differences).map(([part, difference]) => {
        const sign = difference.type === "added" ? "+" : difference.type === "removed" ? "-" : "~";
        const what =
          difference.type === "modified" ? `: ${show(difference.from)} → ${show(difference.to)}` : "";
        return `${sign} ${collectionName}.${part}${what}`;
      }),
    ),
    ...changes.deleted.map((name) => `- ${name}`),
    ...skipped.map(({ collectionName, reason }) => `! ${collectionName}: ${reason}`),
  ];
}

/** One line for each step, with what it would lose or what is in its way. */
export function describePlan(plan: readonly SchemaChange[]): readonly string[] {
  return plan.map(({ kind, collection, field, from, to, loses, blocked }) => {
    const place = field === undefined ? collection : `${collection}.${field}`;
    const isShort = typeof from === "string" && typeof to === "string";
    const what = isShort ? `: ${from} → ${to}` : "";
    const hint = loses === undefined ? "" : ` (loses ${loses})`;
    return `${kind} ${place}${what}${hint}${blocked === undefined ? "" : ` (blocked: ${blocked})`}`;
  });
}

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
