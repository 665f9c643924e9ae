/**
 * Authorized creates and updates → SQL. The text depends on the columns alone, never on their values; the row rules are
 * checked on the written rows inside the same statement, which fails as a whole.
 */
import { castType, isOneText, sqlType, type WireValue } from "../schema/fields";
import { arrayText } from "../schema/values";
import { insertDefaultSql, isInsertDefault } from "../schema/columnSql";
import type { Collection, Field } from "../schema/model";
import { givesPlaces, placeSql } from "../schema/places";
import { tenantKey } from "../schema/tenants";
import { auditOf } from "./audit";
import { keepingOf } from "./auditBulk";
import type { AuthorizedTarget } from "./authorize";
import { collectParameters, compileOperand, type Parameters } from "./compileCondition";
import {
  before,
  columnInput,
  conditionsMet,
  finishWrite,
  hasVersion,
  immutableKept,
  marked,
  old,
  permitted,
  requestKnown,
  rowsInput,
  targetRows,
  versionStands,
} from "./writeStatement";
import { collectSharedRows } from "./sharedWrite";
import { quoteName } from "./statement";
import { tenantOfKey } from "./upsert";
import type { CompiledStatement } from "./variables";
import type { WritePlan, WriteRow } from "./write";

/** What a statement depends on besides its rows. */
export type WriteForm = {
  /** New rows whose values exist already, in these columns that are unique together or in any such, are left out. */
  readonly skip?: readonly Field[] | "any" | undefined;
  /** The server tells a row as it was with the one that it wrote (PostgreSQL 18). */
  readonly returnsOld?: boolean;
  /** It writes for several requests, each with one row such as this one (`sharedWrite.ts`). */
  readonly isShared?: boolean;
};

/** Creates the rows of the inputs (`encodeWrite`); gives their keys in order. */
export function compileCreate(
  target: AuthorizedTarget,
  plan: WritePlan,
  version: number,
  { skip = [], isShared = false }: Pick<WriteForm, "skip" | "isShared"> = {},
): CompiledStatement {
  const { collection } = target;
  const shared = isShared ? collectSharedRows("create", plan.columns, collection) : null;
  const parameters = shared?.parameters ?? collectParameters();
  const inline = [...collection.fields.values()].filter(
    (field) => !plan.columns.includes(field) && isInsertDefault(field),
  );
  const input = shared ? sharedRows : record(plan, parameters);
  const isKeyMade = shared !== null && !plan.columns.includes(collection.primaryKey);
  const columns = [
    ...plan.columns,
    ...inline,
    ...(isKeyMade || plan.columns.length + inline.length === 0 ? [collection.primaryKey] : []),
  ];
  const values = columns.map((field) => {
    const index = plan.columns.indexOf(field);
    if (isKeyMade && field === collection.primaryKey) return "r.k";
    if (givesPlaces(field) && !plan.computed.has(field)) {
      const isGiven = isMixed(plan, field) ? `r.p${index}` : null;
      const rows = { rows: input, single: plan.rows.length === 1 };
      return placeSql(field, collection, rows, index < 0 ? null : { given: `r.c${index}`, isGiven });
    }
    if (index < 0) return insertDefaultSql(field, collection);
    return given(plan, index, parameters, () => insertDefaultSql(field, collection));
  });
  const unique = skip === "any" ? "" : ` (${uniqueKey(collection, skip).join(", ")})`;
  const present = skip.length > 0 ? ` on conflict${unique} do nothing` : "";
  const write =
    `insert into ${quoteName(collection.name)} (${columns.map((field) => quoteName(field.name)).join(", ")}) ` +
    `select ${values.join(", ")} from ${input}${present} returning *`;
  return finishWrite({
    target,
    version,
    parameters,
    write,
    single: isSingle(plan),
    audit: auditOf(
      target,
      { action: "create", before: null, after: "whole" },
      parameters,
      keepingOf(plan.rows.length),
      shared,
    ),
    checks: [...(shared ? [requestKnown(collection)] : []), ...permitted(target, parameters)],
    shared,
  });
}

