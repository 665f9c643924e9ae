/** What `POST /schemas/:collection/relationships` adds to the definitions: each kind of relation in terms of keys. */
import type { FieldDefinition, FieldType, SchemaDefinition, SchemaRecord } from "@baasix/types";
import { AppError, suggestion } from "../../core/errors";
import type { SchemaEdit } from "../../core/schema/edit";
import { castType } from "../../core/schema/fields";
import type { Collection, Field, Schema } from "../../core/schema/model";
import { checkCollectionName, checkFieldName, checkRelationName, joinNames } from "../../core/schema/names";
import { findCollection, ownCollection } from "./edits";
import type { RelationshipBody } from "./model";

/** Fields to add, by collection, and a junction to create. */
type Added = {
  readonly fields: readonly (readonly [collection: Collection, name: string, field: FieldDefinition])[];
  readonly junction?: SchemaRecord;
};
type Relate = (schema: Schema, source: Collection, name: string, body: RelationshipBody) => Added;

/** `takes`: the keys of the body that are for some kinds alone. */
const kinds = new Map<
  string,
  { readonly takes: readonly (keyof RelationshipBody)[]; readonly relate: Relate }
>([
  ["M2O", { takes: ["target", "foreignKey", "allowNull", "unique"], relate: manyToOne }],
  ["O2O", { takes: ["target", "foreignKey", "allowNull"], relate: oneToOne }],
  ["O2M", { takes: ["target", "foreignKey", "allowNull"], relate: oneToMany }],
  ["M2M", { takes: ["target", "through"], relate: manyToMany }],
  ["M2A", { takes: ["tables", "through"], relate: manyToAny }],
]);
const particular = ["target", "foreignKey", "allowNull", "unique", "through", "tables"] as const;
const mostTables = 50;

/**
 * A relation: with its key column (M2O, O2O, O2M) or its junction (M2M, M2A), and with `alias` the way back.
 * @throws AppError NOT_FOUND, CONFLICT, INVALID_SCHEMA
 */
export function relateEdit(schema: Schema, collection: string, body: RelationshipBody): SchemaEdit {
  const type = body.type.toUpperCase();
  const kind = kinds.get(type);
  if (!kind) {
    throw new AppError(
      "INVALID_SCHEMA",
      `type: expected ${[...kinds.keys()].join(", ")}, got '${body.type}'`,
    );
  }
  const source = ownCollection(schema, collection);
  const foreign = particular.find(
    (key) => body[key] !== undefined && body[key] !== null && !kind.takes.includes(key),
  );
  if (foreign) {
    const taken = kind.takes.join(", ");
    throw new AppError(
      "INVALID_SCHEMA",
      `${foreign}: a relation of type ${type} has none (it takes ${taken}); remove it`,
    );
  }
  const name = checkRelationName(body.name, source.name, "name");
  const { fields, junction } = kind.relate(schema, source, name, body);
  const merged = new Map<string, SchemaDefinition["fields"]>();
  for (const [holder, field, definition] of fields) {
    const added = merged.get(holder.name) ?? {};
    if (isTaken(holder, field) || Object.hasOwn(added, field))
      throw taken(holder, field, field === name ? "name" : "alias");
    merged.set(holder.name, { ...added, [field]: { ...definition, SystemGenerated: true } });
  }
  const put = [...merged].map(([holder, added]) => withFields(schema, holder, added));
  return { put: junction ? [...put, junction] : put, remove: [] };
}

function manyToOne(schema: Schema, source: Collection, name: string, body: RelationshipBody): Added {
  return keyed(source, name, findTarget(schema, body.target, "target"), body, "HasMany", body.unique);
}

function oneToOne(schema: Schema, source: Collection, name: string, body: RelationshipBody): Added {
  return keyed(source, name, findTarget(schema, body.target, "target"), body, "HasOne", true);
}

function keyed(
  source: Collection,
  name: string,
  target: Collection,
  body: RelationshipBody,
  back: "HasMany" | "HasOne",
  unique: boolean | undefined,
): Added {
  const foreignKey = body.foreignKey ?? `${name}_Id`;
  const forward: FieldDefinition = {
    relType: "BelongsTo",
    target: target.name,
    foreignKey,
    ...(body.allowNull !== undefined && { allowNull: body.allowNull }),
    ...(unique !== undefined && { unique }),
    ...actions(body),
    ...described(body),
  };
  const reverse: FieldDefinition = { relType: back, target: source.name, foreignKey };
  const alias = aliasOn(target, body);
  return {
    fields: [[source, name, forward], ...(alias === null ? [] : [[target, alias, reverse] as const])],
  };
}

