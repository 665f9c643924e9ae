/** The `fields` of a permission, as a tree that can be asked. */
import { AppError } from "../errors";
import { unknownField } from "../query/find";
import type { Collection, Schema } from "../schema/model";
import { bodyExtras } from "../schema/system";

/**
 * What one permission opens on a collection and through its relations. `all`: every column (`*`).
 * `any`: what `*.…` opens on every relation. `deep`: everything below (`**`).
 */
export type FieldGrant = {
  readonly all: boolean;
  readonly deep: boolean;
  readonly columns: ReadonlySet<string>;
  readonly relations: ReadonlyMap<string, FieldGrant>;
  readonly any: FieldGrant | null;
};

type Draft = {
  all: boolean;
  deep: boolean;
  columns: Set<string>;
  relations: Map<string, Draft>;
  any: Draft | null;
};

/** Everything on the collection itself and below. */
export const everyField: FieldGrant = {
  all: true,
  deep: true,
  columns: new Set(),
  relations: new Map(),
  any: null,
};

/**
 * Reads `fields`: a list or comma text of `*`, `name`, `relation.*`, `relation.name`, `relation.*.*`, `relation.**`.
 * Null or nothing opens nothing.
 * @throws AppError INVALID_VALUE for anything else.
 */
export function parseFieldGrant(fields: unknown): FieldGrant {
  const root = draft();
  for (const pattern of patternList(fields)) {
    const names = pattern.split(".");
    if (names.some((name) => name === "")) throw invalid(`empty name in '${pattern}'`);
    let node = root;
    for (const name of names.slice(0, -1)) {
      if (name === "**") throw invalid(`'**' must be the last name in '${pattern}'`);
      if (name === "*") node = node.any ??= draft();
      else {
        const next = node.relations.get(name) ?? draft();
        node.relations.set(name, next);
        node = next;
      }
    }
    const last = names.at(-1) ?? "";
    if (last === "*") node.all = true;
    else if (last === "**") node.all = node.deep = true;
    else node.columns.add(last);
  }
  return root;
}

/**
 * Judges `fields` that are about to be stored: a name that means nothing would be one that somebody mistyped, or open what
 * gets that name later. @throws AppError UNKNOWN_FIELD, INVALID_VALUE
 */
export function checkFieldNames(fields: unknown, collection: Collection, schema: Schema): void {
  for (const pattern of patternList(fields)) {
    let here: Collection | undefined = collection;
    for (const name of pattern.split(".")) {
      if (here === undefined || name === "*" || name === "**") break;
      const relation = here.relations.get(name);
      if (!relation && !here.fields.has(name) && !Object.hasOwn(bodyExtras(here.name), name))
        throw unknownField(here, name, `fields '${pattern}'`);
      here = relation && schema.collections.get(relation.target);
    }
  }
}

/** True when the grant opens the column. */
export function grantsColumn(grant: FieldGrant, column: string): boolean {
  return grant.all || grant.columns.has(column);
}

/** What the grants open through a relation, or null when none of them names it. */
export function throughRelation(
  grants: readonly FieldGrant[],
  relation: string,
): readonly FieldGrant[] | null {
  const opened: FieldGrant[] = [];
  for (const grant of grants) {
    if (grant.deep) opened.push(everyField);
    const named = grant.relations.get(relation);
    if (named) opened.push(named);
    if (grant.any) opened.push(grant.any);
  }
  return opened.length > 0 ? opened : null;
}

/** True when a write may name the relation by one of the grants: `*`, its name, or a path through it. */
export function grantsRelation(grants: readonly FieldGrant[], relation: string): boolean {
  return (
    grants.some((grant) => grant.all || grant.columns.has(relation)) ||
    throughRelation(grants, relation) !== null
  );
}

function draft(): Draft {
  return { all: false, deep: false, columns: new Set(), relations: new Map(), any: null };
}

function patternList(fields: unknown): readonly string[] {
  if (fields === null || fields === undefined) return [];
  const list =
    typeof fields === "string"
      ? fields
          .split(",")
          .map((name) => name.trim())
          .filter(Boolean)
      : fields;
  if (Array.isArray(list) && list.every((name) => typeof name === "string")) return list;
  throw invalid("expected a list of field names");
}

function invalid(message: string): AppError {
  return new AppError("INVALID_VALUE", `fields: ${message}`);
}
