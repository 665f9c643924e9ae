/** Conditions put together. Null is the condition that always holds. */
import type { Hop, Operand, Planned } from "./planned";

/** Holds where one of them does. Says each only once. */
export function anyOf(conditions: readonly (Planned | null)[]): Planned | null {
  const items: Planned[] = [];
  for (const condition of conditions) {
    if (condition === null) return null;
    for (const one of alternatives(condition)) if (!items.some((item) => same(item, one))) items.push(one);
  }
  return items.length === 1 && items[0] ? items[0] : { kind: "any", items };
}

/** Holds where all of them do. Says each only once, and no alternatives of which one must hold anyway. */
export function allOf(conditions: readonly (Planned | null)[]): Planned | null {
  const said: Planned[] = [];
  for (const condition of conditions) {
    if (condition === null) continue;
    for (const one of condition.kind === "all" ? condition.items : [condition]) {
      if (!said.some((item) => same(item, one))) said.push(one);
    }
  }
  const needed = (item: Planned): boolean =>
    item.kind !== "any" ||
    !item.items.some((one) => said.some((other) => other !== item && same(one, other)));
  const items = said.filter(needed);
  if (items.length === 0) return null;
  return items.length === 1 && items[0] ? items[0] : { kind: "all", items };
}

/** What a condition offers to hold by. */
export function alternatives(condition: Planned): readonly Planned[] {
  return condition.kind === "any" ? condition.items : [condition];
}

/** True when two conditions say the same for certain. Comparisons are the same only when they are one object. */
export function same(a: Planned, b: Planned): boolean {
  if (a === b) return true;
  if (a.kind === "above" || a.kind === "not") return b.kind === a.kind && same(a.item, b.item);
  if (a.kind !== "all" && a.kind !== "any") return false;
  return (
    b.kind === a.kind &&
    a.items.length === b.items.length &&
    a.items.every((item, i) => b.items[i] !== undefined && same(item, b.items[i]))
  );
}

/** True when a condition, or a right that it was judged by, asks about rows above the one that it is about. */
export function looksUp(condition: Planned | null): boolean {
  switch (condition?.kind) {
    case undefined:
      return false;
    case "above":
      return true;
    case "all":
    case "any":
      return condition.items.some(looksUp);
    case "not":
      return looksUp(condition.item);
    case "compare":
      return pathLooksUp(condition) || condition.operands.some(operandLooksUp);
    case "related":
      return looksUp(condition.rows) || looksUp(condition.item);
  }
}

/** The same of a column behind relations. */
export function pathLooksUp({ hops, guard }: { hops: readonly Hop[]; guard: Planned | null }): boolean {
  return looksUp(guard) || hops.some(({ rows }) => looksUp(rows));
}

function operandLooksUp(operand: Operand): boolean {
  if (operand.kind === "wrapped") return operandLooksUp(operand.value);
  if (operand.kind === "array") return operand.items.some(operandLooksUp);
  return operand.kind === "column" && pathLooksUp(operand);
}
