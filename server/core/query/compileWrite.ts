/**
 * Authorized writes → SQL. The rows travel as one JSON parameter, so the text depends on the columns alone; the row
 * rules are checked on the written rows inside the same statement, which fails as a whole.
 */
import { castType, sqlType, type WireValue } from "../schema/fields";
import { defaultSql, isInsertDefault } from "../schema/columnSql";
import type { Field } from "../schema/model";
import { arrayText } from "../schema/values";
import type { AuthorizedTarget } from "./authorize";
import {
  collectParameters,
  compileCondition,
  compileOperand,
  type Parameters,
  visible,
} from "./compileCondition";
import type { Planned } from "./planned";
import { quoteLiteral, quoteName } from "./statement";
import type { CompiledStatement, Param } from "./variables";
import type { WritePlan, WriteRow } from "./write";

const rowsInput: Param = { kind: "input", index: 0 };

/** Creates the rows of input 0 (`encodeRows`); gives their keys in order. */
export function compileCreate(target: AuthorizedTarget, plan: WritePlan, version: number): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const inline = [...collection.fields.values()].filter(
    (field) => !plan.columns.includes(field) && isInsertDefault(field),
  );
  const input = record(plan, parameters);
  const columns = [
    ...plan.columns,
    ...inline,
    ...(plan.columns.length + inline.length === 0 ? [collection.primaryKey] : []),
  ];
  const values = columns.map((field) => {
    const index = plan.columns.indexOf(field);
    if (index < 0) return defaultSql(field, collection) ?? "null";
    return given(plan, index, parameters, () => defaultSql(field, collection) ?? "null");
  });
  const insert =
    `insert into ${quoteName(collection.name)} (${columns.map((field) => quoteName(field.name)).join(", ")}) ` +
    `select ${values.join(", ")} from ${input} returning *`;
  return finish(target, insert, parameters, version);
}

/** Changes the rows that the keys in input 0 name, or (with `target.filter`) all that match; gives their keys. */
export function compileUpdate(target: AuthorizedTarget, plan: WritePlan, version: number): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const input = record(plan, parameters);
  const sets = plan.columns.map((field, index) => {
    const kept = `t.${quoteName(field.name)}`;
    return `${quoteName(field.name)} = ${given(plan, index, parameters, () => kept)}`;
  });
  for (const field of collection.fields.values()) {
    if (field.managed === "updatedAt") sets.push(`${quoteName(field.name)} = now()`);
  }
  const key = quoteName(collection.primaryKey.name);
  if (sets.length === 0) sets.push(`${key} = t.${key}`);
  const where = targetRows(target, parameters);
  if (target.filter === null) where.unshift(`t.${key} = r.k`);
  const { carriers } = target;
  if (carriers === null || carriers.length < 2) {
    const update =
      `update ${quoteName(collection.name)} t set ${sets.join(", ")} from ${input} ` +
      `where ${where.length > 0 ? where.join(" and ") : "true"} returning t.*`;
    return finish(target, update, parameters, version);
  }
  // Which of the conditions a row meets as it is: noted, and the row locked, before it is changed.
  const met = carriers.map((one, i) => `${compileCondition(one, "t", parameters)} as "#${i}"`);
  const noted =
    `select t.${key} as "#k", ${met.join(", ")} from ${quoteName(collection.name)} t, ${input} ` +
    `where ${where.join(" and ")} for update of t`;
  const update =
    `update ${quoteName(collection.name)} t set ${sets.join(", ")} from "#old" o, ${input} where t.${key} = o."#k"` +
    `${target.filter === null ? ` and t.${key} = r.k` : ""} returning t.*, ${carriers.map((_, i) => `o."#${i}"`).join(", ")}`;
  return finish(target, update, parameters, version, `"#old" as materialized (${noted}), `);
}

