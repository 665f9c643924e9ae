/** What all writing statements share: which rows they touch, what is checked on them, and what they are put together from. */
import { castType, isJson, isSpatial, jsonExpression } from "../schema/fields";
import type { Collection, Field, Relation } from "../schema/model";
import { tenantColumn } from "../schema/tenants";
import type { AuthorizedTarget } from "./authorize";
import type { SharedRows } from "./sharedWrite";
import { compileCondition, type Parameters, visible } from "./compileCondition";
import { quoteLiteral, quoteName } from "./statement";
import type { CompiledStatement, Param } from "./variables";

/** Input 0: the rows or keys; of one row that travels value by value its key. */
export const rowsInput: Param = { kind: "input", index: 0 };
/** Inputs 1 and 2: where the request came from. */
export const addressInput: Param = { kind: "input", index: 1 };
export const requestInput: Param = { kind: "input", index: 2 };
/** Input 3: the version that a row to remove must have. */
export const versionInput: Param = { kind: "input", index: 3 };
/** Inputs from 4 on: of one row its values, of several the values of a column each, as an array; where rows do not travel as records. */
export const columnInput = (column: number): Param => ({ kind: "input", index: 4 + column });

/** What `baasix_refuse` raises, by what was refused. The platform knows what each means. */
const states = { forbidden: "BX403", version: "BX412", invalid: "BX400" } as const;

/** A name of a column that no collection can have. */
export function marked(name: string | number): string {
  return `"#${name}"`;
}

/** Where the value that a field had before stands in the written row. */
export function old(field: Field): string {
  return quoteName(`#b ${field.name}`);
}

/** The conditions of rows that a write may touch, about the alias `t`. */
export function targetRows(target: AuthorizedTarget, withDeleted: boolean, parameters: Parameters): string[] {
  const where = visible(target.collection, withDeleted, "t");
  if (target.rows) where.push(compileCondition(target.rows, "t", parameters));
  if (target.filter) where.push(compileCondition(target.filter, "t", parameters));
  return where;
}

/** Which of the carriers' conditions a row meets as it is, one expression each. */
export function conditionsMet(target: AuthorizedTarget, parameters: Parameters): readonly string[] {
  return (target.carriers ?? []).map(({ condition }) =>
    condition === null ? "true" : compileCondition(condition, "t", parameters),
  );
}

/** The rows as they are, as the first part of a statement. */
export function before(rows: string): string {
  return `"#old" as materialized (${rows}), `;
}

/** The rows `w` that a statement wrote, as a FROM item; where it is `shared`, each with the row `r` of its request. */
export function writtenRows(shared: SharedRows | null): string {
  return shared?.written() ?? `"#w" w`;
}

/** The conditions of the permission on the row as it becomes; with `target.noted`, each only where it held before. */
export function permitted(target: AuthorizedTarget, parameters: Parameters): readonly string[] {
  const { action, collection, carriers, noted } = target;
  const within = [
    ...target.kept.map((relation) => keptWithin(relation, target)),
    ...(target.holders ?? []).map((relation) => heldWithin(relation, target)),
  ];
  if (carriers === null) return within;
  const met = carriers.map(({ condition, keys }, i) => {
    const parts = [
      ...(noted ? [`w.${marked(i)}`] : []),
      ...[condition, keys].flatMap((one) => (one === null ? [] : compileCondition(one, "w", parameters))),
    ];
    return parts.length > 1 ? `(${parts.join(" and ")})` : parts.join("");
  });
  const verb = action === "create" ? "create" : "update";
  const message = `You don't have permission to ${verb} this item in '${collection.name}'`;
  return [orRefuse(met.length > 0 ? met.join(" or ") : "false", "forbidden", message), ...within];
}

/**
 * A key leads to a row of the same tenant, or nowhere. Rows that the same statement writes are as it writes them. A key of
 * no row is refused alike: it does not tell whether another tenant has that row.
 */
function keptWithin(relation: Relation, { collection, action, holders }: AuthorizedTarget): string {
  const { sourceColumn, target, targetColumn, scope } = relation;
  const tenant = quoteName(tenantColumn);
  const there = (rows: string, same = true): string =>
    `exists (select 1 from ${rows} x where x.${quoteName(targetColumn)} = w.${quoteName(sourceColumn)}` +
    `${same ? ` and x.${tenant} is not distinct from w.${tenant}` : ""})`;
  const table = there(quoteName(target));
  // What the statement makes is not in the table for it, and what it moves stands there as it was.
  const isOwn = target === collection.name;
  const found =
    isOwn && action === "create"
      ? `${table} or ${there(`"#w"`)}`
      : isOwn && holders !== null
        ? `${there(`"#w"`)} or (not ${there(`"#w"`, false)} and ${table})`
        : table;
  const elsewhere = scope
    ? `w.${quoteName(scope.column)} is distinct from ${quoteLiteral(scope.value)} or `
    : "";
  const message = `${sourceColumn}: there is no such item of '${target}' in this tenant`;
  return orRefuse(`w.${quoteName(sourceColumn)} is null or ${elsewhere}${found}`, "forbidden", message);
}

/**
 * A row that moves to another tenant leaves nobody behind who leads to it. Rows of no tenant may follow: those of before there
 * were tenants are given theirs one collection after the other.
 */
