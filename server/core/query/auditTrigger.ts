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
import { quoteLiteral, quoteName, type Statement } from "./statement";
import { addressInput, requestInput } from "./writeStatement";

const plain = (text: string): Statement => ({ text, params: [] });

/** Where a deleting statement leaves for the trigger who it runs for, to the end of its transaction. */
const actorSetting = "baasix.actor";

/** A condition that always holds and, evaluated once a statement, leaves there who the statement runs for. */
export function tellActor(parameters: Parameters): string {
  const who =
    `jsonb_build_object('user', ${parameters.place(currentUser)}::text, 'address', ` +
    `${parameters.place(addressInput)}::text, 'request', ${parameters.place(requestInput)}::text)::text`;
  return `(select set_config(${quoteLiteral(actorSetting)}, ${who}, true)) is not null`;
}

const triggerName = "baasix_audit";

/** A trigger with its function: as the database has it, or as it should be. */
export type AuditTrigger = { readonly table: string; readonly name: string; readonly body: string };

/** The function behind the trigger of each collection whose rows a foreign key can change. */
function auditTriggers(schema: Schema): readonly AuditTrigger[] {
  return [...schema.collections.values()].filter(followsKeys).map((collection) => ({
    table: collection.name,
    name: joinNames(triggerName, collection.name),
    body: functionBody(collection),
  }));
}

function followsKeys({ audit, relations }: Collection): boolean {
  return audit && [...relations.values()].some(isCarried);
}

/** Whether the row that holds the key goes, or loses it, with the row to which it leads. */
function isCarried({ keyOn, constrained, onDelete }: Relation): boolean {
  return keyOn === "source" && constrained && (onDelete === "CASCADE" || onDelete === "SET NULL");
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
  return `declare who jsonb := nullif(current_setting(${quoteLiteral(actorSetting)}, true), ''); was jsonb; becomes jsonb;
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

/** Rows of [table or null, name of the function, its body]: what the database has. */
export const loadAuditTriggers: Statement = plain(
  `select c.relname, p.proname, p.prosrc from pg_proc p left join pg_trigger t on t.tgfoid = p.oid ` +
    `left join pg_class c on c.oid = t.tgrelid where p.pronamespace = 'public'::regnamespace ` +
    `and starts_with(p.proname, ${quoteLiteral(`${triggerName}_`)})`,
);

/** What makes the triggers those that the schema asks for; nothing when they are. Runs after tables were changed. */
export function putAuditTriggers(
  schema: Schema,
  present: readonly (readonly unknown[])[],
): readonly Statement[] {
  const wanted = auditTriggers(schema);
  const keyOf = (table: unknown, name: unknown): string => `${String(table)} ${String(name)}`;
  const known = new Map(present.map(([table, name, body]) => [keyOf(table, name), body] as const));
  const names = new Set(wanted.map(({ table, name }) => keyOf(table, name)));
  const stale = present.filter(([table, name]) => !names.has(keyOf(table, name)));
  return [
    ...stale.flatMap(([table, name]) => [
      ...(table === null ? [] : [plain(`drop trigger ${triggerName} on ${quoteName(String(table))}`)]),
      plain(`drop function ${quoteName(String(name))}()`),
    ]),
    ...wanted
      .filter(({ table, name, body }) => known.get(keyOf(table, name)) !== body)
      .flatMap(({ table, name, body }) => [
        plain(
          `create or replace function ${quoteName(name)}() returns trigger language plpgsql as ${quoteLiteral(body)}`,
        ),
        ...(known.has(keyOf(table, name))
          ? []
          : [
              plain(
                `create trigger ${triggerName} after update or delete on ${quoteName(table)} for each row ` +
                  `when (pg_trigger_depth() > 0) execute function ${quoteName(name)}()`,
              ),
            ]),
      ]),
  ];
}
