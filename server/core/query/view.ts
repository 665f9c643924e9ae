/**
 * A view: the rows of one collection that an actor may see and asked for, and how they look. What a change of a row
 * means to a view is judged by PostgreSQL, with the very condition and columns that a read would use and with the row,
 * as it was and as it became, handed in as a value.
 */
import type { ChangeAction } from "@baasix/types";
import { type Actor, anonymous } from "../access/actor";
import { generatedSql } from "../schema/columnSql";
import { isJson } from "../schema/fields";
import type { Collection, Field, Schema } from "../schema/model";
import type { AuthorizedAggregate, AuthorizedRead } from "./authorize";
import { collectParameters, compileCondition, type Parameters, visible } from "./compileCondition";
import { wholeRowJson } from "./compileSelect";
import { parseRead } from "./parse";
import { findCollection, planRead, type ReadPlan, type SelectNode } from "./plan";
import { quoteName, type Statement } from "./statement";
import { bindParam, type Param, settleParam } from "./variables";

export { type Dependency, dependenciesOf, touches } from "./dependencies";

/** What a subscriber asks for, as it came. */
export type ViewRequest = {
  readonly collection: string;
  /** One item alone. */
  readonly key?: string | number | undefined;
  readonly filter?: unknown;
  readonly fields?: unknown;
};

/**
 * One SQL text for all views that differ in parameters alone. `params` are the columns of a view's parameter set. The
 * schema's version stands apart: where a new version leaves the text as it was, the views stay as they were.
 */
export type JudgeStatement = {
  readonly version: number;
  readonly text: string;
  readonly params: readonly Param[];
};

/** Columns as PostgreSQL writes them as text. */
export type RowText = { readonly [column: string]: string | null };

/** A change of one row as the log tells it: whole rows, keys alone, or without large columns that did not change. */
export type LoggedChange = {
  readonly action: ChangeAction;
  readonly before: RowText | null;
  readonly after: RowText | null;
};

/** A row as it was and as it became, each whole; null where there was or is none. */
export type WholeChange = { readonly old: RowText | null; readonly now: RowText | null };

/**
 * What a change means to a view. `gone`: the row was in it; JSON text of an object with its primary key alone.
 * `now`: the row is in it; JSON text of what the view shows. `old`: of an update, the row's own fields as the view showed
 * them before. `view` and `change` are positions.
 */
export type Verdict = {
  readonly view: number;
  readonly change: number;
  readonly gone: string | null;
  readonly now: string | null;
  readonly old: string | null;
};

/**
 * Parses and plans a view. The primary key is always among its columns, by name: who may not read it could not tell
 * one item from another.
 * @throws AppError naming the unknown collection, field or operator and the nearest valid one.
 */
export function planView(schema: Schema, { collection, key: id, filter, fields }: ViewRequest): ReadPlan {
  const plan = planRead(
    schema,
    parseRead(collection, {
      filter: id === undefined ? filter : oneItem(schema, collection, id, filter),
      fields,
    }),
  );
  const key = { field: plan.collection.primaryKey, at: "fields", guard: null };
  const { columns } = plan.select;
  const named = columns.some(({ field }) => field === key.field);
  return {
    ...plan,
    select: {
      ...plan.select,
      columns: named
        ? columns.map((column) => (column.field === key.field ? key : column))
        : [key, ...columns],
    },
  };
}

/** The filter, and that it is this item. */
function oneItem(schema: Schema, name: string, id: string | number, filter: unknown): unknown {
  const { primaryKey } = findCollection(schema, name);
  const isIt = { [primaryKey.name]: { eq: id } };
  return filter === undefined || filter === null ? isIt : { AND: [isIt, filter] };
}

/**
 * Compiles the judgement of a view. It takes changes (`$1`, see `encodeChanges`) and parameter sets (`$2`) and gives
 * rows of [set, change, gone, now, old], once for each side of a change that is in the view of a set.
 */
export function compileJudge(read: AuthorizedRead, version: number): JudgeStatement {
  return compileSides(read, version);
}

/**
 * The same for whoever asks only whether a row is, or was, among those that an answer is made of. Rows of [set, change, gone,
 * now, old] whose texts hold the key alone, whether or not the actor may read it: they are for the server.
 */
export function compileMembership(
  { collection, rows, where }: AuthorizedRead | AuthorizedAggregate,
  version: number,
): JudgeStatement {
  const key = { field: collection.primaryKey, at: "fields", guard: null };
  return compileSides(
    { collection, rows, where, select: { collection, columns: [key], relations: [] } },
    version,
  );
}

/** What decides which rows a view has, and what it shows of them. */
export type Sides = Pick<AuthorizedRead, "collection" | "select" | "rows" | "where">;

function compileSides(read: Sides, version: number): JudgeStatement {
  const parameters = collectParameters((index) => `v.p${index}`);
  const { collection, select } = read;
  const old = side(read, keyOnly(read), "#old", parameters);
  // Related rows are read as they are now: what was shown of them before is not known.
  const before = wholeRowJson({ ...select, relations: [] }, old.alias, parameters);
  const now = side(read, select, "#new", parameters);
  const set = setColumns(parameters);
  // Names with a # cannot be those of collections, which a condition may read too.
  const text =
    `with "#change" as materialized (` +
    `select c.n, c.o, c.a from jsonb_to_recordset($1::text::jsonb) as c(n integer, o jsonb, a jsonb)), ` +
    `"#set" as materialized (select s.* from json_to_recordset($2::text::json) as s(${set})), ` +
    `"#old" as materialized (${loggedRows(collection, "o")}), "#new" as materialized (${loggedRows(collection, "a")}) ` +
    `select v.n, ${old.alias}."#", ${old.json}, null::text, case when ${old.alias}."#u" then ${before} end from ${old.from} ` +
    `union all select v.n, ${now.alias}."#", null::text, ${now.json}, null::text from ${now.from}`;
  return { version, text, params: parameters.list };
}

