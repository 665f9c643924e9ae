/** One definition, read on its own: everything is checked but what depends on other collections. */
import type { FieldDefinition, IndexDefinition, SchemaDefinition } from "@baasix/types";
import { AppError } from "../errors";
import { fieldKeys, readField } from "./define-field";
import { type RelationDraft, readRelation } from "./define-relation";
import { type Field, type Index, type IndexMethod, indexMethods, type SearchIndex } from "./model";
import { checkCollectionName, checkFieldName, checkIdentifier, invalid, nameOf } from "./names";
import { type Entries, readFlag, readList, readObject, readWords } from "./readers";
import { readSearchable } from "./search";
import { readJson, showValue } from "./values";

/** A definition whose relations and SQL defaults are not resolved yet. */
export type Draft = {
  readonly name: string;
  /** Where messages say that the definition stands: `schema`, or the collection's name. */
  readonly place: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Key columns that follow the type of their relation's target: named here, absent from `fields`. */
  readonly followers: ReadonlyMap<string, Entries>;
  readonly relations: readonly RelationDraft[];
  readonly indexes: readonly Index[];
  readonly searchable: SearchIndex | null;
  readonly primaryKey: string;
  readonly timestamps: boolean;
  readonly paranoid: boolean;
  readonly usertrack: boolean;
  readonly realtime: boolean;
  readonly system: boolean;
  readonly guarded: boolean;
  readonly definition: SchemaDefinition;
};

/** `system`: a built-in collection, which may have reserved names and hidden fields. */
export type DraftOptions = {
  readonly place: string;
  readonly system: boolean;
  readonly guarded: boolean;
  readonly serverOwned?: readonly string[];
};

const definitionKeys = [
  "name",
  "fields",
  "timestamps",
  "paranoid",
  "usertrack",
  "sortEnabled",
  "realtime",
  "indexes",
  "searchable",
  "isJunction",
  "description",
  "options",
] as const;
const mostFields = 500;
const mostIndexes = 64;

const plainField: Omit<Field, "name" | "type"> = {
  primaryKey: false,
  allowNull: true,
  unique: false,
  default: null,
  validate: {},
  length: null,
  precision: null,
  scale: null,
  values: [],
  items: null,
  srid: null,
  generated: null,
  hidden: false,
  managed: null,
  description: null,
};

/**
 * Reads an untrusted definition.
 * @throws AppError INVALID_SCHEMA with the place and the mend.
 */
export function readDraft(collection: unknown, input: unknown, options: DraftOptions): Draft {
  const { place, system, guarded } = options;
  checkJsonShape(input, place);
  const entries = readObject(input, place, definitionKeys);
  const junction = readFlag(entries, "isJunction", place, false);
  const name = system ? String(collection) : checkCollectionName(collection, "collectionName", junction);
  const flags = readFlags(entries, place);
  const parts = readParts(entries.get("fields"), `${place}.fields`, system);
  if (junction) inferScopes(parts);
  const primaryKey = addPrimaryKey(parts, `${place}.fields`);
  addTimestamps(parts, flags, `${place}.fields`);
  if (flags.usertrack) addUsertrack(parts, `${place}.fields`);
  if (readFlag(entries, "sortEnabled", place, false)) addSort(parts, `${place}.fields`);
  for (const owned of options.serverOwned ?? []) {
    const field = parts.fields.get(owned);
    if (field) parts.fields.set(owned, { ...field, managed: "server" });
  }
  checkNames(parts, place);
  return {
    name,
    place,
    system,
    guarded,
    fields: parts.fields,
    followers: parts.followers,
    relations: parts.relations,
    indexes: readIndexes(entries, name, [...parts.fields.keys(), ...columnsOf(parts.relations)], place),
    searchable: readSearchable(entries, parts.fields, place),
    primaryKey,
    ...flags,
    definition: storedDefinition(name, entries, flags),
  };
}

function checkJsonShape(input: unknown, place: string): void {
  try {
    readJson(input ?? null);
  } catch (error) {
    throw error instanceof AppError ? invalid(place, error.message) : error;
  }
}

