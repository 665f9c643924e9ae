/** The values of relations whose key lies in the related items: lists, single items, and rows of junctions. */
import { AppError, suggestion } from "../errors";
import type { Collection, Relation } from "../schema/model";
import { tenantCollection, tenantColumn } from "../schema/tenants";
import { isObject } from "./filter";
import {
  type Body,
  checkDepth,
  count,
  type End,
  type ListChange,
  type ListEntry,
  type ListPart,
  type ListStep,
  listSteps,
  readKey,
  readReference,
  type Reading,
  targetOf,
  type ToOne,
} from "./nestedBody";
import { noNames } from "./nestedNames";

/** One list that is being read. */
type Place = {
  readonly reading: Reading;
  readonly relation: Relation;
  readonly target: Collection;
  readonly ends: readonly End[];
  readonly depth: number;
};

/** Reads the value of such a relation; null when it leaves the related items as they are. */
export function readList(
  reading: Reading,
  relation: Relation,
  target: Collection,
  value: unknown,
  at: string,
  depth: number,
): ListPart | null {
  checkDepth(depth, at);
  if (value !== null && target.fields.get(relation.targetColumn)?.managed !== null) {
    throw new AppError(
      "INVALID_VALUE",
      `${at}: '${relation.targetColumn}' of '${target.name}' is filled by the server; nothing can be attached by it`,
    );
  }
  const ends = relation.kind === "many" ? endsOf(target, relation) : [];
  const place: Place = { reading, relation, target, ends, depth };
  const change = relation.kind === "one" ? oneOf(place, value, at) : changeOf(place, value, at);
  return change && { relation, target, place: at, ends, change };
}

/** The ends of a junction, seen from the item in whose list its rows stand. */
function endsOf(junction: Collection, held: Relation): readonly End[] {
  if (junction.definition.isJunction !== true) return [];
  const leading = [...junction.relations.values()].filter(
    ({ keyOn, sourceColumn, target }) =>
      keyOn === "source" &&
      sourceColumn !== held.targetColumn &&
      !(sourceColumn === tenantColumn && target === tenantCollection) &&
      junction.fields.get(sourceColumn)?.managed === null,
  );
  return [...Map.groupBy(leading, ({ sourceColumn }) => sourceColumn)].flatMap(
    ([column, [first, ...rest]]) => (first ? [{ column, relations: [first, ...rest] as const }] : []),
  );
}

function oneOf(place: Place, value: unknown, at: string): ListChange {
  return { kind: "set", entries: value === null ? [] : [plainEntry(place, value, at)] };
}

function changeOf(place: Place, value: unknown, at: string): ListChange | null {
  if (value === null) return null;
  if (Array.isArray(value)) return { kind: "set", entries: entriesOf(place, value, at) };
  const form = `expected a list of items, or an object of lists: ${listSteps.join(", ")}`;
  if (!isObject(value)) throw new AppError("INVALID_VALUE", `${at}: ${form}`);
  const steps = Object.keys(value);
  const unknown = steps.find((step) => !listSteps.some((one) => one === step));
  if (unknown !== undefined) {
    throw new AppError("INVALID_VALUE", `${at}.${unknown}: ${form}${suggestion(unknown, listSteps)}`);
  }
  const entries = (step: ListStep): readonly ListEntry[] => {
    const list = value[step];
    if (list === undefined) return [];
    if (!Array.isArray(list)) throw new AppError("INVALID_VALUE", `${at}.${step}: expected a list`);
    return list.map((entry: unknown, i) => stepEntry(place, step, entry, `${at}.${step}[${i}]`));
  };
  return {
    kind: "steps",
    create: entries("create"),
    connect: entries("connect"),
    update: entries("update"),
    detach: entries("detach"),
    delete: entries("delete"),
  };
}

function entriesOf(place: Place, list: readonly unknown[], at: string): readonly ListEntry[] {
  return list.map((entry, i) =>
    place.ends.length > 0
      ? junctionEntry(place, entry, `${at}[${i}]`)
      : plainEntry(place, entry, `${at}[${i}]`),
  );
}

