/** Statements over the stored definitions, roles and permissions, and what the database needs before the first table. */
import type { SchemaDefinition, SchemaRecord } from "@baasix/types";
import type { PermissionRow, RoleRow } from "../access/rules";
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import { publicationName } from "./ddl";
import type { LockMode } from "./locks";

/** A row as an array of driver values. */
type Row = readonly unknown[];

const plain = (text: string, ...params: readonly (string | null)[]): Statement => ({ text, params });

// "baasix" in ASCII: any fixed number does, as long as every instance takes the same one.
const lockKey = "108170201721208";
// Beside those of `places.ts`; the second number is of the name.
const namedLocks = 1_936_683_639;

/** Waits at most so long (ms) for any lock from here to the end of the transaction. */
export function lockTimeout(milliseconds: number): Statement {
  return plain(`set local lock_timeout = ${Math.trunc(milliseconds)}`);
}

/** As the first of its transaction: all of it sees one moment, and may not write. */
export const writeNothing: Statement = plain("set transaction isolation level repeatable read, read only");

/** One schema change at a time, over all instances; released with the transaction. */
export const takeSchemaLock: Statement = plain(`select pg_advisory_xact_lock(${lockKey})`);

/** One at a time of those who give the same name, over all instances; released with the transaction. */
export function takeNamedLock(name: string): Statement {
  return plain(`select pg_advisory_xact_lock(${namedLocks}, hashtext($1::text))`, name);
}

/** True when the table of definitions is there. */
export const hasDefinitions: Statement = plain(
  `select to_regclass('public."baasix_SchemaDefinition"') is not null`,
);

/** Keeps others out of tables from the questions about their rows to the end of the change. */
export function lockTables(names: readonly string[], mode: LockMode): Statement {
  return plain(`lock table ${names.map(quoteName).join(", ")} in ${mode} mode`);
}

/** Lets an autovacuum that holds a table give way after 50 ms, where the role may say so. */
export const cancelVacuumSoon: Statement = plain(
  "select set_config('deadlock_timeout', '50ms', true) where current_setting('is_superuser') = 'on'",
);

/** The version of the server as a number, and as people say it. */
export const serverVersion: Statement = plain(
  "select current_setting('server_version_num'), current_setting('server_version')",
);

/** The indexes that tables have: [table, index, whether it is whole]. */
export const presentIndexes: Statement = plain(
  "select t.relname, i.relname, x.indisvalid from pg_index x join pg_class i on i.oid = x.indexrelid " +
    "join pg_class t on t.oid = x.indrelid where t.relnamespace = 'public'::regnamespace",
);

/** Drops an index that is not as it should be. */
export function dropIndex(name: string): Statement {
  return plain(`drop index ${quoteName(name)}`);
}

/** Names among these that something in the database has already. */
export function takenNames(names: readonly string[]): Statement {
  return plain(
    "select relname from pg_class where relnamespace = 'public'::regnamespace and relname = any(array(select json_array_elements_text($1::text::json)))",
    JSON.stringify(names),
  );
}

export const hasPublication: Statement = plain(
  `select exists (select 1 from pg_publication where pubname = ${quoteLiteral(publicationName)})`,
);
export const createPublication: Statement = plain(`create publication ${quoteName(publicationName)}`);

/** The tables that the publication carries. */
export const publishedTables: Statement = plain(
  `select tablename from pg_publication_tables where pubname = ${quoteLiteral(publicationName)} and schemaname = 'public'`,
);

/** Columns [name, schema that it is installed in or null], of those extensions that the server has. */
export function extensionStates(names: readonly string[]): Statement {
  return plain(
    "select a.name, n.nspname from pg_available_extensions a left join pg_extension e on e.extname = a.name " +
      "left join pg_namespace n on n.oid = e.extnamespace " +
      "where a.name = any(array(select json_array_elements_text($1::text::json)))",
    JSON.stringify(names),
  );
}

/** True where the publication leaves out calculated columns, which PostgreSQL 18 and later could carry. */
export const lacksGenerated: Statement = plain(
  `select coalesce(to_jsonb(p) ->> 'pubgencols' = 'n', false) from pg_publication p ` +
    `where pubname = ${quoteLiteral(publicationName)}`,
);