/** One side of a judgement: rows of `source` that are in the view of a set, and their text. */
export function side(read: Sides, node: SelectNode, source: string, parameters: Parameters) {
  const alias = parameters.alias();
  const conditions = inView(read, alias, parameters);
  const where = conditions.length > 0 ? ` where ${conditions.join(" and ")}` : "";
  return {
    alias,
    json: wholeRowJson(node, alias, parameters),
    from: `"${source}" ${alias} cross join "#set" v${where}`,
  };
}

/** What must hold of a row for it to be in a view. */
export function inView(read: Sides, alias: string, parameters: Parameters): string[] {
  const conditions = visible(read.collection, false, alias);
  if (read.rows) conditions.push(compileCondition(read.rows, alias, parameters));
  if (read.where) conditions.push(compileCondition(read.where, alias, parameters));
  // Where the key may not be read, one item could not be told from another.
  for (const { field, guard } of read.select.columns) {
    if (field === read.collection.primaryKey && guard !== null)
      conditions.push(compileCondition(guard, alias, parameters));
  }
  return conditions;
}

/** The logged rows of one side as rows of the collection. */
export function loggedRows(collection: Collection, source: "o" | "a"): string {
  const fields = [...collection.fields.values()];
  const told = fields.filter(isTold).map(({ name }) => `t.${quoteName(name)}`);
  const record = `jsonb_populate_record(null::${quoteName(collection.name)}, c.${source})`;
  const text = `select c.n as "#", c.a is not null as "#u", ${told.join(", ")} from "#change" c cross join lateral ${record} t where c.${source} is not null`;
  const generated = fields.filter((field) => !isTold(field));
  if (generated.length === 0) return text;
  // In a select of their own: the expressions name columns without a table.
  const made = generated.map((field) => `${generatedSql(field)} as ${quoteName(field.name)}`);
  return `select s.*, ${made.join(", ")} from (${text}) s`;
}

/** The log of some versions of PostgreSQL does not tell calculated columns: they are calculated again. */
function isTold(field: Field): boolean {
  return field.generated === null;
}

/** The parameters of one actor's view. Only times stay open, as they pass. */
export function settle(params: readonly Param[], actor: Actor): readonly Param[] {
  return params.map((param) => settleParam(param, actor));
}

/** The primary key alone, as far as the view shows it. */
export function keyOnly({ collection, select }: Sides): SelectNode {
  const columns = select.columns.filter(({ field }) => field === collection.primaryKey);
  return { collection, columns, relations: [] };
}

/** The columns of the relation of parameter sets. */
export function setColumns(parameters: Parameters): string {
  return ["n integer", ...parameters.list.map((_, index) => `p${index} text`)].join(", ");
}

/** Fills in a judgement. `sets` are settled parameters, one list a view; `now` in milliseconds since 1970. */
export function bindJudge(
  { version, text }: JudgeStatement,
  changes: string,
  sets: readonly (readonly Param[])[],
  now: number,
): Statement {
  const records = sets.map((params, n) => {
    const record: Record<string, string | number | null> = { n };
    params.forEach((param, index) => {
      record[`p${index}`] = bindParam(param, { actor: anonymous, now });
    });
    return record;
  });
  return { text: `/* s${version} */ ${text}`, params: [changes, JSON.stringify(records)] };
}

/**
 * Both rows of a change, whole; null when the log does not tell them: no REPLICA IDENTITY FULL, or written before the
 * collection had its present fields. A large column that did not change is taken from the old row.
 */
export function wholeChange(
  collection: Collection,
  { action, before, after }: LoggedChange,
): WholeChange | null {
  const old = action === "create" ? null : before;
  const now = action === "delete" ? null : old && after ? { ...old, ...after } : after;
  const known =
    (action === "create" || isWhole(collection, old)) && (action === "delete" || isWhole(collection, now));
  return known ? { old, now } : null;
}

function isWhole(collection: Collection, row: RowText | null): boolean {
  if (row === null) return false;
  for (const field of collection.fields.values()) {
    if (isTold(field) && row[field.name] === undefined) return false;
  }
  return true;
}

/** The changes of a judgement as JSON text. */
export function encodeChanges(collection: Collection, changes: readonly WholeChange[]): string {
  const list = changes.map(
    ({ old, now }, n) => `{"n":${n},"o":${encodeRow(collection, old)},"a":${encodeRow(collection, now)}}`,
  );
  return `[${list.join(",")}]`;
}

function encodeRow(collection: Collection, row: RowText | null): string {
  if (row === null) return "null";
  const members: string[] = [];
  for (const field of collection.fields.values()) {
    const value = row[field.name];
    if (value === null || value === undefined) continue;
    // Text becomes any type by its own input function; JSON would become a JSON string.
    members.push(`${JSON.stringify(field.name)}:${isJson(field) ? value : JSON.stringify(value)}`);
  }
  return `{${members.join(",")}}`;
}
