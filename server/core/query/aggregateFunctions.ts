/** The aggregate functions: one entry holds everything about one. */
import { bareShape, castType, type FieldShape, jsonExpression, supports } from "../schema/fields";

/** What a function gives for a field (null: for `*`). */
export type AggregateResult = {
  /** The type that `having` compares it as; null: it cannot be compared or sorted by. */
  readonly compared: FieldShape | null;
  /** It in a JSON answer. `exact`: numbers of unbounded length as text. */
  readonly json: (sql: string, exact: boolean) => string;
};

export type AggregateFunction = {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  /** `*`, which means the rows themselves, may stand for the field. */
  readonly rows: boolean;
  /** Whether it works on a field; `needs` says on what it does. */
  readonly accepts: (field: FieldShape) => boolean;
  readonly needs: string;
  /** What it is where there is nothing to work with. */
  readonly empty: "0" | "null";
  readonly sql: (value: string, field: FieldShape | null) => string;
  readonly result: (field: FieldShape | null) => AggregateResult;
};

/** Most elements of a list that `array_agg` gathers: what one answer may hold, and one more to see that there are more. */
export const gathered = 10_001;

const numbers: ReadonlySet<string> = new Set(["integer", "bigint", "numeric", "double precision", "real"]);
const isNumber = (field: FieldShape): boolean => numbers.has(castType(field));
const isFloat = (field: FieldShape): boolean => ["double precision", "real"].includes(castType(field));
/** Its values are text on the wire, so that every digit arrives. */
const isWide = (field: FieldShape): boolean => jsonExpression("x", field) !== "x";
const asIs = (sql: string): string => sql;

/** True for a field of which two values are equal or not: it can be grouped by. */
export function isComparable(field: FieldShape): boolean {
  return (["equality", "list", "json", "range"] as const).some((one) => supports(field, one));
}

const counted = (): AggregateResult => ({ compared: bareShape("Decimal"), json: asIs });
const computed = (field: FieldShape | null): AggregateResult => ({
  compared: bareShape(field && isFloat(field) ? "Double" : "Decimal"),
  json: (sql, exact) => (exact && field && isWide(field) ? `${sql}::text` : sql),
});
const chosen = (field: FieldShape | null): AggregateResult => ({
  compared: field,
  json: (sql) => (field ? jsonExpression(sql, field) : sql),
});

/** The least or greatest value; some types have an order but no such function. */
const extreme =
  (name: "min" | "max") =>
  (value: string, field: FieldShape | null): string => {
    if (field?.type === "Boolean") return `${name === "min" ? "bool_and" : "bool_or"}(${value})`;
    if (field?.type === "UUID") return `${name}(${value}::text collate "C")::uuid`;
    return `${name}(${value})`;
  };
const hasOrder = (field: FieldShape): boolean =>
  (supports(field, "order") && !supports(field, "range")) || field.type === "Boolean";

const entries: readonly AggregateFunction[] = [
  {
    name: "count",
    aliases: [],
    description: "how many rows (*), or how many of them have a value",
    rows: true,
    accepts: () => true,
    needs: "any field",
    empty: "0",
    sql: (value) => `count(${value})`,
    result: counted,
  },
  {
    name: "distinct",
    aliases: ["countDistinct", "count_distinct"],
    description: "how many different values",
    rows: false,
    accepts: isComparable,
    needs: "a field whose values can be compared",
    empty: "0",
    sql: (value) => `count(distinct ${value})`,
    result: counted,
  },
  {
    name: "sum",
    aliases: [],
    description: "the sum of the values",
    rows: false,
    accepts: isNumber,
    needs: "a number",
    empty: "null",
    // A sum of reals would lose the digits that each of them still has.
    sql: (value, field) => `sum(${value}${field && isFloat(field) ? "::double precision" : ""})`,
    result: computed,
  },
  {
    name: "avg",
    aliases: ["average"],
    description: "the mean of the values",
    rows: false,
    accepts: isNumber,
    needs: "a number",
    empty: "null",
    sql: (value, field) =>
      field && isFloat(field) ? `avg(${value}::double precision)` : `trim_scale(avg(${value}))`,
    result: computed,
  },
  {
    name: "min",
    aliases: [],
    description: "the least value",
    rows: false,
    accepts: hasOrder,
    needs: "a field whose values have an order",
    empty: "null",
    sql: extreme("min"),
    result: chosen,
  },
  {
    name: "max",
    aliases: [],
    description: "the greatest value",
    rows: false,
    accepts: hasOrder,
    needs: "a field whose values have an order",
    empty: "null",
    sql: extreme("max"),
    result: chosen,
  },
  {
    name: "array_agg",
    aliases: ["arrayAgg"],
    description: "all values as a list, in the order of the primary key",
    rows: false,
    accepts: () => true,
    needs: "any field",
    empty: "null",
    // `n` numbers the rows of a group.
    sql: (value, field) =>
      `array_agg(to_json(${field ? jsonExpression(value, field) : value}) order by n) filter (where n <= ${gathered})`,
    result: () => ({ compared: null, json: asIs }),
  },
];

/** The functions by name and alias, in lower case. A Map: no prototype to be reached by a client's name. */
export const aggregateFunctions: ReadonlyMap<string, AggregateFunction> = new Map(
  entries.flatMap((entry) =>
    [entry.name, ...entry.aliases].map((name) => [name.toLowerCase(), entry] as const),
  ),
);
