/**
 * `$CURRENT_ROLE` in a permission is the role that has the permission: of several roles each then gives what it gives
 * alone, in whatever order they were taken. (In a request it is the role that the caller has had longest.)
 */
import type { DefaultValue } from "../query/defaults";
import type { ActorOperand, Operand, Planned } from "../query/planned";
import type { RelationRules } from "../query/relConditions";
import type { Param } from "../query/variables";

/** A condition of a permission, with its role filled in. */
export function conditionOfRole(planned: Planned, role: string): Planned {
  const inside = (item: Planned): Planned => conditionOfRole(item, role);
  switch (planned.kind) {
    case "all":
    case "any":
      return { ...planned, items: planned.items.map(inside) };
    case "not":
    case "above":
    case "related":
      return { ...planned, item: inside(planned.item) };
    case "compare":
      return { ...planned, operands: planned.operands.map((operand) => operandOfRole(operand, role)) };
  }
}

/** The same for relConditions. */
export function relationRulesOfRole(rules: RelationRules, role: string): RelationRules {
  return new Map(
    [...rules].map(([name, { rows, nested }]) => [
      name,
      { rows: rows && conditionOfRole(rows, role), nested: relationRulesOfRole(nested, role) },
    ]),
  );
}

/** The same for a default value. */
export function defaultOfRole(value: DefaultValue, role: string): DefaultValue {
  if ("variable" in value) return { variable: paramOfRole(value.variable, role) };
  return "operand" in value ? { operand: operandOfRole(value.operand, role) } : value;
}

function operandOfRole(operand: Operand, role: string): Operand {
  switch (operand.kind) {
    case "param":
      return { ...operand, param: paramOfRole(operand.param, role) };
    case "actor":
      return actorOfRole(operand, role);
    case "array":
      return { ...operand, items: operand.items.map((item) => operandOfRole(item, role)) };
    case "json": {
      const inserts = operand.inserts.map(({ path, value }) => ({ path, value: actorOfRole(value, role) }));
      return { ...operand, param: paramOfRole(operand.param, role), inserts };
    }
    case "wrapped":
      return { ...operand, value: operandOfRole(operand.value, role) };
    case "column":
      return operand;
  }
}

function actorOfRole(operand: ActorOperand, role: string): ActorOperand {
  return { ...operand, key: paramOfRole(operand.key, role) };
}

function paramOfRole(param: Param, role: string): Param {
  if (param.kind === "currentRole") return { kind: "value", text: role };
  if (param.kind !== "json") return param;
  const parts = param.parts.map((part) => (typeof part === "string" ? part : paramOfRole(part, role)));
  return { kind: "json", parts };
}
