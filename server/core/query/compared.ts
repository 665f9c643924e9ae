/** The columns that a condition reads, on whatever rows. */
import type { Field } from "../schema/model";
import type { Operand, Planned } from "./planned";

/** Every column, with its place in what was written. */
export function comparedFields(planned: Planned): readonly { readonly field: Field; readonly at: string }[] {
  switch (planned.kind) {
    case "all":
    case "any":
      return planned.items.flatMap(comparedFields);
    case "not":
    case "above":
    case "related":
      return comparedFields(planned.item);
    case "compare":
      return [planned, ...planned.operands.flatMap(columnsOf)];
  }
}

function columnsOf(operand: Operand): readonly { readonly field: Field; readonly at: string }[] {
  switch (operand.kind) {
    case "param":
      return [];
    case "column":
    case "actor":
      return [operand];
    case "array":
      return operand.items.flatMap(columnsOf);
    case "json":
      return operand.inserts.map(({ value }) => value);
    case "wrapped":
      return columnsOf(operand.value);
  }
}
