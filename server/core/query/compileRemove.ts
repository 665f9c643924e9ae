/** Authorized deletes, and what undoes the soft ones → SQL. Rows are locked in the order of their keys. */
import { castType } from "../schema/fields";
import type { Field } from "../schema/model";
import { arrayText } from "../schema/values";
import { auditOf } from "./audit";
import type { Keeping } from "./auditBulk";
import { tellActor } from "./auditTrigger";
import type { AuthorizedTarget } from "./authorize";
import { collectParameters, type Parameters } from "./compileCondition";
import { quoteName } from "./statement";
import type { CompiledStatement } from "./variables";
import {
  before,
  conditionsMet,
  finishWrite,
  hasVersion,
  marked,
  old,
  permitted,
  rowsInput,
  targetRows,
  versionInput,
  versionStands,
} from "./writeStatement";

/**
 * How a remove goes. `single`: one key is named. `versioned`: input 3 is the version that each row must have. `leadsOn`:
 * foreign keys change other rows with it, which the audit log tells of, too. `keeping`: how its entries lie.
 */
export type RemoveForm = {
  readonly permanent: boolean;
  readonly single: boolean;
  readonly versioned: boolean;
  readonly leadsOn: boolean;
  readonly keeping: Keeping;
};

/**
 * Deletes the rows whose keys are input 0 (`encodeKeys`), or (with `target.filter`) all that match; softly where the
 * collection is paranoid, unless `permanent`, which also takes rows that were deleted softly before. Gives their keys.
 */
export function compileRemove(
  target: AuthorizedTarget,
  { permanent, single, versioned, leadsOn, keeping }: RemoveForm,
  version: number,
): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const table = quoteName(collection.name);
  const key = quoteName(collection.primaryKey.name);
  const where = targetRows(target, permanent, parameters);
  if (target.filter === null) where.unshift(named(target, parameters));
  const soft = collection.paranoid && !permanent ? deletedAt(target) : null;
  const isPlain = single && !versioned;
  const v = versioned ? `, ${hasVersion(`${parameters.place(versionInput)}::text`)} as ${marked("v")}` : "";
  const rows =
    `select t.${key} as "#k"${v} from ${table} t${whereAll(where)} ` +
    `order by t.${key} for ${soft ? "no key update" : "update"} of t`;
  const source = isPlain ? "" : '"#old" o';
  const joined = isPlain ? whereAll(where) : ` where t.${key} = o."#k"`;
  const returned = `returning t.*${versioned ? `, o.${marked("v")}` : ""}`;
  const write = soft
    ? `update ${table} t set ${quoteName(soft.name)} = now()${source && ` from ${source}`}${joined} ${returned}`
    : `delete from ${table} t${source && ` using ${source}`}${joined} ${returned}`;
  const audited = soft
    ? ({ action: "delete", before: "whole", without: soft, after: [soft] } as const)
    : ({ action: "delete", before: "whole", after: null } as const);
  return finishWrite({
    target,
    version,
    parameters,
    ...(!isPlain && { before: before(rows) }),
    write,
    single,
    audit: auditOf(target, audited, parameters, keeping),
    checks: [
      ...(versioned ? [versionStands(collection)] : []),
      ...(leadsOn && !soft ? [tellActor(parameters)] : []),
    ],
  });
}

/** Brings back the rows whose keys are input 0; gives the keys of all that are there, deleted or not. */
export function compileRestore(
  target: AuthorizedTarget,
  { single, keeping }: Pick<RemoveForm, "single" | "keeping">,
  version: number,
): CompiledStatement {
  const { collection } = target;
  const parameters = collectParameters();
  const table = quoteName(collection.name);
  const key = quoteName(collection.primaryKey.name);
  const mark = deletedAt(target);
  const met = target.noted ? conditionsMet(target, parameters) : [];
  const where = [named(target, parameters), ...targetRows(target, true, parameters)];
  const noted = [
    `t.${quoteName(mark.name)} as ${old(mark)}`,
    ...met.map((sql, i) => `${sql} as ${marked(i)}`),
  ];
  const rows =
    `select t.${key} as "#k", ${noted.join(", ")} from ${table} t${whereAll(where)} ` +
    `order by t.${key} for no key update of t`;
  const sets = [`${quoteName(mark.name)} = null`];
  for (const field of collection.fields.values())
    if (field.managed === "updatedAt") sets.push(`${quoteName(field.name)} = now()`);
  const extra = [old(mark), ...met.map((_, i) => marked(i))].map((name) => `, r.${name}`).join("");
  const write =
    `update ${table} t set ${sets.join(", ")} from "#old" r ` +
    `where t.${key} = r."#k" and r.${old(mark)} is not null returning t.*${extra}`;
  return finishWrite({
    target,
    version,
    parameters,
    before: before(rows),
    write,
    audit: auditOf(target, { action: "restore", before: [mark], after: "whole" }, parameters, keeping),
    checks: permitted(target, parameters),
    single,
    all: true,
  });
}

/**
 * Locks the rows whose keys are input 0 (`byKey`), or all that the target's filter finds, for writing in the same transaction: the
 * next statement judges them by all that was committed until they were had, and no row that points at them comes after.
 */
export function compileHold(target: AuthorizedTarget, byKey: boolean, version: number): CompiledStatement {
  const parameters = collectParameters();
  const where = targetRows(target, true, parameters);
  if (byKey) where.unshift(named(target, parameters));
  const { name, primaryKey } = target.collection;
  const rows =
    `select 1 from ${quoteName(name)} t${whereAll(where)} ` +
    `order by t.${quoteName(primaryKey.name)} for update of t`;
  return {
    text: `/* s${version} */ select count(*) from (${rows}) h`,
    params: parameters.list,
  };
}

/** Input 0 of removes. */
export function encodeKeys(keys: readonly string[]): string {
  return arrayText(keys);
}

function named({ collection: { primaryKey } }: AuthorizedTarget, parameters: Parameters): string {
  return `t.${quoteName(primaryKey.name)} = any(${parameters.place(rowsInput)}::${castType(primaryKey)}[])`;
}

function deletedAt({ collection }: AuthorizedTarget): Field {
  const field = collection.fields.get("deletedAt");
  if (!field) throw new Error(`'${collection.name}' keeps no deleted items`);
  return field;
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length > 0 ? ` where ${conditions.join(" and ")}` : "";
}
