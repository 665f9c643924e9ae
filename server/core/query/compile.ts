/** AuthorizedRead → SQL. The answer is built as JSON text by PostgreSQL, one statement a read. */
import { castType, isSpatial, jsonExpression } from "../schema/fields";
import type { Collection, Field } from "../schema/model";
import { type Cut, rowsOf } from "./auditRows";
import type { AuthorizedRead } from "./authorize";
import { compileKeyset } from "./cursor";
import { cutFlag, expand, neededColumns, orderOf, rowJson, selectList } from "./compileSelect";
import { collectParameters, type Parameters } from "./compileCondition";
import { compileRows, whereSql } from "./compileRows";
import { compileRelevance } from "./compileSearch";
import type { SelectNode } from "./planSelect";
import type { PlannedSearch } from "./search";
import { quoteName } from "./statement";
import type { CompiledStatement, Param } from "./variables";

/**
 * What a compiled read gives: a page with its total, the page alone (`matches`: that of a search, cut out of all that it
 * matches), one row by key, the total, or the planner's guess of it.
 */
export type ReadShape = "list" | "page" | "matches" | "one" | "count" | "estimate";

/** How the items of a page come: each in a row of its own, or all as one array. */
export type ReadForm = "rows" | "array";

/**
 * Compiles a read. `list`, `page` and `matches`: rows of [JSON text, cut, total or null, sort keys or null], or one row of
 * [JSON text of an array or null, cut or null, total or null, sort keys of the last item or null, items]; `one`: the row
 * whose key is input 0, [JSON text, cut, version]; `count`: one row of [total]; `estimate`: one row of [plan as JSON].
 * `cut`: a list inside the row reached its bound. `version`: which transaction wrote the row (xmin), as text. The schema's
 * version is part of the text, so a changed schema gives new prepared statements.
 */
export function compileRead(
  plan: AuthorizedRead,
  shape: ReadShape,
  version: number,
  counted: Counted | null = null,
  form: ReadForm = "rows",
): CompiledRead {
  if (shape === "count") return counted ?? compileCount(plan, version);
  if (plan.search !== null && (shape === "list" || shape === "matches"))
    return compileMatches(plan, plan.search, shape, version, form);
  const count = shape === "list" ? (counted ?? compileCount(plan, version)) : null;
  const parameters = count?.parameters ?? collectParameters();
  const select =
    shape === "estimate"
      ? `explain (format json) select from ${fromWhere(plan, shape, parameters)}`
      : selectRows(plan, shape, count?.select ?? null, parameters, form);
  return {
    text: `/* s${version} */ ${select}`,
    params: [...parameters.list],
    collections: [...parameters.collections],
  };
}

/** `collections`: all whose rows decide the answer, by name. */
export type CompiledRead = CompiledStatement & { readonly collections: readonly string[] };

/** A compiled count, which the statement of the list takes in as it is: to be handed to one `compileRead`. */
export type Counted = CompiledRead & { readonly select: string; readonly parameters: Parameters };

/** The statement that counts what a read matches: one row of [total]. */
export function compileCount(plan: AuthorizedRead, version: number): Counted {
  const parameters = collectParameters();
  const select = `select count(*) from ${fromWhere(plan, "count", parameters)}`;
  return {
    text: `/* s${version} */ ${select}`,
    params: [...parameters.list],
    collections: [...parameters.collections],
    select,
    parameters,
  };
}

function selectRows(
  plan: AuthorizedRead,
  shape: ReadShape,
  count: string | null,
  parameters: Parameters,
  form: ReadForm,
): string {
  if (shape === "one" && plan.select.relations.length === 0) return bareRow(plan, parameters);
  const rows = page(plan, shape, parameters);
  return shown(plan, shape, rows, count && totalOf(plan, count, form), parameters, form);
}

/** The rows of a page as they are answered. `count`: the total, as an expression. */
function shown(
  plan: AuthorizedRead,
  shape: ReadShape,
  rows: string,
  count: string | null,
  parameters: Parameters,
  form: ReadForm,
): string {
  if (form === "array" && shape !== "one") return shownAsArray(plan, rows, count ?? "null", parameters);
  const total = count === null ? (shape === "one" ? "" : ", null") : `, ${count}`;
  const keys = shape === "one" ? `, ${rowVersion}` : plan.cursor === null ? ", null" : `, ${sortKeys}`;
  const { relations } = plan.select;
  if (relations.length === 0 && plan.cursor === null) {
    return `select row_to_json(r.*)::text, false${total}${keys} from (${rows}) r`;
  }
  const row = parameters.alias();
  const above = shape === "one" ? 1 : plan.limit;
  const joined = `${row}${expand(plan.select, row, parameters, above)}`;
  const columns = `${rowJson(plan.select, row, parameters)}::text, ${cutFlag(plan.select, row)}${total}${keys}`;
  return `select ${columns} from (${rows}) ${joined}`;
}

