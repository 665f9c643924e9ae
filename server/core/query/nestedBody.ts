/** What a write body says of an item and of the items that it is related to, and how the value of one of these is read. */
import { AppError } from "../errors";
import { parseValue } from "../schema/fields";
import type { Collection, Relation, Schema } from "../schema/model";
import { isObject } from "./filter";

/** Most relations that a path into a body may pass, and most items that one request may name. */
export const nestedLimits = { depth: 7, rows: 10_000 } as const;

/** One item to write: its own columns, and what becomes of the items that it is related to. */
export type Body = {
  /** The start of messages about it: `items[2].author.`, nothing for the item of a request for one. */
  readonly place: string;
  readonly own: ReadonlyMap<string, unknown>;
  readonly toOne: readonly ToOne[];
  readonly lists: readonly ListPart[];
  readonly named: Named;
};

/** A relation whose key lies in the item that is written. */
export type ToOne = {
  readonly relation: Relation;
  readonly target: Collection;
  readonly reference: Reference;
  readonly place: string;
};

/** What a value says of a related item. Keys as the text of `parseValue`. */
export type Reference =
  | { readonly kind: "detach" }
  | { readonly kind: "connect"; readonly key: string }
  | { readonly kind: "update"; readonly key: string; readonly body: Body }
  | { readonly kind: "create"; readonly body: Body };

/** A relation whose key lies in the related items: one (HasOne) or many. */
export type ListPart = {
  readonly relation: Relation;
  readonly target: Collection;
  readonly place: string;
  /** Where the rows of a junction lead to, apart from the item that is written; empty when `target` is none. */
  readonly ends: readonly End[];
  readonly change: ListChange;
};

/** `set`: these and no others. `steps`: these, and the others stay as they are. */
export type ListChange =
  | { readonly kind: "set"; readonly entries: readonly ListEntry[] }
  | ({ readonly kind: "steps" } & { readonly [Step in ListStep]: readonly ListEntry[] });

export const listSteps = ["create", "connect", "update", "detach", "delete"] as const;
export type ListStep = (typeof listSteps)[number];

/** All entries of a list. */
export function entriesOf(change: ListChange): readonly ListEntry[] {
  return change.kind === "set" ? change.entries : listSteps.flatMap((step) => change[step]);
}

/** How many items the lists of a body come to: each list, and what its entries name. */
export function countListed({ lists }: Body): number {
  let items = 0;
  for (const { change } of lists) {
    items++;
    for (const { body } of entriesOf(change)) items += countNamed(body);
  }
  return items;
}

function countNamed(body: Body): number {
  let items = 1 + countListed(body);
  for (const { reference } of body.toOne) items += "body" in reference ? countNamed(reference.body) : 1;
  return items;
}

/**
 * One entry of a list. `key`: of the related row (of a junction: of its row), null when it is not given. `end`: to what a
 * junction's row leads, equal for rows that lead to the same; null when that is not given or not there yet. `bare`: it
 * says nothing more.
 */
export type ListEntry = {
  readonly place: string;
  readonly key: string | null;
  readonly end: string | null;
  readonly bare: boolean;
  readonly body: Body;
};

/** What reading a request shares: the items that it named so far, and how a body inside another is read. */
export type Reading = { readonly schema: Schema; rows: number; readonly read: ReadNested };

/**
 * Reads one body. `held`: the relation whose list it stands in; the key of that is the writer's, and a body that says
 * another one is refused.
 */
export type ReadNested = (
  reading: Reading,
  collection: Collection,
  body: unknown,
  place: string,
  depth: number,
  held: Relation | null,
) => Body;

/**
 * Names that bodies use at one place. `columns`: given themselves. `keys`: key columns that only say which item is related,
 * with the relations that say it: the name of the column or of the relation opens them. `relations`: through which items
 * are written, with what is named behind them.
 */
export type Named = {
  readonly columns: ReadonlySet<string>;
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>;
  readonly relations: ReadonlyMap<string, Named>;
};

/**
 * Where a row of a junction leads to: the column of the key, and the relations that follow it (several where the key leads
 * to one of several collections; then each has a scope).
 */
export type End = { readonly column: string; readonly relations: readonly [Relation, ...Relation[]] };

/** A value that stands for one related item. */
export function readReference(
  reading: Reading,
  target: Collection,
  value: unknown,
  at: string,
  depth: number,
  held: Relation | null = null,
): Reference {
  checkDepth(depth, at);
  if (value === null) return { kind: "detach" };
  if (typeof value === "string" || typeof value === "number") {
    count(reading, at);
    return { kind: "connect", key: readKey(target, value, at) };
  }
  if (!isObject(value)) {
    throw new AppError(
      "INVALID_VALUE",
      `${at}: expected the key of an item of '${target.name}', an object of its fields, or null`,
    );
  }
  const { name } = target.primaryKey;
  if (value[name] === undefined || value[name] === null) {
    const fields = Object.fromEntries(Object.entries(value).filter(([field]) => field !== name));
    return { kind: "create", body: reading.read(reading, target, fields, `${at}.`, depth, held) };
  }
  const key = readKey(target, value[name], `${at}.${name}`);
  const body = reading.read(reading, target, value, `${at}.`, depth, held);
  const says = body.toOne.length + body.lists.length + body.own.size > 1;
  return says ? { kind: "update", key, body } : { kind: "connect", key };
}

/** The text of a key. @throws AppError INVALID_VALUE */
export function readKey(target: Collection, value: unknown, at: string): string {
  const text = parseValue(value, target.primaryKey, at);
  if (text === null) throw new AppError("INVALID_VALUE", `${at}: expected the key of an item`);
  return text;
}

/** The collection that a relation leads to. */
export function targetOf(schema: Schema, { target }: Relation): Collection {
  const collection = schema.collections.get(target);
  if (!collection) throw new Error(`a relation leads to '${target}', which does not exist`);
  return collection;
}

/** @throws AppError QUERY_TOO_COMPLEX */
export function checkDepth(depth: number, at: string): void {
  if (depth <= nestedLimits.depth) return;
  throw new AppError(
    "QUERY_TOO_COMPLEX",
    `${at}: related items may be nested ${nestedLimits.depth} levels deep; write the deeper ones by themselves`,
  );
}

/** Counts an item that the request names. @throws AppError QUERY_TOO_COMPLEX */
export function count(reading: Reading, at: string): void {
  if (++reading.rows <= nestedLimits.rows) return;
  throw new AppError(
    "QUERY_TOO_COMPLEX",
    `${at}: at most ${nestedLimits.rows} items in one request, related ones included`,
  );
}
