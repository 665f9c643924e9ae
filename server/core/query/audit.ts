/** The entries of the audit log that a writing statement makes of the rows that it wrote, in that same statement. */
import { jsonExpression } from "../schema/fields";
import type { Field } from "../schema/model";
import { tenantColumn } from "../schema/tenants";
import { compileBulkEntries, type EntryValue, type Keeping } from "./auditBulk";
import type { AuthorizedTarget } from "./authorize";
import type { Parameters } from "./compileCondition";
import { quoteLiteral, quoteName } from "./statement";
import type { Param } from "./variables";
import type { SharedRows } from "./sharedWrite";
import { addressInput, old, requestInput, writtenRows } from "./writeStatement";

/** Where the entries are kept. */
export const auditCollection = "baasix_AuditLog";

/**
 * What an entry tells. `before`, `after`: these fields as they were (`old`) and are, the whole row as it was written, or
 * nothing. `without`: fields that the row had no value of before.
 */
export type Audited = {
  readonly action: "create" | "update" | "delete" | "restore";
  readonly before: readonly Field[] | "whole" | null;
  readonly after: readonly Field[] | "whole" | null;
  readonly without?: Field;
};

/** The columns of an entry, in the order in which statements give them; the database fills the others. */
const entryNames = [
  "type",
  "entity",
  "entityId",
  "action",
  "changes",
  "userId",
  "ipaddress",
  "requestId",
  "transactionId",
] as const;
export const entryColumns = entryNames.map(quoteName).join(", ");
/** The column behind them, where there are tenants. */
export const tenantEntry = quoteName(tenantColumn);

export const currentUser: Param = { kind: "currentUser" };

/** Where there are tenants: the entry of a row that belongs to none says the one in which its author acts. */
const currentTenant: Param = { kind: "currentTenant" };

/**
 * `insert … select … from "#w" w, …`: what makes the entries of the rows that were written; null where the collection keeps
 * none. Hidden fields never appear. `keeping`: how the entries lie; `shared`: the rows of several requests, each of which is told
 * as a transaction of its own.
 */
export function auditOf(
  { collection, stamped }: Pick<AuthorizedTarget, "collection" | "stamped">,
  audited: Audited,
  parameters: Parameters,
  keeping: Keeping = "each",
  shared: SharedRows | null = null,
): string | null {
  if (!collection.audit || collection.guarded) return null;
  const { action, before, after, without } = audited;
  const shown = [...collection.fields.values()].filter(({ hidden }) => !hidden);
  const was: readonly EntryValue[] | null =
    before === "whole"
      ? shown.map((field) => [field, field === without ? "null::text" : value(field)])
      : before && visible(before).map((field) => [field, jsonExpression(`w.${old(field)}`, field)]);
  const is: readonly EntryValue[] | null =
    after && visible(after === "whole" ? shown : after).map((field) => [field, value(field)]);
  const common = {
    type: "'data'",
    entity: quoteLiteral(collection.name),
    action: quoteLiteral(action),
    userId: `${parameters.place(currentUser)}::uuid`,
    ipaddress: `${parameters.place(addressInput)}::text`,
    requestId: `${parameters.place(requestInput)}::text`,
    transactionId: `pg_current_xact_id()::text${shared ? " || '-' || r.n" : ""}`,
  };
  const tenant = !stamped
    ? null
    : collection.tenant
      ? `w.${quoteName(collection.tenant.name)}`
      : `${parameters.place(currentTenant)}::uuid`;
  if (keeping !== "each") {
    const told = tenant === null ? null : { column: tenantEntry, sql: tenant };
    return compileBulkEntries({ collection, before: was, after: is, shared: common, tenant: told, keeping });
  }
  const entry: Readonly<Record<(typeof entryNames)[number], string>> = {
    ...common,
    entityId: `w.${quoteName(collection.primaryKey.name)}::text`,
    changes: `to_jsonb("#c")`,
  };
  const values = entryNames.map((name) => entry[name]).join(", ");
  // Rows that become JSON take half the time that objects built pair by pair do, in which each pair looks up its type.
  const named = (list: readonly EntryValue[] | null, name: string): string =>
    `${list === null ? "null::jsonb" : list.length === 0 ? "'{}'::jsonb" : `"#${name}"`} as ${name}`;
  const record = (list: readonly EntryValue[] | null, name: string): readonly string[] =>
    // No field can have such a name: a bare word would be the column of that name.
    list?.length ? [`lateral (select ${list.map(asMember).join(", ")}) "#${name}"`] : [];
  const parts = [
    ...record(was, "before"),
    ...record(is, "after"),
    `lateral (select ${named(was, "before")}, ${named(is, "after")}) "#c"`,
  ];
  return (
    `insert into ${quoteName(auditCollection)} (${entryColumns}${tenant ? `, ${tenantEntry}` : ""}) ` +
    `select ${values}${tenant ? `, ${tenant}` : ""} from ${writtenRows(shared)}, ${parts.join(", ")}`
  );
}

function visible(fields: readonly Field[]): readonly Field[] {
  return fields.filter(({ hidden }) => !hidden);
}

function asMember([{ name }, sql]: EntryValue): string {
  return `${sql} as ${quoteName(name)}`;
}

/** A select list of fields under their names. Hidden ones never appear. */
export function members(fields: readonly Field[], sql: (field: Field) => string): string {
  return visible(fields)
    .map((field) => asMember([field, sql(field)]))
    .join(", ");
}

function value(field: Field): string {
  return jsonExpression(`w.${quoteName(field.name)}`, field);
}