function heldWithin(
  { source, sourceColumn, targetColumn, scope }: Relation,
  { collection }: AuthorizedTarget,
): string {
  const [tenant, key] = [tenantColumn, collection.primaryKey.name].map(quoteName);
  const scoped = scope ? ` and x.${quoteName(scope.column)} = ${quoteLiteral(scope.value)}` : "";
  const left = (rows: string, more = ""): string =>
    `not exists (select 1 from ${rows} x where x.${quoteName(sourceColumn)} = w.${quoteName(targetColumn)}${scoped} ` +
    `and x.${tenant} is not null and x.${tenant} is distinct from w.${tenant}${more})`;
  const moved = ` and not exists (select 1 from "#w" y where y.${key} = x.${key})`;
  const others =
    source === collection.name
      ? `${left(quoteName(source), moved)} and ${left(`"#w"`)}`
      : left(quoteName(source));
  const message = `${tenantColumn}: items of '${source}' in another tenant lead to it by '${sourceColumn}'; detach them first`;
  return orRefuse(others, "forbidden", message);
}

/** Whether the row `t` has one of the versions of a text, with commas between. */
export function hasVersion(versions: string): string {
  return `t.xmin::text = any(string_to_array(${versions}, ','))`;
}

/** The version that was asked for (`"#v"`: it stands) is still the row's. */
export function versionStands({ name }: Collection): string {
  return orRefuse(
    `w.${marked("v")}`,
    "version",
    `The item in '${name}' was changed meanwhile; read it again`,
  );
}

/** A new row has the key that its request was given. A trigger could give it another one, and nobody would know whose row it is. */
export function requestKnown({ name }: Collection): string {
  return orRefuse("r.n is not null", "forbidden", `An item of '${name}' was written under another key`);
}

/** A value that is set stays. */
export function immutableKept(field: Field): string {
  const [was, is] = [`w.${old(field)}`, `w.${quoteName(field.name)}`].map((value) =>
    comparable(value, field),
  );
  return orRefuse(
    `${was} is null or ${was} is not distinct from ${is}`,
    "invalid",
    "is set once and cannot change",
    { field: field.name, rule: "immutable" },
  );
}

/** Not every type knows equality, and that of shapes means less. */
function comparable(value: string, field: Field): string {
  if (isJson(field)) return `${value}::jsonb`;
  return isSpatial(field) ? `${value}::text` : value;
}

/** `baasix_refuse` raises an error, and the statement is undone with all its rows. */
function orRefuse(
  condition: string,
  why: keyof typeof states,
  message: string,
  detail?: Readonly<Record<string, string>>,
): string {
  const given = [message, ...(why === "forbidden" ? [] : [states[why], JSON.stringify(detail ?? {})])].map(
    quoteLiteral,
  );
  return `case when ${condition} then true else baasix_refuse(${given.join(", ")}) end`;
}

/** The parts of a statement. `write` is named `"#w"`; `audit` (see `auditOf`) reads from it; `checks` are about its rows `w`. */
export type WriteParts = {
  readonly target: AuthorizedTarget;
  readonly version: number;
  readonly parameters: Parameters;
  readonly before?: string;
  readonly write: string;
  readonly audit: string | null;
  readonly checks: readonly string[];
  /** One row is written at most. */
  readonly single: boolean;
  /** Gives the keys of all rows of `before`, also of those that there was nothing to do with. */
  readonly all?: true;
  /** It writes for several requests. */
  readonly shared?: SharedRows | null;
};

/**
 * Puts a statement together. It gives the key of the written row, or, where there may be several, one row with the keys as
 * the text of a JSON list, null for none: a row for each would take the driver longer than the writing. A shared statement gives a
 * list of the pairs of a request's number, from 1, and the key that it wrote.
 */
export function finishWrite(parts: WriteParts): CompiledStatement {
  const { target, version, parameters, before: rows = "", write, audit, checks, single, all } = parts;
  const { shared = null } = parts;
  const { primaryKey } = target.collection;
  const key = quoteName(primaryKey.name);
  const keys = (column: string): string => {
    const shown = jsonExpression(column, primaryKey);
    if (shared) return `json_agg(json_build_array(r.n, ${shown}))::text`;
    return single ? column : `json_agg(${shown})::text`;
  };
  const checked = checks.join(" and ");
  const where = checks.length > 0 ? ` where ${checked}` : "";
  // Of one row the entry tells the key: there is a part less to run. The driver gives a UUID as the text that it is there.
  const isTold = audit !== null && single && !all && !shared;
  const told = primaryKey.type === "UUID" ? `"entityId"` : `"entityId"::${castType(primaryKey)}`;
  const entries = audit === null || isTold ? "" : `, "#a" as (${audit})`;
  const last = isTold
    ? `${audit}${where} returning ${told}`
    : all
      ? `select ${keys('o."#k"')} from "#old" o left join "#w" w on w.${key} = o."#k"` +
        (checks.length > 0 ? ` where case when w.${key} is null then true else ${checked} end` : "")
      : `select ${keys(`w.${key}`)} from ${writtenRows(shared)}${where}`;
  return {
    // No collection can be named so: a name of one would hide its table from the check.
    text: `/* s${version} */ with ${shared?.part() ?? ""}${rows}"#w" as (${write})${entries} ${last}`,
    params: parameters.list,
  };
}
