/** The entry of the audit log that a writing statement makes of each row that it wrote, in that same statement. */
import { jsonExpression } from "../schema/fields";
import type { Field } from "../schema/model";
import { tenantColumn } from "../schema/tenants";
import type { AuthorizedTarget } from "./authorize";
import type { Parameters } from "./compileCondition";
import { quoteLiteral, quoteName } from "./statement";
import type { Param } from "./variables";
import { addressInput, old, requestInput } from "./writeStatement";

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

/** `, "#a" as (insert …)` over the rows of `"#w"`; null where the collection keeps no entries. Hidden fields never appear. */
export function auditOf(
  { collection, stamped }: Pick<AuthorizedTarget, "collection" | "stamped">,
  audited: Audited,
  parameters: Parameters,
): string | null {
  if (!collection.audit || collection.guarded) return null;
  const { action, before, after, without } = audited;
  const shown = [...collection.fields.values()].filter(({ hidden }) => !hidden);
  const was =
    before === "whole"
      ? members(shown, (field) => (field === without ? "null::text" : value(field)))
      : before && members(before, (field) => jsonExpression(`w.${old(field)}`, field));
  const is = after && members(after === "whole" ? shown : after, value);
  const entry: Readonly<Record<(typeof entryNames)[number], string>> = {
    type: "'data'",
    entity: quoteLiteral(collection.name),
    entityId: `w.${quoteName(collection.primaryKey.name)}::text`,
    action: quoteLiteral(action),
    changes: `to_jsonb("#c")`,
    userId: `${parameters.place(currentUser)}::uuid`,
    ipaddress: `${parameters.place(addressInput)}::text`,
    requestId: `${parameters.place(requestInput)}::text`,
    transactionId: "pg_current_xact_id()::text",
  };
  const values = entryNames.map((name) => entry[name]).join(", ");
  const tenant = !stamped
    ? null
    : collection.tenant
      ? `w.${quoteName(collection.tenant.name)}`
      : `${parameters.place(currentTenant)}::uuid`;
  // Rows that become JSON take half the time that objects built pair by pair do, in which each pair looks up its type.
  const named = (list: string | null, name: string): string =>
    `${list === null ? "null::jsonb" : list === "" ? "'{}'::jsonb" : `"#${name}"`} as ${name}`;
  const parts = [
    // No field can have such a name: a bare word would be the column of that name.
    ...(was ? [`lateral (select ${was}) "#before"`] : []),
    ...(is ? [`lateral (select ${is}) "#after"`] : []),
    `lateral (select ${named(was, "before")}, ${named(is, "after")}) "#c"`,
  ];
  return (
    `, "#a" as (insert into ${quoteName(auditCollection)} (${entryColumns}${tenant ? `, ${tenantEntry}` : ""}) ` +
    `select ${values}${tenant ? `, ${tenant}` : ""} from "#w" w, ${parts.join(", ")})`
  );
}

/** A select list of fields under their names. Hidden ones never appear. */
export function members(fields: readonly Field[], sql: (field: Field) => string): string {
  return fields
    .filter(({ hidden }) => !hidden)
    .map((field) => `${sql(field)} as ${quoteName(field.name)}`)
    .join(", ");
}

function value(field: Field): string {
  return jsonExpression(`w.${quoteName(field.name)}`, field);
}
