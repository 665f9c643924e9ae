/** Write bodies → the rows to write: names become columns, values are checked. Nothing here asks who may. */
import type { FieldError, ItemId } from "@baasix/types";
import { AppError, suggestion } from "../errors";
import type { GrantDefault } from "../access/rules";
import { parseValue, toWire, type WireValue, wireReader } from "../schema/fields";
import type { Collection, Field, Relation } from "../schema/model";
import { checkRules, hasRules } from "../schema/validate";
import type { AuthorizedTarget } from "./authorize";
import { isObject } from "./filter";
import { standsForKey } from "./find";
import type { Operand } from "./planned";
import { type Binding, bindParam } from "./variables";

/** Most items of one bulk write. */
export const bulkLimit = 1000;

/** @throws AppError QUERY_TOO_COMPLEX for more items than one bulk write may have. */
export function checkBulk(count: number): void {
  if (count <= bulkLimit) return;
  throw new AppError("QUERY_TOO_COMPLEX", `at most ${bulkLimit} items in one request; got ${count}`);
}

/** @throws AppError INVALID_VALUE for a key that is there twice. */
export function checkDistinct(keys: readonly string[]): void {
  if (new Set(keys).size === keys.length) return;
  throw new AppError("INVALID_VALUE", "the same item is named twice in one request");
}

/** Most mistakes of values that one refusal names; those of types and missing values come one a field. */
const mostErrors = 100;

/**
 * One row to write: `key` names an existing row (updates), `version` the one that it must have; `values` in the order of
 * the plan's columns, undefined (or missing at the end) for those that the row does not set.
 */
export type WriteRow = {
  readonly key: string | null;
  readonly version: string | null;
  readonly values: readonly (WireValue | undefined)[];
};

/** Rows with every column that any of them sets. */
export type WritePlan = {
  readonly collection: Collection;
  readonly action: "create" | "update";
  readonly rows: readonly WriteRow[];
  /** What begins the messages about rows; null: `[2].` in a list, nothing for the row of a request for one. */
  readonly places: readonly string[] | null;
  readonly columns: readonly Field[];
  /** What PostgreSQL works out for rows that do not set the column. */
  readonly computed: ReadonlyMap<Field, Operand>;
};

/** One body, with the key of the row that it changes and the version that it must have (updates by key only). */
export type WriteEntry = { readonly key?: unknown; readonly data: unknown; readonly version?: unknown };

/**
 * Plans creates or updates. Columns that the server fills (timestamps, usertrack) are left out of what a client
 * sends; the name of a to-one relation takes the related key. `places`: of the entries, where they are not a list by
 * themselves.
 * @throws AppError VALIDATION_ERROR with every wrong field, UNKNOWN_FIELD, QUERY_TOO_COMPLEX.
 */
export function planWrite(
  collection: Collection,
  action: "create" | "update",
  entries: readonly WriteEntry[],
  places: readonly string[] | null = null,
): WritePlan {
  checkBulk(entries.length);
  const writers = writersOf(collection)[action];
  const planning: Planning = { collection, action, writers, columns: [], errors: [] };
  const { columns, errors } = planning;
  let current = 0;
  const place = (): string => placeOf(places, current, entries.length);
  const rows = entries.map((entry, index): WriteRow => {
    current = index;
    const key = entry.key === undefined ? null : parseKey(collection, entry.key);
    const values: (WireValue | undefined)[] = [];
    const given = planBody(planning, entry.data, place, values);
    if (action === "update") checkKeyKept(collection, key, given);
    return { key, version: readVersion(entry.version), values };
  });
  failWith(errors);
  if (action === "update") checkDistinct(rows.flatMap((row) => row.key ?? []));
  return { collection, action, rows, places, columns, computed: nothingComputed };
}

function placeOf(places: readonly string[] | null, index: number, count: number): string {
  return places?.[index] ?? (count > 1 ? `[${index}].` : "");
}

