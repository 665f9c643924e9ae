/**
 * Tenants in definitions: the column and the relation that say whose a row is, which the server adds to the collections of
 * users, and uniqueness within a tenant.
 */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import type { Collection, Field, Tenants } from "./model";
import { invalid } from "./names";

/** The collection of tenants. */
export const tenantCollection = "baasix_Tenant";
/** The column that names the tenant of a row; null: it belongs to none. */
export const tenantColumn = "tenant_Id";
const tenantRelation = "tenant";

const column = { type: "UUID", SystemGenerated: true } as const satisfies FieldDefinition;
const relation = {
  relType: "BelongsTo",
  target: tenantCollection,
  foreignKey: tenantColumn,
  onDelete: "RESTRICT",
  SystemGenerated: true,
} as const satisfies FieldDefinition;

/** What ends the key of an index whose values are unique within a tenant: rows of no tenant are together, too. */
export const tenantKey = `coalesce("${tenantColumn}", '00000000-0000-0000-0000-000000000000'::uuid)`;

/** True where the rows of a user's collection belong to tenants. */
export function isOfTenants(name: string, tenants: Tenants | null): boolean {
  return tenants !== null && !tenants.ignored.has(name);
}

/**
 * The definition of a user's collection, with the column and the relation of its tenant. What is no definition stays as it
 * is, to be refused where it is read.
 * @throws AppError INVALID_SCHEMA where something else has one of the two names
 */
export function withTenant(definition: SchemaDefinition, place: string): SchemaDefinition {
  if (typeof definition !== "object" || definition === null) return definition;
  const fields: unknown = definition.fields ?? {};
  if (typeof fields !== "object" || Array.isArray(fields)) return definition;
  const given = new Map(Object.entries(fields as Readonly<Record<string, FieldDefinition | null>>));
  const known = given.get(tenantColumn);
  const isColumn = !known || (known.type === "UUID" && known.relType === undefined && !known.primaryKey);
  if (!isColumn) throw taken(tenantColumn, place);
  const leads = given.get(tenantRelation);
  if (leads && !isTenantRelation(leads)) throw taken(tenantRelation, place);
  const others = [...given].find(
    ([name, entry]) =>
      name !== tenantRelation && entry?.relType === "BelongsTo" && entry.foreignKey === tenantColumn,
  );
  if (others) throw taken(others[0], place);
  if (isGeneratedAs(known, column) && isGeneratedAs(leads, relation)) return definition;
  return { ...definition, fields: { ...fields, [tenantColumn]: column, [tenantRelation]: relation } };
}

function isGeneratedAs(entry: FieldDefinition | null | undefined, wanted: FieldDefinition): boolean {
  const said = new Map(Object.entries(entry ?? {}));
  const all = Object.entries(wanted);
  return said.size === all.length && all.every(([key, value]) => said.get(key) === value);
}

function taken(name: string, place: string): Error {
  return invalid(
    `${place}.fields.${name}`,
    `with MULTI_TENANT '${tenantColumn}' and '${tenantRelation}' say whose a row is; choose another name, or list the ` +
      "collection in TENANT_IGNORED_TABLES",
  );
}

function isTenantRelation(entry: FieldDefinition): boolean {
  return (
    entry.relType === "BelongsTo" &&
    entry.target === tenantCollection &&
    (entry.foreignKey ?? tenantColumn) === tenantColumn &&
    entry.type === undefined
  );
}

/**
 * True where values that are unique are so within a tenant: where the server made the relation to it. That stays so when
 * there are no tenants any more, as rows of several may have the same by then.
 */
export function isUniquePerTenant({ fields }: SchemaDefinition): boolean {
  const entry = fields[tenantRelation];
  return entry !== undefined && isTenantRelation(entry) && entry.SystemGenerated === true;
}

/** The fields and relations of a collection that are the server's, as they say whose a row is. */
export function isTenantEntry({ tenant, system }: Collection, name: string): boolean {
  return tenant !== null && !system && (name === tenantColumn || name === tenantRelation);
}

/** True for a column whose values are unique among the rows of one tenant alone. */
export function perTenant(field: Field, uniquePerTenant: boolean): boolean {
  return uniquePerTenant && field.unique && !field.primaryKey;
}
