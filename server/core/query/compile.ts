/** AuthorizedRead → SQL. The answer is built as JSON text by PostgreSQL, one statement a read. */
import { castType, jsonExpression } from "../schema/fields";
import type { Collection, Field } from "../schema/model";
import type { AuthorizedRead } from "./authorize";
import type { Planned, SelectNode, SelectedRelation } from "./plan";
import { quoteName } from "./statement";
import type { CompiledStatement, Param } from "./variables";

/** Most rows of one expanded list. */
export const expansionLimit = 1000;

/** Collects parameters while text is made. The same parameter is bound once, however often it is named. */
export type Parameters = {
  readonly list: Param[];
  readonly alias: () => string;
  readonly place: (param: Param) => string;
};

/** `spell` writes the n-th place; by default `$1`, `$2`, … */
export function collectParameters(spell = (index: number): string => `$${index + 1}`): Parameters {
  const list: Param[] = [];
  const places = new Map<Param, string>();
  let aliases = 0;
  return {
    list,
    alias: () => `t${aliases++}`,
    place: (param) => {
      let place = places.get(param);
      if (place === undefined) {
        place = spell(list.length);
        list.push(param);
        places.set(param, place);
      }
      return place;
    },
  };
}

/** What a compiled read gives: `json` and total per row; one row by key; or the total alone. */
export type ReadShape = "list" | "one" | "count";

/**
 * Compiles a read. `list`: rows of [JSON text, total]; `one`: the row whose key is input 0, [JSON text];
 * `count`: one row of [total]. The schema's version is part of the text, so a changed schema gives new
 * prepared statements.
 */
export function compileRead(plan: AuthorizedRead, shape: ReadShape, version: number): CompiledStatement {
  const parameters = collectParameters();
  const total = `select count(*) from ${fromWhere(plan, shape, parameters)}`;
  if (shape === "count") return { text: `/* s${version} */ ${total}`, params: parameters.list };
  const columns = shape === "list" ? `row_to_json(r)::text, (${total})` : "row_to_json(r)::text";
  return {
    text: `/* s${version} */ select ${columns} from (${page(plan, shape, parameters)}) r`,
    params: parameters.list,
  };
}

function fromWhere(plan: AuthorizedRead, shape: ReadShape, parameters: Parameters): string {
  const alias = parameters.alias();
  return `${quoteName(plan.collection.name)} ${alias}${where(plan, alias, shape, parameters)}`;
}

function where(plan: AuthorizedRead, alias: string, shape: ReadShape, parameters: Parameters): string {
  const conditions = visible(plan.collection, plan.withDeleted, alias);
  if (shape === "one") conditions.push(keyEquals(plan.collection, alias, parameters));
  if (plan.rows) conditions.push(compileCondition(plan.rows, alias, parameters));
  if (plan.where) conditions.push(compileCondition(plan.where, alias, parameters));
  return conditions.length > 0 ? ` where ${conditions.join(" and ")}` : "";
}

const keyInput: Param = { kind: "input", index: 0 };

function keyEquals(collection: Collection, alias: string, parameters: Parameters): string {
  const key = collection.primaryKey;
  return `${alias}.${quoteName(key.name)} = ${parameters.place(keyInput)}::${castType(key)}`;
}

/** Soft-deleted rows do not exist, unless asked for. */
export function visible(collection: Collection, withDeleted: boolean, alias: string): string[] {
  return collection.paranoid && !withDeleted ? [`${alias}."deletedAt" is null`] : [];
}

/** The rows of the page: sorted and cut first, expanded after. */
function page(plan: AuthorizedRead, shape: ReadShape, parameters: Parameters): string {
  const alias = parameters.alias();
  const expanded = plan.select.relations.length > 0;
  const columns = expanded
    ? neededColumns(plan.select).map((field) => `${alias}.${quoteName(field.name)}`)
    : jsonColumns(plan.select, alias, parameters);
  const joins: string[] = [];
  const order = plan.sort.map((term) => {
    let holder = alias;
    for (const hop of term.hops) {
      const next = parameters.alias();
      const on = [
        joinKeys(hop.relation.sourceColumn, holder, hop.relation.targetColumn, next),
        ...visible(hop.target, false, next),
      ];
      if (hop.rows) on.push(compileCondition(hop.rows, next, parameters));
      joins.push(` left join ${quoteName(hop.target.name)} ${next} on ${on.join(" and ")}`);
      holder = next;
    }
    return `${column(term.field, term.guard, holder, parameters)}${term.descending ? " desc" : ""}`;
  });
  const from = `${quoteName(plan.collection.name)} ${alias}${joins.join("")}${where(plan, alias, shape, parameters)}`;
  // Checked whole numbers, written out: a bound limit would make the planner guess a tenth of the table.
  const cut =
    shape === "one"
      ? ""
      : ` order by ${order.join(", ")} limit ${plan.limit}${plan.offset > 0 ? ` offset ${plan.offset}` : ""}`;
  const rows = `select ${columns.join(", ")} from ${from}${cut}`;
  if (!expanded) return rows;
  const row = parameters.alias();
  return `select ${selectList(plan.select, row, parameters)} from (${rows}) ${row}${laterals(plan.select, row, parameters)}`;
}

