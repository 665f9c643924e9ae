/** Wire shapes of the item routes. Fields are judged by the schema of the collection, not here. */
import { z } from "zod";
import { AppError, suggestion } from "../../core/errors";
import { ignored } from "../../core/query/parse";
import type { UpdateEntry, UpsertTarget, WriteBody } from "../../data";
import { readQueryString } from "../../http";
import { readVersion } from "./version";

/** The key of an item. */
export const id = z.union([z.string(), z.number()]);
export const item = z.record(z.string(), z.unknown());
const names = z.union([z.string(), z.array(z.string())], "expected a field, or a list of fields");

export const bulkRemove = z.array(id);
export const updateWhere = z.strictObject({ filter: item, data: item });
export const removeWhere = z.strictObject({ filter: item });
const upsert = z.union([
  z.strictObject({ on: names, data: z.union([item, z.array(item)]) }),
  z.strictObject({ filter: item, data: item }),
]);

/** Reads a body by a shape. @throws AppError BAD_REQUEST with `message` and the first place that is wrong. */
export function readBody<T>(shape: z.ZodType<T>, body: unknown, message: string): T {
  const result = shape.safeParse(body);
  if (result.success) return result.data;
  const place = result.error.issues[0]?.path.join(".");
  throw new AppError("BAD_REQUEST", place ? `${message} (at ${place})` : message);
}

/** The body of a write of one item, as it is: see `readBodies`. @throws AppError BAD_REQUEST */
export function readItem(body: unknown): WriteBody {
  if (isBody(body)) return body;
  throw new AppError("BAD_REQUEST", "Request body must be an object");
}

/** An entry of `PATCH /bulk`: `{id, data}` or `{id, …fields}`. */
type BulkEntry = z.infer<typeof item> & { readonly id: z.infer<typeof id> };

/**
 * The bodies of `POST /bulk`, as they are: a shape would copy every one of them, at a fifth of the cost of the request.
 * @throws AppError BAD_REQUEST
 */
export function readBodies(body: unknown): readonly WriteBody[] {
  const message = "Request body must be an array";
  const list = readArray(body, message);
  const wrong = list.findIndex((one) => !isBody(one));
  if (wrong >= 0) throw new AppError("BAD_REQUEST", `${message} (at ${wrong})`);
  return list as readonly WriteBody[];
}

/** The entries of `PATCH /bulk`. @throws AppError BAD_REQUEST */
export function readEntries(body: unknown): readonly UpdateEntry[] {
  const message = "Request body must be an array of {id, data}";
  return readArray(body, message).map((entry, i) => {
    if (!isBody(entry)) throw new AppError("BAD_REQUEST", `${message} (at ${i})`);
    if (!id.safeParse(entry.id).success) throw new AppError("BAD_REQUEST", `${message} (at ${i}.id)`);
    return readEntry(entry as BulkEntry, `[${i}].version`);
  });
}

function readArray(body: unknown, message: string): readonly unknown[] {
  if (Array.isArray(body)) return body;
  throw new AppError("BAD_REQUEST", message);
}

/** `{id, data}` (and `version`) stays; `{id, …fields}` becomes it. `place` starts messages. */
export function readEntry(entry: BulkEntry, place = "version"): UpdateEntry {
  const { id: key, data, ...fields } = entry;
  const { version, ...others } = fields;
  const isEntry = isBody(data) && Object.keys(others).length === 0;
  if (isEntry && version === undefined) return { id: key, data };
  if (isEntry && typeof version === "string") return { id: key, data, ...named(readVersion(version, place)) };
  return { id: key, data: data === undefined ? fields : { ...fields, data } };
}

function named(version: string | undefined): { readonly version?: string } {
  return version === undefined ? {} : { version };
}

function isBody(value: unknown): value is WriteBody {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An upsert: what names the items, and their bodies; `one`: the body was no list. */
export type Upsert = {
  readonly target: UpsertTarget;
  readonly bodies: readonly WriteBody[];
  readonly one: boolean;
};

/** Reads `{on, data}` or `{filter, data}`. @throws AppError BAD_REQUEST */
export function readUpsert(body: unknown, place = "Request body"): Upsert {
  const wish = readBody(
    upsert,
    body,
    `${place} must be {"on": field or fields, "data": item or items} or {"filter": {…}, "data": item}`,
  );
  const { data } = wish;
  const target = "on" in wish ? { on: readOn(wish.on) } : { filter: wish.filter };
  return Array.isArray(data)
    ? { target, bodies: data, one: false }
    : { target, bodies: [data as WriteBody], one: true };
}

/** The fields that `on` names: a list, or one text with commas between. */
export function readOn(on: string | readonly string[]): readonly string[] {
  return typeof on === "string" ? on.split(",").map((name) => name.trim()) : on;
}

/** Parameters of the query string that writes know. */
const writeParameters = ["fields", "permanent", "filter"] as const;
type WriteParameter = (typeof writeParameters)[number];

/**
 * The parameters of a write. @throws AppError INVALID_QUERY for one that this route does not know, as that would not do
 * what its sender wants.
 */
export function readWriteQuery(
  query: Readonly<Record<string, unknown>>,
  known: readonly WriteParameter[],
): { readonly fields?: unknown; readonly permanent: boolean; readonly filter?: unknown } {
  refuseOthers(query, known);
  const { fields, permanent, filter } = query;
  return { fields, filter, permanent: readFlag(permanent, "permanent") };
}

/**
 * The parameters of a request to a route that knows these alone, by default none. @throws AppError INVALID_QUERY for another
 * one: a client that sends it counts on it.
 */
export function readParameters(
  { url }: Request,
  known: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  const query = readQueryString(url);
  refuseOthers(query, known);
  return query;
}

function refuseOthers(query: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  for (const name of Object.keys(query)) {
    if (ignored.has(name) || known.includes(name)) continue;
    throw new AppError("INVALID_QUERY", `unknown parameter '${name}'${suggestion(name, known)}`);
  }
}

/** A flag that is missing, `true` or `false`: nothing else, and not empty either, may count as no. @throws AppError INVALID_QUERY */
export function readFlag(value: unknown, place: string): boolean {
  if (value === undefined || value === "false") return false;
  if (value === "true") return true;
  throw new AppError("INVALID_QUERY", `${place}: expected true or false`);
}
