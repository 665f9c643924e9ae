/** What names the item of an upsert: fields that are unique together, or what a filter says plainly. Pure. */
import { AppError } from "../errors";
import { sqlType, type WireValue } from "../schema/fields";
import { tenantColumn } from "../schema/tenants";
import type { Collection, Field } from "../schema/model";
import type { Condition } from "./ast";
import type { AuthorizedTarget } from "./authorize";
import { collectParameters } from "./compileCondition";
import { findColumn } from "./find";
import { quoteName, type Statement } from "./statement";
import type { CompiledStatement } from "./variables";
import { rowsInput, targetRows } from "./writeStatement";

/**
 * True unless the condition may hold for every row whatever it holds: for want of parts, or as its parts compare with
 * nothing (an empty list, object or text, which a client sends when it has lost its value).
 */
export function restricts(condition: Condition): boolean {
  switch (condition.kind) {
    case "all":
      return condition.items.some(restricts);
    case "any":
      return condition.items.every(restricts);
    case "not":
      return admits(condition.item);
    case "within":
      return true;
    case "compare":
      return !isVoid(condition.operand) || plainOperators.has(condition.operator);
  }
}

/** True unless the condition may leave out every row: its negation may then hold for all of them. */
function admits(condition: Condition): boolean {
  switch (condition.kind) {
    case "all":
      return condition.items.every(admits);
    case "any":
      return condition.items.some(admits);
    case "not":
      return restricts(condition.item);
    case "within":
      return admits(condition.item);
    case "compare":
      return !isVoid(condition.operand) || equalities.has(condition.operator);
  }
}

/** An empty value is a value to these; in an empty list there is no row. */
const equalities: ReadonlySet<string> = new Set(["eq", "ne", "neq", "not", "is"]);
const plainOperators: ReadonlySet<string> = new Set([...equalities, "in"]);

function isVoid(operand: unknown): boolean {
  if (typeof operand !== "object" || operand === null) return operand === "";
  return (Array.isArray(operand) ? operand : Object.keys(operand)).length === 0;
}

/**
 * The fields of `on`, which a unique index or the primary key must hold, and no others.
 * @throws AppError INVALID_QUERY naming what is unique
 */
export function uniqueFields(collection: Collection, on: readonly string[]): readonly Field[] {
  const fields = on.map((name, i) => findColumn(collection, name, `on[${i}]`));
  const known = uniqueSets(collection);
  const names = new Set(fields.map(({ name }) => name));
  const isUnique = known.some((set) => set.length === names.size && set.every((name) => names.has(name)));
  if (isUnique && names.size === on.length && !fields.some(({ hidden }) => hidden)) return fields;
  const valid = known.map((set) => (set.length === 1 ? `'${set[0]}'` : JSON.stringify(set))).join(", ");
  throw new AppError(
    "INVALID_QUERY",
    `on: ${JSON.stringify(on)} is not unique in '${collection.name}'; unique are ${valid}`,
  );
}

/** Sets of fields of which no two rows have the same values. */
function uniqueSets({ primaryKey, fields, indexes }: Collection): readonly (readonly string[])[] {
  const shown = (name: string): boolean => fields.get(name)?.hidden === false;
  return [
    [primaryKey.name],
    ...[...fields.values()].filter(({ unique }) => unique).map(({ name }) => [name]),
    ...indexes.filter(({ unique, kind }) => unique && kind === undefined).map((index) => index.fields),
  ].filter((set) => set.every(shown));
}

/** The column of the tenant, where fields are unique within one alone; null: over all rows. */
export function tenantOfKey(collection: Collection, unique: readonly Field[]): Field | null {
  const names = new Set(unique.map(({ name }) => name));
  const [one] = unique;
  const isWithin =
    (unique.length === 1 && one?.perTenant === true) ||
    collection.indexes.some(
      ({ perTenant, fields }) =>
        perTenant === true && fields.length === names.size && fields.every((name) => names.has(name)),
    );
  return isWithin ? (collection.fields.get(tenantColumn) ?? null) : null;
}

