/** What a row shows, as SQL: its columns, and the rows that relations lead to as lateral JSON. */
import { jsonExpression } from "../schema/fields";
import { column, compileCondition, joinKeys, type Parameters, visible } from "./compileCondition";
import type { SelectedRelation, SelectNode } from "./plan";
import { quoteName } from "./statement";

/** Rows that one answer may hold, those of expanded lists included. */
export const rowBudget = 10_000;

/**
 * Most items of one expanded list, below `above` rows that may each have one: what the budget leaves, at least 1 and at
 * most 1,000. A higher least would multiply with every list inside a list.
 */
export function listLimit(above: number): number {
  return Math.min(1000, Math.max(1, Math.floor(rowBudget / Math.max(1, above))));
}

// Aliases of expansions are named by their holder and place: the joins and the select list agree on them.
const expansionAlias = (holder: string, index: number): string => `${holder}_${index}`;

/** The select list of a row: columns and (joined by `expand`) relations, under their names. */
export function selectList(node: SelectNode, alias: string, parameters: Parameters): string[] {
  const columns = node.columns.map(({ field, guard }) => {
    const value = column(field, guard, alias, parameters);
    return `${jsonExpression(value, field)} as ${quoteName(field.name)}`;
  });
  const related = node.relations.map(
    ({ relation }, i) => `${expansionAlias(alias, i)}.j as ${quoteName(relation.name)}`,
  );
  const all = [...columns, ...related];
  return all.length > 0 ? all : ['null as ""'];
}

/** The row of `alias`, whose relations are joined, as the text of a JSON object. */
export function rowJson(node: SelectNode, alias: string, parameters: Parameters): string {
  return `(${rowObject(node, alias, parameters)})::text`;
}

/** The row of `alias` as text of a JSON object, relations and all, in a sub-select that costs only where it is asked. */
export function wholeRowJson(node: SelectNode, alias: string, parameters: Parameters): string {
  const from = node.relations.length > 0 ? ` from (values (0)) d${expand(node, alias, parameters, 1)}` : "";
  return `(select row_to_json(r)::text from (select ${selectList(node, alias, parameters).join(", ")}${from}) r)`;
}

function rowObject(node: SelectNode, alias: string, parameters: Parameters): string {
  return `select row_to_json(r) from (select ${selectList(node, alias, parameters).join(", ")}) r`;
}

/** The joins of a row's relations. `above`: how many such rows there may be. */
export function expand(node: SelectNode, holder: string, parameters: Parameters, above: number): string {
  return node.relations
    .map((selected, i) => {
      const related = expansion(selected, holder, parameters, above);
      return ` left join lateral (${related}) ${expansionAlias(holder, i)} on true`;
    })
    .join("");
}

/** True where a list below the row reached its bound. */
export function cutFlag(node: SelectNode, alias: string): string {
  const flags = node.relations.flatMap((selected, i) =>
    hasList(selected) ? [`coalesce(${expansionAlias(alias, i)}.c, false)`] : [],
  );
  return flags.length > 0 ? flags.join(" or ") : "false";
}

function hasList({ relation, node }: SelectedRelation): boolean {
  return relation.kind === "many" || node.relations.some(hasList);
}

function expansion(
  selected: SelectedRelation,
  holder: string,
  parameters: Parameters,
  above: number,
): string {
  const { relation, node, rows } = selected;
  const alias = parameters.alias();
  const many = relation.kind === "many";
  const limit = many ? listLimit(above) : 1;
  const conditions = [joinKeys(relation, holder, alias), ...visible(node.collection, false, alias)];
  if (rows) conditions.push(compileCondition(rows, alias, parameters));
  const joined = `${quoteName(node.collection.name)} ${alias}${expand(node, alias, parameters, above * limit)}`;
  const order = many ? ` order by ${alias}.${quoteName(node.collection.primaryKey.name)}` : "";
  const from = `from ${joined} where ${conditions.join(" and ")}${order} limit ${limit}`;
  if (!node.relations.some(hasList)) {
    const row = `(select ${selectList(node, alias, parameters).join(", ")} ${from}) x`;
    if (!many) return `select row_to_json(x) as j from ${row}`;
    return `select coalesce(json_agg(x), '[]'::json) as j, count(*) >= ${limit} as c from ${row}`;
  }
  const row = `select (${rowObject(node, alias, parameters)}) as j, ${cutFlag(node, alias)} as c ${from}`;
  if (!many) return row;
  return (
    "select coalesce(json_agg(x.j), '[]'::json) as j, " +
    `count(*) >= ${limit} or coalesce(bool_or(x.c), false) as c from (${row}) x`
  );
}