/** Without it PostgreSQL 18 refuses to change rows whose whole identity holds a calculated column. */
export const publishGenerated: Statement = plain(
  `alter publication ${quoteName(publicationName)} set (publish_generated_columns = 'stored')`,
);

/** Brings the publication in step: one statement per table. */
export function changePublication(action: "add" | "drop", table: string): Statement {
  return plain(`alter publication ${quoteName(publicationName)} ${action} table ${quoteName(table)}`);
}

/** The stored definitions, by name. */
export const loadDefinitions: Statement = plain(
  `select "collectionName", "schema"::text, "fieldOrder"::text, ` +
    // Tables of earlier versions have no such column yet.
    `to_jsonb(d) ->> 'hiddenFields' from "baasix_SchemaDefinition" d order by 1`,
);

const versionWords = "baasix system collections";

/**
 * What is noted of the built-in collections: their version, 0 where none is; whether we may note another one, as the owner of the
 * table of definitions, or where there is none yet.
 */
export type SystemNote = { readonly version: number; readonly mayChange: boolean };

/** One row of [what the table is said to hold, whether it is ours]: a note that a dump takes along; none where there is no table. */
export const loadSystemNote: Statement = plain(
  `select obj_description(oid, 'pg_class'), pg_has_role(relowner, 'usage') from pg_class ` +
    `where oid = to_regclass('public."baasix_SchemaDefinition"')`,
);

/** Reads what `loadSystemNote` gives. */
export function readSystemNote([row]: readonly Row[]): SystemNote {
  const [words = "", number = ""] = String(row?.[0] ?? "").split(/ (?=\d+$)/);
  return { version: words === versionWords ? Number(number) : 0, mayChange: row?.[1] !== false };
}

/** Notes the version of the built-in collections. */
export function putSystemVersion(version: number): Statement {
  return plain(`comment on table "baasix_SchemaDefinition" is ${quoteLiteral(`${versionWords} ${version}`)}`);
}

/** Reads rows of `loadDefinitions`. jsonb forgets the order of keys: `fieldOrder` keeps that of the fields. */
export function readDefinitions(rows: readonly Row[]): readonly SchemaRecord[] {
  return rows.map(([name, schema, order, hidden]) => {
    const definition = JSON.parse(String(schema)) as SchemaDefinition;
    const names = order === null ? [] : (JSON.parse(String(order)) as readonly string[]);
    const secrets = hidden === null ? {} : (JSON.parse(String(hidden)) as SchemaDefinition["fields"]);
    const given = Object.entries({ ...definition.fields, ...secrets });
    const place = new Map(names.map((field, index) => [field, index] as const));
    const sorted = given.toSorted(([a], [b]) => (place.get(a) ?? Infinity) - (place.get(b) ?? Infinity) || 0);
    return { collectionName: String(name), schema: { ...definition, fields: Object.fromEntries(sorted) } };
  });
}

/** Stores definitions, new or anew. */
export function putDefinitions(records: readonly SchemaRecord[]): Statement {
  const rows = records.map(({ collectionName, schema }) => {
    const hidden = Object.entries(schema.fields).filter(([, { hidden: isHidden }]) => isHidden === true);
    return {
      n: collectionName,
      s: withoutHidden(schema),
      o: Object.keys(schema.fields),
      h: hidden.length > 0 ? Object.fromEntries(hidden) : null,
    };
  });
  return plain(
    `insert into "baasix_SchemaDefinition" ("collectionName", "schema", "fieldOrder", "hiddenFields") ` +
      `select n, s, o, h from json_to_recordset($1::text::json) as r(n text, s jsonb, o jsonb, h jsonb) ` +
      `on conflict ("collectionName") do update set "schema" = excluded."schema", ` +
      `"fieldOrder" = excluded."fieldOrder", "hiddenFields" = excluded."hiddenFields", "updatedAt" = now()`,
    JSON.stringify(rows),
  );
}

/** A definition as others may see it: without the fields that only the server knows. */
export function withoutHidden(schema: SchemaDefinition): SchemaDefinition {
  const shown = Object.entries(schema.fields).filter(([, { hidden }]) => hidden !== true);
  return { ...schema, fields: Object.fromEntries(shown) };
}

