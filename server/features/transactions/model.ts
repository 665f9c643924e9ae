/** The body of `POST /transaction`: from what was sent to operations that are known to be whole. */
import { transactionLimit } from "@baasix/types";
import { z } from "zod";
import { AppError, suggestion } from "../../core/errors";
import type { Schema } from "../../core/schema/model";
import { itemBody, itemId } from "../items";
import { checkText, mapTexts, type Names, refuseReferences } from "./references";
import { mapBody } from "./related";

const fieldsQuery = z.strictObject({ fields: z.unknown() }).partial().optional();
const named = {
  collection: z.string(),
  name: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,62}$/, "expected letters, digits, _ and -, beginning with a letter")
    .optional(),
};
const choice = { id: itemId.optional(), filter: itemBody.optional() };
const ids = z.union([itemId, z.array(itemId)]);
const items = z.union([itemBody, z.array(itemBody)]);
const version = z.string().optional();

const shapes = {
  create: z.strictObject({ action: z.literal("create"), ...named, data: items, query: fieldsQuery }),
  update: z.strictObject({
    action: z.literal("update"),
    ...named,
    ...choice,
    data: items,
    version,
    query: fieldsQuery,
  }),
  delete: z.strictObject({
    action: z.literal("delete"),
    ...named,
    id: ids.optional(),
    filter: itemBody.optional(),
    permanent: z.boolean().optional(),
    version,
  }),
  upsert: z.strictObject({
    action: z.literal("upsert"),
    ...named,
    on: z.union([z.string(), z.array(z.string())]).optional(),
    filter: itemBody.optional(),
    data: items,
    query: fieldsQuery,
  }),
  restore: z.strictObject({ action: z.literal("restore"), ...named, id: ids, query: fieldsQuery }),
  sort: z.strictObject({
    action: z.literal("sort"),
    ...named,
    id: ids,
    to: itemId.optional(),
    mode: z.enum(["before", "after"]).optional(),
  }),
  read: z.strictObject({
    action: z.literal("read"),
    ...named,
    id: itemId.optional(),
    query: itemBody.optional(),
  }),
} as const;

type Shapes = typeof shapes;
type ActionName = keyof Shapes;
const actions = Object.keys(shapes) as ActionName[];

/** One operation as it was sent; its references are checked, and stand in it still. */
export type Operation = { [Name in ActionName]: z.infer<Shapes[Name]> }[ActionName];

/** The body, for the API's description. */
export const transactionBody = z.strictObject({
  operations: z
    .array(z.discriminatedUnion("action", Object.values(shapes) as [Shapes["create"], Shapes["read"]]))
    .min(1)
    .max(transactionLimit),
});

/** A transaction to run. */
export type Transaction = { readonly operations: readonly Operation[]; readonly names: Names };

/**
 * Reads a body: `{operations: […]}`, or the list alone. `table`, `operation` (insert, update, delete) and `conditions` are
 * other words for `collection`, `action` and `id` or `filter`.
 * @throws AppError BAD_REQUEST, QUERY_TOO_COMPLEX that names the operation, also for a reference that cannot hold.
 */
export function readTransaction(body: unknown): Transaction {
  const list = Array.isArray(body) ? body : isObject(body) ? body.operations : undefined;
  if (!Array.isArray(list) || list.length === 0) {
    throw new AppError("BAD_REQUEST", 'Request body must be {"operations": […]} with at least one operation');
  }
  if (!Array.isArray(body)) refuseOthers(body as Readonly<Record<string, unknown>>);
  if (list.length > transactionLimit) {
    throw new AppError(
      "QUERY_TOO_COMPLEX",
      `operations: at most ${transactionLimit} in one transaction; got ${list.length}`,
    );
  }
  const operations = list.map(readOperation);
  const names = namesOf(operations);
  operations.forEach((operation, i) =>
    within(i, () => checkReferences(operation, i, operations.length, names)),
  );
  return { operations, names };
}

function refuseOthers(body: Readonly<Record<string, unknown>>): void {
  const other = Object.keys(body).find((name) => name !== "operations");
  if (other !== undefined)
    throw new AppError("BAD_REQUEST", `body: unknown '${other}'${suggestion(other, ["operations"])}`);
}

/** Adds to errors which operation they are of. */
function within<T>(index: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof AppError && error.details === null
      ? new AppError(error.code, error.message, { operation: index })
      : error;
  }
}

