/** Fields that number items by themselves (AUTOINCREMENT), whose sequence does not know of numbers that somebody gave. */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import type { Collection, Field } from "./model";
import { nameOf } from "./names";

/** Numbers above are left aside: who gives one of the last that there are would leave none to anybody else. */
const highest: Readonly<Record<string, string>> = { Integer: "1073741823", BigInt: "4611686018427387903" };
/** Fewer are drawn one by one, which cannot take back what others draw at that moment. */
const drawn = 1000;

export function isCounted({ default: made }: Field): boolean {
  return made?.kind === "autoincrement";
}

// Of the space of `places.ts`.
const countersLock = 1_936_683_638;

/** Lets a field go on behind the numbers that there are; it never goes back: of two who do it at once, one waits. */
export function countOn({ name }: Collection, field: Field): Statement {
  const sequence = `${quoteLiteral(quoteName(nameOf.sequence(name, field.name)))}::regclass`;
  const column = quoteName(field.name);
  return {
    text:
      `with given as materialized (select max(${column})::bigint as most from ${quoteName(name)} ` +
      `where ${column} <= ${highest[field.type] ?? highest.Integer}), ` +
      `turn as materialized (select pg_advisory_xact_lock(${countersLock}, ${sequence}::oid::integer)), ` +
      `ahead as (select most, most - coalesce(pg_sequence_last_value(${sequence}), 0) as n from given, turn) ` +
      `select case when n <= ${drawn} then (select max(nextval(${sequence})) from generate_series(1, n)) ` +
      `else setval(${sequence}, most) end from ahead where n > 0`,
    params: [],
  };
}