/** Changes the rows that the keys in input 0 name, or (with `target.filter`) all that match; gives their keys. */
export function compileUpdate(
  target: AuthorizedTarget,
  plan: WritePlan,
  version: number,
  { returnsOld = false, isShared = false }: Pick<WriteForm, "returnsOld" | "isShared"> = {},
): CompiledStatement {
  const { collection } = target;
  const shared = isShared ? collectSharedRows("update", plan.columns, collection) : null;
  const parameters = shared?.parameters ?? collectParameters();
  const input = shared ? sharedRows : record(plan, parameters);
  const sets = plan.columns.map((field, index) => {
    const kept = `t.${quoteName(field.name)}`;
    return `${quoteName(field.name)} = ${given(plan, index, parameters, () => kept)}`;
  });
  const stamps = [...collection.fields.values()].filter(({ managed }) => managed === "updatedAt");
  for (const field of stamps) sets.push(`${quoteName(field.name)} = now()`);
  const key = quoteName(collection.primaryKey.name);
  if (sets.length === 0) sets.push(`${key} = t.${key}`);
  const where = targetRows(target, false, parameters);
  if (target.filter === null) where.unshift(`t.${key} = r.k`);

  const written = [...plan.columns, ...stamps];
  const fixed = plan.columns.filter(({ immutable }) => immutable);
  const versioned = plan.rows.some((row) => row.version !== null);
  const told = collection.audit && !collection.guarded ? written.filter(({ hidden }) => !hidden) : [];
  const remembered = new Set([...fixed, ...told]);
  const met = target.noted ? conditionsMet(target, parameters) : [];
  const isOne = plan.rows.length === 1 && !target.filter;
  const audit = auditOf(
    target,
    { action: "update", before: written, after: written },
    parameters,
    keepingOf(plan.rows.length),
    shared,
  );
  if (isOne && !versioned && met.length === 0 && (remembered.size === 0 || returnsOld)) {
    const was = [...remembered].map((field) => `, old.${quoteName(field.name)} as ${old(field)}`);
    const checks = [...fixed.map(immutableKept), ...permitted(target, parameters)];
    const write =
      `update ${quoteName(collection.name)} t set ${sets.join(", ")} from ${input} ` +
      `where ${where.length > 0 ? where.join(" and ") : "true"} returning t.*${was.join("")}${shared?.returned() ?? ""}`;
    return finishWrite({ target, version, parameters, write, single: true, audit, checks, shared });
  }
  // The rows as they are: noted, and locked in the order of their keys, before they are changed.
  const noted = [
    ...[...remembered].map((field) => `t.${quoteName(field.name)} as ${old(field)}`),
    ...met.map((condition, i) => `${condition} as ${marked(i)}`),
    ...(versioned ? [`(r.v is null or ${hasVersion("r.v")}) as ${marked("v")}`] : []),
  ];
  const order = plan.rows.length > 1 || target.filter || shared ? `order by t.${key} ` : "";
  const rows =
    `select r.*, t.${key} as "#k"${noted.map((column) => `, ${column}`).join("")} ` +
    `from ${quoteName(collection.name)} t, ${input} where ${where.join(" and ")} ${order}for no key update of t`;
  const extra = [
    ...[...remembered].map(old),
    ...met.map((_, i) => marked(i)),
    ...(versioned ? [marked("v")] : []),
  ];
  const checks = [
    ...(versioned ? [versionStands(collection)] : []),
    ...fixed.map(immutableKept),
    ...permitted(target, parameters),
  ];
  const write =
    `update ${quoteName(collection.name)} t set ${sets.join(", ")} from "#old" r where t.${key} = r."#k" ` +
    `returning t.*${extra.map((name) => `, r.${name}`).join("")}${shared?.returned() ?? ""}`;
  return finishWrite({
    target,
    version,
    parameters,
    before: before(rows),
    write,
    single: isSingle(plan) && !target.filter,
    audit,
    checks,
    shared,
  });
}

/** The rows of requests that share a statement, as a FROM item. */
const sharedRows = '"#r" r';

function uniqueKey(collection: Collection, fields: readonly Field[]): readonly string[] {
  const names = fields.map(({ name }) => quoteName(name));
  return tenantOfKey(collection, fields) ? [...names, tenantKey] : names;
}

/** How the rows of a plan travel: input 0, and those from 4 on. */
export type EncodedRows = { readonly rows: string | null; readonly columns: readonly (string | null)[] };

/** The inputs of creates and updates. */
export function encodeWrite(plan: WritePlan): EncodedRows {
  const [row] = plan.rows;
  if (row && goesByValue(plan)) {
    const columns: (string | null)[] = [];
    for (let i = 0; i < plan.columns.length; i++) columns.push((row.values[i] ?? null) as string | null);
    return { rows: row.key, columns };
  }
  if (!goesByColumn(plan)) return { rows: encodeRows(plan), columns: [] };
  const columns = plan.columns.map((_, column) =>
    // One text each, or null: see `goesByColumn`.
    arrayText(plan.rows.map(({ values }) => (values[column] ?? null) as string | null)),
  );
  return { rows: null, columns };
}

