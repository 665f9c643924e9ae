/** Reads of items with their places, for the moves of `places.ts` → SQL. The rows are locked: they are about to change. */
import { castType } from "../schema/fields";
import type { Field } from "../schema/model";
import type { AuthorizedTarget } from "./authorize";
import { collectParameters, compileCondition, visible } from "./compileCondition";
import { quoteName } from "./statement";
import type { CompiledStatement, Param } from "./variables";

/**
 * Which items. `named`: keys 0, also those that the actor may not update. The others are only those that it may:
 * `between` places 0 and 1; `from` place 0 to the one without a place whose key is 1; `unplaced` as far as key 0;
 * `behind` place 0 and key 1, the next page; `below` and `above` place 0, the nearest one; `sharing` places 0 without
 * being among keys 1.
 */
export type PlacesForm = "named" | "between" | "from" | "unplaced" | "behind" | "below" | "above" | "sharing";

/** Most items that one move may touch. */
export const mostMoved = 100_000;

/** Items of a page of `behind`. */
export const placesPage = 1000;

const input = (index: number): Param => ({ kind: "input", index });

/** Rows of [key as text, place or null, whether the actor may update it, key], in their order (`below`: the highest). */
export function compilePlaces(
  target: AuthorizedTarget,
  field: Field,
  form: PlacesForm,
  version: number,
): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const [key, place] = [`t.${quoteName(collection.primaryKey.name)}`, `t.${quoteName(field.name)}`];
  const type = castType(collection.primaryKey);
  const number = (index: number): string => `${parameters.place(input(index))}::bigint`;
  const keyOf = (index: number): string => `${parameters.place(input(index))}::${type}`;
  const keys = (index: number): string => `any(${parameters.place(input(index))}::${type}[])`;
  const forms: Readonly<Record<PlacesForm, () => string>> = {
    named: () => `${key} = ${keys(0)}`,
    between: () => `${place} between ${number(0)} and ${number(1)}`,
    from: () => `(${place} >= ${number(0)} or (${place} is null and ${key} <= ${keyOf(1)}))`,
    unplaced: () => `${place} is null and ${key} <= ${keyOf(0)}`,
    behind: () => `${place} >= ${number(0)} and (${place} > ${number(0)} or ${key} > ${keyOf(1)})`,
    below: () => `${place} < ${number(0)}`,
    above: () => `${place} > ${number(0)}`,
    sharing: () => `${place} = any(${parameters.place(input(0))}::bigint[]) and not ${key} = ${keys(1)}`,
  };
  const mine = target.rows ? compileCondition(target.rows, "t", parameters) : "true";
  const where = [...visible(collection, false, "t"), forms[form](), ...(form === "named" ? [] : [mine])];
  const order = `${place}${form === "below" ? " desc" : ""}, ${key}${form === "below" ? " desc" : ""}`;
  const first = { behind: placesPage, below: 1, above: 1, sharing: 1 }[form as string];
  // By key, as all writes of several rows lock them; with a limit it has to be the order itself.
  const locked = first === undefined ? `${key} limit ${mostMoved + 1}` : `${order} limit ${first}`;
  const rows =
    `select ${key} as k, ${place} as s, coalesce(${mine}, false) as m from ${quoteName(collection.name)} t ` +
    `where ${where.join(" and ")} order by ${locked} for no key update of t`;
  return {
    text: `/* s${version} */ select k::text, s, m, k from (${rows}) r order by s nulls last, r.k`,
    params: parameters.list,
  };
}

/** The highest place of all items, whoever may see them: one row of [place or null]. */
export function compileLastPlace(target: AuthorizedTarget, field: Field, version: number): CompiledStatement {
  return {
    text: `/* s${version} */ select max(${quoteName(field.name)}) from ${quoteName(target.collection.name)}`,
    params: [],
  };
}