/** Deletes the rows whose keys are input 0 (`encodeKeys`), softly where the collection is paranoid; gives their keys. */
export function compileRemove(target: AuthorizedTarget, version: number): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const key = collection.primaryKey;
  const named = `t.${quoteName(key.name)} = any(${parameters.place(rowsInput)}::${castType(key)}[])`;
  const where = [named, ...targetRows(target, parameters)].join(" and ");
  const text = collection.paranoid
    ? `update ${quoteName(collection.name)} t set "deletedAt" = now() where ${where} returning t.*`
    : `delete from ${quoteName(collection.name)} t where ${where} returning t.*`;
  return finish(target, text, parameters, version);
}

/** Input 0 of creates and updates: a JSON list of records, keyed by position. */
export function encodeRows(plan: WritePlan): string {
  const mixed = plan.columns.map((field) => isMixed(plan, field));
  return JSON.stringify(plan.rows.map((row) => encodeRow(plan, row, mixed)));
}

/** Input 0 of removes. */
export function encodeKeys(keys: readonly string[]): string {
  return arrayText(keys);
}

function encodeRow(plan: WritePlan, row: WriteRow, mixed: readonly boolean[]): Record<string, WireValue> {
  const record: Record<string, WireValue> = {};
  if (row.key !== null) record.k = row.key;
  plan.columns.forEach((field, index) => {
    if (!row.values.has(field.name)) return;
    record[`c${index}`] = row.values.get(field.name) ?? null;
    if (mixed[index]) record[`p${index}`] = true;
  });
  return record;
}

/** Set by some rows and not by others: each row then says whether it does. */
function isMixed(plan: WritePlan, field: Field): boolean {
  const several = plan.rows.length > 1 || plan.computed.has(field);
  return several && plan.rows.some((row) => !row.values.has(field.name));
}

function record(plan: WritePlan, parameters: Parameters): string {
  const columns = plan.columns.flatMap((field, index) => [
    `c${index} ${sqlType(field)}`,
    ...(isMixed(plan, field) ? [`p${index} boolean`] : []),
  ]);
  return `json_to_recordset(${parameters.place(rowsInput)}::text::json) as r(k ${sqlType(plan.collection.primaryKey)}${columns.map((column) => `, ${column}`).join("")})`;
}

function given(plan: WritePlan, index: number, parameters: Parameters, otherwise: () => string): string {
  const field = plan.columns[index];
  if (!field || !isMixed(plan, field)) return `r.c${index}`;
  const computed = plan.computed.get(field);
  const value = computed === undefined ? otherwise() : compileOperand(computed, parameters);
  return `case when r.p${index} then r.c${index} else ${value} end`;
}

function targetRows(target: AuthorizedTarget, parameters: Parameters): string[] {
  const where = visible(target.collection, false, "t");
  if (target.rows) where.push(compileCondition(target.rows, "t", parameters));
  if (target.filter) where.push(compileCondition(target.filter, "t", parameters));
  return where;
}

function finish(
  target: AuthorizedTarget,
  text: string,
  parameters: Parameters,
  version: number,
  before = "",
): CompiledStatement {
  const key = quoteName(target.collection.primaryKey.name);
  const check =
    target.carriers === null ? "" : ` where ${checked(target, target.carriers, parameters, before !== "")}`;
  return {
    // No collection can be named so: a name of one would hide its table from the check.
    text: `/* s${version} */ with ${before}"#w" as (${text}) select w.${key} from "#w" w${check}`,
    params: parameters.list,
  };
}

/**
 * `baasix_refuse` raises an error, and the statement is undone with all its rows. `noted`: the statement tells which
 * conditions each row met before.
 */
function checked(
  { action, collection }: AuthorizedTarget,
  carriers: readonly Planned[],
  parameters: Parameters,
  noted: boolean,
): string {
  const met = carriers.map((one, i) => {
    const condition = compileCondition(one, "w", parameters);
    return noted ? `(w."#${i}" and ${condition})` : condition;
  });
  const verb = action === "create" ? "create" : "update";
  const message = quoteLiteral(`You don't have permission to ${verb} this item in '${collection.name}'`);
  return `case when ${met.join(" or ")} then true else baasix_refuse(${message}) end`;
}