/** The list; with `alias` also the relation on the target whose key it follows, unless that is there. */
function oneToMany(schema: Schema, source: Collection, name: string, body: RelationshipBody): Added {
  const target = findTarget(schema, body.target, "target");
  const alias = aliasOn(target, body);
  const foreignKey = body.foreignKey ?? (alias === null ? null : `${alias}_Id`);
  if (foreignKey === null) {
    throw new AppError(
      "INVALID_SCHEMA",
      `foreignKey: name the column of '${target.name}' that holds the key, or give an alias: the relation of '${target.name}' that makes it`,
    );
  }
  const list: FieldDefinition = { relType: "HasMany", target: target.name, foreignKey, ...described(body) };
  if (alias === null) return { fields: [[source, name, list]] };
  const forward: FieldDefinition = {
    relType: "BelongsTo",
    target: source.name,
    foreignKey,
    ...(body.allowNull !== undefined && { allowNull: body.allowNull }),
    ...actions(body),
  };
  if (target.system) throw builtInTarget(target, "alias");
  return {
    fields: [
      [source, name, list],
      [target, alias, forward],
    ],
  };
}

/** A junction with one row for each pair; the list is one of its rows. */
function manyToMany(schema: Schema, source: Collection, name: string, body: RelationshipBody): Added {
  const target = findTarget(schema, body.target, "target");
  const through = junctionName(schema, body.through ?? `${source.name}_${target.name}_${name}_junction`);
  const self = source === target ? "_2" : "";
  const keys = [`${source.name}_id`, `${target.name}_id${self}`] as const;
  const definition = junctionOf(through, [...keys], {
    [source.name]: junctionSide(source, keys[0], body),
    [`${target.name}${self}`]: junctionSide(target, keys[1], body),
  });
  const list = (foreignKey: string): FieldDefinition => ({ relType: "HasMany", target: through, foreignKey });
  const alias = aliasOn(target, body);
  return {
    fields: [
      [source, name, { ...list(keys[0]), ...described(body) }],
      ...(alias === null ? [] : [[target, alias, list(keys[1])] as const]),
    ],
    junction: { collectionName: through, schema: definition },
  };
}

/** A junction whose rows lead to rows of several collections: `collection` says of which, `item_id` to which. */
function manyToAny(schema: Schema, source: Collection, name: string, body: RelationshipBody): Added {
  const tables = readTables(schema, body.tables);
  const through = junctionName(schema, body.through ?? `${source.name}_${name}_junction`);
  const { type, length } = checkOneKeyType(tables, null);
  const names = tables.map((table) => table.name);
  const parent = `${source.name}_id`;
  const way = (table: Collection): FieldDefinition => wayTo(table, "item_id", "collection");
  const definition = junctionOf(through, [parent, "item_id", "collection"], {
    [source.name]: junctionSide(source, parent, body),
    item_id: { type, allowNull: false, ...(length !== null && { values: { length } }) },
    collection: { type: "Enum", values: names, allowNull: false },
    ...Object.fromEntries(
      tables.map((table) => [table === source ? `${table.name}_2` : table.name, way(table)] as const),
    ),
  });
  const back: FieldDefinition = {
    relType: "HasMany",
    target: through,
    foreignKey: "item_id",
    constraints: false,
  };
  return {
    fields: [
      [
        source,
        name,
        {
          relType: "HasMany",
          target: through,
          foreignKey: parent,
          polymorphic: true,
          tables: names,
          ...described(body),
        },
      ],
      ...tables.flatMap((table) => {
        const alias = aliasOn(table, body);
        return alias === null
          ? []
          : [[table, alias, { ...back, scope: { collection: table.name } }] as const];
      }),
    ],
    junction: {
      collectionName: through,
      schema: {
        ...definition,
        indexes: [...(definition.indexes ?? []), { fields: ["item_id", "collection"] }],
      },
    },
  };
}

/** Of a junction: one column leads to rows of several collections. */
export function wayTo({ name }: Collection, foreignKey: string, column: string): FieldDefinition {
  return { relType: "BelongsTo", target: name, foreignKey, constraints: false, scope: { [column]: name } };
}

/**
 * The key that all tables of an M2A relation have. `held`: the type of the column that holds it already.
 * @throws AppError INVALID_SCHEMA
 */