type Flags = Pick<Draft, "timestamps" | "paranoid" | "usertrack" | "realtime">;

function readFlags(entries: Entries, place: string): Flags {
  const at = `${place}.options`;
  const legacy = entries.has("options")
    ? readObject(entries.get("options"), at, ["timestamps", "paranoid", "indexes"])
    : new Map<string, unknown>();
  return {
    timestamps: readFlag(entries, "timestamps", place, readFlag(legacy, "timestamps", at, true)),
    paranoid: readFlag(entries, "paranoid", place, readFlag(legacy, "paranoid", at, false)),
    usertrack: readFlag(entries, "usertrack", place, false),
    realtime: readRealtime(entries, place),
  };
}

function readRealtime(entries: Entries, place: string): boolean {
  const value = entries.get("realtime");
  if (typeof value !== "object" || value === null) return readFlag(entries, "realtime", place, true);
  const at = `${place}.realtime`;
  const detail = readObject(value, at, ["enabled", "actions"]);
  const actions = readList(detail.get("actions"), `${at}.actions`, 3);
  if (actions !== null && !["insert", "update", "delete"].every((action) => actions.includes(action))) {
    throw invalid(
      `${at}.actions`,
      "a live collection tells of insert, update and delete; list all three or none",
    );
  }
  return readFlag(detail, "enabled", at, true);
}

type Parts = {
  readonly fields: Map<string, Field>;
  readonly followers: Map<string, Entries>;
  readonly relations: RelationDraft[];
};

// What the flags make is made anew from the flags, whatever a definition that was read back says of it.
const managedNames: ReadonlySet<string> = new Set([
  "createdAt",
  "updatedAt",
  "deletedAt",
  "userCreated_Id",
  "userUpdated_Id",
  "userCreated",
  "userUpdated",
  "sort",
]);

function isGeneratedFlagField(name: string, entries: Entries): boolean {
  const generated = entries.get("SystemGenerated");
  return managedNames.has(name) && (generated === true || generated === "true");
}

function readParts(input: unknown, place: string, system: boolean): Parts {
  const given = readObject(input ?? {}, place, null);
  if (given.size > mostFields) throw invalid(place, `at most ${mostFields} fields; got ${given.size}`);
  const parts: Parts = { fields: new Map(), followers: new Map(), relations: [] };
  const columns = new Map<string, Entries>();
  for (const [name, value] of given) {
    const at = `${place}.${name}`;
    checkFieldName(name, at);
    const entries = readObject(value, at, fieldKeys);
    if (isGeneratedFlagField(name, entries)) continue;
    const isRelation = entries.has("relType");
    if (isRelation) parts.relations.push(readRelation(name, entries, at));
    if (!isRelation || entries.has("type")) columns.set(name, entries);
  }
  const keys = new Set(columnsOf(parts.relations));
  for (const [name, entries] of columns) {
    const generated = readFlag(entries, "SystemGenerated", `${place}.${name}`, false);
    if (generated && keys.has(name)) parts.followers.set(name, entries);
    else parts.fields.set(name, readField(name, entries, `${place}.${name}`, system));
  }
  return parts;
}

/** A junction that was exported elsewhere says nothing of its scope: the column `collection` names the target. */
function inferScopes({ fields, relations }: Parts): void {
  if (!fields.has("collection")) return;
  relations.forEach((relation, index) => {
    if (relation.keyOn === "target" || relation.constrained || relation.scope !== null) return;
    relations[index] = { ...relation, scope: { column: "collection", value: relation.target } };
  });
}

function columnsOf(relations: readonly RelationDraft[]): string[] {
  return relations.filter(({ keyOn }) => keyOn === "source").map(({ column }) => column);
}