/** A JSON list of records, keyed by position; of one row its record alone. */
function encodeRows(plan: WritePlan): string {
  const columns = plan.columns.map((field, index) => ({
    value: `c${index}`,
    present: isMixed(plan, field) ? `p${index}` : null,
  }));
  const records = plan.rows.map((row) => encodeRow(row, columns));
  return JSON.stringify(isSingle(plan) ? records[0] : records);
}

type RecordColumn = { readonly value: string; readonly present: string | null };

function encodeRow({ key, version, values }: WriteRow, columns: readonly RecordColumn[]) {
  const record: Record<string, WireValue> = {};
  if (key !== null) record.k = key;
  if (version !== null) record.v = version;
  for (let i = 0; i < values.length; i++) {
    const [value, column] = [values[i], columns[i]];
    if (value === undefined || !column) continue;
    record[column.value] = value;
    if (column.present !== null) record[column.present] = true;
  }
  return record;
}

/** Set by some rows and not by others: each row then says whether it does. */
function isMixed(plan: WritePlan, field: Field): boolean {
  if (plan.rows.length === 1 && !plan.computed.has(field)) return false;
  const column = plan.columns.indexOf(field);
  return plan.rows.some((row) => row.values[column] === undefined);
}

/** PostgreSQL plans a list for a hundred rows, and would read a small table whole to change one of it. */
function isSingle({ rows }: WritePlan): boolean {
  return rows.length === 1;
}

/**
 * One row travels as a parameter for each of its values: PostgreSQL takes a tenth of an INSERT less for them than for a
 * record of JSON. Values that are lists or JSON themselves, and versions, go in the record.
 */
export function goesByValue(plan: WritePlan): boolean {
  if (!isSingle(plan) || plan.rows[0]?.version !== null) return false;
  for (const field of plan.columns) if (!isOneText(field) || isMixed(plan, field)) return false;
  return plan.columns.length > 0;
}

/**
 * Several new rows that all set the same columns travel as a list for each column: PostgreSQL reads that in half the time
 * of a list of records. Values that are lists or JSON themselves do not stand as one text in a list.
 */
function goesByColumn(plan: WritePlan): boolean {
  return (
    plan.action === "create" &&
    !isSingle(plan) &&
    plan.columns.length > 0 &&
    plan.columns.every((field) => isOneText(field) && !isMixed(plan, field))
  );
}

/** The FROM item with the rows, called `r`. */
function record(plan: WritePlan, parameters: Parameters): string {
  if (goesByColumn(plan)) {
    // Without length and precision: the column itself refuses what is too long, where a cast would cut it.
    const lists = plan.columns.map(
      (field, index) => `${parameters.place(columnInput(index))}::${castType(field)}[]`,
    );
    return `unnest(${lists.join(", ")}) as r(${plan.columns.map((_, index) => `c${index}`).join(", ")})`;
  }
  if (goesByValue(plan)) {
    const { primaryKey } = plan.collection;
    const key =
      plan.rows[0]?.key === null ? [] : [`${parameters.place(rowsInput)}::${castType(primaryKey)} as k`];
    const values = plan.columns.map(
      (field, index) => `${parameters.place(columnInput(index))}::${castType(field)} as c${index}`,
    );
    return `(select ${[...key, ...values].join(", ")}) r`;
  }
  const columns = plan.columns.flatMap((field, index) => [
    `c${index} ${sqlType(field)}`,
    ...(isMixed(plan, field) ? [`p${index} boolean`] : []),
  ]);
  if (plan.rows.some((row) => row.version !== null)) columns.push("v text");
  const shape = [`k ${sqlType(plan.collection.primaryKey)}`, ...columns].join(", ");
  const read = isSingle(plan) ? "json_to_record" : "json_to_recordset";
  return `${read}(${parameters.place(rowsInput)}::text::json) as r(${shape})`;
}

function given(plan: WritePlan, index: number, parameters: Parameters, otherwise: () => string): string {
  const field = plan.columns[index];
  if (!field || !isMixed(plan, field)) return `r.c${index}`;
  const computed = plan.computed.get(field);
  const value = computed === undefined ? otherwise() : compileOperand(computed, parameters);
  return `case when r.p${index} then r.c${index} else ${value} end`;
}