/** The text of a primary key. @throws AppError INVALID_VALUE */
export function parseKey(collection: Collection, key: unknown): string {
  const text = key === undefined ? null : parseValue(key, collection.primaryKey, collection.primaryKey.name);
  if (text === null)
    throw new AppError("INVALID_VALUE", `${collection.primaryKey.name}: expected the key of an item`);
  return text;
}

/** The text of a version, as `readOne` told it, or of several with commas between. @throws AppError PRECONDITION_FAILED for one that no row can have */
export function readVersion(version: unknown): string | null {
  if (version === undefined || version === null) return null;
  if (typeof version === "string" && /^\d{1,10}(?:,\d{1,10}){0,9}$/.test(version)) return version;
  throw new AppError("PRECONDITION_FAILED", "version: no version of an item; read it again");
}

/** What no permission and no feature adds. */
const nothingComputed: ReadonlyMap<Field, Operand> = new Map();

/** What is known of a name that bodies use: which column it sets, and how values are read. */
type Writer = {
  readonly field: Field;
  /** The name is that of a relation. */
  readonly relation: boolean;
  readonly read: (value: unknown) => WireValue;
  readonly ruled: boolean;
  /** It names the row that is changed, and sets nothing. */
  readonly isKey: boolean;
};

/** By the names that bodies have used so far. Only names of fields and relations come in. */
type Writers = Map<string, Writer>;
type CollectionWriters = Readonly<Record<"create" | "update", Writers>>;

const writersKept = new WeakMap<Collection, CollectionWriters>();

function writersOf(collection: Collection): CollectionWriters {
  let kept = writersKept.get(collection);
  if (!kept) writersKept.set(collection, (kept = { create: new Map(), update: new Map() }));
  return kept;
}

/** What the bodies of one plan share. */
type Planning = {
  readonly collection: Collection;
  readonly action: "create" | "update";
  readonly writers: Writers;
  readonly columns: Field[];
  readonly errors: FieldError[];
};

/** Reads a body into `values`; gives the value of the key where an update has one. */
function planBody(
  planning: Planning,
  body: unknown,
  place: () => string,
  values: (WireValue | undefined)[],
): WireValue | undefined {
  if (!isObject(body)) throw new AppError("INVALID_VALUE", `${place()}expected an object of field and value`);
  const { columns, writers } = planning;
  let key: WireValue | undefined;
  // Bodies of one plan have their fields in one order as a rule.
  let next = 0;
  for (const name of Object.keys(body)) {
    const value = body[name];
    if (value === undefined) continue;
    let writer = writers.get(name);
    if (!writer || (writer.relation && typeof value === "object")) {
      const field = writableField(planning.collection, name, value, place);
      if (field === null) continue;
      writer ??= writerOf(planning, name, field);
    }
    const column = writer.isKey ? null : columnOf(columns, writer.field, next);
    const wire = readValue(planning.errors, writer, value, place);
    if (column === null) key = wire === undefined ? key : wire;
    else {
      next = column + 1;
      if (wire === undefined) continue;
      // A hole would make reading the list slow.
      while (values.length < column) values.push(undefined);
      values[column] = wire;
    }
  }
  return key;
}

/** The place of a field among the columns, which it joins where it is not there yet. `likely`: the place to look at first. */
function columnOf(columns: Field[], field: Field, likely: number): number {
  if (columns[likely] === field) return likely;
  const known = columns.indexOf(field);
  return known < 0 ? columns.push(field) - 1 : known;
}

function writerOf({ collection, action, writers }: Planning, name: string, field: Field): Writer {
  const writer: Writer = {
    field,
    relation: field.name !== name,
    read: wireReader(field),
    ruled: hasRules(field),
    isKey: action === "update" && field.name === collection.primaryKey.name,
  };
  writers.set(name, writer);
  return writer;
}

