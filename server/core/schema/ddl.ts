/** SQL that defines: how a field's default and column are written, and the statements of each schema change. */
import { quoteLiteral, quoteName, type Statement } from "../query/statement";
import { conversion } from "./convert";
import { allowedValues } from "./describe-field";
import type { Change, FieldChange } from "./diff";
import { indexesOf } from "./define";
import { columnDefault, columnSql, defaultSql, identity, isInsertDefault, prepareColumn } from "./columnSql";
import { castType, type Extension, extensionOf, sqlType } from "./fields";
import type { Collection, Field, Index, Relation } from "./model";
import { nameOf } from "./names";
import { fillPlacesSql, givesPlaces } from "./places";
import { sameJson } from "./same";
import { searchIndexBody } from "./search";
import { tenantKey } from "./tenants";

/** The publication that carries the changes of live collections. */
export const publicationName = "baasix_realtime";

/** A statement of a migration, with the change that it is for, so that a failure can name its place. */
export type Step = { readonly change: Change; readonly statement: Statement };

/** `published` false: the database has no publication (a server that does not allow it). */
export type DdlOptions = { readonly published: boolean };

/**
 * In which order kinds of statement run, whatever the order of the changes: what points at a thing goes before it, and
 * comes after it.
 */
const phases = [
  "prepare",
  "detach",
  "drop",
  "create",
  "add",
  "retype",
  "tighten",
  "derive",
  "attach",
  "index",
  "reindex",
  "publish",
  "verify",
] as const;
type Phase = (typeof phases)[number];
type Part = readonly [phase: Phase, text: string];

/** Changes → the statements that make them, in an order in which they can run, inside one transaction. */
export function compileChanges(changes: readonly Change[], options: DdlOptions): readonly Step[] {
  const steps = changes.flatMap((change) =>
    compileChange(change, options).map(([phase, text]) => ({
      phase,
      change,
      statement: { text, params: [] },
    })),
  );
  return phases.flatMap((phase) =>
    steps.filter((step) => step.phase === phase).map(({ change, statement }) => ({ change, statement })),
  );
}

function compileChange(change: Change, options: DdlOptions): readonly Part[] {
  const table = quoteName(change.collection.name);
  switch (change.kind) {
    case "createCollection":
      return createTable(change.collection, options);
    case "dropCollection":
      return [
        ...[...change.collection.relations.values()].flatMap((relation) => detach(relation)),
        ["drop", `drop table ${table}`],
      ];
    case "addField":
      return addColumn(change.collection, change.field);
    case "dropField":
      return [dropColumn(change.collection, change.field)];
    case "changeType":
      return changeType(change.collection, change.from, change.to);
    case "changeNull":
      return change.to.allowNull
        ? [["retype", alterColumn(change.collection, change.to, "drop not null")]]
        : tighten(change.collection, change.to);
    case "changeUnique":
      return [
        ...(change.from.unique ? [["detach", dropUnique(change.collection, change.from)] as const] : []),
        ...(change.to.unique ? [["attach", addUnique(change.collection, change.to)] as const] : []),
      ];
    case "changeGenerated":
      return changeGenerated(change.collection, change.from, change.to);
    case "changeDefault":
      return changeDefault(change.collection, change.from, change.to);
    case "changeValues":
      return changeValues(change);
    case "changePrimaryKey": {
      const name = nameOf.primaryKey(change.collection.name);
      return [
        ["detach", dropConstraint(table, name)],
        [
          "attach",
          `alter table ${table} add constraint ${quoteName(name)} primary key (${quoteName(change.to.name)})`,
        ],
      ];
    }
    case "addRelation":
      return attach(change.relation);
    case "dropRelation":
      return detach(change.relation);
    case "changeRelation":
      return [...detach(change.from), ...attach(change.to)];
    case "addIndex":
      return [["index", createIndex(change.collection, change.index)]];
    case "dropIndex":
      // It may have gone with a calculated column.
      return [["detach", `drop index if exists ${quoteName(change.index.name)}`]];
    case "changeRealtime":
      return publish(change.collection, options);
    case "changeIdentity":
      return identify(change.collection);
    // Made by `rename-ddl.ts`, before all others.
    case "renameCollection":
    case "renameField":
    case "changeAudit":
    case "changeField":
    case "changeDefinition":
      return [];
  }
}