/** As `shown`, in one row: it costs PostgreSQL and the client less than a row for each item. */
function shownAsArray(plan: AuthorizedRead, rows: string, total: string, parameters: Parameters): string {
  const { relations } = plan.select;
  if (relations.length === 0 && plan.cursor === null)
    return `select json_agg(r.*)::text, false, ${total}, null, count(*) from (${rows}) r`;
  const row = parameters.alias();
  const keys = plan.cursor === null ? "null" : `(array_agg(${row}.${sortKeys}))[count(*)]`;
  const joined = `${row}${expand(plan.select, row, parameters, plan.limit)}`;
  const cut = `bool_or(${cutFlag(plan.select, row)})`;
  const items = `json_agg(${rowJson(plan.select, row, parameters)})`;
  return `select ${items}::text, ${cut}, ${total}, ${keys}, count(*) from (${rows}) ${joined}`;
}

/** One row without expansions: its columns are a list of their own, so that the version stays outside of the JSON. */
function bareRow(plan: AuthorizedRead, parameters: Parameters): string {
  const alias = parameters.alias();
  parameters.collections.add(plan.collection.name);
  const columns = selectList(plan.select, alias, parameters).join(", ");
  const from = `${rowsOf(plan, parameters, () => ({ key: keyOf(plan.collection, parameters) }))} ${alias}, lateral (select ${columns}) r`;
  return `select row_to_json(r.*)::text, false, ${alias}.xmin::text from ${from}${where(plan, alias, "one", parameters)}`;
}

/**
 * A page of a search, cut out of all that matches, which is looked up once for the page and the total. Left to choose,
 * PostgreSQL may go along an index of the order instead and make the words of row after row, which takes it longer
 * than it believes.
 */
function compileMatches(
  plan: AuthorizedRead,
  search: PlannedSearch,
  shape: "list" | "matches",
  version: number,
  form: ReadForm,
): CompiledRead {
  const { collection, sort, cursor } = plan;
  const parameters = collectParameters();
  parameters.collections.add(collection.name);
  const match = parameters.alias();
  const key = quoteName(collection.primaryKey.name);
  const { joins, keys } = orderOf(sort, match, parameters);
  const carried = carriedColumns(plan.select);
  // Names with a # cannot be those of collections and fields.
  const columns = [
    ...(carried?.map(({ name }) => `${match}.${quoteName(name)}`) ?? [`${match}.${key} as "#i"`]),
    ...keys.map((one, i) => `${one} as "#${i}"`),
  ];
  if (search.relevance) columns.push(`${compileRelevance(search, match, parameters)} as "#w"`);
  const from = `${rowsOf(plan, parameters)} ${match}${joins}${where(plan, match, shape, parameters)}`;

  const found = sort.map((_, i) => `m."#${i}"`);
  const order = [
    ...(search.relevance ? ['m."#w" desc'] : []),
    ...sort.map(({ descending }, i) => `${found[i]}${descending ? " desc" : ""}`),
  ].join(", ");
  const behind = cursor?.after ? ` where ${compileKeyset(sort, found, cursor.after, parameters.place)}` : "";
  const cut = `from "#m" m${behind} order by ${order} ${limited(plan)}`;
  const row = carried ? "m" : parameters.alias();
  const shownColumns = pageColumns(plan, row, found, parameters).join(", ");
  const rows = carried
    ? `select ${shownColumns} ${cut}`
    : `select ${shownColumns} from (select * ${cut}) m ` +
      `join ${rowsOf(plan, parameters)} ${row} on ${row}.${key} = m."#i" order by ${order}`;
  const count = shape === "list" ? '(select count(*) from "#m")' : null;
  const text = `with "#m" as materialized (select ${columns.join(", ")} from ${from}) ${shown(plan, shape, rows, count, parameters, form)}`;
  return {
    text: `/* s${version} */ ${text}`,
    params: [...parameters.list],
    collections: [...parameters.collections],
  };
}

const mostCarried = 12;
const longTypes: ReadonlySet<string> = new Set(["Text", "HTML", "JSON", "JSONB", "Array", "VIRTUAL"]);

/** The columns that a page needs, where they are few and short enough to be noted for all that matches; else null. */
function carriedColumns(select: SelectNode): readonly Field[] | null {
  if (select.columns.some(({ guard }) => guard !== null)) return null;
  const needed = neededColumns(select);
  const long = needed.some((field) => longTypes.has(field.type) || isSpatial(field));
  return needed.length <= mostCarried && !long ? needed : null;
}