/** The value as it is written; undefined when it is none, and `errors` tell why. */
function readValue(
  errors: FieldError[],
  { field, read, ruled }: Writer,
  value: unknown,
  place: () => string,
): WireValue | undefined {
  let wire: WireValue;
  try {
    wire = read(value);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    errors.push({ field: `${place()}${field.name}`, message: error.message, rule: "type" });
    return undefined;
  }
  if (wire === null && !field.allowNull) errors.push(required(`${place()}${field.name}`));
  else if (ruled) {
    const room = Math.max(0, mostErrors - errors.length);
    for (const error of checkRules(field, wire).slice(0, room))
      errors.push({ ...error, field: `${place()}${error.field}` });
  }
  return wire;
}

/** The column that a name of the body sets; null when the server fills it whatever the client says. */
function writableField(
  collection: Collection,
  name: string,
  value: unknown,
  place: () => string,
): Field | null {
  const relation = collection.fields.has(name) ? undefined : collection.relations.get(name);
  if (relation && (!standsForKey(relation) || (typeof value === "object" && value !== null))) {
    throw new AppError("INVALID_VALUE", `${place()}${name}: ${keyHint(relation)}`);
  }
  const field = collection.fields.get(relation ? relation.sourceColumn : name);
  if (!field) {
    const valid = [...collection.fields.values()].filter((one) => !one.hidden).map((one) => one.name);
    throw new AppError(
      "UNKNOWN_FIELD",
      `${place()}${name}: '${collection.name}' has no field '${name}'${suggestion(name, valid)}`,
    );
  }
  if (field.managed === "server") {
    throw new AppError("FORBIDDEN", `${place()}${name}: set by the server alone`);
  }
  // Who writes an item sees it, so that it is not deleted: null is what was read.
  if (field.managed === "deletedAt" && value !== null) {
    throw new AppError("INVALID_VALUE", `${place()}${name}: set by deleting the item`);
  }
  return field.managed === null ? field : null;
}

function keyHint({ keyOn, sourceColumn, target, targetColumn, scope }: Relation): string {
  if (keyOn === "target") return `write the items of '${target}' themselves, with '${targetColumn}' set`;
  return scope === null
    ? `give the key of the related item ('${sourceColumn}')`
    : `give '${sourceColumn}' the key of the related item, and '${scope.column}' the value '${scope.value}'`;
}

/** `key` null: a filter names the items, and none of them has the key that the body gives. */
function checkKeyKept(collection: Collection, key: string | null, given: WireValue | undefined): void {
  if (given === undefined || given === null || String(given) === key) return;
  const { name } = collection.primaryKey;
  throw new AppError("INVALID_VALUE", `${name}: the key of an item cannot change`);
}

function required(field: string): FieldError {
  return { field, message: "Field is required", rule: "required" };
}

function failWith(errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const message = errors.map((error) => `${error.field}: ${error.message}`).join("; ");
  throw new AppError("VALIDATION_ERROR", `Validation failed: ${message}`, {
    code: "VALIDATION_ERROR",
    errors,
  });
}

/**
 * Adds what the client did not give: the permission's default values, who writes (usertrack), and the stamp:
 * columns that a feature of the server knows, whatever the client says.
 * @throws AppError VALIDATION_ERROR when a created row lacks a field that must have a value.
 */
export function completeWrite(
  plan: WritePlan,
  target: AuthorizedTarget,
  binding: Binding,
  stamp?: Readonly<Record<string, unknown>>,
): WritePlan {
  if (target.tenant) checkTenant(plan, target.tenant, binding);
  const tracks = plan.collection.usertrack && binding.actor.kind === "user";
  const complete =
    tracks || stamp || target.defaults.length > 0 ? withAdded(plan, target.defaults, binding, stamp) : plan;
  if (plan.action === "create") failWith(missing(complete));
  return complete;
}

function withAdded(
  plan: WritePlan,
  defaults: readonly GrantDefault[],
  binding: Binding,
  stamp: Readonly<Record<string, unknown>> = {},
): WritePlan {
  const server = [...userColumns(plan, binding), ...stampColumns(plan.collection, stamp)];
  const computed = new Map<Field, Operand>();
  for (const { field, value } of defaults) if ("operand" in value) computed.set(field, value.operand);
  const added = [...defaults.map((one) => one.field), ...server.map(([field]) => field)];
  const columns = [...new Set([...plan.columns, ...added])];
  const rows = plan.rows.map((row) => ({
    ...row,
    values: withDefaults(row.values, columns, defaults, server, binding),
  }));
  return { ...plan, rows, columns, computed };
}