/** The extensions that new columns need, each with the first change that asks for it. */
export function neededExtensions(changes: readonly Change[]): ReadonlyMap<Extension, NeededBy> {
  const needed = new Map<Extension, NeededBy>();
  const note = (change: Change, field: Field): void => {
    const extension = extensionOf(field);
    if (extension !== null && !needed.has(extension)) needed.set(extension, { change, field });
  };
  for (const change of changes) {
    if (change.kind === "createCollection") {
      for (const field of change.collection.fields.values()) note(change, field);
    } else if (change.kind === "addField") note(change, change.field);
    else if (change.kind === "changeType" || change.kind === "changeGenerated") note(change, change.to);
  }
  return needed;
}

/** What asks for an extension. */
export type NeededBy = { readonly change: Change; readonly field: Field };

function prepare(field: Field): readonly Part[] {
  return prepareColumn(field).map((text) => ["prepare", text] as const);
}

function createTable(collection: Collection, options: DdlOptions): readonly Part[] {
  const { name, primaryKey } = collection;
  const fields = [...collection.fields.values()];
  const key = `constraint ${quoteName(nameOf.primaryKey(name))} primary key (${quoteName(primaryKey.name)})`;
  const parts = [
    ...fields.map((field) => columnSql(collection, field)),
    key,
    ...fields.filter(isConstrained).map((field) => uniqueSql(collection, field)),
    ...fields.filter((field) => allowedValues(field)).map((field) => valuesSql(collection, field)),
  ];
  return [
    ...fields.flatMap(prepare),
    ["create", `create table ${quoteName(name)} (${parts.join(", ")})`],
    ...fields
      .filter(({ perTenant }) => perTenant)
      .map((field) => ["attach", addUnique(collection, field)] as const),
    ...(collection.realtime ? publish(collection, options) : []),
    ...fields.flatMap((field) => verify(field)),
  ];
}

/** A default that reads a table is not judged by PostgreSQL before the first INSERT: try it once now. */
function verify(field: Field): readonly Part[] {
  return isInsertDefault(field) && field.default?.kind === "sql"
    ? [["verify", `select (${field.default.expression})::${castType(field)}`]]
    : [];
}

function addColumn(collection: Collection, field: Field): readonly Part[] {
  const table = quoteName(collection.name);
  return [
    ...prepare(field),
    // What it is calculated from may be new, too.
    [
      field.generated === null ? "add" : "derive",
      `alter table ${table} add column ${columnSql(collection, field)}`,
    ],
    ...(field.unique ? [["attach", addUnique(collection, field)] as const] : []),
    ...(allowedValues(field)
      ? [["attach", `alter table ${table} add ${valuesSql(collection, field)}`] as const]
      : []),
    ...verify(field),
  ];
}

/** What is calculated from a column goes before it. */
function dropColumn(collection: Collection, field: Field): Part {
  const text = `alter table ${quoteName(collection.name)} drop column ${quoteName(field.name)}`;
  return [field.generated === null ? "drop" : "detach", text];
}

/** Another expression: the column is made anew, with the indexes that went with it. None: it keeps its values. */
function changeGenerated(collection: Collection, from: Field, to: Field): readonly Part[] {
  if (to.generated === null) return [["retype", alterColumn(collection, to, "drop expression")]];
  const indexes = indexesOf(collection).filter(({ fields }) => fields.includes(to.name));
  return [
    dropColumn(collection, from),
    ...addColumn(collection, to),
    ...indexes.map((index): Part => ["reindex", createIndex(collection, index, "if not exists ")]),
  ];
}

