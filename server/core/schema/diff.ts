/** Two Schemas → the changes that lead from one to the other, in terms of collections and fields. Pure; no SQL. */
import { conversion } from "./convert";
import { indexesOf } from "./define";
import { allowedValues, nameOfType } from "./describe-field";
import { sqlType } from "./fields";
import type { Collection, Field, Index, Relation, Schema } from "./model";
import { invalid } from "./names";
import { sameJson } from "./same";

/** A field that is otherwise. */
export type FieldChange = {
  readonly kind:
    | "changeType"
    | "changeNull"
    | "changeUnique"
    | "changeDefault"
    | "changeValues"
    | "changeGenerated"
    | "changeField";
  readonly collection: Collection;
  readonly from: Field;
  readonly to: Field;
  /** Of values that say where rows of a junction lead: rows with one that is no longer allowed mean nothing, and go. */
  readonly deletes?: true;
};

/** One step. `collection` is the newer state, except where something of the older one is dropped. */
export type Change =
  | {
      readonly kind: "renameCollection" | "renameField";
      readonly collection: Collection;
      readonly was: string;
      readonly now: string;
    }
  | { readonly kind: "createCollection"; readonly collection: Collection }
  | { readonly kind: "dropCollection"; readonly collection: Collection }
  | { readonly kind: "addField"; readonly collection: Collection; readonly field: Field }
  | { readonly kind: "dropField"; readonly collection: Collection; readonly field: Field }
  | FieldChange
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
  | { readonly kind: "changeRealtime" | "changeIdentity"; readonly collection: Collection }
  | { readonly kind: "changeAudit"; readonly collection: Collection }
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
    if (old) changes.push(...diffFields(old, field, after, isScope(before, field.name)));
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
  else if (before.liveness.wholeRows !== after.liveness.wholeRows) {
    changes.push({ kind: "changeIdentity", collection: after });
  }
  if (before.audit !== after.audit) changes.push({ kind: "changeAudit", collection: after });
  if (changes.length === 0 && !sameJson(before.definition, after.definition)) {
    changes.push({ kind: "changeDefinition", collection: after });
  }
  return changes;
}

function isScope({ relations, definition }: Collection, column: string): boolean {
  const scopes = [...relations.values()].filter(
    ({ keyOn, scope }) => keyOn === "source" && scope?.column === column,
  );
  return definition.isJunction === true && scopes.length > 0;
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

/** The relations whose keys are those of a collection. */
export function relationsTo(schema: Schema, collection: string): readonly Relation[] {
  return [...schema.collections.values()].flatMap(({ relations }) =>
    [...relations.values()].filter(({ keyOn, target }) => keyOn === "source" && target === collection),
  );
}

function diffFields(from: Field, to: Field, collection: Collection, scopes: boolean): readonly Change[] {
  const changes: Change[] = [];
  if (to.generated !== null) {
    if (from.generated === null) {
      return [
        { kind: "dropField", collection, field: from },
        { kind: "addField", collection, field: to },
      ];
    }
    if (!sameColumn(from, to)) return [{ kind: "changeGenerated", collection, from, to }];
  }
  const add = (kind: Extract<Change, { from: Field }>["kind"]): void => {
    changes.push({ kind, collection, from, to });
  };
  if (from.generated !== null && to.generated === null) add("changeGenerated");
  const retyped = sqlType(from) !== sqlType(to);
  if (retyped && !conversion(from, to)) {
    throw invalid(
      `${collection.name}.${to.name}.type`,
      `${nameOfType(from)} cannot become ${nameOfType(to)}; add a field under another name and copy the values`,
    );
  }
  if (retyped || nameOfType(from) !== nameOfType(to)) add("changeType");
  if (from.allowNull !== to.allowNull) add("changeNull");
  if (from.unique !== to.unique || from.perTenant !== to.perTenant) add("changeUnique");
  if (!sameJson(from.default, to.default)) add("changeDefault");
  if (!sameJson(allowedValues(from), allowedValues(to))) {
    changes.push({ kind: "changeValues", collection, from, to, ...(scopes && { deletes: true }) });
  }
  const isSaidAnew = from.description !== to.description || from.immutable !== to.immutable;
  if (isSaidAnew || !sameJson(from.validate, to.validate)) add("changeField");
  return changes;
}

/** True when two calculated fields are the same column. */
function sameColumn(from: Field, to: Field): boolean {
  return (
    from.generated === to.generated &&
    sqlType(from) === sqlType(to) &&
    from.allowNull === to.allowNull &&
    from.unique === to.unique &&
    from.perTenant === to.perTenant &&
    sameJson(allowedValues(from), allowedValues(to))
  );
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
    } else if (retyped && relation.constrained) {
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
