/**
 * Entries of the audit log for what foreign keys do by themselves: rows that go with the row they belong to, and keys that
 * become null. A trigger writes them, since no statement of ours names those rows. Rows that a statement changes itself
 * pass it by: that statement writes its own entries.
 */
import { isSpatial, jsonExpression } from "../schema/fields";
import type { Collection, Field, Relation, Schema } from "../schema/model";
import { joinNames } from "../schema/names";
import { auditCollection, currentUser, entryColumns, members, tenantEntry } from "./audit";
import type { Parameters } from "./compileCondition";
import { quoteLiteral, quoteName } from "./statement";
import { type Trigger, type TriggerKind, typesLine } from "./triggers";
import { addressInput, requestInput } from "./writeStatement";

/** Where a deleting statement leaves for the trigger who it runs for, to the end of its transaction. */
const actorSetting = "baasix.actor";

/** A condition that always holds and, evaluated once a statement, leaves there who the statement runs for. */
export function tellActor(parameters: Parameters): string {
  const who =
    `jsonb_build_object('user', ${parameters.place(currentUser)}::text, 'address', ` +
    `${parameters.place(addressInput)}::text, 'request', ${parameters.place(requestInput)}::text)::text`;
  return `(select set_config(${quoteLiteral(actorSetting)}, ${who}, true)) is not null`;
}

/** The triggers of the audit log. */
export const auditKind: TriggerKind = {
  name: "baasix_audit",
  fires: "after update or delete on $ for each row when (pg_trigger_depth() > 0)",
};

/** One for each collection whose rows a foreign key, or what stands for one, can change. */
export function auditTriggers(schema: Schema): readonly Trigger[] {
  return [...schema.collections.values()].filter(followsKeys).map((collection) => ({
    table: collection.name,
    name: joinNames(auditKind.name, collection.name),
    body: functionBody(collection),
  }));
}

function followsKeys({ audit, relations }: Collection): boolean {
  return audit && [...relations.values()].some(isCarried);
}

/** Whether the row that holds the key goes, or loses it, with the row to which it leads. */
function isCarried({ keyOn, onDelete }: Relation): boolean {
  return keyOn === "source" && (onDelete === "CASCADE" || onDelete === "SET NULL");
}

const leading = new WeakMap<Schema, ReadonlySet<string>>();

/** True where deleting a row changes rows that hold its key. */
export function leadsOn(schema: Schema, { name }: Collection): boolean {
  let known = leading.get(schema);
  if (!known) {
    const targets = [...schema.collections.values()].flatMap(({ relations }) =>
      [...relations.values()].filter(isCarried),
    );
    leading.set(schema, (known = new Set(targets.map(({ target }) => target))));
  }
  return known.has(name);
}

function functionBody(collection: Collection): string {
  const { tenant } = collection;
  const shown = [...collection.fields.values()].filter(({ hidden }) => !hidden);
  const whole = `(select to_jsonb(r.*) from (select ${members(shown, (field) => valueIn("old", field))}) r)`;
  const changed = (row: "old" | "new"): string =>
    shown
      .map(
        (field) =>
          `case when ${comparable("old", field)} is distinct from ${comparable("new", field)} ` +
          `then jsonb_build_object(${quoteLiteral(field.name)}, ${valueIn(row, field)}) else '{}' end`,
      )
      .join(" || ");
  return `${typesLine(shown)}declare who jsonb := nullif(current_setting(${quoteLiteral(actorSetting)}, true), ''); was jsonb; becomes jsonb;
begin
  if tg_op = 'DELETE' then was := ${whole};
  else
    was := ${changed("old")};
    becomes := ${changed("new")};
    if was = '{}' then return null; end if;
  end if;
  insert into public.${quoteName(auditCollection)}
    (${entryColumns}${tenant ? `, ${tenantEntry}` : ""})
  values ('data', tg_table_name, old.${quoteName(collection.primaryKey.name)}::text, lower(tg_op),
    jsonb_build_object('before', was, 'after', becomes), (who ->> 'user')::uuid, who ->> 'address', who ->> 'request',
    pg_current_xact_id()::text${tenant ? `, old.${quoteName(tenant.name)}` : ""});
  return null;
end`;
}

function valueIn(row: "old" | "new", field: Field): string {
  return jsonExpression(`${row}.${quoteName(field.name)}`, field);
}

/** That of shapes means less than the same points. */
function comparable(row: "old" | "new", field: Field): string {
  return `${row}.${quoteName(field.name)}${isSpatial(field) ? "::text" : ""}`;
}