/** Values by which rows are looked for: one record a row, in the order of the fields. */
export function encodeTargets(targets: readonly (readonly WireValue[])[]): string {
  return JSON.stringify(
    targets.map((values, i) => ({ i, ...Object.fromEntries(values.map((value, n) => [`c${n}`, value])) })),
  );
}

/**
 * Finds the rows of the target's filter that have the values of input 0 (`encodeTargets`; behind them that of
 * `tenantOfKey`): rows of [place in the input, key, softly deleted]. `locks`: locks them in the order of their keys.
 */
export function compileFind(
  target: AuthorizedTarget,
  fields: readonly Field[],
  version: number,
  locks: boolean,
): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const key = `t.${quoteName(collection.primaryKey.name)}`;
  const tenant = tenantOfKey(collection, fields);
  const all = tenant ? [...fields, tenant] : fields;
  const columns = all.map((field, n) => `c${n} ${sqlType(field)}`).join(", ");
  const on = all
    .map((field, n) => {
      const equals = field === tenant ? "is not distinct from" : "=";
      return `t.${quoteName(field.name)} ${equals} r.c${n}`;
    })
    .join(" and ");
  const deleted = collection.paranoid ? `t."deletedAt" is not null` : "false";
  const where = targetRows({ ...target, rows: null }, true, parameters).join(" and ");
  const text =
    `select r.i, ${key}, ${deleted} ` +
    `from json_to_recordset(${parameters.place(rowsInput)}::text::json) as r(i integer, ${columns}) ` +
    `join ${quoteName(collection.name)} t on ${on} where ${where} order by ${key}${locks ? " for no key update of t" : ""}`;
  return { text: `/* s${version} */ ${text}`, params: parameters.list };
}

/** Finds at most two rows that meet the filter of the target, and locks them: rows of [key]. */
export function compileFindWhere(target: AuthorizedTarget, version: number): CompiledStatement {
  const parameters = collectParameters();
  const { collection } = target;
  const key = `t.${quoteName(collection.primaryKey.name)}`;
  const where = targetRows({ ...target, rows: null }, false, parameters).join(" and ");
  const text = `select ${key} from ${quoteName(collection.name)} t where ${where} order by ${key} limit 2 for no key update of t`;
  return { text: `/* s${version} */ ${text}`, params: parameters.list };
}

/** The values that a filter demands plainly, `{a: 1, b: {eq: 2}}`: what a new item has from it. */
export function plainEqualities(condition: Condition): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  const collect = (part: Condition): void => {
    if (part.kind === "all") part.items.forEach(collect);
    else if (part.kind === "compare" && part.operator === "eq" && part.cast === null)
      found.set(part.column, part.operand);
  };
  collect(condition);
  return found;
}

/**
 * One at a time of those who mean the same filter, to the end of the transaction. The lock's number is negative: a filter
 * could be made up that has that of another lock, such as of schema changes.
 */
export function lockTarget({ name }: Collection, condition: Condition): Statement {
  return {
    text: "select pg_advisory_xact_lock(hashtextextended($1::text, 0) | (-9223372036854775808)::bigint)",
    params: [`upsert ${name} ${canonicalFilter(condition)}`],
  };
}

/** A text that is the same for filters that say the same in another order or spelling of an equality. */
function canonicalFilter(condition: Condition): string {
  switch (condition.kind) {
    case "all":
    case "any": {
      const items = condition.items.map(canonicalFilter).toSorted();
      return `${condition.kind}(${items.join(",")})`;
    }
    case "not":
      return `not(${canonicalFilter(condition.item)})`;
    case "within":
      return `${JSON.stringify(condition.relation)}(${canonicalFilter(condition.item)})`;
    case "compare":
      return JSON.stringify([
        condition.column,
        condition.operator,
        condition.operand,
        condition.cast?.type ?? null,
      ]);
  }
}
