/** What a row shows, as SQL: its columns, and the rows that relations lead to as lateral JSON. */
import { jsonExpression } from "../schema/fields";
import type { Field, Relation } from "../schema/model";
import { looksUp, pathLooksUp } from "./combine";
import { column, compileCondition, joinKeys, type Parameters, visible } from "./compileCondition";
import { joinHop } from "./compileRows";
import { onEarth } from "./operators/geometry";
import type { SelectedRelation, SelectNode } from "./planSelect";
import type { PlannedSort } from "./planSort";
import { quoteLiteral, quoteName } from "./statement";

/** Rows that one answer may hold, those of expanded lists included. */
export const rowBudget = 10_000;

/**
 * Most items of one expanded list, below `above` rows that may each have one: what the budget leaves, at least 1 and at
 * most 1,000. `levels`: how many lists lie inside each other from this one on; they share what is left alike, so that
 * the inner ones are not left with nothing.
 */
function listLimit(above: number, levels: number): number {
  const left = (rowBudget / Math.max(1, above)) ** (1 / levels);
  // A root such as 1000 ** (1 / 3) comes out a hair below 10.
  return Math.min(1000, Math.max(1, Math.floor(left + 1e-9)));
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
  return [...columns, ...related];
}

/** What a row shows, by name, in the order of `selectList`. */
export function selectedNames(node: SelectNode): readonly string[] {
  return [
    ...node.columns.map(({ field }) => field.name),
    ...node.relations.map(({ relation }) => relation.name),
  ];
}

/** The row of `alias`, whose relations are joined, as a JSON object. */
export function rowJson(node: SelectNode, alias: string, parameters: Parameters): string {
  return `(${rowObject(node, alias, parameters)})`;
}

/** The row of `alias` as text of a JSON object, relations and all, in a sub-select that costs only where it is asked. */
export function wholeRowJson(node: SelectNode, alias: string, parameters: Parameters): string {
  const from = node.relations.length > 0 ? ` from (values (0)) d${expand(node, alias, parameters, 1)}` : "";
  return `(select row_to_json(r.*)::text from (select ${selectList(node, alias, parameters).join(", ")}${from}) r)`;
}