function readOperation(sent: unknown, index: number): Operation {
  const place = `operations[${index}]`;
  return within(index, () => {
    if (!isObject(sent)) throw new AppError("BAD_REQUEST", `${place}: expected an object`);
    const operation = inOurWords(sent);
    const { action } = operation;
    if (typeof action !== "string" || !Object.hasOwn(shapes, action)) {
      const near = typeof action === "string" ? suggestion(action, actions) : "";
      throw new AppError("BAD_REQUEST", `${place}.action: expected ${actions.join(", ")}${near}`);
    }
    const shape: z.ZodType<Operation> = shapes[action as ActionName];
    const result = shape.safeParse(operation);
    if (!result.success) throw mistake(result.error, shapes[action as ActionName], place);
    checkWhole(result.data, place);
    return result.data;
  });
}

const otherActions: Readonly<Record<string, ActionName>> = {
  insert: "create",
  update: "update",
  delete: "delete",
};

function inOurWords({ table, operation, conditions, ...sent }: Readonly<Record<string, unknown>>) {
  const own: Record<string, unknown> = { ...sent };
  if (table !== undefined) own.collection ??= table;
  if (typeof operation === "string") {
    own.action ??= Object.hasOwn(otherActions, operation) ? otherActions[operation] : operation;
  }
  if (isObject(conditions) && own.filter === undefined && own.id === undefined) {
    const { id, ...others } = conditions;
    const isKey = (typeof id === "string" || typeof id === "number") && Object.keys(others).length === 0;
    if (isKey) own.id = id;
    else own.filter = conditions;
  } else if (conditions !== undefined) own.conditions = conditions;
  return own;
}

function mistake(error: z.ZodError, shape: Shapes[ActionName], place: string): AppError {
  const [issue] = error.issues;
  const path = (issue?.path ?? []).map((name) =>
    typeof name === "number" ? `[${name}]` : `.${String(name)}`,
  );
  const at = `${place}${path.join("")}`;
  if (issue?.code === "unrecognized_keys") {
    const [name = ""] = issue.keys;
    const known = path.length === 0 ? Object.keys(shape.shape) : ["fields"];
    return new AppError("BAD_REQUEST", `${at}.${name}: unknown here${suggestion(name, known)}`);
  }
  const message = issue?.code === "invalid_union" ? "not of the kind that is wanted here" : issue?.message;
  return new AppError("BAD_REQUEST", `${at}: ${message ?? "not valid"}`);
}

/** What the shapes cannot say. */
function checkWhole(operation: Operation, place: string): void {
  const wrong = (message: string): AppError => new AppError("BAD_REQUEST", `${place}: ${message}`);
  const given = (...values: readonly unknown[]): number => values.filter((one) => one !== undefined).length;
  switch (operation.action) {
    case "update": {
      const { id, filter, data } = operation;
      if (Array.isArray(data)) {
        if (given(id, filter) > 0) throw wrong("a list of {id, data} takes neither id nor filter beside it");
        const bad = data.findIndex((entry) => typeof entry.id !== "string" && typeof entry.id !== "number");
        if (bad >= 0)
          throw new AppError("BAD_REQUEST", `${place}.data[${bad}].id: expected the key of an item`);
      } else if (given(id, filter) !== 1) throw wrong("give either id or filter");
      if (operation.version !== undefined && id === undefined) throw wrong("version needs an id");
      break;
    }
    case "delete":
      if (given(operation.id, operation.filter) !== 1) throw wrong("give either id or filter");
      if (operation.version !== undefined && (operation.id === undefined || Array.isArray(operation.id)))
        throw wrong("version needs one id");
      break;
    case "upsert":
      if (given(operation.on, operation.filter) !== 1) throw wrong("give either on or filter");
      if (operation.filter && Array.isArray(operation.data)) throw wrong("a filter takes one item in data");
      break;
    case "sort": {
      const { id, to, mode } = operation;
      if (!Array.isArray(id)) {
        if (to === undefined) throw wrong("one item goes next to another one: give to, or a list as id");
      } else if (given(to, mode) > 0) throw wrong("a list takes neither to nor mode");
      break;
    }
    case "create":
    case "restore":
    case "read":
  }
  const several =
    "data" in operation ? Array.isArray(operation.data) : "id" in operation && Array.isArray(operation.id);
  const matches = operation.action === "update" && operation.filter !== undefined;
  if (
    operation.action !== "read" &&
    "query" in operation &&
    operation.query?.fields !== undefined &&
    (several || matches)
  )
    throw wrong("query.fields: only a write of one item shows it");
}

