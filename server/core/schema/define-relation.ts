/** One entry of `fields` that declares a relation → RelationDraft. Its ends are resolved by `define.ts`. */
import type { ReferentialAction } from "@baasix/types";
import { suggestion } from "../errors";
import type { RelationScope } from "./model";
import { checkFieldName, invalid } from "./names";
import { type Entries, readFlag, readList, readObject, readWords } from "./readers";
import { readText, showValue } from "./values";

/** A relation as written. `column` is the key, on the side that `keyOn` says. */
export type RelationDraft = {
  readonly name: string;
  readonly kind: "one" | "many";
  readonly keyOn: "source" | "target";
  readonly column: string;
  readonly target: string;
  /** Null: not given. */
  readonly targetKey: string | null;
  readonly scope: RelationScope | null;
  /** `constraints: false`: no foreign key in the database. */
  readonly constrained: boolean;
  readonly onDelete: ReferentialAction | null;
  readonly onUpdate: ReferentialAction | null;
  /** Of the key column, when the relation makes it. */
  readonly allowNull: boolean;
  readonly unique: boolean;
  readonly immutable: boolean;
  readonly description: string | null;
  /** Made by the server: by the relationships route, or by a flag such as `usertrack`. */
  readonly generated: boolean;
  readonly place: string;
};

const relationTypes = ["BelongsTo", "HasMany", "HasOne"] as const;
const longestScope = 255;
const mostTables = 50;
const actions: readonly ReferentialAction[] = ["CASCADE", "SET NULL", "RESTRICT", "NO ACTION"];

/**
 * Reads a relation. With a `type` on the same entry the entry is the key column and `as` names the relation.
 * @throws AppError INVALID_SCHEMA with the place and the mend.
 */
export function readRelation(key: string, entries: Entries, place: string): RelationDraft {
  const type = readKind(entries.get("relType"), `${place}.relType`);
  const holdsKey = type === "BelongsTo";
  for (const key of ["through", "otherKey"]) {
    if (entries.has(key))
      throw invalid(`${place}.${key}`, `belongs to no ${type}; the target is the junction itself`);
  }
  checkPolymorphic(entries, type, place);
  const target = readWords(entries, "target", place);
  if (target === null) throw invalid(`${place}.target`, "a relation names the collection that it leads to");
  const isColumn = entries.has("type");
  const as = readWords(entries, "as", place);
  if (isColumn && !holdsKey) throw invalid(`${place}.type`, `${type} has no column of its own; remove type`);
  if (isColumn && as === null) {
    throw invalid(`${place}.as`, `'${key}' is the key column; give the relation a name of its own in 'as'`);
  }
  const foreignKey = readWords(entries, "foreignKey", place);
  if (!holdsKey && foreignKey === null) {
    throw invalid(`${place}.foreignKey`, `${type} names the column of '${target}' that holds the key`);
  }
  if (isColumn && foreignKey !== null && foreignKey !== key) {
    throw invalid(`${place}.foreignKey`, `'${key}' is the key column itself; remove foreignKey`);
  }
  const name = checkFieldName(as ?? key, `${place}.as`);
  const column = isColumn ? key : (foreignKey ?? `${name}_Id`);
  const scope = readScope(entries.get("scope"), `${place}.scope`);
  return {
    name,
    kind: type === "HasMany" ? "many" : "one",
    keyOn: holdsKey ? "source" : "target",
    column: checkFieldName(column, `${place}.foreignKey`),
    target,
    targetKey: readWords(entries, "targetKey", place),
    scope,
    constrained: holdsKey && scope === null && readFlag(entries, "constraints", place, true),
    onDelete: readAction(entries, "onDelete", place),
    onUpdate: readAction(entries, "onUpdate", place),
    allowNull: readFlag(entries, "allowNull", place, true),
    unique: readFlag(entries, "unique", place, false),
    immutable: readFlag(entries, "immutable", place, false),
    description: readWords(entries, "description", place),
    generated: readFlag(entries, "SystemGenerated", place, false),
    place,
  };
}

function readKind(value: unknown, place: string): (typeof relationTypes)[number] {
  const written = typeof value === "string" ? value : "";
  const known = relationTypes.find((name) => name.toLowerCase() === written.toLowerCase());
  if (known) return known;
  if (written.toLowerCase() === "belongstomany") {
    throw invalid(
      place,
      "a many-to-many relation leads to its junction: HasMany with the junction as target, or POST its relationship of type M2M",
    );
  }
  throw invalid(
    place,
    `expected ${relationTypes.join(", ")}, got ${showValue(value)}${suggestion(written, relationTypes)}`,
  );
}

/** What an M2A list tells of itself. */
function checkPolymorphic(entries: Entries, type: string, place: string): void {
  const polymorphic = readFlag(entries, "polymorphic", place, false);
  const tables = readList(entries.get("tables"), `${place}.tables`, mostTables);
  if ((polymorphic || tables !== null) && type !== "HasMany") {
    throw invalid(`${place}.${polymorphic ? "polymorphic" : "tables"}`, `belongs to HasMany, not to ${type}`);
  }
  if (tables?.some((table) => typeof table !== "string"))
    throw invalid(`${place}.tables`, "expected names of collections");
}

/** `{"collection": "tasks"}`: the rows that count have this value in this column of the key's holder. */
function readScope(value: unknown, place: string): RelationScope | null {
  if (value === undefined || value === null) return null;
  const [entry, ...more] = readObject(value, place, null);
  if (!entry || more.length > 0)
    throw invalid(place, 'expected one column and its value, such as {"collection": "tasks"}');
  const [column, text] = entry;
  if (typeof text !== "string" || text === "" || text.length > longestScope) {
    throw invalid(
      `${place}.${column}`,
      `expected text of 1 to ${longestScope} characters, got ${showValue(text)}`,
    );
  }
  return { column: checkFieldName(column, place), value: readText(text, null) };
}

/** A referential action in any letter case; null when absent. */
function readAction(entries: Entries, key: string, place: string): ReferentialAction | null {
  const value = readWords(entries, key, place);
  if (value === null) return null;
  const known = actions.find((action) => action === value.toUpperCase());
  if (!known) throw invalid(`${place}.${key}`, `expected ${actions.join(", ")}, got ${showValue(value)}`);
  return known;
}