/** Several new rows without keys get theirs from `makeKey`, where the database would make random ones: that takes it longer. */
export function giveKeys(plan: WritePlan, makeKey: () => string): WritePlan {
  const { action, rows, columns, collection } = plan;
  const { primaryKey } = collection;
  const isMade = primaryKey.type === "UUID" && primaryKey.default?.kind === "uuid";
  if (action !== "create" || rows.length < 2 || !isMade || columns.includes(primaryKey)) return plan;
  return {
    ...plan,
    columns: [primaryKey, ...columns],
    rows: rows.map((row) => ({ ...row, values: [makeKey(), ...row.values] })),
  };
}

/** Whoever acts in one tenant may say it, and no other one. */
function checkTenant({ columns, rows }: WritePlan, tenant: Field, { actor }: Binding): void {
  const column = columns.indexOf(tenant);
  if (column < 0) return;
  const own = actor.kind === "user" ? actor.tenant : null;
  for (const { values } of rows) {
    const said = values[column];
    if (said === undefined || (own !== null && String(said).toLowerCase() === own)) continue;
    throw new AppError("FORBIDDEN", "Cannot change item's tenant");
  }
}

/** Fields without a value that must have one. */
function missing({ collection, rows, places, columns, computed }: WritePlan): readonly FieldError[] {
  const errors: FieldError[] = [];
  const fields = neededIn(collection);
  let index = 0;
  for (const { values } of rows) {
    for (const field of fields) {
      const column = columns.indexOf(field);
      if ((column < 0 || values[column] === undefined) && !computed.has(field))
        errors.push(required(`${placeOf(places, index, rows.length)}${field.name}`));
    }
    index++;
  }
  return errors;
}

const needed = new WeakMap<Collection, readonly Field[]>();

/** The fields that a new row must be given. */
function neededIn(collection: Collection): readonly Field[] {
  let fields = needed.get(collection);
  if (!fields) {
    fields = [...collection.fields.values()].filter(
      ({ allowNull, default: value, managed }) => !allowNull && value === null && managed === null,
    );
    needed.set(collection, fields);
  }
  return fields;
}

function withDefaults(
  values: WriteRow["values"],
  columns: readonly Field[],
  defaults: readonly GrantDefault[],
  server: readonly (readonly [Field, WireValue])[],
  binding: Binding,
): WriteRow["values"] {
  const complete = columns.map((_, column) => values[column]);
  for (const { field, value } of defaults) {
    const column = columns.indexOf(field);
    if (complete[column] !== undefined || "operand" in value) continue;
    complete[column] = "variable" in value ? bindParam(value.variable, binding) : value.wire;
  }
  for (const [field, value] of server) complete[columns.indexOf(field)] = value;
  return complete;
}

function stampColumns(
  collection: Collection,
  stamp: Readonly<Record<string, unknown>>,
): readonly (readonly [Field, WireValue])[] {
  return Object.keys(stamp).map((name) => {
    const field = collection.fields.get(name);
    if (!field) throw new AppError("UNKNOWN_FIELD", `'${collection.name}' has no field '${name}'`);
    return [field, toWire(stamp[name], field, name)] as const;
  });
}

function userColumns(
  { collection, action }: WritePlan,
  { actor }: Binding,
): readonly (readonly [Field, WireValue])[] {
  if (!collection.usertrack || actor.kind !== "user") return [];
  return [...collection.fields.values()]
    .filter(({ managed }) => managed === "userUpdated" || (action === "create" && managed === "userCreated"))
    .map((field) => [field, actor.id] as const);
}

/** The ids of a bulk request. @throws AppError INVALID_VALUE */
export function parseKeys(collection: Collection, ids: readonly ItemId[]): readonly string[] {
  checkBulk(ids.length);
  return [...new Set(ids.map((id) => parseKey(collection, id)))];
}
