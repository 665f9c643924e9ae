/** Two Schemas → the changes that lead from one to the other, in terms of collections and fields. Pure; no SQL. */
import type { FieldDefinition, Json, SchemaChange } from "@baasix/types";
import { conversion } from "./convert";
import { indexesOf } from "./define";
import { type FieldShape, sqlType } from "./fields";
import type { Collection, Field, Index, Relation, Schema } from "./model";
import { invalid } from "./names";
import { sameJson } from "./same";

/** One step. `collection` is the newer state, except where something of the older one is dropped. */
export type Change =
  | { readonly kind: "createCollection"; readonly collection: Collection }
  | { readonly kind: "dropCollection"; readonly collection: Collection }
  | { readonly kind: "addField"; readonly collection: Collection; readonly field: Field }
  | { readonly kind: "dropField"; readonly collection: Collection; readonly field: Field }
  | {
      readonly kind:
        "changeType" | "changeNull" | "changeUnique" | "changeDefault" | "changeValues" | "changeField";
      readonly collection: Collection;
      readonly from: Field;
      readonly to: Field;
    }
  | {
      readonly kind: "changePrimaryKey";
      readonly collection: Collection;
      readonly from: Field;
      readonly to: Field;
    }
  | { readonly kind: "addRelation"; readonly collection: Collection; readonly relation: Relation }
  | { readonly kind: "dropRelation"; readonly collection: Collection; readonly relation: Relation }
  /** `retyped`: only the type of its columns changes; the constraint is taken off for that and put back. */
  | {
      readonly kind: "changeRelation";
      readonly collection: Collection;
      readonly from: Relation;
      readonly to: Relation;
      readonly retyped: boolean;
    }
  | { readonly kind: "addIndex"; readonly collection: Collection; readonly index: Index }
  | { readonly kind: "dropIndex"; readonly collection: Collection; readonly index: Index }
  | { readonly kind: "changeRealtime"; readonly collection: Collection }
  | { readonly kind: "changeDefinition"; readonly collection: Collection };

/**
 * Everything that has to happen so that tables of `from` become tables of `to`.
 * @throws AppError INVALID_SCHEMA for a change of type that has no way.
 */
export function diffSchemas(from: Schema, to: Schema): readonly Change[] {
  const dropped = [...from.collections.values()]
    .filter(({ name }) => !to.collections.has(name))
    .map((collection): Change => ({ kind: "dropCollection", collection }));
  const rest = [...to.collections.values()].flatMap((collection) => {
    const before = from.collections.get(collection.name);
    return before ? diffCollections(before, collection, from, to) : created(collection);
  });
  return [...dropped, ...rest];
}

function created(collection: Collection): readonly Change[] {
  return [
    { kind: "createCollection", collection },
    ...[...collection.relations.values()].map((relation): Change => ({
      kind: "addRelation",
      collection,
      relation,
    })),
    ...indexesOf(collection).map((index): Change => ({ kind: "addIndex", collection, index })),
  ];
}

function diffCollections(before: Collection, after: Collection, from: Schema, to: Schema): readonly Change[] {
  const changes: Change[] = [];
  for (const field of before.fields.values()) {
    if (!after.fields.has(field.name)) changes.push({ kind: "dropField", collection: before, field });
  }
  for (const field of after.fields.values()) {
    const old = before.fields.get(field.name);
    if (old) changes.push(...diffFields(old, field, after));
    else changes.push({ kind: "addField", collection: after, field });
  }
  if (before.primaryKey.name !== after.primaryKey.name) {
    checkUnused(before, from);
    changes.push({
      kind: "changePrimaryKey",
      collection: after,
      from: before.primaryKey,
      to: after.primaryKey,
    });
  }
  changes.push(...diffRelations(before, after, from, to), ...diffIndexes(before, after));
  if (before.realtime !== after.realtime) changes.push({ kind: "changeRealtime", collection: after });
  if (changes.length === 0 && !sameJson(before.definition, after.definition)) {
    changes.push({ kind: "changeDefinition", collection: after });
  }
  return changes;
}

