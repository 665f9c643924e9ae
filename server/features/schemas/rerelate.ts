/** What `PATCH /schemas/:collection/relationships/:field` changes in the definitions of both ends and of the junction. */
import type { FieldDefinition, SchemaDefinition } from "@baasix/types";
import { AppError } from "../../core/errors";
import { isGenerated, type SchemaEdit } from "../../core/schema/edit";
import type { Collection, Relation, Schema } from "../../core/schema/model";
import { checkRelationName, invalid } from "../../core/schema/names";
import { type Rename, renameAll } from "../../core/schema/rename";
import { sameJson } from "../../core/schema/same";
import { builtIn, findCollection } from "./edits";
import type { RelationshipChange } from "./model";
import { checkOneKeyType, readTables, wayTo } from "./relate";
import { findRelation, type Found, junctionOf, listsTo } from "./unrelate";

/** Definitions as they become, by collection. */
type Draft = Map<string, SchemaDefinition>;
type Entry = FieldDefinition | null;

/**
 * Changes a relation: what happens when a row goes, its description, whether its key may be null or must be unique, the
 * name of the way back (`alias`: null takes it away), and the collections that M2A leads to.
 * @throws AppError NOT_FOUND, INVALID_SCHEMA, CONFLICT
 */
export function rerelateEdit(
  before: Schema,
  name: string,
  field: string,
  change: RelationshipChange,
): SchemaEdit {
  const given = findRelation(before, name, field);
  checkFixed(given, change);
  const back = waysBack(before, given);
  const { alias } = change;
  const renames = typeof alias === "string" ? renamesOf(back, alias) : [];
  const schema = renameAll(before, renames, before.version).at(-1)?.schema ?? before;
  const found = findRelation(schema, name, field);
  const draft: Draft = new Map();
  describe(schema, draft, found, change);
  setKey(schema, draft, found, change);
  setActions(schema, draft, found, change);
  if (change.tables !== undefined) setTables(schema, draft, found, change);
  if (alias !== undefined) setAlias(schema, draft, found, alias);
  const put = [...draft].map(([collectionName, definition]) => ({ collectionName, schema: definition }));
  return { put, remove: [], renames };
}

/** What says which relation it is can be repeated, not changed. */
function checkFixed({ relation, entry }: Found, change: RelationshipChange): void {
  const { relType, target, foreignKey } = change;
  const column = relation.keyOn === "source" ? relation.sourceColumn : relation.targetColumn;
  const differs =
    (relType !== undefined && relType !== entry.relType && "relType") ||
    (target !== undefined && target !== relation.target && "target") ||
    (foreignKey !== undefined && foreignKey !== column && "foreignKey");
  if (differs) throw invalid(differs, "makes it another relation; delete this one and create that one");
}

/** Changes one entry of a collection; null takes it out. */
function edit(
  schema: Schema,
  draft: Draft,
  collection: string,
  name: string,
  change: (entry: Entry) => Entry,
): void {
  const definition = draft.get(collection) ?? findCollection(schema, collection).definition;
  const next = change(definition.fields[name] ?? null);
  const fields = Object.entries({ ...definition.fields, [name]: next }).filter(([, entry]) => entry !== null);
  draft.set(collection, {
    ...definition,
    fields: Object.fromEntries(fields as [string, FieldDefinition][]),
  });
}

/** Lays values over an entry; null takes the key away. */
function lay(entry: Entry, values: object): FieldDefinition {
  const laid = Object.entries({ ...entry, ...values }).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  return Object.fromEntries(laid);
}

const told = ["description", "showAs", "displayFormat", "displayOptions"] as const;

function describe(schema: Schema, draft: Draft, { source, key }: Found, change: RelationshipChange): void {
  const values = Object.fromEntries(
    told.flatMap((name) => (change[name] === undefined ? [] : [[name, change[name]] as const])),
  );
  if (Object.keys(values).length > 0) edit(schema, draft, source.name, key, (entry) => lay(entry, values));
}

