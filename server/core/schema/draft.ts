/** One definition, read on its own: everything is checked but what depends on other collections. */
import type { FieldDefinition, IndexDefinition, SchemaDefinition } from "@baasix/types";
import { AppError } from "../errors";
import { fieldKeys, readField } from "./define-field";
import { addSort, addTimestamps, addUsertrack, type Columns, plainField } from "./define-flags";
import { readIndexes } from "./define-index";
import { type RelationDraft, readRelation } from "./define-relation";
import { type Field, type Index, liveActions, type Liveness, type SearchIndex } from "./model";
import { checkCollectionName, checkFieldName, invalid } from "./names";
import { type Entries, readFlag, readList, readObject, readWords } from "./readers";
import { readSearchable } from "./search";
import { isUniquePerTenant, tenantColumn } from "./tenants";
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
  readonly liveness: Liveness;
  readonly audit: boolean;
  readonly system: boolean;
  readonly guarded: boolean;
  /** What is unique is so within a tenant. */
  readonly perTenant: boolean;
  readonly definition: SchemaDefinition;
};

/** `system`: a built-in collection, which may have reserved names and hidden fields. */
export type DraftOptions = {
  readonly place: string;
  readonly system: boolean;
  readonly guarded: boolean;
  readonly serverOwned?: readonly string[] | undefined;
  readonly lowerCase?: readonly string[] | undefined;
};

const definitionKeys = [
  "name",
  "fields",
  "timestamps",
  "paranoid",
  "usertrack",
  "sortEnabled",
  "realtime",
  "audit",
  "indexes",
  "searchable",
  "isJunction",
  "description",
  "options",
] as const;
const mostFields = 500;

/**
 * Reads an untrusted definition.
 * @throws AppError INVALID_SCHEMA with the place and the mend.
 */
export function readDraft(collection: unknown, input: unknown, options: DraftOptions): Draft {
  const { place, system, guarded } = options;
  checkJsonShape(input, place);
  const entries = readObject(input, place, definitionKeys);
  const junction = readFlag(entries, "isJunction", place, false);
  // The name stands beside the definition.
  const beside = place.replace(/(^|\.)schema$/, "$1collectionName");
  const name = system ? String(collection) : checkCollectionName(collection, beside, junction);
  const flags = readFlags(entries, place, guarded);
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
  for (const lower of options.lowerCase ?? []) {
    const field = parts.fields.get(lower);
    if (field) parts.fields.set(lower, { ...field, lowerCase: true });
  }
  checkNames(parts, place);
  const definition = storedDefinition(name, entries, flags);
  const perTenant = !system && isUniquePerTenant(definition);
  const columns = [...parts.fields.keys(), ...columnsOf(parts.relations)];
  return {
    name,
    place,
    system,
    guarded,
    fields: parts.fields,
    followers: parts.followers,
    relations: parts.relations,
    indexes: readIndexes(entries, name, columns, place).map((index) =>
      perTenant && index.unique && !index.fields.includes(tenantColumn)
        ? { ...index, perTenant: true as const }
        : index,
    ),
    searchable: readSearchable(entries, parts.fields, place),
    primaryKey,
    ...flags,
    perTenant,
    definition,
  };
}

function checkJsonShape(input: unknown, place: string): void {
  try {
    readJson(input ?? null);
  } catch (error) {
    throw error instanceof AppError ? invalid(place, error.message) : error;
  }
}

type Flags = Pick<Draft, "timestamps" | "paranoid" | "usertrack" | "realtime" | "liveness" | "audit">;

function readFlags(entries: Entries, place: string, guarded: boolean): Flags {
  const at = `${place}.options`;
  const legacy = entries.has("options")
    ? readObject(entries.get("options"), at, ["timestamps", "paranoid", "indexes"])
    : new Map<string, unknown>();
  return {
    timestamps: readFlag(entries, "timestamps", place, readFlag(legacy, "timestamps", at, true)),
    paranoid: readFlag(entries, "paranoid", place, readFlag(legacy, "paranoid", at, false)),
    usertrack: readFlag(entries, "usertrack", place, false),
    ...readRealtime(entries, place),
    audit: readFlag(entries, "audit", place, true) && !guarded,
  };
}

const everything: Liveness = { actions: liveActions, wholeRows: true };

function readRealtime(entries: Entries, place: string): Pick<Flags, "realtime" | "liveness"> {
  const value = entries.get("realtime");
  if (typeof value !== "object" || value === null) {
    return { realtime: readFlag(entries, "realtime", place, true), liveness: everything };
  }
  const at = `${place}.realtime`;
  const detail = readObject(value, at, ["enabled", "actions", "replicaIdentityFull"]);
  const realtime = readFlag(detail, "enabled", at, true);
  const given = readList(detail.get("actions"), `${at}.actions`, liveActions.length) ?? liveActions;
  for (const [index, action] of given.entries()) {
    if ((liveActions as readonly unknown[]).includes(action)) continue;
    throw invalid(
      `${at}.actions[${index}]`,
      `expected one of ${liveActions.join(", ")}, got ${showValue(action)}`,
    );
  }
  if (given.length === 0) throw invalid(`${at}.actions`, 'expected an action; say "enabled": false for none');
  const wholeRows = readFlag(detail, "replicaIdentityFull", at, true);
  if (!realtime) return { realtime, liveness: everything };
  return {
    realtime,
    liveness: { actions: liveActions.filter((action) => given.includes(action)), wholeRows },
  };
}

/** The shortest way to say it. */
function realtimeDefinition({ realtime, liveness }: Flags): SchemaDefinition["realtime"] {
  const { actions, wholeRows } = liveness;
  if (actions.length === liveActions.length && wholeRows) return realtime;
  return { enabled: true, actions, ...(!wholeRows && { replicaIdentityFull: false }) };
}

type Parts = Columns & { readonly followers: Map<string, Entries> };

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
    ...(entries.has("realtime") && { realtime: realtimeDefinition(flags) }),
  };
}