/** Columns that the outer select reads: the selected ones, those of guards, and the keys of relations. */
function neededColumns(node: SelectNode): readonly Field[] {
  // A guard may read any column of the row, also through relations of its own.
  if (node.columns.some((selected) => selected.guard !== null)) return [...node.collection.fields.values()];
  const names = new Set([
    ...node.columns.map(({ field }) => field.name),
    ...node.relations.map(({ relation }) => relation.sourceColumn),
  ]);
  return [...node.collection.fields.values()].filter((field) => names.has(field.name));
}

// Aliases of expansions are made while the select list is, and used again for the joins: by relation.
type Expansion = { readonly alias: string; readonly selected: SelectedRelation };
const expansionAlias = (holder: string, index: number): string => `${holder}_${index}`;

function expansions(node: SelectNode, holder: string): readonly Expansion[] {
  return node.relations.map((selected, i) => ({ alias: expansionAlias(holder, i), selected }));
}

/** The row of `alias` as a read shows it: the text of a JSON object. A sub-select, so that it costs only where it is asked. */
export function rowJson(node: SelectNode, alias: string, parameters: Parameters): string {
  const list = selectList(node, alias, parameters);
  const from = node.relations.length > 0 ? ` from (values (0)) d${laterals(node, alias, parameters)}` : "";
  return `(select row_to_json(r)::text from (select ${list}${from}) r)`;
}

function selectList(node: SelectNode, alias: string, parameters: Parameters): string {
  const columns = jsonColumns(node, alias, parameters);
  const related = expansions(node, alias).map(
    ({ alias: joined, selected }) => `${joined}.j as ${quoteName(selected.relation.name)}`,
  );
  const all = [...columns, ...related];
  return all.length > 0 ? all.join(", ") : 'null as ""';
}

function jsonColumns(node: SelectNode, alias: string, parameters: Parameters): string[] {
  return node.columns.map(({ field, guard }) => {
    const value = column(field, guard, alias, parameters);
    return `${jsonExpression(value, field)} as ${quoteName(field.name)}`;
  });
}

function laterals(node: SelectNode, holder: string, parameters: Parameters): string {
  return expansions(node, holder)
    .map(
      ({ alias, selected }) =>
        ` left join lateral (${expansion(selected, holder, parameters)}) ${alias} on true`,
    )
    .join("");
}

function expansion(
  { relation, node, rows }: SelectedRelation,
  holder: string,
  parameters: Parameters,
): string {
  const alias = parameters.alias();
  const conditions = [
    joinKeys(relation.sourceColumn, holder, relation.targetColumn, alias),
    ...visible(node.collection, false, alias),
  ];
  if (rows) conditions.push(compileCondition(rows, alias, parameters));
  const from = `${quoteName(node.collection.name)} ${alias}${laterals(node, alias, parameters)} where ${conditions.join(" and ")}`;
  const list = selectList(node, alias, parameters);
  if (relation.kind === "one")
    return `select row_to_json(x) as j from (select ${list} from ${from} limit 1) x`;
  const order = `${alias}.${quoteName(node.collection.primaryKey.name)}`;
  return `select coalesce(json_agg(x), '[]'::json) as j from (select ${list} from ${from} order by ${order} limit ${expansionLimit}) x`;
}

function joinKeys(sourceColumn: string, source: string, targetColumn: string, target: string): string {
  return `${target}.${quoteName(targetColumn)} = ${source}.${quoteName(sourceColumn)}`;
}

/** A column, or null where its guard does not hold. */
function column(field: Field, guard: Planned | null, alias: string, parameters: Parameters): string {
  const name = `${alias}.${quoteName(field.name)}`;
  return guard === null ? name : `(case when ${compileCondition(guard, alias, parameters)} then ${name} end)`;
}

/** A condition as SQL about the row of `alias`. The row may be a table's, or any row value of its shape. */
export function compileCondition(planned: Planned, alias: string, parameters: Parameters): string {
  switch (planned.kind) {
    case "all":
    case "any": {
      const parts = planned.items.map((item) => compileCondition(item, alias, parameters));
      if (parts.length === 0) return planned.kind === "all" ? "true" : "false";
      return `(${parts.join(planned.kind === "all" ? " and " : " or ")})`;
    }
    case "not":
      return `not (${compileCondition(planned.item, alias, parameters)})`;
    case "compare": {
      const { field, operator } = planned;
      const cast = operator.operand === "pattern" ? "text" : castType(field);
      const suffix = operator.operand === "list" ? "[]" : "";
      const operands = planned.operands.map((param) => `${parameters.place(param)}::${cast}${suffix}`);
      return `(${operator.sql({ column: column(field, planned.guard, alias, parameters), operands })})`;
    }
    case "related": {
      const target = parameters.alias();
      const { relation } = planned;
      const conditions = [
        joinKeys(relation.sourceColumn, alias, relation.targetColumn, target),
        ...visible(planned.target, false, target),
      ];
      if (planned.rows) conditions.push(compileCondition(planned.rows, target, parameters));
      conditions.push(compileCondition(planned.item, target, parameters));
      return `exists (select 1 from ${quoteName(planned.target.name)} ${target} where ${conditions.join(" and ")})`;
    }
  }
}
