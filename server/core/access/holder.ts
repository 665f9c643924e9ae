/**
 * The words of a permission as they count for the role that has it, in conditions, relConditions and default values alike.
 *
 * `$CURRENT_ROLE` is that role: of several roles each then gives what it gives alone, in whatever order they were taken. (In a
 * request it is the role that the caller has had longest.)
 *
 * A role that sees one tenant asks of related rows those of the tenant alone. Which rows a condition leaves tells of what it
 * asks: in a collection that all share, of the rows of others.
 */
import { allOf } from "../query/combine";
import type { DefaultValue } from "../query/defaults";
import type { ActorOperand, Hop, Operand, Planned } from "../query/planned";
import type { RelationRules } from "../query/relConditions";
import type { Param } from "../query/variables";
import type { Collection } from "../schema/model";
import type { TenantRules } from "./tenants";

/** Who has a permission. `role` null: nobody yet. `tenants` of a role that sees one; null: it sees all there is. */
export type Holder = { readonly role: string | null; readonly tenants: TenantRules | null };

/** A condition as it counts for its holder. */
export function heldCondition(planned: Planned, holder: Holder): Planned {
  const inside = (item: Planned): Planned => heldCondition(item, holder);
  switch (planned.kind) {
    case "all":
    case "any":
      return { ...planned, items: planned.items.map(inside) };
    case "not":
    case "above":
      return { ...planned, item: inside(planned.item) };
    case "related":
      return { ...planned, item: inside(planned.item), rows: seen(planned.rows, planned.target, holder) };
    case "compare": {
      const operands = planned.operands.map((operand) => heldOperand(operand, holder));
      return { ...planned, hops: heldHops(planned.hops, holder), operands };
    }
  }
}

/** The same for relConditions. */
export function heldRelationRules(rules: RelationRules, holder: Holder): RelationRules {
  return new Map(
    [...rules].map(([name, { rows, nested }]) => [
      name,
      { rows: rows && heldCondition(rows, holder), nested: heldRelationRules(nested, holder) },
    ]),
  );
}

/** The same for a default value. */
export function heldDefault(value: DefaultValue, holder: Holder): DefaultValue {
  if ("variable" in value) return { variable: heldParam(value.variable, holder) };
  return "operand" in value ? { operand: heldOperand(value.operand, holder) } : value;
}

const none: Planned = { kind: "any", items: [] };

/** Those of the rows behind a step to `target` that its holder sees. */
function seen(rows: Planned | null, target: Collection, { tenants }: Holder): Planned | null {
  if (!tenants) return rows;
  const theirs = tenants.rowsOf(target, "read");
  return allOf([rows, theirs === "denied" ? none : theirs]);
}

function heldHops(hops: readonly Hop[], holder: Holder): readonly Hop[] {
  return hops.map((hop) => ({ ...hop, rows: seen(hop.rows, hop.target, holder) }));
}

function heldOperand(operand: Operand, holder: Holder): Operand {
  switch (operand.kind) {
    case "param":
      return { ...operand, param: heldParam(operand.param, holder) };
    case "actor":
      return heldActor(operand, holder);
    case "column":
      return { ...operand, hops: heldHops(operand.hops, holder) };
    case "array":
      return { ...operand, items: operand.items.map((item) => heldOperand(item, holder)) };
    case "json": {
      const inserts = operand.inserts.map(({ path, value }) => ({ path, value: heldActor(value, holder) }));
      return { ...operand, param: heldParam(operand.param, holder), inserts };
    }
    case "wrapped":
      return { ...operand, value: heldOperand(operand.value, holder) };
  }
}

function heldActor(operand: ActorOperand, holder: Holder): ActorOperand {
  return { ...operand, key: heldParam(operand.key, holder), hops: heldHops(operand.hops, holder) };
}

function heldParam(param: Param, holder: Holder): Param {
  if (param.kind === "currentRole" && holder.role !== null) return { kind: "value", text: holder.role };
  if (param.kind !== "json") return param;
  const parts = param.parts.map((part) => (typeof part === "string" ? part : heldParam(part, holder)));
  return { kind: "json", parts };
}
