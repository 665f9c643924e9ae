/**
 * What a foreign key would do, where a key leads to one of several collections and there can be none: rows of junctions lead
 * to rows that are there, and go with them, or keep them from going.
 */
import type { Field, Relation, Schema } from "../schema/model";
import { joinNames } from "../schema/names";
import { quoteLiteral, quoteName } from "./statement";
import { type Trigger, type TriggerKind, typesLine } from "./triggers";

/** The triggers of rows that are led to. */
export const followKind: TriggerKind = { name: "baasix_follow", fires: "after delete on $ for each row" };
/** The triggers of rows that lead there. */
export const leadKind: TriggerKind = {
  name: "baasix_lead",
  fires: "after insert or update on $ for each row",
};

/** One for each collection to which such rows lead. */
export function followTriggers(schema: Schema): readonly Trigger[] {
  return triggersOf(followKind, schema, "target", goStep);
}

/** One for each collection of such rows. */
export function leadTriggers(schema: Schema): readonly Trigger[] {
  return triggersOf(leadKind, schema, "source", leadStep);
}

function triggersOf(
  kind: TriggerKind,
  schema: Schema,
  end: "source" | "target",
  step: (relation: Relation) => string,
): readonly Trigger[] {
  const leading = [...schema.collections.values()].flatMap(({ relations }) =>
    [...relations.values()].filter(
      ({ keyOn, constrained, onDelete }) => keyOn === "source" && !constrained && onDelete !== "NO ACTION",
    ),
  );
  return [...Map.groupBy(leading, (relation) => relation[end])].map(([table, relations]) => ({
    table,
    name: joinNames(kind.name, table),
    body: `${typesLine(columnsOf(schema, relations, end))}begin\n${relations.map((relation) => `  ${step(relation)}\n`).join("")}  return null;\nend`,
  }));
}

/** Those of the rows that fire the trigger. */
function columnsOf(
  { collections }: Schema,
  relations: readonly Relation[],
  end: "source" | "target",
): readonly Field[] {
  const names = relations.flatMap(({ sourceColumn, targetColumn, scope }) =>
    end === "target" ? [targetColumn] : [sourceColumn, ...(scope ? [scope.column] : [])],
  );
  const [first] = relations;
  const fields = first && collections.get(first[end])?.fields;
  return [...new Set(names)].flatMap((name) => fields?.get(name) ?? []);
}

function goStep({ source, sourceColumn, target, targetColumn, scope, onDelete }: Relation): string {
  const rows =
    `from public.${quoteName(source)} where ${quoteName(sourceColumn)} = old.${quoteName(targetColumn)}` +
    (scope ? ` and ${quoteName(scope.column)} = ${quoteLiteral(scope.value)}` : "");
  if (onDelete === "CASCADE") return `delete ${rows};`;
  const refusal = refuse("restrict_violation", "rows lead to it", source, target);
  return `if exists (select 1 ${rows}) then ${refusal}; end if;`;
}

/** The lock makes a delete of the row wait, which then sees who leads to it; and who leads there waits for a delete. */
function leadStep({ source, sourceColumn, target, targetColumn, scope }: Relation): string {
  const key = quoteName(sourceColumn);
  const columns = [key, ...(scope ? [quoteName(scope.column)] : [])];
  const row = (of: string): string => `(${columns.map((column) => `${of}.${column}`).join(", ")})`;
  const leads = [
    `new.${key} is not null`,
    ...(scope ? [`new.${quoteName(scope.column)} = ${quoteLiteral(scope.value)}`] : []),
    `(tg_op = 'INSERT' or ${row("new")} is distinct from ${row("old")})`,
  ];
  const detail = `detail = 'Key (${key.replaceAll("'", "''")})=(…) leads nowhere'`;
  const refusal = `${refuse("foreign_key_violation", "insert or update", source, target)}, ${detail}`;
  return (
    `if ${leads.join(" and ")} then perform 1 from public.${quoteName(target)} ` +
    `where ${quoteName(targetColumn)} = new.${key} for key share; if not found then ${refusal}; end if; end if;`
  );
}

/** As a foreign key between the two would be told. */
function refuse(condition: string, message: string, source: string, target: string): string {
  return (
    `raise ${condition} using message = '${message}', table = ${quoteLiteral(source)}, ` +
    `constraint = ${quoteLiteral(joinNames("fk", source, target))}`
  );
}
