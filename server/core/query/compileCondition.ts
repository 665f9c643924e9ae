/** Conditions and columns as SQL, and the parameters that they bind. */
import { castType } from "../schema/fields";
import type { Collection, Field, Relation } from "../schema/model";
import { arrayText } from "../schema/values";
import type {
  ActorOperand,
  Cast,
  ColumnOperand,
  Comparison,
  Hop,
  Operand,
  Planned,
  Related,
} from "./planned";
import { quoteLiteral, quoteName } from "./statement";
import { mayLackValue, type Param } from "./variables";

/** Collects parameters while text is made. The same parameter is bound once, however often it is named. */
export type Parameters = {
  readonly list: Param[];
  /** Collections that conditions read, by name. */
  readonly collections: Set<string>;
  readonly alias: () => string;
  /** An alias for rows that are reached from those of another: conditions may look up to them. */
  readonly below: (holder: string) => string;
  readonly holderOf: (alias: string) => string;
  readonly place: (param: Param) => string;
};

/** `spell` writes the n-th place; by default `$1`, `$2`, … */
export function collectParameters(
  spell = (index: number, _param: Param): string => `$${index + 1}`,
): Parameters {
  const list: Param[] = [];
  const places = new Map<Param, string>();
  const holders = new Map<string, string>();
  let aliases = 0;
  const alias = (): string => `t${aliases++}`;
  return {
    list,
    collections: new Set(),
    alias,
    below: (holder) => {
      const name = alias();
      holders.set(name, holder);
      return name;
    },
    holderOf: (name) => {
      const holder = holders.get(name);
      if (holder === undefined) throw new Error(`${name} is reached from nowhere`);
      return holder;
    },
    place: (param) => {
      let place = places.get(param);
      if (place === undefined) {
        place = spell(list.length, param);
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
  return conditionSql(planned, [alias], parameters);
}

/** `aliases`: the rows from the one that the condition is about to the one that this part is about. */
function conditionSql(planned: Planned, aliases: readonly string[], parameters: Parameters): string {
  switch (planned.kind) {
    case "all":
    case "any": {
      const parts = planned.items.map((item) => conditionSql(item, aliases, parameters));
      if (parts.length === 0) return planned.kind === "all" ? "true" : "false";
      return `(${parts.join(planned.kind === "all" ? " and " : " or ")})`;
    }
    case "not":
      return `not (${conditionSql(planned.item, aliases, parameters)})`;
    case "above":
      return compileCondition(planned.item, parameters.holderOf(aliases.at(-1) ?? ""), parameters);
    case "compare":
      return comparisonSql(planned, aliases, parameters);
    case "related":
      return relatedSql(planned, aliases, parameters);
  }
}

function comparisonSql(planned: Comparison, aliases: readonly string[], parameters: Parameters): string {
  const { hops, field, cast, guard, operator, operands, choice } = planned;
  const value = (alias: string): string => compared(field, cast, column(field, guard, alias, parameters));
  const holder = aliases.at(-1) ?? "";
  if (hops.length > 0 && (operator.name === "isNull" || operator.name === "isNotNull")) {
    // Asked as a question for the row, which PostgreSQL can turn into a join.
    const present = existsBehind(hops, holder, (alias) => `(${value(alias)} is not null)`, parameters);
    return operator.name === "isNull" ? `not (${present})` : present;
  }
  const left = behind(hops, holder, value, parameters);
  const right = operands.map((operand) => operandSql(operand, aliases, parameters));
  const sql = `(${operator.sql(left, right, choice)})`;
  return operator.lenient ? known(operands, sql, parameters) : sql;
}

/** A column as it is compared. Arrays know operators for equal types alone, and operands are cast without a length. */
function compared(field: Field, cast: Cast | null, sql: string): string {
  if (cast !== null) return cast.sql(sql);
  return field.type === "Array" && field.length !== null ? `${sql}::${castType(field)}` : sql;
}

function relatedSql(planned: Related, aliases: readonly string[], parameters: Parameters): string {
  const { relation, target, rows, item, negated } = planned;
  const holder = aliases.at(-1) ?? "";
  const alias = parameters.below(holder);
  const conditions = related(relation, target, rows, holder, alias, parameters);
  const condition = conditionSql(item, [...aliases, alias], parameters);
  const where = [...conditions, condition].join(" and ");
  const exists = `exists (select 1 from ${quoteName(target.name)} ${alias} where ${where})`;
  return negated ? known(operandsIn(item), exists, parameters) : exists;
}

/** What must hold for a row of `alias` to be one that the relation leads to. */
function related(
  relation: Relation,
  target: Collection,
  rows: Planned | null,
  holder: string,
  alias: string,
  parameters: Parameters,
): string[] {
  parameters.collections.add(target.name);
  const conditions = [joinKeys(relation, holder, alias), ...visible(target, false, alias)];
  if (rows) conditions.push(compileCondition(rows, alias, parameters));
  return conditions;
}

/** The condition, or unknown while a variable among the operands has no value: what cannot be decided is refused. */
function known(operands: readonly Operand[], sql: string, parameters: Parameters): string {
  const tests = new Set(operands.flatMap((operand) => valuesOf(operand, parameters)));
  if (tests.size === 0) return sql;
  return `(case when ${[...tests].map((value) => `${value} is not null`).join(" and ")} then ${sql} end)`;
}

/** SQL of every value that an actor may lack. */
function valuesOf(operand: Operand, parameters: Parameters): readonly string[] {
  switch (operand.kind) {
    case "param":
      return mayLackValue(operand.param) ? [`${parameters.place(operand.param)}::text`] : [];
    case "actor":
      return [actorSql(operand, parameters)];
    case "array":
      return operand.items.flatMap((item) => valuesOf(item, parameters));
    case "json":
      return [
        ...(mayLackValue(operand.param) ? [`${parameters.place(operand.param)}::text`] : []),
        ...operand.inserts.map(({ value }) => actorSql(value, parameters)),
      ];
    case "wrapped":
      return valuesOf(operand.value, parameters);
    case "column":
      return [];
  }
}

function operandsIn(planned: Planned): readonly Operand[] {
  if (planned.kind === "compare") return planned.operands;
  return "items" in planned ? planned.items.flatMap(operandsIn) : operandsIn(planned.item);
}

/** An operand that names no column of a row. */
export function compileOperand(operand: Operand, parameters: Parameters): string {
  return operandSql(operand, [], parameters);
}

function operandSql(operand: Operand, aliases: readonly string[], parameters: Parameters): string {
  switch (operand.kind) {
    case "param":
      return `${parameters.place(operand.param)}::${operand.cast}`;
    case "column":
      return columnSql(operand, aliases, parameters);
    case "actor":
      return actorSql(operand, parameters);
    case "array":
      return arraySql(operand, aliases, parameters);
    case "json":
      return operand.inserts.reduce(
        (document, { path, value }) => {
          const place = parameters.place({ kind: "value", text: arrayText(path) });
          return `jsonb_set(${document}, ${place}::text[], to_jsonb(${actorSql(value, parameters)}))`;
        },
        `${parameters.place(operand.param)}::text::jsonb`,
      );
    case "wrapped":
      return operand.sql(operandSql(operand.value, aliases, parameters));
  }
}

/** `$COL`: a column of one of the rows, or behind to-one relations of it. */
function columnSql(operand: ColumnOperand, aliases: readonly string[], parameters: Parameters): string {
  const { scope, hops, field, guard, cast } = operand;
  const value = (alias: string): string => compared(field, cast, column(field, guard, alias, parameters));
  return behind(hops, aliases[scope] ?? "", value, parameters);
}

/** A scalar sub-select: a value of the row behind to-one relations. */
function behind(
  hops: readonly Hop[],
  holder: string,
  value: (alias: string) => string,
  parameters: Parameters,
): string {
  const [hop, ...rest] = hops;
  if (!hop) return value(holder);
  const alias = parameters.below(holder);
  const conditions = related(hop.relation, hop.target, hop.rows, holder, alias, parameters);
  const inner = behind(rest, alias, value, parameters);
  return `(select ${inner} from ${quoteName(hop.target.name)} ${alias} where ${conditions.join(" and ")} limit 1)`;
}

/** True when there is a row behind to-one relations of which the condition is true. */
function existsBehind(
  hops: readonly Hop[],
  holder: string,
  condition: (alias: string) => string,
  parameters: Parameters,
): string {
  const [hop, ...rest] = hops;
  if (!hop) return condition(holder);
  const alias = parameters.below(holder);
  const conditions = related(hop.relation, hop.target, hop.rows, holder, alias, parameters);
  const where = [...conditions, existsBehind(rest, alias, condition, parameters)].join(" and ");
  return `exists (select 1 from ${quoteName(hop.target.name)} ${alias} where ${where})`;
}

/**
 * A path from the actor's own row: one value, or the array of all that stand at its end. Without that row it is null, also
 * where an array could be empty.
 */
function actorSql(operand: ActorOperand, parameters: Parameters): string {
  const { key, source, rows, hops, field, guard, list, cast } = operand;
  parameters.collections.add(source.name);
  const alias = parameters.alias();
  const id = `${alias}.${quoteName(source.primaryKey.name)}`;
  const own = [
    `${id} = ${parameters.place(key)}::${castType(source.primaryKey)}`,
    ...visible(source, false, alias),
  ];
  if (rows) own.push(compileCondition(rows, alias, parameters));
  const value = (holder: string): string => `${column(field, guard, holder, parameters)}::${cast}`;
  const found = list ? listBehind(hops, alias, value, parameters) : behind(hops, alias, value, parameters);
  const select = `(select ${found} from ${quoteName(source.name)} ${alias} where ${own.join(" and ")} limit 1)`;
  // With a cast: any() and all() would take a bare sub-select for rows.
  return list ? `${select}::${cast}[]` : select;
}

/** The array of the values behind relations, lists among them. */
function listBehind(
  hops: readonly Hop[],
  holder: string,
  value: (alias: string) => string,
  parameters: Parameters,
): string {
  const from: string[] = [];
  const conditions: string[] = [];
  let last = holder;
  for (const hop of hops) {
    const next = parameters.below(last);
    from.push(`${quoteName(hop.target.name)} ${next}`);
    conditions.push(...related(hop.relation, hop.target, hop.rows, last, next, parameters));
    last = next;
  }
  const values = `select ${value(last)} from ${from.join(", ")} where ${conditions.join(" and ")}`;
  return `array(select v from (${values}) as r(v) where v is not null)`;
}

/** An array with variables in it; a list that is missing would vanish when it is appended, so all are looked for first. */
function arraySql(
  operand: Operand & { readonly kind: "array" },
  aliases: readonly string[],
  parameters: Parameters,
): string {
  const single = operand.items.filter((item) => item.kind !== "actor" || !item.list);
  const lists = operand.items.filter((item) => item.kind === "actor" && item.list);
  const parts = lists.map((item) => operandSql(item, aliases, parameters));
  if (single.length > 0 || parts.length === 0) {
    parts.unshift(
      `array[${single.map((item) => operandSql(item, aliases, parameters)).join(", ")}]::${operand.cast}[]`,
    );
  }
  const all = parts.length === 1 ? (parts[0] ?? "") : `(${parts.join(" || ")})`;
  return parts.length === 1 ? all : known(lists, all, parameters);
}