function plainEntry({ reading, relation, target, depth }: Place, value: unknown, at: string): ListEntry {
  const reference = value === null ? null : readReference(reading, target, value, at, depth, relation);
  switch (reference?.kind) {
    case "create":
      return { place: at, key: null, end: null, bare: false, body: reference.body };
    case "update":
      return { place: at, key: reference.key, end: null, bare: false, body: reference.body };
    case "connect":
      return { place: at, key: reference.key, end: null, bare: true, body: emptyBody(at) };
    default:
      throw new AppError(
        "INVALID_VALUE",
        `${at}: expected the key of an item of '${target.name}', or an object of its fields`,
      );
  }
}

function stepEntry(place: Place, step: ListStep, value: unknown, at: string): ListEntry {
  const { reading, relation, target, ends, depth } = place;
  if (step === "create") {
    if (!isObject(value)) throw new AppError("INVALID_VALUE", `${at}: expected an object of field and value`);
    // Here a key is that of the new item.
    if (ends.length === 0) {
      const body = reading.read(reading, target, value, `${at}.`, depth, relation);
      return { place: at, key: null, end: null, bare: false, body };
    }
    return newRow(place, junctionEntry(place, value, at), at);
  }
  const entry = ends.length > 0 ? junctionEntry(place, value, at) : plainEntry(place, value, at);
  if (entry.key === null && entry.end === null) {
    throw new AppError("INVALID_VALUE", `${at}: name the item by its key '${target.primaryKey.name}'`);
  }
  const says = step === "update" ? !entry.bare : entry.bare || (step === "connect" && entry.key === null);
  if (says) return entry;
  throw new AppError(
    "INVALID_VALUE",
    step === "update"
      ? `${at}: say what changes beside the key`
      : `${at}: takes keys alone; what changes an item stands under update`,
  );
}

/** A row that is made even when one that leads to the same is there; its key, if it has one, is that of the new row. */
function newRow(place: Place, entry: ListEntry, at: string): ListEntry {
  requireEnds(place, entry.body, at);
  if (entry.key === null) return { ...entry, bare: false };
  const own = new Map([...entry.body.own, [place.target.primaryKey.name, entry.key]]);
  return { ...entry, key: null, bare: false, body: { ...entry.body, own } };
}

function emptyBody(at: string): Body {
  return { place: `${at}.`, own: new Map(), toOne: [], lists: [], named: noNames };
}

/** A row of a junction, or the key of what it leads to. */
function junctionEntry(place: Place, value: unknown, at: string): ListEntry {
  const { reading, relation, target, ends, depth } = place;
  checkDepth(depth, at);
  if (typeof value === "string" || typeof value === "number") {
    count(reading, at);
    const part = bareEnd(place, value, at);
    const body = { ...emptyBody(at), toOne: [part] };
    return { place: at, key: null, end: endText(ends, body), bare: true, body };
  }
  if (!isObject(value)) throw new AppError("INVALID_VALUE", `${at}: expected ${forms(place)}`);
  const { name } = target.primaryKey;
  const row = withoutAliases(place, value, at);
  const key =
    row[name] === undefined || row[name] === null ? null : readKey(target, row[name], `${at}.${name}`);
  const fields = Object.fromEntries(Object.entries(row).filter(([field]) => field !== name));
  const read = reading.read(reading, target, fields, `${at}.`, depth, relation);
  const body = { ...read, ...connectedEnds(place, read, at) };
  if (key === null) requireEnds(place, body, at);
  const end = endText(ends, body);
  const others = [...body.own.keys()].filter((column) => column !== relation.targetColumn);
  const ended = body.toOne.filter(({ reference }) => reference.kind === "connect").length;
  const connects = others.length === 0 && body.lists.length === 0 && ended === body.toOne.length;
  return { place: at, key, end, bare: connects && (key === null || ended === 0), body };
}

function bareEnd({ reading, ends, target }: Place, value: string | number, at: string): ToOne {
  const [end, other] = ends;
  const relation = end?.relations[0];
  if (!relation || relation.scope !== null || other) {
    throw new AppError(
      "INVALID_VALUE",
      `${at}: a key alone does not say where the row of '${target.name}' leads; expected an object`,
    );
  }
  const to = targetOf(reading.schema, relation);
  return { relation, target: to, reference: { kind: "connect", key: readKey(to, value, at) }, place: at };
}

