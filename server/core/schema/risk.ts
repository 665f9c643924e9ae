/** What a change would lose or what forbids it, as questions to the data. */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import { conversion } from "./convert";
import { defaultSql, isInsertDefault } from "./columnSql";
import { misfitSql } from "./ddl";
import { allowedValues, nameOfType } from "./describe-field";
import type { Change, FieldChange } from "./diff";
import { castType, sqlType } from "./fields";
import type { Field } from "./model";

/**
 * `probe` gives one row with one boolean: true when the data is concerned. `loses`: the change may be forced;
 * `blocked`: nothing can force it.
 */
export type Risk = { readonly change: Change; readonly probe: Statement } & (
  | { readonly loses: string; readonly blocked?: undefined }
  | { readonly blocked: string; readonly loses?: undefined }
);

/** The questions that have to be asked before a list of changes is made. */
export function risksOf(changes: readonly Change[]): readonly Risk[] {
  return changes.flatMap((change) => {
    const risk = riskOf(change);
    return risk ? [{ change, ...risk }] : [];
  });
}

function riskOf(
  change: Change,
):
  | Omit<Extract<Risk, { loses: string }>, "change">
  | Omit<Extract<Risk, { blocked: string }>, "change">
  | null {
  const table = change.collection.name;
  switch (change.kind) {
    case "dropCollection":
      return { loses: `all items of '${table}'`, probe: exists(table, "true") };
    case "dropField": {
      const { name, managed, generated } = change.field;
      if (generated !== null) return null;
      const loses =
        managed === "deletedAt"
          ? `which items of '${table}' are deleted: they would reappear`
          : `the values of '${name}'`;
      return { loses, probe: exists(table, `${quoteName(name)} is not null`) };
    }
    case "addField":
      return !change.field.allowNull && change.field.generated === null && isBare(change.field, table)
        ? {
            blocked: "the items that exist would have no value; give it a defaultValue, or allow null",
            probe: exists(table, "true"),
          }
        : null;
    case "changeNull":
      return change.to.allowNull ? null : nullRisk(table, change.to);
    case "changeType":
      return typeRisk(table, change.from, change.to);
    case "changeValues":
      return valuesRisk(table, change);
    default:
      return null;
  }
}

/** True when rows that exist would get no value from the column's default. */
function isBare(field: Field, table: string): boolean {
  return isInsertDefault(field) || defaultSql(field, { name: table }) === null;
}

function nullRisk(table: string, field: Field): ReturnType<typeof riskOf> {
  const probe = exists(table, `${quoteName(field.name)} is null`);
  return field.default === null || field.default.kind === "autoincrement"
    ? { blocked: "some items have no value; fill them first, or give it a defaultValue", probe }
    : { loses: `which items have no '${field.name}': they would get the default`, probe };
}

function typeRisk(table: string, from: Field, to: Field): ReturnType<typeof riskOf> {
  if (sqlType(from) === sqlType(to)) return null;
  const way = conversion(from, to);
  if (!way?.back) return null;
  const column = quoteName(from.name);
  const kept = way.back(`(${way.forth(column)})::${sqlType(to)}`);
  return {
    loses: `what ${nameOfType(to)} does not hold of the values of '${to.name}' (${nameOfType(from)})`,
    probe: exists(table, `(${kept})::${castType(from)} is distinct from ${column}::${castType(from)}`),
  };
}

function valuesRisk(table: string, { from, to, deletes }: FieldChange): ReturnType<typeof riskOf> {
  const [old, now] = [allowedValues(from), allowedValues(to)];
  if (!now) return null;
  const removed = old?.filter((value) => !now.includes(value)) ?? [];
  if (old && removed.length === 0) return null;
  const names = removed.map((value) => quoteLiteral(value)).join(", ");
  // The values may have another type yet.
  const way = sqlType(from) === sqlType(to) ? null : conversion(from, to);
  const value = way ? `(${way.forth(quoteName(from.name))})::${sqlType(to)}` : quoteName(from.name);
  const probe = exists(table, misfitSql(to, value));
  if (old && deletes) return { loses: `the items of '${table}' whose '${to.name}' is ${names}`, probe };
  return old && to.allowNull
    ? { loses: `the value ${names} of '${to.name}': it would become null`, probe }
    : {
        blocked: `some items hold other values than ${now.map((value) => quoteLiteral(value)).join(", ")}; change them first`,
        probe,
      };
}

function exists(table: string, condition: string): Statement {
  return { text: `select exists (select 1 from ${quoteName(table)} where ${condition})`, params: [] };
}