function alterColumn(collection: Collection, field: Field, what: string): string {
  return `alter table ${quoteName(collection.name)} alter column ${quoteName(field.name)} ${what}`;
}

function changeType(collection: Collection, from: Field, to: Field): readonly Part[] {
  if (sqlType(from) === sqlType(to)) return [];
  const way = conversion(from, to);
  if (!way) return [];
  const column = quoteName(to.name);
  const prepared = prepare(to);
  const alter = alterColumn(collection, to, `type ${sqlType(to)} using ${way.forth(column)}`);
  const kept = columnDefault(from, collection) !== null && from.default?.kind !== "autoincrement";
  const remade = kept && sameJson(from.default, to.default);
  const made = columnDefault(to, collection);
  return [
    ...prepared,
    // The old default may not be of the new type.
    ...(kept ? [["retype", alterColumn(collection, to, "drop default")] as const] : []),
    ["retype", alter],
    ...(remade && made !== null
      ? [["retype", alterColumn(collection, to, `set default ${made}`)] as const]
      : []),
  ];
}

function tighten(collection: Collection, field: Field): readonly Part[] {
  const column = quoteName(field.name);
  const made = defaultSql(field, collection);
  const fill = givesPlaces(field)
    ? fillPlacesSql(field, collection)
    : made && `update ${quoteName(collection.name)} set ${column} = ${made} where ${column} is null`;
  return [
    ...(fill === null || field.default?.kind === "autoincrement" ? [] : [["tighten", fill] as const]),
    ["tighten", alterColumn(collection, field, "set not null")],
  ];
}

function changeDefault(collection: Collection, from: Field, to: Field): readonly Part[] {
  const parts: Part[] = [];
  const made = columnDefault(to, collection);
  if (from.default?.kind === "autoincrement")
    parts.push(["detach", alterColumn(collection, to, "drop identity")]);
  else if (columnDefault(from, collection) !== null) {
    parts.push(["retype", alterColumn(collection, to, "drop default")]);
  }
  if (to.default?.kind === "autoincrement") parts.push(...startCounting(collection, to));
  else if (made !== null) parts.push(["tighten", alterColumn(collection, to, `set default ${made}`)]);
  return [...parts, ...verify(to)];
}

function startCounting(collection: Collection, field: Field): readonly Part[] {
  const sequence = quoteLiteral(quoteName(nameOf.sequence(collection.name, field.name)));
  const most = `select max(${quoteName(field.name)}) from ${quoteName(collection.name)}`;
  return [
    ["attach", alterColumn(collection, field, `add ${identity(collection, field)}`)],
    ["attach", `select setval(${sequence}::regclass, greatest(coalesce((${most}), 0) + 1, 1), false)`],
  ];
}

function changeValues({ collection, from, to, deletes }: FieldChange): readonly Part[] {
  const table = quoteName(collection.name);
  const parts: Part[] = [];
  const [old, now] = [allowedValues(from), allowedValues(to)];
  if (old) parts.push(["detach", dropConstraint(table, nameOf.check(collection.name, to.name))]);
  if (now) {
    const misfits = misfitSql(to);
    if (old && deletes) parts.push(["tighten", `delete from ${table} where ${misfits}`]);
    else if (old && to.allowNull) {
      parts.push(["tighten", `update ${table} set ${quoteName(to.name)} = null where ${misfits}`]);
    }
    parts.push(["attach", `alter table ${table} add ${valuesSql(collection, to)}`]);
  }
  return parts;
}

/** The condition of rows whose value is not among the allowed ones. `value`: that of the column, unless told. */
export function misfitSql(field: Field, value?: string): string {
  return `not (${fitSql(field, value)})`;
}