export function checkOneKeyType(tables: readonly Collection[], held: FieldType | null): Field {
  const [first] = tables;
  const type = held ?? first?.primaryKey.type;
  const other = tables.find(({ primaryKey }) => primaryKey.type !== type && !isSameKey(primaryKey, type));
  if (first && !other) return first.primaryKey;
  const whose = held === null ? `that of '${first?.name}'` : "that of its rows";
  throw new AppError(
    "INVALID_SCHEMA",
    `tables: their keys must be of one type; ${whose} is ${type}, that of '${other?.name}' ${other?.primaryKey.type}`,
  );
}

function isSameKey(key: Field, type: FieldType | undefined): boolean {
  return type !== undefined && castType(key) === castType({ ...key, type });
}

function junctionOf(
  name: string,
  pair: readonly string[],
  fields: SchemaDefinition["fields"],
): SchemaDefinition {
  return {
    name,
    isJunction: true,
    fields: {
      id: { type: "Integer", primaryKey: true, defaultValue: { type: "AUTOINCREMENT" } },
      ...fields,
    },
    indexes: [{ name: joinNames(name, "unique"), fields: pair, unique: true }],
  };
}

/** A pair means nothing without one of its ends: it goes with it, unless told otherwise. */
function junctionSide(target: Collection, foreignKey: string, body: RelationshipBody): FieldDefinition {
  checkFieldName(foreignKey, "through");
  return {
    relType: "BelongsTo",
    target: target.name,
    foreignKey,
    allowNull: false,
    onDelete: "CASCADE",
    ...actions(body),
  };
}

function junctionName(schema: Schema, name: string): string {
  if (Buffer.byteLength(name) > 63) {
    throw new AppError(
      "INVALID_SCHEMA",
      `through: Junction table name too long: '${name}' (at most 63); give a shorter one`,
    );
  }
  checkCollectionName(name, "through", true);
  if (!schema.collections.has(name)) return name;
  throw new AppError(
    "CONFLICT",
    `through: '${name}' exists already; delete it first, or give the junction another name`,
  );
}

/** @throws AppError INVALID_SCHEMA */
export function readTables(schema: Schema, tables: unknown): readonly Collection[] {
  if (!Array.isArray(tables) || tables.length === 0 || tables.length > mostTables) {
    throw new AppError(
      "INVALID_SCHEMA",
      `tables: expected a list of 1 to ${mostTables} collections that the relation may lead to`,
    );
  }
  if (new Set(tables).size < tables.length)
    throw new AppError("INVALID_SCHEMA", "tables: one is named twice");
  return tables.map((table: unknown, i) => findTarget(schema, table, `tables[${i}]`));
}

function actions({ onDelete, onUpdate }: RelationshipBody): Pick<FieldDefinition, "onDelete" | "onUpdate"> {
  return { ...(onDelete !== undefined && { onDelete }), ...(onUpdate !== undefined && { onUpdate }) };
}

function described({ description }: RelationshipBody): Pick<FieldDefinition, "description"> {
  return description ? { description } : {};
}

function aliasOn(target: Collection, { alias }: RelationshipBody): string | null {
  return alias ? checkRelationName(alias, target.name, "alias") : null;
}

function findTarget(schema: Schema, name: unknown, place: string): Collection {
  if (typeof name !== "string") {
    throw new AppError("INVALID_SCHEMA", `${place}: a relation names the collection that it leads to`);
  }
  const target = schema.collections.get(name);
  if (target && !target.guarded) return target;
  const names = [...schema.collections.values()].filter(({ guarded }) => !guarded).map((one) => one.name);
  throw new AppError("INVALID_SCHEMA", `${place}: unknown collection '${name}'${suggestion(name, names)}`);
}

function builtInTarget(target: Collection, place: string): AppError {
  return new AppError(
    "INVALID_SCHEMA",
    `${place}: '${target.name}' is built in and gets no columns; use a relation of type M2O or M2M`,
  );
}

function isTaken(collection: Collection, name: string): boolean {
  return collection.fields.has(name) || collection.relations.has(name);
}

function taken(collection: Collection, name: string, place: string): AppError {
  return new AppError(
    "CONFLICT",
    `${place}: '${collection.name}' already has a field '${name}'; choose another name`,
  );
}

function withFields(schema: Schema, name: string, added: SchemaDefinition["fields"]): SchemaRecord {
  const definition = findCollection(schema, name).definition;
  return { collectionName: name, schema: { ...definition, fields: { ...definition.fields, ...added } } };
}
