/** Which rows of its collection a read is about, as SQL. */
import type { AuthorizedAggregate, AuthorizedRead } from "./authorize";
import { compileCondition, joinKeys, type Parameters, visible } from "./compileCondition";
import { compileSearch, type WordsBecome } from "./compileSearch";
import type { Hop } from "./planned";
import { quoteName } from "./statement";

/** The conditions of the rows of `alias`: not deleted, open to the actor, asked for. `words`: of a search. */
export function compileRows(
  plan: AuthorizedRead | AuthorizedAggregate,
  alias: string,
  parameters: Parameters,
  words: WordsBecome = "planned",
): readonly string[] {
  const { collection, withDeleted, rows, where, search } = plan;
  const conditions = visible(collection, withDeleted, alias);
  if (rows) conditions.push(compileCondition(rows, alias, parameters));
  if (where) conditions.push(compileCondition(where, alias, parameters));
  if (search) conditions.push(compileSearch(search, collection, alias, parameters, words));
  return conditions;
}

/** ` where …`, or nothing. */
export function whereSql(conditions: readonly string[]): string {
  return conditions.length > 0 ? ` where ${conditions.join(" and ")}` : "";
}

/** Joins the rows that a hop leads to, from `holder` to the alias `next`. */
export function joinHop(
  kind: "left join" | "join",
  hop: Hop,
  holder: string,
  next: string,
  parameters: Parameters,
): string {
  parameters.collections.add(hop.target.name);
  const on = [joinKeys(hop.relation, holder, next), ...visible(hop.target, false, next)];
  if (hop.rows) on.push(compileCondition(hop.rows, next, parameters));
  return ` ${kind} ${quoteName(hop.target.name)} ${next} on ${on.join(" and ")}`;
}
