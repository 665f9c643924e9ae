/**
 * What a rename does to permission rows: they name the same fields, rows and values by the new names. What they meant and
 * what they mean is compared, and a difference is refused.
 */
import { AppError } from "../errors";
import { isObject, splitPath } from "../query/filter";
import { operators } from "../query/operators";
import { isReference } from "../query/variables";
import type { Collection, Schema } from "../schema/model";
import type { Names, RenamedSchema } from "../schema/rename";
import { meaningsOf } from "./clean";
import type { PermissionRow } from "./rules";

/**
 * The rows that change.
 * @throws AppError CONFLICT naming the permission that would come to mean something else
 */
export function renamePermissions(
  rows: readonly PermissionRow[],
  renamed: RenamedSchema,
): readonly PermissionRow[] {
  return rows.flatMap((row) => {
    const next = renameRow(row, renamed);
    const isSame = JSON.stringify(next) === JSON.stringify(row);
    checkMeaning(row, next, renamed);
    return isSame ? [] : [next];
  });
}

function checkMeaning(
  row: PermissionRow,
  next: PermissionRow,
  { before, schema, names }: RenamedSchema,
): void {
  const [meant, means] = [meaningsOf(row, before, names), meaningsOf(next, schema, null)];
  if (JSON.stringify(meant) === JSON.stringify(means)) return;
  throw new AppError(
    "CONFLICT",
    `permission ${row.id} (${row.action} ${row.collection}): its conditions cannot follow the new name; rewrite or delete it first`,
  );
}

function renameRow(row: PermissionRow, { before, names }: RenamedSchema): PermissionRow {
  const collection = before.collections.get(row.collection);
  if (!collection) return row;
  const walk: Walk = { schema: before, names };
  const { fields, conditions, relConditions, defaultValues } = row;
  return {
    ...row,
    collection: names.collection(row.collection),
    fields: renamePatterns(fields, collection, walk),
    conditions: isObject(conditions) ? renameGroup(conditions, [collection], walk) : conditions,
    relConditions: isObject(relConditions) ? renameLevel(relConditions, collection, walk) : relConditions,
    defaultValues: isObject(defaultValues)
      ? mapEntries(defaultValues, (name, value) => [
          names.field(collection.name, name),
          renameValue(value, [], walk),
        ])
      : defaultValues,
  };
}

type Walk = { readonly schema: Schema; readonly names: Names };
/** From the collection that a condition is about to the one that a part of it is about. */
type Scopes = readonly Collection[];

function renamePatterns(fields: unknown, collection: Collection, walk: Walk): unknown {
  const rename = (pattern: string): string => renamePath(pattern.split("."), collection, walk).path.join(".");
  if (typeof fields === "string") {
    return fields
      .split(",")
      .map((pattern) => rename(pattern.trim()))
      .join(",");
  }
  if (!Array.isArray(fields)) return fields;
  return fields.map((pattern: unknown) => (typeof pattern === "string" ? rename(pattern) : pattern));
}

/** `passed`: the collections that the path goes on to, one for each name that is a relation. */
function renamePath(
  path: readonly string[],
  from: Collection,
  { schema, names }: Walk,
): { readonly path: readonly string[]; readonly passed: Scopes } {
  const renamed: string[] = [];
  const passed: Collection[] = [];
  let here: Collection | undefined = from;
  for (const name of path) {
    renamed.push(here ? names.field(here.name, name) : name);
    const target: string | undefined = here?.relations.get(name)?.target;
    here = target === undefined ? undefined : schema.collections.get(target);
    if (here) passed.push(here);
  }
  return { path: renamed, passed };
}

/** A group of conditions, as `parseFilter` reads it. */
function renameGroup(group: Record<string, unknown>, scopes: Scopes, walk: Walk): Record<string, unknown> {
  return mapEntries(group, (key, value) => {
    if (key === "AND" || key === "OR") {
      const members = Array.isArray(value)
        ? value.map((one: unknown) => (isObject(one) ? renameGroup(one, scopes, walk) : one))
        : value;
      return [key, members];
    }
    if (key === "NOT") return [key, isObject(value) ? renameGroup(value, scopes, walk) : value];
    return renameField(key, value, scopes, walk);
  });
}

