/** Filter, as it travels → Condition. Every key counts; what is not understood is refused, never dropped. */
import { AppError } from "../errors";
import type { Condition } from "./ast";
import { Hole } from "./holes";
import { operators } from "./operators";

/** Limits of one filter: conditions in all, and nesting. */
export const filterLimits = { conditions: 200, depth: 10 } as const;

/** Conditions counted so far: all filters of one request share it. */
export type Budget = { conditions: number };

/** A budget of which nothing is spent. */
export function filterBudget(): Budget {
  return { conditions: 0 };
}

/**
 * Reads a filter: `{AND: […]} | {OR: […]} | {NOT: {…}} | {path: Cond}`, all keys AND-ed.
 * Keys of one object that open the same relation speak of the same related row.
 * @throws AppError INVALID_QUERY, QUERY_TOO_COMPLEX; `at` starts the place in messages.
 */
export function parseFilter(input: unknown, at = "filter", budget = filterBudget()): Condition {
  return group(input, at, 0, budget);
}

function group(input: unknown, at: string, depth: number, budget: Budget): Condition {
  if (depth > filterLimits.depth) {
    throw new AppError(
      "QUERY_TOO_COMPLEX",
      `${at}: a filter may be nested ${filterLimits.depth} levels deep`,
    );
  }
  if (!isObject(input))
    throw new AppError("INVALID_QUERY", `${at}: expected an object such as {"name": {"eq": "x"}}`);
  const items: Condition[] = [];
  for (const key of Object.keys(input)) {
    const value = input[key];
    if (value === undefined) continue;
    const place = `${at}.${key}`;
    if (key === "AND" || key === "OR") {
      if (!Array.isArray(value)) throw new AppError("INVALID_QUERY", `${place}: expected a list of filters`);
      const members = value.map((member, i) => group(member, `${place}[${i}]`, depth + 1, budget));
      items.push(
        key === "AND" ? { kind: "all", items: members, apart: true } : { kind: "any", items: members },
      );
    } else if (key === "NOT") {
      items.push({ kind: "not", item: group(value, place, depth + 1, budget) });
    } else {
      items.push(field(splitPath(key, place), value, place, depth, budget));
    }
  }
  return conjunction(items);
}

function field(
  path: readonly string[],
  value: unknown,
  at: string,
  depth: number,
  budget: Budget,
): Condition {
  const [first, ...rest] = path as [string, ...string[]];
  if (rest.length > 0)
    return { kind: "within", relation: first, item: field(rest, value, at, depth, budget), at };
  if (!isObject(value)) return comparison(first, "eq", value, null, at, budget);
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  if (keys.length === 0)
    throw new AppError("INVALID_QUERY", `${at}: expected an operator such as {"eq": value}`);
  const isCondition = keys.some((key) => operators.has(key));
  // Beside an operator an object is a cast that the planner refuses; alone it may be a filter on a field of that name.
  const cast =
    keys.includes("cast") && (isCondition || !isObject(value.cast))
      ? { type: value.cast, at: `${at}.cast` }
      : null;
  if (cast !== null && keys.length === 1)
    throw new AppError("INVALID_QUERY", `${at}: expected an operator beside cast, such as {"eq": value}`);
  if (cast === null && !isCondition) {
    // No operator among the keys: the name is a relation and the object a filter on it. Should it be a column,
    // the planner reports the first key as an unknown operator.
    return { kind: "within", relation: first, item: group(value, at, depth + 1, budget), at };
  }
  return conjunction(
    keys
      .filter((key) => key !== "cast")
      .map((key) => comparison(first, key, value[key], cast, `${at}.${key}`, budget)),
  );
}

function comparison(
  column: string,
  operator: string,
  operand: unknown,
  cast: { readonly type: unknown; readonly at: string } | null,
  at: string,
  budget: Budget,
): Condition {
  if (++budget.conditions > filterLimits.conditions) {
    throw new AppError("QUERY_TOO_COMPLEX", `${at}: a filter may hold ${filterLimits.conditions} conditions`);
  }
  return { kind: "compare", column, operator, operand, cast, at };
}

/** Joins conditions with AND; those that open the same relation are joined inside it: one related row meets them all. */
function conjunction(items: readonly Condition[]): Condition {
  const merged: Condition[] = [];
  for (const item of items) {
    const index =
      item.kind === "within"
        ? merged.findIndex((m) => m.kind === "within" && m.relation === item.relation)
        : -1;
    const present = merged[index];
    if (item.kind === "within" && present?.kind === "within") {
      merged[index] = { ...present, item: conjunction([...members(present.item), ...members(item.item)]) };
    } else merged.push(item);
  }
  return merged.length === 1 && merged[0] ? merged[0] : { kind: "all", items: merged };
}

function members(condition: Condition): readonly Condition[] {
  return condition.kind === "all" && !condition.apart ? condition.items : [condition];
}

/** `author.name` or `$author.name$` → names. */
export function splitPath(key: string, at: string): readonly string[] {
  const path = (key.length > 2 && key.startsWith("$") && key.endsWith("$") ? key.slice(1, -1) : key).split(
    ".",
  );
  if (path.length > 8) throw new AppError("QUERY_TOO_COMPLEX", `${at}: a path may pass 7 relations`);
  if (path.some((name) => name === ""))
    throw new AppError("INVALID_QUERY", `${at}: empty name in the path '${key}'`);
  return path;
}

/** A plain object: not null, not a list, no value that was taken out. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Hole);
}