function setKey(
  schema: Schema,
  draft: Draft,
  { source, relation, key, entry }: Found,
  { allowNull, unique }: RelationshipChange,
): void {
  const values = { ...(allowNull !== undefined && { allowNull }), ...(unique !== undefined && { unique }) };
  const [place] = Object.keys(values);
  if (place === undefined) return;
  if (relation.keyOn === "target") {
    throw invalid(place, `the key is '${relation.target}.${relation.targetColumn}'; change it there`);
  }
  const column = relation.sourceColumn;
  const declared = entry.type === undefined && source.definition.fields[column] !== undefined;
  edit(schema, draft, source.name, declared ? column : key, (one) => lay(one, values));
}

function setActions(schema: Schema, draft: Draft, found: Found, change: RelationshipChange): void {
  const { onDelete, onUpdate } = change;
  const values = { ...(onDelete !== undefined && { onDelete }), ...(onUpdate !== undefined && { onUpdate }) };
  const [place] = Object.keys(values);
  if (place === undefined) return;
  const keys = keysOf(schema, found);
  if (keys.length === 0) throw invalid(place, "the database holds no foreign key for this relation");
  for (const [collection, name] of keys) {
    edit(schema, draft, collection.name, name, (entry) => lay(entry, values));
  }
}

/** The entries that hold the foreign keys of a relation: its own, that of the other end, or those of the junction. */
function keysOf(
  schema: Schema,
  { source, relation, key }: Found,
): readonly (readonly [collection: Collection, name: string])[] {
  if (relation.keyOn === "source") return relation.constrained ? [[source, key]] : [];
  const isPair = junctionOf(schema, relation) !== null;
  const holder = schema.collections.get(relation.target);
  if (!holder) return [];
  const entries = Object.entries(holder.definition.fields).filter(([name, { relType, as }]) => {
    const one = relType === undefined ? undefined : holder.relations.get(as ?? name);
    return (
      one?.keyOn === "source" && one.constrained && (isPair || one.sourceColumn === relation.targetColumn)
    );
  });
  const fixed = entries.find(([, entry]) => holder.system && !isGenerated(entry));
  if (fixed) throw builtIn(holder.name);
  return entries.map(([name]) => [holder, name] as const);
}

/** The ways back that an alias names. `hasKey`: the entry holds the key, so it cannot be taken away. */
type WayBack = { readonly collection: Collection; readonly name: string; readonly hasKey: boolean };

function waysBack(schema: Schema, found: Found): readonly WayBack[] {
  const { source, relation, key } = found;
  const junction = junctionOf(schema, relation);
  if (junction) {
    const others = listsTo(
      schema,
      junction.name,
      (one) => one.targetColumn !== relation.targetColumn || !sameJson(one.scope, relation.scope),
    );
    return others.map(([collection, name]) => ({ collection, name, hasKey: false }));
  }
  if (relation.keyOn === "target") {
    return keysOf(schema, found).map(([collection, name]) => ({
      collection,
      name: collection.definition.fields[name]?.as ?? name,
      hasKey: true,
    }));
  }
  return listsTo(
    schema,
    source.name,
    (one) => one.source === relation.target && one.targetColumn === relation.sourceColumn,
  ).flatMap(([collection, name]) =>
    collection === source && name === key ? [] : [{ collection, name, hasKey: false }],
  );
}

function renamesOf(back: readonly WayBack[], alias: string): readonly Rename[] {
  return back.flatMap(({ collection, name }) =>
    name === alias ? [] : [{ collection: collection.name, field: name, to: alias }],
  );
}

function setAlias(schema: Schema, draft: Draft, found: Found, alias: string | null): void {
  const back = waysBack(schema, found);
  if (alias === null) {
    for (const { collection, name, hasKey } of back) {
      if (hasKey) throw invalid("alias", `'${collection.name}.${name}' holds the key; delete that relation`);
      edit(schema, draft, collection.name, name, () => null);
    }
    return;
  }
  if (back.length > 0) return;
  for (const [collection, entry] of newWaysBack(schema, found)) {
    checkRelationName(alias, collection.name, "alias");
    if (collection.fields.has(alias) || collection.relations.has(alias)) {
      throw new AppError("CONFLICT", `alias: '${collection.name}' has a field '${alias}' already`);
    }
    edit(schema, draft, collection.name, alias, () => ({ ...entry, SystemGenerated: true }));
  }
}