/** Stores a definition under another name. */
export function renameDefinition(from: string, to: string): Statement {
  return plain(
    `update "baasix_SchemaDefinition" set "collectionName" = $2 where "collectionName" = $1`,
    from,
    to,
  );
}

/** Removes stored definitions. */
export function removeDefinitions(names: readonly string[]): Statement {
  return plain(
    `delete from "baasix_SchemaDefinition" where "collectionName" = any(array(select json_array_elements_text($1::text::json)))`,
    JSON.stringify(names),
  );
}

/** True when one of these roles is missing, or tells otherwise of administrators. */
export function lacksRoles(roles: readonly RoleSeed[]): Statement {
  return plain(
    `select exists (select 1 from json_to_recordset($1::text::json) as r(n text, a boolean) where not exists ` +
      `(select 1 from "baasix_Role" where "name" = n and "adminAccess" = a))`,
    JSON.stringify(roles.map(({ name, admin }) => ({ n: name, a: admin }))),
  );
}

/** Makes sure that roles exist; those that do stay as they are, but for what they tell of administrators. */
export function seedRoles(roles: readonly RoleSeed[]): Statement {
  return plain(
    `insert into "baasix_Role" as present ("name", "description", "adminAccess", "isTenantSpecific") select n, d, a, t ` +
      `from json_to_recordset($1::text::json) as r(n text, d text, a boolean, t boolean) on conflict ("name") ` +
      `do update set "adminAccess" = excluded."adminAccess" where present."adminAccess" <> excluded."adminAccess"`,
    JSON.stringify(
      roles.map(({ name, description, admin, ofTenants }) => ({
        n: name,
        d: description,
        a: admin,
        t: ofTenants,
      })),
    ),
  );
}

/** A role that is there from the start. `ofTenants`: who has it sees the rows of one tenant. */
export type RoleSeed = {
  readonly name: string;
  readonly description: string;
  readonly admin: boolean;
  readonly ofTenants: boolean;
};

/** Roles of before there were tenants are those of one tenant each, but for the two that are everybody's. */
export const limitRoles: Statement = plain(
  `update "baasix_Role" set "isTenantSpecific" = true where "name" not in ('administrator', 'public')`,
);

/** All roles and permissions as one row of two JSON texts, so that both are of one moment. */
export const loadRights: Statement = plain(
  `select (select coalesce(json_agg(r order by r."name"), '[]')::text ` +
    `from (select "id", "name", "description", "isTenantSpecific", "canInviteRoleIds" from "baasix_Role") r), ` +
    `(select coalesce(json_agg(p order by p."id"), '[]')::text from (select "id", "role_Id", "collection", ` +
    `"action", "fields", "conditions", "relConditions", "defaultValues" from "baasix_Permission") p)`,
);

/** Roles and permissions; `text` tells two loads apart. */
export type Rights = {
  readonly roles: readonly RoleRow[];
  readonly permissions: readonly PermissionRow[];
  readonly text: string;
};

/** Reads the row of `loadRights`. */
export function readRights([row]: readonly Row[]): Rights {
  const [roles, permissions] = [String(row?.[0] ?? "[]"), String(row?.[1] ?? "[]")];
  return {
    roles: JSON.parse(roles) as readonly RoleRow[],
    permissions: JSON.parse(permissions) as readonly PermissionRow[],
    text: roles + permissions,
  };
}

/** Stores permissions anew: what is left of them, or what they are called now. */
export function putPermissions(rows: readonly PermissionRow[]): Statement {
  const columns = ["collection", "fields", "conditions", "relConditions", "defaultValues"] as const;
  return plain(
    `update "baasix_Permission" p set ${columns.map((name) => `"${name}" = r."${name}"`).join(", ")}, "updatedAt" = now() ` +
      `from json_to_recordset($1::text::json) as r("id" uuid, "collection" text, "fields" jsonb, "conditions" jsonb, ` +
      `"relConditions" jsonb, "defaultValues" jsonb) where p."id" = r."id"`,
    JSON.stringify(rows),
  );
}

/** Removes permissions by their ids. */
export function removePermissions(ids: readonly string[]): Statement {
  return plain(
    `delete from "baasix_Permission" where "id" = any(array(select json_array_elements_text($1::text::json))::uuid[])`,
    JSON.stringify(ids),
  );
}
