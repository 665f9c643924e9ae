/**
 * The places of items in an order (`sortEnabled`). New items get theirs from a sequence that is kept above all places that
 * were given, so that no two get the same, and nobody waits for another one's commit. Moves take turns by a lock.
 */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import type { SqlFunction } from "./functions";
import type { Collection, Field, Schema } from "./model";

const plain = (text: string, ...params: readonly string[]): Statement => ({ text, params });

// Advisory locks of two numbers are a space of their own; the second one is the number of the table.
const movesLock = 1_936_683_636;
const placesLock = 1_936_683_637;
/** Where the last item has it, new ones get the same: equal places follow the keys. */
const highestPlace = 2_147_483_647;

/**
 * The functions that statements call. `baasix_take_places` takes so many places behind `top` and all that were taken before,
 * and gives the one before the first. It holds its lock for a moment only: a sequence changes for everybody at once, and
 * is never undone. Where the sequence has run out, it starts again behind `top`.
 */
export const placeFunctions: readonly SqlFunction[] = [
  {
    name: "baasix_hold_places",
    takes: "collection regclass",
    head: "returns integer language plpgsql",
    body: ` begin perform pg_advisory_xact_lock(${movesLock}, collection::oid::integer); return 0; end `,
  },
  {
    name: "baasix_take_places",
    takes: "collection regclass, field text, wanted bigint, top bigint",
    head: "returns bigint language plpgsql",
    body:
      ` declare places regclass := pg_get_serial_sequence(collection::text, field); ` +
      `last bigint; begin perform pg_advisory_lock(${placesLock}, collection::oid::integer); ` +
      `last := greatest(pg_sequence_last_value(places), top, 0); ` +
      `if last + wanted > ${highestPlace} then last := greatest(top, 0); end if; ` +
      `perform setval(places, last + wanted); ` +
      `perform pg_advisory_unlock(${placesLock}, collection::oid::integer); return last; ` +
      // Such a lock would outlive the statement.
      `exception when query_canceled or others then ` +
      `perform pg_advisory_unlock(${placesLock}, collection::oid::integer); raise; end `,
  },
];

/** Those of `[collection, field]` that give places and have no sequence yet; null when the schema has no such field. */
export function lackingPlaces(schema: Schema): Statement | null {
  const wanted = [...schema.collections.values()].flatMap(({ name, fields }) =>
    [...fields.values()].filter(givesPlaces).map((field) => ({ t: name, f: field.name })),
  );
  if (wanted.length === 0) return null;
  return plain(
    "select t, f from json_to_recordset($1::text::json) as r(t text, f text) " +
      "where pg_get_serial_sequence(quote_ident(t), f) is null",
    JSON.stringify(wanted),
  );
}

/** Goes with its column, whatever that and its table are called. `name`: one that nothing has. */
export function createSequence(name: string, table: string, column: string): Statement {
  return plain(
    `create sequence ${quoteName(name)} minvalue 0 owned by ${quoteName(table)}.${quoteName(column)}`,
  );
}

/** True for a field whose default is the next place. */
export function givesPlaces(field: Field): boolean {
  return field.default?.kind === "next";
}

/** Keeps all others from moving items of the collection, to the end of the transaction. To run before they are read. */
export function holdPlaces({ name }: Pick<Collection, "name">): Statement {
  return plain(`select baasix_hold_places(${tableOf(name)})`);
}

/** Takes places: one row of the place before the first of `count`. */
export function takePlaces(field: Field, { name }: Pick<Collection, "name">, count: number): Statement {
  return plain(`select ${takeSql(field, name, "$1::bigint", "null")}`, String(count));
}

/**
 * The places of the rows of an INSERT, in its select list. `rows`: the FROM item with the new rows; `single`: there is one.
 * `given`: their column with places that they bring along and keep, where they do; `isGiven`: whether a row does, null
 * where all do.
 */
export function placeSql(
  field: Field,
  { name }: Pick<Collection, "name">,
  { rows, single }: { readonly rows: string; readonly single: boolean },
  brought: { readonly given: string; readonly isGiven: string | null } | null,
): string {
  // Sub-selects that name nothing of the row are worked out once a statement.
  if (brought === null) {
    const count = single ? "1" : `(select count(*) from ${rows})`;
    const last = `(select ${takeSql(field, name, count, "null")})`;
    return `least(${last} + row_number() over (), ${highestPlace})::integer`;
  }
  const { given, isGiven } = brought;
  const most = `(select max(${given}) from ${rows})`;
  if (isGiven === null)
    return `case when (select ${takeSql(field, name, "0", most)}) is not null then ${given} end`;
  const lacking = `count(*) filter (where ${isGiven} is not true)`;
  const last = `(select ${takeSql(field, name, `(select ${lacking} from ${rows})`, most)})`;
  return `case when ${isGiven} then ${given} else least(${last} + ${lacking} over (rows unbounded preceding), ${highestPlace})::integer end`;
}

/** Fills the rows without a place in the order of their keys; nobody else writes meanwhile. */
export function fillPlacesSql(field: Field, { name, primaryKey }: Collection): string {
  const [table, key, column] = [name, primaryKey.name, field.name].map(quoteName);
  const last = `coalesce((select max(${column}) from ${table}), 0)`;
  return (
    `update ${table} t set ${column} = n.place from (select ${key}, ` +
    `least(${last} + row_number() over (order by ${key}), ${highestPlace})::integer as place from ${table} ` +
    `where ${column} is null) n where t.${key} = n.${key}`
  );
}

function takeSql(field: Field, name: string, wanted: string, given: string): string {
  // The highest one also tells of places that nobody took: those of updates, and of hands in the database.
  const top = `greatest((select max(${quoteName(field.name)}) from ${quoteName(name)}), ${given})`;
  return `baasix_take_places(${tableOf(name)}, ${quoteLiteral(field.name)}, ${wanted}, ${top})`;
}

function tableOf(name: string): string {
  return `${quoteLiteral(quoteName(name))}::regclass`;
}
