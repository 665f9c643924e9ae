/** The ends of a relation: the collections and columns that it joins, checked against each other. */
import { suggestion } from "../errors";
import type { RelationDraft } from "./define-relation";
import type { Draft } from "./draft";
import { castType } from "./fields";
import type { Field, Relation, RelationScope } from "./model";
import { invalid } from "./names";
import { sameJson } from "./same";

/** A draft whose columns are all known: the first of two steps, as relations need the columns of both ends. */
export type Known = {
  readonly draft: Draft;
  readonly name: string;
  readonly guarded: boolean;
  readonly fields: ReadonlyMap<string, Field>;
  readonly primaryKey: Field;
};
export type Find = (name: string) => Known | undefined;

/** Resolves a relation of `source`. @throws AppError INVALID_SCHEMA with the place and the mend. */
export function resolveRelation(source: Known, relation: RelationDraft, find: Find): Relation {
  return relation.keyOn === "source" ? belongsTo(source, relation, find) : hasRows(source, relation, find);
}

function targetOf(relation: RelationDraft, find: Find): Known {
  const target = find(relation.target);
  if (!target) throw invalid(`${relation.place}.target`, `unknown collection '${relation.target}'`);
  return target;
}

function belongsTo(source: Known, relation: RelationDraft, find: Find): Relation {
  const target = targetOf(relation, find);
  checkTargetKey(relation, target);
  checkScope(relation, source);
  const nullable = source.fields.get(relation.column)?.allowNull ?? false;
  if (relation.onDelete === "SET NULL" && !nullable) {
    throw invalid(
      `${relation.place}.onDelete`,
      `SET NULL needs a key that may be null; allow null on '${relation.column}', or use RESTRICT or CASCADE`,
    );
  }
  const { name, kind, keyOn, scope, constrained } = relation;
  return {
    name,
    kind,
    keyOn,
    source: source.name,
    sourceColumn: relation.column,
    target: target.name,
    targetColumn: target.primaryKey.name,
    scope,
    constrained,
    onDelete: constrained
      ? (relation.onDelete ?? (nullable ? "SET NULL" : "RESTRICT"))
      : asItsPair(source, relation),
    onUpdate: (constrained ? relation.onUpdate : null) ?? "NO ACTION",
  };
}

/**
 * No foreign key can lead to several collections. The row of a junction that does goes with its end, or keeps it, as it is
 * with the item in whose list it stands.
 */
function asItsPair({ draft }: Known, { scope }: RelationDraft): Relation["onDelete"] {
  if (scope === null || draft.definition.isJunction !== true) return "NO ACTION";
  const pair = draft.relations.find((one) => one.keyOn === "source" && one.scope === null);
  return pair?.onDelete === "CASCADE" || pair?.onDelete === "RESTRICT" ? pair.onDelete : "NO ACTION";
}

/** The column that a scope names belongs to the holder of the key, and holds text. */
function checkScope({ scope, place }: RelationDraft, holder: Known): void {
  if (scope === null) return;
  const field = holder.fields.get(scope.column);
  const at = `${place}.scope.${scope.column}`;
  if (!field || field.hidden) {
    throw invalid(
      at,
      `'${holder.name}' has no field '${scope.column}'${suggestion(scope.column, holder.fields.keys())}`,
    );
  }
  if (castType(field) !== "text") throw invalid(at, `expected a field of text; it is ${field.type}`);
}

function checkTargetKey(relation: RelationDraft, { name, primaryKey }: Known): void {
  if (relation.targetKey !== null && relation.targetKey !== primaryKey.name) {
    throw invalid(
      `${relation.place}.targetKey`,
      `relations lead to primary keys; that of '${name}' is '${primaryKey.name}'`,
    );
  }
}

function hasRows(source: Known, relation: RelationDraft, find: Find): Relation {
  const target = targetOf(relation, find);
  checkTargetKey(relation, source);
  checkScope(relation, target);
  const column = target.fields.get(relation.column);
  const place = `${relation.place}.foreignKey`;
  if (!column || column.hidden) {
    const near = suggestion(relation.column, target.fields.keys());
    throw invalid(place, `'${target.name}' has no field '${relation.column}'${near}; add it there first`);
  }
  const forward = forwardOf(source, target, relation);
  if (castType(column) !== castType(source.primaryKey)) {
    throw invalid(
      place,
      `'${target.name}.${column.name}' is ${column.type}; the primary key of '${source.name}' is ${source.primaryKey.type}`,
    );
  }
  const { name, kind, keyOn, scope } = relation;
  if (kind === "one" && !isUnique(target, column, scope)) {
    throw invalid(
      place,
      `HasOne needs a key that is unique; add "unique": true to '${target.name}.${column.name}', or use HasMany`,
    );
  }
  return {
    name,
    kind,
    keyOn,
    source: source.name,
    sourceColumn: source.primaryKey.name,
    target: target.name,
    targetColumn: column.name,
    scope,
    constrained: false,
    onDelete: forward?.onDelete ?? "NO ACTION",
    onUpdate: forward?.onUpdate ?? "NO ACTION",
  };
}

/** The relation that the reverse of it is: the one that declares the key, as far as there is one. */
function forwardOf(source: Known, target: Known, relation: RelationDraft): RelationDraft | undefined {
  const holders = target.draft.relations.filter(
    ({ keyOn, column }) => keyOn === "source" && column === relation.column,
  );
  const forward = holders.find(({ scope }) => sameJson(scope, relation.scope)) ?? holders[0];
  if (!forward || (forward.target === source.name && sameJson(forward.scope, relation.scope))) return forward;
  const key = `'${target.name}.${relation.column}'`;
  if (forward.target === source.name || forward.scope !== null) {
    throw invalid(
      `${relation.place}.scope`,
      `${key} leads to '${source.name}' only where ${showScope(forward.scope)}; got ${showScope(relation.scope)}`,
    );
  }
  throw invalid(
    `${relation.place}.foreignKey`,
    `${key} leads to '${forward.target}', not to '${source.name}'`,
  );
}

function showScope(scope: RelationScope | null): string {
  return scope === null ? "no scope" : `'${scope.column}' is '${scope.value}'`;
}

function isUnique({ draft }: Known, column: Field, scope: RelationScope | null): boolean {
  const names = new Set([column.name, ...(scope === null ? [] : [scope.column])]);
  const covered = draft.indexes.some(
    ({ unique, fields }) => unique && fields.every((field) => names.has(field)),
  );
  return column.unique || column.primaryKey || covered;
}
