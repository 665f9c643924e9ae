/**
 * The words of a permission of a role that sees one tenant: what they ask of related rows they ask of those of the tenant.
 * Which rows a condition leaves tells of what it asks: in a collection that all share, of the rows of others.
 */
import { allOf } from "../query/combine";
import type { DefaultValue } from "../query/defaults";
import type { ActorOperand, Hop, Operand, Planned } from "../query/planned";
import type { RelationRules } from "../query/relConditions";
import type { Collection } from "../schema/model";
import type { TenantRules } from "./tenants";

/** A condition of a permission that sees the rows of the tenant alone. */
export function conditionWithin(planned: Planned, tenants: TenantRules): Planned {
  const inside = (item: Planned): Planned => conditionWithin(item, tenants);
  switch (planned.kind) {
    case "all":
    case "any":
      return { ...planned, items: planned.items.map(inside) };
    case "not":
    case "above":
      return { ...planned, item: inside(planned.item) };
    case "related":
      return {
        ...planned,
        item: inside(planned.item),
        rows: allOf([planned.rows, rowsOf(planned.target, tenants)]),
      };
    case "compare": {
      const operands = planned.operands.map((operand) => operandWithin(operand, tenants));
      return { ...planned, hops: hopsWithin(planned.hops, tenants), operands };
    }
  }
}

/** The same for relConditions. */
export function relationRulesWithin(rules: RelationRules, tenants: TenantRules): RelationRules {
  return new Map(
    [...rules].map(([name, { rows, nested }]) => [
      name,
      { rows: rows && conditionWithin(rows, tenants), nested: relationRulesWithin(nested, tenants) },
    ]),
  );
}

/** The same for a default value. */
export function defaultWithin(value: DefaultValue, tenants: TenantRules): DefaultValue {
  return "operand" in value ? { operand: operandWithin(value.operand, tenants) } : value;
}

const none: Planned = { kind: "any", items: [] };

function rowsOf(target: Collection, tenants: TenantRules): Planned | null {
  const rows = tenants.rowsOf(target, "read");
  return rows === "denied" ? none : rows;
}

function hopsWithin(hops: readonly Hop[], tenants: TenantRules): readonly Hop[] {
  return hops.map((hop) => ({ ...hop, rows: allOf([hop.rows, rowsOf(hop.target, tenants)]) }));
}

function operandWithin(operand: Operand, tenants: TenantRules): Operand {
  switch (operand.kind) {
    case "param":
      return operand;
    case "actor":
    case "column":
      return { ...operand, hops: hopsWithin(operand.hops, tenants) };
    case "array":
      return { ...operand, items: operand.items.map((item) => operandWithin(item, tenants)) };
    case "json":
      return {
        ...operand,
        inserts: operand.inserts.map(({ path, value }) => ({ path, value: actorWithin(value, tenants) })),
      };
    case "wrapped":
      return { ...operand, value: operandWithin(operand.value, tenants) };
  }
}

function actorWithin(operand: ActorOperand, tenants: TenantRules): ActorOperand {
  return { ...operand, hops: hopsWithin(operand.hops, tenants) };
}
