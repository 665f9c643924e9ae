/**
 * What a schema change does to permission rows: they lose what is gone, and never come to allow more. A condition that
 * names something gone cannot be shortened without opening rows, so its whole row goes.
 */
import { AppError } from "../errors";
import type { Condition } from "../query/ast";
import { isObject, parseFilter } from "../query/filter";
import { isReference, readReference } from "../query/variables";
import type { Collection, Relation, Schema } from "../schema/model";
import type { Names } from "../schema/rename";
import type { PermissionRow } from "./rules";

/** Rows to store anew, and rows to delete. */
export type PermissionClean = {
  readonly changed: readonly PermissionRow[];
  readonly removed: readonly PermissionRow[];
};

/** Compares what each row meant in `from` with what it would mean in `to`. */
export function cleanPermissions(rows: readonly PermissionRow[], from: Schema, to: Schema): PermissionClean {
  const changed: PermissionRow[] = [];
  const removed: PermissionRow[] = [];
  for (const row of rows) {
    const before = from.collections.get(row.collection);
    const after = to.collections.get(row.collection);
    if (!before) continue;
    const gone = (path: readonly string[]): boolean => {
      const meant = trace(from, before, path);
      return meant !== null && (!after || trace(to, after, path) !== meant);
    };
    const named = [...conditionPaths(row.conditions), ...conditionPaths(row.relConditions)];
    if (!after || named.some(gone)) removed.push(row);
    else {
      const next = withoutGone(row, gone);
      if (next !== row) changed.push(next);
    }
  }
  return { changed, removed };
}

type Gone = (path: readonly string[]) => boolean;

function withoutGone(row: PermissionRow, gone: Gone): PermissionRow {
  const patterns = fieldPatterns(row.fields);
  const fields = patterns?.filter((pattern) => !gone(pattern.split("."))) ?? null;
  const defaults = isObject(row.defaultValues) ? Object.entries(row.defaultValues) : [];
  const kept = defaults.filter(([name]) => !gone([name]));
  if (fields?.length === patterns?.length && kept.length === defaults.length) return row;
  return {
    ...row,
    ...(fields !== null && { fields }),
    ...(defaults.length > 0 && { defaultValues: Object.fromEntries(kept) }),
  };
}

function fieldPatterns(fields: unknown): readonly string[] | null {
  if (typeof fields === "string") {
    return fields
      .split(",")
      .map((name) => name.trim())
      .filter(Boolean);
  }
  return Array.isArray(fields) ? fields.filter((name): name is string => typeof name === "string") : null;
}

/**
 * What the fields, conditions and defaults of a row name, each as text to compare; `names`: as it is called after a rename.
 */
export function meaningsOf(
  row: PermissionRow,
  schema: Schema,
  names: Names | null,
): readonly (string | null)[] {
  const collection = schema.collections.get(row.collection);
  if (!collection) return [];
  // Of the collection alone, too: a row that named none may not come to name one.
  return [
    [],
    ...(fieldPatterns(row.fields) ?? []).map((pattern) => pattern.split(".")),
    ...conditionPaths(row.conditions),
    ...conditionPaths(row.relConditions),
    ...(isObject(row.defaultValues) ? Object.keys(row.defaultValues).map((name) => [name]) : []),
  ].map((path) => trace(schema, collection, path, names ?? unchanged));
}

const unchanged: Names = { collection: (name) => name, field: (_collection, name) => name };

/** What a path means, as text to compare; null when it means nothing. Wildcards mean what stands before them. */
function trace(
  schema: Schema,
  collection: Collection,
  path: readonly string[],
  names: Names = unchanged,
): string | null {
  let here: Collection | undefined = collection;
  let meaning = names.collection(collection.name);
  for (const name of path) {
    if (here === undefined) return null;
    if (name === "*" || name === "**") return `${meaning}.${name}`;
    const relation = here.relations.get(name);
    if (!relation && !here.fields.has(name)) return null;
    const called = names.field(here.name, name);
    meaning += relation ? `.${called}(${meaningOf(relation, names)})` : `.${called}`;
    here = relation && schema.collections.get(relation.target);
  }
  return meaning;
}

function meaningOf(relation: Relation, names: Names): string {
  const { kind, keyOn, source, sourceColumn, target, targetColumn, scope } = relation;
  const ends = [
    names.field(source, sourceColumn),
    names.collection(target),
    names.field(target, targetColumn),
  ];
  const key = `${kind} ${keyOn} ${ends.join(" ")}`;
  if (scope === null) return key;
  const [holder, owner] = keyOn === "source" ? [source, target] : [target, source];
  const value = scope.value === owner ? names.collection(scope.value) : scope.value;
  return `${key} ${names.field(holder, scope.column)} ${JSON.stringify(value)}`;
}

/** Every path that a condition compares. A condition that cannot be read allows nothing and has none. */
function conditionPaths(conditions: unknown): readonly (readonly string[])[] {
  if (!isObject(conditions)) return [];
  try {
    return pathsOf(parseFilter(conditions), []);
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

function pathsOf(condition: Condition, prefix: readonly string[]): readonly (readonly string[])[] {
  switch (condition.kind) {
    case "all":
    case "any":
      return condition.items.flatMap((item) => pathsOf(item, prefix));
    case "not":
      return pathsOf(condition.item, prefix);
    case "within":
      return [[...prefix, condition.relation], ...pathsOf(condition.item, [...prefix, condition.relation])];
    case "compare":
      return [[...prefix, condition.column], ...columnsIn(condition.operand)];
  }
}

/** The paths that `$COL` names in an operand; they begin at the collection of the rule, or at its name. */
function columnsIn(operand: unknown): readonly (readonly string[])[] {
  if (Array.isArray(operand)) return operand.flatMap(columnsIn);
  const reference = isReference(operand) ? readReference(operand, "conditions") : null;
  return reference?.kind === "column" ? [reference.path] : [];
}