/** The keys that others hold are values of the old primary key: they would mean nothing to the new one. */
function checkUnused(collection: Collection, schema: Schema): void {
  const holders = relationsTo(schema, collection.name);
  if (holders.length === 0) return;
  throw invalid(
    `${collection.name}.fields`,
    `the primary key cannot move while ${holders.map(({ source, name }) => `'${source}.${name}'`).join(", ")} lead to it; delete those relations first`,
  );
}

/** The to-one relations that lead to a collection. */
export function relationsTo(schema: Schema, collection: string): readonly Relation[] {
  return [...schema.collections.values()].flatMap(({ relations }) =>
    [...relations.values()].filter(({ kind, target }) => kind === "one" && target === collection),
  );
}

function diffFields(from: Field, to: Field, collection: Collection): readonly Change[] {
  const changes: Change[] = [];
  const add = (kind: Extract<Change, { from: Field }>["kind"]): void => {
    changes.push({ kind, collection, from, to });
  };
  const retyped = sqlType(from) !== sqlType(to);
  if (retyped && !conversion(from, to)) {
    throw invalid(
      `${collection.name}.${to.name}.type`,
      `${nameOfType(from)} cannot become ${nameOfType(to)}; add a field under another name and copy the values`,
    );
  }
  if (retyped || nameOfType(from) !== nameOfType(to)) add("changeType");
  if (from.allowNull !== to.allowNull) add("changeNull");
  if (from.unique !== to.unique) add("changeUnique");
  if (!sameJson(from.default, to.default)) add("changeDefault");
  if (!sameJson(allowedValues(from), allowedValues(to))) add("changeValues");
  if (!sameJson(from.validate, to.validate) || from.description !== to.description) add("changeField");
  return changes;
}

function diffRelations(before: Collection, after: Collection, from: Schema, to: Schema): readonly Change[] {
  const changes: Change[] = [];
  for (const relation of before.relations.values()) {
    if (!after.relations.has(relation.name))
      changes.push({ kind: "dropRelation", collection: before, relation });
  }
  for (const relation of after.relations.values()) {
    const old = before.relations.get(relation.name);
    const retyped = keyTypes(old, from) !== keyTypes(relation, to);
    if (!old) changes.push({ kind: "addRelation", collection: after, relation });
    else if (!sameJson(old, relation)) {
      changes.push({ kind: "changeRelation", collection: after, from: old, to: relation, retyped: false });
    } else if (retyped && relation.kind === "one") {
      changes.push({ kind: "changeRelation", collection: after, from: old, to: relation, retyped: true });
    }
  }
  return changes;
}

function keyTypes(relation: Relation | undefined, schema: Schema): string {
  if (!relation) return "";
  const source = schema.collections.get(relation.source)?.fields.get(relation.sourceColumn);
  const target = schema.collections.get(relation.target)?.fields.get(relation.targetColumn);
  return source && target ? `${sqlType(source)} ${sqlType(target)}` : "";
}

function diffIndexes(before: Collection, after: Collection): readonly Change[] {
  const [old, now] = [indexesOf(before), indexesOf(after)];
  const isIn = (list: readonly Index[], index: Index): boolean => list.some((one) => sameJson(one, index));
  return [
    ...old
      .filter((index) => !isIn(now, index))
      .map((index): Change => ({ kind: "dropIndex", collection: before, index })),
    ...now
      .filter((index) => !isIn(old, index))
      .map((index): Change => ({ kind: "addIndex", collection: after, index })),
  ];
}

/** The values that a CHECK allows, of an Enum or an Array of Enum. */
export function allowedValues(field: Field): readonly string[] | null {
  return field.type === "Enum" || field.items === "Enum" ? field.values : null;
}

/** A type as people write it: `String(255)`, `Decimal(10,2)`, `Array(Integer)`. */
export function nameOfType(field: FieldShape): string {
  const sizes = field.length ?? (field.precision === null ? null : `${field.precision},${field.scale ?? 0}`);
  const sized = `${field.items ?? field.type}${sizes === null ? "" : `(${sizes})`}`;
  return field.type === "Array" ? `Array(${sized})` : sized;
}

