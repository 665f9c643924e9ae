/** One entry of `fields` that declares a relation → RelationDraft. Its ends are resolved by `define.ts`. */
import type { ReferentialAction } from "@baasix/types";
import { suggestion } from "../errors";
import { checkFieldName, invalid } from "./names";
import { type Entries, readFlag, readWords } from "./readers";
import { showValue } from "./values";

/** A relation as written. `column` is the key: on this collection (`one`) or on the target (`many`). */
export type RelationDraft = {
  readonly name: string;
  readonly kind: "one" | "many";
  readonly column: string;
  readonly target: string;
  /** Null: not given. */
  readonly targetKey: string | null;
  readonly onDelete: ReferentialAction | null;
  readonly onUpdate: ReferentialAction | null;
  /** Of the key column, when the relation makes it. */
  readonly allowNull: boolean;
  readonly unique: boolean;
  readonly description: string | null;
  /** Made by the server: by the relationships route, or by a flag such as `usertrack`. */
  readonly generated: boolean;
  readonly place: string;
};

const relationTypes = ["BelongsTo", "HasMany"] as const;
const laterTypes: readonly string[] = ["HasOne", "BelongsToMany"];
const actions: readonly ReferentialAction[] = ["CASCADE", "SET NULL", "RESTRICT", "NO ACTION"];

/**
 * Reads a relation. With a `type` on the same entry the entry is the key column and `as` names the relation.
 * @throws AppError INVALID_SCHEMA with the place and the mend.
 */
export function readRelation(key: string, entries: Entries, place: string): RelationDraft {
  const kind = readKind(entries.get("relType"), `${place}.relType`);
  const target = readWords(entries, "target", place);
  if (target === null) throw invalid(`${place}.target`, "a relation names the collection that it leads to");
  const isColumn = entries.has("type");
  const as = readWords(entries, "as", place);
  if (isColumn && kind === "many")
    throw invalid(`${place}.type`, "HasMany has no column of its own; remove type");
  if (isColumn && as === null) {
    throw invalid(`${place}.as`, `'${key}' is the key column; give the relation a name of its own in 'as'`);
  }
  const foreignKey = readWords(entries, "foreignKey", place);
  if (kind === "many" && foreignKey === null) {
    throw invalid(`${place}.foreignKey`, `HasMany names the column of '${target}' that holds the key`);
  }
  if (isColumn && foreignKey !== null && foreignKey !== key) {
    throw invalid(`${place}.foreignKey`, `'${key}' is the key column itself; remove foreignKey`);
  }
  const name = checkFieldName(as ?? key, `${place}.as`);
  const column = isColumn ? key : (foreignKey ?? `${name}_Id`);
  return {
    name,
    kind,
    column: checkFieldName(column, `${place}.foreignKey`),
    target,
    targetKey: readWords(entries, "targetKey", place),
    onDelete: readAction(entries, "onDelete", place),
    onUpdate: readAction(entries, "onUpdate", place),
    allowNull: readFlag(entries, "allowNull", place, true),
    unique: readFlag(entries, "unique", place, false),
    description: readWords(entries, "description", place),
    generated: readFlag(entries, "SystemGenerated", place, false),
    place,
  };
}

function readKind(value: unknown, place: string): "one" | "many" {
  const written = typeof value === "string" ? value : "";
  const known = relationTypes.find((name) => name.toLowerCase() === written.toLowerCase());
  if (known) return known === "BelongsTo" ? "one" : "many";
  const later = laterTypes.includes(written) ? `${written} is not available in this version; ` : "";
  throw invalid(
    place,
    `${later}expected BelongsTo or HasMany, got ${showValue(value)}${later ? "" : suggestion(written, relationTypes)}`,
  );
}

/** A referential action in any letter case; null when absent. */
export function readAction(entries: Entries, key: string, place: string): ReferentialAction | null {
  const value = readWords(entries, key, place);
  if (value === null) return null;
  const known = actions.find((action) => action === value.toUpperCase());
  if (!known) throw invalid(`${place}.${key}`, `expected ${actions.join(", ")}, got ${showValue(value)}`);
  return known;
}