/** `type`, `item` and `id` in the row of a junction that leads to several collections, as what they stand for. */
function withoutAliases(
  { target, ends }: Place,
  value: Readonly<Record<string, unknown>>,
  at: string,
): Readonly<Record<string, unknown>> {
  const end = ends.find(({ relations: [{ scope }] }) => scope !== null);
  const scope = end?.relations[0].scope;
  if (!end || !scope) return value;
  const row = new Map(Object.entries(value));
  const rename = (alias: string, column: string): void => {
    if (!row.has(alias)) return;
    if (row.get(column) !== undefined)
      throw new AppError("INVALID_VALUE", `${at}.${alias}: '${column}' is given too; give one of them`);
    row.set(column, row.get(alias));
    row.delete(alias);
  };
  const isFree = (alias: string): boolean => !target.fields.has(alias) && !target.relations.has(alias);
  if (isFree("type")) rename("type", scope.column);
  if (isFree("item")) rename("item", end.column);
  const key = row.get("id");
  const isItem = typeof key === "string" || typeof key === "number";
  const leads = [end.column, ...end.relations.map(({ name }) => name)].some(
    (name) => row.get(name) !== undefined && row.get(name) !== null,
  );
  if (isItem && row.has(scope.column) && !leads) rename("id", end.column);
  return Object.fromEntries(row);
}

/** Keys that were given as columns become relations that connect, so that their items are looked for. */
function connectedEnds({ reading, ends }: Place, body: Body, at: string): Pick<Body, "own" | "toOne"> {
  const own = new Map(body.own);
  const toOne = [...body.toOne];
  for (const { column, relations } of ends) {
    const given = own.get(column);
    if (given === undefined || given === null) continue;
    const relation =
      relations.length === 1 && !relations[0].scope ? relations[0] : scoped(relations, own, at);
    if (!relation) continue;
    const target = targetOf(reading.schema, relation);
    const place = `${at}.${column}`;
    toOne.push({
      relation,
      target,
      reference: { kind: "connect", key: readKey(target, given, place) },
      place,
    });
    own.delete(column);
  }
  for (const { relation } of toOne) if (relation.scope) own.delete(relation.scope.column);
  return { own, toOne };
}

/** The relation of the collection that the row names; none when it names none. */
function scoped(
  relations: readonly Relation[],
  own: ReadonlyMap<string, unknown>,
  at: string,
): Relation | undefined {
  const column = relations[0]?.scope?.column ?? "";
  const named = own.get(column);
  if (named === undefined || named === null) return undefined;
  const found = relations.find(({ scope }) => scope?.value === named);
  if (found) return found;
  const valid = relations.flatMap(({ scope }) => scope?.value ?? []);
  throw new AppError(
    "INVALID_VALUE",
    `${at}.${column}: expected one of ${valid.join(", ")}${suggestion(String(named), valid)}`,
  );
}

/** A new row of a junction leads somewhere. */
function requireEnds(place: Place, body: Body, at: string): void {
  for (const { column } of place.ends) {
    const part = body.toOne.find(({ relation }) => relation.sourceColumn === column);
    if (part && part.reference.kind !== "detach") continue;
    if (place.target.fields.get(column)?.allowNull) continue;
    throw new AppError("INVALID_VALUE", `${at}: expected ${forms(place)}`);
  }
}

/** What an entry may look like. */
function forms({ ends, target }: Place): string {
  const [end] = ends;
  if (!end) return "an object";
  const { column, relations } = end;
  const { scope, name } = relations[0];
  if (scope) {
    return `{"${scope.column}": …, "${column}": …} or {"${scope.column}": …, "${name}": {…}}, where '${scope.column}' is one of ${relations.map((one) => one.scope?.value).join(", ")}`;
  }
  return `a key of '${relations[0].target}', {"${column}": …}, {"${name}": {…}} or {"${target.primaryKey.name}": …} of '${target.name}'`;
}

/** The same text for rows of a junction that lead to the same items; null when one of its ends is not known. */
function endText(ends: readonly End[], { toOne }: Pick<Body, "toOne">): string | null {
  const keys: (readonly [string, string])[] = [];
  for (const { column } of ends) {
    const part = toOne.find(({ relation }) => relation.sourceColumn === column);
    if (!part || !("key" in part.reference)) return null;
    keys.push([part.relation.scope?.value ?? "", part.reference.key]);
  }
  return textOfEnds(keys);
}

/** The text of ends: for each the collection where one key leads to several, and the key. */
export function textOfEnds(ends: readonly (readonly [scope: string, key: string])[]): string {
  return JSON.stringify(ends);
}