function renameField(key: string, value: unknown, scopes: Scopes, walk: Walk): [string, unknown] {
  const here = scopes.at(-1);
  if (!here) return [key, value];
  const path = pathIn(key);
  if (path === null) return [key, value];
  const { path: renamed, passed } = renamePath(path, here, walk);
  const name = key.startsWith("$") && key.endsWith("$") ? `$${renamed.join(".")}$` : renamed.join(".");
  const inside = [...scopes, ...passed];
  if (!isObject(value)) return [name, renameValue(value, inside, walk)];
  const keys = Object.keys(value);
  const compares = keys.some((one) => operators.has(one)) || (keys.includes("cast") && !isObject(value.cast));
  if (!compares) return [name, renameGroup(value, inside, walk)];
  return [name, mapEntries(value, (operator, operand) => [operator, renameValue(operand, inside, walk)])];
}

function pathIn(key: string): readonly string[] | null {
  try {
    return splitPath(key, key);
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** A level of `relConditions`: relations go a level down, where conditions begin anew; the rest is a filter. */
function renameLevel(
  level: Record<string, unknown>,
  collection: Collection,
  walk: Walk,
  isRoot = true,
): Record<string, unknown> {
  return mapEntries(level, (key, value) => {
    if (isRoot && key === "AND" && Array.isArray(value)) {
      const members = value.map((one: unknown) => (isObject(one) ? renameLevel(one, collection, walk) : one));
      return [key, members];
    }
    const [first = "", ...rest] = isRoot ? key.split(".") : [key];
    const target = walk.schema.collections.get(collection.relations.get(first)?.target ?? "");
    const name = walk.names.field(collection.name, first);
    if (target && rest.length > 0) {
      const [[below = "", inner] = []] = Object.entries(
        renameLevel({ [rest.join(".")]: value }, target, walk, false),
      );
      return [`${name}.${below}`, inner];
    }
    if (target && isObject(value)) return [name, renameLevel(value, target, walk, false)];
    return Object.entries(renameGroup({ [key]: value }, [collection], walk))[0] ?? [key, value];
  });
}

/** A value, or the references in it. */
function renameValue(value: unknown, scopes: Scopes, walk: Walk): unknown {
  if (Array.isArray(value)) return value.map((one: unknown) => renameValue(one, scopes, walk));
  if (isObject(value)) return mapEntries(value, (key, one) => [key, renameValue(one, scopes, walk)]);
  return isReference(value) ? renameReference(value, scopes, walk) : value;
}

const sources: Readonly<Record<string, string>> = {
  $CURRENT_USER: "baasix_User",
  $CURRENT_ROLE: "baasix_Role",
};

function renameReference(text: string, scopes: Scopes, walk: Walk): string {
  const column = /^\$COL\(([^():]*)(.*)\)$/.exec(text);
  if (column) return `$COL(${renameColumn((column[1] ?? "").trim().split("."), scopes, walk)}${column[2]})`;
  const [name = "", ...path] = text.split(".");
  const source = walk.schema.collections.get(sources[name] ?? "");
  return source ? [name, ...renamePath(path, source, walk).path].join(".") : text;
}

/** A path begins at the collection of the condition, or with the name of a collection on the way. */
function renameColumn(path: readonly string[], scopes: Scopes, walk: Walk): string {
  const [root] = scopes;
  const [first = "", ...rest] = path;
  const named =
    path.length === 1 || root?.relations.has(first) ? undefined : scopes.find(({ name }) => name === first);
  if (named) return [walk.names.collection(first), ...renamePath(rest, named, walk).path].join(".");
  return root ? renamePath(path, root, walk).path.join(".") : path.join(".");
}

function mapEntries(
  object: Record<string, unknown>,
  map: (key: string, value: unknown) => [string, unknown],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => map(key, value)));
}
