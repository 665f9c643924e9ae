/** AuthorizedRead → SQL. The answer is built as JSON text by PostgreSQL, one statement a read. */
import { castType } from "../schema/fields";
import type { Collection, Field } from "../schema/model";
import type { AuthorizedRead } from "./authorize";
import { cutFlag, expand, rowJson, selectList } from "./compileSelect";
import {
  collectParameters,
  column,
  compileCondition,
  joinKeys,
  type Parameters,
  visible,
} from "./compileCondition";
import type { SelectNode } from "./plan";
import { quoteName } from "./statement";
import type { CompiledStatement, Param } from "./variables";

/** What a compiled read gives: `json` and total per row; one row by key; or the total alone. */
export type ReadShape = "list" | "one" | "count";

/**
 * Compiles a read. `list`: rows of [JSON text, cut, total]; `one`: the row whose key is input 0, [JSON text, cut];
 * `count`: one row of [total]. `cut`: a list inside the row reached its bound. The schema's version is part of the text, so a changed schema gives new
 * prepared statements.
 */
export function compileRead(plan: AuthorizedRead, shape: ReadShape, version: number): CompiledStatement {
  const parameters = collectParameters();
  const total = `select count(*) from ${fromWhere(plan, shape, parameters)}`;
  if (shape === "count") return { text: `/* s${version} */ ${total}`, params: parameters.list };
  const from = page(plan, shape, parameters);
  const last = shape === "list" ? `, (${total})` : "";
  if (plan.select.relations.length === 0) {
    const text = `/* s${version} */ select row_to_json(r)::text, false${last} from (${from}) r`;
    return { text, params: parameters.list };
  }
  const row = parameters.alias();
  const above = shape === "list" ? plan.limit : 1;
  const joined = `${row}${expand(plan.select, row, parameters, above)}`;
  const columns = `${rowJson(plan.select, row, parameters)}, ${cutFlag(plan.select, row)}${last}`;
  return { text: `/* s${version} */ select ${columns} from (${from}) ${joined}`, params: parameters.list };
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

/** The rows of the page: sorted and cut first, expanded after. */
function page(plan: AuthorizedRead, shape: ReadShape, parameters: Parameters): string {
  const alias = parameters.alias();
  const expanded = plan.select.relations.length > 0;
  const columns = expanded
    ? neededColumns(plan.select).map((field) => `${alias}.${quoteName(field.name)}`)
    : selectList(plan.select, alias, parameters);
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
  return `select ${columns.join(", ")} from ${from}${cut}`;
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