function namesOf(operations: readonly Operation[]): Names {
  const names = new Map<string, number>();
  operations.forEach(({ name }, i) => {
    if (name === undefined) return;
    if (names.has(name)) {
      const details = { operation: i };
      throw new AppError(
        "BAD_REQUEST",
        `operations[${i}].name: '${name}' is the name of another one`,
        details,
      );
    }
    names.set(name, i);
  });
  return names;
}

/** Members of an operation whose values choose items. */
const choices: ReadonlySet<string> = new Set(["id", "to", "filter", "version"]);

/** Members of a read's query whose values choose items. */
const choosing: ReadonlySet<string> = new Set(["filter", "relConditions", "relFilter", "search", "having"]);

function checkReferences(operation: Operation, index: number, count: number, names: Names): void {
  const check = checkText(names, index, count);
  const place = `operations[${index}]`;
  for (const [name, value] of Object.entries(operation)) {
    const at = `${place}.${name}`;
    if (name === "data") mapTexts(value, "data", at, check);
    else if (choices.has(name)) mapTexts(value, "choice", at, check);
    else if (name === "query") checkQuery(value as Readonly<Record<string, unknown>>, at, check);
    else refuseReferences(value, at);
  }
}

function checkQuery(
  query: Readonly<Record<string, unknown>> | undefined,
  place: string,
  check: ReturnType<typeof checkText>,
): void {
  for (const [name, value] of Object.entries(query ?? {})) {
    const at = `${place}.${name}`;
    // A filter that is JSON text would be parsed after the values are in it.
    const isText = typeof value === "string" && name !== "search";
    if (choosing.has(name) && !isText) mapTexts(value, "choice", at, check);
    else refuseReferences(value, at);
  }
}

/** The operation with results in the place of its references. */
export function fill(
  operation: Operation,
  index: number,
  schema: Schema,
  read: ReturnType<typeof checkText>,
): Operation {
  const place = `operations[${index}]`;
  const filled: Record<string, unknown> = { ...operation };
  if ("data" in operation) filled.data = fillData(operation, schema, `${place}.data`, read);
  for (const name of choices) {
    if (filled[name] !== undefined) filled[name] = mapTexts(filled[name], "choice", `${place}.${name}`, read);
  }
  if (operation.action === "read" && operation.query) {
    filled.query = Object.fromEntries(
      Object.entries(operation.query).map(([name, value]) => [
        name,
        choosing.has(name) ? mapTexts(value, "choice", `${place}.query.${name}`, read) : value,
      ]),
    );
  }
  const { action } = operation;
  const takesList = action === "sort" ? operation.to === undefined : action !== "update" && action !== "read";
  checkKeys(filled.id, takesList, `${place}.id`);
  checkKeys(filled.to, false, `${place}.to`);
  return filled as Operation;
}

/** Bodies; those of an update of several items lie beside their keys, or under `data`. */
function fillData(
  { action, collection, data }: Extract<Operation, { data: unknown }>,
  schema: Schema,
  place: string,
  read: ReturnType<typeof checkText>,
): unknown {
  const described = schema.collections.get(collection);
  if (!described) return mapTexts(data, "data", place, read);
  const one = (body: unknown, at: string): unknown => mapBody(schema, described, body, at, read);
  if (!Array.isArray(data)) return one(data, place);
  return data.map((entry, i) => {
    const at = `${place}[${i}]`;
    if (action !== "update" || !isObject(entry.data)) return one(entry, at);
    const { data: body, ...beside } = entry;
    return { ...(mapTexts(beside, "data", at, read) as object), data: one(body, `${at}.data`) };
  });
}

/** A reference may have led to a list, or to true. */
function checkKeys(value: unknown, several: boolean, place: string): void {
  const isKey = (one: unknown): boolean => typeof one === "string" || typeof one === "number";
  if (value === undefined || isKey(value) || (several && Array.isArray(value) && value.every(isKey))) return;
  throw new AppError("BAD_REQUEST", `${place}: the reference leads to what is no key of an item`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
