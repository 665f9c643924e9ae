/** Write bodies → the rows to write: names become columns, values are checked. Nothing here asks who may. */
import type { FieldError, ItemId } from "@baasix/types";
import { AppError, suggestion } from "../errors";
import type { GrantDefault } from "../access/rules";
import { parseValue, toWire, type WireValue } from "../schema/fields";
import type { Collection, Field, Relation } from "../schema/model";
import { checkRules } from "../schema/validate";
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
 * One row to write: `key` names an existing row (updates), `version` the one that it must have; values by column name.
 * `place` begins what is said of it: `[2].`, nothing for the row of a request for one.
 */
export type WriteRow = {
  readonly place: string;
  readonly key: string | null;
  readonly version: string | null;
  readonly values: ReadonlyMap<string, WireValue>;
};

/** Rows with every column that any of them sets. */
export type WritePlan = {
  readonly collection: Collection;
  readonly action: "create" | "update";
  readonly rows: readonly WriteRow[];
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
  const columns = new Map<string, Field>();
  const errors: FieldError[] = [];
  const rows = entries.map((entry, index) => {
    const place = places?.[index] ?? (entries.length > 1 ? `[${index}].` : "");
    const key = entry.key === undefined ? null : parseKey(collection, entry.key);
    const values = planBody(collection, action, entry.data, place, errors);
    if (action === "update") checkKeyKept(collection, key, values);
    for (const name of values.keys()) {
      const field = collection.fields.get(name);
      if (field) columns.set(name, field);
    }
    return { place, key, version: readVersion(entry.version), values };
  });
  failWith(errors);
  checkDistinct(rows.flatMap((row) => row.key ?? []));
  return { collection, action, rows, columns: [...columns.values()], computed: new Map() };
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

function planBody(
  collection: Collection,
  action: "create" | "update",
  body: unknown,
  place: string,
  errors: FieldError[],
): Map<string, WireValue> {
  if (!isObject(body)) throw new AppError("INVALID_VALUE", `${place}expected an object of field and value`);
  const values = new Map<string, WireValue>();
  for (const name of Object.keys(body)) {
    const value = body[name];
    if (value === undefined) continue;
    const field = writableField(collection, name, value, place);
    if (field === null) continue;
    try {
      const wire = toWire(value, field);
      if (wire === null && !field.allowNull) errors.push(required(`${place}${field.name}`));
      else {
        const room = Math.max(0, mostErrors - errors.length);
        for (const error of checkRules(field, wire).slice(0, room))
          errors.push({ ...error, field: `${place}${error.field}` });
      }
      values.set(field.name, wire);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      errors.push({ field: `${place}${field.name}`, message: error.message, rule: "type" });
    }
  }
  if (action === "update" && values.get(collection.primaryKey.name) === null)
    values.delete(collection.primaryKey.name);
  return values;
}

/** The column that a name of the body sets; null when the server fills it whatever the client says. */
function writableField(collection: Collection, name: string, value: unknown, place: string): Field | null {
  const relation = collection.fields.has(name) ? undefined : collection.relations.get(name);
  if (relation && (!standsForKey(relation) || (typeof value === "object" && value !== null))) {
    throw new AppError("INVALID_VALUE", `${place}${name}: ${keyHint(relation)}`);
  }
  const field = collection.fields.get(relation ? relation.sourceColumn : name);
  if (!field) {
    const valid = [...collection.fields.values()].filter((one) => !one.hidden).map((one) => one.name);
    throw new AppError(
      "UNKNOWN_FIELD",
      `${place}${name}: '${collection.name}' has no field '${name}'${suggestion(name, valid)}`,
    );
  }
  if (field.managed === "server") {
    throw new AppError("FORBIDDEN", `${place}${name}: set by the server alone`);
  }
  if (field.managed === "deletedAt") {
    throw new AppError("INVALID_VALUE", `${place}${name}: set by deleting the item`);
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
function checkKeyKept(collection: Collection, key: string | null, values: Map<string, WireValue>): void {
  const { name } = collection.primaryKey;
  if (values.has(name) && String(values.get(name)) !== key) {
    throw new AppError("INVALID_VALUE", `${name}: the key of an item cannot change`);
  }
  values.delete(name);
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
  stamp: Readonly<Record<string, unknown>> = {},
): WritePlan {
  const { collection } = plan;
  const { defaults } = target;
  const computed = new Map<Field, Operand>();
  for (const { field, value } of defaults) if ("operand" in value) computed.set(field, value.operand);
  const server = [...userColumns(collection, plan.action, binding), ...stampColumns(collection, stamp)];
  const rows =
    defaults.length === 0 && server.length === 0
      ? plan.rows
      : plan.rows.map((row) => ({
          ...row,
          values: withDefaults(row.values, defaults, server, binding),
        }));
  if (plan.action === "create") {
    const errors: FieldError[] = [];
    for (const row of rows) {
      for (const field of collection.fields.values()) {
        if (mustBeGiven(field) && !row.values.has(field.name) && !computed.has(field))
          errors.push(required(`${row.place}${field.name}`));
      }
    }
    failWith(errors);
  }
  const added = [...defaults.map((one) => one.field), ...server.map(([field]) => field)];
  return { ...plan, rows, columns: [...new Set([...plan.columns, ...added])], computed };
}

function mustBeGiven(field: Field): boolean {
  return !field.allowNull && field.default === null && field.managed === null;
}

function withDefaults(
  values: ReadonlyMap<string, WireValue>,
  defaults: readonly GrantDefault[],
  server: readonly (readonly [Field, WireValue])[],
  binding: Binding,
): ReadonlyMap<string, WireValue> {
  const complete = new Map(values);
  for (const { field, value } of defaults) {
    if (complete.has(field.name) || "operand" in value) continue;
    complete.set(field.name, "variable" in value ? bindParam(value.variable, binding) : value.wire);
  }
  for (const [field, value] of server) complete.set(field.name, value);
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
  collection: Collection,
  action: "create" | "update",
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
