/**
 * One statement for the writes of several requests, each of one row: what differs between them (values, who writes, from where)
 * comes as a list for each parameter, and the statement reads it from the rows `r` that those lists make. They stand where the
 * rows of `goesByValue` do, and have no `p0`, … that would say which values are there: all are.
 */
import { castType } from "../schema/fields";
import { arrayText } from "../schema/values";
import { insertDefaultSql, isInsertDefault } from "../schema/columnSql";
import type { Collection, Field } from "../schema/model";
import { givesPlaces } from "../schema/places";
import { collectParameters, type Parameters } from "./compileCondition";
import { quoteName, type Statement } from "./statement";
import { bindParam, type Binding, type CompiledStatement, type Param } from "./variables";
import { columnInput, marked, rowsInput } from "./writeStatement";

/** Most requests that one statement writes for. */
export const mostShared = 32;

/** How long such a statement waits for each lock, ms: then the requests go on alone, so that only that one waits whose row it is. */
const lockPatience = 50;

/**
 * The parameters of one such statement, and its rows `r`: their number `n`, from 1, the key `k`, the columns `c0`, `c1`, … and the
 * parameters. Each text is asked for when all parameters that it needs are known.
 */
export type SharedRows = {
  readonly parameters: Parameters;
  /** The part of the statement that makes them. */
  readonly part: () => string;
  /** What an UPDATE returns of them with each row. */
  readonly returned: () => string;
  /** The rows `w` that the statement wrote, each with its `r`, as a FROM item; a new row may have none (`requestKnown`). */
  readonly written: () => string;
};

/** The rows of a statement that sets these columns. New ones that are given no key get theirs here. */
export function collectSharedRows(
  action: "create" | "update",
  columns: readonly Field[],
  collection: Collection,
): SharedRows {
  const { primaryKey: key } = collection;
  const parameters = collectParameters((index, param) => (isCommon(param) ? `$${index + 1}` : `r.p${index}`));
  const given = columns.map((field, index) => `${parameters.place(columnInput(index))}::${castType(field)}`);
  const ownKey =
    action === "update"
      ? `${parameters.place(rowsInput)}::${castType(key)}`
      : (given[columns.indexOf(key)] ?? insertDefaultSql(key, collection));
  const values = [`${ownKey} as k`, ...given.map((value, index) => `${value} as c${index}`)];
  const used = parameters.list.length;
  const varying = (from = 0): readonly number[] =>
    parameters.list.flatMap((param, index) => (index < from || isCommon(param) ? [] : [index]));
  const names = (from?: number): readonly string[] => [...varying(from).map((index) => `p${index}`), "n"];
  const later = () => names(used);
  // A range that holds all numbers: for rows that it takes for few, PostgreSQL looks up by key what belongs to each, as it does
  // for one. It would else read tables whole as long as they are small, and go on so when they have grown.
  const few = `r.n between 1 and ${mostShared}`;
  return {
    parameters,
    part: () =>
      `"#r" as materialized (select ${values.join(", ")}, r.* ` +
      // Behind a sub-select PostgreSQL does not see how long a list is: it would plan the statement anew for each length.
      `from unnest(${varying()
        .map((index) => `(select $${index + 1}::text[])`)
        .join(", ")}) with ordinality as r(${names().join(", ")}) ` +
      `where (select set_config('lock_timeout', '${lockPatience}', true)) is not null and ${few}), `,
    returned: () =>
      later()
        .map((name) => `, r.${name} as ${marked(name)}`)
        .join(""),
    written: () =>
      action === "create"
        ? `"#w" w left join "#r" r on r.k = w.${quoteName(key.name)}`
        : `"#w" w, lateral (select ${later()
            .map((name) => `w.${marked(name)} as ${name}`)
            .join(", ")}) r`,
  };
}

/** True for a collection of which new rows that set these columns can be written so: the statement has to know each by its key. */
export function canShareCreates({ primaryKey, fields }: Collection, columns: readonly Field[]): boolean {
  const isKnown =
    columns.includes(primaryKey) || (primaryKey.default !== null && !isInsertDefault(primaryKey));
  return isKnown && ![...fields.values()].some(givesPlaces);
}

/** The same for all requests, whoever makes them. */
function isCommon({ kind }: Param): boolean {
  return kind === "value";
}

/** Fills in what each of the requests has to say. */
export function bindShared({ text, params }: CompiledStatement, bindings: readonly Binding[]): Statement {
  const [first] = bindings;
  if (!first) throw new Error("a statement for nobody");
  return {
    text,
    params: params.map((param) =>
      isCommon(param)
        ? bindParam(param, first)
        : arrayText(bindings.map((binding) => bindParam(param, binding))),
    ),
  };
}
