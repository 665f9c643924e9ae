/**
 * The places of items in an order (`sortEnabled`): who gives them takes a lock of the collection first, which lasts to the
 * end of its transaction, and looks at them after that. So no two are given the same.
 */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import type { Collection, Field } from "./model";

const plain = (text: string): Statement => ({ text, params: [] });

// "sort" in ASCII, beside the table's number: advisory locks of two numbers are a space of their own.
const lockClass = 1_936_683_636;

/** The functions that statements call. A function of its own sees what was committed while it waited for the lock. */
export const createPlaces: readonly Statement[] = [
  plain(
    `create or replace function baasix_hold_places(collection regclass) returns integer language plpgsql as ` +
      `$$ begin perform pg_advisory_xact_lock(${lockClass}, collection::oid::integer); return 0; end $$`,
  ),
  plain(
    `create or replace function baasix_last_place(collection regclass, field text) returns integer language plpgsql as ` +
      `$$ declare last integer; begin perform pg_advisory_xact_lock(${lockClass}, collection::oid::integer); ` +
      `execute format('select max(%I) from %s', field, collection) into last; return coalesce(last, 0); end $$`,
  ),
];

/** Keeps all others from giving places in the collection, to the end of the transaction. To run before they are read. */
export function holdPlaces({ name }: Pick<Collection, "name">): Statement {
  return plain(`select ${holdSql(name)}`);
}

/** The place of a new row behind all others, in the select list of an INSERT. */
export function nextPlaceSql(field: Field, { name }: Pick<Collection, "name">): string {
  return `(${lastSql(field, name)} + row_number() over ())::integer`;
}

/**
 * The same where rows may bring a place along: they keep it, and the others come behind all of these. `rows`: the FROM item
 * with the new rows; `given` and (unless all bring one) `isGiven`: its columns.
 */
export function givenPlaceSql(
  field: Field,
  { name }: Pick<Collection, "name">,
  {
    rows,
    given,
    isGiven,
  }: { readonly rows: string; readonly given: string; readonly isGiven: string | null },
): string {
  // Zero, once it is nobody else's turn.
  if (isGiven === null) return `${given} + (select ${holdSql(name)})`;
  const last = `greatest(${lastSql(field, name)}, (select max(${given}) from ${rows}))`;
  const turn = `count(*) filter (where ${isGiven} is not true) over (rows unbounded preceding)`;
  return `case when ${isGiven} then ${given} else (${last} + ${turn})::integer end`;
}

/** Fills the rows without a place in the order of their keys. */
export function fillPlacesSql(field: Field, { name, primaryKey }: Collection): string {
  const [table, key, column] = [name, primaryKey.name, field.name].map(quoteName);
  return (
    `update ${table} t set ${column} = n.place from (select ${key}, ` +
    `(${lastSql(field, name)} + row_number() over (order by ${key}))::integer as place from ${table} ` +
    `where ${column} is null) n where t.${key} = n.${key}`
  );
}

// A sub-select that names nothing of the row: worked out once a statement.
function lastSql(field: Field, name: string): string {
  return `(select baasix_last_place(${tableOf(name)}, ${quoteLiteral(field.name)}))`;
}

function holdSql(name: string): string {
  return `baasix_hold_places(${tableOf(name)})`;
}

function tableOf(name: string): string {
  return `${quoteLiteral(quoteName(name))}::regclass`;
}
