/** Indexes of type `bloom`: for equality in tables that only grow, at next to no cost for writes. */
import { castType } from "./fields";
import type { Field } from "./model";

/** By what values are cast to: the operator classes of PostgreSQL for its BRIN indexes of bloom filters (since 14). */
const classes: ReadonlyMap<string, string> = new Map([
  ["text", "text_bloom_ops"],
  ["uuid", "uuid_bloom_ops"],
  ["integer", "int4_bloom_ops"],
  ["bigint", "int8_bloom_ops"],
  ["numeric", "numeric_bloom_ops"],
  ["date", "date_bloom_ops"],
  ["timestamptz", "timestamptz_bloom_ops"],
  ["timestamp", "timestamp_bloom_ops"],
]);

/** The operator class of a column; null for types that have none. */
export function bloomClass(field: Field): string | null {
  return classes.get(castType(field)) ?? null;
}
