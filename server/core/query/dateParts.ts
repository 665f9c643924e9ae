/** The parts of a date or time that groups can be made of: one entry a part. */
import { castType, type FieldShape } from "../schema/fields";

type DateKind = "day" | "time" | "both";

/** `of`: what a value must have for the part to mean something. `whole`: a whole number. */
export type DatePart = { readonly name: string; readonly of: DateKind; readonly whole: boolean };

const part = (of: DateKind, whole: boolean, ...names: string[]): readonly (readonly [string, DatePart])[] =>
  names.map((name) => [name, { name, of, whole }] as const);

/** The parts by name: those that EXTRACT of PostgreSQL knows, without time zones. */
export const dateParts: ReadonlyMap<string, DatePart> = new Map([
  ...part("day", true, "millennium", "century", "decade", "year", "isoyear", "quarter", "month", "week"),
  ...part("day", true, "day", "dow", "isodow", "doy"),
  ...part("time", true, "hour", "minute", "microseconds"),
  ...part("time", false, "second", "milliseconds"),
  ...part("both", false, "epoch"),
]);

const kinds: ReadonlyMap<string, readonly DateKind[]> = new Map([
  ["date", ["day", "both"]],
  ["time", ["time", "both"]],
  ["timetz", ["time", "both"]],
  ["timestamp", ["day", "time", "both"]],
  ["timestamptz", ["day", "time", "both"]],
]);

/** True for a field that has parts at all. */
export function hasDateParts(field: FieldShape): boolean {
  return kinds.has(castType(field));
}

/** True for a field that has the part. */
export function hasDatePart(field: FieldShape, { of }: DatePart): boolean {
  return kinds.get(castType(field))?.includes(of) ?? false;
}

/** The part of a value as a number. Instants are taken in UTC. */
export function datePartSql({ name, whole }: DatePart, value: string, field: FieldShape): string {
  const local = castType(field) === "timestamptz" ? `${value} at time zone 'UTC'` : value;
  return `extract(${name} from ${local})::${whole ? "integer" : "double precision"}`;
}