function fitSql(field: Field, value = quoteName(field.name)): string {
  const list = (allowedValues(field) ?? []).map(quoteLiteral).join(", ");
  return field.type === "Array" ? `${value} <@ array[${list}]::text[]` : `${value} in (${list})`;
}

/** The constraint that allows an Enum its values alone. */
export function valuesSql(collection: Collection, field: Field): string {
  return `constraint ${quoteName(nameOf.check(collection.name, field.name))} check (${fitSql(field)})`;
}

function uniqueSql(collection: Collection, field: Field): string {
  return `constraint ${quoteName(nameOf.unique(collection.name, field.name))} unique (${quoteName(field.name)})`;
}

/** A constraint cannot hold an expression: what is unique within a tenant is an index. */
function isConstrained({ unique, perTenant }: Field): boolean {
  return unique && !perTenant;
}

function addUnique(collection: Collection, field: Field): string {
  const table = quoteName(collection.name);
  if (isConstrained(field)) return `alter table ${table} add ${uniqueSql(collection, field)}`;
  const name = nameOf.unique(collection.name, field.name);
  return `create unique index ${quoteName(name)} on ${table} (${quoteName(field.name)}, ${tenantKey})`;
}

function dropUnique(collection: Collection, field: Field): string {
  const name = nameOf.unique(collection.name, field.name);
  return isConstrained(field)
    ? dropConstraint(quoteName(collection.name), name)
    : `drop index ${quoteName(name)}`;
}

/** `table` is quoted, `name` is not. */
export function dropConstraint(table: string, name: string): string {
  return `alter table ${table} drop constraint ${quoteName(name)}`;
}

function attach(relation: Relation): readonly Part[] {
  if (!relation.constrained) return [];
  const { source, sourceColumn, target, targetColumn, onDelete, onUpdate } = relation;
  const constraint = `constraint ${quoteName(nameOf.reference(source, sourceColumn))}`;
  const reference = `foreign key (${quoteName(sourceColumn)}) references ${quoteName(target)} (${quoteName(targetColumn)})`;
  const text = `alter table ${quoteName(source)} add ${constraint} ${reference} on delete ${onDelete} on update ${onUpdate}`;
  return [["attach", text]];
}

function detach(relation: Relation): readonly Part[] {
  if (!relation.constrained) return [];
  return [
    [
      "detach",
      dropConstraint(quoteName(relation.source), nameOf.reference(relation.source, relation.sourceColumn)),
    ],
  ];
}

function createIndex(collection: Collection, index: Index, condition = ""): string {
  const body = index.kind ? searchIndexBody(index) : plainIndexBody(index);
  const unique = index.unique ? "unique " : "";
  return `create ${unique}index ${condition}${quoteName(index.name)} on ${quoteName(collection.name)} ${body}`;
}

function plainIndexBody({ method, fields, nullsNotDistinct, perTenant }: Index): string {
  const using = method === undefined ? "" : `using ${method} `;
  // Without it what was written since the last vacuum is read whole.
  const summed = method === "brin" ? " with (autosummarize = on)" : "";
  return `${using}(${[...fields.map(quoteName), ...(perTenant ? [tenantKey] : [])].join(", ")})${nullsNotDistinct ? " nulls not distinct" : ""}${summed}`;
}

/** Row rules on leaving and deleting need the old row, hence the full identity. */
function identify({ name, realtime, liveness }: Collection): readonly Part[] {
  const identity = realtime && liveness.wholeRows ? "full" : "default";
  return [["publish", `alter table ${quoteName(name)} replica identity ${identity}`]];
}

function publish(collection: Collection, { published }: DdlOptions): readonly Part[] {
  const table = quoteName(collection.name);
  const live = collection.realtime;
  return [
    ...identify(collection),
    ...(published
      ? [
          [
            "publish",
            `alter publication ${quoteName(publicationName)} ${live ? "add" : "drop"} table ${table}`,
          ] as const,
        ]
      : []),
  ];
}
