/** What to subscribe to so that no change which concerns a list goes unheard. Pure. */
import type { CanonicalQuery } from "./keys";

/** A subscription, and whether its changes say enough to mend a list in place. */
export type LiveView = {
  readonly filter?: { readonly [key: string]: unknown };
  readonly fields?: readonly string[];
  readonly exact: boolean;
};

/** Operators of which the result depends on the item's own column alone. */
const plainOperators = new Set(
  (
    "eq ne neq is not gt gte lt lte in notIn nin like notLike ilike iLike notILike notIlike " +
    "startsWith endsWith startsWiths endsWiths contains between notBetween isNull isNotNull notNull"
  ).split(" "),
);

/**
 * The view of a list. Where membership hangs on more than the item's own columns (a search, related items, the time, fields
 * of the user), an item can enter or leave without a change of its own, and a later change would not be told as one:
 * then all changes of the collection are followed, and each means reading again.
 * @throws Error for soft-deleted items: their changes are told to nobody.
 */
export function liveView(query: CanonicalQuery): LiveView {
  const { filter, fields, paranoid, search, relConditions } = query;
  if (paranoid === false) throw new Error("live cannot follow soft-deleted items: leave out paranoid: false");
  const names = fields?.filter((wish) => typeof wish === "string");
  // Conditions and limits on related items are no part of a change.
  const whole = relConditions === undefined && names?.length === fields?.length;
  if (search !== undefined || !whole) return { exact: false };
  if (filter === undefined || filter === null) return { fields: names, exact: true };
  return isPlain(filter) && isRecord(filter) ? { filter, fields: names, exact: true } : { exact: false };
}

function isPlain(filter: unknown): boolean {
  if (!isRecord(filter)) return false;
  return Object.entries(filter).every(([key, condition]) => {
    if (key === "AND" || key === "OR") return Array.isArray(condition) && condition.every(isPlain);
    if (key === "NOT") return isPlain(condition);
    return !/[.$]/.test(key) && isPlainCondition(condition);
  });
}

function isPlainCondition(condition: unknown): boolean {
  if (!isRecord(condition)) return isPlainValue(condition);
  return Object.entries(condition).every(([key, value]) => plainOperators.has(key) && isPlainValue(value));
}

/** `$CURRENT_USER` and `$CURRENT_ROLE` stay what they are while the user does; every other variable may change. */
function isPlainValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlainValue);
  if (typeof value === "string" && value.startsWith("$")) return /^\$CURRENT_(USER|ROLE)(\.id)?$/.test(value);
  return !isRecord(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