type Ways = readonly (readonly [collection: Collection, entry: FieldDefinition])[];

function newWaysBack(schema: Schema, { source, relation }: Found): Ways {
  const junction = junctionOf(schema, relation);
  if (junction) {
    return sidesOf(junction, relation).map((side) => [
      findCollection(schema, side.target),
      listOf(junction, side),
    ]);
  }
  if (relation.keyOn === "target") {
    throw invalid(
      "alias",
      `'${relation.target}.${relation.targetColumn}' is a key without a relation; create one there`,
    );
  }
  const { sourceColumn: foreignKey, target } = relation;
  const isOne = source.fields.get(foreignKey)?.unique === true;
  const entry: FieldDefinition = { relType: isOne ? "HasOne" : "HasMany", target: source.name, foreignKey };
  return [[findCollection(schema, target), entry]];
}

/** The relations of a junction that lead away from the given list; not those that its flags make. */
function sidesOf({ relations, definition }: Collection, list: Relation): readonly Relation[] {
  return [...relations.values()].filter(
    ({ keyOn, sourceColumn, name }) =>
      keyOn === "source" && sourceColumn !== list.targetColumn && Object.hasOwn(definition.fields, name),
  );
}

function listOf(junction: Collection, { sourceColumn: foreignKey, scope }: Relation): FieldDefinition {
  return {
    relType: "HasMany",
    target: junction.name,
    foreignKey,
    ...(scope && { constraints: false, scope: { [scope.column]: scope.value } }),
  };
}

/** M2A: the junction leads to these collections from now on. Its rows that lead to others must go first, or by force. */
function setTables(schema: Schema, draft: Draft, found: Found, { tables, alias }: RelationshipChange): void {
  const { source, relation, key } = found;
  const junction = junctionOf(schema, relation);
  const sides = junction ? [...junction.relations.values()].filter(({ scope }) => scope !== null) : [];
  const scope = sides[0]?.scope;
  if (!junction || !scope || relation.scope !== null)
    throw invalid("tables", "belongs to a relation of type M2A");
  const wanted = readTables(schema, tables);
  const item = sides[0] && junction.fields.get(sides[0].sourceColumn);
  if (item) checkOneKeyType(wanted, item.type);
  const present = new Map(sides.map((side) => [side.target, side] as const));
  const names = wanted.map((one) => one.name);
  for (const side of sides) {
    if (names.includes(side.target)) continue;
    edit(schema, draft, junction.name, side.name, () => null);
    for (const [collection, name] of listsTo(
      schema,
      junction.name,
      (one) => one.scope?.value === side.target,
    )) {
      edit(schema, draft, collection.name, name, () => null);
    }
  }
  const known = waysBack(schema, found)[0]?.name;
  const named = alias === undefined ? known : (alias ?? undefined);
  for (const table of wanted) {
    if (present.has(table.name)) continue;
    const way = wayTo(table, item?.name ?? "item_id", scope.column);
    const free = junction.fields.has(table.name) || junction.relations.has(table.name);
    edit(schema, draft, junction.name, free ? `${table.name}_2` : table.name, () => way);
    if (named === undefined) continue;
    if (table.fields.has(named) || table.relations.has(named)) {
      throw new AppError("CONFLICT", `alias: '${table.name}' has a field '${named}' already`);
    }
    edit(schema, draft, table.name, named, () => ({
      relType: "HasMany",
      target: junction.name,
      foreignKey: item?.name ?? "item_id",
      constraints: false,
      scope: { [scope.column]: table.name },
      SystemGenerated: true,
    }));
  }
  edit(schema, draft, junction.name, scope.column, (entry) => lay(entry, { type: "Enum", values: names }));
  edit(schema, draft, source.name, key, (entry) => lay(entry, { polymorphic: true, tables: names }));
}