/** A field as a definition says it, for answers. */
export function describeField(field: Field): FieldDefinition {
  const sizes = {
    ...(field.items !== null && { type: field.items }),
    ...(field.length !== null && { length: field.length }),
    ...(field.precision !== null && { precision: field.precision, scale: field.scale ?? 0 }),
    ...(field.items === "Enum" && { values: field.values }),
  };
  return {
    type: field.type,
    ...(field.primaryKey && { primaryKey: true }),
    ...(!field.allowNull && !field.primaryKey && { allowNull: false }),
    ...(field.unique && { unique: true }),
    ...(field.type === "Enum" && { values: field.values }),
    ...(Object.keys(sizes).length > 0 && { values: sizes }),
    ...(field.default !== null && { defaultValue: describeDefault(field) }),
    ...(Object.keys(field.validate).length > 0 && { validate: field.validate }),
    ...(field.description !== null && { description: field.description }),
  };
}

const defaultNames = { uuid: "UUIDV4", suid: "SUID", now: "NOW", autoincrement: "AUTOINCREMENT" } as const;

function describeDefault(field: Field): FieldDefinition["defaultValue"] {
  const made = field.default;
  if (made === null) return null;
  if (made.kind === "sql") return { type: "SQL", value: made.expression };
  return made.kind === "static" ? { value: made.value as Json } : { type: defaultNames[made.kind] };
}

function describeChange(change: Change): SchemaChange | null {
  const collection = change.collection.name;
  switch (change.kind) {
    case "createCollection":
      return { kind: change.kind, collection, to: describeColumns(change.collection) };
    case "dropCollection":
      return { kind: change.kind, collection, from: describeColumns(change.collection) };
    case "changeDefinition":
      return { kind: change.kind, collection };
    case "addField":
      return {
        kind: change.kind,
        collection,
        field: change.field.name,
        to: describeField(change.field) as Json,
      };
    case "dropField":
      return {
        kind: change.kind,
        collection,
        field: change.field.name,
        from: describeField(change.field) as Json,
      };
    case "addRelation":
    case "dropRelation": {
      const told: Json = { ...change.relation };
      return {
        kind: change.kind,
        collection,
        field: change.relation.name,
        [change.kind === "addRelation" ? "to" : "from"]: told,
      };
    }
    case "changeRelation":
      return change.retyped
        ? null
        : {
            kind: change.kind,
            collection,
            field: change.to.name,
            from: { ...change.from },
            to: { ...change.to },
          };
    case "addIndex":
      return { kind: change.kind, collection, to: { ...change.index } };
    case "dropIndex":
      return { kind: change.kind, collection, from: { ...change.index } };
    case "changeRealtime":
      return {
        kind: change.kind,
        collection,
        from: !change.collection.realtime,
        to: change.collection.realtime,
      };
    default:
      return { kind: change.kind, collection, field: change.to.name, ...aspect(change) };
  }
}

function describeColumns({ fields }: Collection): Json {
  return Object.fromEntries([...fields.values()].map((field) => [field.name, describeField(field) as Json]));
}

/** All changes as the wire tells them, without those that only accompany another one. */
export function describeChanges(
  changes: readonly Change[],
  details: ReadonlyMap<Change, Pick<SchemaChange, "loses" | "blocked">> = new Map(),
): readonly SchemaChange[] {
  const created = new Set(
    changes.flatMap(({ kind, collection }) => (kind === "createCollection" ? [collection.name] : [])),
  );
  return changes.flatMap((change) => {
    const told =
      created.has(change.collection.name) && change.kind !== "createCollection"
        ? null
        : describeChange(change);
    return told ? [{ ...told, ...details.get(change) }] : [];
  });
}

type FieldChange = Extract<Change, { readonly from: Field }>;

function aspect({ kind, from, to }: FieldChange): { readonly from: Json; readonly to: Json } {
  const of = (field: Field): Json => {
    if (kind === "changeType") return nameOfType(field);
    if (kind === "changeNull") return field.allowNull;
    if (kind === "changeUnique") return field.unique;
    if (kind === "changeDefault") return (describeDefault(field) as Json) ?? null;
    if (kind === "changeValues") return allowedValues(field);
    if (kind === "changePrimaryKey") return field.name;
    return {
      validate: { ...field.validate, len: field.validate.len ?? undefined },
      description: field.description,
    };
  };
  return { from: of(from), to: of(to) };
}
