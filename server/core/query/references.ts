/** Texts with a meaning of their own → operands: variables, paths from the user's row, columns of the row itself. */
import { AppError } from "../errors";
import { castType, type FieldShape } from "../schema/fields";
import type { Collection, Field, Schema } from "../schema/model";
import { comparable, familyOf, planCast } from "./casts";
import { findCollection, findColumn, unknownField } from "./find";
import type { OperandContext } from "./operators/operator";
import type { ActorOperand, ColumnOperand, Hop, Operand } from "./planned";
import { type Param, type Reference, readReference } from "./variables";

/**
 * Reads a value that may stand for something else, to be compared with a column of the shape. Null: an ordinary value.
 * `column`: whether `$COL` may stand here.
 * @throws AppError INVALID_VALUE, UNKNOWN_FIELD, INVALID_QUERY
 */
export function planReference(
  value: unknown,
  shape: FieldShape,
  context: OperandContext,
  at: string,
  column = false,
): Operand | null {
  const reference = readReference(value, at);
  switch (reference?.kind) {
    case undefined:
      return null;
    case "param":
      checkVariable(reference.param, shape, String(value), at);
      return { kind: "param", param: reference.param, cast: castType(shape) };
    case "actor": {
      const operand = planActor(reference, context.schema, shape, at);
      if (operand.list)
        throw new AppError("INVALID_VALUE", `${at}: '${String(value)}' is a list; use 'in' or 'notIn'`);
      return operand;
    }
    case "column":
      if (!column) throw new AppError("INVALID_QUERY", `${at}: $COL works with eq, ne, gt, gte, lt and lte`);
      return planColumn(reference, shape, context, at);
  }
}

/** A path that passes a list, as an array; null when the value is anything else. */
export function planReferencedList(
  value: unknown,
  shape: FieldShape,
  context: OperandContext,
  at: string,
): Operand | null {
  const reference = readReference(value, at);
  if (reference?.kind !== "actor") return null;
  return planActor(reference, context.schema, shape, at);
}

/** A variable as text, wherever the type of what it is compared with does not matter. */
export function planTextReference(value: unknown, context: OperandContext, at: string): Operand | null {
  const reference = readReference(value, at);
  if (reference === null) return null;
  if (reference.kind === "param") return { kind: "param", param: reference.param, cast: "text" };
  if (reference.kind === "column")
    throw new AppError("INVALID_QUERY", `${at}: $COL works with eq, ne, gt, gte, lt and lte`);
  const operand = planActor(reference, context.schema, null, at);
  if (operand.list)
    throw new AppError("INVALID_VALUE", `${at}: '${String(value)}' is a list and cannot stand here`);
  return operand;
}

const sources = { user: "baasix_User", role: "baasix_Role" } as const;

/**
 * `$CURRENT_USER.path` and `$CURRENT_ROLE.path`, to be compared with the shape; null: as text, nothing: as they are. Fields
 * that nobody may read are unknown here.
 */
export function planActor(
  { of, path }: Reference & { kind: "actor" },
  schema: Schema,
  shape: FieldShape | null | undefined,
  at: string,
): ActorOperand {
  const source = findCollection(schema, sources[of]);
  const { hops, collection, list } = walk(schema, source, path.slice(0, -1), at, true);
  const field = visibleColumn(collection, path.at(-1) ?? "", at);
  const asText = shape === null || (shape !== undefined && familyOf(shape) === "text");
  if (!asText && shape) checkComparable(shape, field, `$CURRENT_${of.toUpperCase()}.${path.join(".")}`, at);
  const cast = asText ? "text" : castType(field);
  const key: Param = { kind: of === "user" ? "currentUser" : "currentRole" };
  return { kind: "actor", key, source, rows: null, hops, collection, field, guard: null, list, cast, at };
}

/**
 * `$COL(path)`. Names begin at the collection that the filter is about, or at the name of a collection on the way. As far
 * as the path is the one of the left side it means the same rows; from there on it may pass to-one relations alone.
 */
function planColumn(
  { path, cast }: Reference & { kind: "column" },
  shape: FieldShape,
  context: OperandContext,
  at: string,
): ColumnOperand {
  const { scopes, schema } = context;
  let [scope, rest] = startOf(path, scopes);
  while (rest.length > 1 && scopes[scope + 1]?.relation?.name === rest[0])
    [scope, rest] = [scope + 1, rest.slice(1)];
  const from = scopes[scope]?.collection;
  if (!from) throw new Error("a column reference stands in no collection");
  const { hops, collection } = walk(schema, from, rest.slice(0, -1), at, false);
  const field = findColumn(collection, rest.at(-1) ?? "", at);
  const planned = cast === null ? null : planCast(cast, field, at);
  checkComparable(shape, planned?.shape ?? field, `$COL(${path.join(".")})`, at);
  return { kind: "column", scope, hops, collection, field, cast: planned, guard: null, at };
}

function startOf(path: readonly string[], scopes: OperandContext["scopes"]): [number, readonly string[]] {
  const [first = ""] = path;
  const root = scopes[0]?.collection;
  if (path.length === 1 || root?.relations.has(first)) return [0, path];
  const named = scopes.findIndex(({ collection }) => collection.name === first);
  return named < 0 ? [0, path] : [named, path.slice(1)];
}

function walk(
  schema: Schema,
  from: Collection,
  path: readonly string[],
  at: string,
  lists: boolean,
): { hops: readonly Hop[]; collection: Collection; list: boolean } {
  const hops: Hop[] = [];
  let collection = from;
  let list = false;
  for (const name of path) {
    const relation = collection.relations.get(name);
    if (!relation) throw unknownField(collection, name, at);
    if (relation.kind === "many" && !lists)
      throw new AppError(
        "INVALID_QUERY",
        `${at}: '${name}' is a list; a column of it cannot be compared with`,
      );
    list ||= relation.kind === "many";
    collection = findCollection(schema, relation.target);
    hops.push({ relation, target: collection, rows: null });
  }
  return { hops, collection, list };
}

function visibleColumn(collection: Collection, name: string, at: string): Field {
  const field = findColumn(collection, name, at);
  if (field.hidden) throw unknownField(collection, name, at);
  return field;
}

function checkComparable(left: FieldShape, right: FieldShape, shown: string, at: string): void {
  if (comparable(left, right)) return;
  throw new AppError(
    "INVALID_QUERY",
    `${at}: a value of type ${left.type} cannot be compared with '${shown}' of type ${right.type}; cast one of them`,
  );
}

/** The families that a variable can be read as: ids are UUIDs, `$NOW` is an instant. */
function checkVariable(param: Param, shape: FieldShape, shown: string, at: string): void {
  const family = familyOf(shape);
  const fits =
    family === "text" ||
    (param.kind === "now" ? ["date", "timestamp", "time"].includes(family) : family === "uuid");
  if (!fits)
    throw new AppError(
      "INVALID_VALUE",
      `${at}: '${shown}' cannot be compared with a field of type ${shape.type}`,
    );
}