/** A page that is not full tells the total by itself, unless it begins behind the end; only then is nothing counted. */
function totalOf({ limit, offset, cursor }: AuthorizedRead, count: string, form: ReadForm): string {
  if (limit === 0 || cursor?.after) return `(${count})`;
  const items = form === "rows" ? "count(*) over ()" : "count(*)";
  const last = offset > 0 && form === "array" ? `count(*) between 1 and ${limit - 1}` : `${items} < ${limit}`;
  return `case when ${last} then ${offset} + ${items} else (${count}) end`;
}

/** Name of the sort keys in the page's rows. No field can be called so. */
const sortKeys = '"#k"';
/** Name of the version in the row of `one`. */
const rowVersion = '"#v"';

function fromWhere(plan: AuthorizedRead, shape: ReadShape, parameters: Parameters): string {
  const alias = parameters.alias();
  parameters.collections.add(plan.collection.name);
  return `${rowsOf(plan, parameters)} ${alias}${where(plan, alias, shape, parameters)}`;
}

function where(
  plan: AuthorizedRead,
  alias: string,
  shape: ReadShape,
  parameters: Parameters,
  after: string | null = null,
): string {
  const key = shape === "one" ? [keyEquals(plan.collection, alias, parameters)] : [];
  // All that matches is asked of the index; a page may go along an index of its order instead.
  const words = shape === "list" || shape === "matches" || shape === "count" ? "once" : "planned";
  const rows = compileRows(plan, alias, parameters, words);
  return whereSql([...key, ...rows, ...(after === null ? [] : [after])]);
}

const keyInput: Param = { kind: "input", index: 0 };

function keyEquals(collection: Collection, alias: string, parameters: Parameters): string {
  return `${alias}.${quoteName(collection.primaryKey.name)} = ${keyOf(collection, parameters)}`;
}

/** The key that is asked for. */
function keyOf({ primaryKey }: Collection, parameters: Parameters): string {
  return `${parameters.place(keyInput)}::${castType(primaryKey)}`;
}

/** The rows of the page: sorted and cut first, expanded after. */
function page(plan: AuthorizedRead, shape: ReadShape, parameters: Parameters): string {
  const alias = parameters.alias();
  parameters.collections.add(plan.collection.name);
  const { joins, keys, order: sorted } = orderOf(plan.sort, alias, parameters);
  const order = [sorted];
  if (plan.search?.relevance) order.unshift(`${compileRelevance(plan.search, alias, parameters)} desc`);
  const after = plan.cursor?.after
    ? compileKeyset(plan.sort, keys, plan.cursor.after, parameters.place)
    : null;
  const columns = [
    ...pageColumns(plan, alias, keys, parameters),
    ...(shape === "one" ? [`${alias}.xmin::text as ${rowVersion}`] : []),
  ];
  const rows = rowsOf(plan, parameters, () =>
    shape === "one" ? { key: keyOf(plan.collection, parameters) } : cutOf(plan),
  );
  const from = `${rows} ${alias}${joins}${where(plan, alias, shape, parameters, after)}`;
  const cut = shape === "one" ? "" : ` order by ${order.join(", ")} ${limited(plan)}`;
  return `select ${columns.join(", ")} from ${from}${cut}`;
}

/** Which rows can be on the page, by their order alone. */
function cutOf({ sort, limit, offset, cursor, search }: AuthorizedRead): Cut {
  return search === null ? { page: { sort, most: offset + limit, after: cursor?.after ?? null } } : {};
}

/** What a row of a page brings: its columns, or what they are made of where something is expanded, and its sort keys. */
function pageColumns(
  plan: AuthorizedRead,
  alias: string,
  keys: readonly string[],
  parameters: Parameters,
): readonly string[] {
  const { select, sort, cursor } = plan;
  if (select.relations.length === 0 && cursor === null) return selectList(select, alias, parameters);
  const needed = neededColumns(select).map((field) => `${alias}.${quoteName(field.name)}`);
  if (cursor === null) return needed;
  const list = sort.map((term, i) => jsonExpression(keys[i] ?? "", term.field)).join(", ");
  return [...needed, `json_build_array(${list})::text as ${sortKeys}`];
}

/** Checked whole numbers, written out: a bound limit would make the planner guess a tenth of the table. */
function limited({ limit, offset }: AuthorizedRead): string {
  return `limit ${limit}${offset > 0 ? ` offset ${offset}` : ""}`;
}