function rowObject(node: SelectNode, alias: string, parameters: Parameters): string {
  return `select row_to_json(r.*) from (select ${selectList(node, alias, parameters).join(", ")}) r`;
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

/** Lists inside each other, from this relation on. */
function listDepth({ relation, node }: SelectedRelation): number {
  return (relation.kind === "many" ? 1 : 0) + Math.max(0, ...node.relations.map(listDepth));
}

function hasList({ relation, node }: SelectedRelation): boolean {
  return relation.kind === "many" || node.relations.some(hasList);
}

/** The rows that a relation leads to, as one JSON value `j`, and with a list below `c`: a list reached its bound. */
function expansion(
  selected: SelectedRelation,
  holder: string,
  parameters: Parameters,
  above: number,
): string {
  return selected.relation.kind === "many"
    ? listExpansion(selected, holder, parameters, above)
    : itemExpansion(selected, holder, parameters, above);
}

function itemExpansion(
  selected: SelectedRelation,
  holder: string,
  parameters: Parameters,
  above: number,
): string {
  const { node } = selected;
  const alias = parameters.below(holder);
  const where = relatedRows(selected, holder, alias, parameters);
  const from = `from ${quoteName(node.collection.name)} ${alias}${expand(node, alias, parameters, above)} where ${where} limit 1`;
  if (node.relations.some(hasList)) {
    return `select (${rowObject(node, alias, parameters)}) as j, ${cutFlag(node, alias)} as c ${from}`;
  }
  return `select row_to_json(x.*) as j from (select ${selectList(node, alias, parameters).join(", ")} ${from}) x`;
}

function listExpansion(
  selected: SelectedRelation,
  holder: string,
  parameters: Parameters,
  above: number,
): string {
  const { node } = selected;
  const alias = parameters.below(holder);
  const where = relatedRows(selected, holder, alias, parameters);
  const { joins, order } = orderOf(selected.sort, alias, parameters);
  const bound = listLimit(above, listDepth(selected));
  const limit = Math.min(selected.limit ?? bound, bound);
  const from = `from ${quoteName(node.collection.name)} ${alias}${joins} where ${where}`;
  // What the request itself left out was not cut.
  const full = selected.limit === null || selected.limit > bound ? `count(*) >= ${limit}` : "false";
  if (node.relations.length === 0) {
    const columns = selectList(node, alias, parameters).join(", ");
    const rows = `(select ${columns} ${from} order by ${order} limit ${limit}) x`;
    return `select coalesce(json_agg(x.*), '[]'::json) as j, ${full} as c from ${rows}`;
  }
  // Cut first, expanded after: else every row of a long list would be expanded before it is dropped.
  const row = parameters.below(holder);
  const columns = neededColumns(node).map((field) => `${alias}.${quoteName(field.name)}`);
  const cutRows = `select ${columns.join(", ")} ${from} order by ${order} limit ${limit}`;
  const page = `(select p.*, row_number() over () as "#" from (${cutRows}) p) ${row}`;
  const rows =
    `(select (${rowObject(node, row, parameters)}) as j, ${cutFlag(node, row)} as c ` +
    `from ${page}${expand(node, row, parameters, above * limit)} order by ${row}."#") x`;
  const cut = node.relations.some(hasList) ? `${full} or coalesce(bool_or(x.c), false)` : full;
  return `select coalesce(json_agg(x.j), '[]'::json) as j, ${cut} as c from ${rows}`;
}

/** What must hold for a row of `alias` to be among those that are shown below the row of `holder`. */
function relatedRows(
  { relation, node, rows, where }: SelectedRelation,
  holder: string,
  alias: string,
  parameters: Parameters,
): string {
  const conditions = [joinKeys(relation, holder, alias), ...visible(node.collection, false, alias)];
  if (rows) conditions.push(compileCondition(rows, alias, parameters));
  if (where) conditions.push(compileCondition(where, alias, parameters));
  if (relation.kind === "many") conditions.push(...namedTables(node, alias));
  return conditions.join(" and ");
}

/** Of a list whose rows lead to several collections, the rows that lead to those that the request names, if it does. */
function namedTables(node: SelectNode, alias: string): string[] {
  const named = new Map<string, string[]>();
  for (const { relation, named: isNamed } of node.relations) {
    if (!isNamed || relation.scope === null || relation.keyOn === "target") continue;
    const { column: name, value } = relation.scope;
    named.set(name, [...(named.get(name) ?? []), quoteLiteral(value)]);
  }
  return [...named].map(([name, values]) => `${alias}.${quoteName(name)} in (${values.join(", ")})`);
}

/** An order, and the joins of the rows behind to-one relations that it reads. */
export function orderOf(
  sort: readonly PlannedSort[],
  alias: string,
  parameters: Parameters,
): { readonly joins: string; readonly keys: readonly string[]; readonly order: string } {
  const joins: string[] = [];
  const keys = sort.map((term) => {
    let holder = alias;
    for (const hop of term.hops) {
      const next = parameters.below(holder);
      joins.push(joinHop("left join", hop, holder, next, parameters));
      holder = next;
    }
    const value = column(term.field, term.guard, holder, parameters);
    return term.from ? distance(value, term.from, parameters) : value;
  });
  const order = sort.map((term, i) => `${keys[i]}${term.descending ? " desc" : ""}`);
  return { joins: joins.join(""), keys, order: order.join(", ") };
}

/** Metres between a geometry and a point. */
function distance(
  geometry: string,
  { longitude, latitude }: NonNullable<PlannedSort["from"]>,
  { place }: Parameters,
): string {
  const point = `ST_SetSRID(ST_MakePoint(${place(longitude)}::float8, ${place(latitude)}::float8), 4326)`;
  return `ST_Distance(${onEarth(geometry)}, ${point}::geography)`;
}

/** Columns that a row must bring to be shown: the selected ones, those of guards, and the keys of relations. */
export function neededColumns(node: SelectNode): readonly Field[] {
  // A guard may read any column of the row, also through relations of its own; so may what is open behind a relation.
  if (node.columns.some((selected) => selected.guard !== null) || node.relations.some(asksAbove))
    return [...node.collection.fields.values()];
  const names = new Set([
    ...node.columns.map(({ field }) => field.name),
    ...node.relations.flatMap(({ relation }) => sourceColumns(relation)),
  ]);
  return [...node.collection.fields.values()].filter((field) => names.has(field.name));
}

/** The columns of the row itself that a relation joins by. */
function sourceColumns({ sourceColumn, keyOn, scope }: Relation): readonly string[] {
  return scope !== null && keyOn === "source" ? [sourceColumn, scope.column] : [sourceColumn];
}

/** True where something behind a relation depends on the rows above. */
function asksAbove({ rows, where, sort, node }: SelectedRelation): boolean {
  return (
    looksUp(rows) ||
    looksUp(where) ||
    sort.some(pathLooksUp) ||
    node.columns.some(({ guard }) => looksUp(guard)) ||
    node.relations.some(asksAbove)
  );
}
