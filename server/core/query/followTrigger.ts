/**
 * What a foreign key would do, where a key leads to one of several collections and there can be none: rows of junctions go
 * with the row to which they lead, or keep it from going.
 */
import type { Collection, Relation, Schema } from "../schema/model";
import { joinNames } from "../schema/names";
import { quoteLiteral, quoteName } from "./statement";
import type { Trigger, TriggerKind } from "./triggers";

/** The triggers that do it. */
export const followKind: TriggerKind = { name: "baasix_follow", fires: "after delete on $ for each row" };

/** One for each collection to which such rows lead. */
export function followTriggers(schema: Schema): readonly Trigger[] {
  const leading = [...schema.collections.values()].flatMap(({ relations }) =>
    [...relations.values()].filter(
      ({ keyOn, constrained, onDelete }) => keyOn === "source" && !constrained && onDelete !== "NO ACTION",
    ),
  );
  return [...Map.groupBy(leading, ({ target }) => target)].flatMap(([target, relations]) => {
    const collection = schema.collections.get(target);
    return collection
      ? [
          {
            table: target,
            name: joinNames(followKind.name, target),
            body: functionBody(collection, relations),
          },
        ]
      : [];
  });
}

function functionBody({ name }: Collection, relations: readonly Relation[]): string {
  const steps = relations.map((relation) => {
    const { source, sourceColumn, targetColumn, scope, onDelete } = relation;
    const rows =
      `from public.${quoteName(source)} where ${quoteName(sourceColumn)} = old.${quoteName(targetColumn)}` +
      (scope ? ` and ${quoteName(scope.column)} = ${quoteLiteral(scope.value)}` : "");
    if (onDelete === "CASCADE") return `  delete ${rows};`;
    const refusal =
      `raise restrict_violation using message = 'rows lead to it', table = ${quoteLiteral(source)}, ` +
      `constraint = ${quoteLiteral(joinNames("fk", source, name))}`;
    return `  if exists (select 1 ${rows}) then ${refusal}; end if;`;
  });
  return `begin\n${steps.join("\n")}\n  return null;\nend`;
}