function addPrimaryKey({ fields }: Parts, place: string): string {
  const keys = [...fields.values()].filter((field) => field.primaryKey);
  if (keys.length > 1) {
    throw invalid(
      place,
      `${keys.map(({ name }) => `'${name}'`).join(" and ")} are both primaryKey; a collection has one`,
    );
  }
  if (keys[0]) return keys[0].name;
  if (fields.has("id"))
    throw invalid(`${place}.id`, 'no field is the primary key; add "primaryKey": true here');
  const rest = [...fields];
  fields.clear();
  const id: Field = {
    ...plainField,
    name: "id",
    type: "UUID",
    primaryKey: true,
    allowNull: false,
    default: { kind: "uuid" },
  };
  for (const [name, field] of [["id", id] as const, ...rest]) fields.set(name, field);
  return "id";
}

function addTimestamps({ fields }: Parts, { timestamps, paranoid }: Flags, place: string): void {
  const manage = (name: "createdAt" | "updatedAt" | "deletedAt", made: Partial<Field>): void => {
    const declared = fields.get(name);
    if (declared && declared.type !== "DateTime") {
      const flag = name === "deletedAt" ? "paranoid" : "timestamps";
      throw invalid(`${place}.${name}.type`, `the server fills it: expected DateTime, or "${flag}": false`);
    }
    fields.set(
      name,
      declared
        ? { ...declared, default: declared.default ?? made.default ?? null, managed: name }
        : { ...plainField, name, type: "DateTime", managed: name, ...made },
    );
  };
  if (timestamps) {
    manage("createdAt", { allowNull: false, default: { kind: "now" } });
    manage("updatedAt", { allowNull: false, default: { kind: "now" } });
  }
  if (paranoid) manage("deletedAt", {});
}

function addUsertrack({ fields, relations }: Parts, place: string): void {
  for (const name of ["userCreated", "userUpdated"] as const) {
    const column = `${name}_Id`;
    const declared = fields.get(column);
    if (declared && declared.type !== "UUID") {
      throw invalid(`${place}.${column}.type`, 'the server fills it: expected UUID, or "usertrack": false');
    }
    fields.set(column, { ...(declared ?? { ...plainField, name: column, type: "UUID" }), managed: name });
    const relation = relations.find((one) => one.name === name);
    if (relation && (relation.column !== column || relation.target !== "baasix_User")) {
      throw invalid(
        `${place}.${name}`,
        `usertrack makes a relation of this name; choose another, or "usertrack": false`,
      );
    }
    if (!relation) relations.push(userRelation(name, column, `${place}.${name}`));
  }
}

/** The place of an item among the others; it may be written, unlike what the other flags make. */
function addSort({ fields }: Parts, place: string): void {
  const declared = fields.get("sort");
  if (declared && declared.type !== "Integer") {
    throw invalid(`${place}.sort.type`, 'the server numbers it: expected Integer, or "sortEnabled": false');
  }
  const made: Field = { ...plainField, name: "sort", type: "Integer" };
  fields.set("sort", { ...made, ...declared, default: declared?.default ?? { kind: "next" } });
}

function userRelation(name: string, column: string, place: string): RelationDraft {
  return {
    name,
    kind: "one",
    keyOn: "source",
    column,
    target: "baasix_User",
    targetKey: null,
    scope: null,
    constrained: true,
    onDelete: "SET NULL",
    onUpdate: null,
    allowNull: true,
    unique: false,
    description: null,
    generated: true,
    place,
  };
}

function checkNames({ fields, followers, relations }: Parts, place: string): void {
  const seen = new Set([...fields.keys(), ...followers.keys()]);
  const columns = new Map<string, RelationDraft>();
  for (const relation of relations) {
    if (seen.has(relation.name))
      throw invalid(relation.place, `there is already a field '${relation.name}'; choose another name`);
    seen.add(relation.name);
    if (relation.keyOn === "target") continue;
    const other = columns.get(relation.column);
    if (other && (other.scope === null || relation.scope === null)) {
      throw invalid(
        `${relation.place}.foreignKey`,
        `'${relation.column}' is the key of another relation already`,
      );
    }
    columns.set(relation.column, relation);
  }
  const clash = relations.find(({ name }) => columns.has(name));
  if (clash) throw invalid(clash.place, `'${clash.name}' is also a key column; choose another name`);
  if (fields.size + followers.size === 0) throw invalid(place, "a collection needs a field");
}

