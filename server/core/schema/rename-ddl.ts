/** The statements of a rename, in an order in which they can run. */
import { quoteLiteral, quoteName } from "../query/statement";
import { dropConstraint, type Step, valuesSql } from "./ddl";
import { allowedValues } from "./describe-field";
import type { Change } from "./diff";
import type { Collection } from "./model";
import { nameOf } from "./names";
import { type Move, movesOf, type NamedRows, type RenamedSchema } from "./rename";

/** The rename as one of the changes that are told. @throws Error when the collection is gone after its rename */
export function renameChange({ rename, names, schema }: RenamedSchema): Change {
  const collection = collectionOf(schema.collections, names.collection(rename.collection));
  const { field, to } = rename;
  return field === null
    ? { kind: "renameCollection", collection, was: rename.collection, now: to }
    : { kind: "renameField", collection, was: field, now: to };
}

/** What calls tables, columns and what is named after them anew, then rewrites the values that name the collection. */
export function compileRename(renamed: RenamedSchema): readonly Step[] {
  const change = renameChange(renamed);
  const texts = [...movesOf(renamed).map(moveSql), ...renamed.rows.flatMap((rows) => rewrite(rows, renamed))];
  return texts.map((text) => ({ change, statement: { text, params: [] } }));
}

/** The tables, by their names before, that a rename needs for itself. */
export function tablesOf(renamed: RenamedSchema): readonly string[] {
  const { names, before } = renamed;
  const moved = new Set([
    ...movesOf(renamed).map(({ table }) => table),
    ...renamed.rows.map(({ collection }) => names.collection(collection)),
  ]);
  return [...before.collections.keys()].filter((name) => moved.has(names.collection(name)));
}

function moveSql({ what, table, from, to }: Move): string {
  const [old, now] = [quoteName(from), quoteName(to)];
  switch (what) {
    case "table":
      return `alter table ${old} rename to ${now}`;
    case "column":
    case "constraint":
      return `alter table ${quoteName(table)} rename ${what} ${old} to ${now}`;
    case "index":
    case "sequence":
      return `alter ${what} ${old} rename to ${now}`;
  }
}

function rewrite(rows: NamedRows, { rename, names, schema }: RenamedSchema): readonly string[] {
  const holder = collectionOf(schema.collections, names.collection(rows.collection));
  const field = holder.fields.get(names.field(rows.collection, rows.column));
  if (!field) return [];
  const [table, column] = [quoteName(holder.name), quoteName(field.name)];
  const [from, to] = [quoteLiteral(rename.collection), quoteLiteral(rename.to)];
  const update = `update ${table} set ${column} = ${to} where ${column} = ${from}`;
  if (!allowedValues(field)) return [update];
  return [
    dropConstraint(table, nameOf.check(holder.name, field.name)),
    update,
    `alter table ${table} add ${valuesSql(holder, field)}`,
  ];
}

function collectionOf(collections: ReadonlyMap<string, Collection>, name: string): Collection {
  const collection = collections.get(name);
  if (!collection) throw new Error(`the collection '${name}' is gone`);
  return collection;
}
