/**
 * Views that reach other rows, read as they are now. Where those decide what is in a view, a logged row must not be judged with other rows as
 * they are later: they may open what nobody could see while it was so. Such views are told what a list would give.
 */
import { sqlType } from "../schema/fields";
import { anonymous } from "../access/actor";
import type { AuthorizedRead } from "./authorize";
import { collectParameters } from "./compileCondition";
import { wholeRowJson } from "./compileSelect";
import { dependenciesOf } from "./dependencies";
import { quoteName, type Statement } from "./statement";
import { bindParam, type Param } from "./variables";
import {
  bindJudge,
  inView,
  type JudgeStatement,
  keyOnly,
  loggedRows,
  setColumns,
  side,
  type Sides,
} from "./view";

/** Rows of a view that are read at once, at most; one more tells that there are more. */
export const surveyed = 5_000;

/**
 * Compiles what becomes of changed rows: they are read again, with all that they reach, in one statement. It takes changes (`$1`, of which the rows as they were are looked at), parameter
 * sets (`$2`) and the keys of the rows (`$3`, a JSON list of texts), and gives rows of [set, change, key, gone, now]: for a row that
 * was in the view, as far as can be told today, its change; and for each key whose row is in the view now, the row.
 */
export function compileLook(read: AuthorizedRead, version: number): JudgeStatement {
  const parameters = collectParameters((index) => `v.p${index}`);
  const { collection, select } = read;
  const key = keyOnly(read);
  const old = side(read, key, "#old", parameters);
  const now = side(read, select, "#now", parameters);
  const name = quoteName(collection.primaryKey.name);
  const keys = `array(select e::${sqlType(collection.primaryKey)} from jsonb_array_elements_text($3::text::jsonb) e)`;
  const text =
    `with "#change" as materialized (` +
    `select c.n, c.o, c.a from jsonb_to_recordset($1::text::jsonb) as c(n integer, o jsonb, a jsonb)), ` +
    `"#set" as materialized (select s.* from json_to_recordset($2::text::json) as s(${setColumns(parameters)})), ` +
    `"#old" as materialized (${loggedRows(collection, "o")}), ` +
    `"#now" as materialized (select t.* from ${quoteName(collection.name)} t where t.${name} = any(${keys})) ` +
    `select v.n, ${old.alias}."#", null::text, ${old.json}, null::text from ${old.from} ` +
    `union all select v.n, null::integer, ${now.alias}.${name}::text, null::text, ${now.json} from ${now.from}`;
  return { version, text, params: parameters.list };
}

/**
 * Compiles the reading of all rows of a view, for one actor: rows of [key, key as a JSON object, mark, text], and one of [null,
 * null, null, ms since 1970 after which it was read]. A mark is what tells one text from another (`markOf`). `$1`: a JSON list
 * of `{k, m}`, the marks that are known; the texts of other ones are given. Null: no texts are. Parameters of the actor follow.
 */
export function compileSurvey(read: AuthorizedRead, version: number): JudgeStatement {
  const parameters = collectParameters((index) => `$${index + 2}`);
  const { collection, select } = read;
  const alias = parameters.alias();
  const conditions = inView(read, alias, parameters);
  const where = conditions.length > 0 ? ` where ${conditions.join(" and ")}` : "";
  const text =
    `with "#row" as materialized (select ${alias}.${quoteName(collection.primaryKey.name)}::text as k, ` +
    `${wholeRowJson(keyOnly(read), alias, parameters)} as j, ${wholeRowJson(select, alias, parameters)} as v ` +
    `from ${quoteName(collection.name)} ${alias}${where} limit ${surveyed + 1}), ` +
    `"#known" as materialized (select e.k, e.m from json_to_recordset($1::text::json) as e(k text, m text)) ` +
    `select r.k, r.j, x.m, case when $1::text is not null and e.m is distinct from x.m then r.v end from "#row" r ` +
    `cross join lateral (select left(encode(sha256(convert_to(r.v, 'UTF8')), 'hex'), 32) as m) x ` +
    `left join "#known" e on e.k = r.k ` +
    `union all select null, null, null, ceil(extract(epoch from clock_timestamp()) * 1000)::text`;
  return { version, text, params: parameters.list };
}

/** Fills in what `compileLook` made, as `bindJudge`; `keys` are texts of primary keys. */
export function bindLook(
  statement: JudgeStatement,
  changes: string,
  sets: readonly (readonly Param[])[],
  now: number,
  keys: readonly string[],
): Statement {
  const { text, params } = bindJudge(statement, changes, sets, now);
  return { text, params: [...params, JSON.stringify(keys)] };
}

/** Fills in what `compileSurvey` made. `known`: marks by key; null: no texts are wanted. */
export function bindSurvey(
  { version, text }: JudgeStatement,
  params: readonly Param[],
  now: number,
  known: Iterable<readonly [key: string, mark: string]> | null,
): Statement {
  const marks = known && JSON.stringify(Array.from(known, ([k, m]) => ({ k, m })));
  return {
    text: `/* s${version} */ ${text}`,
    params: [marks, ...params.map((param) => bindParam(param, { actor: anonymous, now }))],
  };
}

/** Whether other rows decide which rows are in a view, or which columns of them it shows. What they were before is not known. */
export function reachesOthers({ rows: limited, where, select }: Sides): boolean {
  const own = { ...select, relations: [] };
  return dependenciesOf({ rows: limited, where, select: own }).size > 0;
}
