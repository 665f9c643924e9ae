/** Conditions and columns as SQL, and the parameters that they bind. */
import { castType } from "../schema/fields";
import type { Collection, Field, Relation } from "../schema/model";
import type { Planned } from "./plan";
import { quoteLiteral, quoteName } from "./statement";
import type { Param } from "./variables";

/** Collects parameters while text is made. The same parameter is bound once, however often it is named. */
export type Parameters = {
  readonly list: Param[];
  /** Collections that conditions read, by name. */
  readonly collections: Set<string>;
  readonly alias: () => string;
  readonly place: (param: Param) => string;
};

/** `spell` writes the n-th place; by default `$1`, `$2`, … */
export function collectParameters(spell = (index: number): string => `$${index + 1}`): Parameters {
  const list: Param[] = [];
  const places = new Map<Param, string>();
  let aliases = 0;
  return {
    list,
    collections: new Set(),
    alias: () => `t${aliases++}`,
    place: (param) => {
      let place = places.get(param);
      if (place === undefined) {
        place = spell(list.length);
        list.push(param);
        places.set(param, place);
      }
      return place;
    },
  };
}

/** Soft-deleted rows do not exist, unless asked for. */
export function visible(collection: Collection, withDeleted: boolean, alias: string): string[] {
  return collection.paranoid && !withDeleted ? [`${alias}."deletedAt" is null`] : [];
}

/** Two rows, named by their aliases, belong together. */
export function joinKeys(relation: Relation, source: string, target: string): string {
  const { sourceColumn, targetColumn, scope, keyOn } = relation;
  const keys = `${target}.${quoteName(targetColumn)} = ${source}.${quoteName(sourceColumn)}`;
  if (scope === null) return keys;
  const holder = keyOn === "source" ? source : target;
  return `${keys} and ${holder}.${quoteName(scope.column)} = ${quoteLiteral(scope.value)}`;
}

/** A column, or null where its guard does not hold. */
export function column(field: Field, guard: Planned | null, alias: string, parameters: Parameters): string {
  const name = `${alias}.${quoteName(field.name)}`;
  return guard === null ? name : `(case when ${compileCondition(guard, alias, parameters)} then ${name} end)`;
}

/** A condition as SQL about the row of `alias`. The row may be a table's, or any row value of its shape. */
export function compileCondition(planned: Planned, alias: string, parameters: Parameters): string {
  switch (planned.kind) {
    case "all":
    case "any": {
      const parts = planned.items.map((item) => compileCondition(item, alias, parameters));
      if (parts.length === 0) return planned.kind === "all" ? "true" : "false";
      return `(${parts.join(planned.kind === "all" ? " and " : " or ")})`;
    }
    case "not":
      return `not (${compileCondition(planned.item, alias, parameters)})`;
    case "compare": {
      const { field, operator } = planned;
      const cast = operator.operand === "pattern" ? "text" : castType(field);
      const suffix = operator.operand === "list" ? "[]" : "";
      const operands = planned.operands.map((param) => `${parameters.place(param)}::${cast}${suffix}`);
      return `(${operator.sql({ column: column(field, planned.guard, alias, parameters), operands })})`;
    }
    case "related": {
      const target = parameters.alias();
      parameters.collections.add(planned.target.name);
      const { relation } = planned;
      const conditions = [joinKeys(relation, alias, target), ...visible(planned.target, false, target)];
      if (planned.rows) conditions.push(compileCondition(planned.rows, target, parameters));
      conditions.push(compileCondition(planned.item, target, parameters));
      return `exists (select 1 from ${quoteName(planned.target.name)} ${target} where ${conditions.join(" and ")})`;
    }
  }
}
