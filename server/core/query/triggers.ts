/** Triggers whose functions follow from the schema: what the database has is compared with what should be. */
import { sqlType } from "../schema/fields";
import type { Field } from "../schema/model";
import { quoteLiteral, quoteName, type Statement } from "./statement";

const plain = (text: string): Statement => ({ text, params: [] });

/** Triggers of one name, one a table; `fires`: when. Their functions begin with the name, too. */
export type TriggerKind = { readonly name: string; readonly fires: string };

/** A trigger with its function: as the database has it, or as it should be. */
export type Trigger = { readonly table: string; readonly name: string; readonly body: string };

/**
 * A line for the body of a trigger that uses these columns. Sessions keep the plans of a function as long as it is the same, and
 * fail by them once a column has another type: with its types the function becomes another one.
 */
export function typesLine(fields: readonly Field[]): string {
  return `-- ${fields.map((field) => `${field.name} ${sqlType(field)}`).join(", ")}\n`;
}

/** Rows of [table or null, name of the function, its body]: what the database has of these kinds. */
export function loadTriggers(kinds: readonly TriggerKind[]): Statement {
  const named = kinds.map(({ name }) => `starts_with(p.proname, ${quoteLiteral(`${name}_`)})`);
  return plain(
    `select c.relname, p.proname, p.prosrc from pg_proc p left join pg_trigger t on t.tgfoid = p.oid ` +
      `left join pg_class c on c.oid = t.tgrelid where p.pronamespace = 'public'::regnamespace and (${named.join(" or ")})`,
  );
}

/** What makes the triggers of a kind those that are wanted; nothing when they are. Runs after tables were changed. `loaded`: of any kinds. */
export function putTriggers(
  kind: TriggerKind,
  wanted: readonly Trigger[],
  loaded: readonly (readonly unknown[])[],
): readonly Statement[] {
  const present = loaded.filter(([, name]) => String(name).startsWith(`${kind.name}_`));
  const keyOf = (table: unknown, name: unknown): string => `${String(table)} ${String(name)}`;
  const known = new Map(present.map(([table, name, body]) => [keyOf(table, name), body] as const));
  const names = new Set(wanted.map(({ table, name }) => keyOf(table, name)));
  const stale = present.filter(([table, name]) => !names.has(keyOf(table, name)));
  return [
    ...stale.flatMap(([table, name]) => [
      ...(table === null ? [] : [plain(`drop trigger ${kind.name} on ${quoteName(String(table))}`)]),
      plain(`drop function ${quoteName(String(name))}()`),
    ]),
    ...wanted
      .filter(({ table, name, body }) => known.get(keyOf(table, name)) !== body)
      .flatMap(({ table, name, body }) => [
        putFunction(name, body),
        ...(known.has(keyOf(table, name))
          ? []
          : [
              plain(
                `create trigger ${kind.name} ${kind.fires.replace("$", quoteName(table))} execute function ${quoteName(name)}()`,
              ),
            ]),
      ]),
  ];
}

/** Lets the functions do nothing that are to be others, or none, until `putTriggers` makes them so. */
export function restTriggers(
  wanted: readonly Trigger[],
  present: readonly (readonly unknown[])[],
): readonly Statement[] {
  const bodies = new Map(wanted.map(({ name, body }) => [name, body] as const));
  return present
    .filter(([, name, body]) => bodies.get(String(name)) !== body)
    .map(([, name]) => putFunction(String(name), "begin return null; end"));
}

function putFunction(name: string, body: string): Statement {
  return plain(
    `create or replace function ${quoteName(name)}() returns trigger language plpgsql as ${quoteLiteral(body)}`,
  );
}
