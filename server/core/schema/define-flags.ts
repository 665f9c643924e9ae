/** What the flags of a definition add to it: times, who wrote, a place in an order. */
import type { RelationDraft } from "./define-relation";
import type { Field } from "./model";
import { invalid } from "./names";

/** The columns and relations of a definition while it is read. */
export type Columns = { readonly fields: Map<string, Field>; readonly relations: RelationDraft[] };

/** A column of which nothing is said. */
export const plainField: Omit<Field, "name" | "type"> = {
  primaryKey: false,
  allowNull: true,
  unique: false,
  perTenant: false,
  immutable: false,
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
  lowerCase: false,
  managed: null,
  description: null,
};

/** `createdAt` and `updatedAt`, `deletedAt`. @throws AppError INVALID_SCHEMA where a field of that name is no DateTime. */
export function addTimestamps(
  { fields }: Columns,
  { timestamps, paranoid }: { readonly timestamps: boolean; readonly paranoid: boolean },
  place: string,
): void {
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

/** Who wrote. @throws AppError INVALID_SCHEMA where a field or relation of that name is another. */
export function addUsertrack({ fields, relations }: Columns, place: string): void {
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

/**
 * The place of an item among the others; it may be written, unlike what the other flags make.
 * @throws AppError INVALID_SCHEMA where a field of that name is no Integer.
 */
export function addSort({ fields }: Columns, place: string): void {
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
    immutable: false,
    description: null,
    generated: true,
    place,
  };
}