function readIndexes(
  entries: Entries,
  table: string,
  columns: readonly string[],
  place: string,
): readonly Index[] {
  const legacy = entries.has("options")
    ? readObject(entries.get("options"), `${place}.options`, null).get("indexes")
    : undefined;
  const at = `${place}.indexes`;
  const list = readList(entries.get("indexes") ?? legacy, at, mostIndexes) ?? [];
  const indexes = list.map((value, position) => readIndex(value, table, columns, `${at}[${position}]`));
  const twice = indexes.find(
    ({ name }, position) => indexes.findIndex((one) => one.name === name) !== position,
  );
  if (twice) throw invalid(at, `two indexes are named '${twice.name}'; name one of them otherwise`);
  return indexes;
}

function readIndex(value: unknown, table: string, columns: readonly string[], at: string): Index {
  const entries = readObject(value, at, ["name", "fields", "unique", "nullsNotDistinct", "type"]);
  const given = readList(entries.get("fields"), `${at}.fields`, 32) ?? [];
  if (given.length === 0) throw invalid(`${at}.fields`, "an index names at least one field");
  const fields = given.map((name, position) => {
    if (typeof name === "string" && columns.includes(name)) return name;
    throw invalid(`${at}.fields[${position}]`, `'${String(name)}' is not a field of '${table}'`);
  });
  const name = readWords(entries, "name", at);
  const unique = readFlag(entries, "unique", at, false);
  const nullsNotDistinct = readFlag(entries, "nullsNotDistinct", at, false);
  if (nullsNotDistinct && !unique)
    throw invalid(`${at}.nullsNotDistinct`, 'belongs to a unique index; add "unique": true');
  const method = readMethod(entries.get("type"), unique, fields, `${at}.type`);
  return {
    name: name === null ? nameOf.index(table, fields) : checkIdentifier(name, `${at}.name`),
    fields,
    unique,
    ...(method !== null && { method }),
    ...(nullsNotDistinct && { nullsNotDistinct }),
  };
}

/** Null: as PostgreSQL does by itself, btree. */
function readMethod(
  value: unknown,
  unique: boolean,
  fields: readonly string[],
  at: string,
): IndexMethod | null {
  if (value === undefined || value === null) return null;
  const method = indexMethods.find((known) => known === String(value).toLowerCase());
  if (!method) throw invalid(at, `expected ${indexMethods.join(", ")}, got ${showValue(value)}`);
  if (unique && method !== "btree") throw invalid(at, `a unique index is a btree, not ${method}`);
  if (fields.length > 1 && (method === "hash" || method === "spgist"))
    throw invalid(at, `an index of type ${method} has one field`);
  return method === "btree" ? null : method;
}

/** What is stored: the given definition, without what its flags make. */
function storedDefinition(collection: string, entries: Entries, flags: Flags): SchemaDefinition {
  const given = readObject(entries.get("fields") ?? {}, "fields", null);
  const fields = [...given].filter(
    ([name, value]) => !isGeneratedFlagField(name, readObject(value, name, null)),
  );
  const kept = Object.fromEntries([...entries].filter(([key]) => key !== "options" && key !== "realtime"));
  const legacy = entries.has("options");
  return {
    ...kept,
    name: readWords(entries, "name", collection) ?? collection,
    // Every value was read by `readField` or `readRelation` before.
    fields: Object.fromEntries(fields) as { readonly [field: string]: FieldDefinition },
    ...(legacy && { timestamps: flags.timestamps, paranoid: flags.paranoid }),
    ...(legacy &&
      !entries.has("indexes") && {
        indexes: readObject(entries.get("options"), "options", null).get(
          "indexes",
        ) as readonly IndexDefinition[],
      }),
    ...(entries.has("realtime") && { realtime: flags.realtime }),
  };
}
